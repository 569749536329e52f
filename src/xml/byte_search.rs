//! Looking at bytes, eight at a time.

use super::name::is_space;

/// Where the next `<` or `&` is, or the end.
#[inline]
pub(super) fn find_markup(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, bytes.len(), |word| {
        has_byte(word, b'<') | has_byte(word, b'&')
    })
}

/// The first place in `from..end` whose byte is marked, or `end`; looks at eight bytes at a time.
///
/// `mark` sets the highest bit of every byte that it looks for. Above the lowest such byte it may
/// set others as well.
#[inline]
pub(super) fn find(bytes: &[u8], from: usize, end: usize, mark: impl Fn(u64) -> u64) -> usize {
    let mut at = from;
    while at < end {
        let word = match bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => u64::from_le_bytes(*word),
            None => last_word(bytes, at),
        };
        let found = mark(word);
        if found != 0 {
            // At most 7: the position of the lowest marked byte.
            let within = (found.trailing_zeros() / 8) as usize;
            return at.saturating_add(within).min(end);
        }
        at = at.saturating_add(8);
    }
    end
}

/// The last few bytes from `at` on, and then bytes that no document has.
#[inline]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let left = bytes.len().saturating_sub(at).min(7);
    let spare = u32::try_from(8usize.saturating_sub(left)).unwrap_or(8) * 8;
    if let Some(word) = bytes.last_chunk::<8>() {
        let shifted = u64::from_le_bytes(*word).checked_shr(spare).unwrap_or(0);
        return shifted | !(u64::MAX.checked_shr(spare).unwrap_or(0));
    }
    let mut word = [0xFF; 8];
    for (to, byte) in word.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *to = *byte;
    }
    u64::from_le_bytes(word)
}

/// The first eight bytes, or all that there are and then zeros.
#[inline]
pub(super) const fn first_word(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.first_chunk() {
        return u64::from_le_bytes(*word);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // The two may share some.
        let apart = (bytes.len() as u32).saturating_sub(4).saturating_mul(8);
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return first as u64 | ((last as u64) << apart);
    }
    match *bytes {
        [one] => one as u64,
        [one, two] => u16::from_le_bytes([one, two]) as u64,
        [one, two, three, ..] => u32::from_le_bytes([one, two, three, 0]) as u64,
        [] => 0,
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the bytes that are `byte`; of the marks the lowest is right.
#[inline]
pub(super) fn has_byte(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ LOW.wrapping_mul(u64::from(byte));
    zero_where_equal.wrapping_sub(LOW) & !zero_where_equal & HIGH
}

/// Marks the bytes below a blank; of the marks the lowest is right.
#[inline]
pub(super) fn has_control(word: u64) -> u64 {
    word.wrapping_sub(LOW.wrapping_mul(0x20)) & !word & HIGH
}

/// Moves `at` over white space, no further than `end`; whether there was any.
#[inline]
pub(super) fn skip_space(bytes: &[u8], at: &mut usize, end: usize) -> bool {
    let from = *at;
    let rest = bytes.get(from..end).unwrap_or_default();
    let spaces = rest.iter().position(|&byte| !is_space(byte));
    *at = spaces.map_or(end.max(from), |spaces| from.saturating_add(spaces));
    *at > from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_what_there_is() {
        let text = b"\xFFbcdefgh\x80j";
        for length in 0..=text.len() {
            let mut word = [0; 8];
            for (to, byte) in word.iter_mut().zip(&text[..length]) {
                *to = *byte;
            }
            assert_eq!(first_word(&text[..length]).to_le_bytes(), word);
        }
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        let text =
            b"ab<cd&ef\"gh'\ti\nj\r\x7F\x80\xFF <!\x1F\x20<<&&;=%$ and some more to fill blocks";
        for from in 0..=text.len() {
            for end in from..=text.len() {
                let plain = |wanted: &dyn Fn(u8) -> bool| {
                    let found = text[from..end].iter().position(|&b| wanted(b));
                    found.map_or(end, |found| from + found)
                };
                assert_eq!(
                    find(text, from, end, |w| has_byte(w, b'<') | has_byte(w, b'&')),
                    plain(&|b| b == b'<' || b == b'&')
                );
                assert_eq!(find(text, from, end, has_control), plain(&|b| b < b' '));
                let mut at = from;
                let moved = skip_space(text, &mut at, end);
                assert_eq!(at, plain(&|b| !is_space(b)));
                assert_eq!(moved, at > from);
            }
        }
    }
}
