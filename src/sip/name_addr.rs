//! Addresses: From, To, Contact, Route, Record-Route (RFC 3261 sections 20.10, 20.20, 20.30,
//! 20.34, 20.39).

use core::fmt;
use std::borrow::Cow;

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, recognize, success};
use nom::multi::many0_count;
use nom::sequence::{pair, preceded};

use super::accept::parse_quality;
use super::byte_set::ByteSet;
use super::grammar::{
    Parsed, each_member, is_token, lws, mismatch, quoted_string, some_text_of, sws, symbol,
    symbol_for, whole,
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

    /// How much a contact is preferred to others, in thousandths; 1000 when it does not say, or says
    /// nothing that can be read (RFC 3261 section 20.10).
    pub fn quality(&self) -> u16 {
        let value = self.params().get("q").flatten();
        value.and_then(parse_quality).unwrap_or(1000)
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
        if whole(name, first, symbol(b'*')).is_ok() {
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

/// The address when the Contact fields of a message hold exactly one.
///
/// # Errors
/// [`HeaderError::Malformed`] when a member is no address.
pub(crate) fn parse_only_contact<'a, I>(values: I) -> Result<Option<NameAddr<'a>>, HeaderError>
where
    I: IntoIterator<Item = &'a str>,
{
    let (mut first, mut several) = (None, false);
    for value in values {
        each_member(Some(HeaderName::Contact), value, name_addr, |contact| {
            several = first.is_some();
            first.get_or_insert(contact);
        })?;
    }
    Ok(first.filter(|_| !several))
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

/// What a URI in brackets is read up to; its own grammar is stricter.
static IN_BRACKETS: ByteSet = ByteSet::GRAPHIC.without("<>\"");
static WITHOUT_BRACKETS: ByteSet = ByteSet::GRAPHIC.without("<>\";?,");
static SCHEME: ByteSet = ByteSet::ALPHANUMERIC.and("+-.");
/// A word of a display name.
static WORD: ByteSet = ByteSet::ALPHANUMERIC.and("-.!%*_+`'~").and_non_ascii();

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
    let (rest, display) = display(input)?;
    let (rest, _) = (sws, symbol_for(b'<', "an address")).parse(rest)?;
    let (rest, uri) = cut(uri(&IN_BRACKETS)).parse(rest)?;
    let (rest, ()) = cut(symbol_for(b'>', "a closing angle bracket")).parse(rest)?;
    Ok((rest, (display, uri)))
}

/// A display name as it stands, or nothing.
fn display(input: &str) -> Parsed<'_, &str> {
    match input.as_bytes().first() {
        Some(b'<') => Ok((input, "")),
        Some(b'"') => quoted_string(input),
        _ => alt((words, success(""))).parse(input),
    }
}

/// The URI alone, up to white space or what must not stand in it without brackets.
fn bare(input: &str) -> Parsed<'_, (&str, &str)> {
    uri(&WITHOUT_BRACKETS).map(|uri| ("", uri)).parse(input)
}

/// A display name without quotes. The grammar has tokens only; other scripts are let pass.
fn words(input: &str) -> Parsed<'_, &str> {
    recognize(pair(
        some_text_of(&WORD),
        many0_count(preceded(lws, some_text_of(&WORD))),
    ))
    .parse(input)
}

/// A URI of these characters: something behind a scheme.
fn uri<'a>(
    set: &'static ByteSet,
) -> impl Parser<&'a str, Output = &'a str, Error = super::grammar::Mismatch> {
    move |input: &'a str| match input.split_at_checked(set.run(input)) {
        Some((uri, rest)) if has_scheme(uri) => Ok((rest, uri)),
        _ => mismatch(input, "a URI"),
    }
}

