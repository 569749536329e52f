//! XML patch operations by selectors (RFC 5261): what changes a document into another.

mod operation;

pub use operation::{
    Change, Operation, Position, Predicate, Selector, SelectorStart, Space, Step, Target,
};
