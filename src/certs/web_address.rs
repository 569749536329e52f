//! Where a certificate may be fetched from: a document may name any place, and what it names is asked
//! from where the watcher is.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use url::{Host, Url};

use crate::sip::{MAX_URI_LEN, Uri};

/// What may be fetched, from where.
///
/// Names are not resolved here, so a name may still lead to an address of the host's own network: a
/// host that has something to hide there checks the address that it is about to connect to, and
/// answers [`FetchFailure::Refused`](super::FetchFailure::Refused).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebRules {
    /// Whether http is spoken at all. Default: yes; what comes so is used only where a trusted authority
    /// vouches for it.
    pub allow_http: bool,
    /// Which addresses may stand in a URI in place of a name. Those of sip and sips URIs are meant too.
    /// Default: none.
    pub literal_addresses: LiteralAddresses,
    /// Ports beside those of the schemes, 80 and 443. Default: none.
    pub ports: Vec<u16>,
    /// Whether a bundle of certificates (RFC 8551 section 3.8) is taken, too. Default: no.
    pub allow_bundles: bool,
    /// Redirections in a row. Default 5; never from https to http, and never twice to one place.
    pub redirects: usize,
    /// Octets of a body. Default 65,536.
    pub max_len: usize,
    /// How long the host may take for one request. Default 30 s.
    pub max_time: Duration,
    /// How long to wait after a fetch that failed. Twice as long after each further one, up to the
    /// cache time. Default 1 min, which is the shortest.
    pub retry_after: Duration,
}

impl Default for WebRules {
    fn default() -> Self {
        Self {
            allow_http: true,
            literal_addresses: LiteralAddresses::None,
            ports: Vec::new(),
            allow_bundles: false,
            redirects: 5,
            max_len: 65_536,
            max_time: Duration::from_secs(30),
            retry_after: Duration::from_secs(60),
        }
    }
}

/// Which IP addresses may stand in a URI that a document names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LiteralAddresses {
    /// None, nor the name `localhost`.
    #[default]
    None,
    /// Those that lead out of the host's own network: not loopback, private, link-local or otherwise
    /// special ones.
    Public,
    /// All of them.
    Any,
}

/// Why a place is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFault {
    /// It is no URL, or longer than any that is dealt with.
    #[error("malformed URL")]
    Malformed,
    /// It is neither https nor, where that is allowed, http.
    #[error("a URL of scheme {0}")]
    Scheme(String),
    /// It has a user or password in it.
    #[error("a URL with credentials in it")]
    Credentials,
    /// It has a port that is not allowed.
    #[error("port {0} is not allowed")]
    Port(u16),
    /// It has an IP address in it, or the name of the host itself, that is not allowed.
    #[error("address {0} is not allowed")]
    Address(String),
    /// A redirection from https to http.
    #[error("redirected from https to http")]
    Downgrade,
    /// A redirection to where it came from.
    #[error("redirected in a circle")]
    Circle,
    /// More redirections than are allowed.
    #[error("redirected too often")]
    TooManyRedirects,
    /// A redirection that does not say where to.
    #[error("redirected to nowhere")]
    Nowhere,
}

impl WebRules {
    /// The URL, if it may be asked.
    pub(super) fn check(&self, text: &str) -> Result<Url, AddressFault> {
        if text.len() > MAX_URI_LEN {
            return Err(AddressFault::Malformed);
        }
        let mut url = Url::parse(text).map_err(|_| AddressFault::Malformed)?;
        self.check_url(&mut url)?;
        Ok(url)
    }

    fn check_url(&self, url: &mut Url) -> Result<(), AddressFault> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            other => return Err(AddressFault::Scheme(other.to_owned())),
        }
        if url.as_str().len() > MAX_URI_LEN {
            return Err(AddressFault::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressFault::Credentials);
        }
        // Nothing stands for the port of the scheme.
        if let Some(port) = url.port()
            && !self.ports.contains(&port)
        {
            return Err(AddressFault::Port(port));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) => {
                self.check_name(name)?;
                None
            }
            None => return Err(AddressFault::Malformed),
        };
        if let Some(address) = address {
            self.check_address(address)?;
        }
        url.set_fragment(None);
        Ok(())
    }

    /// Where a redirection leads, which may be told relative to where it was met.
    pub(super) fn follow(&self, from: &Url, location: &str) -> Result<Url, AddressFault> {
        if location.len() > MAX_URI_LEN {
            return Err(AddressFault::Malformed);
        }
        let mut url = from.join(location).map_err(|_| AddressFault::Malformed)?;
        if from.scheme() == "https" && url.scheme() == "http" {
            return Err(AddressFault::Downgrade);
        }
        self.check_url(&mut url)?;
        Ok(url)
    }

    /// Whether a sip or sips URI that a document names may be asked.
    pub(super) fn check_sip(&self, uri: &Uri<'_>) -> Result<(), AddressFault> {
        let Uri::Sip(uri) = uri else {
            return Err(AddressFault::Scheme(uri.scheme().to_owned()));
        };
        let maddr = uri.params().get("maddr").flatten();
        for host in [Some(uri.host()), maddr].into_iter().flatten() {
            let bare = host.strip_suffix('.').unwrap_or(host);
            let bare = bare
                .strip_prefix('[')
                .and_then(|it| it.strip_suffix(']'))
                .unwrap_or(bare);
            match bare.parse::<IpAddr>() {
                Ok(address) => self.check_address(address)?,
                Err(_) => self.check_name(bare)?,
            }
        }
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), AddressFault> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        let last = bare.rsplit('.').next().unwrap_or(bare);
        match self.literal_addresses {
            LiteralAddresses::Any => Ok(()),
            _ if !last.eq_ignore_ascii_case("localhost") => Ok(()),
            _ => Err(AddressFault::Address(bare.to_owned())),
        }
    }

    fn check_address(&self, address: IpAddr) -> Result<(), AddressFault> {
        let may_be = match self.literal_addresses {
            LiteralAddresses::Any => true,
            LiteralAddresses::Public => is_public(address),
            LiteralAddresses::None => false,
        };
        match may_be {
            true => Ok(()),
            false => Err(AddressFault::Address(address.to_string())),
        }
    }
}

