//! Text as it stands in a document.

use super::error::XmlWriteError;
use super::name::is_xml_char;

/// Where text stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Text,
    Value,
}

/// Writes text so that it is read as what it is.
#[inline]
pub(super) fn escape(out: &mut Vec<u8>, text: &str, place: Place) -> Result<(), XmlWriteError> {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    escape_each(out, text, place)
}

fn escape_each(out: &mut Vec<u8>, text: &str, place: Place) -> Result<(), XmlWriteError> {
    let bytes = text.as_bytes();
    let mut done = 0;
    let mut from = 0;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let found = rest.iter().position(|&byte| is_special(byte));
        let at = found.map_or(bytes.len(), |found| from.saturating_add(found));
        let Some(&byte) = bytes.get(at) else {
            out.extend_from_slice(bytes.get(done..).unwrap_or_default());
            return Ok(());
        };
        from = at.saturating_add(1);
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            // In text it could end what looks like a CDATA section.
            b'>' => b"&gt;",
            b'\r' => b"&#13;",
            b'"' if place == Place::Value => b"&quot;",
            b'\t' if place == Place::Value => b"&#9;",
            b'\n' if place == Place::Value => b"&#10;",
            b'"' | b'\t' | b'\n' => continue,
            _ => {
                let c = text.get(at..).and_then(|rest| rest.chars().next());
                let c = c.unwrap_or('\u{FFFD}');
                if is_xml_char(c) {
                    continue;
                }
                return Err(XmlWriteError::Character { code: u32::from(c) });
            }
        };
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        out.extend_from_slice(replacement);
        done = from;
    }
}

/// Whether all bytes are ASCII and stand for themselves wherever they are.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) else {
        // Both halves at once, which may overlap.
        return match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let both = u32::from_ne_bytes(*first) as u64;
                is_plain_word(both << 32 | u32::from_ne_bytes(*last) as u64)
            }
            _ => !bytes
                .iter()
                .any(|&byte| is_special(byte) || !byte.is_ascii()),
        };
    };
    let (words, _) = bytes.as_chunks::<8>();
    is_plain_word(u64::from_ne_bytes(*last))
        && is_plain_word(u64::from_ne_bytes(*first))
        && words
            .iter()
            .skip(1)
            .all(|word| is_plain_word(u64::from_ne_bytes(*word)))
}

/// The same for eight bytes at once.
#[inline]
fn is_plain_word(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = EACH << 7;
    // Below the top bit of each byte, which ASCII leaves free, nothing is carried over: it is set by
    // what is not less than a blank and by what is not zero.
    let low = word & !TOP;
    let no_control = low.wrapping_add(EACH * (0x80 - 0x20));
    let neither_quote_nor_ampersand =
        ((low & !(EACH * 0x04)) ^ (EACH * b'"' as u64)).wrapping_add(EACH * 0x7F);
    let no_angle = ((low & !(EACH * 0x02)) ^ (EACH * b'<' as u64)).wrapping_add(EACH * 0x7F);
    no_control & neither_quote_nor_ampersand & no_angle & !word & TOP == TOP
}

/// Whether a byte may not stand for itself somewhere, or begins a character that may not.
#[inline]
fn is_special(byte: u8) -> bool {
    // Two of them in one bit each: `"` and `&`, `<` and `>`.
    byte < 0x20 || byte & !0x04 == b'"' || byte & !0x02 == b'<' || byte == FIRST_OF_NONCHARACTERS
}

/// The first byte of U+FFFE and U+FFFF, among others.
const FIRST_OF_NONCHARACTERS: u8 = 0xEF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes() {
        let special: Vec<u8> = (0..=u8::MAX).filter(|&byte| is_special(byte)).collect();
        let mut expected: Vec<u8> = (0..0x20).collect();
        expected.extend(b"\"&<>\xEF");
        assert_eq!(special, expected);
    }

    #[test]
    fn one_that_is_special_is_found_wherever_it_stands() {
        for len in 0..40 {
            let mut bytes = vec![b'x'; len];
            assert!(is_plain(&bytes), "{len}");
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    bytes[at] = byte;
                    let plain = byte.is_ascii() && !is_special(byte);
                    assert_eq!(is_plain(&bytes), plain, "{byte:#x} at {at} of {len}");
                }
                bytes[at] = b'x';
            }
        }
    }
}
