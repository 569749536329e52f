//! Writes documents: UTF-8, namespaces declared at the root, everything escaped that must be.

use bytes::Bytes;

use super::attribute::Attributes;
use super::element::{Content, Element, Shape};
use super::error::{XmlWriteError, excerpt};
use super::limits::XmlLimits;
use super::name::{Name, is_nc_name, is_xml_char};
use super::namespace::{self, NamespaceId};
use super::prefixes::Prefixes;

/// A whole document with this element as its root.
pub(super) fn write_document(root: &Element, layout: Layout) -> Result<Bytes, XmlWriteError> {
    let declared = root.declarations().find(|(prefix, _)| prefix.is_empty());
    let default = match declared {
        // A root without namespace leaves no room for a default one.
        Some((_, namespace)) if !root.namespace().is_empty() => namespace,
        _ => root.namespace(),
    };
    if matches!(default, namespace::XML | namespace::XMLNS) {
        return Err(XmlWriteError::ReservedNamespace {
            namespace: default.to_owned(),
        });
    }
    let mut prefixes = Prefixes::new(default);
    prefixes.collect(root)?;
    prefixes.assign();
    let mut writer = Writer::new(prefixes, 1024, layout);
    writer.element_at(root, XmlLimits::MAX_DEPTH, true)?;
    Ok(writer.finish())
}

/// A document in the making.
#[derive(Debug)]
pub(crate) struct Writer<'m> {
    out: Vec<u8>,
    prefixes: Prefixes<'m>,
    /// Prefixes declared by open elements below the root, and their namespaces.
    declared: Vec<(&'m str, &'m str)>,
    /// An open element has no namespace, so that there is no default one.
    default_undone: bool,
    layout: Layout,
    /// Open elements whose content has lines of its own.
    level: usize,
}

/// How a document is laid out. White space means nothing where elements contain only elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// Everything in one line, after the XML declaration.
    #[default]
    Compact,
    /// A line for every element that does not stand in text, indented by two blanks a level.
    Pretty,
}

impl<'m> Writer<'m> {
    /// Begins a document of about `size` bytes: the XML declaration is written.
    pub(crate) fn new(prefixes: Prefixes<'m>, size: usize, layout: Layout) -> Self {
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self {
            out,
            prefixes,
            declared: Vec::new(),
            default_undone: false,
            layout,
            level: 0,
        }
    }

    /// Markup that is known to be right.
    #[inline]
    pub(crate) fn markup(&mut self, markup: &str) {
        self.out.extend_from_slice(markup.as_bytes());
    }

