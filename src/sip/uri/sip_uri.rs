//! SIP and SIPS URIs (RFC 3261 section 19.1).

use core::fmt;

use super::super::byte_set::split_once;
use super::super::grammar::DIGIT;
use super::characters::{
    PASSWORD, USER, covers, equivalent, equivalent_ignoring_case, push_spelt, push_spelt_lowercase,
    push_user,
};
use super::host::{hosts_eq, push_host, split_host};
use super::{UriError, UriHeaders, UriParams, expected_at};

/// A SIP or SIPS URI. Its parts come as they stand, with their escapes.
#[derive(Debug, Clone, Copy)]
pub struct SipUri<'a> {
    text: &'a str,
    sips: bool,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    params: UriParams<'a>,
    headers: UriHeaders<'a>,
}

/// Parameters that stand in both of two equivalent URIs or in none (RFC 3261 section 19.1.4).
const NEVER_IGNORED: [&str; 5] = ["transport", "user", "ttl", "method", "maddr"];

impl<'a> SipUri<'a> {
    /// `rest` is what follows the scheme in `text`.
    pub(super) fn parse(text: &'a str, sips: bool, rest: &'a str) -> Result<Self, UriError> {
        let (user, password, rest) = match plain_user(rest) {
            Some((user, rest)) => (Some(user), None, rest),
            None => userinfo(text, rest)?,
        };
        let (host, rest) = split_host(rest).ok_or_else(|| expected_at(text, rest, "a host"))?;
        let (port, rest) = match rest.strip_prefix(':') {
            None => (None, rest),
            Some(rest) => {
                let (digits, rest) = rest.split_at_checked(DIGIT.run(rest)).unwrap_or((rest, ""));
                let port = digits
                    .parse()
                    .map_err(|_| expected_at(text, digits, "a port number"))?;
                (Some(port), rest)
            }
        };
        let (params, headers) = match split_once(rest, b'?') {
            Some((params, headers)) => (params, Some(headers)),
            None => (rest, None),
        };
        if !params.is_empty() && !params.starts_with(';') {
            return Err(expected_at(
                text,
                params,
                "a colon, a semicolon, a question mark or the end",
            ));
        }
        let params = UriParams::parse(text, params)?;
        let headers = UriHeaders::parse(text, headers)?;
        Ok(Self {
            text,
            sips,
            user,
            password,
            host,
            port,
            params,
            headers,
        })
    }

    /// The whole URI.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether the scheme is `sips`.
    pub fn is_sips(&self) -> bool {
        self.sips
    }

    /// The user, without the password.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The password, which nobody should write (RFC 3261 section 19.1.1).
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The port, when the URI names one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub fn params(&self) -> UriParams<'a> {
        self.params
    }

    /// The header fields.
    pub fn headers(&self) -> UriHeaders<'a> {
        self.headers
    }

    pub(super) fn equivalent(&self, other: &Self) -> bool {
        self.sips == other.sips
            && optional_eq(self.user, other.user, equivalent)
            && optional_eq(self.password, other.password, equivalent)
            && hosts_eq(self.host, other.host)
            && self.port == other.port
            && self.params_match(other)
            && self.headers.equivalent(other.headers)
    }

    fn params_match(&self, other: &Self) -> bool {
        self.params
            .iter()
            .all(|(name, value)| match other.params.get(name) {
                Some(theirs) => {
                    // Hosts and tokens compare without case, methods with it.
                    let with_case = equivalent_ignoring_case(name, "method");
                    optional_eq(
                        value,
                        theirs,
                        if with_case {
                            equivalent
                        } else {
                            equivalent_ignoring_case
                        },
                    )
                }
                None => !is_never_ignored(name),
            })
            && other
                .params
                .iter()
                .all(|(name, _)| !is_never_ignored(name) || self.params.get(name).is_some())
    }

    pub(super) fn address_of_record(&self) -> String {
        let mut key = String::with_capacity(self.text.len());
        self.push_address(
            &mut key,
            self.port.filter(|port| !matches!(port, 5060 | 5061)),
        );
        key
    }

    /// Scheme, user, host and port, in the one way in which all that are spelt otherwise but mean the
    /// same are written.
    pub(super) fn bare(&self) -> String {
        let mut bare = String::with_capacity(self.text.len());
        bare.push_str(if self.is_sips() { "sips:" } else { "sip:" });
        self.push_address(&mut bare, self.port);
        bare
    }

    /// See [`Uri::comparison_key`](super::Uri::comparison_key).
    pub(super) fn comparison_key(&self) -> String {
        let mut key = self.bare();
        if let Some(password) = self.password {
            key.push_str("\n:");
            push_spelt(&mut key, password);
        }
        let params = self.params.iter().map(|(name, value)| {
            let mut param = String::from("\n;");
            push_spelt_lowercase(&mut param, name);
            if let Some(value) = value {
                param.push('=');
                // Hosts and tokens compare without case, methods with it.
                if equivalent_ignoring_case(name, "method") {
                    push_spelt(&mut param, value);
                } else {
                    push_spelt_lowercase(&mut param, value);
                }
            }
            param
        });
        push_sorted(&mut key, params);
        let headers = self.headers.iter().map(|(name, value)| {
            let mut header = String::from("\n?");
            push_spelt_lowercase(&mut header, name);
            header.push('=');
            push_spelt(&mut header, value);
            header
        });
        push_sorted(&mut key, headers);
        key
    }

    fn push_address(&self, out: &mut String, port: Option<u16>) {
        if let Some(user) = self.user {
            push_user(out, user);
            out.push('@');
        }
        push_host(out, self.host);
        if let Some(port) = port {
            out.push(':');
            out.push_str(&port.to_string());
        }
    }
}

