//! Elements as a tree.

use std::borrow::Cow;

use bytes::Bytes;

use super::attribute::Attributes;
use super::error::{XmlError, XmlWriteError};
use super::limits::XmlLimits;
use super::name::{Name, is_blank};
use super::text::Text;
use super::writer::Layout;
use super::{tree_reader, writer};

/// An element with its attributes and all it contains, whatever namespace it is from.
///
/// Two elements are equal when their names, attributes and contents are: prefixes, namespace
/// declarations and the order of attributes are not compared, nor are comments and processing
/// instructions, nor is white space between elements where an element contains no other text.
///
/// ```
/// use presentity::xml::{Element, XmlLimits};
///
/// let limits = XmlLimits::default();
/// let one = Element::read(b"<p:a xmlns:p='urn:example:x'> <p:b/> </p:a>", &limits)?;
/// let other = Element::read(b"<a xmlns='urn:example:x'><b/></a>", &limits)?;
/// assert_eq!(one, other);
///
/// let built = Element::new("urn:example:x", "a").with_child(Element::new("urn:example:x", "b"));
/// assert_eq!(one, built);
/// # Ok::<(), presentity::xml::XmlError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Element {
    name: Name,
    /// The element's attributes.
    pub attributes: Attributes,
    /// Declarations that the content may rely on; most elements have none.
    #[expect(
        clippy::box_collection,
        reason = "one word in every element instead of three"
    )]
    declarations: Option<Box<Vec<Declaration>>>,
    children: Children,
}

/// Most elements that have content have nothing but one text.
#[derive(Debug, Clone)]
enum Children {
    Text(Text),
    Nodes(Vec<Node>),
}

impl Children {
    /// As a list, which can be changed in any way.
    fn nodes(&mut self) -> &mut Vec<Node> {
        loop {
            match self {
                Self::Nodes(nodes) => return nodes,
                Self::Text(text) => {
                    let text = Node::Text(core::mem::take(text));
                    *self = Self::Nodes(vec![text]);
                }
            }
        }
    }
}

/// All of an element but its content: that comes last where elements are read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) name: Name,
    pub(super) attributes: Attributes,
    /// No two of one prefix; a list that is not empty.
    #[expect(
        clippy::box_collection,
        reason = "one word in every element instead of three"
    )]
    pub(super) declarations: Option<Box<Vec<Declaration>>>,
}

impl Head {
    /// The element that contains this text and nothing else.
    #[inline]
    pub(super) fn with_text(self, text: Cow<'_, str>) -> Element {
        self.with(match text.is_empty() {
            true => Children::Nodes(Vec::new()),
            false => Children::Text(text.into()),
        })
    }

    /// The element that contains these.
    #[inline]
    pub(super) fn with_content(self, mut nodes: Vec<Node>) -> Element {
        self.with(match nodes.as_mut_slice() {
            [Node::Text(text)] => Children::Text(core::mem::take(text)),
            _ => Children::Nodes(nodes),
        })
    }

    #[inline]
    fn with(self, children: Children) -> Element {
        Element {
            name: self.name,
            attributes: self.attributes,
            declarations: self.declarations,
            children,
        }
    }
}

/// A prefix and its namespace.
pub(super) type Declaration = (String, String);

/// What an element contains.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Node {
    /// Another element.
    Element(Element),
    /// Text, references expanded, CDATA sections dissolved.
    Text(Text),
    /// A comment, which only [`Element::read_whole`] keeps: what stands between `<!--` and `-->`.
    Comment(String),
    /// A processing instruction, which only [`Element::read_whole`] keeps.
    Instruction {
        /// Whom it is for: a name without colon, which is not `xml` in whatever case.
        target: String,
        /// What it says, without the white space between it and the target; may be empty.
        data: String,
    },
}

impl Node {
    fn is_something(&self) -> bool {
        match self {
            Self::Element(_) | Self::Comment(_) | Self::Instruction { .. } => true,
            Self::Text(text) => !text.is_empty(),
        }
    }
}

