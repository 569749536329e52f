//! Entity-tags: SIP-ETag, SIP-If-Match (RFC 3903 section 11.3), Suppress-If-Match (RFC 5839).

use nom::combinator::verify;
use nom::error::context;

use super::grammar::{token, whole};
use super::{HeaderError, HeaderName};

/// Reads a value that is exactly one entity-tag; entity-tags compare byte by byte.
///
/// `*` is read in Suppress-If-Match alone, where it stands for any: a publication cannot have that
/// name.
///
/// # Errors
/// [`HeaderError::Malformed`], for a list too (PUA-11).
pub fn parse_entity_tag(name: HeaderName, text: &str) -> Result<&str, HeaderError> {
    let may_be_star = name == HeaderName::SuppressIfMatch;
    let tag = verify(token, |tag: &str| may_be_star || tag != "*");
    whole(Some(name), text, context("one entity-tag", tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    // PUA-11
    #[test]
    fn one_entity_tag_and_no_list_of_them() {
        let name = HeaderName::SipIfMatch;
        for text in ["a", "dx200xyz", "A.b-!%_+`'~*", "**"] {
            assert_eq!(parse_entity_tag(name, text), Ok(text));
            assert_eq!(parse_entity_tag(name, &format!("\t{text}\r\n ")), Ok(text));
        }
        for text in [
            "", " ", "a, b", "a,", "a b", "\"a\"", "W/\"a\"", "*", "a;b", "é", "a\n", "a\0",
        ] {
            let error = parse_entity_tag(name, text).unwrap_err();
            assert_eq!(error.name(), Some(name), "{text:?}");
        }
    }

    #[test]
    fn a_star_stands_for_any_in_suppress_if_match_alone() {
        assert_eq!(parse_entity_tag(HeaderName::SuppressIfMatch, "*"), Ok("*"));
        assert!(parse_entity_tag(HeaderName::SipEtag, "*").is_err());
    }
}