/// Whether an address is one of those that lead anywhere in the world (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

/// Global unicast, without those that carry an address of IPv4 or are set aside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let is_global = segments.first().is_some_and(|it| it & 0xe000 == 0x2000);
    let is_special = matches!(
        segments,
        [0x2001, 0..0x0200 | 0x0db8, ..] | [0x2002 | 0x3fff, ..]
    );
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(rules: &WebRules, url: &str) -> Option<AddressFault> {
        rules.check(url).err()
    }

    #[test]
    fn only_places_in_the_open_are_asked() {
        let rules = WebRules::default();
        for url in [
            "https://certs.example.com/a.cer",
            "http://certs.example.com:80/a",
            "HTTPS://certs.example.com:443/a?b#c",
        ] {
            assert_eq!(fault(&rules, url), None, "{url}");
        }
        let address = |text: &str| AddressFault::Address(text.into());
        for (url, expected) in [
            ("ftp://example.com/a", AddressFault::Scheme("ftp".into())),
            ("file:///etc/passwd", AddressFault::Scheme("file".into())),
            ("https://u@example.com/", AddressFault::Credentials),
            ("https://:p@example.com/", AddressFault::Credentials),
            ("https://example.com:22/", AddressFault::Port(22)),
            ("https://example.com:80/", AddressFault::Port(80)),
            ("https://127.0.0.1/", address("127.0.0.1")),
            ("https://0x7f.1/", address("127.0.0.1")),
            ("https://2130706433/", address("127.0.0.1")),
            ("https://[::1]/", address("::1")),
            ("https://8.8.8.8/", address("8.8.8.8")),
            ("https://localhost/", address("localhost")),
            ("https://a.LocalHost./", address("a.localhost")),
            ("nonsense", AddressFault::Malformed),
            ("https://", AddressFault::Malformed),
        ] {
            assert_eq!(fault(&rules, url), Some(expected), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URI_LEN));
        assert_eq!(fault(&rules, &long), Some(AddressFault::Malformed));
        let strict = WebRules {
            allow_http: false,
            ..WebRules::default()
        };
        assert!(fault(&strict, "http://example.com/").is_some());
    }

    #[test]
    fn addresses_that_lead_inside_are_told_from_others() {
        let rules = WebRules {
            literal_addresses: LiteralAddresses::Public,
            ..WebRules::default()
        };
        for inside in [
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "203.0.113.5",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[fe80::1]",
            "[fc00::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "[3fff::1]",
        ] {
            let url = format!("https://{inside}/");
            assert!(fault(&rules, &url).is_some(), "{inside}");
            let sip = format!("sip:a@{inside}");
            assert!(
                rules.check_sip(&Uri::parse(&sip).unwrap()).is_err(),
                "{inside}"
            );
        }
        for outside in [
            "8.8.8.8",
            "192.1.0.1",
            "[2606:4700::1]",
            "[2001:4860::8888]",
        ] {
            let url = format!("https://{outside}/");
            assert_eq!(fault(&rules, &url), None, "{outside}");
            let sip = format!("sip:a@{outside}");
            assert_eq!(rules.check_sip(&Uri::parse(&sip).unwrap()), Ok(()));
        }
        let hidden = Uri::parse("sip:a@example.com;maddr=127.0.0.1").unwrap();
        assert!(rules.check_sip(&hidden).is_err());
    }

    #[test]
    fn a_redirection_is_resolved_and_checked() {
        let rules = WebRules::default();
        let from = rules.check("https://example.com/a/b?c").unwrap();
        let to = |location: &str| rules.follow(&from, location).map(|url| url.to_string());
        assert_eq!(to("d").as_deref(), Ok("https://example.com/a/d"));
        assert_eq!(to("/d#e").as_deref(), Ok("https://example.com/d"));
        assert_eq!(
            to("//example.org/f").as_deref(),
            Ok("https://example.org/f")
        );
        assert_eq!(to("http://example.com/"), Err(AddressFault::Downgrade));
        assert_eq!(to("//u:p@example.com/"), Err(AddressFault::Credentials));
        assert_eq!(
            to("//169.254.169.254/"),
            Err(AddressFault::Address("169.254.169.254".into()))
        );
        assert!(to("javascript:alert(1)").is_err());
        assert!(to("https://").is_err());
    }
}
