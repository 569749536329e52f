//! The start tag of a document's root, as it was written.

use core::ops::Range;

/// The root's start tag in a document that is known to have a well-formed one.
#[derive(Debug)]
pub(super) struct RootTag<'a> {
    /// The name with its prefix.
    pub(super) name: Range<usize>,
    pub(super) attributes: Vec<RootAttribute<'a>>,
    /// Where the tag ends: at `>` or `/>`.
    pub(super) end: usize,
    /// The root contains nothing and has no end tag.
    pub(super) is_empty: bool,
}

/// An attribute of it, declarations of namespaces included.
#[derive(Debug)]
pub(super) struct RootAttribute<'a> {
    pub(super) name: &'a str,
    /// As it was written.
    pub(super) value: &'a str,
    /// All of it, with the white space before it.
    pub(super) range: Range<usize>,
}

impl<'a> RootTag<'a> {
    /// The tag that begins at `start`; nothing when there is no well-formed one.
    pub(super) fn at(text: &'a str, start: usize) -> Option<Self> {
        let mut cursor = Cursor { text, at: start };
        cursor.expect('<')?;
        let name = cursor.name()?;
        let mut attributes = Vec::new();
        loop {
            let begin = cursor.at;
            cursor.skip_space();
            let end = cursor.at;
            match cursor.rest().chars().next()? {
                '>' => {
                    return Some(Self {
                        name,
                        attributes,
                        end,
                        is_empty: false,
                    });
                }
                '/' => {
                    return Some(Self {
                        name,
                        attributes,
                        end,
                        is_empty: true,
                    });
                }
                _ => {}
            }
            let own = cursor.name()?;
            cursor.skip_space();
            cursor.expect('=')?;
            cursor.skip_space();
            let quote = cursor.rest().chars().next()?;
            cursor.expect(quote)?;
            let value = cursor.rest().split(quote).next()?;
            cursor.at = cursor.at.checked_add(value.len())?;
            cursor.expect(quote)?;
            attributes.push(RootAttribute {
                name: text.get(own)?,
                value,
                range: begin..cursor.at,
            });
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        let behind = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at = self.text.len().saturating_sub(behind.len());
    }

    fn expect(&mut self, c: char) -> Option<()> {
        let behind = self.rest().strip_prefix(c)?;
        self.at = self.text.len().saturating_sub(behind.len());
        Some(())
    }

    fn name(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let ends = [' ', '\t', '\n', '\r', '=', '>', '/'];
        let len = self.rest().find(ends).filter(|&len| len > 0)?;
        self.at = start.checked_add(len)?;
        Some(start..self.at)
    }
}
