//! The document as a whole, before any markup: size, encoding, forbidden characters, declaration.

use super::error::{XmlErrorKind, XmlLimit, excerpt};
use super::limits::XmlLimits;
use super::name::is_space;

/// A document known to be UTF-8 and free of characters that XML forbids.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// Everything but a byte order mark.
    pub(super) text: &'a str,
    /// Where the XML declaration ends, zero without one.
    pub(super) body: usize,
    /// A carriage return occurs, so that line ends may need normalizing.
    pub(super) has_carriage_return: bool,
    /// A `]` occurs, so that a stray end of a CDATA section may.
    pub(super) has_bracket: bool,
    /// The encoding that it says it is in, when that is another one and makes no difference.
    pub(super) nominal_encoding: Option<String>,
}

/// How a document is to be opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'o> {
    pub(super) limits: &'o XmlLimits,
    /// The charset parameter of the media type.
    pub(super) charset: Option<&'o str>,
    /// Whether a document of ASCII octets alone may say that it is in an encoding that has ASCII.
    pub(super) any_ascii: bool,
}

/// A fault and its offset in the text.
pub(super) type FaultAt = (XmlErrorKind, usize);

impl<'a> Document<'a> {
    /// `charset` is the parameter of the media type: it wins over the XML declaration, a byte
    /// order mark wins over both (RFC 7303, 3).
    pub(super) fn open(bytes: &'a [u8], opening: Opening<'_>) -> Result<Self, FaultAt> {
        let Opening {
            limits,
            charset,
            any_ascii,
        } = opening;
        if bytes.len() > limits.bytes {
            let kind = XmlErrorKind::Limit {
                limit: XmlLimit::Bytes,
                max: limits.bytes,
            };
            return Err((kind, 0));
        }
        if let Some(name) = foreign_encoding(bytes) {
            return Err((encoding_error(name), 0));
        }
        let (bytes, marked) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let outer = if marked { Some("utf-8") } else { charset };
        // Rarely asked: not before there is another encoding.
        let says_nothing = |name: &str| any_ascii && extends_ascii(name) && bytes.is_ascii();
        if let Some(name) = outer
            && !is_supported(name)
            && !says_nothing(name)
        {
            return Err((encoding_error(name), 0));
        }
        let text = match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(fault) => {
                let valid = bytes.get(..fault.valid_up_to()).unwrap_or_default();
                let valid = core::str::from_utf8(valid).unwrap_or_default();
                // A declared encoding explains the foreign bytes better than the first of them.
                if outer.is_none()
                    && let Ok(Declaration {
                        encoding: Some(name),
                        ..
                    }) = declaration(valid)
                    && !is_supported(name)
                {
                    return Err((encoding_error(name), 0));
                }
                return Err((XmlErrorKind::NotUtf8, valid.len()));
            }
        };
        let declaration = declaration(text)?;
        let encoding = outer.or(declaration.encoding);
        let mut nominal_encoding = None;
        if let Some(name) = encoding {
            if !is_supported(name) {
                if !says_nothing(name) {
                    return Err((encoding_error(name), 0));
                }
                nominal_encoding = Some(excerpt(name));
            }
            if is_ascii_name(name)
                && let Some(at) = text.bytes().position(|byte| !byte.is_ascii())
            {
                return Err((encoding_error(name), at));
            }
        }
        let marks = Marks::of(text.as_bytes());
        if marks.control {
            let found = text.char_indices().find(|&(_, c)| is_forbidden_control(c));
            let (at, c) = found.unwrap_or_default();
            return Err((character_error(c), at));
        }
        if marks.ef
            && let Some((at, c)) = text
                .char_indices()
                .find(|&(_, c)| matches!(c, '\u{FFFE}' | '\u{FFFF}'))
        {
            return Err((character_error(c), at));
        }
        Ok(Self {
            text,
            body: declaration.end,
            has_carriage_return: marks.carriage_return,
            has_bracket: marks.bracket,
            nominal_encoding,
        })
    }
}

fn is_forbidden_control(c: char) -> bool {
    c < ' ' && !matches!(c, '\t' | '\n' | '\r')
}

