//! The presence document: model, reader and writer of PIDF (RFC 3863) and of the presence data
//! model (RFC 4479).
//!
//! Reading is tolerant by default and keeps what it does not know; writing is strict. Elements of
//! other namespaces are trees of [`xml::Element`](crate::xml::Element) in the lists of extensions
//! of the document, its tuples and their statuses, its persons and devices. An [`Extension`] is
//! such an element as a typed value, asked for with `get` and put there with `set` or `with`.
//!
//! The typed values have one vocabulary:
//!
//! - `new` makes one value, `of` a list of them; `with_…` adds to what was made, `without_…` takes out.
//! - Of values that have a name, `NAMED` are all that the standard lists, `from_name` finds one, `as_str`
//!   is the name. `Other` is what has no name there, `Foreign` an element of another namespace.
//! - `extensions` are elements of other namespaces, `attributes` those that have no field.
//! - What may not be sent is refused with a [`ValueError`]: where it is made, where it is put into a part
//!   of a document (`set`, `add`, `with`), or where the document is written ([`WriteError::Value`]).
//!   Nothing is left out or changed in silence.
//! - What was read and not changed is written as it was, down to the form of its times and numbers, as
//!   far as the schemas allow it. Reading passes over what is not known (RFC 3863, 4.2.3).

pub(crate) mod as_read;
pub mod caps;
pub mod certs;
mod contact;
mod device;
mod device_index;
mod difference;
mod error;
mod extension;
mod ids;
mod language;
mod leaf;
mod lexical;
mod must_understand;
mod named_values;
mod note;
mod options;
pub mod partial;
mod person;
mod presence;
mod reader;
mod schema;
mod staleness;
pub(crate) mod timestamp;
mod tuple;
mod uri;
mod writer;
mod written;

pub mod cipid;
pub mod rpid;

pub use contact::{Contact, Priority};
pub use device::{Device, DeviceId};
pub use device_index::DeviceIndex;
pub use difference::{Change, Difference};
pub use error::{Fault, PidfLimit, ReadError, Tolerated, WriteError};
pub use extension::{Extension, ExtensionOf, ValueError};
pub use ids::{IdOwner, Repair};
pub use must_understand::Understood;
pub use note::Note;
pub use options::{PidfLimits, ReadOptions, Strictness};
pub use person::Person;
pub use presence::Presence;
pub use staleness::{Outdated, Staleness};
pub use tuple::{Basic, Status, Tuple};
