//! Puts documents together from partial ones.

use bytes::Bytes;

use super::document::PartialDocument;
use super::error::PartialError;
use crate::pidf::{Presence, ReadOptions};
use crate::xml::namespace::{DATA_MODEL, PIDF, PIDF_DIFF};
use crate::xml::patch::{Operation, Steps, apply_with_ids};
use crate::xml::{Attribute, Element, XmlLimits, excerpt, trim};

/// A presence document that is put together from partial ones: what a watcher keeps of a subscription
/// (RFC 5263 section 4.5), and a server of a publication (RFC 5264 section 4.3).
///
/// An error leaves it as it was.
///
/// ```
/// use presentity::pidf::partial::{Numbered, Reconstruction, Taken};
/// use presentity::pidf::{Presence, ReadOptions, Tuple};
///
/// let before = Presence::new("sip:dora@example.com").with_tuple(Tuple::open("phone"));
/// let after = Presence::new("sip:dora@example.com").with_tuple(Tuple::closed("phone"));
/// let (before, written) = (before.write()?, after.write()?);
///
/// let mut copy = Reconstruction::new();
/// assert_eq!(copy.take(&Numbered::full(&before)?.with_version(1))?, Taken::Full);
/// let changes = Numbered::difference(&before, &written)?;
/// assert_eq!(copy.take(&changes.with_version(2))?, Taken::Changed);
/// assert_eq!(copy.presence(&ReadOptions::default())?, after);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// The document, its root named `presence` and without version.
    root: Option<Element>,
    version: Option<u32>,
    limits: XmlLimits,
    steps: u64,
}

/// What became of a document that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// It was a whole one, and is the document now.
    Full,
    /// Its changes were made.
    Changed,
    /// Its version is not higher than the last: it was left aside, and nothing changed.
    Stale,
}

impl Reconstruction {
    /// Nothing yet, with the bounds of [`XmlLimits::default`] and of [`Steps::DEFAULT`] for each document.
    pub fn new() -> Self {
        Self::within(XmlLimits::default(), Steps::DEFAULT)
    }

    /// Nothing yet. Documents that come have to be within the limits, and so does what is put together;
    /// the operations of one document may take so many steps.
    pub fn within(limits: XmlLimits, steps: u64) -> Self {
        Self {
            root: None,
            version: None,
            limits,
            steps,
        }
    }

    /// Takes the document of a notification (RFC 5263 section 4.5).
    ///
    /// # Errors
    ///
    /// It cannot be read or has no version; it has changes, and there is no document that they change, or
    /// those of other versions are missing, or they cannot be made. A watcher then refreshes its
    /// subscription: a whole document will come.
    pub fn take(&mut self, document: &[u8]) -> Result<Taken, PartialError> {
        let document = PartialDocument::read(document, &self.limits)?;
        let version = document.version().ok_or(PartialError::NoVersion)?;
        if self.version.is_some_and(|known| version <= known) {
            return Ok(Taken::Stale);
        }
        let taken = match document {
            PartialDocument::Full { root, .. } => self.replace(root),
            PartialDocument::Diff {
                entity, operations, ..
            } => {
                if let (Some(_), Some(known)) = (&self.root, self.version) {
                    let expected = u64::from(known).saturating_add(1);
                    if u64::from(version) != expected {
                        return Err(PartialError::Gap {
                            expected,
                            found: version,
                        });
                    }
                }
                self.change(entity.as_deref(), &operations)?
            }
        };
        self.version = Some(version);
        Ok(taken)
    }

    /// Takes the document of a publication, whatever its version: entity-tags put these in order
    /// (RFC 5264 section 3.2).
    ///
    /// # Errors
    ///
    /// It cannot be read; it has changes, and there is no document that they change, or they cannot be
    /// made.
    pub fn take_unversioned(&mut self, document: &[u8]) -> Result<Taken, PartialError> {
        match PartialDocument::read(document, &self.limits)? {
            PartialDocument::Full { root, .. } => Ok(self.replace(root)),
            PartialDocument::Diff {
                entity, operations, ..
            } => self.change(entity.as_deref(), &operations),
        }
    }

    /// Takes a document of type `application/pidf+xml` as the one that changes will apply to: a server
    /// may get the first of a publication so.
    ///
    /// # Errors
    ///
    /// It cannot be read, or its root is not `presence`.
    pub fn take_presence(&mut self, document: &[u8]) -> Result<Taken, PartialError> {
        let root = Element::read_whole(document, &self.limits)?;
        if !root.is(PIDF, "presence") {
            return Err(PartialError::NoPresence {
                found: excerpt(&root.name().to_string()),
            });
        }
        Ok(self.replace(root))
    }

    /// A document of another type came: what was put together is dropped, the version goes on
    /// (RFC 5263 section 4.5).
    pub fn type_changed(&mut self) {
        self.root = None;
    }

    /// The version of the last document that was taken from a notification.
    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// The document: its root is `presence`, without version, and its content is as the other side wrote it,
    /// with white space and comments.
    pub fn root(&self) -> Option<&Element> {
        self.root.as_ref()
    }

    /// The document as `application/pidf+xml`.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be written.
    pub fn presence_octets(&self) -> Result<Bytes, PartialError> {
        let root = self.root.as_ref().ok_or(PartialError::NoDocument)?;
        Ok(root.write()?)
    }

    /// The document. What the options say of its charset does not matter: it is known by now.
    ///
    /// # Errors
    ///
    /// There is none, or it is no presence document to these options.
    pub fn presence(&self, options: &ReadOptions) -> Result<Presence, PartialError> {
        let octets = self.presence_octets()?;
        let read = if options.charset.is_some() {
            let mut options = options.clone();
            options.charset = None;
            Presence::read_with(&octets, &options)
        } else {
            Presence::read_with(&octets, options)
        };
        Ok(read.map(|(presence, _)| presence)?)
    }

    fn replace(&mut self, root: Element) -> Taken {
        self.root = Some(as_presence(root));
        Taken::Full
    }

    fn change(
        &mut self,
        entity: Option<&str>,
        operations: &[Operation],
    ) -> Result<Taken, PartialError> {
        let root = self.root.as_mut().ok_or(PartialError::NoDocument)?;
        if let (Some(found), Some(expected)) = (entity, root.attribute("entity"))
            && found != trim(expected)
        {
            return Err(PartialError::OtherEntity {
                expected: expected.to_owned(),
                found: found.to_owned(),
            });
        }
        let mut steps = Steps::new(self.steps).within(self.limits);
        apply_with_ids(root, operations, &mut steps, is_id)?;
        Ok(Taken::Changed)
    }
}

impl Default for Reconstruction {
    fn default() -> Self {
        Self::new()
    }
}

/// The root as that of a presence document, with the same content.
fn as_presence(mut root: Element) -> Element {
    let mut presence = Element::new(PIDF, "presence");
    presence.attributes = core::mem::take(&mut root.attributes);
    presence.attributes.remove("", "version");
    for (prefix, namespace) in root.declarations() {
        // Only its own name needed that.
        if namespace != PIDF_DIFF {
            presence.declare(prefix, namespace);
        }
    }
    core::mem::swap(presence.children_mut(), root.children_mut());
    presence
}

/// What is of type ID in the schemas of presence documents.
fn is_id(element: &Element, attribute: &Attribute) -> bool {
    attribute.name.is("", "id")
        && (element.is(PIDF, "tuple")
            || element.is(DATA_MODEL, "person")
            || element.is(DATA_MODEL, "device"))
}
