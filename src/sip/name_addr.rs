//! Addresses: From, To, Contact, Route, Record-Route (RFC 3261 sections 20.10, 20.20, 20.30,
//! 20.34, 20.39).

use core::fmt;
use std::borrow::Cow;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{cut, recognize, success};
use nom::error::context;
use nom::multi::many0_count;
use nom::sequence::{delimited, pair, preceded, terminated};

use super::grammar::{
    Parsed, each_member, is_token, is_token_char, lws, quoted_string, sws, whole,
};
use super::params::{unquote, write_unfolded};
use super::{HeaderError, HeaderName, Params};

/// An address with what belongs to it: an optional display name, a URI, parameters of the field.
///
/// Read from `"Name" <uri>;params`, `<uri>;params` or `uri;params`; in the last form parameters
/// belong to the field and the URI has neither `?` nor `,` (RFC 3261 section 20.10).
/// [`Display`](fmt::Display) writes one form, always with brackets, without white space.
///
/// ```
/// use presentity::sip::NameAddr;
///
/// let from = NameAddr::parse("sip:ann@example.com;tag=88")?;
/// assert_eq!((from.uri(), from.tag()), ("sip:ann@example.com", Some("88")));
/// assert_eq!(from.to_string(), "<sip:ann@example.com>;tag=88");
/// # Ok::<(), presentity::sip::HeaderError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// As it stands: a quoted string, or words; empty when there is none.
    display: &'a str,
    uri: &'a str,
    params: Params<'a>,
    tag: Option<&'a str>,
}

impl<'a> NameAddr<'a> {
    /// Reads a field value that is one address.
    ///
    /// The URI is checked for its scheme and for characters that no URI has;
    /// [`Uri::parse`](super::Uri::parse) reads it.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`], without the name of the field (see
    /// [`HeaderError::in_field`]).
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        whole(None, text, name_addr)
    }

    /// The display name without quotes, escapes and folding; nothing when there is none or an
    /// empty one.
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        let name = if self.display.starts_with('"') {
            unquote(self.display)
        } else {
            one_space_between_words(self.display)
        };
        (!name.is_empty()).then_some(name)
    }

    /// The URI as it stands, without brackets.
    pub fn uri(&self) -> &'a str {
        self.uri
    }

    /// The parameters of the field (not those of the URI).
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `tag` parameter (RFC 3261 section 19.3); tags compare byte by byte.
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }
}

impl fmt::Display for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.display.starts_with('"') {
            write_unfolded(f, self.display)?;
            f.write_str(" ")?;
        } else if !self.display.is_empty() {
            // Words hold no quote and no backslash.
            write!(f, "\"{}\" ", one_space_between_words(self.display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// What the Contact fields of a message hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contacts<'a> {
    /// `*`: all of them; for REGISTER alone (RFC 3261 section 10.2.2).
    Star,
    /// Addresses in order; none when there is no field, or nothing in it.
    List(Vec<NameAddr<'a>>),
}

impl<'a> Contacts<'a> {
    /// Reads the values of all Contact fields of a message.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] when a member is no address, or `*` is not the only one.
    pub fn parse<I>(values: I) -> Result<Self, HeaderError>
    where
        I: IntoIterator<Item = &'a str>,
    {
        let name = Some(HeaderName::Contact);
        let mut values = values.into_iter();
        let Some(first) = values.next() else {
            return Ok(Self::List(Vec::new()));
        };
        if whole(name, first, char('*')).is_ok() {
            return match values.next() {
                None => Ok(Self::Star),
                Some(_) => {
                    let expected = "nothing besides `*`";
                    Err(HeaderError::Malformed {
                        name,
                        offset: 0,
                        expected,
                    })
                }
            };
        }
        let mut list = Vec::new();
        for value in core::iter::once(first).chain(values) {
            each_member(name, value, name_addr, |contact| list.push(contact))?;
        }
        Ok(Self::List(list))
    }

    /// The address when there is exactly one, as SUBSCRIBE and NOTIFY must have (RFC 3261
    /// section 8.1.1.8).
    pub fn only(&self) -> Option<NameAddr<'a>> {
        match self {
            Self::List(list) => match list.as_slice() {
                [contact] => Some(*contact),
                _ => None,
            },
            Self::Star => None,
        }
    }
}

/// Reads the values of all Route or all Record-Route fields of a message, in order.
///
/// # Errors
/// [`HeaderError::Malformed`] when a member is no address in angle brackets; without the name of
/// the field (see [`HeaderError::in_field`]).
pub fn parse_routes<'a, I>(values: I) -> Result<Vec<NameAddr<'a>>, HeaderError>
where
    I: IntoIterator<Item = &'a str>,
{
    let mut list = Vec::new();
    for value in values {
        // Without brackets the `lr` of the URI would be read as a parameter of the field.
        each_member(None, value, route, |address| list.push(address))?;
    }
    Ok(list)
}

fn name_addr(input: &str) -> Parsed<'_, NameAddr<'_>> {
    let (rest, parts) = alt((bracketed, bare)).parse(input)?;
    with_params(rest, parts)
}

fn route(input: &str) -> Parsed<'_, NameAddr<'_>> {
    let (rest, parts) = bracketed(input)?;
    with_params(rest, parts)
}

fn with_params<'a>(input: &'a str, (display, uri): (&'a str, &'a str)) -> Parsed<'a, NameAddr<'a>> {
    let mut tag = None;
    let (rest, params) = Params::read(input, |name, value| {
        if name.eq_ignore_ascii_case("tag") {
            match value {
                Some(value) if tag.is_none() && is_token(value) => tag = Some(value),
                _ => return Err("a single tag that is a token"),
            }
        }
        Ok(())
    })?;
    Ok((
        rest,
        NameAddr {
            display,
            uri,
            params,
            tag,
        },
    ))
}

/// Display name and URI of `name <uri>`.
fn bracketed(input: &str) -> Parsed<'_, (&str, &str)> {
    let is_uri_char = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"');
    pair(
        alt((quoted_string, words, success(""))),
        delimited(
            (sws, context("an address", char('<'))),
            cut(uri(is_uri_char)),
            cut(context("a closing angle bracket", char('>'))),
        ),
    )
    .parse(input)
}

/// The URI alone, up to white space or what must not stand in it without brackets.
fn bare(input: &str) -> Parsed<'_, (&str, &str)> {
    let is_uri_char =
        |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | ';' | '?' | ',');
    uri(is_uri_char).map(|uri| ("", uri)).parse(input)
}

/// A display name without quotes. The grammar has tokens only; other scripts are let pass.
fn words(input: &str) -> Parsed<'_, &str> {
    let is_word_char = |c: char| is_token_char(c) || (!c.is_ascii() && !c.is_control());
    let mut words = recognize(pair(
        take_while1(is_word_char),
        many0_count(preceded(lws, take_while1(is_word_char))),
    ));
    words.parse(input)
}

fn uri<'a>(
    is_uri_char: impl Fn(char) -> bool,
) -> impl Parser<&'a str, Output = &'a str, Error = super::grammar::Mismatch> {
    let scheme = (
        satisfy(|c| c.is_ascii_alphabetic()),
        take_while(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')),
        char(':'),
    );
    context(
        "a URI",
        recognize(terminated(scheme, take_while1(is_uri_char))),
    )
}

fn one_space_between_words(words: &str) -> Cow<'_, str> {
    if !words.contains(['\t', '\r']) && !words.contains("  ") {
        return Cow::Borrowed(words);
    }
    let mut text = String::with_capacity(words.len());
    for word in words.split_ascii_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    Cow::Owned(text)
}