fn push_sorted(key: &mut String, parts: impl Iterator<Item = String>) {
    let mut parts: Vec<String> = parts.collect();
    parts.sort_unstable();
    key.extend(parts);
}

/// A user with neither escapes nor a password, as most are, and what stands behind its at sign.
fn plain_user(rest: &str) -> Option<(&str, &str)> {
    let (user, rest) = rest.split_at_checked(USER.run(rest))?;
    let rest = rest.strip_prefix('@')?;
    (!user.is_empty()).then_some((user, rest))
}

/// User and password, if there are any, and what stands behind their at sign.
fn userinfo<'a>(
    text: &str,
    rest: &'a str,
) -> Result<(Option<&'a str>, Option<&'a str>, &'a str), UriError> {
    // An at sign stands nowhere but behind the userinfo, which may hold `;` and `?`.
    let Some((info, rest)) = split_once(rest, b'@') else {
        return Ok((None, None, rest));
    };
    let (user, password) = match split_once(info, b':') {
        Some((user, password)) => (user, Some(password)),
        None => (info, None),
    };
    if user.is_empty() || !covers(&USER, user) {
        return Err(expected_at(text, user, "a user"));
    }
    if let Some(password) = password
        && !covers(&PASSWORD, password)
    {
        return Err(expected_at(text, password, "a password"));
    }
    Ok((Some(user), password, rest))
}

impl fmt::Display for SipUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn is_never_ignored(name: &str) -> bool {
    NEVER_IGNORED
        .iter()
        .any(|known| equivalent_ignoring_case(known, name))
}

