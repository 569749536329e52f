//! Why a patch cannot be read or applied.

use core::fmt;
use std::borrow::Cow;

/// What is wrong with a patch, as the error elements of RFC 5261 (section 5.1) tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatchErrorKind {
    /// An attribute of an operation, mostly its selector, says something that cannot be, or an attribute
    /// would get a value that is none, or is there already.
    InvalidAttributeValue,
    /// Patch and document are in different character sets. Never found here: all is UTF-8.
    InvalidCharacterSet,
    /// The patch is no well-formed document, or not one of its format.
    InvalidDiffFormat,
    /// A reference to an entity that is not declared. Never found here: the reader refuses it.
    InvalidEntityDeclaration,
    /// A prefix is not declared, is declared already, or cannot be taken away since names use it.
    InvalidNamespacePrefix,
    /// What should become a namespace is no name of one.
    InvalidNamespaceUri,
    /// Nodes of one type would take the place of another type's, or more than one that of one; or nodes
    /// would be put into what is no element.
    InvalidNodeTypes,
    /// A directive is not understood.
    InvalidPatchDirective,
    /// The root element would go, or get another one beside it.
    InvalidRootElementOperation,
    /// Something outside the root element is meant, which trees do not have here.
    InvalidXmlPrologOperation,
    /// White space should be removed that is not there.
    InvalidWhitespaceDirective,
    /// The selector finds nothing, or several nodes.
    UnlocatedNode,
    /// `id()` is not supported. Never found here.
    UnsupportedIdFunction,
    /// `xml:id` is not supported. Never found here.
    UnsupportedXmlId,
    /// Applying takes more steps than allowed. No error element of its own; it is written as
    /// `invalid-patch-directive`.
    TooManySteps,
    /// The document would exceed a bound of [`XmlLimits`](crate::xml::XmlLimits). Written as
    /// `invalid-patch-directive` too.
    TooLarge,
}

/// Those that RFC 5261 has an element for.
const ELEMENTS: [(PatchErrorKind, &str); 14] = {
    use PatchErrorKind as Kind;
    [
        (Kind::InvalidAttributeValue, "invalid-attribute-value"),
        (Kind::InvalidCharacterSet, "invalid-character-set"),
        (Kind::InvalidDiffFormat, "invalid-diff-format"),
        (Kind::InvalidEntityDeclaration, "invalid-entity-declaration"),
        (Kind::InvalidNamespacePrefix, "invalid-namespace-prefix"),
        (Kind::InvalidNamespaceUri, "invalid-namespace-uri"),
        (Kind::InvalidNodeTypes, "invalid-node-types"),
        (Kind::InvalidPatchDirective, "invalid-patch-directive"),
        (
            Kind::InvalidRootElementOperation,
            "invalid-root-element-operation",
        ),
        (
            Kind::InvalidXmlPrologOperation,
            "invalid-xml-prolog-operation",
        ),
        (
            Kind::InvalidWhitespaceDirective,
            "invalid-whitespace-directive",
        ),
        (Kind::UnlocatedNode, "unlocated-node"),
        (Kind::UnsupportedIdFunction, "unsupported-id-function"),
        (Kind::UnsupportedXmlId, "unsupported-xml-id"),
    ]
};

impl PatchErrorKind {
    /// The local name of the error element.
    pub fn element(self) -> &'static str {
        let mut elements = ELEMENTS.iter();
        let found = elements.find(|(kind, _)| *kind == self);
        found.map_or("invalid-patch-directive", |(_, name)| name)
    }

    /// The one whose error element has this local name.
    pub fn of_element(name: &str) -> Option<Self> {
        let mut elements = ELEMENTS.iter();
        let found = elements.find(|(_, element)| *element == name);
        found.map(|(kind, _)| *kind)
    }
}

impl fmt::Display for PatchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManySteps => "too-many-steps",
            Self::TooLarge => "too-large",
            other => other.element(),
        })
    }
}

/// A patch that cannot be read or applied, and which operation is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchError {
    kind: PatchErrorKind,
    phrase: Cow<'static, str>,
    operation: Option<usize>,
}

impl PatchError {
    /// An error of this kind, with a sentence for people.
    pub fn new(kind: PatchErrorKind, phrase: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            phrase: phrase.into(),
            operation: None,
        }
    }

    /// The same of the operation with this number, counted from 0.
    #[must_use]
    pub fn at(mut self, operation: usize) -> Self {
        self.operation = Some(operation);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> PatchErrorKind {
        self.kind
    }

    /// The same for people, in English.
    pub fn phrase(&self) -> &str {
        &self.phrase
    }

    /// The number of the operation in its patch, counted from 0; none when it is about all of it.
    pub fn operation(&self) -> Option<usize> {
        self.operation
    }
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(number) => write!(f, "operation {number}: {}: {}", self.kind, self.phrase),
            None => write!(f, "{}: {}", self.kind, self.phrase),
        }
    }
}

impl std::error::Error for PatchError {}

/// An error as a result.
pub(super) fn fail<T>(
    kind: PatchErrorKind,
    phrase: impl Into<Cow<'static, str>>,
) -> Result<T, PatchError> {
    Err(PatchError::new(kind, phrase))
}
