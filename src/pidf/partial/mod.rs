//! Partial presence documents, `application/pidf-diff+xml` (RFC 5262): the whole of a presence document
//! or what changed in it since the last, in place of `application/pidf+xml`.
//!
//! A notifier makes them with [`Numbered`], a watcher or a publication server puts documents together again
//! with [`Reconstruction`]. The rules for versions are those of partial notification (RFC 5263);
//! partial publication (RFC 5264) has none.

mod document;
mod error;
mod numbered;
mod reconstruction;
mod root_tag;

pub use document::PartialDocument;
pub use error::PartialError;
pub use numbered::Numbered;
pub use reconstruction::{Reconstruction, Taken};

/// The media type of partial presence documents (RFC 5262 section 5.2).
pub const MEDIA_TYPE: &str = "application/pidf-diff+xml";
