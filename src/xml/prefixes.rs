//! Which prefix stands for which namespace in a document that is to be written.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::attribute::Attributes;
use super::element::Element;
use super::error::XmlWriteError;
use super::limits::XmlLimits;
use super::name::{Name, is_nc_name};
use super::namespace::{self, KNOWN, NamespaceId, find_known};

/// Gives each namespace of a document one prefix for the whole of it.
///
/// All are declared at the root. The default namespace is given from the start; well-known
/// namespaces have their customary prefixes, others the one that the root declares for them or they
/// were first met with, with a number when another namespace has that.
///
/// Most of the time every namespace can have its prefix as soon as it is met, in the course of
/// writing. Where a name met later might have a say in it, this gives up: then all names are collected
/// before anything is written.
#[derive(Debug)]
pub(crate) struct Prefixes<'m> {
    default: &'m str,
    default_id: Option<NamespaceId>,
    /// The default namespace needs a prefix too: attributes have no default, and elements without
    /// namespace undo it for what they contain.
    default_prefixed: bool,
    stage: Stage,
    entries: Vec<Entry<'m>>,
    /// For each known namespace its position in `entries` plus one, or zero.
    known: [u32; KNOWN.len()],
    /// For each known namespace how its elements begin.
    openings: [Opening; KNOWN.len()],
    /// Positions in `entries`, kept once there are too many to look through.
    index: HashMap<&'m str, usize>,
    /// Prefixes and namespaces that the root declares by itself.
    of_root: Vec<(&'m str, &'m str)>,
    /// Prefixes that some element declares itself: they must not mean anything else at the root.
    claimed: HashMap<&'m str, Claim<'m>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Names are met while they are written.
    AsMet,
    /// The same, but to no purpose.
    GivenUp,
    /// Names are collected.
    Collecting,
    /// Every name has been collected and has its prefix.
    Assigned,
}

#[derive(Debug)]
struct Entry<'m> {
    namespace: &'m str,
    prefix: Cow<'m, str>,
}

#[derive(Debug)]
struct Claim<'m> {
    /// None when there are several.
    namespace: Option<&'m str>,
    by_root: bool,
}

/// How elements of a namespace begin: `<`, the prefix, a colon, and then anything. Of a fixed size, so
/// that it is copied in one step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Opening {
    pub(super) bytes: [u8; 15],
    /// Zero when there is none, or it is too long.
    pub(super) len: u8,
}

impl Opening {
    fn of(prefix: &str) -> Self {
        let mut opening = Self::default();
        let bytes = [b"<", prefix.as_bytes(), b":"].concat();
        if let Some(place) = opening.bytes.get_mut(..bytes.len()) {
            place.copy_from_slice(&bytes);
            opening.len = u8::try_from(bytes.len()).unwrap_or(0);
        }
        opening
    }
}

/// Up to this many namespaces are looked through one by one.
const FEW: usize = 16;

impl<'m> Prefixes<'m> {
    /// Prefixes that are given as names are met.
    pub(super) fn as_met(default: &'m str) -> Self {
        Self::in_stage(Stage::AsMet, default)
    }

    /// Prefixes that are given when all names are collected.
    pub(super) fn collecting(default: &'m str) -> Self {
        Self::in_stage(Stage::Collecting, default)
    }

    fn in_stage(stage: Stage, default: &'m str) -> Self {
        Self {
            default,
            default_id: find_known(default),
            default_prefixed: false,
            stage,
            entries: Vec::new(),
            known: [0; KNOWN.len()],
            openings: [Opening::default(); KNOWN.len()],
            index: HashMap::new(),
            of_root: Vec::new(),
            claimed: HashMap::new(),
        }
    }

    /// Whether a name was met that could not have its prefix yet, so that whatever was written is
    /// of no use.
    pub(super) fn has_given_up(&self) -> bool {
        self.stage == Stage::GivenUp
    }

