//! SIP and SIPS URIs (RFC 3261 section 19.1).

use core::fmt;

use super::characters::{PASSWORD, USER, equivalent, equivalent_ignoring_case, push_user};
use super::host::{hosts_eq, is_host, push_host};
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
        // An at sign stands nowhere but behind the userinfo, which may hold `;` and `?`.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| (info, info.split_once(':'))) {
            None => (None, None),
            Some((_, Some((user, password)))) => (Some(user), Some(password)),
            Some((user, None)) => (Some(user), None),
        };
        if let Some(user) = user
            && (user.is_empty() || !USER.covers(user))
        {
            return Err(expected_at(text, user, "a user"));
        }
        if let Some(password) = password
            && !PASSWORD.covers(password)
        {
            return Err(expected_at(text, password, "a password"));
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let hostport_len = rest.find(';').unwrap_or(rest.len());
        let (hostport, params) = rest.split_at_checked(hostport_len).unwrap_or((rest, ""));
        // The colons of an IPv6 reference are within its brackets.
        let host_len = match hostport.rfind(']') {
            Some(at) => at.saturating_add(1),
            None => hostport.find(':').unwrap_or(hostport.len()),
        };
        let (host, port) = hostport
            .split_at_checked(host_len)
            .unwrap_or((hostport, ""));
        if !is_host(host) {
            return Err(expected_at(text, host, "a host"));
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(
                digits
                    .parse()
                    .map_err(|_| expected_at(text, digits, "a port number"))?,
            ),
            _ => return Err(expected_at(text, port, "a colon and a port number")),
        };
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
        if let Some(user) = self.user {
            push_user(&mut key, user);
            key.push('@');
        }
        push_host(&mut key, self.host);
        if let Some(port) = self.port.filter(|port| !matches!(port, 5060 | 5061)) {
            key.push(':');
            key.push_str(&port.to_string());
        }
        key
    }
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
