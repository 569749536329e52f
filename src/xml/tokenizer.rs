//! The strict, namespace-true tokenizer.
//!
//! Tags and plain text, which documents consist of, are taken apart here, on slices of the document.
//! quick-xml finds where comments, CDATA sections, instructions and references end, and whether a tag
//! that is wrong ends at all. What makes a document well-formed beyond that is checked here, too.

use std::borrow::Cow;

use quick_xml::events::Event;
use quick_xml::parser::{ElementParser, Parser};
use quick_xml::reader::Reader;

use super::byte_search::{find_markup, skip_space};
use super::descent::descend;
use super::doctype;
use super::document::{Document, Opening};
use super::error::{Location, XmlError, XmlErrorKind, XmlLimit, excerpt};
use super::limits::XmlLimits;
use super::line_cursor::LineCursor;
use super::name::{is_space, trim};
use super::namespace::NamespaceId;
use super::reference::expand;
use super::refusal::{Checked, Refusal, over, quick_refusal, refuse, syntax};
use super::scope::{Scope, ScopeMark};
use super::start_tag::{RawAttribute, Source, StartTag};
use super::tree_reader::Scratch;

/// What the document consists of, for the code above.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'a> {
    /// A start tag, also that of an empty element; [`Tokenizer::attributes`] has the rest of it.
    Start(StartTag<'a>),
    /// The end of the innermost element.
    End,
    /// All text up to the next tag: references, CDATA sections and comments are dealt with.
    /// Never empty, and never twice in a row, but where comments and instructions are asked for: empty
    /// text stands for one of them, which [`Tokenizer::take_aside`] has.
    Text(Cow<'a, str>),
    /// The end of a complete document.
    Eof,
}

/// What stands beside the content.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Aside<'a> {
    Comment(Cow<'a, str>),
    Instruction { target: &'a str, data: Cow<'a, str> },
}

#[derive(Debug)]
struct OpenElement<'a> {
    /// As written, for error messages.
    name: &'a str,
    /// What was in scope outside.
    outside: ScopeMark,
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
    /// Whether a document of ASCII octets alone may say that it is in an encoding that has ASCII.
    pub(crate) any_ascii: bool,
    /// Whether a document type declaration without an internal subset is passed over: nothing that it
    /// names is looked at, so that it can declare no entity.
    pub(crate) bare_doctype: bool,
    /// Namespace names to be taken for another one.
    pub(crate) aliases: &'static [(&'static str, NamespaceId)],
}

/// Reads a document token by token.
///
/// After an error the same error comes again, for ever.
pub(crate) struct Tokenizer<'a> {
    source: Source<'a>,
    /// How far it was read.
    at: usize,
    has_carriage_return: bool,
    has_bracket: bool,
    nominal_encoding: Option<String>,
    passes_doctype: bool,
    /// Where the document type declaration stands that was passed over.
    doctype: Option<Location>,
    stage: Stage,
    open: Vec<OpenElement<'a>>,
    scope: Scope<'a>,
    attributes: Vec<RawAttribute<'a>>,
    /// An empty-element tag was read and its end is owed.
    end_owed: bool,
    nodes: usize,
    token_start: usize,
    failed: Option<XmlError>,
    lines: LineCursor,
    /// Bytes of declarations that were repeated for the sake of content.
    repeated: usize,
    /// Comments and instructions inside the root are tokens.
    keeps_asides: bool,
    aside: Option<Aside<'a>>,
    /// The tree reader's.
    pub(super) scratch: Scratch<'a>,
}

