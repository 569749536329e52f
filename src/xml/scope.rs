//! Prefixes in scope and the namespaces of a document.

use std::sync::Arc;

use super::byte_search::skip_space;
use super::error::{XmlErrorKind, XmlLimit, excerpt};
use super::limits::XmlLimits;
use super::name::{Qualifier, QualifierRef, SharedStr};
use super::namespace::{self, NamespaceId, find_known};
use super::refusal::{Checked, over, refuse};

/// A prefix in scope; the empty one stands for the default namespace.
#[derive(Debug)]
struct Binding<'a> {
    prefix: &'a str,
    namespace: NamespaceId,
    /// Made when a name of the tree first needs it.
    qualifier: Option<QualifierRef>,
}

/// Which binding a name has; valid while the element that the name is in is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BindingId(usize);

impl BindingId {
    /// No prefix and no namespace: always there.
    pub(super) const NONE: Self = Self(0);
}

/// The state of the scope outside an element.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScopeMark {
    bindings: usize,
    default: BindingId,
}

/// All prefixes in scope, and all namespaces that were met.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// The first two are always there: nothing, and `xml`.
    bindings: Vec<Binding<'a>>,
    default: BindingId,
    /// What was found last, since neighbours tend to have the same prefix.
    last: BindingId,
    /// No prefix that was ever in scope is longer.
    longest_prefix: usize,
    /// Names of the namespaces that are not known ones, by number.
    foreign: Vec<Arc<str>>,
    /// Which of the known ones were met, by number.
    known_met: [bool; namespace::KNOWN.len()],
    met: usize,
    aliases: &'static [(&'static str, NamespaceId)],
    alias_seen: bool,
    /// Some attribute is in the namespace of PIDF.
    pidf_attribute_seen: bool,
    limit: usize,
    longest_name: usize,
}

const BUILT_IN: usize = 2;