/// The same, lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeRef<'e> {
    /// Another element.
    Element(&'e Element),
    /// Text, references expanded, CDATA sections dissolved.
    Text(&'e str),
    /// A comment.
    Comment(&'e str),
    /// A processing instruction.
    Instruction {
        /// Whom it is for.
        target: &'e str,
        /// What it says.
        data: &'e str,
    },
}

impl<'e> From<&'e Node> for NodeRef<'e> {
    fn from(node: &'e Node) -> Self {
        match node {
            Node::Element(element) => Self::Element(element),
            Node::Text(text) => Self::Text(text),
            Node::Comment(comment) => Self::Comment(comment),
            Node::Instruction { target, data } => Self::Instruction { target, data },
        }
    }
}

impl From<NodeRef<'_>> for Node {
    fn from(node: NodeRef<'_>) -> Self {
        match node {
            NodeRef::Element(element) => Self::Element(element.clone()),
            NodeRef::Text(text) => Self::Text(text.into()),
            NodeRef::Comment(comment) => Self::Comment(comment.to_owned()),
            NodeRef::Instruction { target, data } => Self::Instruction {
                target: target.to_owned(),
                data: data.to_owned(),
            },
        }
    }
}

impl Element {
    /// An empty element `local` in `namespace` (empty: in no namespace).
    pub fn new(namespace: &str, local: &str) -> Self {
        Self::named(Name::new(namespace, local))
    }

    /// An empty element of this name.
    pub fn named(name: Name) -> Self {
        Self {
            name,
            attributes: Attributes::new(),
            declarations: None,
            children: Children::Nodes(Vec::new()),
        }
    }

    /// Reads a whole document, whose root is the element.
    ///
    /// # Errors
    ///
    /// The document is not well-formed, not namespace-well-formed, or exceeds a bound.
    pub fn read(document: &[u8], limits: &XmlLimits) -> Result<Self, XmlError> {
        tree_reader::read(document, limits, false)
    }

    /// Reads a whole document and keeps what [`Element::read`] drops: white space between elements,
    /// comments and processing instructions inside the root. Patches (RFC 5261) can tell them apart.
    ///
    /// They make no difference to equality. [`Layout::Kept`] writes all of them.
    ///
    /// ```
    /// use presentity::xml::{Element, Layout, XmlLimits};
    ///
    /// let document = b"<a> <!-- once --><b/>\n</a>";
    /// let whole = Element::read_whole(document, &XmlLimits::default())?;
    /// assert_eq!(whole.children().count(), 4);
    /// assert_eq!(whole, Element::read(document, &XmlLimits::default())?);
    /// assert!(whole.write_as(Layout::Kept)?.ends_with(document));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Element::read`].
    pub fn read_whole(document: &[u8], limits: &XmlLimits) -> Result<Self, XmlError> {
        tree_reader::read(document, limits, true)
    }

    /// Writes a document of this element: UTF-8, with XML declaration, namespaces declared at the
    /// root.
    ///
    /// # Errors
    ///
    /// A name or a character is not allowed in XML.
    pub fn write(&self) -> Result<Bytes, XmlWriteError> {
        self.write_as(Layout::Compact)
    }

    /// The same, laid out as asked.
    ///
    /// # Errors
    ///
    /// As for [`Element::write`].
    pub fn write_as(&self, layout: Layout) -> Result<Bytes, XmlWriteError> {
        writer::write_document(self, layout)
    }

    /// The element's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The namespace of its name, empty for none.
    pub fn namespace(&self) -> &str {
        self.name.namespace()
    }

    /// Its name within the namespace.
    pub fn local(&self) -> &str {
        self.name.local()
    }

