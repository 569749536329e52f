//! Start tags: names, attributes and declarations of namespaces.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is compared with the end of the text"
)]

use std::borrow::Cow;

use super::byte_search::{find, has_byte, has_control, skip_space};
use super::error::{XmlErrorKind, XmlLimit, excerpt};
use super::limits::XmlLimits;
use super::name::is_nc_name;
use super::namespace::NamespaceId;
use super::reference::normalized_value;
use super::refusal::{Checked, over, refuse, syntax};
use super::scope::{BindingId, Scope, ScopeMark};

/// The name in a start tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StartTag<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) local: &'a str,
    pub(super) binding: BindingId,
}

/// An attribute of a start tag; declarations of namespaces are not among them.
#[derive(Debug)]
pub(crate) struct RawAttribute<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) local: &'a str,
    pub(crate) value: Cow<'a, str>,
    prefix: &'a str,
    pub(super) binding: BindingId,
}

/// The text of a document and its bounds.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) limits: XmlLimits,
}

/// A start tag as it stands in the text.
#[derive(Debug)]
pub(super) struct TagSpan<'a> {
    /// The element's name as written.
    pub(super) name: &'a str,
    /// Where what follows begins.
    pub(super) end: usize,
    /// Whether the element ends with the tag.
    pub(super) empty: bool,
}

/// Where a name ends and where its colon is.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameSpan {
    pub(super) colon: Option<usize>,
    pub(super) end: usize,
}

impl<'a> Source<'a> {
    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline]
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// Reads a tag from behind the element's name. Declarations go into the scope, whose state before is `outside`, all other attributes into the list.
    ///
    /// Gives the name's binding and local part, and how the tag stands in the text.
    #[inline]
    pub(super) fn start_tag(
        &self,
        start: usize,
        name: NameSpan,
        scope: &mut Scope<'a>,
        outside: ScopeMark,
        attributes: &mut Vec<RawAttribute<'a>>,
    ) -> Checked<(BindingId, &'a str, TagSpan<'a>)> {
        attributes.clear();
        // Most tags consist of a name alone.
        let (end, empty) = match self.byte(name.end) {
            Some(b'>') => (name.end.saturating_add(1), false),
            _ => self.attributes(name.end, scope, outside, attributes)?,
        };
        if !attributes.is_empty() {
            resolve(attributes, scope, start)?;
        }
        let (binding, local) = match name.colon {
            None => (scope.default_binding(), self.slice(start, name.end)),
            Some(colon) => {
                let prefix = self.slice(start, colon);
                if matches!(prefix, "xml" | "xmlns") {
                    let prefix = excerpt(prefix);
                    return refuse(XmlErrorKind::ReservedPrefix { prefix }, start);
                }
                let local = self.slice(colon.saturating_add(1), name.end);
                (scope.bound(prefix, start)?, local)
            }
        };
        let span = TagSpan {
            name: self.slice(start, name.end),
            end,
            empty,
        };
        Ok((binding, local, span))
    }

    /// All that stands between an element's name and the end of its tag; gives that end, and whether
    /// the element ends with it.
    fn attributes(
        &self,
        from: usize,
        scope: &mut Scope<'a>,
        outside: ScopeMark,
        attributes: &mut Vec<RawAttribute<'a>>,
    ) -> Checked<(usize, bool)> {
        let bytes = self.text.as_bytes();
        let end = bytes.len();
        let mut at = from;
        loop {
            let spaced = skip_space(bytes, &mut at, end);
            match bytes.get(at..) {
                Some([b'>', ..]) => return Ok((at + 1, false)),
                Some([b'/', b'>', ..]) => return Ok((at + 2, true)),
                _ => {}
            }
            if !spaced {
                return syntax("white space before an attribute, or the end of the tag", at);
            }
            let begin = at;
            let name = self.qualified_name(begin, end)?;
            at = name.end;
            skip_space(bytes, &mut at, end);
            if at >= end || bytes[at] != b'=' {
                return syntax("= and a value after an attribute's name", at);
            }
            at += 1;
            skip_space(bytes, &mut at, end);
            if at >= end || !matches!(bytes[at], b'"' | b'\'') {
                return syntax("a quoted attribute value", at);
            }
            let quote = bytes[at];
            at += 1;
            let value = self.attribute_value(&mut at, end, quote)?;
            let (prefix, local) = match name.colon {
                None => ("", self.slice(begin, name.end)),
                Some(colon) => (
                    self.slice(begin, colon),
                    self.slice(colon.saturating_add(1), name.end),
                ),
            };
            match (prefix, local) {
                ("xmlns", declared) => scope.declare(declared, &value, outside, begin)?,
                ("", "xmlns") => scope.declare("", &value, outside, begin)?,
                _ if attributes.len() >= self.limits.attributes => {
                    return over(XmlLimit::Attributes, self.limits.attributes, begin);
                }
                _ => attributes.push(RawAttribute {
                    namespace: NamespaceId::NONE,
                    local,
                    value,
                    prefix,
                    binding: BindingId::NONE,
                }),
            }
        }
    }

    /// Reads up to the closing quote and leaves `at` behind it (XML 1.0, 3.3.3).
    #[inline]
    fn attribute_value(&self, at: &mut usize, end: usize, quote: u8) -> Checked<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        let start = *at;
        let stop = find(bytes, start, end, |word| {
            has_byte(word, quote) | has_byte(word, b'<')
        });
        if stop >= end {
            return syntax("the closing quote of an attribute value", start);
        }
        if bytes[stop] != quote {
            return syntax("no < in an attribute value", stop);
        }
        *at = stop + 1;
        if stop - start > self.limits.text {
            return over(XmlLimit::Text, self.limits.text, start);
        }
        let raw = self.slice(start, stop);
        let special = find(bytes, start, stop, |word| {
            has_byte(word, b'&') | has_control(word)
        });
        if special == stop {
            return Ok(Cow::Borrowed(raw));
        }
        normalized_value(raw, start).map(Cow::Owned)
    }

    /// Reads a name with at most one colon, no further than `end`.
    #[inline]
    pub(super) fn qualified_name(&self, start: usize, end: usize) -> Checked<NameSpan> {
        let bytes = self.text.as_bytes();
        let mut i = start;
        let mut colon = None;
        let mut odd = false;
        while i < end {
            let class = CLASS[usize::from(bytes[i])];
            if class & PLAIN == 0 {
                if class & ODD != 0 {
                    odd = true;
                } else if bytes[i] != b':' {
                    break;
                } else if colon.is_some() {
                    return syntax("a name with at most one colon", i);
                } else {
                    colon = Some(i);
                }
            }
            i += 1;
        }
        let span = NameSpan { colon, end: i };
        if i - start > self.limits.name {
            return over(XmlLimit::Name, self.limits.name, start);
        }
        let good = if odd {
            self.is_odd_name(start, span)
        } else {
            let starts = |at: usize| at < i && CLASS[usize::from(bytes[at])] & START != 0;
            starts(start) && colon.is_none_or(|colon| starts(colon + 1))
        };
        if good {
            return Ok(span);
        }
        syntax("a name", start)
    }

    /// Whether a name with characters beyond ASCII is one.
    #[cold]
    fn is_odd_name(&self, start: usize, span: NameSpan) -> bool {
        match span.colon {
            None => is_nc_name(self.slice(start, span.end)),
            Some(colon) => {
                is_nc_name(self.slice(start, colon))
                    && is_nc_name(self.slice(colon.saturating_add(1), span.end))
            }
        }
    }
}

