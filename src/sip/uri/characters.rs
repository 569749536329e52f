//! The characters of SIP URIs and their escapes (RFC 3261 sections 19.1.2, 19.1.4, 25.1).

use super::super::byte_set::ByteSet;

/// `user`, but for the escapes.
pub(super) static USER: ByteSet = UNRESERVED.and("&=+$,;?/");
/// `password`, but for the escapes.
pub(super) static PASSWORD: ByteSet = UNRESERVED.and("&=+$,");
/// `paramchar`, but for the escapes.
pub(super) static PARAM_NAME: ByteSet = UNRESERVED.and("[]/:&+$");
/// `paramchar`, and the padding of Base64, which proxies write into their Record-Route.
pub(super) static PARAM_VALUE: ByteSet = UNRESERVED.and("[]/:&+$=");
/// `hname`, `hvalue`, but for the escapes.
pub(super) static HEADER: ByteSet = UNRESERVED.and("[]/?:+$");
/// The local part of a pres URI, but for the escapes. A question mark begins the header fields, a
/// comma separates mailboxes, a slash would make a hierarchy, and there are no parameters.
pub(super) static LOCAL: ByteSet = UNRESERVED.and("&=+$");
/// `hname`, `hvalue` of a pres URI, but for the escapes.
pub(super) static PRES_HEADER: ByteSet = UNRESERVED.and("[]/?:+$;@,=");
/// `unreserved`.
const UNRESERVED: ByteSet = ByteSet::ALPHANUMERIC.and("-_.!~*'()");
/// `reserved`: these are not equivalent to their escapes.
static RESERVED: ByteSet = ByteSet::of(";/?:@&=+$,");

/// Whether `text` is made of the characters of a set and of escapes.
pub(super) fn covers(set: &ByteSet, text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fits = set.has(byte) || (byte == b'%' && is_hex(bytes.next()) && is_hex(bytes.next()));
        if !fits {
            return false;
        }
    }
    true
}

fn is_hex(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_hexdigit())
}

/// A character of a URI, freed of an escape that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unit {
    byte: u8,
    /// Whether it is a reserved character that was escaped, which is not the same as the character.
    escaped: bool,
}

fn units(text: &str) -> impl Iterator<Item = Unit> {
    let mut bytes = text.bytes();
    core::iter::from_fn(move || {
        let byte = bytes.next()?;
        if byte != b'%' {
            return Some(Unit {
                byte,
                escaped: false,
            });
        }
        let byte = (hex_value(bytes.next()?) << 4) | hex_value(bytes.next()?);
        Some(Unit {
            byte,
            escaped: RESERVED.has(byte),
        })
    })
}

fn hex_value(digit: u8) -> u8 {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
        .unwrap_or(0)
}

/// Whether two parts of URIs are equivalent, the case of letters aside.
pub(super) fn equivalent_ignoring_case(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let lower = |unit: Unit| Unit {
        byte: unit.byte.to_ascii_lowercase(),
        ..unit
    };
    has_escape(one, other) && units(one).map(lower).eq(units(other).map(lower))
}

/// Whether two parts of URIs are equivalent.
pub(super) fn equivalent(one: &str, other: &str) -> bool {
    one == other || (has_escape(one, other) && units(one).eq(units(other)))
}

/// Without any escape, parts that differ are not equivalent.
fn has_escape(one: &str, other: &str) -> bool {
    one.contains('%') || other.contains('%')
}

/// Whether two parts of URIs are the same after all escapes are resolved.
pub(super) fn decoded_eq(one: &str, other: &str) -> bool {
    units(one)
        .map(|unit| unit.byte)
        .eq(units(other).map(|unit| unit.byte))
}

/// Writes a user part in the one way in which all equivalent ones are written.
pub(super) fn push_user(out: &mut String, user: &str) {
    if USER.covers(user) {
        out.push_str(user);
        return;
    }
    for unit in units(user) {
        push_byte(out, unit.byte, unit.escaped, &USER);
    }
}

/// Likewise a part whose reserved characters mean the same with and without escape, with escapes for
/// all that `plain` has not.
pub(super) fn push_decoded(out: &mut String, part: &str, plain: &ByteSet) {
    if plain.covers(part) && !part.contains('%') {
        // Most are written so already.
        out.push_str(part);
        return;
    }
    for unit in units(part) {
        push_byte(out, unit.byte, false, plain);
    }
}

/// Writes a part whose case does not matter in the one way in which all equivalent ones are
/// written.
pub(super) fn push_lowercase(out: &mut String, text: &str) {
    for unit in units(text) {
        push_byte(out, unit.byte.to_ascii_lowercase(), unit.escaped, &USER);
    }
}

/// Writes a part of parameters or header fields in the one way in which all equivalent ones are written.
pub(super) fn push_spelt(out: &mut String, text: &str) {
    for unit in units(text) {
        push_byte(out, unit.byte, unit.escaped, &SPELT);
    }
}

/// Likewise, the case of letters aside.
pub(super) fn push_spelt_lowercase(out: &mut String, text: &str) {
    for unit in units(text) {
        push_byte(out, unit.byte.to_ascii_lowercase(), unit.escaped, &SPELT);
    }
}

/// What stands there without escape: whatever may, so that it stays apart from its escape.
static SPELT: ByteSet = UNRESERVED.and("&=+$,;?/[]:@");

fn push_byte(out: &mut String, byte: u8, escape: bool, plain: &ByteSet) {
    if !escape && plain.has(byte) {
        out.push(char::from(byte));
        return;
    }
    out.push('%');
    for nibble in [byte >> 4, byte & 15] {
        let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        out.push(digit.to_ascii_uppercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_covers_its_characters_and_whole_escapes() {
        for text in ["", "aZ9-_.!~*'()", "&=+$,;?/", "%00%fF%41"] {
            assert!(covers(&USER, text), "{text:?}");
        }
        for text in [
            "%", "%4", "%4g", "%g4", "a@b", "a:b", "a b", "a\"", "a%", "é", "\0", "\u{7f}", "[",
            "a\\b",
        ] {
            assert!(!covers(&USER, text), "{text:?}");
        }
        assert!(!covers(&PASSWORD, ";") && covers(&PARAM_NAME, "[:]") && !covers(&PARAM_NAME, "="));
    }

    #[test]
    fn an_escape_is_its_character_unless_that_is_reserved() {
        assert!(equivalent("%61nn", "ann"));
        assert!(equivalent("%c3%a9", "%C3%A9"));
        assert!(equivalent("%7E%25", "~%25"));
        assert!(equivalent("%3b", "%3B"));
        assert!(!equivalent("%3B", ";"));
        assert!(!equivalent("a", "A"));
        assert!(!equivalent("a", "ab"));
        assert!(equivalent_ignoring_case("%41b", "aB"));
        assert!(decoded_eq("%3B", ";"));
    }

    #[test]
    fn a_user_is_written_in_one_way() {
        let canonical = |user| {
            let mut text = String::new();
            push_user(&mut text, user);
            text
        };
        for (user, text) in [
            ("%61nn", "ann"),
            ("a%3bb", "a%3Bb"),
            ("a;b", "a;b"),
            ("%c3%a9", "%C3%A9"),
            ("%40", "%40"),
            ("%20", "%20"),
            ("%3a", "%3A"),
            ("%00", "%00"),
            ("Ann", "Ann"),
        ] {
            assert_eq!(canonical(user), text);
            // Writing it again changes nothing.
            assert_eq!(canonical(text), text);
        }
    }
}
