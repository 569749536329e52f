//! Which prefix stands for which namespace in a document that is to be written.

use std::borrow::Cow;
use std::collections::HashMap;

use super::attribute::Attributes;
use super::element::Element;
use super::error::XmlWriteError;
use super::limits::XmlLimits;
use super::name::{Name, is_nc_name};
use super::namespace::{self, NamespaceId, find_known};

/// Collects the namespaces of a document, then gives each one prefix for the whole of it.
///
/// All are declared at the root. The default namespace is given from the start; well-known
/// namespaces have their customary prefixes, others the one they were first met with, with a
/// number when another namespace has that.
#[derive(Debug)]
pub(crate) struct Prefixes<'m> {
    default: &'m str,
    default_id: Option<NamespaceId>,
    /// The default namespace needs a prefix too: attributes have no default, and elements without
    /// namespace undo it for what they contain.
    default_prefixed: bool,
    entries: Vec<Entry<'m>>,
    /// For each known namespace its position in `entries` plus one, or zero.
    known: [u32; namespace::KNOWN.len()],
    /// Positions in `entries`, kept once there are too many to look through.
    index: HashMap<&'m str, usize>,
    /// Prefixes that some element declares itself, with the namespace, or none when there are
    /// several: they must not mean anything else at the root.
    claimed: HashMap<&'m str, Option<&'m str>>,
}

#[derive(Debug)]
struct Entry<'m> {
    namespace: &'m str,
    prefix: Cow<'m, str>,
}

/// Up to this many namespaces are looked through one by one.
const FEW: usize = 16;

impl<'m> Prefixes<'m> {
    pub(crate) fn new(default: &'m str) -> Self {
        Self {
            default,
            default_id: find_known(default),
            default_prefixed: false,
            entries: Vec::new(),
            known: [0; namespace::KNOWN.len()],
            index: HashMap::new(),
            claimed: HashMap::new(),
        }
    }