    fn give_up(&mut self) {
        if self.stage == Stage::AsMet {
            self.stage = Stage::GivenUp;
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
            return Err(XmlWriteError::reserved(name.namespace()));
        }
        if name.known_namespace() == Some(NamespaceId::NONE) {
            self.default_prefixed |= !self.default.is_empty();
        } else if !self.is_default(name) {
            self.add(name)?;
        }
        self.collect_attributes(&element.attributes)?;
        for (prefix, namespace) in element.declarations() {
            if is_declarable(prefix, namespace)? {
                self.claim(prefix, namespace, false);
            }
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
            return Err(XmlWriteError::reserved(name.namespace()));
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

    /// Takes note of what the root declares by itself, before anything else.
    pub(super) fn root_declares(&mut self, root: &'m Element) -> Result<(), XmlWriteError> {
        if self.stage == Stage::Assigned {
            return Ok(());
        }
        for (prefix, namespace) in root.declarations() {
            if is_declarable(prefix, namespace)? {
                self.claim(prefix, namespace, true);
                self.of_root.push((prefix, namespace));
            }
        }
        Ok(())
    }

    /// What the root declares by itself.
    pub(super) fn of_root(&self) -> impl Iterator<Item = (&'m str, &'m str)> {
        self.of_root.iter().copied()
    }

    fn claim(&mut self, prefix: &'m str, namespace: &'m str, by_root: bool) {
        let claim = self.claimed.entry(prefix).or_insert(Claim {
            namespace: Some(namespace),
            by_root,
        });
        if claim.namespace != Some(namespace) {
            claim.namespace = None;
        }
    }

    // ---- as names are met -------------------------------------------------------------------

    /// A name without prefix is to be written, as an element or as an attribute of some namespace.
    #[cold]
    pub(super) fn meet(&mut self, name: &'m Name) -> Result<(), XmlWriteError> {
        let id = name.known_namespace();
        if let Some(NamespaceId::XML | NamespaceId::XMLNS) = id {
            return Err(XmlWriteError::reserved(name.namespace()));
        }
        if self.is_default(name) {
            self.give_up();
        } else {
            self.meet_namespace(name.namespace(), name.prefix(), id);
        }
        Ok(())
    }

    /// The same for a name of a well-known namespace.
    #[cold]
    pub(super) fn meet_known(&mut self, id: NamespaceId) {
        let known = id.qualifier();
        self.meet_namespace(&known.namespace, &known.prefix, Some(id));
    }

    /// An element without namespace is written where there is a default one.
    pub(super) fn meet_bare(&mut self) {
        self.give_up();
    }

    /// An element below the root declares a prefix.
    #[cold]
    pub(super) fn meet_declaration(&mut self, prefix: &'m str, namespace: &'m str) {
        if self.stage != Stage::AsMet {
            return;
        }
        let mut entries = self.entries.iter();
        if entries.any(|entry| entry.prefix == prefix && entry.namespace != namespace) {
            self.give_up();
        }
        self.claim(prefix, namespace, false);
    }

    fn meet_namespace(&mut self, namespace: &'m str, prefix: &'m str, id: Option<NamespaceId>) {
        if self.stage != Stage::AsMet {
            return;
        }
        let mut of_root = self.of_root.iter();
        let prefix = match of_root.find(|&&(_, known)| known == namespace) {
            Some(&(by_root, _)) if id.is_none() => by_root,
            _ => prefix,
        };
        let is_customary = |prefix: &str| KNOWN.iter().any(|known| *known.prefix == *prefix);
        let at_once = self.entries.len() < FEW
            && is_usable(prefix)
            && (id.is_some() || !is_customary(prefix))
            && self.entries.iter().all(|entry| entry.prefix != prefix)
            && self.claimed.get(prefix).is_none_or(|claim| {
                // A declaration further in that was written would not have been needed.
                claim.by_root && claim.namespace == Some(namespace)
            });
        if at_once {
            self.insert(namespace, prefix, id);
            if let Some(opening) = id.and_then(|id| self.openings.get_mut(id.index())) {
                *opening = Opening::of(prefix);
            }
        } else {
            self.give_up();
        }
    }

    // ---- all at once ------------------------------------------------------------------------

    /// Gives every namespace its prefix; nothing is collected after this.
    pub(super) fn assign(&mut self) {
        self.stage = Stage::Assigned;
        if self.default_prefixed {
            let hint = find_known(self.default)
                .and_then(|id| id.known())
                .map_or("ns", |known| &known.prefix);
            self.insert(self.default, hint, self.default_id);
        }
        if self.entries.is_empty() {
            return;
        }
        let mut taken: HashSet<Cow<'m, str>> = HashSet::new();
        let mut numbers: HashMap<&'m str, u32> = HashMap::new();
        let claimed = &self.claimed;
        let mut by_root: HashMap<&'m str, &'m str> = HashMap::new();
        for &(prefix, namespace) in &self.of_root {
            by_root.entry(namespace).or_insert(prefix);
        }
        // Those whose owners may not have them.
        let mut customary: Vec<&str> = Vec::new();
        if !claimed.is_empty() {
            let owners = self.entries.iter().filter_map(|entry| {
                let own = &*find_known(entry.namespace)?.known()?.prefix;
                let claim = claimed.get(own)?;
                (claim.namespace != Some(entry.namespace)).then_some(own)
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
                let free = |prefix: &str, taken: &HashSet<Cow<'m, str>>| {
                    let claim = claimed.get(prefix).map(|claim| claim.namespace);
                    !taken.contains(prefix)
                        && claim.is_none_or(|owner| owner == Some(entry.namespace))
                };
                let fits = |hint: &str| is_usable(hint) && (known_ones || !is_customary(hint));
                let of_root = by_root.get(entry.namespace).copied();
                let hint = match (of_root, &entry.prefix) {
                    (Some(hint), _) if !known_ones && fits(hint) && free(hint, &taken) => hint,
                    (_, &Cow::Borrowed(hint)) if fits(hint) => hint,
                    _ => "ns",
                };
                let mut prefix = Cow::Borrowed(hint);
                let number = numbers.entry(hint).or_insert(0);
                while !free(&prefix, &taken) {
                    *number = number.saturating_add(1);
                    prefix = Cow::Owned(format!("{hint}{number}"));
                }
                let id = find_known(entry.namespace);
                if let Some(opening) = id.and_then(|id| self.openings.get_mut(id.index())) {
                    *opening = Opening::of(&prefix);
                }
                taken.insert(prefix.clone());
                entry.prefix = prefix;
            }
        }
    }

    /// How an element of this name begins, when that is known and short.
    #[inline]
    pub(super) fn opening(&self, name: &Name) -> Option<&Opening> {
        let opening = self.openings.get(name.known_namespace()?.index())?;
        (opening.len > 0).then_some(opening)
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

    /// What the root declares by itself and no name needs.
    pub(super) fn more_of_root(&self) -> impl Iterator<Item = (&'m str, &'m str)> {
        self.of_root()
            .filter(|(prefix, namespace)| !self.declares(prefix, namespace))
    }

    /// Whether the prefix is the one of this namespace.
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

/// Whether a declaration is written where an element has it; it may also go without saying.
pub(super) fn is_declarable(prefix: &str, namespace: &str) -> Result<bool, XmlWriteError> {
    // The default namespace is declared once, at the root.
    if prefix.is_empty() || prefix == "xml" || namespace.is_empty() {
        return Ok(false);
    }
    if prefix == "xmlns" || namespace == namespace::XML || namespace == namespace::XMLNS {
        return Err(XmlWriteError::reserved(namespace));
    }
    if !is_nc_name(prefix) {
        return Err(XmlWriteError::name(prefix));
    }
    Ok(true)
}
