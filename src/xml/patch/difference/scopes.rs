//! What prefixes in values mean, for content that leaves the place where they are declared.

use crate::xml::{Element, NodeRef, trim};

/// Elements around content that declare prefixes.
#[derive(Default)]
pub(super) struct Scopes<'e> {
    all: Vec<(Option<usize>, &'e Element)>,
    pub(super) inner: Option<usize>,
}

impl<'e> Scopes<'e> {
    /// Gives the scope outside.
    pub(super) fn enter(&mut self, element: &'e Element) -> Option<usize> {
        let outside = self.inner;
        if element.has_declarations() {
            self.inner = Some(self.all.len());
            self.all.push((outside, element));
        }
        outside
    }

    pub(super) fn leave(&mut self, outside: Option<usize>) {
        self.inner = outside;
    }

    /// What is declared in the scope for the prefix that a value begins with.
    pub(super) fn relied_on(
        &self,
        scope: Option<usize>,
        value: &str,
    ) -> Option<(&'e str, &'e str)> {
        let mut scope = scope?;
        let (prefix, _) = value.split_once(':')?;
        let prefix = trim(prefix);
        if prefix.is_empty() {
            return None;
        }
        loop {
            let &(outside, element) = self.all.get(scope)?;
            let declared = element.declarations().find(|&(known, _)| known == prefix);
            if declared.is_some() {
                return declared;
            }
            scope = outside?;
        }
    }

    /// A copy of the element that declares what its content takes from the scope.
    pub(super) fn taken(&self, scope: Option<usize>, element: &Element) -> Element {
        let mut copy = element.clone();
        if scope.is_none() {
            return copy;
        }
        let mut open = vec![element];
        while let Some(inner) = open.pop() {
            let values = inner.attributes.iter().map(|it| it.value.as_str());
            let texts = inner.children().filter_map(|node| match node {
                NodeRef::Text(text) => Some(text),
                _ => None,
            });
            for value in values.chain(texts) {
                if let Some((prefix, namespace)) = self.relied_on(scope, value)
                    && element.declarations().all(|(known, _)| known != prefix)
                {
                    copy.declare(prefix, namespace);
                }
            }
            open.extend(inner.elements());
        }
        copy
    }
}
