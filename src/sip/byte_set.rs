//! Sets of characters, for scanning octet by octet.

/// A set of ASCII characters, with or without all others.
///
/// Since it holds either all octets of a character or none, a run of its octets never ends within
/// a character.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    pub(crate) const ALPHANUMERIC: Self =
        Self::of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    /// Space, tab, and what prints.
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    pub(crate) const TEXT: Self = {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            set[byte] = byte == b'\t' as usize || byte >= b' ' as usize && byte != 0x7f;
            byte += 1;
        }
        Self(set)
    };
    /// What prints, of ASCII.
    pub(crate) const GRAPHIC: Self = Self::TEXT.without("\t ").without_non_ascii();

    pub(crate) const fn of(characters: &str) -> Self {
        Self([false; 256]).and(characters)
    }

    pub(super) const fn and(self, characters: &str) -> Self {
        self.put(characters, true)
    }

    pub(crate) const fn without(self, characters: &str) -> Self {
        self.put(characters, false)
    }

    #[expect(clippy::indexing_slicing, reason = "an octet is below 256")]
    const fn put(mut self, characters: &str, value: bool) -> Self {
        let mut rest = characters.as_bytes();
        while let [first, others @ ..] = rest {
            assert!(first.is_ascii(), "a character of several octets");
            self.0[*first as usize] = value;
            rest = others;
        }
        self
    }

    pub(super) const fn and_non_ascii(self) -> Self {
        self.put_non_ascii(true)
    }

    const fn without_non_ascii(self) -> Self {
        self.put_non_ascii(false)
    }

    #[expect(clippy::indexing_slicing, reason = "the loop ends at 256")]
    const fn put_non_ascii(mut self, value: bool) -> Self {
        let mut byte = 128;
        while byte < 256 {
            self.0[byte] = value;
            byte += 1;
        }
        self
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0
            .get(usize::from(byte))
            .is_some_and(|is_member| *is_member)
    }

    /// How many octets `text` begins with that are in the set.
    pub(super) fn run(&self, text: &str) -> usize {
        let is_outside = |byte: &u8| !self.has(*byte);
        let (chunks, rest) = text.as_bytes().as_chunks::<8>();
        for (number, chunk) in chunks.iter().enumerate() {
            if let Some(at) = chunk.iter().position(is_outside) {
                return number * 8 + at;
            }
        }
        let in_rest = rest.iter().position(is_outside);
        chunks.len() * 8 + in_rest.unwrap_or(rest.len())
    }

    /// Whether `text` has no other octets.
    pub(crate) fn covers(&self, text: &str) -> bool {
        self.run(text) == text.len()
    }
}

/// What stands before and behind the first such ASCII character.
///
/// For texts as short as the parts of a URI this is faster than the search of the standard library.
pub(super) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at.checked_add(1)?..)?))
}

#[cfg(test)]
mod tests {
    use super::{ByteSet, split_once};

    #[test]
    fn the_first_separator_counts() {
        assert_eq!(split_once("a:é:b", b':'), Some(("a", "é:b")));
        assert_eq!(split_once(":", b':'), Some(("", "")));
        assert_eq!(split_once("é", b':'), None);
    }

    #[test]
    fn a_set_has_what_it_was_given() {
        let set = ByteSet::of("ab").and("c").without("b");
        let members: Vec<_> = (0..=u8::MAX).filter(|byte| set.has(*byte)).collect();
        assert_eq!(members, b"ac");
        assert_eq!(
            (set.run("cab"), set.run("b"), set.run("aé"), set.run("")),
            (2, 0, 1, 0)
        );
        assert!(set.covers("caca") && !set.covers("cab") && set.covers(""));
        for len in 0..40 {
            let run = "a".repeat(len);
            assert!(set.covers(&run));
            assert_eq!(set.run(&format!("{run}ba")), len);
        }
    }

    #[test]
    fn text_is_all_but_controls() {
        for byte in 0..=u8::MAX {
            let is_text = byte == b'\t' || byte >= 128 || !byte.is_ascii_control();
            assert_eq!(ByteSet::TEXT.has(byte), is_text, "{byte}");
            assert_eq!(
                ByteSet::GRAPHIC.has(byte),
                byte.is_ascii_graphic(),
                "{byte}"
            );
            let alphanumeric = ByteSet::ALPHANUMERIC.and_non_ascii();
            assert_eq!(
                alphanumeric.has(byte),
                byte.is_ascii_alphanumeric() || byte >= 128,
                "{byte}"
            );
        }
    }
}
