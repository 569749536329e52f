//! Unguessable identifiers: From and To tags, entity-tags.

use core::fmt;

use crate::engine::Entropy;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Thirteen characters of five bits hold 64 bits.
const LEN: usize = 13;

/// A tag that this library made: 64 bits from the caller's entropy, written as 13 characters.
///
/// RFC 3261 section 19.3 asks for 32 bits at least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag([u8; LEN]);

impl Tag {
    pub(crate) fn random(entropy: &mut dyn Entropy) -> Self {
        Self::from_bits(Self::random_bits(entropy))
    }

    pub(crate) fn random_bits(entropy: &mut dyn Entropy) -> u64 {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        let mut text = [b'a'; LEN];
        let mut rest = bits;
        for slot in &mut text {
            // The mask keeps the index below the alphabet's 32 characters.
            *slot = ALPHABET.get((rest & 31) as usize).copied().unwrap_or(b'a');
            rest >>= 5;
        }
        Self(text)
    }

    /// The bits of a tag in its written form; nothing for a text that this library cannot have made.
    pub(crate) fn parse_bits(text: &str) -> Option<u64> {
        let text: &[u8; LEN] = text.as_bytes().try_into().ok()?;
        let mut bits: u128 = 0;
        for character in text.iter().rev() {
            let value = match character {
                b'a'..=b'z' => character - b'a',
                b'2'..=b'7' => character - b'2' + 26,
                _ => return None,
            };
            bits = (bits << 5) | u128::from(value);
        }
        u64::try_from(bits).ok()
    }

    /// The tag as it stands in a header field.
    pub fn as_str(&self) -> &str {
        // The alphabet is ASCII, so this never yields the default.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.as_str())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn every_bit_survives_the_written_form() {
        for bits in [0, 1, u64::MAX, 0x8000_0000_0000_0000, 0x0123_4567_89ab_cdef] {
            assert_eq!(Tag::parse_bits(Tag::from_bits(bits).as_str()), Some(bits));
        }
    }

    #[test]
    fn foreign_texts_are_no_tags_of_ours() {
        for text in [
            "",
            "aaaaaaaaaaaa",
            "aaaaaaaaaaaaaa",
            "AAAAAAAAAAAAA",
            "aaaaaaaaaaaa1",
        ] {
            assert_eq!(Tag::parse_bits(text), None, "{text:?}");
        }
        // The last character holds four bits only.
        assert_eq!(Tag::parse_bits("aaaaaaaaaaaaq"), None);
    }
}
