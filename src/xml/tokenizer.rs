//! The strict, namespace-true tokenizer.
//!
//! quick-xml finds where markup and text begin and end and matches end tags with start tags.
//! Everything else that makes a document well-formed is checked here, on slices of the document.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is compared with the end of the tag that quick-xml delimited"
)]

use std::borrow::Cow;
use std::sync::Arc;

use quick_xml::errors::{Error as QuickError, IllFormedError, SyntaxError};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::document::Document;
use super::error::{Location, XmlError, XmlErrorKind, XmlLimit, excerpt};
use super::limits::XmlLimits;
use super::name::{
    Qualifier, QualifierRef, SharedStr, is_name_char, is_name_start, is_space, is_xml_char,
};
use super::namespace::{self, NamespaceId, find_known};

/// What the document consists of, for the code above.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'a> {
    /// A start tag, also that of an empty element; [`Tokenizer::attributes`] has the rest of it.
    Start(StartTag<'a>),
    /// The end of the innermost element.
    End,
    /// All text up to the next tag: references, CDATA sections and comments are dealt with.
    /// Never empty, and never twice in a row.
    Text(Cow<'a, str>),
    /// The end of a complete document.
    Eof,
}

/// The name in a start tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StartTag<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) local: &'a str,
    /// Position in the tokenizer's bindings, none for a name without namespace.
    pub(super) binding: Option<usize>,
}

/// An attribute of the start tag that was read last; declarations of namespaces are not among
/// them.
#[derive(Debug)]
pub(crate) struct RawAttribute<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) local: &'a str,
    pub(crate) value: Cow<'a, str>,
    prefix: &'a str,
    pub(super) binding: Option<usize>,
}

/// A prefix in scope; the empty one stands for the default namespace.
#[derive(Debug)]
struct Binding<'a> {
    prefix: &'a str,
    namespace: NamespaceId,
    /// Made when a name of the tree first needs it.
    qualifier: Option<QualifierRef>,
}

#[derive(Debug)]
struct OpenElement<'a> {
    /// As written, for error messages.
    name: &'a str,
    /// How many bindings were in scope outside.
    outer_bindings: usize,
    /// The default namespace outside: binding and number.
    outer_default: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Prolog,
    Root,
    Epilog,
}

/// How a document is to be tokenized.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenizerOptions<'o> {
    pub(crate) limits: &'o XmlLimits,
    /// The charset parameter of the media type.
    pub(crate) charset: Option<&'o str>,
    /// Namespace names to be taken for another one.
    pub(crate) aliases: &'static [(&'static str, NamespaceId)],
}

/// Reads a document token by token.
///
/// After an error the same error comes again, for ever.
pub(crate) struct Tokenizer<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    /// Where in the text the reader's input began.
    base: usize,
    limits: XmlLimits,
    aliases: &'static [(&'static str, NamespaceId)],
    alias_seen: bool,
    has_carriage_return: bool,
    has_bracket: bool,
    stage: Stage,
    open: Vec<OpenElement<'a>>,
    bindings: Vec<Binding<'a>>,
    /// The binding of the default namespace in scope.
    default: Option<usize>,
    /// Names of the namespaces that are not known ones.
    foreign: Vec<Arc<str>>,
    attributes: Vec<RawAttribute<'a>>,
    /// An empty-element tag was read and its end is owed.
    end_owed: bool,
    nodes: usize,
    token_start: usize,
    failed: Option<XmlError>,
    lines: LineCursor,
}

impl core::fmt::Debug for Tokenizer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("position", &self.position())
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

type Checked<T> = Result<T, Refusal>;

/// A fault and where it is; boxed late, when the error leaves the tokenizer.
#[derive(Debug)]
struct Refusal {
    kind: XmlErrorKind,
    at: usize,
}

fn refuse<T>(kind: XmlErrorKind, at: usize) -> Checked<T> {
    Err(Refusal { kind, at })
}

fn syntax<T>(expected: &'static str, at: usize) -> Checked<T> {
    refuse(XmlErrorKind::Syntax { expected }, at)
}

fn over<T>(limit: XmlLimit, max: usize, at: usize) -> Checked<T> {
    refuse(XmlErrorKind::Limit { limit, max }, at)
}