    /// Whether it is the element `local` of `namespace`.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.name.is(namespace, local)
    }

    /// The value of an attribute without prefix.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.get("", local)
    }

    /// Everything it contains, in order. Comments and processing instructions are kept by
    /// [`Element::read_whole`] alone.
    pub fn children(&self) -> impl Iterator<Item = NodeRef<'_>> {
        let (text, nodes) = self.parts();
        let text = text.into_iter().map(NodeRef::Text);
        text.chain(nodes.iter().map(NodeRef::from))
    }

    /// The same, to be changed.
    pub fn children_mut(&mut self) -> &mut Vec<Node> {
        self.children.nodes()
    }

    /// The elements it contains directly.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.nodes().iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    /// The same, to be changed.
    pub fn elements_mut(&mut self) -> impl Iterator<Item = &mut Element> {
        let nodes = match &mut self.children {
            Children::Text(_) => &mut [][..],
            Children::Nodes(nodes) => nodes.as_mut_slice(),
        };
        nodes.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    /// The elements named `local` in `namespace` that it contains directly.
    pub fn elements_named<'a>(
        &'a self,
        namespace: &'a str,
        local: &'a str,
    ) -> impl Iterator<Item = &'a Element> {
        self.elements()
            .filter(move |element| element.is(namespace, local))
    }

    /// The first of them.
    pub fn first(&self, namespace: &str, local: &str) -> Option<&Element> {
        self.elements().find(|element| element.is(namespace, local))
    }

    /// The text it contains directly, without that of the elements in it.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.children().filter_map(|node| match node {
            NodeRef::Text(text) => Some(text),
            _ => None,
        });
        let first = texts.next().unwrap_or_default();
        match texts.next() {
            None => Cow::Borrowed(first),
            Some(second) => {
                let mut all = String::from(first);
                all.push_str(second);
                all.extend(texts);
                Cow::Owned(all)
            }
        }
    }

    /// Puts an element at the end of the content.
    pub fn push_child(&mut self, child: Element) {
        self.children_mut().push(Node::Element(child));
    }

    /// Puts text at the end of the content.
    pub fn push_text(&mut self, text: impl Into<Text>) {
        let text = text.into();
        if text.is_empty() {
            return;
        }
        match &mut self.children {
            Children::Text(all) => all.push_str(&text),
            Children::Nodes(nodes) if nodes.is_empty() => self.children = Children::Text(text),
            Children::Nodes(nodes) => match nodes.last_mut() {
                Some(Node::Text(last)) => last.push_str(&text),
                _ => nodes.push(Node::Text(text)),
            },
        }
    }

    /// The element with one more element at the end of its content.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Self {
        self.push_child(child);
        self
    }

    /// The element with text at the end of its content.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Text>) -> Self {
        self.push_text(text);
        self
    }

    /// The element with the attribute `local`, without prefix, set to a value.
    #[must_use]
    pub fn with_attribute(mut self, local: &str, value: impl Into<Text>) -> Self {
        self.attributes.set(Name::new("", local), value);
        self
    }

    /// Prefixes declared on the element, with their namespaces, beyond what its names need.
    ///
    /// Attribute values and text may use prefixes too (`xsi:type="x:kind"`), which nobody can see
    /// from outside. They keep their meaning because these declarations are kept and written again.
    /// The empty prefix stands for the default namespace.
    ///
    /// An element that was read as a part of a document has its own declarations, and those from
    /// around it whose prefix some value or text in it begins with. A value that uses a prefix
    /// further in alone (a selector, a list of names), or means the default namespace, does not
    /// take it along.
    pub fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declarations
            .iter()
            .flat_map(|declarations| declarations.iter())
            .map(|(prefix, namespace)| (prefix.as_str(), namespace.as_str()))
    }

    #[inline]
    pub(super) fn has_declarations(&self) -> bool {
        self.declarations.is_some()
    }

    /// Takes a declaration back; gives its place and its namespace.
    pub(super) fn undeclare(&mut self, prefix: &str) -> Option<(usize, String)> {
        let declarations = self.declarations.as_mut()?;
        let place = declarations.iter().position(|(known, _)| known == prefix)?;
        let (_, namespace) = declarations.remove(place);
        if declarations.is_empty() {
            self.declarations = None;
        }
        Some((place, namespace))
    }

    /// The element's name, to be changed.
    pub(super) fn name_mut(&mut self) -> &mut Name {
        &mut self.name
    }

    /// All that it contains, when that is not one text alone.
    pub(super) fn nodes(&self) -> &[Node] {
        self.parts().1
    }

    /// The text that is all it contains.
    #[inline]
    pub(super) fn only_text(&self) -> Option<&Text> {
        match &self.children {
            Children::Text(text) => Some(text),
            Children::Nodes(_) => None,
        }
    }

    /// The one text that it contains, or else everything.
    pub(super) fn parts(&self) -> (Option<&str>, &[Node]) {
        match &self.children {
            Children::Text(text) => (Some(text), &[]),
            Children::Nodes(nodes) => (None, nodes),
        }
    }

    /// Puts a declaration back in its place among the others.
    pub(super) fn redeclare(&mut self, place: usize, prefix: &str, namespace: &str) {
        let declarations = self.declarations.get_or_insert_default();
        let place = place.min(declarations.len());
        declarations.insert(place, (prefix.to_owned(), namespace.to_owned()));
    }

    /// One of the elements it contains, by its place among all that it contains.
    pub(super) fn element_at_mut(&mut self, place: usize) -> Option<&mut Element> {
        match &mut self.children {
            Children::Nodes(nodes) => match nodes.get_mut(place)? {
                Node::Element(element) => Some(element),
                _ => None,
            },
            Children::Text(_) => None,
        }
    }

    /// Declares a prefix on the element, for the sake of its content.
    ///
    /// Writing refuses a prefix that is no XML name.
    pub fn declare(&mut self, prefix: &str, namespace: &str) {
        let declarations = self.declarations.get_or_insert_default();
        match declarations.iter_mut().find(|(known, _)| known == prefix) {
            Some((_, known)) => namespace.clone_into(known),
            None => declarations.push((prefix.to_owned(), namespace.to_owned())),
        }
    }

    /// What its content looks like.
    #[inline]
    pub(super) fn shape(&self) -> Shape<'_> {
        match &self.children {
            Children::Text(text) if !text.is_empty() => Shape::Text(text),
            Children::Nodes(nodes) if self.has_elements_only() => Shape::Elements(nodes),
            Children::Nodes(nodes) if nodes.iter().any(Node::is_something) => Shape::Mixed(nodes),
            _ => Shape::Nothing,
        }
    }

    /// Its content as it is compared: neighbouring texts as one, comments and instructions between
    /// them or not, and no white space between elements where there is no other text.
    pub(super) fn content(&self) -> impl Iterator<Item = Content<'_>> {
        let mut nodes = self.children().peekable();
        let elements_only = self.has_elements_only();
        core::iter::from_fn(move || {
            loop {
                let first = match nodes.next()? {
                    NodeRef::Element(element) => return Some(Content::Element(element)),
                    NodeRef::Text(text) => text,
                    NodeRef::Comment(_) | NodeRef::Instruction { .. } => continue,
                };
                if elements_only || first.is_empty() {
                    continue;
                }
                let mut all = Cow::Borrowed(first);
                while let Some(more) = nodes.next_if(|node| !matches!(node, NodeRef::Element(_))) {
                    if let NodeRef::Text(more) = more {
                        all.to_mut().push_str(more);
                    }
                }
                return Some(Content::Text(all));
            }
        })
    }

    /// Whether elements are all that matters in its content.
    fn has_elements_only(&self) -> bool {
        let Children::Nodes(nodes) = &self.children else {
            return false;
        };
        let mut elements = false;
        for node in nodes {
            match node {
                Node::Element(_) => elements = true,
                Node::Text(text) if !is_blank(text) => return false,
                Node::Text(_) | Node::Comment(_) | Node::Instruction { .. } => {}
            }
        }
        elements
    }
}

