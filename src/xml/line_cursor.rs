//! Lines and columns of places in a document.
#![expect(
    clippy::indexing_slicing,
    reason = "the index stays below the length that it is compared with"
)]

/// Remembers the last place, so that many places in rising order cost one pass.
#[derive(Debug, Default)]
pub(super) struct LineCursor {
    offset: usize,
    line: u32,
    /// Characters of the line before the offset.
    characters: u32,
}

impl LineCursor {
    /// Line and column of the byte at `at`, both from 1.
    pub(super) fn locate(&mut self, text: &str, at: usize) -> (u32, u32) {
        if at < self.offset {
            *self = Self::default();
        }
        let bytes = text.as_bytes();
        let to = at.min(bytes.len());
        for i in self.offset..to {
            let ends_line = match bytes[i] {
                b'\n' => true,
                b'\r' => bytes.get(i + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends_line {
                self.line = self.line.saturating_add(1);
                self.characters = 0;
            } else if bytes[i] & 0xC0 != 0x80 {
                self.characters = self.characters.saturating_add(1);
            }
        }
        self.offset = to;
        let column = self.characters.saturating_add(1);
        (self.line.saturating_add(1), column)
    }
}
