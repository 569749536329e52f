//! One change of a document, and where it applies.

use crate::xml::{Name, Node};

/// One change of a document (RFC 5261 section 4): an `add`, `replace` or `remove` element.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Operation {
    /// What it applies to: exactly one node.
    pub selector: Selector,
    /// What is done there.
    pub change: Change,
}

impl Operation {
    /// A change of what `selector` finds.
    pub fn new(selector: Selector, change: Change) -> Self {
        Self { selector, change }
    }
}

/// What an operation does with the node that its selector finds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Nodes are put into an element, or beside a node (section 4.3).
    Add {
        /// Where.
        position: Position,
        /// What, in this order.
        nodes: Vec<Node>,
    },
    /// An element gets another attribute (section 4.3.2).
    AddAttribute {
        /// Its name.
        name: Name,
        /// Its value.
        value: String,
    },
    /// An element gets another namespace declaration (section 4.3.3).
    AddNamespace {
        /// The prefix, which is not empty.
        prefix: String,
        /// The namespace.
        namespace: String,
    },
    /// Another node takes the place of the one that is there (section 4.4): of an element one element,
    /// of text text, which may be empty.
    Replace {
        /// What takes its place.
        nodes: Vec<Node>,
    },
    /// An attribute gets another value, or a prefix another namespace.
    ReplaceValue {
        /// That.
        value: String,
    },
    /// The node goes (section 4.5).
    Remove {
        /// The white space that goes with it.
        space: Space,
    },
}

/// Where nodes are put, seen from the one that was found (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Position {
    /// Into the element, behind all that it contains.
    #[default]
    Append,
    /// Into the element, before all that it contains (`prepend`).
    Prepend,
    /// Beside the node, before it (`before`).
    Before,
    /// Beside the node, behind it (`after`).
    After,
}

/// The white space beside a node that goes with it (section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Space {
    /// None.
    #[default]
    None,
    /// The text before it (`before`).
    Before,
    /// The text behind it (`after`).
    After,
    /// Both (`both`).
    Both,
}

/// Finds one node of a document (section 4.1): names are expanded, whatever prefixes they were written
/// with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Selector {
    /// Where it starts.
    pub start: SelectorStart,
    /// The elements on the way, each inside the one before; the first is the root of the document, or
    /// inside the element with the id.
    pub steps: Vec<Step>,
    /// What is meant of the last of them.
    pub target: Target,
}

/// Where a selector starts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectorStart {
    /// At the document.
    Document,
    /// At the element whose attribute `xml:id`, or attribute of type ID by another name, has this value.
    Id(String),
}

/// One step of a selector: the children of an element that pass.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The name of the elements; nothing for any (`*`).
    pub name: Option<Name>,
    /// All of these hold, each tried on those that passed the one before.
    pub predicates: Vec<Predicate>,
}

impl Step {
    /// Elements of this name, or of any, with nothing else asked of them.
    pub fn new(name: Option<Name>) -> Self {
        Self {
            name,
            predicates: Vec::new(),
        }
    }

    /// The same, and this has to hold too.
    #[must_use]
    pub fn with(mut self, predicate: Predicate) -> Self {
        self.predicates.push(predicate);
        self
    }
}

/// What is asked of an element beside its name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Predicate {
    /// Its place among those that have passed so far, counted from 1.
    Position(u32),
    /// It has an attribute of this name and value.
    Attribute(Name, String),
    /// It has a child of this name, or any where there is none, with this string value.
    Child(Option<Name>, String),
    /// Its own string value is this (`.`).
    Value(String),
}

/// What is meant of the last element of a selector.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// The element itself.
    Element,
    /// Its attribute of this name.
    Attribute(Name),
    /// Its declaration of this prefix.
    Namespace(String),
    /// A text in it: the place among its texts, counted from 1; nothing when it is to be the only one.
    Text(Option<u32>),
    /// A comment in it, counted likewise.
    Comment(Option<u32>),
    /// A processing instruction in it, of this target where one is named, counted likewise.
    Instruction(Option<String>, Option<u32>),
}
