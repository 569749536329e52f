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
