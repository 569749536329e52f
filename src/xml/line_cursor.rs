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
    line_start: usize,
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
                self.line_start = i + 1;
            }
        }
        self.offset = to;
        let within = bytes.get(self.line_start..to).unwrap_or_default();
        let chars = within.iter().filter(|&&b| b & 0xC0 != 0x80).count();
        let column = u32::try_from(chars).unwrap_or(u32::MAX).saturating_add(1);
        (self.line.saturating_add(1), column)
    }
}
