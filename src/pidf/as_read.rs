//! What may be written because it was read so.

use core::fmt;

/// A text that no builder takes, kept beside the field that it was read into: documents are passed on as
/// they came, and what somebody puts in has to be right.
///
/// It is no part of what the field says: all are equal.
#[derive(Clone, Default)]
pub(crate) struct AsRead(Option<Box<str>>);

impl AsRead {
    /// Of a text that was read, when it does not fit.
    pub(crate) fn unless(fits: bool, text: &str) -> Self {
        Self((!fits).then(|| text.into()))
    }

    /// Whether it is this text that was read.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.as_deref() == Some(text)
    }
}

impl PartialEq for AsRead {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AsRead {}

impl fmt::Debug for AsRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsRead").field(&self.0).finish()
    }
}
