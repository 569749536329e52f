//! Hosts (RFC 3261 section 25.1, `host`).

use core::fmt::Write as _;
use core::net::Ipv6Addr;

use super::super::byte_set::ByteSet;

/// What a name or an IPv4 address is made of. Underscores, which the grammar does not have, are let
/// pass: names within a site have them.
static HOST: ByteSet = ByteSet::ALPHANUMERIC.and("-_.");

/// The host name, IPv4 address or IPv6 reference in brackets that `text` begins with, up to a colon, a
/// semicolon, a question mark or the end; and what follows it.
pub(super) fn split_host(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('[') {
        let (host, rest) = text.split_at_checked(text.find(']')?.checked_add(1)?)?;
        return ipv6(host).map(|_| (host, rest));
    }
    // Labels have something in them, and no hyphen at either end.
    let mut previous = b'.';
    let mut len = 0;
    for byte in text.bytes() {
        let fits = match byte {
            b'.' => !matches!(previous, b'.' | b'-'),
            b'-' => previous != b'.',
            _ if HOST.has(byte) => true,
            _ => break,
        };
        if !fits {
            return None;
        }
        previous = byte;
        len += 1;
    }
    if len == 0 || previous == b'-' {
        return None;
    }
    text.split_at_checked(len)
}

/// Whether `text` is a host, and nothing else.
pub(super) fn is_host(text: &str) -> bool {
    split_host(text).is_some_and(|(_, rest)| rest.is_empty())
}

fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Whether two hosts are the same: names without case, IPv6 addresses by value.
pub(super) fn hosts_eq(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || matches!((ipv6(one), ipv6(other)), (Some(one), Some(other)) if one == other)
}

/// Writes a host in the one way in which all equal ones are written, without a full stop at its
/// end.
pub(super) fn push_host(out: &mut String, host: &str) {
    if let Some(address) = ipv6(host) {
        // Writing to a string cannot fail.
        let _ = write!(out, "[{address}]");
        return;
    }
    let start = out.len();
    out.push_str(host.strip_suffix('.').unwrap_or(host));
    if let Some(name) = out.get_mut(start..) {
        name.make_ascii_lowercase();
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
