//! The lines that part a multipart body (RFC 2046 section 5.1.1).

use core::ops::Range;

use super::MimeError;

/// Octets that a boundary may have.
const MAX_BOUNDARY_LEN: usize = 70;

/// Whether `text` may be a boundary.
pub(super) fn is_boundary(text: &str) -> bool {
    (1..=MAX_BOUNDARY_LEN).contains(&text.len())
        && !text.ends_with(' ')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b))
}

/// A delimiter, from the line break that belongs to it to the one that ends it.
struct Delimiter {
    octets: Range<usize>,
    closing: bool,
}

/// Where the parts lie in `body`, if there are as many as `N`.
///
/// # Errors
/// [`MimeError::NoDelimiter`], [`MimeError::Unclosed`], or [`MimeError::Parts`] when there are
/// fewer or more.
pub(super) fn parts<const N: usize>(
    body: &[u8],
    boundary: &str,
) -> Result<[Range<usize>; N], MimeError> {
    let mut delimiters = Delimiters {
        octets: body,
        boundary: boundary.as_bytes(),
        at: Some(0),
    };
    let mut last = delimiters.next().ok_or(MimeError::NoDelimiter)?;
    let mut parts = [const { 0..0 }; N];
    let mut found = 0_usize;
    while !last.closing {
        let next = delimiters.next().ok_or(MimeError::Unclosed)?;
        let start = last.octets.end;
        // The line break before a delimiter may be the one that ends the delimiter before it.
        let part = start..next.octets.start.max(start);
        if let Some(place) = parts.get_mut(found) {
            *place = part;
        }
        found = found.saturating_add(1);
        if found > N {
            break;
        }
        last = next;
    }
    if found == N {
        Ok(parts)
    } else {
        Err(MimeError::Parts { found })
    }
}

/// The delimiters of a body in order. What only begins like one is content.
struct Delimiters<'a> {
    octets: &'a [u8],
    boundary: &'a [u8],
    /// Where the next line begins.
    at: Option<usize>,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        while let Some(at) = self.at {
            let line = self.octets.get(at..)?;
            self.at = next_line(line).map(|len| at.saturating_add(len));
            if let Some(closing) = self.kind(line) {
                return Some(Delimiter {
                    octets: at.saturating_sub(2)..self.at.unwrap_or(self.octets.len()),
                    closing,
                });
            }
        }
        None
    }
}

impl Delimiters<'_> {
    /// Whether a delimiter begins here, and if so whether it is the closing one.
    fn kind(&self, line: &[u8]) -> Option<bool> {
        let rest = line.strip_prefix(b"--")?.strip_prefix(self.boundary)?;
        let (rest, closing) = match rest.strip_prefix(b"--") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t'));
        let rest = rest.get(padding.count()..)?;
        (rest.starts_with(b"\r\n") || (closing && rest.is_empty())).then_some(closing)
    }
}

/// Octets up to where the next line begins. A line ends with CR and LF together.
fn next_line(octets: &[u8]) -> Option<usize> {
    let mut from = 0_usize;
    loop {
        let rest = octets.get(from..)?;
        let end = from.saturating_add(rest.iter().position(|b| *b == b'\n')?);
        from = end.saturating_add(1);
        if octets.get(..end)?.ends_with(b"\r") {
            return Some(from);
        }
    }
}