fn has_scheme(uri: &str) -> bool {
    // What nearly all of them have.
    if uri.starts_with("sip:") {
        return uri.len() > "sip:".len();
    }
    let (scheme, rest) = uri.split_at_checked(SCHEME.run(uri)).unwrap_or((uri, ""));
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.starts_with(':') && rest.len() > 1
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> NameAddr<'_> {
        NameAddr::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[test]
    fn the_forms_of_an_address_are_read_and_written_as_one() {
        let uri = "sip:ann@example.com";
        for (text, name, written) in [
            ("sip:ann@example.com", None, "<sip:ann@example.com>"),
            ("<sip:ann@example.com>", None, "<sip:ann@example.com>"),
            (
                " \r\n <sip:ann@example.com> \r\n ",
                None,
                "<sip:ann@example.com>",
            ),
            (
                "Ann<sip:ann@example.com>",
                Some("Ann"),
                "\"Ann\" <sip:ann@example.com>",
            ),
            (
                "Ann  B.\r\n Cole <sip:ann@example.com>",
                Some("Ann B. Cole"),
                "\"Ann B. Cole\" <sip:ann@example.com>",
            ),
            (
                "Zoë 日本 <sip:ann@example.com>",
                Some("Zoë 日本"),
                "\"Zoë 日本\" <sip:ann@example.com>",
            ),
            (
                "\"\" <sip:ann@example.com>",
                None,
                "\"\" <sip:ann@example.com>",
            ),
            (
                "\"A \\\"x\\\\ <sip:no@example.com>, 日\"<sip:ann@example.com>",
                Some("A \"x\\ <sip:no@example.com>, 日"),
                "\"A \\\"x\\\\ <sip:no@example.com>, 日\" <sip:ann@example.com>",
            ),
            (
                "\"two\r\n lines\" <sip:ann@example.com>",
                Some("two lines"),
                "\"two lines\" <sip:ann@example.com>",
            ),
        ] {
            let address = parse(text);
            assert_eq!(address.uri(), uri, "{text:?}");
            assert_eq!(address.display_name().as_deref(), name, "{text:?}");
            assert_eq!(address.to_string(), written, "{text:?}");
            let again = parse(written);
            assert_eq!(again.display_name(), address.display_name());
            assert_eq!(again.to_string(), written);
        }
    }

    #[test]
    fn without_brackets_parameters_belong_to_the_field() {
        let address = parse("sip:ann@example.com;transport=tcp ; tag=1");
        assert_eq!(address.uri(), "sip:ann@example.com");
        assert_eq!(address.params().get("transport"), Some(Some("tcp")));
        assert_eq!(address.tag(), Some("1"));
        let address = parse("<sip:ann@example.com;transport=tcp?a=b,c>;TAG=x.Y-z");
        assert_eq!(address.uri(), "sip:ann@example.com;transport=tcp?a=b,c");
        assert_eq!(address.params().get("transport"), None);
        assert_eq!(address.tag(), Some("x.Y-z"));
        // What the grammar keeps out of a URI without brackets.
        for text in [
            "sip:ann@example.com?a=b",
            "sip:ann,b@example.com",
            "sip:a;b@example.com",
        ] {
            assert!(NameAddr::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn other_schemes_and_odd_parameters_are_let_pass() {
        assert_eq!(
            parse("<pres:ann@example.com>").uri(),
            "pres:ann@example.com"
        );
        assert_eq!(parse("tel:+15550100;tag=1").uri(), "tel:+15550100");
        let contact =
            parse("<sip:[2001:db8::9]:5080;ob>;+sip.instance=\"<urn:uuid:0>\";expires=60");
        assert_eq!(contact.uri(), "sip:[2001:db8::9]:5080;ob");
        assert_eq!(
            contact.params().unquoted("+SIP.instance").as_deref(),
            Some("<urn:uuid:0>")
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            " ",
            "*",
            "<>",
            "<sip:>",
            "<sip:a@b",
            "sip:a@b>",
            "ann@example.com",
            "<ann>",
            "<:a>",
            "<1sip:a@b>",
            "Ann, B <sip:a@b>",
            "Ann (x) <sip:a@b>",
            "\"Ann <sip:a@b>",
            "a\"b\" <sip:a@b>",
            "< sip:a@b>",
            "<sip:a@b >",
            "<sip:a b@c>",
            "<sip:a@b>;",
            "<sip:a@b>;tag",
            "<sip:a@b>;tag=",
            "<sip:a@b>;tag=1;tag=1",
            "<sip:a@b>;tag=\"1\"",
            "<sip:a@b>;tag=[1]",
            "<sip:a@b> x",
            "<sip:a@b>, <sip:c@d>",
            "<sip:a@b>;x=<y>",
            "<sip:a<b@c>",
            "<sip:ä@b>",
            "<sip:a@b>\r\n",
            "<sip:a@b>;x=1\r\nEvil: 1",
            "<sip:a\r\n b@c>",
            "\"a\0\" <sip:a@b>",
            "\u{7f}<sip:a@b>",
            "a\u{85} <sip:a@b>",
            "<sip:a\0@b>",
            "\"a\nb\" <sip:a@b>",
        ] {
            let error = NameAddr::parse(text);
            assert!(
                matches!(error, Err(HeaderError::Malformed { name: None, .. })),
                "{text:?}"
            );
        }
        // Of the forms that it could have had, the one that came further tells what is wrong.
        let error = NameAddr::parse("Ann (x) <sip:ann@example.com>");
        let expected = "an address";
        assert_eq!(
            error,
            Err(HeaderError::Malformed {
                name: None,
                offset: 4,
                expected
            })
        );
        let error = NameAddr::parse("Ann <sip:ann@example.com");
        let expected = "a closing angle bracket";
        assert_eq!(
            error,
            Err(HeaderError::Malformed {
                name: None,
                offset: 24,
                expected
            })
        );
    }

    #[test]
    fn contacts_come_from_one_field_or_several() {
        let values = [
            "<sip:a@x>;expires=1, \"B, <b>\" <sip:b@x>",
            "",
            ", sip:c@x;q=0.5 ,",
        ];
        let Contacts::List(list) = Contacts::parse(values).unwrap() else {
            panic!("no list")
        };
        let uris: Vec<_> = list.iter().map(NameAddr::uri).collect();
        assert_eq!(uris, ["sip:a@x", "sip:b@x", "sip:c@x"]);
        assert_eq!(list[1].display_name().as_deref(), Some("B, <b>"));
        assert_eq!(Contacts::parse(values).unwrap().only(), None);
        let one = Contacts::parse(["sip:c@x"]).unwrap();
        assert_eq!(one.only().map(|contact| contact.uri()), Some("sip:c@x"));
        assert_eq!(Contacts::parse([]), Ok(Contacts::List(Vec::new())));
    }

    // CVE-2010-2840: a SUBSCRIBE with an odd Contact.
    #[test]
    fn a_star_stands_alone() {
        assert_eq!(Contacts::parse([" * "]), Ok(Contacts::Star));
        assert_eq!(Contacts::Star.only(), None);
        for values in [
            &["*", "*"][..],
            &["*, *"],
            &["*", "sip:a@x"],
            &["sip:a@x", "*"],
            &["*;a=b"],
        ] {
            assert!(
                Contacts::parse(values.iter().copied()).is_err(),
                "{values:?}"
            );
        }
        let error = Contacts::parse(["garbage"]).unwrap_err();
        assert_eq!(error.name(), Some(HeaderName::Contact));
    }

    #[test]
    fn routes_keep_their_order_and_need_brackets() {
        let values = [
            "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>;x=1",
            "P <sip:p3.example.com>",
        ];
        let routes = parse_routes(values).unwrap();
        let uris: Vec<_> = routes.iter().map(NameAddr::uri).collect();
        assert_eq!(
            uris,
            [
                "sip:p1.example.com;lr",
                "sip:p2.example.com;lr",
                "sip:p3.example.com"
            ]
        );
        assert_eq!(parse_routes([""]), Ok(Vec::new()));
        assert!(parse_routes(["sip:p1.example.com;lr"]).is_err());
    }

    #[test]
    fn hostile_lengths_cost_one_pass() {
        let many = "<sip:a@x>,".repeat(10_000);
        let Ok(Contacts::List(list)) = Contacts::parse([many.as_str()]) else {
            panic!("no list")
        };
        assert_eq!(list.len(), 10_000);
        assert_eq!(
            Contacts::parse([",".repeat(64 * 1024).as_str()]),
            Ok(Contacts::List(Vec::new()))
        );
        for text in [
            "\"".to_owned() + &"\\a".repeat(64 * 1024),
            "<sip:".to_owned() + &"a".repeat(64 * 1024),
            "a ".repeat(64 * 1024),
            "a".repeat(64 * 1024),
            "<".repeat(64 * 1024),
            "<sip:a@x>".to_owned() + &" ".repeat(64 * 1024) + "x",
            "<sip:a@x>".to_owned() + &";a=\"".repeat(64 * 1024 + 1),
        ] {
            assert!(NameAddr::parse(&text).is_err());
        }
        let long = format!(
            "\"{}\" <sip:{}@x>;tag={}",
            "n".repeat(65536),
            "u".repeat(65536),
            "t".repeat(65536)
        );
        assert_eq!(parse(&long).tag().map(str::len), Some(65536));
    }
}
