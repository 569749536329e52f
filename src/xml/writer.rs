//! Writes documents: UTF-8, namespaces declared at the root, everything escaped that must be.

use bytes::Bytes;

use super::attribute::{Attribute, Attributes};
use super::element::{Element, Node, Shape};
use super::error::XmlWriteError;
use super::escape::{Place, escape};
use super::limits::XmlLimits;
use super::name::{Name, is_nc_name, is_xml_char};
use super::namespace::{self, NamespaceId};
use super::prefixes::{Prefixes, is_declarable};

/// A whole document with this element as its root.
pub(super) fn write_document(root: &Element, layout: Layout) -> Result<Bytes, XmlWriteError> {
    let declared = root.declarations().find(|(prefix, _)| prefix.is_empty());
    let default = match declared {
        // A root without namespace leaves no room for a default one.
        Some((_, namespace)) if !root.namespace().is_empty() => namespace,
        _ => root.namespace(),
    };
    if matches!(default, namespace::XML | namespace::XMLNS) {
        return Err(XmlWriteError::reserved(default));
    }
    let document = Document {
        default,
        size: 1024,
        layout,
    };
    document.write(body_of(root), |prefixes| collect(root, prefixes))
}

/// Whether the root says that there is no default namespace though it is in one itself.
fn undoes_default(root: &Element) -> bool {
    let mut declared = root.declarations();
    !root.namespace().is_empty() && declared.any(|declared| declared == ("", ""))
}

fn body_of<'m>(root: &'m Element) -> impl Fn(&mut Writer<'m>) -> Result<(), XmlWriteError> {
    |writer| {
        writer.prefixes.root_declares(root)?;
        writer.declared.extend(writer.prefixes.of_root());
        writer.says_no_default = undoes_default(root);
        writer.element_at(root, XmlLimits::MAX_DEPTH, true)
    }
}

fn collect<'m>(root: &'m Element, prefixes: &mut Prefixes<'m>) -> Result<(), XmlWriteError> {
    prefixes.root_declares(root)?;
    prefixes.collect(root)
}

/// What is known of a document before it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'m> {
    /// The default namespace.
    pub(crate) default: &'m str,
    /// About how many bytes it will have.
    pub(crate) size: usize,
    pub(crate) layout: Layout,
}

