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
