//! How documents of watcher information are read.

use crate::sip::MAX_URI_LEN;
use crate::xml::XmlLimits;

/// How a document of watcher information is read.
///
/// The defaults have room for a full document of 10⁵ watchers. An entry that exceeds a bound of its
/// own is left out and told; a document that exceeds one of the whole is refused, since a part of it
/// would look like all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadWatcherInfoOptions {
    /// Bounds that any XML has to keep. Default: 32 MiB, 16 levels, attributes enough for each entry,
    /// and else as [`XmlLimits`] has it.
    pub xml: XmlLimits,
    /// The `charset` parameter of the media type that the document came with. Default: none.
    pub charset: Option<String>,
    /// Lists in one document. Default 16,384: an administrator may watch many resources at once.
    pub lists: usize,
    /// Entries in one document, in all of its lists. Default 131,072.
    pub entries: usize,
    /// Octets of one URI, of a watcher or a resource. Default 8,192, which is what a SIP message may
    /// have here ([`MAX_URI_LEN`]).
    pub uri: usize,
    /// Octets of an id or the name of a package. Default 256.
    pub id: usize,
    /// Octets of a name to show. Default 1,024.
    pub display_name: usize,
    /// How many faults are told; more are put up with without a word. Default 32.
    pub reports: usize,
}

impl Default for ReadWatcherInfoOptions {
    fn default() -> Self {
        const ENTRIES: usize = 131_072;
        Self {
            xml: XmlLimits {
                bytes: 32 * 1024 * 1024,
                depth: 16,
                // An element, seven attributes of the format, and one of somebody else's.
                nodes: 9 * ENTRIES,
                ..XmlLimits::default()
            },
            charset: None,
            lists: 16_384,
            entries: ENTRIES,
            uri: MAX_URI_LEN,
            id: 256,
            display_name: 1024,
            reports: 32,
        }
    }
}
