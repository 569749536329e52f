//! What is wrong with a document, and where.

use core::fmt;

/// A place in a document.
///
/// Lines and columns count from 1; columns count characters, not bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Location {
    /// Line, from 1.
    pub line: u32,
    /// Character in the line, from 1.
    pub column: u32,
    /// Names of the elements that are open at this place, outermost first, as they were written
    /// and joined by `/`; empty outside the root. Long paths and names are cut short.
    pub path: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, ", in {}", self.path)?;
        }
        Ok(())
    }
}

/// A bound of [`XmlLimits`](super::XmlLimits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmlLimit {
    /// Length of the document.
    Bytes,
    /// Levels of elements.
    Depth,
    /// Attributes of one element.
    Attributes,
    /// Namespaces.
    Namespaces,
    /// Length of the name of a namespace.
    NamespaceName,
    /// Declarations repeated for the sake of content.
    Repeated,
    /// Length of a name.
    Name,
    /// Length of a text or attribute value.
    Text,
    /// Elements and attributes in all.
    Nodes,
}

impl fmt::Display for XmlLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes in the document",
            Self::Depth => "levels of elements",
            Self::Attributes => "attributes of an element",
            Self::NamespaceName => "bytes in the name of a namespace",
            Self::Namespaces => "namespaces",
            Self::Repeated => "bytes of repeated namespace declarations",
            Self::Name => "bytes in a name",
            Self::Text => "bytes in a text",
            Self::Nodes => "elements and attributes",
        })
    }
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlErrorKind {
    /// One of the reader's bounds is exceeded.
    #[error("more than {max} {limit}")]
    Limit {
        /// Which bound.
        limit: XmlLimit,
        /// Its value.
        max: usize,
    },
    /// The bytes are not UTF-8.
    #[error("expected UTF-8, found other bytes")]
    NotUtf8,
    /// The document says that it is in an encoding that is not read.
    #[error("expected the encoding UTF-8 or US-ASCII, found {name}")]
    Encoding {
        /// The encoding, as it was named or as its first bytes show.
        name: String,
    },
    /// A character that XML does not allow, literally or by reference.
    #[error("character U+{code:04X} is not allowed in XML")]
    Character {
        /// Its code point, or what was given as such.
        code: u32,
    },
    /// A document type declaration; none is read, so that no entity can be declared. Formats that pass
    /// over one without internal subset refuse all others, and a second one.
    #[error("a document type declaration is not accepted")]
    Doctype,
    /// The XML declaration is malformed or not at the very beginning.
    #[error("expected a well-formed XML declaration at the very beginning only")]
    Declaration,
    /// There is no element at all.
    #[error("expected an element, found the end")]
    NoRoot,
    /// A second element follows the root element.
    #[error("expected the end after the root element, found another element")]
    SecondRoot,
    /// Text stands before or after the root element.
    #[error("expected only white space outside the root element, found text")]
    TextOutsideRoot,
    /// The document ends before everything is closed.
    #[error("expected {expected}, found the end of the document")]
    Unclosed {
        /// What was missing.
        expected: String,
    },
    /// An end tag closes something else than the innermost element.
    #[error("expected the end tag of {expected}, found that of {found}")]
    MismatchedEnd {
        /// The innermost open element, as written; empty when none is open.
        expected: String,
        /// The end tag's name.
        found: String,
    },
    /// Markup breaks the grammar.
    #[error("expected {expected}")]
    Syntax {
        /// What the grammar wanted at this place.
        expected: &'static str,
    },
    /// A prefix is not declared.
    #[error("prefix {prefix} is not declared")]
    UndeclaredPrefix {
        /// The prefix.
        prefix: String,
    },
    /// A declaration touches the prefixes or namespaces of `xml` or `xmlns`, or undeclares a
    /// prefix.
    #[error("prefix {prefix} cannot be declared so")]
    ReservedPrefix {
        /// The prefix.
        prefix: String,
    },
    /// Two attributes of an element have one expanded name, or a prefix is declared twice.
    #[error("attribute {name} occurs twice")]
    DuplicateAttribute {
        /// The second one's name, as written.
        name: String,
    },
    /// A reference to an entity other than the five predefined ones.
    #[error("entity {name} is not defined")]
    UndefinedEntity {
        /// The entity's name.
        name: String,
    },
}

/// A document that cannot be read, with the first fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError(Box<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    kind: XmlErrorKind,
    location: Location,
}

impl XmlError {
    pub(crate) fn new(kind: XmlErrorKind, location: Location) -> Self {
        Self(Box::new(Fault { kind, location }))
    }

    /// What is wrong.
    pub fn kind(&self) -> &XmlErrorKind {
        &self.0.kind
    }

    /// Whether the document has more octets than it may have.
    pub(crate) fn is_of_size(&self) -> bool {
        matches!(
            self.kind(),
            XmlErrorKind::Limit {
                limit: XmlLimit::Bytes,
                ..
            }
        )
    }

    /// Where it was found.
    pub fn location(&self) -> &Location {
        &self.0.location
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.location, self.0.kind)
    }
}

impl std::error::Error for XmlError {}

/// Names from a document are cut to this many bytes in errors.
const EXCERPT: usize = 64;

/// A piece of the document for an error message, of bounded length.
pub(crate) fn excerpt(text: &str) -> String {
    if text.len() <= EXCERPT {
        return text.to_owned();
    }
    let end = (0..=EXCERPT)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// What cannot be written as XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlWriteError {
    /// The name of an element or attribute, or a prefix, is no XML name without a colon.
    #[error("{name:?} is not an XML name")]
    Name {
        /// The name.
        name: String,
    },
    /// A text or attribute value has a character that XML cannot carry in any form.
    #[error("character U+{code:04X} cannot be written in XML")]
    Character {
        /// The character's code point.
        code: u32,
    },
    /// A comment has two hyphens side by side or one at its end, or an instruction has its end in
    /// what it says.
    #[error("a comment or processing instruction would end early")]
    EndsEarly,
    /// A name lies in the namespace that is reserved for declarations, or uses that of `xml` for
    /// an element.
    #[error("namespace {namespace} is reserved")]
    ReservedNamespace {
        /// The namespace.
        namespace: String,
    },
    /// Elements are nested deeper than [`XmlLimits::MAX_DEPTH`](super::XmlLimits::MAX_DEPTH).
    #[error("elements are nested too deeply")]
    TooDeep,
}

impl XmlWriteError {
    pub(super) fn name(name: &str) -> Self {
        Self::Name {
            name: excerpt(name),
        }
    }

    pub(super) fn reserved(namespace: &str) -> Self {
        Self::ReservedNamespace {
            namespace: namespace.to_owned(),
        }
    }
}
