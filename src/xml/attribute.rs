//! Attributes of an element, whose order means nothing.

use super::name::Name;

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// The expanded name; an attribute without prefix is in no namespace.
    pub name: Name,
    /// The value, references expanded.
    pub value: String,
}

impl Attribute {
    /// An attribute.
    pub fn new(name: Name, value: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
        }
    }
}

/// The attributes of an element, in the order they are written.
///
/// Equality does not look at the order. Declarations of namespaces are not attributes here.
#[derive(Debug, Clone, Default)]
pub struct Attributes(
    #[expect(
        clippy::box_collection,
        reason = "most elements have none, and this is one word instead of three"
    )]
    Option<Box<Vec<Attribute>>>,
);

impl Attributes {
    /// No attributes.
    pub const fn new() -> Self {
        Self(None)
    }

    fn all(&self) -> &[Attribute] {
        self.0.as_ref().map_or(&[], |all| all.as_slice())
    }

    fn find_mut(&mut self, is_it: impl Fn(&Name) -> bool) -> Option<&mut Attribute> {
        let mut all = self.0.iter_mut().flat_map(|all| all.iter_mut());
        all.find(|attribute| is_it(&attribute.name))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Attribute> {
        self.all().iter()
    }

    /// The value of the attribute `local` in `namespace` (empty: in no namespace).
    pub fn get(&self, namespace: &str, local: &str) -> Option<&str> {
        self.iter()
            .find(|attribute| attribute.name.is(namespace, local))
            .map(|attribute| attribute.value.as_str())
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, namespace: &str, local: &str) -> Option<&mut String> {
        self.find_mut(|name| name.is(namespace, local))
            .map(|attribute| &mut attribute.value)
    }

    /// Gives the attribute a value, adding it at the end when it is not there yet.
    pub fn set(&mut self, name: Name, value: impl Into<String>) {
        match self.find_mut(|known| *known == name) {
            Some(attribute) => attribute.value = value.into(),
            None => self.push(Attribute::new(name, value)),
        }
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, namespace: &str, local: &str) -> Option<Attribute> {
        let at = self
            .iter()
            .position(|attribute| attribute.name.is(namespace, local))?;
        self.0.as_mut().map(|all| all.remove(at))
    }

    /// Makes room for so many in all, and no more, unless there is room already.
    pub(crate) fn reserve(&mut self, attributes: usize) {
        let all = self.0.get_or_insert_default();
        if all.capacity() < attributes {
            all.reserve_exact(attributes.saturating_sub(all.len()));
        }
    }

    /// Adds an attribute that is known to be new.
    pub(crate) fn push(&mut self, attribute: Attribute) {
        self.0.get_or_insert_default().push(attribute);
    }

    fn sorted(&self) -> Vec<&Attribute> {
        let mut sorted: Vec<&Attribute> = self.iter().collect();
        sorted.sort_unstable_by(|a, b| {
            (a.name.namespace(), a.name.local(), &a.value).cmp(&(
                b.name.namespace(),
                b.name.local(),
                &b.value,
            ))
        });
        sorted
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        // Most of the time the order is the same as well.
        self.len() == other.len() && (self.all() == other.all() || self.sorted() == other.sorted())
    }
}

impl Eq for Attributes {}

impl<'a> IntoIterator for &'a Attributes {
    type Item = &'a Attribute;
    type IntoIter = core::slice::Iter<'a, Attribute>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Attribute> for Attributes {
    /// Of several attributes of one name, the last one's value stays.
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        let mut all = Self::new();
        for attribute in attributes {
            all.set(attribute.name, attribute.value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        pairs
            .iter()
            .map(|(local, value)| Attribute::new(Name::new("", local), *value))
            .collect()
    }

    #[test]
    fn order_means_nothing() {
        assert_eq!(
            attributes(&[("a", "1"), ("b", "2")]),
            attributes(&[("b", "2"), ("a", "1")])
        );
        assert_ne!(
            attributes(&[("a", "1"), ("b", "2")]),
            attributes(&[("a", "2"), ("b", "1")])
        );
        assert_ne!(attributes(&[("a", "1")]), attributes(&[]));
    }

    #[test]
    fn set_replaces() {
        let mut all = attributes(&[("a", "1"), ("a", "2")]);
        assert_eq!(all.len(), 1);
        all.set(Name::new("urn:example:n", "a"), "3");
        assert_eq!(all.get("", "a"), Some("2"));
        assert_eq!(all.get("urn:example:n", "a"), Some("3"));
        assert_eq!(all.remove("", "a").map(|a| a.value).as_deref(), Some("2"));
        assert_eq!(all.get("", "a"), None);
    }
}
