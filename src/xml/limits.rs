//! Bounds on what a document may cost its reader.

/// How much of everything a document may have before it is refused.
///
/// Each bound is checked before memory is spent on what it bounds. The defaults leave ample room
/// for what presence software sends (documents of a few kilobytes, six levels deep, with fewer
/// than ten namespaces) and for those of gateways that speak for thousands, and keep the worst
/// document from costing more than a few hundred megabytes for the moment of its reading. Whoever
/// reads what strangers send bounds the bytes more tightly, as an agent does.
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
    /// Length of the document in bytes. Default 16 MiB: a document of two thousand tuples
    /// has one.
    pub bytes: usize,
    /// Levels of elements, the root being level 1. Default 256, which is also the most
    /// that can be allowed ([`XmlLimits::MAX_DEPTH`]).
    pub depth: usize,
    /// Attributes of one element, namespace declarations not counted. Default 256.
    pub attributes: usize,
    /// Different namespaces in the document; at one place up to twice as many declarations may be
    /// in scope. Default 128.
    pub namespaces: usize,
    /// Length in bytes of the name of one namespace. Default 512.
    pub namespace_name: usize,
    /// Bytes of declarations, prefixes and names of namespaces, that are repeated in elements taken
    /// out of their document since their content relies on them. Default 1 MiB: a tree that is a
    /// whole document has none, and else a short document could take much memory.
    pub repeated: usize,
    /// Length in bytes of one name, of its prefix, or of the target of a processing instruction.
    /// Default 256.
    pub name: usize,
    /// Length in bytes of one run of text or of one attribute value, references expanded.
    /// Default 1 MiB: a picture inlined as a `data:` URI fits.
    pub text: usize,
    /// Elements and attributes in the whole document. Default 1,048,576: bounds the memory of a
    /// tree of the smallest possible elements to about 250 MB.
    pub nodes: usize,
}

impl XmlLimits {
    /// The deepest nesting that can be allowed. Trees of this depth are read and written without
    /// recursion, and compared, cloned, printed with `{:?}` and dropped within 512 KiB of stack,
    /// without optimisation too.
    pub const MAX_DEPTH: usize = 256;

    pub(crate) fn effective_depth(&self) -> usize {
        self.depth.min(Self::MAX_DEPTH)
    }
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            depth: Self::MAX_DEPTH,
            attributes: 256,
            namespaces: 128,
            namespace_name: 512,
            repeated: 1024 * 1024,
            name: 256,
            text: 1024 * 1024,
            nodes: 1_048_576,
        }
    }
}