impl<'m> Document<'m> {
    /// Writes the document: `body` everything but the XML declaration. `collect` shows all names that
    /// `body` writes, in the same order; it is asked when namespaces cannot have their prefixes as
    /// they are met, and then `body` comes once more.
    pub(crate) fn write<E: From<XmlWriteError>>(
        self,
        body: impl Fn(&mut Writer<'m>) -> Result<(), E>,
        collect: impl FnOnce(&mut Prefixes<'m>) -> Result<(), XmlWriteError>,
    ) -> Result<Bytes, E> {
        let mut writer = Writer::new(Prefixes::as_met(self.default), self);
        body(&mut writer)?;
        if writer.prefixes.has_given_up() {
            return self.write_collected(body, collect);
        }
        Ok(writer.finish()?)
    }

    fn write_collected<E: From<XmlWriteError>>(
        self,
        body: impl Fn(&mut Writer<'m>) -> Result<(), E>,
        collect: impl FnOnce(&mut Prefixes<'m>) -> Result<(), XmlWriteError>,
    ) -> Result<Bytes, E> {
        let mut prefixes = Prefixes::collecting(self.default);
        collect(&mut prefixes)?;
        prefixes.assign();
        let mut writer = Writer::new(prefixes, self);
        body(&mut writer)?;
        Ok(writer.finish()?)
    }
}

/// A document in the making.
#[derive(Debug)]
pub(crate) struct Writer<'m> {
    out: Vec<u8>,
    prefixes: Prefixes<'m>,
    /// Where the declarations of the root belong: they are complete last.
    declarations_at: usize,
    /// Prefixes declared by open elements, and their namespaces.
    declared: Vec<(&'m str, &'m str)>,
    /// The attributes `id` of elements written, which their namespaces may have rules for.
    ids: Vec<(&'m Name, &'m str)>,
    /// Memory for the elements of a tree whose end tags are owed.
    open: Vec<OpenElement<'m>>,
    /// An open element has no namespace, so that there is no default one.
    default_undone: bool,
    /// The root says that there is no default namespace.
    says_no_default: bool,
    layout: Layout,
    /// Open elements whose content has lines of its own.
    level: usize,
}

/// An element whose end tag is owed, and what it contains before that.
#[derive(Debug)]
struct OpenElement<'m> {
    rest: core::slice::Iter<'m, Node>,
    /// Its content has lines of its own: there are only elements.
    has_lines: bool,
    tag: Tag,
}

/// What the end of an element takes.
#[derive(Debug, Clone, Copy)]
struct Tag {
    /// Where the name stands in the start tag.
    name: usize,
    name_end: usize,
    undone_outside: bool,
    declared_outside: usize,
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
    /// As it is kept: white space between elements too, of which [`Element::read_whole`] keeps all.
    Kept,
}

impl<'m> Writer<'m> {
    fn new(prefixes: Prefixes<'m>, document: Document<'m>) -> Self {
        let mut out = Vec::with_capacity(document.size);
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self {
            declarations_at: out.len(),
            out,
            prefixes,
            declared: Vec::new(),
            ids: Vec::new(),
            open: Vec::new(),
            default_undone: false,
            says_no_default: false,
            layout: document.layout,
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

    /// The attributes of the root begin here: its declarations come first.
    pub(crate) fn root_declarations(&mut self) {
        self.declarations_at = self.out.len();
    }

    /// The attributes of an element, each after a blank.
    fn attributes(
        &mut self,
        of: &'m Name,
        attributes: &'m Attributes,
    ) -> Result<(), XmlWriteError> {
        for attribute in attributes {
            if attribute.name.is_without_namespace("id") {
                self.ids.push((of, &attribute.value));
            }
            self.attribute(attribute)?;
        }
        Ok(())
    }

    /// One attribute, after a blank.
    pub(crate) fn attribute(&mut self, attribute: &'m Attribute) -> Result<(), XmlWriteError> {
        let name = &attribute.name;
        check_name(name)?;
        self.out.push(b' ');
        match name.known_namespace() {
            Some(NamespaceId::NONE) => {
                // It would declare the default namespace.
                if name.local() == "xmlns" {
                    return Err(XmlWriteError::name(name.local()));
                }
            }
            Some(NamespaceId::XML) => self.out.extend_from_slice(b"xml:"),
            _ => self.prefix(name)?,
        }
        self.out.extend_from_slice(name.local().as_bytes());
        self.out.extend_from_slice(b"=\"");
        self.value(&attribute.value)?;
        self.out.push(b'"');
        Ok(())
    }

    /// The attributes `id` of the elements written so far, with the elements' names.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&'m Name, &'m str)> {
        self.ids.iter().copied()
    }

    /// An element with everything in it.
    #[inline]
    pub(crate) fn element(&mut self, element: &'m Element) -> Result<(), XmlWriteError> {
        // What a reader would refuse is not written.
        let levels = XmlLimits::MAX_DEPTH.saturating_sub(self.level);
        self.element_at(element, levels, false)
    }

    #[inline]
    fn prefix(&mut self, name: &'m Name) -> Result<(), XmlWriteError> {
        let mut prefix = self.prefixes.get(name);
        if prefix.is_none() {
            self.prefixes.meet(name)?;
            prefix = self.prefixes.get(name);
        }
        if let Some(prefix) = prefix {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
        Ok(())
    }

    /// The prefix of a well-known namespace, and a colon.
    #[inline]
    fn known_prefix(&mut self, id: NamespaceId) {
        let mut prefix = self.prefixes.of_known(id);
        if prefix.is_none() {
            self.prefixes.meet_known(id);
            prefix = self.prefixes.of_known(id);
        }
        if let Some(prefix) = prefix {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
    }

    /// Writes a tree without recursion: a stack is the host's.
    fn element_at(
        &mut self,
        element: &'m Element,
        levels: usize,
        root: bool,
    ) -> Result<(), XmlWriteError> {
        let mut open = core::mem::take(&mut self.open);
        let written = self.tree(element, levels, root, &mut open);
        open.clear();
        self.open = open;
        written
    }

    fn tree(
        &mut self,
        element: &'m Element,
        levels: usize,
        root: bool,
        open: &mut Vec<OpenElement<'m>>,
    ) -> Result<(), XmlWriteError> {
        let (mut next, mut root) = (Some(element), root);
        loop {
            if let Some(element) = next.take() {
                if open.len() >= levels {
                    return Err(XmlWriteError::TooDeep);
                }
                self.start(element, root, open)?;
                root = false;
            }
            let Some(innermost) = open.last_mut() else {
                return Ok(());
            };
            match innermost.rest.next() {
                Some(Node::Element(child)) => {
                    if innermost.has_lines {
                        self.line();
                    }
                    next = Some(child);
                }
                Some(Node::Text(text)) => {
                    // White space alone, where there are only elements.
                    if !innermost.has_lines {
                        self.text(text)?;
                    }
                }
                Some(Node::Comment(comment)) => {
                    if innermost.has_lines {
                        self.line();
                    }
                    self.comment(comment)?;
                }
                Some(Node::Instruction { target, data }) => {
                    if innermost.has_lines {
                        self.line();
                    }
                    self.instruction(target, data)?;
                }
                None => {
                    self.outdent();
                    if innermost.has_lines {
                        self.line();
                    }
                    let tag = innermost.tag;
                    self.end(tag);
                    open.pop();
                }
            }
        }
    }

    /// The start tag, and the end tag too if there are no elements inside.
    #[inline]
    fn start(
        &mut self,
        element: &'m Element,
        root: bool,
        open: &mut Vec<OpenElement<'m>>,
    ) -> Result<(), XmlWriteError> {
        let name = element.name();
        check_name(name)?;
        let start = self.out.len();
        let mut tag = Tag {
            name: start.saturating_add(1),
            name_end: 0,
            undone_outside: self.default_undone,
            declared_outside: self.declared.len(),
        };
        match self.prefixes.opening(name) {
            Some(opening) if tag.undone_outside || !self.prefixes.is_default(name) => {
                self.out.extend_from_slice(&opening.bytes);
                self.out
                    .truncate(start.saturating_add(usize::from(opening.len)));
                self.out.extend_from_slice(name.local().as_bytes());
            }
            _ => self.open_tag(name)?,
        }
        tag.name_end = self.out.len();
        if self.default_undone && !tag.undone_outside {
            self.out.extend_from_slice(b" xmlns=\"\"");
        }
        if root {
            self.root_declarations();
        } else if element.has_declarations() {
            for (prefix, namespace) in element.declarations() {
                self.declaration(prefix, namespace)?;
            }
        }
        if !element.attributes.is_empty() {
            self.attributes(name, &element.attributes)?;
        }
        let (nodes, has_lines) = match element.shape() {
            Shape::Text(text) => {
                self.out.push(b'>');
                self.text(text)?;
                self.end(tag);
                return Ok(());
            }
            Shape::Elements(rest) => (rest, self.layout != Layout::Kept),
            Shape::Mixed(rest) => (rest, false),
            Shape::Nothing => {
                self.out.extend_from_slice(b"/>");
                self.leave(tag);
                return Ok(());
            }
        };
        self.out.push(b'>');
        self.indent();
        open.push(OpenElement {
            rest: nodes.iter(),
            has_lines,
            tag,
        });
        Ok(())
    }

    #[cold]
    fn comment(&mut self, comment: &str) -> Result<(), XmlWriteError> {
        if comment.contains("--") || comment.ends_with('-') {
            return Err(XmlWriteError::EndsEarly);
        }
        check_literal(comment)?;
        self.markup("<!--");
        self.markup(comment);
        self.markup("-->");
        Ok(())
    }

    #[cold]
    fn instruction(&mut self, target: &str, data: &str) -> Result<(), XmlWriteError> {
        if !is_nc_name(target) || target.eq_ignore_ascii_case("xml") {
            return Err(XmlWriteError::name(target));
        }
        if data.contains("?>") {
            return Err(XmlWriteError::EndsEarly);
        }
        check_literal(data)?;
        self.markup("<?");
        self.markup(target);
        if !data.is_empty() {
            self.markup(" ");
            self.markup(data);
        }
        self.markup("?>");
        Ok(())
    }

    #[inline]
    fn end(&mut self, tag: Tag) {
        self.out.extend_from_slice(b"</");
        self.out.extend_from_within(tag.name..tag.name_end);
        self.out.push(b'>');
        self.leave(tag);
    }

    #[inline]
    fn leave(&mut self, tag: Tag) {
        self.default_undone = tag.undone_outside;
        self.declared.truncate(tag.declared_outside);
    }

    /// The beginning of the start tag of an element of a well-known namespace, up to the name.
    #[inline]
    pub(crate) fn open_known(&mut self, id: NamespaceId, local: &str) {
        self.out.push(b'<');
        self.known_prefix(id);
        self.out.extend_from_slice(local.as_bytes());
    }

    /// The end tag of such an element.
    #[inline]
    pub(crate) fn close_known(&mut self, id: NamespaceId, local: &str) {
        self.out.extend_from_slice(b"</");
        self.known_prefix(id);
        self.out.extend_from_slice(local.as_bytes());
        self.out.push(b'>');
    }

    /// The beginning of a start tag, up to the name. Undone once, the default namespace stays undone
    /// further in: names in it have a prefix there.
    fn open_tag(&mut self, name: &'m Name) -> Result<(), XmlWriteError> {
        self.out.push(b'<');
        if name.known_namespace() == Some(NamespaceId::NONE) {
            if !self.prefixes.default_namespace().is_empty() {
                self.prefixes.meet_bare();
                self.default_undone = true;
            }
        } else if self.default_undone || !self.prefixes.is_default(name) {
            self.prefix(name)?;
        }
        self.out.extend_from_slice(name.local().as_bytes());
        Ok(())
    }

    /// A declaration that an element carries for its content, unless it holds already.
    fn declaration(&mut self, prefix: &'m str, namespace: &'m str) -> Result<(), XmlWriteError> {
        if !is_declarable(prefix, namespace)? {
            return Ok(());
        }
        self.prefixes.meet_declaration(prefix, namespace);
        let innermost = self.declared.iter().rev().find(|(p, _)| *p == prefix);
        let holds = match innermost {
            Some((_, declared)) => *declared == namespace,
            None => self.prefixes.declares(prefix, namespace),
        };
        if !holds {
            declaration(&mut self.out, prefix, namespace)?;
            self.declared.push((prefix, namespace));
        }
        Ok(())
    }

    #[inline]
    fn escaped(&mut self, text: &str, place: Place) -> Result<(), XmlWriteError> {
        escape(&mut self.out, text, place)
    }

    /// The whole document, in no more memory than it needs: it may be kept for long.
    fn finish(mut self) -> Result<Bytes, XmlWriteError> {
        // They are written at the end, and then take their place.
        let end = self.out.len();
        let default = self.prefixes.default_namespace();
        if !default.is_empty() {
            self.out.extend_from_slice(b" xmlns=\"");
            escape(&mut self.out, default, Place::Value)?;
            self.out.push(b'"');
        } else if self.says_no_default {
            self.out.extend_from_slice(b" xmlns=\"\"");
        }
        for (prefix, namespace) in self.prefixes.iter() {
            declaration(&mut self.out, prefix, namespace)?;
        }
        for (prefix, namespace) in self.prefixes.more_of_root() {
            declaration(&mut self.out, prefix, namespace)?;
        }
        let declarations = self.out.len().saturating_sub(end);
        if let Some(after) = self.out.get_mut(self.declarations_at..) {
            after.rotate_right(declarations);
        }
        Ok(Bytes::from(self.out.into_boxed_slice()))
    }
}

fn declaration(out: &mut Vec<u8>, prefix: &str, namespace: &str) -> Result<(), XmlWriteError> {
    out.extend_from_slice(b" xmlns:");
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, namespace, Place::Value)?;
    out.push(b'"');
    Ok(())
}

/// Whether every character can stand for itself; a carriage return would be read as a line feed.
fn check_literal(text: &str) -> Result<(), XmlWriteError> {
    match text.chars().find(|&c| c == '\r' || !is_xml_char(c)) {
        None => Ok(()),
        Some(c) => Err(XmlWriteError::Character { code: u32::from(c) }),
    }
}

fn check_name(name: &Name) -> Result<(), XmlWriteError> {
    if name.is_writable() {
        Ok(())
    } else {
        Err(XmlWriteError::name(name.local()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::xml::Attribute;

    fn namespace() -> impl Strategy<Value = &'static str> {
        let all = [
            "",
            namespace::PIDF,
            namespace::DATA_MODEL,
            namespace::RPID,
            "urn:example:x",
            "urn:example:y",
        ];
        proptest::sample::select(all.to_vec())
    }

    fn prefix() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec!["p", "q", "ns", "ns1", "dm", "pidf", "rpid", ""])
    }

    fn name() -> impl Strategy<Value = Name> {
        (namespace(), prefix()).prop_map(|(ns, prefix)| Name::with_prefix(ns, "a", prefix))
    }

    fn element() -> impl Strategy<Value = Element> {
        let attribute = name().prop_map(|name| Attribute::new(name, "v"));
        let declaration = (prefix(), namespace());
        let bare = (name(), vec(attribute, 0..2), vec(declaration, 0..2));
        let leaf = bare.prop_map(|(name, attributes, declarations)| {
            let mut element = Element::named(name);
            element.attributes = attributes.into_iter().collect();
            for (prefix, namespace) in declarations {
                element.declare(prefix, namespace);
            }
            element
        });
        let leaf = leaf.boxed();
        leaf.clone().prop_recursive(4, 12, 4, move |inner| {
            (leaf.clone(), vec(inner, 0..4)).prop_map(|(mut element, children)| {
                for child in children {
                    element.push_child(child);
                }
                element
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn prefixes_given_as_they_are_met_are_those_given_to_all_at_once(root in element()) {
            let document = Document {
                default: root.namespace(),
                size: 0,
                layout: Layout::Compact,
            };
            let all_at_once = document.write_collected(body_of(&root), |all| collect(&root, all));
            let as_met = document.write(body_of(&root), |all| collect(&root, all));
            prop_assert_eq!(as_met, all_at_once);
        }
    }
}
