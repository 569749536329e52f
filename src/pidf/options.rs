//! How a document is to be read.

use super::must_understand::Understood;
use crate::xml::XmlLimits;

/// What is accepted in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strictness {
    /// Take what can be used (RFC 3863, 4.4; RFC 4479, 5): known elements in any order, the first
    /// of several where one is allowed, odd ids, values and times (kept, and nothing to typed
    /// access), unknown elements of PIDF's own namespace (passed over), the namespace of the
    /// drafts before the RFC, and any encoding that has ASCII for a document of nothing but ASCII.
    /// All this is reported.
    #[default]
    Tolerant,
    /// Refuse whatever [`Strictness::Tolerant`] would report as a fault of the document, and what the
    /// schemas do not allow within extensions and times, which tolerant reading leaves to typed
    /// access. The attributes `xml:lang`, `xml:space` and `xml:id` are taken on any element.
    Strict,
}

/// How to read a document.
///
/// ```
/// use presentity::pidf::{Presence, ReadOptions};
///
/// let mut options = ReadOptions::default();
/// options.default_entity = Some("sip:dora@example.com".to_owned());
/// let (document, tolerated) =
///     Presence::read_with(b"<presence xmlns='urn:ietf:params:xml:ns:pidf'/>", &options)?;
/// assert_eq!(document.entity, "sip:dora@example.com");
/// assert_eq!(tolerated.len(), 1);
/// # Ok::<(), presentity::pidf::ReadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// What is accepted. Default: tolerant.
    pub strictness: Strictness,
    /// Bounds. Default: those of [`PidfLimits`].
    pub limits: PidfLimits,
    /// Which extensions the reader's user understands, for the report of those that may not be
    /// used. Default: those that this crate has types for.
    pub understood: Understood,
    /// The charset parameter of the body's media type; it wins over the XML declaration
    /// (RFC 3863, 4.1), and a byte order mark over both. Default: none.
    pub charset: Option<String>,
    /// Whom the document is about when it does not say, in tolerant reading: a watcher knows
    /// whom it asked for. Default: none, so that the entity is empty then.
    pub default_entity: Option<String>,
}

impl ReadOptions {
    /// Strict reading, all else by default.
    pub fn strict() -> Self {
        Self {
            strictness: Strictness::Strict,
            ..Self::default()
        }
    }
}

/// How much a presence document may hold before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PidfLimits {
    /// Bounds that any XML has to keep.
    pub xml: XmlLimits,
    /// Tuples of the document. Default 16,384: a presentity has a handful of devices, each with a
    /// few services, but a gateway may speak for thousands.
    pub tuples: usize,
    /// Persons of the document. Default 1,024: one is the rule, and every publication that is part
    /// of it may have its own.
    pub persons: usize,
    /// Devices of the document. Default 16,384, as many as tuples.
    pub devices: usize,
    /// Notes of the document, its tuples, persons and devices together. Default
    /// 65,536.
    pub notes: usize,
    /// How many tolerated faults are reported, and how many extensions that have to be understood and
    /// are not; more are tolerated without a word. Default 32 of each.
    pub reports: usize,
}

impl Default for PidfLimits {
    fn default() -> Self {
        Self {
            xml: XmlLimits::default(),
            tuples: 16_384,
            persons: 1024,
            devices: 16_384,
            notes: 65_536,
            reports: 32,
        }
    }
}
