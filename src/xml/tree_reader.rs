//! Makes trees of tokens.

use std::borrow::Cow;

use super::attribute::{Attribute, Attributes};
use super::element::{Element, Head, Node};
use super::error::XmlError;
use super::limits::XmlLimits;
use super::name::{Name, SharedStr, is_blank};
use super::scope::ScopeMark;
use super::start_tag::{RawAttribute, StartTag};
use super::tokenizer::{Aside, Token, Tokenizer, TokenizerOptions};

/// `whole`: with white space between elements, comments and instructions.
pub(super) fn read(document: &[u8], limits: &XmlLimits, whole: bool) -> Result<Element, XmlError> {
    let options = TokenizerOptions {
        limits,
        charset: None,
        any_ascii: false,
        bare_doctype: false,
        aliases: &[],
    };
    let mut tokenizer = Tokenizer::new(document, options)?;
    if whole {
        tokenizer.keep_asides();
        tokenizer.scratch.keeps_blanks = true;
    }
    // Room for most documents, so that it need not grow.
    tokenizer.scratch.nodes = Vec::with_capacity(32);
    let mut root = None;
    loop {
        match tokenizer.next()? {
            Token::Start(tag) => root = Some(tokenizer.element(tag)?),
            Token::Text(_) | Token::End => {}
            Token::Eof => break,
        }
    }
    // Without a root the tokenizer has refused the document.
    Ok(root.unwrap_or_else(|| Element::new("", "")))
}

/// An element that is not closed yet; its content waits in [`Scratch`].
#[derive(Debug)]
struct Frame {
    head: Head,
    first_node: usize,
    first_blank: usize,
    has_elements: bool,
    /// Text other than white space was seen, so that all of it counts.
    has_text: bool,
}

/// Memory of the tree reader that one tree leaves for the next.
#[derive(Debug, Default)]
pub(super) struct Scratch<'a> {
    open: Vec<Frame>,
    /// The content of all open elements, that of the outermost first.
    nodes: Vec<Node>,
    /// White space that counts only if other text comes, and the node it stands before.
    blanks: Vec<(usize, Cow<'a, str>)>,
    /// White space counts at once.
    pub(super) keeps_blanks: bool,
}

impl<'a> Scratch<'a> {
    fn open(&mut self, head: Head) {
        self.open.push(Frame {
            head,
            first_node: self.nodes.len(),
            first_blank: self.blanks.len(),
            has_elements: false,
            has_text: self.keeps_blanks,
        });
    }

    fn text(&mut self, text: Cow<'a, str>) {
        let Some(frame) = self.open.last_mut() else {
            return;
        };
        if !frame.has_text {
            if is_blank(&text) {
                self.blanks.push((self.nodes.len(), text));
                return;
            }
            frame.has_text = true;
            let (first_node, first_blank) = (frame.first_node, frame.first_blank);
            self.restore_blanks(first_node, first_blank);
        }
        self.nodes.push(Node::Text(text.into()));
    }

    /// Puts the white space of the innermost element where it stood.
    fn restore_blanks(&mut self, first_node: usize, first_blank: usize) {
        if self.blanks.len() <= first_blank {
            return;
        }
        let elements: Vec<Node> = self.nodes.drain(first_node..).collect();
        let mut blanks = self.blanks.drain(first_blank..).peekable();
        for (at, node) in elements.into_iter().enumerate() {
            let at = first_node.saturating_add(at);
            while let Some((_, text)) = blanks.next_if(|&(before, _)| before <= at) {
                self.nodes.push(Node::Text(text.into()));
            }
            self.nodes.push(node);
        }
        let last = blanks.map(|(_, text)| Node::Text(text.into()));
        self.nodes.extend(last);
    }

    /// Closes the innermost element; gives it back if it was the outermost.
    fn close(&mut self) -> Option<Element> {
        let frame = self.open.pop()?;
        // White space alone is the content of an element that has nothing else.
        if !frame.has_elements {
            self.restore_blanks(frame.first_node, frame.first_blank);
        }
        self.blanks.truncate(frame.first_blank);
        let content = match self.nodes.len() > frame.first_node {
            true => self.nodes.split_off(frame.first_node),
            false => Vec::new(),
        };
        self.add(frame.head.with_content(content))
    }

    fn aside(&mut self, aside: Aside<'a>) {
        self.nodes.push(match aside {
            Aside::Comment(comment) => Node::Comment(comment.into_owned()),
            Aside::Instruction { target, data } => Node::Instruction {
                target: target.to_owned(),
                data: data.into_owned(),
            },
        });
    }

    /// Adds a complete element to the innermost open one; gives it back if there is none.
    #[inline]
    fn add(&mut self, element: Element) -> Option<Element> {
        let Some(parent) = self.open.last_mut() else {
            return Some(element);
        };
        parent.has_elements = true;
        self.nodes.push(Node::Element(element));
        None
    }
}