impl<'a> Tokenizer<'a> {
    pub(crate) fn new(bytes: &'a [u8], options: TokenizerOptions<'_>) -> Result<Self, XmlError> {
        let document = match Document::open(bytes, options.limits, options.charset) {
            Ok(document) => document,
            Err((kind, at)) => {
                let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
                let before = String::from_utf8_lossy(bytes.get(..at).unwrap_or_default());
                let (line, column) = LineCursor::default().locate(&before, before.len());
                let location = Location {
                    line,
                    column,
                    path: String::new(),
                };
                return Err(XmlError::new(kind, location));
            }
        };
        let body = document.text.get(document.body..).unwrap_or_default();
        let mut reader = Reader::from_reader(body.as_bytes());
        reader.config_mut().check_comments = true;
        let mut tokenizer = Self {
            reader,
            text: document.text,
            base: document.body,
            limits: *options.limits,
            aliases: options.aliases,
            alias_seen: false,
            has_carriage_return: document.has_carriage_return,
            has_bracket: document.has_bracket,
            stage: Stage::Prolog,
            open: Vec::with_capacity(8),
            bindings: Vec::with_capacity(8),
            default: None,
            foreign: Vec::new(),
            attributes: Vec::with_capacity(8),
            end_owed: false,
            nodes: 0,
            token_start: document.body,
            failed: None,
            lines: LineCursor::default(),
        };
        // quick-xml would skip a second byte order mark without counting it.
        if body.starts_with('\u{FEFF}') {
            let refusal = Refusal {
                kind: XmlErrorKind::TextOutsideRoot,
                at: document.body,
            };
            return Err(tokenizer.fail(refusal));
        }
        Ok(tokenizer)
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, XmlError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.token() {
            Ok(token) => Ok(token),
            Err(refusal) => Err(self.fail(refusal)),
        }
    }

    /// Attributes of the last start tag, in their order.
    pub(crate) fn attributes(&self) -> &[RawAttribute<'a>] {
        &self.attributes
    }

