//! A partial presence document as it was received.

use super::error::PartialError;
use crate::xml::namespace::{PIDF, PIDF_DIFF};
use crate::xml::patch::{Operation, SelectorStart, read_operations};
use crate::xml::{Element, XmlLimits, excerpt, trim};

/// A partial presence document, which is a whole one or the changes of one (RFC 5262 section 3).
///
/// ```
/// use presentity::pidf::partial::PartialDocument;
/// use presentity::xml::XmlLimits;
///
/// let octets = b"<d:pidf-diff xmlns:d='urn:ietf:params:xml:ns:pidf-diff' version='7'/>";
/// let document = PartialDocument::read(octets, &XmlLimits::default())?;
/// assert_eq!(document.version(), Some(7));
/// # Ok::<(), presentity::pidf::partial::PartialError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PartialDocument {
    /// All there is to say.
    Full {
        /// Its number; publications have none.
        version: Option<u32>,
        /// The root `pidf-full` as it was read, with white space, comments and the attribute `version`: its
        /// content is that of `presence` (RFC 3863).
        root: Element,
    },
    /// What changed.
    Diff {
        /// Its number; publications have none.
        version: Option<u32>,
        /// Whom it is about, when it says so.
        entity: Option<String>,
        /// What is to be done to the document that the receiver has, in this order. Where a selector names
        /// the root, as `presence` or as `pidf-full`, it means any name.
        operations: Vec<Operation>,
    },
}

impl PartialDocument {
    /// Reads a document of type [`MEDIA_TYPE`](super::MEDIA_TYPE).
    ///
    /// # Errors
    ///
    /// It is not well-formed or exceeds a bound; its root is none of the two, its version no number; or
    /// it has an operation that cannot be read.
    pub fn read(document: &[u8], limits: &XmlLimits) -> Result<Self, PartialError> {
        let root = Element::read_whole(document, limits)?;
        if root.is(PIDF_DIFF, "pidf-full") {
            return Ok(Self::Full {
                version: version(&root)?,
                root,
            });
        }
        if root.is(PIDF_DIFF, "pidf-diff") {
            let mut operations = read_operations(&root, PIDF_DIFF)?;
            operations.iter_mut().for_each(free_root);
            let entity = root.attribute("entity");
            return Ok(Self::Diff {
                version: version(&root)?,
                entity: entity.map(|entity| trim(entity).to_owned()),
                operations,
            });
        }
        if root.is(PIDF, "presence") {
            return Err(PartialError::PresenceRoot);
        }
        Err(PartialError::WrongRoot {
            found: excerpt(&root.name().to_string()),
        })
    }

    /// Its number among the documents of a subscription.
    pub fn version(&self) -> Option<u32> {
        match self {
            Self::Full { version, .. } | Self::Diff { version, .. } => *version,
        }
    }
}

fn version(root: &Element) -> Result<Option<u32>, PartialError> {
    let Some(value) = root.attribute("version") else {
        return Ok(None);
    };
    let digits = trim(value);
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(version) if number => Ok(Some(version)),
        _ => Err(PartialError::BadVersion {
            value: excerpt(value),
        }),
    }
}

/// Lets a selector find the root whatever its name: RFC 5262 names it `presence` where it is
/// `pidf-full`.
fn free_root(operation: &mut Operation) {
    let selector = &mut operation.selector;
    if selector.start != SelectorStart::Document {
        return;
    }
    if let Some(step) = selector.steps.first_mut() {
        let is_root = step.name.as_ref().is_some_and(|name| {
            matches!(name.local(), "presence" | "pidf-full")
                && matches!(name.namespace(), "" | PIDF | PIDF_DIFF)
        });
        if is_root {
            step.name = None;
        }
    }
}