impl<'a> Tokenizer<'a> {
    /// The tree of the element whose start tag was just read, up to and with its end.
    pub(crate) fn element(&mut self, tag: StartTag<'a>) -> Result<Element, XmlError> {
        let mut scratch = core::mem::take(&mut self.scratch);
        let element = self.element_with(tag, &mut scratch)?;
        self.scratch = scratch;
        Ok(element)
    }

    fn element_with(
        &mut self,
        tag: StartTag<'a>,
        scratch: &mut Scratch<'a>,
    ) -> Result<Element, XmlError> {
        let outer = self.outside();
        let mut relied_on = Vec::new();
        let mut next = Token::Start(tag);
        loop {
            let closed = match next {
                Token::Start(tag) => {
                    let head = self.head(tag, outer, &mut relied_on);
                    // Most elements are done with at once.
                    match self.plain_content()? {
                        Some(text) => {
                            self.rely_on_prefix(&text, outer, &mut relied_on);
                            scratch.add(head.with_text(text))
                        }
                        None => {
                            scratch.open(head);
                            None
                        }
                    }
                }
                Token::Text(text) if text.is_empty() => {
                    if let Some(aside) = self.take_aside() {
                        scratch.aside(aside);
                    }
                    None
                }
                Token::Text(text) => {
                    self.rely_on_prefix(&text, outer, &mut relied_on);
                    scratch.text(text);
                    None
                }
                Token::End => scratch.close(),
                // The tokenizer reports the end only when all elements are closed.
                Token::Eof => return Ok(Element::new("", "")),
            };
            if let Some(closed) = closed {
                return self.finish(closed, relied_on);
            }
            next = self.next()?;
        }
    }

    /// Declares on the root what its content takes from outside, unless it declares that itself.
    fn finish(
        &mut self,
        mut root: Element,
        relied_on: Vec<(&str, String)>,
    ) -> Result<Element, XmlError> {
        for (prefix, namespace) in relied_on {
            if !root.declarations().any(|(known, _)| known == prefix) {
                self.repeat(prefix.len().saturating_add(namespace.len()))?;
                root.declare(prefix, &namespace);
            }
        }
        Ok(root)
    }

    fn rely_on_prefix(
        &mut self,
        content: &str,
        outer: ScopeMark,
        relied_on: &mut Vec<(&'a str, String)>,
    ) {
        if let Some((prefix, namespace)) = self.scope().prefix_in_content(content, outer) {
            rely_on(relied_on, prefix, namespace);
        }
    }

    /// All that a start tag says.
    #[inline]
    fn head(
        &mut self,
        tag: StartTag<'a>,
        outer: ScopeMark,
        relied_on: &mut Vec<(&'a str, String)>,
    ) -> Head {
        let name = self.name_of(tag);
        let (scope, attributes, outside) = self.start_tag_parts();
        let mut declarations: Option<Box<Vec<_>>> = None;
        for (prefix, namespace) in scope.since(outside) {
            let declarations = declarations.get_or_insert_default();
            declarations.push((prefix.to_owned(), namespace.to_owned()));
        }
        for attribute in attributes {
            if let Some((prefix, namespace)) = scope.prefix_in_content(&attribute.value, outer) {
                rely_on(relied_on, prefix, namespace);
            }
        }
        Head {
            name,
            attributes: self.own_attributes(),
            declarations,
        }
    }

    fn name_of(&mut self, tag: StartTag<'a>) -> Name {
        Name {
            qualifier: self.scope().qualifier(tag.binding),
            local: SharedStr::local_name(tag.local),
        }
    }

    /// The attributes of the last start tag, to keep.
    fn own_attributes(&mut self) -> Attributes {
        self.own_attributes_but(|_| false)
    }

    /// The same, without those that `take` says it has taken.
    pub(crate) fn own_attributes_but(
        &mut self,
        mut take: impl FnMut(&mut RawAttribute<'a>) -> bool,
    ) -> Attributes {
        if self.attributes().is_empty() {
            return Attributes::new();
        }
        let mut all = Vec::new();
        let mut raw = self.lend_attributes();
        let mut left = raw.len();
        for mut attribute in raw.drain(..) {
            if take(&mut attribute) {
                left = left.saturating_sub(1);
                continue;
            }
            if all.capacity() == 0 {
                all.reserve_exact(left);
            }
            let name = Name {
                qualifier: self.scope().qualifier(attribute.binding),
                local: SharedStr::local_name(attribute.local),
            };
            all.push(Attribute::new(name, attribute.value));
        }
        self.return_attributes(raw);
        Attributes::of(all)
    }
}

fn rely_on<'a>(relied_on: &mut Vec<(&'a str, String)>, prefix: &'a str, namespace: &str) {
    if !relied_on.iter().any(|&(known, _)| known == prefix) {
        relied_on.push((prefix, namespace.to_owned()));
    }
}