    /// The same, to be taken apart.
    pub(super) fn lend_attributes(&mut self) -> Vec<RawAttribute<'a>> {
        core::mem::take(&mut self.attributes)
    }

    /// Takes the emptied list back, for its memory.
    pub(super) fn return_attributes(&mut self, attributes: Vec<RawAttribute<'a>>) {
        self.attributes = attributes;
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The name of a namespace of this document.
    pub(crate) fn namespace_name(&self, id: NamespaceId) -> &str {
        match id.known() {
            Some(known) => &known.namespace,
            None => foreign_index(id)
                .and_then(|at| self.foreign.get(at))
                .map_or("", |name| name),
        }
    }

    /// Whether a namespace was named by one of the aliases.
    pub(crate) fn alias_seen(&self) -> bool {
        self.alias_seen
    }

    /// Where the last token begins.
    pub(crate) fn location(&mut self) -> Location {
        self.locate(self.token_start)
    }

    /// The prefix declarations that the last start tag carried: prefix and namespace.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = (&'a str, &str)> + use<'_, 'a> {
        let outer = self.open.last().map_or(0, |open| open.outer_bindings);
        self.bindings
            .get(outer..)
            .unwrap_or_default()
            .iter()
            .map(|binding| (binding.prefix, self.namespace_name(binding.namespace)))
    }

    /// How many bindings are in scope outside the innermost element.
    pub(crate) fn outer_bindings(&self) -> usize {
        self.open.last().map_or(0, |open| open.outer_bindings)
    }

    /// A prefix that `content` seems to use, as a qualified name in it would, when it is bound by
    /// one of the first `outer` bindings: prefix and namespace.
    pub(crate) fn prefix_in_content(&self, content: &str, outer: usize) -> Option<(&'a str, &str)> {
        let content = content.trim_start_matches([' ', '\t', '\n', '\r']);
        let longest = self.bindings.iter().map(|b| b.prefix.len()).max()?;
        let colon = content
            .bytes()
            .take(longest.saturating_add(1))
            .position(|byte| byte == b':')?;
        let prefix = content.get(..colon).filter(|prefix| !prefix.is_empty())?;
        let found = self.find_binding(prefix).filter(|&at| at < outer)?;
        let binding = self.bindings.get(found)?;
        Some((binding.prefix, self.namespace_name(binding.namespace)))
    }

    /// The qualifier that names with this binding share.
    pub(super) fn qualifier(&mut self, binding: Option<usize>, id: NamespaceId) -> QualifierRef {
        if let Some(known) = id.known() {
            return QualifierRef::Known(known);
        }
        let name = foreign_index(id).and_then(|at| self.foreign.get(at));
        let namespace = match name {
            Some(name) => SharedStr::Shared(Arc::clone(name)),
            None => SharedStr::Static(""),
        };
        let Some(binding) = binding.and_then(|at| self.bindings.get_mut(at)) else {
            return QualifierRef::new("", "");
        };
        binding
            .qualifier
            .get_or_insert_with(|| {
                QualifierRef::Shared(Arc::new(Qualifier {
                    namespace,
                    prefix: binding.prefix.into(),
                }))
            })
            .clone()
    }

    fn fail(&mut self, refusal: Refusal) -> XmlError {
        let location = self.locate(refusal.at);
        let error = XmlError::new(refusal.kind, location);
        self.failed = Some(error.clone());
        error
    }

    fn locate(&mut self, at: usize) -> Location {
        /// More elements than this are left out in the middle of a path.
        const SHOWN: usize = 16;
        let (line, column) = self.lines.locate(self.text, at);
        let mut path = String::new();
        for open in self.open.iter().take(SHOWN) {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&excerpt(open.name));
        }
        if self.open.len() > SHOWN {
            path.push_str("/…");
        }
        Location { line, column, path }
    }

    #[inline]
    fn position(&self) -> usize {
        let read = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        self.base.saturating_add(read)
    }

    #[inline]
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn token(&mut self) -> Checked<Token<'a>> {
        if self.end_owed {
            self.end_owed = false;
            self.close();
            return Ok(Token::End);
        }
        loop {
            let start = self.position();
            self.token_start = start;
            match self.byte(start) {
                None => return self.end_of_input(start),
                Some(b'<') => match self.byte(start.saturating_add(1)) {
                    Some(b'/') => {
                        self.end_tag(start)?;
                        return Ok(Token::End);
                    }
                    Some(b'!' | b'?') => {
                        if let Some(text) = self.collect(String::new())? {
                            return Ok(Token::Text(text));
                        }
                    }
                    _ => return self.start_tag(start).map(Token::Start),
                },
                Some(b'&') => {
                    if let Some(text) = self.collect(String::new())? {
                        return Ok(Token::Text(text));
                    }
                }
                Some(_) => {
                    if let Some(text) = self.text_run(start)? {
                        return Ok(Token::Text(text));
                    }
                }
            }
        }
    }

    fn end_of_input(&mut self, at: usize) -> Checked<Token<'a>> {
        if let Some(open) = self.open.last() {
            let expected = format!("the end tag of {}", excerpt(open.name));
            return refuse(XmlErrorKind::Unclosed { expected }, at);
        }
        if self.stage == Stage::Prolog {
            return refuse(XmlErrorKind::NoRoot, at);
        }
        Ok(Token::Eof)
    }

    fn end_tag(&mut self, start: usize) -> Checked<()> {
        match self.reader.read_event() {
            Ok(Event::End(_)) => {
                self.close();
                Ok(())
            }
            Ok(_) => syntax("an end tag", start),
            Err(error) => Err(self.quick_refusal(error, start)),
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.bindings.truncate(open.outer_bindings);
            self.default = open.outer_default;
        }
        if self.open.is_empty() {
            self.stage = Stage::Epilog;
        }
    }

    /// Text that begins with plain characters; none when it is white space outside the root.
    fn text_run(&mut self, start: usize) -> Checked<Option<Cow<'a, str>>> {
        let raw = self.plain_text(start)?;
        let end = start.saturating_add(raw.len());
        let goes_on = match self.byte(end) {
            None => false,
            Some(b'<') => matches!(self.byte(end.saturating_add(1)), Some(b'!' | b'?')),
            Some(_) => true,
        };
        if self.stage != Stage::Root {
            // `collect` refuses references and CDATA here, and passes over comments.
            return Ok(None);
        }
        if goes_on {
            let first = self.normalized(raw).into_owned();
            return self.collect(first);
        }
        Ok(Some(self.normalized(raw)))
    }

    /// Consumes plain characters up to the next `<`, `&` or the end.
    fn plain_text(&mut self, start: usize) -> Checked<&'a str> {
        match self.reader.read_event() {
            Ok(Event::Text(_)) => {}
            Ok(_) => return syntax("text", start),
            Err(error) => return Err(self.quick_refusal(error, start)),
        }
        let raw = self.slice(start, self.position());
        if self.stage != Stage::Root {
            if let Some(at) = raw.bytes().position(|byte| !is_space(byte)) {
                return refuse(XmlErrorKind::TextOutsideRoot, start.saturating_add(at));
            }
        } else if self.has_bracket
            && let Some(at) = raw.find("]]>")
        {
            return syntax("no ]]> in text", start.saturating_add(at));
        }
        if raw.len() > self.limits.text {
            return over(XmlLimit::Text, self.limits.text, start);
        }
        Ok(raw)
    }

    /// Line ends become a line feed (XML 1.0, 2.11).
    #[inline]
    fn normalized(&self, raw: &'a str) -> Cow<'a, str> {
        if self.has_carriage_return && raw.contains('\r') {
            Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"))
        } else {
            Cow::Borrowed(raw)
        }
    }

    /// Puts text together that references, CDATA sections, comments or processing instructions
    /// interrupt; none when there was no text.
    #[cold]
    fn collect(&mut self, mut text: String) -> Checked<Option<Cow<'a, str>>> {
        loop {
            let start = self.position();
            match self.byte(start) {
                Some(b'&') => {
                    let c = self.reference(start)?;
                    if self.stage != Stage::Root {
                        return refuse(XmlErrorKind::TextOutsideRoot, start);
                    }
                    self.append(&mut text, c.encode_utf8(&mut [0; 4]), start)?;
                }
                Some(b'<') => match self.byte(start.saturating_add(1)) {
                    Some(b'!') => self.bang(start, &mut text)?,
                    Some(b'?') => self.instruction(start)?,
                    _ => break,
                },
                Some(_) => {
                    let raw = self.plain_text(start)?;
                    if self.stage == Stage::Root {
                        let more = self.normalized(raw);
                        self.append(&mut text, &more, start)?;
                    }
                }
                None => break,
            }
        }
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some(Cow::Owned(text)))
    }

    fn append(&self, text: &mut String, more: &str, at: usize) -> Checked<()> {
        if text.len().saturating_add(more.len()) > self.limits.text {
            return over(XmlLimit::Text, self.limits.text, at);
        }
        text.push_str(more);
        Ok(())
    }

    fn reference(&mut self, start: usize) -> Checked<char> {
        match self.reader.read_event() {
            Ok(Event::GeneralRef(_)) => {}
            Ok(_) => return syntax("a reference", start),
            Err(error) => return Err(self.quick_refusal(error, start)),
        }
        let end = self.position();
        expand(
            self.slice(start.saturating_add(1), end.saturating_sub(1)),
            start,
        )
    }

    /// A comment, or a CDATA section whose content is text.
    fn bang(&mut self, start: usize, text: &mut String) -> Checked<()> {
        if let Some(b'D' | b'd') = self.byte(start.saturating_add(2)) {
            return refuse(XmlErrorKind::Doctype, start);
        }
        match self.reader.read_event() {
            Ok(Event::Comment(_)) => Ok(()),
            Ok(Event::CData(_)) => {
                if self.stage != Stage::Root {
                    return refuse(XmlErrorKind::TextOutsideRoot, start);
                }
                let end = self.position();
                let content = self.slice(
                    start.saturating_add("<![CDATA[".len()),
                    end.saturating_sub("]]>".len()),
                );
                let content = self.normalized(content);
                self.append(text, &content, start)
            }
            Ok(_) => syntax("a comment or a CDATA section", start),
            Err(error) => Err(self.quick_refusal(error, start)),
        }
    }

    fn instruction(&mut self, start: usize) -> Checked<()> {
        match self.reader.read_event() {
            Ok(Event::PI(_)) => {}
            Ok(Event::Decl(_)) => return refuse(XmlErrorKind::Declaration, start),
            Ok(_) => return syntax("a processing instruction", start),
            Err(error) => return Err(self.quick_refusal(error, start)),
        }
        let end = self.position().saturating_sub("?>".len());
        let from = start.saturating_add("<?".len());
        let name = self.qualified_name(from, end)?;
        if name.colon.is_some() {
            return syntax("a processing instruction's target without colon", from);
        }
        let target = self.slice(from, name.end);
        if target.eq_ignore_ascii_case("xml") {
            return refuse(XmlErrorKind::Declaration, start);
        }
        if name.end < end && !self.byte(name.end).is_some_and(is_space) {
            return syntax(
                "white space after a processing instruction's target",
                name.end,
            );
        }
        Ok(())
    }

    fn start_tag(&mut self, start: usize) -> Checked<StartTag<'a>> {
        let empty = match self.reader.read_event() {
            Ok(Event::Start(_)) => false,
            Ok(Event::Empty(_)) => true,
            Ok(_) => return syntax("a start tag", start),
            Err(error) => return Err(self.quick_refusal(error, start)),
        };
        match self.stage {
            Stage::Root => {}
            Stage::Prolog => self.stage = Stage::Root,
            Stage::Epilog => return refuse(XmlErrorKind::SecondRoot, start),
        }
        if self.open.len() >= self.limits.effective_depth() {
            return over(XmlLimit::Depth, self.limits.effective_depth(), start);
        }
        let closing = if empty { 2 } else { 1 };
        let end = self.position().saturating_sub(closing);
        let from = start.saturating_add(1);
        let name = self.qualified_name(from, end)?;
        let outer_bindings = self.bindings.len();
        let outer_default = self.default;
        self.attributes.clear();
        if name.end < end {
            self.attribute_list(name.end, end, outer_bindings)?;
        }
        self.nodes = self
            .nodes
            .saturating_add(1)
            .saturating_add(self.attributes.len());
        if self.nodes > self.limits.nodes {
            return over(XmlLimit::Nodes, self.limits.nodes, start);
        }
        if !self.attributes.is_empty() {
            self.resolve_attributes(start)?;
        }
        let (binding, local) = match name.colon {
            None => (self.default, self.slice(from, name.end)),
            Some(colon) => {
                let prefix = self.slice(from, colon);
                if matches!(prefix, "xml" | "xmlns") {
                    return reserved(prefix, from);
                }
                let binding = self.bound(prefix, from)?;
                (Some(binding), self.slice(colon.saturating_add(1), name.end))
            }
        };
        self.open.push(OpenElement {
            name: self.slice(from, name.end),
            outer_bindings,
            outer_default,
        });
        self.end_owed = empty;
        let namespace = binding
            .and_then(|at| self.bindings.get(at))
            .map_or(NamespaceId::NONE, |binding| binding.namespace);
        Ok(StartTag {
            namespace,
            local,
            binding,
        })
    }

    /// All that stands between an element's name and the end of its tag.
    fn attribute_list(&mut self, from: usize, end: usize, outer: usize) -> Checked<()> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        let mut count = 0usize;
        loop {
            let spaced = skip_space(bytes, &mut at, end);
            if at >= end {
                return Ok(());
            }
            if !spaced {
                return syntax("white space before an attribute, or the end of the tag", at);
            }
            count = count.saturating_add(1);
            if count > self.limits.attributes {
                return over(XmlLimit::Attributes, self.limits.attributes, at);
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
                ("xmlns", declared) => self.declare(declared, &value, outer, begin)?,
                ("", "xmlns") => self.declare("", &value, outer, begin)?,
                _ => self.attributes.push(RawAttribute {
                    namespace: NamespaceId::NONE,
                    local,
                    value,
                    prefix,
                    binding: None,
                }),
            }
        }
    }

    /// Reads up to the closing quote and leaves `at` behind it (XML 1.0, 3.3.3).
    fn attribute_value(&self, at: &mut usize, end: usize, quote: u8) -> Checked<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        let start = *at;
        let mut plain = true;
        let mut i = start;
        while i < end {
            let byte = bytes[i];
            if CLASS[usize::from(byte)] & STOP != 0 {
                if byte == quote {
                    break;
                }
                match byte {
                    b'<' => return syntax("no < in an attribute value", i),
                    b'"' | b'\'' => {}
                    _ => plain = false,
                }
            }
            i += 1;
        }
        if i >= end {
            return syntax("the closing quote of an attribute value", start);
        }
        *at = i + 1;
        if i - start > self.limits.text {
            return over(XmlLimit::Text, self.limits.text, start);
        }
        let raw = self.slice(start, i);
        if plain {
            return Ok(Cow::Borrowed(raw));
        }
        normalized_value(raw, start).map(Cow::Owned)
    }

    /// Brings a prefix into scope for the element that is being read.
    fn declare(&mut self, prefix: &'a str, value: &str, outer: usize, at: usize) -> Checked<()> {
        let namespace = self.namespace_id(value, at)?;
        let allowed = match prefix {
            "xml" => namespace == NamespaceId::XML,
            "xmlns" => false,
            "" => namespace != NamespaceId::XML && namespace != NamespaceId::XMLNS,
            _ => {
                namespace != NamespaceId::XML
                    && namespace != NamespaceId::XMLNS
                    && namespace != NamespaceId::NONE
            }
        };
        if !allowed {
            return reserved(prefix, at);
        }
        let own = self.bindings.get(outer..).unwrap_or_default();
        if own.iter().any(|binding| binding.prefix == prefix) {
            let name = if prefix.is_empty() { "xmlns" } else { prefix };
            let name = excerpt(name);
            return refuse(XmlErrorKind::DuplicateAttribute { name }, at);
        }
        if self.bindings.len() >= self.limits.namespaces {
            return over(XmlLimit::Namespaces, self.limits.namespaces, at);
        }
        if prefix.is_empty() {
            self.default = Some(self.bindings.len());
        }
        self.bindings.push(Binding {
            prefix,
            namespace,
            qualifier: None,
        });
        Ok(())
    }

    fn namespace_id(&mut self, name: &str, at: usize) -> Checked<NamespaceId> {
        if let Some(known) = find_known(name) {
            return Ok(known);
        }
        if let Some(&(_, id)) = self.aliases.iter().find(|(alias, _)| *alias == name) {
            self.alias_seen = true;
            return Ok(id);
        }
        let index = match self.foreign.iter().position(|known| **known == *name) {
            Some(index) => index,
            None => {
                if self.foreign.len() >= self.limits.namespaces {
                    return over(XmlLimit::Namespaces, self.limits.namespaces, at);
                }
                self.foreign.push(Arc::from(name));
                self.foreign.len() - 1
            }
        };
        let number = namespace::KNOWN.len().saturating_add(index);
        Ok(NamespaceId(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// The innermost binding of a prefix.
    #[inline]
    fn find_binding(&self, prefix: &str) -> Option<usize> {
        self.bindings
            .iter()
            .rposition(|binding| binding.prefix == prefix)
    }

    /// The same, where there has to be one.
    fn bound(&self, prefix: &str, at: usize) -> Checked<usize> {
        match self.find_binding(prefix) {
            Some(found) => Ok(found),
            None => {
                let prefix = excerpt(prefix);
                refuse(XmlErrorKind::UndeclaredPrefix { prefix }, at)
            }
        }
    }

    /// Gives attributes their namespaces and refuses two of one expanded name.
    fn resolve_attributes(&mut self, at: usize) -> Checked<()> {
        for i in 0..self.attributes.len() {
            let prefix = self.attributes[i].prefix;
            if prefix.is_empty() {
                continue;
            }
            if prefix == "xml" {
                self.attributes[i].namespace = NamespaceId::XML;
                continue;
            }
            let binding = self.bound(prefix, at)?;
            self.attributes[i].binding = Some(binding);
            self.attributes[i].namespace = self.bindings[binding].namespace;
        }
        let duplicate = match self.attributes.len() {
            0 | 1 => None,
            2..=12 => self.attributes.iter().enumerate().find_map(|(i, one)| {
                let mut rest = self.attributes[i + 1..].iter();
                rest.find(|other| one.local == other.local && one.namespace == other.namespace)
            }),
            _ => {
                let mut sorted: Vec<&RawAttribute<'a>> = self.attributes.iter().collect();
                sorted.sort_unstable_by_key(|attribute| (attribute.namespace, attribute.local));
                sorted
                    .windows(2)
                    .find(|two| {
                        two[0].local == two[1].local && two[0].namespace == two[1].namespace
                    })
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

    /// Reads a name with at most one colon, no further than `end`.
    #[inline]
    fn qualified_name(&self, start: usize, end: usize) -> Checked<NameSpan> {
        let bytes = self.text.as_bytes();
        let mut i = start;
        let mut colon = None;
        let mut odd = false;
        while i < end {
            let class = CLASS[usize::from(bytes[i])];
            if class & NAME == 0 {
                if bytes[i] != b':' {
                    break;
                }
                if colon.is_some() {
                    return syntax("a name with at most one colon", i);
                }
                colon = Some(i);
            }
            odd |= class & ODD != 0;
            i += 1;
        }
        let span = NameSpan { colon, end: i };
        if i - start > self.limits.name {
            return over(XmlLimit::Name, self.limits.name, start);
        }
        let starts_well =
            |at: usize| at < i && (odd || CLASS[usize::from(bytes[at])] & NAME_START != 0);
        let well = starts_well(start) && colon.is_none_or(|colon| starts_well(colon + 1));
        if !well {
            return syntax("a name", start);
        }
        if odd {
            self.check_odd_name(start, span)?;
        }
        Ok(span)
    }

    /// Checks a name that has characters beyond ASCII.
    #[cold]
    fn check_odd_name(&self, start: usize, span: NameSpan) -> Checked<()> {
        let (first, second) = match span.colon {
            None => (self.slice(start, span.end), None),
            Some(colon) => (
                self.slice(start, colon),
                Some(self.slice(colon.saturating_add(1), span.end)),
            ),
        };
        let good = |part: &str| {
            let mut chars = part.chars();
            chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
        };
        if good(first) && second.is_none_or(good) {
            return Ok(());
        }
        syntax("a name", start)
    }

    #[cold]
    fn quick_refusal(&self, error: QuickError, start: usize) -> Refusal {
        let unclosed = |what: &str| XmlErrorKind::Unclosed {
            expected: format!("the end of {what}"),
        };
        let kind = match error {
            QuickError::Syntax(syntax) => match syntax {
                SyntaxError::InvalidBangMarkup => XmlErrorKind::Syntax {
                    expected: "a comment or a CDATA section",
                },
                SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl => {
                    unclosed("a processing instruction")
                }
                SyntaxError::UnclosedComment => unclosed("a comment"),
                SyntaxError::UnclosedDoctype => XmlErrorKind::Doctype,
                SyntaxError::UnclosedCData
                    if self.text.get(start..).is_some_and(|rest| {
                        !rest.starts_with("<![CDATA[") && !"<![CDATA[".starts_with(rest)
                    }) =>
                {
                    XmlErrorKind::Syntax {
                        expected: "a comment or a CDATA section",
                    }
                }
                SyntaxError::UnclosedCData => unclosed("a CDATA section"),
                _ => unclosed("a tag"),
            },
            QuickError::IllFormed(fault) => match fault {
                IllFormedError::MismatchedEndTag { expected, found } => {
                    XmlErrorKind::MismatchedEnd {
                        expected: excerpt(&expected),
                        found: excerpt(&found),
                    }
                }
                IllFormedError::UnmatchedEndTag(found) => XmlErrorKind::MismatchedEnd {
                    expected: String::new(),
                    found: excerpt(&found),
                },
                IllFormedError::DoubleHyphenInComment => XmlErrorKind::Syntax {
                    expected: "no -- within a comment",
                },
                IllFormedError::UnclosedReference => XmlErrorKind::Syntax {
                    expected: "a reference ending in ; after &",
                },
                _ => XmlErrorKind::Syntax {
                    expected: "well-formed markup",
                },
            },
            _ => XmlErrorKind::Syntax {
                expected: "well-formed markup",
            },
        };
        Refusal { kind, at: start }
    }
}

fn foreign_index(id: NamespaceId) -> Option<usize> {
    usize::try_from(id.0)
        .ok()?
        .checked_sub(namespace::KNOWN.len())
}

fn reserved<T>(prefix: &str, at: usize) -> Checked<T> {
    let prefix = excerpt(prefix);
    refuse(XmlErrorKind::ReservedPrefix { prefix }, at)
}

/// Where a name ends and where its colon is.
#[derive(Debug, Clone, Copy)]
struct NameSpan {
    colon: Option<usize>,
    end: usize,
}

#[inline]
fn skip_space(bytes: &[u8], at: &mut usize, end: usize) -> bool {
    let from = *at;
    while *at < end && is_space(bytes[*at]) {
        *at += 1;
    }
    *at > from
}

/// The character that a reference stands for, given without `&` and `;`.
fn expand(reference: &str, at: usize) -> Checked<char> {
    let code = match reference {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match reference.strip_prefix('#') {
            Some(number) => number,
            None => {
                if !super::name::is_nc_name(reference) {
                    return syntax("the name of an entity after &", at);
                }
                let name = excerpt(reference);
                return refuse(XmlErrorKind::UndefinedEntity { name }, at);
            }
        },
    };
    let (digits, radix) = match code.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (code, 10),
    };
    if digits.is_empty() {
        return syntax("digits in a character reference", at);
    }
    let mut value = 0u32;
    for c in digits.chars() {
        let Some(digit) = c.to_digit(radix) else {
            return syntax("digits in a character reference", at);
        };
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    match char::from_u32(value).filter(|&c| is_xml_char(c)) {
        Some(c) => Ok(c),
        None => refuse(XmlErrorKind::Character { code: value }, at),
    }
}

/// An attribute value with references expanded and white space turned into blanks.
///
/// Expanding never makes it longer.
#[cold]
fn normalized_value(raw: &str, start: usize) -> Checked<String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        value.push_str(plain);
        let here = start.saturating_add(raw.len().saturating_sub(special.len()));
        if let Some(reference) = special.strip_prefix('&') {
            let end = reference.find([';', '&', '<']).unwrap_or(reference.len());
            let (name, behind) = reference.split_at_checked(end).unwrap_or(("", ""));
            let Some(behind) = behind.strip_prefix(';') else {
                return syntax("a reference ending in ; after &", here);
            };
            value.push(expand(name, here)?);
            rest = behind;
        } else {
            value.push(' ');
            rest = match special.strip_prefix("\r\n") {
                Some(behind) => behind,
                None => special.get(1..).unwrap_or_default(),
            };
        }
    }
    value.push_str(rest);
    Ok(value)
}

/// Remembers the last place, so that many places in rising order cost one pass.
#[derive(Debug, Default)]
struct LineCursor {
    offset: usize,
    line: u32,
    line_start: usize,
}

impl LineCursor {
    fn locate(&mut self, text: &str, at: usize) -> (u32, u32) {
        if at < self.offset {
            *self = Self::default();
        }
        let bytes = text.as_bytes();
        let to = at.min(bytes.len());
        for i in self.offset..to {
            let ends_line = match bytes[i] {
                b'\n' => true,
                b'\r' => bytes.get(i + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends_line {
                self.line = self.line.saturating_add(1);
                self.line_start = i + 1;
            }
        }
        self.offset = to;
        let within = bytes.get(self.line_start..to).unwrap_or_default();
        let chars = within.iter().filter(|&&b| b & 0xC0 != 0x80).count();
        let column = u32::try_from(chars).unwrap_or(u32::MAX).saturating_add(1);
        (self.line.saturating_add(1), column)
    }
}

const NAME: u8 = 1;
const NAME_START: u8 = 2;
/// Beyond ASCII: part of a name only if the character is looked up.
const ODD: u8 = 4;
/// Ends the simple run of an attribute value.
const STOP: u8 = 8;

static CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut i = 0usize;
    while i < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let byte = i as u8;
        table[i] = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => NAME | NAME_START,
            b'0'..=b'9' | b'-' | b'.' => NAME,
            0x80..=0xFF => NAME | ODD,
            b'"' | b'\'' | b'<' | b'&' | b'\t' | b'\n' | b'\r' => STOP,
            _ => 0,
        };
        i += 1;
    }
    table
};
