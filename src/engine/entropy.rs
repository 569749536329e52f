//! Unguessable bytes, from the caller.

/// A source of unguessable bytes: tags, Call-IDs and entity-tags are made of them.
///
/// In production this must be a cryptographic generator (the operating system's); a stranger who
/// can guess what it yields can end other people's subscriptions. In tests a seeded generator makes
/// every run the same, byte for byte.
///
/// Any `FnMut(&mut [u8])` is a source.
pub trait Entropy {
    /// Fills `buffer`.
    fn fill(&mut self, buffer: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Entropy for F {
    fn fill(&mut self, buffer: &mut [u8]) {
        self(buffer);
    }
}