fn character_error(c: char) -> XmlErrorKind {
    XmlErrorKind::Character { code: u32::from(c) }
}

fn encoding_error(name: &str) -> XmlErrorKind {
    XmlErrorKind::Encoding {
        name: excerpt(name),
    }
}

/// What one pass over the bytes finds.
#[derive(Default)]
struct Marks {
    control: bool,
    carriage_return: bool,
    bracket: bool,
    ef: bool,
}

impl Marks {
    /// One pass without branches, so that it runs many bytes at a time.
    fn of(bytes: &[u8]) -> Self {
        let (mut control, mut carriage_return, mut bracket, mut ef) = (false, false, false, false);
        for &byte in bytes {
            control |= (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
            carriage_return |= byte == b'\r';
            bracket |= byte == b']';
            ef |= byte == 0xEF;
        }
        Self {
            control,
            carriage_return,
            bracket,
            ef,
        }
    }
}

/// The name of an encoding that the first bytes betray (XML 1.0, appendix F).
fn foreign_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0, 0xFE, 0xFF, ..] | [0xFF, 0xFE, 0, 0, ..] => Some("UTF-32"),
        [0, 0, 0, b'<', ..] | [b'<', 0, 0, 0, ..] => Some("UTF-32"),
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => Some("UTF-16"),
        [0, b'<', ..] | [b'<', 0, ..] => Some("UTF-16"),
        [0x4C, 0x6F, 0xA7, 0x94, ..] => Some("EBCDIC"),
        _ => None,
    }
}

fn is_supported(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8") || is_ascii_name(name)
}

fn is_ascii_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("us-ascii") || name.eq_ignore_ascii_case("ascii")
}

/// Whether octets below 128 are the characters of ASCII in this encoding, wherever they stand.
fn extends_ascii(name: &str) -> bool {
    /// Names that numbers follow (IANA character sets).
    const FAMILIES: [&str; 8] = [
        "iso-8859-",
        "iso_8859-",
        "iso8859-",
        "latin",
        "windows-125",
        "cp125",
        "koi8-",
        "euc-",
    ];
    const OTHERS: [&str; 10] = [
        "windows-874",
        "tis-620",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        "macintosh",
        "ibm437",
        "ibm850",
        "ibm866",
    ];
    let begins = |family: &str| {
        let head = name.get(..family.len());
        let tail = name.get(family.len()..).unwrap_or_default();
        head.is_some_and(|head| head.eq_ignore_ascii_case(family))
            && !tail.is_empty()
            && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    FAMILIES.iter().any(|family| begins(family))
        || OTHERS.iter().any(|other| other.eq_ignore_ascii_case(name))
}

#[derive(Default)]
struct Declaration<'a> {
    end: usize,
    encoding: Option<&'a str>,
}

/// Reads `<?xml version="1.0" encoding="…" standalone="…"?>`, when it is there (XML 1.0, 2.8).
fn declaration(text: &str) -> Result<Declaration<'_>, FaultAt> {
    let Some(rest) = text.strip_prefix("<?xml") else {
        return Ok(Declaration::default());
    };
    // `<?xml-stylesheet` is an ordinary processing instruction.
    if !rest
        .bytes()
        .next()
        .is_some_and(|b| is_space(b) || b == b'?')
    {
        return Ok(Declaration::default());
    }
    let mut cursor = Cursor { rest };
    let at = |cursor: &Cursor<'_>| text.len().saturating_sub(cursor.rest.len());
    let fault = |cursor: &Cursor<'_>| (XmlErrorKind::Declaration, at(cursor));

    let version = cursor.pseudo_attribute("version").ok_or(fault(&cursor))?;
    let minor = version.strip_prefix("1.").unwrap_or_default();
    if minor.is_empty() || !minor.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fault(&cursor));
    }
    let encoding = cursor.pseudo_attribute("encoding");
    if let Some(name) = encoding {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
        if !starts || !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(fault(&cursor));
        }
    }
    if let Some(standalone) = cursor.pseudo_attribute("standalone")
        && !matches!(standalone, "yes" | "no")
    {
        return Err(fault(&cursor));
    }
    cursor.skip_space();
    cursor.rest = cursor.rest.strip_prefix("?>").ok_or(fault(&cursor))?;
    Ok(Declaration {
        end: at(&cursor),
        encoding,
    })
}

