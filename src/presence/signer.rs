//! Who may sign for a presentity: the authority of its domain, or the presentity itself (RFC 3856
//! section 6.7).

use crate::mime::Signer;
use crate::sip::{Uri, host_of};

/// What makes a signer one who may speak for a presentity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Authority {
    /// The certificate is for the presentity's domain (RFC 5922 section 7.1).
    Domain,
    /// It is the presentity's own.
    Presentity,
}

/// A presentity by the names that a certificate may have for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Canonical addresses of record.
    addresses: Vec<Box<str>>,
}

impl Names {
    /// Those of the presentity with these URIs.
    pub(crate) fn of<'a>(uris: impl IntoIterator<Item = &'a str>) -> Self {
        let addresses = uris.into_iter().filter_map(address).map(Into::into);
        Self {
            addresses: addresses.collect(),
        }
    }

    /// Whether a URI names the presentity.
    pub(super) fn include(&self, uri: &str) -> bool {
        address(uri).is_some_and(|address| self.addresses.iter().any(|own| **own == *address))
    }

    /// Whether a signer may speak for it, and why. Whether its certificate is to be believed is another
    /// question.
    pub(crate) fn authority(&self, signer: &Signer) -> Option<Authority> {
        if signer.names().iter().any(|name| self.include(name)) {
            return Some(Authority::Presentity);
        }
        let mut hosts = self.addresses.iter().map(|it| host_of(it));
        hosts
            .any(|host| signer.is_of_domain(host))
            .then_some(Authority::Domain)
    }
}

/// The canonical address of record of a URI by which presence is asked for.
fn address(uri: &str) -> Option<String> {
    match Uri::parse(uri).ok()? {
        uri @ (Uri::Sip(_) | Uri::Pres(_)) => uri.address_of_record(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Authority, Names};
    use crate::mime::{Chain, Signer};

    fn may_sign(names: &[&str], domains: &[&str]) -> Option<Authority> {
        let own = Names::of(["sip:bob@example.org", "pres:robert@example.net"]);
        let signer = Signer::new(names.iter().copied(), Chain::Trusted);
        own.authority(&signer.with_domains(domains.iter().copied()))
    }

    // SEC-19
    #[test]
    fn the_authority_of_the_domain_may_sign() {
        for name in [
            "sip:example.org",
            "sips:example.org",
            "SIP:Example.ORG",
            "sip:example.net",
        ] {
            assert_eq!(may_sign(&[name], &[]), Some(Authority::Domain), "{name}");
        }
        for name in [
            "sip:example.com",
            "sip:org",
            "sip:sub.example.org",
            "sip:*.org",
            "sip:*",
            "sip:anybody@example.org",
            "sip:@example.org",
            "https://example.org",
            "xmpp:example.org",
            "im:example.org",
            "example.org",
            "",
        ] {
            assert_eq!(may_sign(&[name], &[]), None, "{name}");
        }
    }

    #[test]
    fn a_dns_name_counts_where_no_name_of_sip_is() {
        for domain in ["example.org", "EXAMPLE.org", "example.org."] {
            assert_eq!(
                may_sign(&[], &[domain]),
                Some(Authority::Domain),
                "{domain}"
            );
        }
        let other = ["https://example.com"];
        assert_eq!(may_sign(&other, &["example.org"]), Some(Authority::Domain));
        for domain in [
            "*.org",
            "*.example.org",
            "sip.example.org",
            "org",
            "",
            ".",
            "*",
        ] {
            assert_eq!(may_sign(&[], &[domain]), None, "{domain}");
        }
        for name in ["sip:example.com", "sips:example.com", "sip:ana@example.org"] {
            assert_eq!(may_sign(&[name], &["example.org"]), None, "{name}");
        }
        assert_eq!(
            may_sign(&["sip:example.com", "sip:example.org"], &[]),
            Some(Authority::Domain)
        );
    }

    #[test]
    fn the_presentity_may_sign_for_itself() {
        for name in [
            "sip:bob@example.org",
            "sips:bob@example.org",
            "pres:bob@example.org",
            "sip:%62ob@EXAMPLE.org;transport=tcp",
            "sip:robert@example.net",
        ] {
            assert_eq!(
                may_sign(&[name], &[]),
                Some(Authority::Presentity),
                "{name}"
            );
            assert_eq!(
                may_sign(&["sip:example.com", name], &[]),
                Some(Authority::Presentity)
            );
        }
        for name in [
            "sip:bob@example.net",
            "sip:Bob@example.org",
            "mailto:bob@example.org",
        ] {
            assert_eq!(may_sign(&[name], &[]), None, "{name}");
        }
    }

    #[test]
    fn the_port_of_a_presentity_is_no_part_of_its_domain() {
        let own = Names::of([
            "sip:bob@example.org:5070",
            "sip:eve@[2001:db8::1]",
            "tel:+1",
        ]);
        let signer = |name| Signer::new([name], Chain::Trusted);
        assert_eq!(
            own.authority(&signer("sip:example.org")),
            Some(Authority::Domain)
        );
        assert_eq!(
            own.authority(&signer("sip:[2001:db8::1]")),
            Some(Authority::Domain)
        );
        assert_eq!(own.authority(&signer("sip:bob@example.org")), None);
        assert_eq!(own.authority(&signer("tel:+1")), None);
        assert_eq!(Names::default().authority(&signer("sip:example.org")), None);
    }
}
