//! What names a subscription.

use core::fmt;

use super::MAX_TOKEN_LEN;
use super::error::InvalidToken;
use crate::engine::Entropy;
use crate::sip::Tag;
use crate::xml::is_xml_char;

/// What names a subscription among those of one watcher to one presentity: 1 to
/// [`MAX_TOKEN_LEN`] characters that mean nothing.
///
/// Tokens are compared character by character; white space counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(Box<str>);

impl Token {
    /// A token of the caller's choice.
    ///
    /// Gateways need only keep tokens apart by 40 octets (RFC 3859, 3.1), and a subscription that was
    /// ended must not be taken for another one: [`Token::random`] sees to both.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`].
    pub fn new(token: &str) -> Result<Self, InvalidToken> {
        check(token)?;
        Ok(Self(token.into()))
    }

    /// A token that was never used before: 128 random bits, as 26 small letters and digits.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        let (first, second) = (Tag::random(entropy), Tag::random(entropy));
        Self([first.as_str(), second.as_str()].concat().into())
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(token: &str) -> Result<(), InvalidToken> {
    if token.is_empty() {
        return Err(InvalidToken::Empty);
    }
    if !is_short(token) {
        return Err(InvalidToken::TooLong);
    }
    match token.chars().find(|&c| !is_xml_char(c)) {
        None => Ok(()),
        Some(c) => Err(InvalidToken::Character { code: u32::from(c) }),
    }
}

/// Whether it has no more characters than a token may have.
pub(super) fn is_short(token: &str) -> bool {
    token.len() <= MAX_TOKEN_LEN || token.chars().nth(MAX_TOKEN_LEN).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    // SDF-07
    #[test]
    fn tokens_have_one_to_eighty_characters_however_many_octets() {
        for character in ["x", "\u{E9}", "\u{20AC}", "\u{1F514}"] {
            assert!(Token::new(character).is_ok());
            let longest = character.repeat(80);
            let token = Token::new(&longest).unwrap();
            assert_eq!(
                (token.as_str(), token.to_string()),
                (&*longest, longest.clone())
            );
            let too_long = longest + character;
            assert_eq!(Token::new(&too_long), Err(InvalidToken::TooLong));
        }
        assert_eq!(Token::new(""), Err(InvalidToken::Empty));
        // They are opaque.
        for odd in [" ", "\t\r\n", "<&>", "a b", "\u{FFFD}"] {
            assert_eq!(Token::new(odd).unwrap().as_str(), odd);
        }
    }

    // SDF-07
    #[test]
    fn tokens_have_the_characters_of_xml() {
        for (odd, code) in [("a\0", 0), ("\u{1B}", 0x1B), ("\u{FFFE}", 0xFFFE)] {
            assert_eq!(Token::new(odd), Err(InvalidToken::Character { code }));
        }
    }

    // SDF-07: those that we make fit where only 40 octets are kept apart.
    #[test]
    fn random_tokens_take_all_bits_and_few_octets() {
        let mut seen = Vec::new();
        for bit in 0..128 {
            let mut at = 0;
            let mut one_bit = |buffer: &mut [u8]| {
                for byte in buffer {
                    *byte = if at == bit / 8 { 1 << (bit % 8) } else { 0 };
                    at += 1;
                }
            };
            let token = Token::random(&mut one_bit);
            assert!(token.as_str().is_ascii() && token.as_str().len() <= 40);
            assert_eq!(Token::new(token.as_str()).as_ref(), Ok(&token));
            assert!(!seen.contains(&token), "bit {bit}");
            seen.push(token);
        }
    }
}
