//! Elements that hold one value.

use std::borrow::Cow;

use crate::xml::{Attributes, namespace};

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

impl Leaf {
    /// The element with this text. Of the attributes of the one before stay those that any element
    /// may have; others were as odd as what they stood beside may have been.
    pub(super) fn after(before: Option<Self>, text: impl Into<Cow<'static, str>>) -> Self {
        let attributes = before.map(|before| before.attributes).unwrap_or_default();
        let may_stay = |namespace: &str| matches!(namespace, namespace::XML | namespace::XSI);
        let attributes = attributes.iter();
        Self {
            text: text.into(),
            attributes: attributes
                .filter(|attribute| may_stay(attribute.name.namespace()))
                .cloned()
                .collect(),
        }
    }
}
