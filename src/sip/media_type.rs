//! Media types and what is done with a body: Content-Type, Content-Disposition.

use core::fmt;
use std::borrow::Cow;

use nom::Parser;
use nom::error::context;
use nom::sequence::separated_pair;

use super::grammar::{Parsed, separator, token, token_for, whole};
use super::{HeaderError, HeaderName, Params};

/// A media type with its parameters: a Content-Type value (RFC 3261 section 20.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaType<'a> {
    /// The type, as it stands; compares without case.
    pub type_: &'a str,
    /// The subtype, as it stands; compares without case.
    pub subtype: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads a Content-Type value.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`], for a parameter without value too.
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        whole(Some(HeaderName::ContentType), text, |input| {
            media_type(input, |_, _| Ok(()))
        })
    }

    /// Whether type and subtype are `essence`, written `type/subtype`, whatever the parameters.
    pub fn essence_eq(&self, essence: &str) -> bool {
        essence
            .split_once('/')
            .is_some_and(|(type_, subtype)| self.is(type_, subtype))
    }

    pub(super) fn is(&self, type_: &str, subtype: &str) -> bool {
        // Nearly all senders write them in lower case, as we do.
        (self.subtype == subtype && self.type_ == type_)
            || (self.subtype.eq_ignore_ascii_case(subtype)
                && self.type_.eq_ignore_ascii_case(type_))
    }

    /// The value of the parameter of this name, without quotes and escapes.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params.unquoted(name)
    }
}

impl fmt::Display for MediaType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.type_, self.subtype, self.params)
    }
}

/// A type with its parameters, of which each has a value, but for those that `visit` lets pass.
pub(super) fn media_type<'a>(
    input: &'a str,
    mut visit: impl FnMut(&'a str, Option<&'a str>) -> Result<(), &'static str>,
) -> Parsed<'a, MediaType<'a>> {
    let (rest, (type_, subtype)) = separated_pair(
        token_for("a type"),
        context("a slash", separator(b'/')),
        token_for("a subtype"),
    )
    .parse(input)?;
    let (rest, params) = Params::read(rest, |name, value| {
        if value.is_none() {
            return Err("a parameter with a value");
        }
        visit(name, value)
    })?;
    Ok((
        rest,
        MediaType {
            type_,
            subtype,
            params,
        },
    ))
}

/// A Content-Disposition value (RFC 3261 section 20.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContentDisposition<'a> {
    /// How the body is meant to be used, as it stands; compares without case.
    pub disposition: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> ContentDisposition<'a> {
    /// Reads a Content-Disposition value.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        whole(Some(HeaderName::ContentDisposition), text, |input| {
            let (rest, disposition) = token(input)?;
            let (rest, params) = Params::read(rest, |_, _| Ok(()))?;
            Ok((
                rest,
                Self {
                    disposition,
                    params,
                },
            ))
        })
    }

    /// Whether a body that is not understood may be passed over; without word of it, it may not.
    pub fn handling_optional(&self) -> bool {
        self.params
            .get("handling")
            .flatten()
            .is_some_and(|how| how.eq_ignore_ascii_case("optional"))
    }
}

impl fmt::Display for ContentDisposition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.disposition, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_compares_without_case_and_parameters() {
        for text in [
            "application/pidf+xml",
            "APPLICATION / PIDF+XML",
            "application\r\n /pidf+xml ; charset = \"UTF-8\"",
            "application/pidf+xml;charset=utf-8;x=y",
        ] {
            let media = MediaType::parse(text).unwrap();
            assert!(media.essence_eq("application/pidf+xml"), "{text:?}");
            assert!(!media.essence_eq("application/pidf"), "{text:?}");
            assert!(!media.essence_eq("application"), "{text:?}");
        }
        let media = MediaType::parse(
            "multipart/related;type=\"application/pidf+xml\" ; boundary=\"a\\\"b\"",
        );
        let media = media.unwrap();
        assert_eq!(media.param("Boundary").as_deref(), Some("a\"b"));
        assert_eq!((media.type_, media.subtype), ("multipart", "related"));
        let written = "multipart/related;type=\"application/pidf+xml\";boundary=\"a\\\"b\"";
        assert_eq!(media.to_string(), written);
    }

    // CVE-2026-45084
    #[test]
    fn a_broken_content_type_is_refused() {
        for text in [
            "",
            "/",
            "text",
            "text/",
            "/plain",
            "text/plain/x",
            "text/plain;",
            "text/plain;charset",
            "text/plain;charset=",
            "text/plain;=x",
            "text plain",
            "text/plain, text/html",
            "text/plain;a=\"b",
            "text/pl\0ain",
            "text/plain\r\n",
            "t\u{e9}xt/plain",
        ] {
            let error = MediaType::parse(text).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::ContentType), "{text:?}");
        }
    }

    #[test]
    fn handling_is_required_unless_it_is_optional() {
        let parse = |text| ContentDisposition::parse(text).unwrap();
        assert!(!parse("render").handling_optional());
        assert!(!parse("render;handling=required").handling_optional());
        assert!(!parse("render;handling").handling_optional());
        assert!(parse("early-session ; Handling = OPTIONAL").handling_optional());
        assert_eq!(parse("Signal;filename=\"a b\"").disposition, "Signal");
        assert_eq!(
            parse("signal ; filename=\"a b\"").to_string(),
            "signal;filename=\"a b\""
        );
        for text in ["", ";handling=optional", "a b", "a;", "a,b", "a\n"] {
            let error = ContentDisposition::parse(text).unwrap_err();
            assert_eq!(
                error.name(),
                Some(HeaderName::ContentDisposition),
                "{text:?}"
            );
        }
    }
}
