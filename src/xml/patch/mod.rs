//! XML patch operations by selectors (RFC 5261): what changes a document into another.
//!
//! [`read_operations`] reads them from a patch document of whatever format, [`apply`] applies them, all or
//! none, within a budget of [`Steps`].

mod application;
mod difference;
mod error;
mod error_document;
mod journal;
mod location;
mod namespace_change;
mod operation;
mod operation_reader;
mod operation_writer;
mod selector_reader;
mod selector_writer;
mod size;
mod steps;

pub use application::{apply, apply_with_ids};
pub use difference::difference;
pub use error::{PatchError, PatchErrorKind};
pub use error_document::{PatchErrorDocument, PatchErrorReadError};
pub use operation::{
    Change, Operation, Position, Predicate, Selector, SelectorStart, Space, Step, Target,
};
pub use operation_reader::{operation_element, read_operations};
pub use operation_writer::write_operations;
pub use selector_writer::{PatchWriteError, SelectorPrefixes};
pub use steps::Steps;
