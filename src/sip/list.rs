//! Lists with commas.

use super::grammar::{each_member, token};
use super::{HeaderError, HeaderName};

/// Splits a field value at the commas that separate members: not those in quoted strings, angle
/// brackets or comments. Members come without the white space around them, empty ones not at all.
///
/// What is never closed reaches to the end. The members are not checked.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        loop {
            let current = rest?;
            let end = member_len(current);
            let (member, after) = current.split_at_checked(end).unwrap_or((current, ""));
            rest = after.strip_prefix(',');
            let member = member.trim_matches([' ', '\t', '\r', '\n']);
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// Octets before the first comma that separates members.
fn member_len(text: &str) -> usize {
    let (mut quoted, mut angled, mut depth) = (false, false, 0_usize);
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quoted || depth > 0 => {
                bytes.next();
            }
            b'"' if depth == 0 && !angled => quoted = !quoted,
            _ if quoted => {}
            b'>' if angled => angled = false,
            _ if angled => {}
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b'<' => angled = true,
            b',' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Reads the values of all fields of a name that hold tokens: Supported, Require, Unsupported,
/// Allow, Allow-Events. An empty list is legal.
///
/// # Errors
/// [`HeaderError::Malformed`] when a member is no token.
pub fn parse_tokens<'a, I>(name: HeaderName, values: I) -> Result<Vec<&'a str>, HeaderError>
where
    I: IntoIterator<Item = &'a str>,
{
    let mut list = Vec::new();
    for value in values {
        each_member(Some(name), value, token, |member| list.push(member))?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        split_list(text).collect()
    }

    #[test]
    fn commas_separate_where_nothing_encloses_them() {
        assert_eq!(split("a, b ,\r\n c"), ["a", "b", "c"]);
        assert_eq!(
            split("\"x, \\\", y\" <sip:a,b@c>, d"),
            ["\"x, \\\", y\" <sip:a,b@c>", "d"]
        );
        assert_eq!(
            split("18 (in, (two, \\) days)), 20"),
            ["18 (in, (two, \\) days))", "20"]
        );
        assert_eq!(split("<a\",b>, \"<\", c"), ["<a\",b>", "\"<\"", "c"]);
        assert_eq!(split("é,日"), ["é", "日"]);
    }

    #[test]
    fn empty_members_are_passed_over() {
        for text in ["", " ", ",", " , ,\t,"] {
            assert!(split(text).is_empty(), "{text:?}");
        }
        assert_eq!(split(",a,,b,"), ["a", "b"]);
    }

    #[test]
    fn what_is_never_closed_reaches_to_the_end() {
        for text in ["\"a, b", "<a, b", "(a, b", "\"a\\", "((), b"] {
            assert_eq!(split(text), [text], "{text:?}");
        }
        assert_eq!(split("a), b"), ["a)", "b"]);
    }

    #[test]
    fn long_lists_cost_one_pass() {
        assert_eq!(split_list(&"a,".repeat(100_000)).count(), 100_000);
        assert_eq!(split_list(&",".repeat(100_000)).count(), 0);
        assert_eq!(split_list(&"(".repeat(100_000)).count(), 1);
    }

    #[test]
    fn tokens_come_from_one_field_or_several() {
        let parse =
            |values: &[&'static str]| parse_tokens(HeaderName::Supported, values.iter().copied());
        assert_eq!(
            parse(&["eventlist, 100rel", "", "gruu ,"]),
            Ok(vec!["eventlist", "100rel", "gruu"])
        );
        assert_eq!(parse(&[]), Ok(vec![]));
        // An empty Supported is in ordinary use.
        assert_eq!(parse(&[""]), Ok(vec![]));
        assert_eq!(
            parse(&["presence, presence.winfo"]),
            Ok(vec!["presence", "presence.winfo"])
        );
        for text in ["a b", "a;b", "\"a\"", "a,\nb", "é", "a/b"] {
            let error = parse(&[text]).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::Supported), "{text:?}");
        }
        let many = "a,".repeat(10_000);
        assert_eq!(
            parse_tokens(HeaderName::Allow, [many.as_str()]).map(|list| list.len()),
            Ok(10_000)
        );
    }
}
