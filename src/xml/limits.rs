//! Bounds on what a document may cost its reader.

/// How much of everything a document may have before it is refused.
///
/// Each bound is checked before memory is spent on what it bounds. The defaults leave ample room
/// for what presence software sends (documents of a few kilobytes, six levels deep, with fewer
/// than ten namespaces) and keep the worst document from costing more than some tens of megabytes
/// for the moment of its reading.
///
/// ```
/// use presentity::xml::XmlLimits;
///
/// let mut limits = XmlLimits::default();
/// limits.bytes = 64 * 1024;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct XmlLimits {
    /// Length of the document in bytes. Default 1 MiB: a thousand times an ordinary document, and
    /// more than a message over a datagram transport can carry.
    pub bytes: usize,
    /// Levels of elements, the root being level 1. Default 64: the deepest extension in use stays
    /// below twenty. Values above [`XmlLimits::MAX_DEPTH`] count as that.
    pub depth: usize,
    /// Attributes of one element, namespace declarations not counted. Default 64.
    pub attributes: usize,
    /// Different namespaces in the document; at one place up to twice as many declarations may be
    /// in scope. Default 64.
    pub namespaces: usize,
    /// Length in bytes of one name, of its prefix, or of the target of a processing instruction.
    /// Default 256.
    pub name: usize,
    /// Length in bytes of one run of text or of one attribute value, references expanded.
    /// Default 256 KiB: a picture inlined as a `data:` URI fits.
    pub text: usize,
    /// Elements and attributes in the whole document. Default 65,536: bounds the memory of a tree
    /// of the smallest possible elements to about 15 MB.
    pub nodes: usize,
}

impl XmlLimits {
    /// The deepest nesting that can be allowed: trees of this depth are compared and dropped
    /// within the smallest common thread stack.
    pub const MAX_DEPTH: usize = 256;

    pub(crate) fn effective_depth(&self) -> usize {
        self.depth.min(Self::MAX_DEPTH)
    }
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024,
            depth: 64,
            attributes: 64,
            namespaces: 64,
            name: 256,
            text: 256 * 1024,
            nodes: 65_536,
        }
    }
}
