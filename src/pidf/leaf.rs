//! Elements that hold one value.

use std::borrow::Cow;

use crate::xml::Attributes;

/// An element that holds one value, with attributes that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Leaf {
    pub(super) text: Cow<'static, str>,
    pub(super) attributes: Attributes,
}

impl From<String> for Leaf {
    fn from(text: String) -> Self {
        Self {
            text: Cow::Owned(text),
            attributes: Attributes::new(),
        }
    }
}
