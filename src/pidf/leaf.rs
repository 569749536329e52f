//! Elements that hold one value.

use std::borrow::Cow;

use crate::xml::{Attribute, Attributes, namespace};

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

    /// Leaves the attributes of XML itself.
    fn forget_foreign_attributes(&mut self) {
        let is_foreign = |it: &Attribute| it.name.namespace() != namespace::XML;
        if self.attributes.iter().any(is_foreign) {
            let attributes = self.attributes.iter();
            self.attributes = attributes.filter(|it| !is_foreign(it)).cloned().collect();
        }
    }
}

/// Leaves the attributes of XML itself on elements that hold one value.
macro_rules! foreign_attributes {
    ($owner:ty, $($leaf:ident $(. $field:ident)?),+) => {
        impl $owner {
            /// Takes attributes that no schema foresees from the elements that hold one value each.
            pub(crate) fn forget_foreign_attributes(&mut self) {
                $(
                    if let Some(leaf) = &mut self.$leaf$(.$field)? {
                        leaf.forget_foreign_attributes();
                    }
                )+
            }
        }
    };
}

foreign_attributes!(super::Tuple, status.basic, timestamp);
foreign_attributes!(super::Person, timestamp);
foreign_attributes!(super::Device, device_id, timestamp);
