//! The presence document: model, reader and writer of PIDF (RFC 3863).
//!
//! Reading is tolerant by default and keeps what it does not know; writing is strict. Elements of
//! other namespaces are trees of [`xml::Element`](crate::xml::Element) in the lists of extensions
//! of the document, its tuples and their statuses.

mod contact;
mod error;
mod ids;
mod must_understand;
mod note;
mod options;
mod presence;
mod reader;
mod timestamp;
mod tuple;
mod uri;
mod writer;

pub use contact::{Contact, Priority};
pub use error::{Fault, PidfLimit, ReadError, Tolerated, WriteError};
pub use ids::{IdOwner, Repair};
pub use must_understand::Understood;
pub use note::Note;
pub use options::{PidfLimits, ReadOptions, Strictness};
pub use presence::Presence;
pub use tuple::{Basic, Status, Tuple};
