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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_hosts() {
        for text in [
            "example.com",
            "EXAMPLE.com.",
            "a",
            "a-b.c",
            "192.0.2.7",
            "[2001:db8::1]",
            "[::]",
            "[::ffff:192.0.2.7]",
            "in_house",
            "3com.example",
            "xn--e1afmkfd.example",
        ] {
            assert!(is_host(text), "{text:?}");
        }
        for text in [
            "",
            ".",
            "a..b",
            ".a",
            "a.b..",
            "-a",
            "a-",
            "a b",
            "a%2eb",
            "é",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]x",
            "[fe80::1%25eth0]",
            "[192.0.2.7]",
            "[1:2]",
            "a:5060",
            "a/b",
            "a@b",
        ] {
            assert!(!is_host(text), "{text:?}");
        }
    }

    #[test]
    fn ipv6_addresses_compare_by_value_and_names_without_case() {
        assert!(hosts_eq("[2001:DB8:0::1]", "[2001:db8::0:1]"));
        assert!(!hosts_eq("[::1]", "[::2]"));
        assert!(hosts_eq("Example.com", "eXample.COM"));
        assert!(!hosts_eq("example.com", "example.com."));
        let key = |host| {
            let mut key = String::new();
            push_host(&mut key, host);
            key
        };
        assert_eq!(key("Example.COM."), "example.com");
        assert_eq!(key("[2001:DB8:0:0::1]"), "[2001:db8::1]");
    }
}