    /// Begins a line for what comes next, where the layout has lines.
    #[inline]
    pub(crate) fn line(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push(b'\n');
            for _ in 0..self.level {
                self.out.extend_from_slice(b"  ");
            }
        }
    }

    /// What follows is the content of one more element.
    #[inline]
    pub(crate) fn indent(&mut self) {
        self.level = self.level.saturating_add(1);
    }

    /// The content of the innermost element is complete.
    #[inline]
    pub(crate) fn outdent(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    /// Text, escaped.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), XmlWriteError> {
        self.escaped(text, Place::Text)
    }

    /// The inside of a quoted attribute value, escaped.
    pub(crate) fn value(&mut self, value: &str) -> Result<(), XmlWriteError> {
        self.escaped(value, Place::Value)
    }

    /// The declarations that the root carries.
    pub(crate) fn root_declarations(&mut self) -> Result<(), XmlWriteError> {
        let default = self.prefixes.default_namespace();
        if !default.is_empty() {
            self.out.extend_from_slice(b" xmlns=\"");
            escape(&mut self.out, default, Place::Value)?;
            self.out.push(b'"');
        }
        for (prefix, namespace) in self.prefixes.iter() {
            self.out.extend_from_slice(b" xmlns:");
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.extend_from_slice(b"=\"");
            escape(&mut self.out, namespace, Place::Value)?;
            self.out.push(b'"');
        }
        Ok(())
    }

    /// Attributes, each after a blank.
    pub(crate) fn attributes(&mut self, attributes: &Attributes) -> Result<(), XmlWriteError> {
        for attribute in attributes {
            let name = &attribute.name;
            check_name(name)?;
            self.out.push(b' ');
            match name.known_namespace() {
                Some(NamespaceId::NONE) => {
                    // It would declare the default namespace.
                    if name.local() == "xmlns" {
                        return Err(bad_name(name.local()));
                    }
                }
                Some(NamespaceId::XML) => self.out.extend_from_slice(b"xml:"),
                _ => self.prefix(name),
            }
            self.out.extend_from_slice(name.local().as_bytes());
            self.out.extend_from_slice(b"=\"");
            self.value(&attribute.value)?;
            self.out.push(b'"');
        }
        Ok(())
    }

    /// An element with everything in it. Its names must have been collected before.
    pub(crate) fn element(&mut self, element: &'m Element) -> Result<(), XmlWriteError> {
        // What a reader would refuse is not written.
        let levels = XmlLimits::MAX_DEPTH.saturating_sub(self.level);
        self.element_at(element, levels, false)
    }

    fn prefix(&mut self, name: &Name) {
        if let Some(prefix) = self.prefixes.get(name) {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
    }

    /// The prefix of a well-known namespace that was collected, and a colon.
    pub(crate) fn known_prefix(&mut self, id: NamespaceId) {
        if let Some(prefix) = self.prefixes.of_known(id) {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
    }

    fn element_at(
        &mut self,
        element: &'m Element,
        levels: usize,
        root: bool,
    ) -> Result<(), XmlWriteError> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(XmlWriteError::TooDeep);
        };
        let name = element.name();
        check_name(name)?;
        let bare = name.known_namespace() == Some(NamespaceId::NONE)
            && !self.prefixes.default_namespace().is_empty();
        let undone_outside = self.default_undone;
        let declared_outside = self.declared.len();

        self.out.push(b'<');
        self.default_undone |= bare;
        let name_start = self.out.len();
        self.tag_name(name);
        let name_end = self.out.len();
        if root {
            self.root_declarations()?;
        }
        // Undone once, it stays undone further in: names in that namespace have a prefix there.
        if bare && !undone_outside {
            self.out.extend_from_slice(b" xmlns=\"\"");
        }
        for (prefix, namespace) in element.declarations() {
            self.declaration(prefix, namespace)?;
        }
        self.attributes(&element.attributes)?;
        if self.content(element, levels)? {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_within(name_start..name_end);
            self.out.push(b'>');
        } else {
            self.out.extend_from_slice(b"/>");
        }
        self.default_undone = undone_outside;
        self.declared.truncate(declared_outside);
        Ok(())
    }

    /// The rest of a start tag and what comes before the end tag; whether there is anything.
    fn content(&mut self, element: &'m Element, levels: usize) -> Result<bool, XmlWriteError> {
        match element.shape() {
            Shape::Nothing => return Ok(false),
            Shape::Text(text) => {
                self.out.push(b'>');
                self.text(text)?;
            }
            Shape::Elements => {
                self.out.push(b'>');
                self.indent();
                for child in element.elements() {
                    self.line();
                    self.element_at(child, levels, false)?;
                }
                self.outdent();
                self.line();
            }
            Shape::Mixed => {
                let mut content = element.content().peekable();
                if content.peek().is_none() {
                    return Ok(false);
                }
                self.out.push(b'>');
                self.indent();
                for part in content {
                    match part {
                        Content::Element(child) => self.element_at(child, levels, false)?,
                        Content::Text(text) => self.text(&text)?,
                    }
                }
                self.outdent();
            }
        }
        Ok(true)
    }

    fn tag_name(&mut self, name: &Name) {
        let none = name.known_namespace() == Some(NamespaceId::NONE);
        let by_default = self.prefixes.is_default(name) && !self.default_undone;
        if !none && !by_default {
            self.prefix(name);
        }
        self.out.extend_from_slice(name.local().as_bytes());
    }

    /// A declaration that an element carries for its content, unless it holds already.
    fn declaration(&mut self, prefix: &'m str, namespace: &'m str) -> Result<(), XmlWriteError> {
        let innermost = self.declared.iter().rev().find(|(p, _)| *p == prefix);
        let holds = match innermost {
            Some((_, declared)) => *declared == namespace,
            None => self.prefixes.declares(prefix, namespace),
        };
        // The default namespace is declared once, at the root.
        if holds || prefix.is_empty() || prefix == "xml" || namespace.is_empty() {
            return Ok(());
        }
        if prefix == "xmlns" || namespace == namespace::XML || namespace == namespace::XMLNS {
            return Err(XmlWriteError::ReservedNamespace {
                namespace: namespace.to_owned(),
            });
        }
        if !is_nc_name(prefix) {
            return Err(bad_name(prefix));
        }
        self.out.extend_from_slice(b" xmlns:");
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(b"=\"");
        self.value(namespace)?;
        self.out.push(b'"');
        self.declared.push((prefix, namespace));
        Ok(())
    }

    #[inline]
    fn escaped(&mut self, text: &str, place: Place) -> Result<(), XmlWriteError> {
        escape(&mut self.out, text, place)
    }

    /// The whole document, in no more memory than it needs: it may be kept for long.
    pub(crate) fn finish(self) -> Bytes {
        Bytes::from(self.out.into_boxed_slice())
    }
}

fn bad_name(name: &str) -> XmlWriteError {
    XmlWriteError::Name {
        name: excerpt(name),
    }
}

fn check_name(name: &Name) -> Result<(), XmlWriteError> {
    if name.is_writable() {
        Ok(())
    } else {
        Err(bad_name(name.local()))
    }
}

/// Where text stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Text,
    Value,
}

fn escape(out: &mut Vec<u8>, text: &str, place: Place) -> Result<(), XmlWriteError> {
    let bytes = text.as_bytes();
    let mut done = 0;
    let mut from = 0;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let found = rest.iter().position(|&byte| is_special(byte));
        let at = found.map_or(bytes.len(), |found| from.saturating_add(found));
        let Some(&byte) = bytes.get(at) else {
            out.extend_from_slice(bytes.get(done..).unwrap_or_default());
            return Ok(());
        };
        from = at.saturating_add(1);
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'\r' => b"&#13;",
            b'"' if place == Place::Value => b"&quot;",
            b'\t' if place == Place::Value => b"&#9;",
            b'\n' if place == Place::Value => b"&#10;",
            b'"' | b'\t' | b'\n' => continue,
            _ => {
                let c = text.get(at..).and_then(|rest| rest.chars().next());
                let c = c.unwrap_or('\u{FFFD}');
                if is_xml_char(c) {
                    continue;
                }
                return Err(XmlWriteError::Character { code: u32::from(c) });
            }
        };
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        out.extend_from_slice(replacement);
        done = from;
    }
}

/// Which bytes may not stand for themselves somewhere, or begin a character that may not.
#[expect(clippy::indexing_slicing, reason = "worked out at compile time")]
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    // In text `>` could end what looks like a CDATA section.
    let others = [b'&', b'<', b'>', b'"', FIRST_OF_NONCHARACTERS];
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "the table has an entry for every byte"
)]
fn is_special(byte: u8) -> bool {
    SPECIAL[usize::from(byte)]
}

/// The first byte of U+FFFE and U+FFFF, among others.
const FIRST_OF_NONCHARACTERS: u8 = 0xEF;
