//! Partial documents for many watchers, each with its own count.

use core::fmt::Write as _;

use bytes::Bytes;

use super::error::PartialError;
use super::root_tag::RootTag;
use crate::xml::namespace::{PIDF, PIDF_DIFF};
use crate::xml::patch::{difference, write_operations};
use crate::xml::{
    Element, Layout, Name, NamespaceId, Token, Tokenizer, TokenizerOptions, XmlLimits, excerpt,
};

/// A partial presence document with a gap for its version: it is made once, and each subscription gets a
/// copy with its own number (RFC 5263 section 4.4).
///
/// ```
/// use presentity::pidf::partial::Numbered;
/// use presentity::pidf::{Presence, Tuple};
///
/// let before = Presence::new("sip:dora@example.com").with_tuple(Tuple::open("phone")).write()?;
/// let after = Presence::new("sip:dora@example.com").with_tuple(Tuple::closed("phone")).write()?;
/// let full = Numbered::full(&after)?;
/// let changes = Numbered::difference(&before, &after)?;
/// // The shorter one goes out.
/// let document = if changes.len() < full.len() { changes } else { full };
/// assert!(document.with_version(3).len() <= document.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    octets: Bytes,
    /// Where the version belongs.
    gap: usize,
}

impl Numbered {
    /// The whole of a presence document, as `pidf-full`. Only the tags of its root are changed: it has to
    /// be a document that was read or written before.
    ///
    /// # Errors
    ///
    /// It is no presence document, or not well-formed as far as that is looked at.
    pub fn full(presence_document: &[u8]) -> Result<Self, PartialError> {
        match surgery(presence_document)? {
            Some(document) => Ok(document),
            // Something stands behind the root.
            None => rewritten(presence_document),
        }
    }

    /// What changes one presence document into another, as `pidf-diff`. Without a difference it has no
    /// operation, which is a valid document.
    ///
    /// # Errors
    ///
    /// One of them is no presence document or cannot be read within [`XmlLimits::default`], or a change has
    /// no written form.
    pub fn difference(before: &[u8], after: &[u8]) -> Result<Self, PartialError> {
        let limits = XmlLimits::default();
        let before = Element::read(before, &limits)?;
        let after = Element::read(after, &limits)?;
        Self::difference_of(&before, &after)
    }

    /// The same of two documents that are read already. An attribute `version` of a root is left aside.
    ///
    /// # Errors
    ///
    /// One of them is no presence document, or a change has no written form.
    pub fn difference_of(before: &Element, after: &Element) -> Result<Self, PartialError> {
        for root in [before, after] {
            if !root.is(PIDF, "presence") {
                return Err(no_presence(root.name()));
            }
        }
        let mut copies = None;
        let (mut old, mut new) = (before, after);
        if before.attribute("version").is_some() || after.attribute("version").is_some() {
            let copies = copies.insert((before.clone(), after.clone()));
            copies.0.attributes.remove("", "version");
            copies.1.attributes.remove("", "version");
            (old, new) = (&copies.0, &copies.1);
        }
        let operations = difference(old, new).unwrap_or_default();
        let mut root = Element::new(PIDF_DIFF, "pidf-diff");
        if let Some(entity) = before.attribute("entity") {
            root.attributes.set(Name::new("", "entity"), entity);
        }
        root.declare("", PIDF);
        write_operations(&mut root, &operations)?;
        with_gap(root.write_as(Layout::Kept)?)
    }

    /// The document with this version, in a copy of its own.
    pub fn with_version(&self, version: u32) -> Bytes {
        let mut attribute = Attribute::default();
        // It has room enough.
        let _ = write!(attribute, " version=\"{version}\"");
        let mut octets = Vec::with_capacity(self.octets.len().saturating_add(attribute.len));
        let (head, rest) = self.octets.split_at_checked(self.gap).unwrap_or_default();
        octets.extend_from_slice(head);
        octets.extend_from_slice(attribute.octets.get(..attribute.len).unwrap_or_default());
        octets.extend_from_slice(rest);
        octets.into()
    }

    /// What stands before a version, and what behind it: the document is the one, digits, and the other.
    pub fn around_version(&self) -> (Bytes, Bytes) {
        const NAME: &[u8] = b" version=\"";
        let (head, rest) = self.octets.split_at_checked(self.gap).unwrap_or_default();
        ([head, NAME].concat().into(), [b"\"", rest].concat().into())
    }

    /// The document without a version, as publications have it (RFC 5264 section 3.2). Nothing is copied.
    pub fn without_version(&self) -> Bytes {
        self.octets.clone()
    }

    /// How many octets it has at most, with the highest version.
    #[expect(clippy::len_without_is_empty, reason = "a document is never empty")]
    pub fn len(&self) -> usize {
        self.octets.len().saturating_add(LONGEST_VERSION.len())
    }
}

const LONGEST_VERSION: &str = " version=\"4294967295\"";

/// The attribute as it is written.
#[derive(Default)]
struct Attribute {
    octets: [u8; LONGEST_VERSION.len()],
    len: usize,
}