impl core::fmt::Debug for Tokenizer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("at", &self.at)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl<'a> Tokenizer<'a> {
    pub(crate) fn new(bytes: &'a [u8], options: TokenizerOptions<'_>) -> Result<Self, XmlError> {
        let opening = Opening {
            limits: options.limits,
            charset: options.charset,
            any_ascii: options.any_ascii,
        };
        let document = match Document::open(bytes, opening) {
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
        let mut tokenizer = Self {
            source: Source {
                text: document.text,
                limits: *options.limits,
            },
            at: document.body,
            has_carriage_return: document.has_carriage_return,
            has_bracket: document.has_bracket,
            nominal_encoding: document.nominal_encoding,
            passes_doctype: options.bare_doctype,
            doctype: None,
            stage: Stage::Prolog,
            open: Vec::with_capacity(8),
            scope: Scope::new(options.aliases, options.limits),
            attributes: Vec::with_capacity(4),
            end_owed: false,
            nodes: 0,
            token_start: document.body,
            failed: None,
            lines: LineCursor::default(),
            repeated: 0,
            keeps_asides: false,
            aside: None,
            scratch: Scratch::default(),
        };
        // A second byte order mark is no such thing.
        if body.starts_with('\u{FEFF}') {
            let refusal = Refusal::new(XmlErrorKind::TextOutsideRoot, document.body);
            return Err(tokenizer.fail(refusal));
        }
        Ok(tokenizer)
    }

    /// The next token, or the one behind it when that is text of nothing but white space: for
    /// elements that hold only elements.
    pub(crate) fn next_in_structure(&mut self) -> Result<Token<'a>, XmlError> {
        if !self.end_owed && self.stage == Stage::Root && self.failed.is_none() {
            let bytes = self.source.text.as_bytes();
            let start = self.at;
            let mut end = start;
            skip_space(bytes, &mut end, bytes.len());
            // Not before a comment or a reference, which text may follow.
            if end > start
                && let Some([b'<', behind]) = bytes.get(end..end.saturating_add(2))
                && !matches!(behind, b'!' | b'?')
            {
                self.at = end;
            }
        }
        self.next()
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

    /// The content of the element whose start tag was just read, up to and with its end, when it is
    /// plain text or nothing; otherwise none, and nothing is read.
    #[inline]
    pub(crate) fn plain_content(&mut self) -> Result<Option<Cow<'a, str>>, XmlError> {
        match self.plain_content_checked() {
            Ok(content) => Ok(content),
            Err(refusal) => Err(self.fail(refusal)),
        }
    }