impl<'a> Scope<'a> {
    /// Nothing is declared yet. `aliases` are namespace names to be taken for another one,
    /// `limit` bounds the different namespaces, and twice that the declarations in scope.
    pub(super) fn new(aliases: &'static [(&'static str, NamespaceId)], limits: &XmlLimits) -> Self {
        let mut known_met = [false; namespace::KNOWN.len()];
        // No namespace is none to count.
        known_met[0] = true;
        let mut bindings = Vec::with_capacity(8);
        for (prefix, namespace) in [("", NamespaceId::NONE), ("xml", NamespaceId::XML)] {
            bindings.push(Binding {
                prefix,
                namespace,
                qualifier: None,
            });
        }
        Self {
            bindings,
            default: BindingId::NONE,
            last: BindingId::NONE,
            longest_prefix: 0,
            foreign: Vec::new(),
            known_met,
            met: 0,
            aliases,
            alias_seen: false,
            pidf_attribute_seen: false,
            limit: limits.namespaces,
            longest_name: limits.namespace_name,
        }
    }

    #[inline]
    pub(super) fn mark(&self) -> ScopeMark {
        ScopeMark {
            bindings: self.bindings.len(),
            default: self.default,
        }
    }

    /// Leaves an element.
    #[inline]
    pub(super) fn restore(&mut self, mark: ScopeMark) {
        if self.bindings.len() > mark.bindings {
            self.bindings.truncate(mark.bindings);
            self.last = BindingId::NONE;
        }
        self.default = mark.default;
    }

    /// The binding of the default namespace.
    #[inline]
    pub(super) fn default_binding(&self) -> BindingId {
        self.default
    }

    /// The namespace that a binding stands for.
    #[inline]
    pub(super) fn namespace(&self, binding: BindingId) -> NamespaceId {
        self.bindings
            .get(binding.0)
            .map_or(NamespaceId::NONE, |binding| binding.namespace)
    }

    /// The binding of a prefix, where there has to be one.
    #[inline]
    pub(super) fn bound(&mut self, prefix: &str, at: usize) -> Checked<BindingId> {
        if let Some(last) = self.bindings.get(self.last.0)
            && last.prefix == prefix
        {
            return Ok(self.last);
        }
        match self.find(prefix) {
            Some(found) => {
                self.last = found;
                Ok(found)
            }
            None => {
                let prefix = excerpt(prefix);
                refuse(XmlErrorKind::UndeclaredPrefix { prefix }, at)
            }
        }
    }

    /// The innermost binding of a prefix.
    fn find(&self, prefix: &str) -> Option<BindingId> {
        self.bindings
            .iter()
            .rposition(|binding| binding.prefix == prefix)
            .map(BindingId)
    }

    /// Brings a prefix into scope for the element whose outside is `outer`
    /// (Namespaces in XML 1.0, 3).
    pub(super) fn declare(
        &mut self,
        prefix: &'a str,
        value: &str,
        outer: ScopeMark,
        at: usize,
    ) -> Checked<()> {
        let namespace = self.namespace_id(value, at)?;
        let is_reserved = namespace == NamespaceId::XML || namespace == NamespaceId::XMLNS;
        let allowed = match prefix {
            "xml" => namespace == NamespaceId::XML,
            "xmlns" => false,
            "" => !is_reserved,
            _ => !is_reserved && namespace != NamespaceId::NONE,
        };
        if !allowed {
            let prefix = excerpt(prefix);
            return refuse(XmlErrorKind::ReservedPrefix { prefix }, at);
        }
        let own = self.bindings.get(outer.bindings..).unwrap_or_default();
        if own.iter().any(|binding| binding.prefix == prefix) {
            let name = if prefix.is_empty() { "xmlns" } else { prefix };
            let name = excerpt(name);
            return refuse(XmlErrorKind::DuplicateAttribute { name }, at);
        }
        let most = self.limit.saturating_mul(2).saturating_add(BUILT_IN);
        if self.bindings.len() >= most {
            return over(XmlLimit::Namespaces, self.limit, at);
        }
        if prefix.is_empty() {
            self.default = BindingId(self.bindings.len());
        }
        self.longest_prefix = self.longest_prefix.max(prefix.len());
        self.last = BindingId::NONE;
        self.bindings.push(Binding {
            prefix,
            namespace,
            qualifier: None,
        });
        Ok(())
    }

    fn namespace_id(&mut self, name: &str, at: usize) -> Checked<NamespaceId> {
        if let Some(known) = self.known_id(name) {
            if let Some(met) = self.known_met.get_mut(known.index())
                && !*met
            {
                *met = true;
                self.met_another(at)?;
            }
            return Ok(known);
        }
        if name.len() > self.longest_name {
            return over(XmlLimit::NamespaceName, self.longest_name, at);
        }
        let met = self.foreign.iter().position(|known| **known == *name);
        let index = match met {
            Some(index) => index,
            None => {
                self.met_another(at)?;
                self.foreign.push(Arc::from(name));
                self.foreign.len().saturating_sub(1)
            }
        };
        Ok(NamespaceId::of_foreign(index))
    }

    fn known_id(&mut self, name: &str) -> Option<NamespaceId> {
        if let Some(known) = find_known(name) {
            return Some(known);
        }
        let &(_, id) = self.aliases.iter().find(|(alias, _)| *alias == name)?;
        self.alias_seen = true;
        Some(id)
    }

    /// Counts one more namespace.
    fn met_another(&mut self, at: usize) -> Checked<()> {
        if self.met >= self.limit {
            return over(XmlLimit::Namespaces, self.limit, at);
        }
        self.met = self.met.saturating_add(1);
        Ok(())
    }

    /// The name of a namespace.
    pub(super) fn namespace_name(&self, id: NamespaceId) -> &str {
        match id.known() {
            Some(known) => &known.namespace,
            None => self.foreign_name(id).map_or("", |name| name),
        }
    }

    fn foreign_name(&self, id: NamespaceId) -> Option<&Arc<str>> {
        self.foreign.get(id.foreign_index()?)
    }

    /// Takes note of the namespace of an attribute.
    #[inline]
    pub(super) fn meet_attribute_of(&mut self, namespace: NamespaceId) {
        self.pidf_attribute_seen |= namespace == NamespaceId::PIDF;
    }

    /// Whether any attribute so far was in the namespace of PIDF.
    pub(super) fn pidf_attribute_seen(&self) -> bool {
        self.pidf_attribute_seen
    }

    /// Whether a namespace was named by one of the aliases.
    pub(super) fn alias_seen(&self) -> bool {
        self.alias_seen
    }

    /// The qualifier that all names with a binding share.
    pub(super) fn qualifier(&mut self, id: BindingId) -> QualifierRef {
        let namespace = self.namespace(id);
        if namespace.known().is_some() {
            return QualifierRef::Known(namespace);
        }
        let name = self.foreign_name(namespace).map(Arc::clone);
        match (self.bindings.get_mut(id.0), name) {
            (Some(binding), Some(name)) => binding
                .qualifier
                .get_or_insert_with(|| {
                    QualifierRef::Shared(Arc::new(Qualifier {
                        namespace: SharedStr::Shared(name),
                        prefix: binding.prefix.into(),
                    }))
                })
                .clone(),
            _ => QualifierRef::Known(NamespaceId::NONE),
        }
    }

    /// The declarations made since `outer`: prefix and namespace.
    #[inline]
    pub(super) fn since(&self, outer: ScopeMark) -> impl Iterator<Item = (&'a str, &str)> {
        self.bindings
            .get(outer.bindings..)
            .unwrap_or_default()
            .iter()
            .map(|binding| (binding.prefix, self.namespace_name(binding.namespace)))
    }

    /// A prefix that `content` seems to use, as a qualified name in it would, when it is bound
    /// outside of `outer`: prefix and namespace.
    #[inline]
    pub(super) fn prefix_in_content(
        &self,
        content: &str,
        outer: ScopeMark,
    ) -> Option<(&'a str, &str)> {
        let bytes = content.as_bytes();
        let mut from = 0;
        skip_space(bytes, &mut from, bytes.len());
        let content = content.get(from..)?;
        let colon = content
            .bytes()
            .take(self.longest_prefix.saturating_add(1))
            .position(|byte| byte == b':')?;
        let prefix = content.get(..colon).filter(|prefix| !prefix.is_empty())?;
        let found = self.find(prefix)?.0;
        if !(BUILT_IN..outer.bindings).contains(&found) {
            return None;
        }
        let binding = self.bindings.get(found)?;
        Some((binding.prefix, self.namespace_name(binding.namespace)))
    }
}