impl core::fmt::Write for Attribute {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len.saturating_add(text.len());
        let place = self.octets.get_mut(self.len..end);
        place
            .ok_or(core::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn no_presence(name: &Name) -> PartialError {
    PartialError::NoPresence {
        found: excerpt(&name.to_string()),
    }
}

/// Gives the root's tags another name; nothing when its end tag is not what the document ends with.
fn surgery(document: &[u8]) -> Result<Option<Numbered>, PartialError> {
    let options = TokenizerOptions {
        limits: &XmlLimits::default(),
        charset: None,
        any_ascii: false,
        bare_doctype: false,
        aliases: &[],
    };
    let mut tokenizer = Tokenizer::new(document, options)?;
    let tag = loop {
        match tokenizer.next()? {
            Token::Start(tag) => break tag,
            Token::Text(_) | Token::End => {}
            Token::Eof => return Ok(None),
        }
    };
    if tag.namespace != NamespaceId::PIDF || tag.local != "presence" {
        let namespace = tokenizer.namespace_name(tag.namespace);
        return Err(no_presence(&Name::new(namespace, tag.local)));
    }
    let text = document
        .strip_prefix("\u{FEFF}".as_bytes())
        .unwrap_or(document);
    let text = core::str::from_utf8(text).unwrap_or_default();
    Ok(renamed(text, tokenizer.offset()))
}

/// The document whose root begins there, as `pidf-full`.
fn renamed(text: &str, start: usize) -> Option<Numbered> {
    let root = RootTag::at(text, start)?;
    let name = text.get(root.name.clone())?;
    let (prefix, is_declared) = prefix_of(&root);
    let mut out = String::with_capacity(text.len().saturating_add(128));
    out.push_str(text.get(..root.name.start)?);
    let full_name = format!("{prefix}:pidf-full");
    out.push_str(&full_name);
    let gap = out.len();
    if !is_declared {
        // Writing text cannot fail.
        let _ = write!(out, " xmlns:{prefix}=\"{PIDF_DIFF}\"");
    }
    let mut kept_from = root.name.end;
    for attribute in &root.attributes {
        if attribute.name == "version" {
            out.push_str(text.get(kept_from..attribute.range.start)?);
            kept_from = attribute.range.end;
        }
    }
    let space = [' ', '\t', '\n', '\r'];
    if root.is_empty {
        let behind = text.get(root.end..)?.strip_prefix("/>")?;
        if !behind.trim_matches(space).is_empty() {
            return None;
        }
        out.push_str(text.get(kept_from..)?);
    } else {
        let content_end = text.rfind("</")?;
        let behind = text
            .get(content_end..)?
            .strip_prefix("</")?
            .strip_prefix(name)?;
        let tail = behind.trim_start_matches(space);
        if tail.trim_end_matches(space) != ">" {
            return None;
        }
        out.push_str(text.get(kept_from..content_end)?);
        out.push_str("</");
        out.push_str(&full_name);
        out.push_str(tail);
    }
    Some(Numbered {
        octets: out.into(),
        gap,
    })
}

/// The prefix for the namespace of partial documents, and whether the root declares it already.
fn prefix_of(root: &RootTag<'_>) -> (String, bool) {
    let declared = || {
        let mut attributes = root.attributes.iter();
        core::iter::from_fn(move || {
            attributes.find_map(|it| Some((it.name.strip_prefix("xmlns:")?, it.value)))
        })
    };
    if let Some((prefix, _)) = declared().find(|&(_, namespace)| namespace == PIDF_DIFF) {
        return (prefix.to_owned(), true);
    }
    let mut prefix = String::from("pd");
    let mut number = 0_u32;
    // There are few declarations, so that this ends soon.
    while declared().any(|(known, _)| known == prefix) {
        number = number.saturating_add(1);
        prefix = format!("pd{number}");
    }
    (prefix, false)
}

/// The same by reading all of the document and writing it anew.
fn rewritten(document: &[u8]) -> Result<Numbered, PartialError> {
    let mut presence = Element::read_whole(document, &XmlLimits::default())?;
    if !presence.is(PIDF, "presence") {
        return Err(no_presence(presence.name()));
    }
    let mut full = Element::new(PIDF_DIFF, "pidf-full");
    full.attributes = core::mem::take(&mut presence.attributes);
    full.attributes.remove("", "version");
    for (prefix, namespace) in presence.declarations() {
        full.declare(prefix, namespace);
    }
    full.declare("", PIDF);
    core::mem::swap(full.children_mut(), presence.children_mut());
    with_gap(full.write_as(Layout::Kept)?)
}

/// A document of this crate's writer, whose root has no version.
fn with_gap(octets: Bytes) -> Result<Numbered, PartialError> {
    // The XML declaration has a line of its own.
    let declaration = octets.iter().position(|&octet| octet == b'\n');
    let start = declaration.map_or(0, |at| at.saturating_add(1));
    let text = core::str::from_utf8(&octets).unwrap_or_default();
    let gap = RootTag::at(text, start).map_or(0, |root| root.name.end);
    Ok(Numbered { octets, gap })
}
