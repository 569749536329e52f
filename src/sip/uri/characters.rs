//! The characters of SIP URIs and their escapes (RFC 3261 sections 19.1.2, 19.1.4, 25.1).

/// A set of ASCII characters.
#[derive(Clone, Copy)]
pub(super) struct CharSet(u128);

const ALPHANUMERIC: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// `unreserved`.
const UNRESERVED: CharSet = CharSet::of(ALPHANUMERIC).and("-_.!~*'()");
/// `user`, but for the escapes.
pub(super) const USER: CharSet = UNRESERVED.and("&=+$,;?/");
/// `password`, but for the escapes.
pub(super) const PASSWORD: CharSet = UNRESERVED.and("&=+$,");
/// `paramchar`, but for the escapes.
pub(super) const PARAM_NAME: CharSet = UNRESERVED.and("[]/:&+$");
/// `paramchar`, and the padding of Base64, which proxies write into their Record-Route.
pub(super) const PARAM_VALUE: CharSet = PARAM_NAME.and("=");
/// `hname`, `hvalue`, but for the escapes.
pub(super) const HEADER: CharSet = UNRESERVED.and("[]/?:+$");
/// `reserved`: these are not equivalent to their escapes.
const RESERVED: CharSet = CharSet::of(";/?:@&=+$,");

impl CharSet {
    pub(super) const fn of(characters: &str) -> Self {
        Self(0).and(characters)
    }

    pub(super) const fn and(self, characters: &str) -> Self {
        let mut set = self.0;
        let mut rest = characters.as_bytes();
        while let [first, others @ ..] = rest {
            set |= 1 << *first;
            rest = others;
        }
        Self(set)
    }

    pub(super) const fn without(self, characters: &str) -> Self {
        Self(self.0 & !Self::of(characters).0)
    }

    pub(super) const fn has(self, byte: u8) -> bool {
        byte < 128 && (self.0 >> byte) & 1 == 1
    }

    /// Whether `text` is made of these characters and of escapes.
    pub(super) fn covers(self, text: &str) -> bool {
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let fits =
                self.has(byte) || (byte == b'%' && is_hex(bytes.next()) && is_hex(bytes.next()));
            if !fits {
                return false;
            }
        }
        true
    }
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
    let lower = |unit: Unit| Unit {
        byte: unit.byte.to_ascii_lowercase(),
        ..unit
    };
    units(one).map(lower).eq(units(other).map(lower))
}

/// Whether two parts of URIs are equivalent.
pub(super) fn equivalent(one: &str, other: &str) -> bool {
    units(one).eq(units(other))
}

/// Whether two parts of URIs are the same after all escapes are resolved.
pub(super) fn decoded_eq(one: &str, other: &str) -> bool {
    units(one)
        .map(|unit| unit.byte)
        .eq(units(other).map(|unit| unit.byte))
}

/// Writes a user part in the one way in which all equivalent ones are written.
pub(super) fn push_user(out: &mut String, user: &str) {
    for unit in units(user) {
        push_user_byte(out, unit.byte, unit.escaped);
    }
}

/// Likewise for one whose reserved characters mean the same with and without escape.
pub(super) fn push_decoded_user(out: &mut String, user: &str) {
    for unit in units(user) {
        push_user_byte(out, unit.byte, false);
    }
}

/// Writes a part whose case does not matter in the one way in which all equivalent ones are
/// written.
pub(super) fn push_lowercase(out: &mut String, text: &str) {
    for unit in units(text) {
        push_user_byte(out, unit.byte.to_ascii_lowercase(), unit.escaped);
    }
}

fn push_user_byte(out: &mut String, byte: u8, escape: bool) {
    if !escape && USER.has(byte) {
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
            assert!(USER.covers(text), "{text:?}");
        }
        for text in [
            "%", "%4", "%4g", "%g4", "a@b", "a:b", "a b", "a\"", "a%", "é", "\0", "\u{7f}", "[",
            "a\\b",
        ] {
            assert!(!USER.covers(text), "{text:?}");
        }
        assert!(!PASSWORD.covers(";") && PARAM_NAME.covers("[:]") && !PARAM_NAME.covers("="));
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