/// Gives attributes their namespaces and refuses two of one expanded name.
fn resolve<'a>(
    attributes: &mut [RawAttribute<'a>],
    scope: &mut Scope<'a>,
    at: usize,
) -> Checked<()> {
    for attribute in attributes.iter_mut() {
        // The default namespace is not for attributes.
        if !attribute.prefix.is_empty() {
            attribute.binding = scope.bound(attribute.prefix, at)?;
            attribute.namespace = scope.namespace(attribute.binding);
            scope.meet_attribute_of(attribute.namespace);
        }
    }
    let duplicate = match attributes.len() {
        0 | 1 => None,
        2..=12 => attributes.iter().enumerate().find_map(|(i, one)| {
            let mut rest = attributes[i + 1..].iter();
            rest.find(|other| one.local == other.local && one.namespace == other.namespace)
        }),
        _ => {
            let mut sorted: Vec<&RawAttribute<'a>> = attributes.iter().collect();
            sorted.sort_unstable_by_key(|attribute| (attribute.namespace, attribute.local));
            sorted
                .windows(2)
                .find(|two| two[0].local == two[1].local && two[0].namespace == two[1].namespace)
                .map(|two| two[1])
        }
    };
    match duplicate {
        None => Ok(()),
        Some(attribute) => {
            let name = excerpt(attribute.local);
            refuse(XmlErrorKind::DuplicateAttribute { name }, at)
        }
    }
}

/// May be part of a name.
const PLAIN: u8 = 1;
/// And may begin one.
const START: u8 = 2;
/// Beyond ASCII: part of a name only if the character is looked up.
const ODD: u8 = 4;

static CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => PLAIN | START,
            b'0'..=b'9' | b'-' | b'.' => PLAIN,
            0x80..=0xFF => ODD,
            _ => 0,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};
