//! Documents that tell why a patch failed (RFC 5261 section 5).

use bytes::Bytes;

use super::error::{PatchError, PatchErrorKind};
use crate::xml::namespace::{PATCH_OPS_ERROR, XML};
use crate::xml::{Element, Layout, Name, XmlError, XmlLimits, XmlWriteError};

const ROOT: &str = "patch-ops-error";

/// Why a patch failed, as the one who applied it tells the one who sent it.
///
/// ```
/// use presentity::xml::patch::{PatchErrorDocument, PatchErrorKind};
///
/// let document = PatchErrorDocument::new(PatchErrorKind::UnlocatedNode)
///     .with_phrase("there are two such tuples", Some("en"));
/// let written = document.write()?;
/// assert_eq!(PatchErrorDocument::read(&written)?, document);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PatchErrorDocument {
    /// What was wrong; nothing when the document has no error element that is known, of several the
    /// first.
    pub kind: Option<PatchErrorKind>,
    /// The same for people.
    pub phrase: Option<String>,
    /// The language of the phrase (`xml:lang`).
    pub language: Option<String>,
    /// The operation that failed.
    pub operation: Option<Element>,
}

/// A document that tells of no failed patch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchErrorReadError {
    /// It cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Its root is another element.
    #[error("expected patch-ops-error, found {found}")]
    WrongRoot {
        /// Which.
        found: String,
    },
}

impl PatchErrorDocument {
    /// The media type of such documents (RFC 5261 section 10.2).
    pub const MEDIA_TYPE: &'static str = "application/patch-ops-error+xml";

    /// Nothing but what was wrong.
    pub fn new(kind: PatchErrorKind) -> Self {
        Self {
            kind: Some(kind),
            phrase: None,
            language: None,
            operation: None,
        }
    }

    /// The same with a sentence for people, and its language.
    #[must_use]
    pub fn with_phrase(mut self, phrase: &str, language: Option<&str>) -> Self {
        self.phrase = Some(phrase.to_owned());
        self.language = language.map(str::to_owned);
        self
    }

    /// The same with the operation that failed, as
    /// [`operation_element`](super::operation_element) takes it out of its document.
    #[must_use]
    pub fn with_operation(mut self, operation: Element) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Reads such a document.
    ///
    /// # Errors
    ///
    /// It is not well-formed, exceeds the bounds of [`XmlLimits::default`], or has another root.
    pub fn read(document: &[u8]) -> Result<Self, PatchErrorReadError> {
        Self::read_within(document, &XmlLimits::default())
    }

    /// The same within other bounds.
    ///
    /// # Errors
    ///
    /// As for [`PatchErrorDocument::read`].
    pub fn read_within(document: &[u8], limits: &XmlLimits) -> Result<Self, PatchErrorReadError> {
        let root = Element::read_whole(document, limits)?;
        if !root.is(PATCH_OPS_ERROR, ROOT) {
            let found = crate::xml::excerpt(&root.name().to_string());
            return Err(PatchErrorReadError::WrongRoot { found });
        }
        let error = root.elements().find_map(|element| {
            let is_ours = element.namespace() == PATCH_OPS_ERROR;
            let kind = PatchErrorKind::of_element(element.local()).filter(|_| is_ours);
            kind.map(|kind| (kind, element))
        });
        let Some((kind, element)) = error else {
            return Ok(Self {
                kind: None,
                phrase: None,
                language: None,
                operation: None,
            });
        };
        let mut operation = element.elements().next().cloned();
        if let Some(operation) = &mut operation {
            // Its selector relies on them.
            for outer in [element, &root] {
                for (prefix, namespace) in outer.declarations() {
                    if !operation.declarations().any(|(known, _)| known == prefix) {
                        operation.declare(prefix, namespace);
                    }
                }
            }
        }
        Ok(Self {
            kind: Some(kind),
            phrase: element.attribute("phrase").map(str::to_owned),
            language: element.attributes.get(XML, "lang").map(str::to_owned),
            operation,
        })
    }

    /// Writes the document.
    ///
    /// # Errors
    ///
    /// Something in it has a character that XML does not allow, or the operation cannot be written.
    pub fn write(&self) -> Result<Bytes, XmlWriteError> {
        let mut root = Element::new(PATCH_OPS_ERROR, ROOT);
        if let Some(kind) = self.kind {
            let mut error = Element::new(PATCH_OPS_ERROR, kind.element());
            if let Some(phrase) = &self.phrase {
                error = error.with_attribute("phrase", phrase);
            }
            if let Some(language) = &self.language {
                let name = Name::new(XML, "lang");
                error.attributes.set(name, language);
            }
            if let Some(operation) = &self.operation {
                // A default namespace can only be declared at the root: names in the selector mean the
                // same there.
                let mut default = "";
                for (prefix, namespace) in operation.declarations() {
                    if prefix.is_empty() {
                        default = namespace;
                    }
                }
                root.declare("", default);
                error.push_child(operation.clone());
            }
            root.push_child(error);
        }
        root.write_as(Layout::Kept)
    }
}

impl PatchError {
    /// A document that tells of the error, with the operation that failed if it is given: see
    /// [`operation_element`](super::operation_element). One that cannot be written is left out.
    pub fn to_document(&self, operation: Option<&Element>) -> Bytes {
        let document = PatchErrorDocument::new(self.kind()).with_phrase(self.phrase(), Some("en"));
        let with_operation = operation.map(|it| document.clone().with_operation(it.clone()));
        // Phrases may quote what was read, and that is XML.
        with_operation
            .and_then(|document| document.write().ok())
            .or_else(|| document.write().ok())
            .or_else(|| PatchErrorDocument::new(self.kind()).write().ok())
            .unwrap_or_default()
    }
}
