//! XML patch operations by selectors (RFC 5261): what changes a document into another.

mod difference;
mod operation;

pub use difference::difference;
pub use operation::{
    Change, Operation, Position, Predicate, Selector, SelectorStart, Space, Step, Target,
};
