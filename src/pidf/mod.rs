//! The presence document: model, reader and writer of PIDF (RFC 3863) and of the presence data
//! model (RFC 4479).
//!
//! Reading is tolerant by default and keeps what it does not know; writing is strict. Elements of
//! other namespaces are trees of [`xml::Element`](crate::xml::Element) in the lists of extensions
//! of the document, its tuples and their statuses, its persons and devices. An [`Extension`] is
//! such an element as a typed value, asked for with `get` and put there with `set` or `with`.

pub mod caps;
pub mod certs;
mod contact;
mod device;
mod difference;
mod error;
mod extension;
mod ids;
mod language;
mod leaf;
mod lexical;
mod must_understand;
mod note;
mod options;
mod person;
mod presence;
mod reader;
mod schema;
mod staleness;
mod timestamp;
mod tuple;
mod uri;
mod writer;

pub mod cipid;
pub mod rpid;

pub use contact::{Contact, Priority};
pub use device::{Device, DeviceId};
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