    fn plain_content_checked(&mut self) -> Checked<Option<Cow<'a, str>>> {
        if self.end_owed {
            self.end_owed = false;
            self.close();
            return Ok(Some(Cow::Borrowed("")));
        }
        let start = self.at;
        let end = find_markup(self.source.text.as_bytes(), start);
        let behind = self.source.byte(end.saturating_add(1));
        if (self.source.byte(end), behind) != (Some(b'<'), Some(b'/')) {
            return Ok(None);
        }
        let text = self.plain_run(start, end)?;
        self.token_start = end;
        self.end_tag(end)?;
        Ok(Some(self.normalized(text)))
    }

    /// Comments and instructions inside the root are not passed over from here on.
    pub(super) fn keep_asides(&mut self) {
        self.keeps_asides = true;
    }

    /// What an empty text stood for.
    pub(super) fn take_aside(&mut self) -> Option<Aside<'a>> {
        self.aside.take()
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

    /// Prefixes and namespaces.
    pub(super) fn scope(&mut self) -> &mut Scope<'a> {
        &mut self.scope
    }

    /// The name of a namespace of this document.
    pub(crate) fn namespace_name(&self, id: NamespaceId) -> &str {
        self.scope.namespace_name(id)
    }

    /// The encoding that the document says it is in, when that is another one and makes no
    /// difference.
    pub(crate) fn nominal_encoding(&self) -> Option<&str> {
        self.nominal_encoding.as_deref()
    }

    /// Where a document type declaration was passed over.
    pub(crate) fn doctype(&self) -> Option<&Location> {
        self.doctype.as_ref()
    }

    /// Whether a namespace was named by one of the aliases.
    pub(crate) fn alias_seen(&self) -> bool {
        self.scope.alias_seen()
    }

    /// Whether any attribute so far was in the namespace of PIDF, which has `mustUnderstand` alone.
    pub(crate) fn pidf_attribute_seen(&self) -> bool {
        self.scope.pidf_attribute_seen()
    }

    /// What the last start tag consists of: its declarations are those since the mark.
    pub(super) fn start_tag_parts(&self) -> (&Scope<'a>, &[RawAttribute<'a>], ScopeMark) {
        (&self.scope, &self.attributes, self.outside())
    }

    /// What is in scope outside the innermost element.
    pub(super) fn outside(&self) -> ScopeMark {
        let open = self.open.last();
        open.map_or_else(|| self.scope.mark(), |open| open.outside)
    }

    /// Where the last token begins.
    pub(crate) fn location(&mut self) -> Location {
        self.locate(self.token_start, &[])
    }

    /// The same as an offset, for [`Tokenizer::location_in`].
    pub(crate) fn offset(&self) -> usize {
        self.token_start
    }

    /// Where an element begins that stands in the one that begins at `start` and has just been read
    /// to its end: each number says how many child elements to pass over on the way there.
    #[cold]
    pub(crate) fn location_in(&mut self, start: usize, way: &[usize]) -> Location {
        let mut locations = self.locations_in(start, &[way]);
        locations.pop().unwrap_or_default()
    }

    /// The same for several ways in the order of the document.
    #[cold]
    pub(crate) fn locations_in(&mut self, start: usize, ways: &[&[usize]]) -> Vec<Location> {
        let found = descend(self.source.text, start, ways).into_iter();
        found.map(|it| self.locate(it.at, &it.names)).collect()
    }

    #[cold]
    fn fail(&mut self, refusal: Refusal) -> XmlError {
        let (kind, at) = *refusal.0;
        let location = self.locate(at, &[]);
        let error = XmlError::new(kind, location);
        self.failed = Some(error.clone());
        error
    }

    /// A declaration of so many bytes is repeated because content relies on it.
    pub(super) fn repeat(&mut self, bytes: usize) -> Result<(), XmlError> {
        self.repeated = self.repeated.saturating_add(bytes);
        let limit = self.source.limits.repeated;
        if self.repeated <= limit {
            return Ok(());
        }
        let refusal = over::<()>(XmlLimit::Repeated, limit, self.token_start);
        refusal.map_err(|refusal| self.fail(refusal))
    }

    /// The place in the open elements, and in these inside them.
    fn locate(&mut self, at: usize, inside: &[&str]) -> Location {
        /// More elements than this are left out in the middle of a path.
        const SHOWN: usize = 16;
        let (line, column) = self.lines.locate(self.source.text, at);
        let mut path = String::new();
        let names = self.open.iter().map(|open| open.name);
        for (number, name) in names.chain(inside.iter().copied()).enumerate() {
            if number >= SHOWN {
                path.push_str("/…");
                break;
            }
            if number > 0 {
                path.push('/');
            }
            path.push_str(&excerpt(name));
        }
        Location { line, column, path }
    }

    fn token(&mut self) -> Checked<Token<'a>> {
        if self.end_owed {
            self.end_owed = false;
            self.close();
            return Ok(Token::End);
        }
        loop {
            let start = self.at;
            self.token_start = start;
            match self.source.byte(start) {
                None => return self.end_of_input(start),
                Some(b'<') => match self.source.byte(start.saturating_add(1)) {
                    Some(b'/') => {
                        self.end_tag(start)?;
                        return Ok(Token::End);
                    }
                    Some(b'!' | b'?') => {
                        if self.is_aside(start) {
                            self.read_aside(start)?;
                            return Ok(Token::Text(Cow::Borrowed("")));
                        }
                        if let Some(text) = self.collect(String::new())? {
                            return Ok(Token::Text(text));
                        }
                    }
                    _ => return self.start_tag(start),
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
        let bytes = self.source.text.as_bytes();
        let name = self.open.last().map_or("", |open| open.name);
        let mut at = start.saturating_add("</".len());
        let rest = bytes.get(at..).unwrap_or_default();
        if !name.is_empty() && rest.starts_with(name.as_bytes()) {
            at = at.saturating_add(name.len());
            if self.source.byte(at).is_some_and(is_space) {
                skip_space(bytes, &mut at, bytes.len());
            }
            if self.source.byte(at) == Some(b'>') {
                self.at = at.saturating_add(1);
                self.close();
                return Ok(());
            }
        }
        self.wrong_end(name, start)
    }

    /// An end tag that does not belong here, or none at all.
    #[cold]
    fn wrong_end(&self, expected: &str, start: usize) -> Checked<()> {
        let from = start.saturating_add("</".len());
        let end = self.end_of_markup(from, start)?;
        refuse(
            XmlErrorKind::MismatchedEnd {
                expected: excerpt(expected),
                found: excerpt(trim(self.source.slice(from, end))),
            },
            start,
        )
    }

    /// Where the `>` is that ends a tag, if it ends at all.
    #[cold]
    fn end_of_markup(&self, from: usize, start: usize) -> Checked<usize> {
        let bytes = self.source.text.as_bytes();
        let inside = bytes.get(from..).unwrap_or_default();
        match ElementParser::default().feed(inside) {
            Some(length) => Ok(from.saturating_add(length)),
            None => {
                let expected = "the end of a tag".to_owned();
                refuse(XmlErrorKind::Unclosed { expected }, start)
            }
        }
    }

    /// Reads what begins at `start` with quick-xml, which delivers an event for it.
    #[cold]
    fn quick_event(&mut self, start: usize) -> Checked<Event<'a>> {
        let rest = self.source.text.get(start..).unwrap_or_default();
        let mut reader = Reader::from_reader(rest.as_bytes());
        reader.config_mut().check_comments = true;
        match reader.read_event() {
            Ok(event) => {
                let read = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
                self.at = start.saturating_add(read);
                Ok(event)
            }
            Err(error) => Err(quick_refusal(error, self.source.text, start)),
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.scope.restore(open.outside);
        }
        if self.open.is_empty() {
            self.stage = Stage::Epilog;
        }
    }

    /// Text that begins with plain characters; none when it is white space outside the root.
    fn text_run(&mut self, start: usize) -> Checked<Option<Cow<'a, str>>> {
        let raw = self.plain_text(start)?;
        let end = start.saturating_add(raw.len());
        let goes_on = match self.source.byte(end) {
            None => false,
            Some(b'<') => matches!(self.source.byte(end.saturating_add(1)), Some(b'!' | b'?')),
            Some(_) => true,
        };
        if self.stage != Stage::Root {
            // `collect` refuses references and CDATA here, and passes over comments.
            return Ok(None);
        }
        if goes_on {
            // Room for some more, so that one reference does not mean to grow.
            let mut first = String::with_capacity(raw.len().saturating_add(64));
            first.push_str(&self.normalized(raw));
            return self.collect(first);
        }
        Ok(Some(self.normalized(raw)))
    }

    /// Consumes plain characters up to the next `<`, `&` or the end.
    fn plain_text(&mut self, start: usize) -> Checked<&'a str> {
        let end = find_markup(self.source.text.as_bytes(), start);
        self.plain_run(start, end)
    }

    /// Consumes plain characters whose end is known.
    fn plain_run(&mut self, start: usize, end: usize) -> Checked<&'a str> {
        self.at = end;
        let raw = self.source.slice(start, end);
        if self.stage != Stage::Root {
            if let Some(at) = raw.bytes().position(|byte| !is_space(byte)) {
                return refuse(XmlErrorKind::TextOutsideRoot, start.saturating_add(at));
            }
        } else if self.has_bracket
            && let Some(at) = raw.find("]]>")
        {
            return syntax("no ]]> in text", start.saturating_add(at));
        }
        if raw.len() > self.source.limits.text {
            return over(XmlLimit::Text, self.source.limits.text, start);
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
            let start = self.at;
            match self.source.byte(start) {
                Some(b'&') => {
                    let c = self.reference(start)?;
                    if self.stage != Stage::Root {
                        return refuse(XmlErrorKind::TextOutsideRoot, start);
                    }
                    self.append(&mut text, c.encode_utf8(&mut [0; 4]), start)?;
                }
                Some(b'<') if self.is_aside(start) => break,
                Some(b'<') => match self.source.byte(start.saturating_add(1)) {
                    Some(b'!') => self.bang(start, &mut text)?,
                    Some(b'?') => {
                        self.instruction(start)?;
                    }
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

    /// Whether a comment or instruction begins here that is asked for.
    fn is_aside(&self, start: usize) -> bool {
        let rest = self.source.text.get(start..).unwrap_or_default();
        self.keeps_asides
            && self.stage == Stage::Root
            && (rest.starts_with("<!--") || rest.starts_with("<?"))
    }

    #[cold]
    fn read_aside(&mut self, start: usize) -> Checked<()> {
        let aside = if self.source.byte(start.saturating_add(1)) == Some(b'?') {
            let target = self.instruction(start)?;
            let from = start
                .saturating_add("<?".len())
                .saturating_add(target.len());
            let data = self.source.slice(from, self.at.saturating_sub("?>".len()));
            let data = self.normalized(data.trim_start_matches([' ', '\t', '\n', '\r']));
            Aside::Instruction { target, data }
        } else {
            self.bang(start, &mut String::new())?;
            let end = self.at.saturating_sub("-->".len());
            let comment = self.source.slice(start.saturating_add("<!--".len()), end);
            if comment.ends_with('-') {
                return syntax("no -- within a comment", start);
            }
            Aside::Comment(self.normalized(comment))
        };
        let length = match &aside {
            Aside::Comment(text) | Aside::Instruction { data: text, .. } => text.len(),
        };
        if length > self.source.limits.text {
            return over(XmlLimit::Text, self.source.limits.text, start);
        }
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.source.limits.nodes {
            return over(XmlLimit::Nodes, self.source.limits.nodes, start);
        }
        self.aside = Some(aside);
        Ok(())
    }

    fn append(&self, text: &mut String, more: &str, at: usize) -> Checked<()> {
        if text.len().saturating_add(more.len()) > self.source.limits.text {
            return over(XmlLimit::Text, self.source.limits.text, at);
        }
        text.push_str(more);
        Ok(())
    }

    fn reference(&mut self, start: usize) -> Checked<char> {
        if !matches!(self.quick_event(start)?, Event::GeneralRef(_)) {
            return syntax("a reference", start);
        }
        let end = self.at;
        expand(
            self.source
                .slice(start.saturating_add(1), end.saturating_sub(1)),
            start,
        )
    }

    /// A comment, or a CDATA section whose content is text.
    fn bang(&mut self, start: usize, text: &mut String) -> Checked<()> {
        if let Some(b'D' | b'd') = self.source.byte(start.saturating_add(2)) {
            return self.doctype_declaration(start);
        }
        match self.quick_event(start)? {
            Event::Comment(_) => Ok(()),
            Event::CData(_) => {
                if self.stage != Stage::Root {
                    return refuse(XmlErrorKind::TextOutsideRoot, start);
                }
                let end = self.at;
                let content = self.source.slice(
                    start.saturating_add("<![CDATA[".len()),
                    end.saturating_sub("]]>".len()),
                );
                let content = self.normalized(content);
                self.append(text, &content, start)
            }
            _ => syntax("a comment or a CDATA section", start),
        }
    }

    /// A document type declaration, which is passed over at most.
    #[cold]
    fn doctype_declaration(&mut self, start: usize) -> Checked<()> {
        let may_stand = self.passes_doctype && self.stage == Stage::Prolog;
        let end = doctype::end_of_bare(self.source.text, start);
        match end {
            Some(end) if may_stand && self.doctype.is_none() => {
                self.at = end;
                self.doctype = Some(self.locate(start, &[]));
                Ok(())
            }
            _ => refuse(XmlErrorKind::Doctype, start),
        }
    }

    /// Gives its target.
    fn instruction(&mut self, start: usize) -> Checked<&'a str> {
        match self.quick_event(start)? {
            Event::PI(_) => {}
            Event::Decl(_) => return refuse(XmlErrorKind::Declaration, start),
            _ => return syntax("a processing instruction", start),
        }
        let end = self.at.saturating_sub("?>".len());
        let from = start.saturating_add("<?".len());
        let name = self.source.qualified_name(from, end)?;
        if name.colon.is_some() {
            return syntax("a processing instruction's target without colon", from);
        }
        let target = self.source.slice(from, name.end);
        if target.eq_ignore_ascii_case("xml") {
            return refuse(XmlErrorKind::Declaration, start);
        }
        if name.end < end && !self.source.byte(name.end).is_some_and(is_space) {
            return syntax(
                "white space after a processing instruction's target",
                name.end,
            );
        }
        Ok(target)
    }

    fn start_tag(&mut self, start: usize) -> Checked<Token<'a>> {
        let from = start.saturating_add(1);
        let length = self.source.text.len();
        let name = match self.source.qualified_name(from, length) {
            Ok(name) => name,
            Err(refusal) => {
                // What does not end is no tag, whatever it is named.
                self.end_of_markup(from, start)?;
                return Err(refusal);
            }
        };
        match self.stage {
            Stage::Root => {}
            Stage::Prolog => self.stage = Stage::Root,
            Stage::Epilog => return refuse(XmlErrorKind::SecondRoot, start),
        }
        let depth = self.source.limits.effective_depth();
        if self.open.len() >= depth {
            return over(XmlLimit::Depth, depth, start);
        }
        let outside = self.scope.mark();
        let (scope, attributes) = (&mut self.scope, &mut self.attributes);
        let tag = self
            .source
            .start_tag(from, name, scope, outside, attributes);
        let (binding, local, span) = match tag {
            Ok(tag) => tag,
            Err(refusal) => {
                self.end_of_markup(name.end, start)?;
                return Err(refusal);
            }
        };
        self.at = span.end;
        let nodes = self.attributes.len().saturating_add(1);
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.source.limits.nodes {
            return over(XmlLimit::Nodes, self.source.limits.nodes, start);
        }
        self.open.push(OpenElement {
            name: span.name,
            outside,
        });
        self.end_owed = span.empty;
        Ok(Token::Start(StartTag {
            namespace: self.scope.namespace(binding),
            local,
            binding,
        }))
    }
}