/// `start`, made longer until it occurs nowhere in `texts`.
///
/// Each character that is added is the one that follows fewest of the places where it occurs as it
/// is, so they become fewer by a factor of sixteen each time, whatever the texts.
pub(super) fn absent_from(mut start: String, texts: [&[u8]; 2]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    loop {
        let mut following = [0_usize; DIGITS.len()];
        let mut occurs = false;
        for text in texts {
            let ends = text.windows(start.len()).enumerate();
            let ends = ends.filter(|(_, window)| *window == start.as_bytes());
            for (at, _) in ends {
                occurs = true;
                let next = text.get(at.saturating_add(start.len()));
                let digit = DIGITS.iter().position(|digit| Some(digit) == next);
                if let Some(count) = digit.and_then(|digit| following.get_mut(digit)) {
                    *count = count.saturating_add(1);
                }
            }
        }
        if !occurs {
            return start;
        }
        let fewest = following
            .iter()
            .zip(DIGITS)
            .min_by_key(|(count, _)| **count);
        start.push(fewest.map_or('0', |(_, digit)| char::from(digit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(body: &str, boundary: &str) -> Result<[String; 2], MimeError> {
        let found = parts::<2>(body.as_bytes(), boundary)?;
        Ok(found.map(|range| body.get(range).unwrap().to_owned()))
    }

    #[test]
    fn boundaries_are_told_from_what_is_none() {
        let longest = "x".repeat(70);
        for good in ["b", "a b", "'()+_,-./:=?0Zz", "--", longest.as_str()] {
            assert!(is_boundary(good), "{good:?}");
        }
        let longer = "x".repeat(71);
        for bad in [
            "",
            " ",
            "a ",
            "a\r\nb",
            "a\"",
            "a;",
            "a@b",
            "\u{e4}",
            "a\0",
            longer.as_str(),
        ] {
            assert!(!is_boundary(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_line_break_before_a_delimiter_belongs_to_it() {
        for (body, first, second) in [
            ("--b\r\n1\r\n--b\r\n2\r\n--b--", "1", "2"),
            (
                "--b\r\n1\r\n\r\n--b\r\n\r\n2\n\r\n--b--\r\n",
                "1\r\n",
                "\r\n2\n",
            ),
            (
                "pre\r\n--b \t\r\n1\r\n--b\t\r\n2\r\n--b-- \r\nepi\r\n--b\r\n",
                "1",
                "2",
            ),
            ("--b\r\n\r\n--b\r\n\r\n--b--", "", ""),
            // Two delimiters that share a line break.
            ("--b\r\n--b\r\n--b--", "", ""),
            ("\r\n--b\r\n--b\r\n2\r\n--b--", "", "2"),
        ] {
            let found = two(body, "b").unwrap();
            assert_eq!(found, [first, second], "{body:?}");
        }
    }

    #[test]
    fn what_begins_like_a_delimiter_is_content() {
        for line in [
            "--bb", "--b-", "--b- -", "--b--x", "--b x", "--b---", "-b", " --b", "x--b", "--B",
            "--b\n", "--b\r", "--b--\n", "x\n--b\n",
        ] {
            let body = format!("--b\r\n{line}\r\n--b\r\n2\r\n--b--");
            assert_eq!(two(&body, "b").unwrap(), [line, "2"], "{line:?}");
        }
        // Only one LF alone before it: it is in the middle of a line.
        let body = "--b\r\n1\n--b\r\n--b\r\n2\r\n--b--";
        assert_eq!(two(body, "b").unwrap(), ["1\n--b", "2"]);
    }

    #[test]
    fn anything_but_two_parts_is_refused() {
        for (body, error) in [
            ("", MimeError::NoDelimiter),
            ("--c\r\n", MimeError::NoDelimiter),
            ("--b", MimeError::NoDelimiter),
            ("--b\n1\n--b\n2\n--b--\n", MimeError::NoDelimiter),
            ("--b\r\n", MimeError::Unclosed),
            ("--b\r\n1\r\n--b\r\n2", MimeError::Unclosed),
            ("--b\r\n1\r\n--b\r\n2\r\n--b-", MimeError::Unclosed),
            ("--b\r\n1\r\n--b\r\n2\r\n--b", MimeError::Unclosed),
            ("--b--", MimeError::Parts { found: 0 }),
            ("--b\r\n1\r\n--b--", MimeError::Parts { found: 1 }),
            (
                "--b\r\n1\r\n--b\r\n2\r\n--b\r\n3\r\n--b--",
                MimeError::Parts { found: 3 },
            ),
        ] {
            assert_eq!(two(body, "b"), Err(error), "{body:?}");
        }
    }

    #[test]
    fn a_boundary_is_found_against_any_odds() {
        let texts: [&[u8]; 2] = [b"--0 --01 --0f", b"aa"];
        let found = absent_from("a".to_owned(), texts);
        assert_eq!(found, "a0");
        // All continuations of up to two digits.
        let mut all = String::new();
        for first in "0123456789abcdef".chars() {
            for second in "0123456789abcdef".chars() {
                all.push_str(&format!("--{first}{second}"));
            }
        }
        let found = absent_from("-".to_owned(), [all.as_bytes(), b""]);
        assert!(!all.contains(&found), "{found}");
        assert!(found.len() <= 4, "{found}");
        let zeros = vec![b'0'; 100_000];
        assert_eq!(absent_from("0".repeat(32), [&zeros, &zeros]).len(), 33);
    }
}
