//! Makes trees of tokens.

use std::borrow::Cow;

use super::attribute::{Attribute, Attributes};
use super::element::{Element, Node};
use super::error::XmlError;
use super::limits::XmlLimits;
use super::name::{Name, is_blank};
use super::tokenizer::{RawAttribute, StartTag, Token, Tokenizer, TokenizerOptions};

pub(super) fn read(document: &[u8], limits: &XmlLimits) -> Result<Element, XmlError> {
    let options = TokenizerOptions {
        limits,
        charset: None,
        aliases: &[],
    };
    let mut tokenizer = Tokenizer::new(document, options)?;
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

/// An element that is not closed yet.
struct Frame<'a> {
    element: Element,
    has_elements: bool,
    /// Text other than white space was seen, so that all of it counts.
    has_text: bool,
    /// White space that counts only if other text comes, with its place among the children.
    blanks: Vec<(usize, Cow<'a, str>)>,
}

impl<'a> Frame<'a> {
    fn new(element: Element) -> Self {
        Self {
            element,
            has_elements: false,
            has_text: false,
            blanks: Vec::new(),
        }
    }

    fn text(&mut self, text: Cow<'a, str>) {
        if self.has_text {
            self.element.push_text(text);
        } else if is_blank(&text) {
            self.blanks.push((self.element.children().len(), text));
        } else {
            self.has_text = true;
            self.restore_blanks();
            self.element.push_text(text);
        }
    }

    fn restore_blanks(&mut self) {
        if self.blanks.is_empty() {
            return;
        }
        let children = self.element.children_mut();
        let elements = core::mem::take(children);
        let mut blanks = self.blanks.drain(..).peekable();
        for (at, node) in elements.into_iter().enumerate() {
            while let Some((_, text)) = blanks.next_if(|&(before, _)| before <= at) {
                children.push(Node::Text(text.into_owned()));
            }
            children.push(node);
        }
        children.extend(blanks.map(|(_, text)| Node::Text(text.into_owned())));
    }

    fn close(mut self) -> Element {
        // White space alone is the content of an element that has nothing else.
        if !self.has_elements {
            self.restore_blanks();
        }
        self.element
    }
}

impl<'a> Tokenizer<'a> {
    /// The tree of the element whose start tag was just read, up to and with its end.
    pub(crate) fn element(&mut self, tag: StartTag<'a>) -> Result<Element, XmlError> {
        let outer = self.outer_bindings();
        let mut relied_on = Vec::new();
        let root = self.open_element(tag, outer, &mut relied_on);
        let mut open = vec![Frame::new(root)];
        loop {
            match self.next()? {
                Token::Start(tag) => {
                    let element = self.open_element(tag, outer, &mut relied_on);
                    if let Some(parent) = open.last_mut() {
                        parent.has_elements = true;
                    }
                    open.push(Frame::new(element));
                }
                Token::Text(text) => {
                    if let Some((prefix, namespace)) = self.prefix_in_content(&text, outer) {
                        rely_on(&mut relied_on, prefix, namespace);
                    }
                    if let Some(parent) = open.last_mut() {
                        parent.text(text);
                    }
                }
                Token::End => {
                    let Some(closed) = open.pop().map(Frame::close) else {
                        continue;
                    };
                    match open.last_mut() {
                        Some(parent) => parent.element.push_child(closed),
                        None => return Ok(finish(closed, relied_on)),
                    }
                }
                // The tokenizer reports the end only when all elements are closed.
                Token::Eof => return Ok(Element::new("", "")),
            }
        }
    }

    fn open_element(
        &mut self,
        tag: StartTag<'a>,
        outer: usize,
        relied_on: &mut Vec<(&'a str, String)>,
    ) -> Element {
        let name = self.name_of(tag);
        let mut element = Element::named(name);
        for (prefix, namespace) in self.declarations() {
            element.declare(prefix, namespace);
        }
        for attribute in self.attributes() {
            if let Some((prefix, namespace)) = self.prefix_in_content(&attribute.value, outer) {
                rely_on(relied_on, prefix, namespace);
            }
        }
        element.attributes = self.own_attributes();
        element
    }

    fn name_of(&mut self, tag: StartTag<'a>) -> Name {
        Name {
            qualifier: self.qualifier(tag.binding, tag.namespace),
            local: tag.local.into(),
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
        let mut all = Attributes::new();
        let mut raw = self.lend_attributes();
        for mut attribute in raw.drain(..) {
            if take(&mut attribute) {
                continue;
            }
            let name = Name {
                qualifier: self.qualifier(attribute.binding, attribute.namespace),
                local: attribute.local.into(),
            };
            all.push(Attribute::new(name, attribute.value));
        }
        self.return_attributes(raw);
        all
    }
}

fn rely_on<'a>(relied_on: &mut Vec<(&'a str, String)>, prefix: &'a str, namespace: &str) {
    if !relied_on.iter().any(|&(known, _)| known == prefix) {
        relied_on.push((prefix, namespace.to_owned()));
    }
}

/// Declares on the root what its content takes from outside, unless it declares that itself.
fn finish(mut root: Element, relied_on: Vec<(&str, String)>) -> Element {
    for (prefix, namespace) in relied_on {
        if !root.declarations().any(|(known, _)| known == prefix) {
            root.declare(prefix, &namespace);
        }
    }
    root
}