/// What an element's content looks like.
#[derive(Debug)]
pub(super) enum Shape<'e> {
    Nothing,
    /// One text and nothing else.
    Text(&'e str),
    /// Elements, and between them nothing that means anything.
    Elements(&'e [Node]),
    /// Text beside other text, or beside elements.
    Mixed(&'e [Node]),
}

/// A part of an element's content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'e> {
    Element(&'e Element),
    Text(Cow<'e, str>),
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.attributes == other.attributes
            && self.content().eq(other.content())
    }
}

impl Eq for Element {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Element {
        Element::read(document.as_bytes(), &XmlLimits::default()).unwrap()
    }

    #[test]
    fn what_makes_no_difference() {
        for (one, other) in [
            (
                "<p:a xmlns:p='urn:example:x'/>",
                "<a xmlns='urn:example:x'/>",
            ),
            ("<a b='1' c='2'/>", "<a c='2' b='1'/>"),
            (
                "<a p:b='' xmlns:p='urn:example:x'/>",
                "<a xmlns:q='urn:example:x' q:b=''/>",
            ),
            ("<a> <b/>\n<c/>\t</a>", "<a><b/><c/></a>"),
            ("<a><!-- x --><b/><?x y?></a>", "<a><b/></a>"),
            ("<a>x<![CDATA[<]]>y</a>", "<a>x&lt;y</a>"),
            ("<a></a>", "<a/>"),
        ] {
            assert_eq!(read(one), read(other));
        }
    }

    #[test]
    fn what_makes_a_difference() {
        for (one, other) in [
            ("<a/>", "<b/>"),
            ("<a xmlns='urn:example:x'/>", "<a xmlns='urn:example:y'/>"),
            ("<a xmlns='urn:example:x'/>", "<a/>"),
            ("<a b='1'/>", "<a b='2'/>"),
            ("<a b=''/>", "<a/>"),
            (
                "<a b='' xmlns:p='urn:example:x'/>",
                "<a p:b='' xmlns:p='urn:example:x'/>",
            ),
            ("<a><b/><c/></a>", "<a><c/><b/></a>"),
            ("<a> </a>", "<a/>"),
            ("<a> <b/> x</a>", "<a><b/> x</a>"),
            ("<a>x <b/></a>", "<a>x<b/></a>"),
            ("<a>x</a>", "<a>x </a>"),
        ] {
            assert_ne!(read(one), read(other));
        }
    }

    #[test]
    fn texts_side_by_side_are_one_text() {
        let mut parts = Element::new("", "a");
        for text in ["", "x", "", "y", ""] {
            parts.children_mut().push(Node::Text(text.into()));
        }
        let whole = Element::new("", "a").with_text("xy");
        assert_eq!(parts, whole);
        assert_eq!(parts.write(), whole.write());
        assert_eq!(parts.text(), "xy");

        let mut nothing = Element::new("", "a");
        nothing.children_mut().push(Node::Text(Text::new()));
        assert_eq!(nothing, Element::new("", "a"));
        assert_eq!(nothing.write(), Element::new("", "a").write());
    }

    #[test]
    fn text_is_that_of_the_element_alone() {
        let element = read("<a>one<b>two</b>three&amp;<c/></a>");
        assert_eq!(element.text(), "onethree&");
        assert_eq!(element.first("", "b").unwrap().text(), "two");
        assert_eq!(element.elements().count(), 2);
        assert_eq!(element.elements_named("", "c").count(), 1);
        assert_eq!(element.first("urn:example:x", "b"), None);
    }

    #[test]
    fn white_space_is_kept_where_there_is_text() {
        let element = read("<a> <b/>\n<c/>x <d/> </a>");
        let texts: Vec<&str> = element
            .children()
            .filter_map(|node| match node {
                NodeRef::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(texts, [" ", "\n", "x ", " "]);
        assert_eq!(read("<a>\n </a>").text(), "\n ");
        assert_eq!(read("<a>\n <b/> </a>").children().count(), 1);
    }

    #[test]
    fn a_whole_document_keeps_what_means_nothing() {
        let limits = XmlLimits::default();
        let document = "<a>\n <!-- - x --><b> </b><?y?><?y  z ?>t<![CDATA[]]><!---->u\n<c/></a>";
        let whole = Element::read_whole(document.as_bytes(), &limits).unwrap();
        assert_eq!(whole, read(document));
        let kept: Vec<String> = whole.children().map(|node| format!("{node:?}")).collect();
        assert_eq!(kept.len(), 9, "{kept:?}");
        let written = whole.write_as(Layout::Kept).unwrap();
        let again = Element::read_whole(&written, &limits).unwrap();
        assert!(again.children().eq(whole.children()));
        assert_eq!(again.write_as(Layout::Kept).unwrap(), written);
        // Comments are written in any layout, and mean nothing where they stand.
        for layout in [Layout::Compact, Layout::Pretty] {
            let written = whole.write_as(layout).unwrap();
            assert_eq!(Element::read(&written, &limits).unwrap(), whole);
            let text = String::from_utf8(written.to_vec()).unwrap();
            assert!(
                text.contains("<!-- - x -->") && text.contains("<?y z ?>"),
                "{text}"
            );
        }
    }

    #[test]
    fn comments_and_instructions_that_cannot_be_written() {
        let instruction = |target: &str, data: &str| Node::Instruction {
            target: target.to_owned(),
            data: data.to_owned(),
        };
        for node in [
            Node::Comment("a--b".to_owned()),
            Node::Comment("a-".to_owned()),
            Node::Comment("a\rb".to_owned()),
            Node::Comment("\u{1}".to_owned()),
            instruction("XmL", ""),
            instruction("a:b", ""),
            instruction("", "b"),
            instruction("a", "b?>"),
            instruction("a", "\u{FFFE}"),
        ] {
            let mut element = Element::new("", "a");
            element.children_mut().push(node.clone());
            assert!(element.write().is_err(), "{node:?}");
        }
    }

    #[test]
    fn prefixes_that_content_relies_on_stay_declared() {
        let document = "<a xmlns:x='urn:example:x' xmlns:y='urn:example:y' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\
             <b xsi:type='y:kind'>x:value</b><c>z:none</c></a>";
        let element = read(document);
        let declared: Vec<_> = element.declarations().map(|(prefix, _)| prefix).collect();
        assert_eq!(declared, ["x", "y", "xsi"]);
        let written = String::from_utf8(element.write().unwrap().to_vec()).unwrap();
        assert!(written.contains("xmlns:y=\"urn:example:y\""), "{written}");
        assert_eq!(read(&written).write().unwrap(), written.as_bytes());
    }
}
