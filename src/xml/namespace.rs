//! Namespaces of presence documents, and the prefixes they are customarily written with.

use super::name::{Qualifier, SharedStr};

/// The namespace of `xml:lang` and its kin, bound to the prefix `xml` (Namespaces in XML 1.0, 3).
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of namespace declarations themselves (Namespaces in XML 1.0, 3).
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
/// XML Schema instance attributes, such as `xsi:schemaLocation`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The presence document (RFC 3863, 4.1.1).
pub const PIDF: &str = "urn:ietf:params:xml:ns:pidf";
/// Persons, devices and device ids (RFC 4479, 5).
pub const DATA_MODEL: &str = "urn:ietf:params:xml:ns:pidf:data-model";
/// Rich presence (RFC 4480).
pub const RPID: &str = "urn:ietf:params:xml:ns:pidf:rpid";
/// Contact information (RFC 4482).
pub const CIPID: &str = "urn:ietf:params:xml:ns:pidf:cipid";
/// Capabilities of services and devices (RFC 5196).
pub const CAPS: &str = "urn:ietf:params:xml:ns:pidf:caps";
/// The capability `certs` (draft-schubert-simple-pidf-cert-00). The draft wants a namespace and names
/// none; this is the URN that RFC 2648 gives the draft itself.
pub const CERTS: &str = "urn:ietf:id:schubert-simple-pidf-cert-00";
/// Partial presence documents (RFC 5262).
pub const PIDF_DIFF: &str = "urn:ietf:params:xml:ns:pidf-diff";
/// Errors of patch operations (RFC 5261, 5).
pub const PATCH_OPS_ERROR: &str = "urn:ietf:params:xml:ns:patch-ops-error";
/// Values of the rich presence `place-type` (RFC 4589).
pub const LOCATION_TYPE: &str = "urn:ietf:params:xml:ns:location-type";
/// Watcher information (RFC 3858).
pub const WATCHER_INFO: &str = "urn:ietf:params:xml:ns:watcherinfo";
/// Notification filters (RFC 4661).
pub const SIMPLE_FILTER: &str = "urn:ietf:params:xml:ns:simple-filter";
/// Resource list meta-information (RFC 4662).
pub const RLMI: &str = "urn:ietf:params:xml:ns:rlmi";
/// Rule sets (RFC 4745).
pub const COMMON_POLICY: &str = "urn:ietf:params:xml:ns:common-policy";
/// Presence rules (RFC 5025).
pub const PRES_RULES: &str = "urn:ietf:params:xml:ns:pres-rules";

/// A namespace within one document, as a small number: known ones have the same number in every
/// document, others are numbered as they are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamespaceId(u32);

impl NamespaceId {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const XML: Self = Self(1);
    pub(crate) const XMLNS: Self = Self(2);
    pub(crate) const PIDF: Self = Self(3);
    pub(crate) const DATA_MODEL: Self = Self(4);
    pub(crate) const SIMPLE_FILTER: Self = Self(12);

    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    pub(super) fn of_foreign(index: usize) -> Self {
        let number = KNOWN.len().saturating_add(index);
        Self(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// The number among those that are not known ones.
    pub(super) fn foreign_index(self) -> Option<usize> {
        self.index().checked_sub(KNOWN.len())
    }

    /// Name and customary prefix of a known namespace; those of no namespace for any other.
    #[inline]
    pub(super) fn qualifier(self) -> &'static Qualifier {
        static NONE: Qualifier = known("", "");
        KNOWN.get(self.index()).unwrap_or(&NONE)
    }

    /// The namespace's name and customary prefix, when it is one of the known ones.
    pub(super) fn known(self) -> Option<&'static Qualifier> {
        KNOWN.get(self.index())
    }
}

const fn known(namespace: &'static str, prefix: &'static str) -> Qualifier {
    Qualifier {
        namespace: SharedStr::Static(namespace),
        prefix: SharedStr::Static(prefix),
    }
}

/// Position is the number: some stand in [`NamespaceId`].
pub(super) static KNOWN: [Qualifier; 18] = [
    known("", ""),
    known(XML, "xml"),
    known(XMLNS, "xmlns"),
    known(PIDF, "pidf"),
    known(DATA_MODEL, "dm"),
    known(RPID, "rpid"),
    known(CIPID, "ci"),
    known(CAPS, "caps"),
    known(PIDF_DIFF, "pd"),
    known(PATCH_OPS_ERROR, "pe"),
    known(LOCATION_TYPE, "lt"),
    known(WATCHER_INFO, "wi"),
    known(SIMPLE_FILTER, "sf"),
    known(RLMI, "rl"),
    known(COMMON_POLICY, "cp"),
    known(PRES_RULES, "pr"),
    known(XSI, "xsi"),
    known(CERTS, "cert"),
];

/// The number of a known namespace.
pub(super) fn find_known(name: &str) -> Option<NamespaceId> {
    KNOWN
        .iter()
        .position(|known| *known.namespace == *name)
        .and_then(|position| u32::try_from(position).ok())
        .map(NamespaceId)
}

/// Whether a namespace is one of those whose names take no room.
pub(crate) fn is_known(name: &str) -> bool {
    find_known(name).is_some()
}

/// The namespace that is customarily written with this prefix.
pub(crate) fn of_prefix(prefix: &str) -> Option<&'static str> {
    let mut known = KNOWN.iter().filter(|known| !known.namespace.is_empty());
    let found = known.find(|known| *known.prefix == *prefix)?;
    match &found.namespace {
        SharedStr::Static(namespace) => Some(namespace),
        SharedStr::Shared(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_the_table() {
        assert_eq!(find_known(""), Some(NamespaceId::NONE));
        assert_eq!(find_known(XML), Some(NamespaceId::XML));
        assert_eq!(find_known(XMLNS), Some(NamespaceId::XMLNS));
        assert_eq!(find_known(PIDF), Some(NamespaceId::PIDF));
        assert_eq!(find_known(DATA_MODEL), Some(NamespaceId::DATA_MODEL));
        assert_eq!(find_known(SIMPLE_FILTER), Some(NamespaceId::SIMPLE_FILTER));
        assert_eq!(find_known("urn:example:other"), None);
    }

    // PIDF-22, CERT-11
    #[test]
    fn names_of_namespaces_are_absolute_uris_without_fragment() {
        for known in KNOWN.iter().skip(1) {
            assert!(url::Url::parse(&known.namespace).is_ok());
            assert!(!known.namespace.contains('#'));
        }
    }

    #[test]
    fn namespaces_are_found_by_customary_prefix() {
        assert_eq!(of_prefix("rpid"), Some(RPID));
        assert_eq!(of_prefix("xml"), Some(XML));
        assert_eq!(of_prefix(""), None);
        assert_eq!(of_prefix("x"), None);
    }

    #[test]
    fn customary_prefixes_are_distinct() {
        for (at, one) in KNOWN.iter().enumerate() {
            for other in &KNOWN[at + 1..] {
                assert_ne!(one.prefix, other.prefix);
                assert_ne!(one.namespace, other.namespace);
            }
        }
    }
}