#[derive(Clone)]
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.len() < before
    }

    /// White space, the name, `=` and a quoted value; nothing is consumed when it is not there.
    fn pseudo_attribute(&mut self, name: &str) -> Option<&'a str> {
        let mut ahead = self.clone();
        if !ahead.skip_space() {
            return None;
        }
        ahead.rest = ahead.rest.strip_prefix(name)?;
        ahead.skip_space();
        ahead.rest = ahead.rest.strip_prefix('=')?;
        ahead.skip_space();
        let quote = ahead
            .rest
            .chars()
            .next()
            .filter(|c| matches!(c, '"' | '\''))?;
        let (value, rest) = ahead.rest.strip_prefix(quote)?.split_once(quote)?;
        self.rest = rest;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<Document<'_>, FaultAt> {
        opened(bytes, None, false)
    }

    fn opened<'a>(
        bytes: &'a [u8],
        charset: Option<&str>,
        any_ascii: bool,
    ) -> Result<Document<'a>, FaultAt> {
        let limits = &XmlLimits::default();
        let opening = Opening {
            limits,
            charset,
            any_ascii,
        };
        Document::open(bytes, opening)
    }

    // PIDF-02
    #[test]
    fn declarations_that_are_read() {
        for text in [
            "<?xml version=\"1.0\"?><a/>",
            "<?xml version='1.0'  encoding = 'uTf-8' ?><a/>",
            "<?xml version=\"1.0\" encoding=\"US-ASCII\" standalone=\"no\"?><a/>",
            "<?xml\tversion=\"1.1\"\r\nstandalone='yes'?><a/>",
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?><a/>",
        ] {
            let document = open(text.as_bytes()).unwrap();
            assert_eq!(document.text.split_at(document.body).1, "<a/>", "{text}");
        }
    }

    #[test]
    fn declarations_that_are_refused() {
        for text in [
            "<?xml?><a/>",
            "<?xml ?><a/>",
            "<?xml encoding=\"utf-8\"?><a/>",
            "<?xml version=\"2.0\"?><a/>",
            "<?xml version=\"1.\"?><a/>",
            "<?xml version=1.0?><a/>",
            "<?xml version=\"1.0\"encoding=\"utf-8\"?><a/>",
            "<?xml version=\"1.0\" standalone=\"yes\" encoding=\"utf-8\"?><a/>",
            "<?xml version=\"1.0\" standalone=\"maybe\"?><a/>",
            "<?xml version=\"1.0\" encoding=\"\"?><a/>",
            "<?xml version=\"1.0\" encoding=\"8bit!\"?><a/>",
            "<?xml version=\"1.0\" other=\"x\"?><a/>",
            "<?xml version=\"1.0\"><a/>",
            "<?xml version=\"1.0",
        ] {
            let kind = open(text.as_bytes()).unwrap_err().0;
            assert_eq!(kind, XmlErrorKind::Declaration, "{text}");
        }
    }

    #[test]
    fn foreign_encodings_are_named() {
        let named = |bytes: &[u8]| match open(bytes).unwrap_err().0 {
            XmlErrorKind::Encoding { name } => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(named(b"\xFE\xFF\0<\0a\0/\0>"), "UTF-16");
        assert_eq!(named(b"\xFF\xFE<\0a\0/\0>\0"), "UTF-16");
        assert_eq!(named(b"<\0a\0/\0>\0"), "UTF-16");
        assert_eq!(named(b"\0<\0a\0/\0>"), "UTF-16");
        assert_eq!(named(b"\0\0\0<\0\0\0a"), "UTF-32");
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xE9</a>";
        assert_eq!(named(latin), "ISO-8859-1");
        let declared = b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>";
        assert_eq!(named(declared), "UTF-16");
        let not_ascii = "<?xml version=\"1.0\" encoding=\"us-ascii\"?><a>é</a>";
        assert_eq!(named(not_ascii.as_bytes()), "us-ascii");
    }

    // PIDF-03
    #[test]
    fn charset_wins_over_the_declaration_and_a_mark_over_both() {
        let latin = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>é</a>";
        assert!(opened(latin.as_bytes(), Some("UTF-8"), false).is_ok());
        assert!(opened(latin.as_bytes(), None, false).is_err());
        assert!(opened(b"<a/>", Some("ISO-8859-1"), false).is_err());
        assert!(opened(b"\xEF\xBB\xBF<a/>", Some("ISO-8859-1"), false).is_ok());
    }

    // PIDF-02, PIDF-03: where there are only characters of ASCII, encodings that have them agree.
    #[test]
    fn ascii_is_ascii_in_whatever_extends_it() {
        let declared = |name: &str, inside: &str| {
            format!("<?xml version='1.0' encoding='{name}'?><a>{inside}</a>")
        };
        for name in [
            "ISO-8859-1",
            "iso-8859-15",
            "ISO_8859-1",
            "latin1",
            "Windows-1252",
            "cp1251",
            "KOI8-R",
            "EUC-JP",
            "GB2312",
            "Big5",
        ] {
            let plain = declared(name, "x");
            let nominal = |read: Result<Document<'_>, FaultAt>| read.unwrap().nominal_encoding;
            let expected = Some(name.to_owned());
            assert_eq!(nominal(opened(plain.as_bytes(), None, true)), expected);
            assert_eq!(nominal(opened(b"<a/>", Some(name), true)), expected);
            assert_eq!(nominal(opened(plain.as_bytes(), Some("utf-8"), true)), None);
            // Not by those who are strict, and not as soon as it makes a difference.
            let refusal = (encoding_error(name), 0);
            let foreign = declared(name, "\u{E9}");
            for refused in [
                opened(plain.as_bytes(), None, false),
                opened(b"<a/>", Some(name), false),
                opened(foreign.as_bytes(), None, true),
                opened(foreign.as_bytes(), Some(name), true),
                opened(b"<a>\xE9</a>", Some(name), true),
            ] {
                assert_eq!(refused.unwrap_err(), refusal);
            }
        }
        for name in [
            "UTF-16",
            "UTF-32",
            "UTF-7",
            "ISO-2022-JP",
            "ISO-8859-",
            "ISO-8859-1 ",
            "EBCDIC-US",
            "IBM037",
            "HZ-GB-2312",
            "",
            "x-unknown",
        ] {
            assert!(opened(b"<a/>", Some(name), true).is_err(), "{name}");
        }
        assert_eq!(opened(b"<a/>", None, true).unwrap().nominal_encoding, None);
    }

    #[test]
    fn forbidden_characters_are_found_where_they_are() {
        let cases: [(&str, usize, u32); 5] = [
            ("<a>\0</a>", 3, 0),
            ("<a b='\u{1}'/>", 6, 1),
            ("<a/>\u{1F}", 4, 0x1F),
            ("<a>é\u{FFFE}</a>", 5, 0xFFFE),
            ("<a>\u{FFFD}\u{FFFF}</a>", 6, 0xFFFF),
        ];
        for (text, at, code) in cases {
            let fault = open(text.as_bytes()).unwrap_err();
            assert_eq!(fault, (XmlErrorKind::Character { code }, at), "{text:?}");
        }
        assert!(open("<a>\t\r\n\u{7F}\u{85}\u{FFFD}\u{10FFFF}</a>".as_bytes()).is_ok());
    }

    #[test]
    fn bytes_that_are_not_utf_8() {
        for bytes in [
            &b"<a>\xC3</a>"[..],
            b"<a>\xED\xA0\x80</a>",
            b"<a>\xC0\x80</a>",
            b"<a>\xFF",
        ] {
            let fault = open(bytes).unwrap_err();
            assert_eq!(fault, (XmlErrorKind::NotUtf8, 3));
        }
    }
}
