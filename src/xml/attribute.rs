//! Attributes of an element, whose order means nothing.

use super::name::Name;
use super::text::Text;

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// The expanded name; an attribute without prefix is in no namespace.
    pub name: Name,
    /// The value, references expanded.
    pub value: Text,
}

impl Attribute {
    /// An attribute.
    pub fn new(name: Name, value: impl Into<Text>) -> Self {
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
pub struct Attributes(Box<[Attribute]>);

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Attributes that are known to have different names.
    pub(super) fn of(attributes: Vec<Attribute>) -> Self {
        Self(attributes.into_boxed_slice())
    }

    fn find_mut(&mut self, is_it: impl Fn(&Name) -> bool) -> Option<&mut Attribute> {
        let mut all = self.0.iter_mut();
        all.find(|attribute| is_it(&attribute.name))
    }

    /// Changes the list, which is rare: there is no room left in it.
    fn change<T>(&mut self, change: impl FnOnce(&mut Vec<Attribute>) -> T) -> T {
        let mut all = core::mem::take(&mut self.0).into_vec();
        let changed = change(&mut all);
        self.0 = all.into_boxed_slice();
        changed
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Attribute> {
        self.0.iter()
    }

    /// The value of the attribute `local` in `namespace` (empty: in no namespace).
    pub fn get(&self, namespace: &str, local: &str) -> Option<&str> {
        self.iter()
            .find(|attribute| attribute.name.is(namespace, local))
            .map(|attribute| attribute.value.as_str())
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, namespace: &str, local: &str) -> Option<&mut Text> {
        self.find_mut(|name| name.is(namespace, local))
            .map(|attribute| &mut attribute.value)
    }

    /// Gives the attribute a value, adding it at the end when it is not there yet.
    pub fn set(&mut self, name: Name, value: impl Into<Text>) {
        match self.find_mut(|known| *known == name) {
            Some(attribute) => attribute.value = value.into(),
            None => self.change(|all| all.push(Attribute::new(name, value))),
        }
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, namespace: &str, local: &str) -> Option<Attribute> {
        let at = self
            .iter()
            .position(|attribute| attribute.name.is(namespace, local))?;
        Some(self.change(|all| all.remove(at)))
    }

    /// Takes an attribute out, and tells its place.
    pub(super) fn take(&mut self, name: &Name) -> Option<(usize, Attribute)> {
        let at = self.iter().position(|attribute| attribute.name == *name)?;
        Some((at, self.change(|all| all.remove(at))))
    }

    /// Puts an attribute back in its place, where none of its name is.
    pub(super) fn put_back(&mut self, at: usize, attribute: Attribute) {
        self.change(|all| all.insert(at.min(all.len()), attribute));
    }

    /// All of them; their names stay different.
    pub(super) fn iter_mut(&mut self) -> core::slice::IterMut<'_, Attribute> {
        self.0.iter_mut()
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
        self.len() == other.len() && (self.0 == other.0 || self.sorted() == other.sorted())
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
        let mut all: Vec<Attribute> = Vec::new();
        for attribute in attributes {
            match all.iter_mut().find(|known| known.name == attribute.name) {
                Some(known) => known.value = attribute.value,
                None => all.push(attribute),
            }
        }
        Self::of(all)
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
        assert_eq!(all.remove("", "a").map(|a| a.value), Some("2".into()));
        assert_eq!(all.get("", "a"), None);
    }
}