fn optional_eq(one: Option<&str>, other: Option<&str>, eq: fn(&str, &str) -> bool) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => eq(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Uri;
    use super::*;

    fn sip(text: &str) -> SipUri<'_> {
        match Uri::parse(text) {
            Ok(Uri::Sip(uri)) => uri,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn every_part_is_read_as_it_stands() {
        let uri = sip("sips:ann;day=mon?x/:pass@[2001:db8::1]:5071;transport=tcp;lr?a=b&c=d");
        assert!(uri.is_sips());
        assert_eq!(
            (uri.user(), uri.password()),
            (Some("ann;day=mon?x/"), Some("pass"))
        );
        assert_eq!((uri.host(), uri.port()), ("[2001:db8::1]", Some(5071)));
        assert_eq!(uri.params().get("lr"), Some(None));
        assert_eq!(uri.headers().iter().count(), 2);
        let uri = sip("SIP:example.com");
        assert!(!uri.is_sips());
        assert_eq!((uri.user(), uri.password(), uri.port()), (None, None, None));
        assert_eq!(
            (uri.host(), uri.to_string().as_str()),
            ("example.com", "SIP:example.com")
        );
        assert_eq!(sip("sip:ann:@example.com").password(), Some(""));
        assert_eq!(sip("sip:example.com?a=b").headers().iter().count(), 1);
        assert_eq!(sip("sip:[::1]").port(), None);
        assert_eq!(
            sip("sip:+1-555-0100;ext=4@gw.example.com;user=phone").user(),
            Some("+1-555-0100;ext=4")
        );
    }

    #[test]
    fn what_is_no_sip_uri_is_refused() {
        for text in [
            "sip:",
            "sip:@example.com",
            "sip::p@example.com",
            "sip:ann@",
            "sip:ann@@example.com",
            "sip:a@b@c",
            "sip:ann@example.com:",
            "sip:ann@example.com:x",
            "sip:ann@example.com:65536",
            "sip:ann@example.com:-1",
            "sip:ann@example.com:+5060",
            "sip:ann@[::1",
            "sip:ann@::1",
            "sip:ann@[::1]5060",
            "sip:ann@[::1]x:5060",
            "sip:ann@exa mple.com",
            "sip: ann@example.com",
            "sip:ann@example.com ",
            "sip:ann@example.com;",
            "sip:ann@example.com?",
            "sip:ann@example.com?a",
            "sip:%zz@example.com",
            "sip:a%4@example.com",
            "sip:é@example.com",
            "sip:ann@é.example",
            "sip:ann@example.com\r\n",
            "sip:a\0nn@example.com",
            "sip:ann@example.com;a=b;a=c",
            "sip:<ann@example.com>",
            "sip://example.com",
            "sip:ann@example.com/x",
            "sip:ann@example.com#x",
            "sip:a:b:c@example.com",
            "sip:ann@..",
            "sip:\"ann\"@example.com",
        ] {
            assert!(
                matches!(Uri::parse(text), Err(UriError::Malformed { .. })),
                "{text:?}"
            );
        }
        let error = |text| Uri::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("sip:ann@exam ple"),
            "URI is malformed at octet 12: expected a colon, a semicolon, a question mark or the end"
        );
        assert_eq!(
            error("sip:ann@a:70000"),
            "URI is malformed at octet 10: expected a port number"
        );
    }

    #[test]
    fn hostile_lengths_are_read_or_refused_in_one_pass() {
        for text in [
            format!("sip:{}@x", "a".repeat(8000)),
            format!("sip:{}", "a.".repeat(4000)),
            format!("sip:a@x;{}", "b".repeat(8000)),
        ] {
            assert!(Uri::parse(&text).is_ok());
        }
        for text in [
            "sip:".to_owned() + &"@".repeat(8000),
            "sip:x".to_owned() + &";a".repeat(4000),
            "sip:x?".to_owned() + &"a=b&".repeat(2000),
            "sip:".to_owned() + &"%41".repeat(2700),
            "sip:".to_owned() + &"[".repeat(8000),
        ] {
            assert!(Uri::parse(&text).is_err());
        }
    }

    fn equivalent(one: &str, other: &str) -> bool {
        let (one, other) = (Uri::parse(one).unwrap(), Uri::parse(other).unwrap());
        assert_eq!(
            one.equivalent(&other),
            other.equivalent(&one),
            "{one} {other}"
        );
        assert!(one.equivalent(&one) && other.equivalent(&other));
        one.equivalent(&other)
    }

    // RFC 3261 section 19.1.4, rule by rule.
    #[test]
    fn equivalent_uris() {
        for (one, other) in [
            ("sip:%61nn@example.com", "sip:ann@example.com"),
            (
                "SIP:ann@EXAMPLE.com;Transport=TCP",
                "sip:ann@example.com;transport=tcp",
            ),
            ("sip:ann@example.com;lr;ob", "sip:ann@example.com"),
            ("sip:ann@example.com;lr;x=1", "sip:ann@example.com;X=1;y=2"),
            (
                "sip:x.example;a=1;method=NOTIFY;b=2",
                "sip:x.example;method=NOTIFY;b=2;a=1",
            ),
            ("sip:ann@example.com?a=1&b=2", "sip:ann@example.com?b=2&a=1"),
            ("sip:ann:p%61ss@example.com", "sip:ann:pass@example.com"),
            ("sip:[2001:DB8::1]:5060", "sip:[2001:db8:0::1]:05060"),
            ("sip:a@x;maddr=X.example", "sip:a@x;maddr=x.EXAMPLE"),
        ] {
            assert!(equivalent(one, other), "{one} {other}");
        }
    }

    // RFC 3261 section 19.1.4, rule by rule.
    #[test]
    fn uris_that_are_not_equivalent() {
        for (one, other) in [
            ("sip:ann@example.com", "sips:ann@example.com"),
            ("sip:Ann@example.com", "sip:ann@example.com"),
            ("sip:ann@example.com", "sip:example.com"),
            ("sip:ann:@example.com", "sip:ann@example.com"),
            ("sip:ann:a@example.com", "sip:ann:A@example.com"),
            ("sip:a;b@example.com", "sip:a%3Bb@example.com"),
            ("sip:ann@example.com", "sip:ann@example.com:5060"),
            ("sips:ann@example.com", "sips:ann@example.com:5061"),
            ("sip:ann@example.com", "sip:ann@example.com;transport=udp"),
            ("sip:ann@example.com", "sip:ann@example.com;user=ip"),
            ("sip:ann@example.com", "sip:ann@example.com;ttl=1"),
            ("sip:ann@example.com", "sip:ann@example.com;METHOD=INVITE"),
            (
                "sip:ann@example.com",
                "sip:ann@example.com;m%61ddr=192.0.2.1",
            ),
            (
                "sip:ann@example.com;transport=tcp",
                "sip:ann@example.com;transport=udp",
            ),
            ("sip:ann@example.com;lr", "sip:ann@example.com;lr=on"),
            ("sip:ann@example.com;x=1", "sip:ann@example.com;x=2"),
            (
                "sip:ann@example.com;method=NOTIFY",
                "sip:ann@example.com;method=notify",
            ),
            ("sip:ann@example.com", "sip:ann@example.com?subject=x"),
            ("sip:ann@example.com?a=1", "sip:ann@example.com?a=2"),
            ("sip:ann@a.example.com", "sip:ann@192.0.2.4"),
        ] {
            assert!(!equivalent(one, other), "{one} {other}");
        }
    }

    #[test]
    fn equivalence_is_not_transitive() {
        let plain = "sip:ann@example.com";
        let (on, off) = (
            "sip:ann@example.com;security=on",
            "sip:ann@example.com;security=off",
        );
        assert!(equivalent(plain, on) && equivalent(plain, off) && !equivalent(on, off));
    }
}