    /// The default namespace of the document.
    pub(super) fn default_namespace(&self) -> &'m str {
        self.default
    }

    /// Takes note of all names in an element.
    pub(crate) fn collect(&mut self, element: &'m Element) -> Result<(), XmlWriteError> {
        self.collect_to(element, XmlLimits::MAX_DEPTH)
    }

    fn collect_to(&mut self, element: &'m Element, levels: usize) -> Result<(), XmlWriteError> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(XmlWriteError::TooDeep);
        };
        let name = element.name();
        if name.known_namespace() == Some(NamespaceId::XML) {
            return Err(reserved(name));
        }
        if name.known_namespace() == Some(NamespaceId::NONE) {
            self.default_prefixed |= !self.default.is_empty();
        } else if !self.is_default(name) {
            self.add(name)?;
        }
        self.collect_attributes(&element.attributes)?;
        for (prefix, namespace) in element.declarations() {
            self.claim(prefix, namespace);
        }
        for child in element.elements() {
            self.collect_to(child, levels)?;
        }
        Ok(())
    }

    /// Takes note of the names of attributes.
    pub(crate) fn collect_attributes(
        &mut self,
        attributes: &'m Attributes,
    ) -> Result<(), XmlWriteError> {
        for attribute in attributes {
            let name = &attribute.name;
            if let Some(NamespaceId::NONE | NamespaceId::XML) = name.known_namespace() {
                continue;
            }
            if self.is_default(name) {
                self.default_prefixed = true;
            } else {
                self.add(name)?;
            }
        }
        Ok(())
    }

    /// Takes note of a well-known namespace, whose names somebody will write by themselves.
    pub(crate) fn collect_known(&mut self, id: NamespaceId) {
        if self.position_of_known(id).is_none() {
            let known = id.qualifier();
            self.insert(&known.namespace, &known.prefix, Some(id));
        }
    }

    /// Whether names of that namespace need no prefix in elements.
    #[inline]
    pub(super) fn is_default(&self, name: &Name) -> bool {
        match name.known_namespace() {
            Some(id) => self.default_id == Some(id),
            None => self.default_id.is_none() && name.namespace() == self.default,
        }
    }

    fn add(&mut self, name: &'m Name) -> Result<(), XmlWriteError> {
        if self.position(name).is_some() {
            return Ok(());
        }
        let id = name.known_namespace();
        if id == Some(NamespaceId::XMLNS) {
            return Err(reserved(name));
        }
        self.insert(name.namespace(), name.prefix(), id);
        Ok(())
    }

    fn insert(&mut self, namespace: &'m str, prefix: &'m str, id: Option<NamespaceId>) {
        self.entries.push(Entry {
            namespace,
            prefix: Cow::Borrowed(prefix),
        });
        let len = self.entries.len();
        if let Some(place) = id.and_then(|id| self.known.get_mut(id.index())) {
            *place = u32::try_from(len).unwrap_or(0);
        }
        match len {
            ..=FEW => {}
            // All that came before, when the index is first needed.
            len if len == FEW + 1 => {
                let all = self.entries.iter().enumerate();
                self.index = all.map(|(at, entry)| (entry.namespace, at)).collect();
            }
            len => {
                self.index.insert(namespace, len - 1);
            }
        }
    }

    #[inline]
    fn position(&self, name: &Name) -> Option<usize> {
        match name.known_namespace() {
            Some(id) => self.position_of_known(id),
            None => self.position_of(name.namespace()),
        }
    }

    #[inline]
    fn position_of_known(&self, id: NamespaceId) -> Option<usize> {
        let place = *self.known.get(id.index())?;
        usize::try_from(place).ok()?.checked_sub(1)
    }

    fn position_of(&self, namespace: &str) -> Option<usize> {
        if self.entries.len() <= FEW {
            let mut entries = self.entries.iter();
            entries.position(|entry| entry.namespace == namespace)
        } else {
            self.index.get(namespace).copied()
        }
    }

    fn claim(&mut self, prefix: &'m str, namespace: &'m str) {
        if prefix.is_empty() {
            return;
        }
        let claim = self.claimed.entry(prefix).or_insert(Some(namespace));
        if *claim != Some(namespace) {
            *claim = None;
        }
    }

    /// Gives every namespace its prefix; nothing is collected after this.
    pub(crate) fn assign(&mut self) {
        if self.default_prefixed {
            let hint = find_known(self.default)
                .and_then(|id| id.known())
                .map_or("ns", |known| &known.prefix);
            self.insert(self.default, hint, self.default_id);
        }
        if self.entries.is_empty() {
            return;
        }
        let mut taken: HashMap<Cow<'m, str>, ()> = HashMap::new();
        let mut numbers: HashMap<&'m str, u32> = HashMap::new();
        let claimed = &self.claimed;
        // Those whose owners may not have them.
        let mut customary: Vec<&str> = Vec::new();
        if !claimed.is_empty() {
            let owners = self.entries.iter().filter_map(|entry| {
                let own = &*find_known(entry.namespace)?.known()?.prefix;
                let claim = claimed.get(own)?;
                (*claim != Some(entry.namespace)).then_some(own)
            });
            customary.extend(owners);
        }
        // Customary prefixes go to their owners, whoever came first. When an owner may not have its own
        // because some element means another namespace by it, nobody has it, nor it with a number:
        // read again, the owner would take it.
        let is_customary = |prefix: &str| {
            customary.iter().any(|own| {
                let rest = prefix.strip_prefix(own);
                rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
            })
        };
        for known_ones in [true, false] {
            for entry in &mut self.entries {
                if find_known(entry.namespace).is_some() != known_ones {
                    continue;
                }
                let hint = match entry.prefix {
                    Cow::Borrowed(hint)
                        if is_usable(hint) && (known_ones || !is_customary(hint)) =>
                    {
                        hint
                    }
                    _ => "ns",
                };
                let free = |prefix: &str, taken: &HashMap<Cow<'m, str>, ()>| {
                    !taken.contains_key(prefix)
                        && claimed
                            .get(prefix)
                            .is_none_or(|owner| *owner == Some(entry.namespace))
                };
                let mut prefix = Cow::Borrowed(hint);
                let number = numbers.entry(hint).or_insert(0);
                while !free(&prefix, &taken) {
                    *number = number.saturating_add(1);
                    prefix = Cow::Owned(format!("{hint}{number}"));
                }
                taken.insert(prefix.clone(), ());
                entry.prefix = prefix;
            }
        }
    }

    /// The prefix of a name whose namespace was collected.
    #[inline]
    pub(super) fn get(&self, name: &Name) -> Option<&str> {
        self.at(self.position(name)?)
    }

    /// The prefix of a well-known namespace that was collected.
    #[inline]
    pub(super) fn of_known(&self, id: NamespaceId) -> Option<&str> {
        self.at(self.position_of_known(id)?)
    }

    #[inline]
    fn at(&self, position: usize) -> Option<&str> {
        let entry = self.entries.get(position);
        entry.map(|entry| entry.prefix.as_ref())
    }

    /// Whether the prefix is declared at the root for this namespace.
    pub(super) fn declares(&self, prefix: &str, namespace: &str) -> bool {
        let position = self.position_of(namespace);
        position.and_then(|at| self.at(at)) == Some(prefix)
    }

    /// All prefixes and namespaces, in the order they were met.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'m str)> {
        self.entries
            .iter()
            .map(|entry| (entry.prefix.as_ref(), entry.namespace))
    }
}

fn is_usable(prefix: &str) -> bool {
    is_nc_name(prefix) && prefix != "xml" && prefix != "xmlns"
}

fn reserved(name: &Name) -> XmlWriteError {
    XmlWriteError::ReservedNamespace {
        namespace: name.namespace().to_owned(),
    }
}
