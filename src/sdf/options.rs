//! How a request is to be read.

use super::MAX_REQUEST_LEN;
use crate::pidf::Strictness;
use crate::xml::XmlLimits;

/// How to read a request.
///
/// ```
/// use bytes::Bytes;
/// use presentity::sdf::{ReadOptions, Request};
///
/// let document = Bytes::from_static(
///     b"<!DOCTYPE Subscribe SYSTEM 'subscribe.dtd'>
///     <Subscribe>
///       <From> pres:nora@example.org </From>
///       <To>pres:emil@example.com</To>
///       <DateTime>2026-03-01T08:00:00Z</DateTime>
///       <Duration>0</Duration>
///     </Subscribe>",
/// );
/// assert!(Request::read(&document).is_err());
/// let (request, tolerated) = Request::read_with(&document, &ReadOptions::tolerant())?;
/// assert_eq!(request.from(), "pres:nora@example.org");
/// assert_eq!(tolerated.len(), 2);
/// # Ok::<(), presentity::sdf::ReadError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// What is accepted. Default: strict, since a request has few parts and may be signed.
    ///
    /// Tolerant reading puts up with each [`Fault`](super::Fault), and reports it: a document type
    /// declaration without internal subset, white space around values, foreign attributes and
    /// elements. It takes neither another order of the elements nor one of them twice, and no entities.
    pub strictness: Strictness,
    /// Bounds that any XML has to keep. Default: those of [`XmlLimits`], and no more octets than
    /// [`MAX_REQUEST_LEN`].
    pub limits: XmlLimits,
    /// How many tolerated faults are reported; more are tolerated without a word. Default 32.
    pub reports: usize,
}

impl ReadOptions {
    /// Tolerant reading, all else by default.
    pub fn tolerant() -> Self {
        Self {
            strictness: Strictness::Tolerant,
            ..Self::default()
        }
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        let limits = XmlLimits {
            bytes: MAX_REQUEST_LEN,
            ..XmlLimits::default()
        };
        Self {
            strictness: Strictness::Strict,
            limits,
            reports: 32,
        }
    }
}
