//! Hosts (RFC 3261 section 25.1, `host`).

use core::fmt::Write as _;
use core::net::Ipv6Addr;

/// Whether `text` is a host name, an IPv4 address or an IPv6 reference in brackets.
///
/// Underscores, which the grammar does not have, are let pass: names within a site have them.
pub(super) fn is_host(text: &str) -> bool {
    if text.starts_with('[') {
        return ipv6(text).is_some();
    }
    let labels = text.strip_suffix('.').unwrap_or(text);
    labels.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Whether two hosts are the same: names without case, IPv6 addresses by value.
pub(super) fn hosts_eq(one: &str, other: &str) -> bool {
    match (ipv6(one), ipv6(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}

/// Writes a host in the one way in which all equal ones are written, without a full stop at its
/// end.
pub(super) fn push_host(out: &mut String, host: &str) {
    match ipv6(host) {
        Some(address) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "[{address}]");
        }
        None => {
            let name = host.strip_suffix('.').unwrap_or(host);
            out.extend(name.chars().map(|c| c.to_ascii_lowercase()));
        }
    }
}
