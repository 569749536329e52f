//! Reads documents: a descent over the tokens, by namespace and name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::contact::{Contact, Priority};
use super::error::{Fault, PidfLimit, ReadError, Tolerated};
use super::leaf::Leaf;
use super::note::Note;
use super::options::{ReadOptions, Strictness};
use super::presence::Presence;
use super::tuple::{Status, Tuple};
use super::{ids, timestamp, uri};
use crate::xml::{
    Attributes, Element, Name, NamespaceId, StartTag, Token, Tokenizer, TokenizerOptions, excerpt,
    is_blank, is_nc_name, namespace, trim,
};

/// What the drafts before RFC 3863 used, and what its own prose has once by mistake.
static OLD_NAMESPACES: [(&str, NamespaceId); 3] = [
    ("urn:ietf:params:xml:ns:cpim-pidf", NamespaceId::PIDF),
    ("urn:ietf:params:xml:ns:cpim-pidf:", NamespaceId::PIDF),
    ("urn:ietf:params:xml:ns:pidf:", NamespaceId::PIDF),
];

pub(super) fn read(
    document: &[u8],
    options: &ReadOptions,
) -> Result<(Presence, Vec<Tolerated>), ReadError> {
    match read_with(document, options, &[]) {
        // An old name counts only where the root has one. In a document of today it is a foreign
        // namespace, or strict and tolerant reading would see different documents.
        Err(ReadError::WrongRoot { .. }) if options.strictness == Strictness::Tolerant => {
            read_with(document, options, &OLD_NAMESPACES)
        }
        outcome => outcome,
    }
}

fn read_with(
    document: &[u8],
    options: &ReadOptions,
    aliases: &'static [(&'static str, NamespaceId)],
) -> Result<(Presence, Vec<Tolerated>), ReadError> {
    let tokenizer_options = TokenizerOptions {
        limits: &options.limits.xml,
        charset: options.charset.as_deref(),
        aliases,
    };
    let mut reader = Reader {
        tokenizer: Tokenizer::new(document, tokenizer_options)?,
        options,
        strict: options.strictness == Strictness::Strict,
        tolerated: Vec::new(),
        notes: 0,
        ids: Ids::default(),
    };
    let presence = reader.document()?;
    Ok((presence, reader.tolerated))
}

struct Reader<'a, 'o> {
    tokenizer: Tokenizer<'a>,
    options: &'o ReadOptions,
    strict: bool,
    tolerated: Vec<Tolerated>,
    notes: usize,
    ids: Ids,
}

/// Octets of a language tag; RFC 5646 section 4.4.1 comes to 35 for whatever is registered.
const LONGEST_LANGUAGE: usize = 64;

/// The attribute looked for, the language, and all the others.
type Named<'a> = (Option<Cow<'a, str>>, Option<String>, Attributes);

/// The language that is in force, if any.
type Lang<'l> = Option<&'l str>;

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<Presence, ReadError> {
        let mut presence = None;
        loop {
            match self.tokenizer.next()? {
                Token::Start(tag) => presence = Some(self.presence(tag)?),
                Token::Text(_) | Token::End => {}
                Token::Eof => break,
            }
        }
        // Without a root the tokenizer has refused the document.
        presence.ok_or_else(|| ReadError::NoEntity {
            location: self.tokenizer.location(),
        })
    }

    fn presence(&mut self, tag: StartTag<'a>) -> Result<Presence, ReadError> {
        if tag.namespace != NamespaceId::PIDF || tag.local != "presence" {
            let namespace = self.tokenizer.namespace_name(tag.namespace);
            return Err(ReadError::WrongRoot {
                found: excerpt(&Name::new(namespace, tag.local).to_string()),
                location: self.tokenizer.location(),
            });
        }
        if self.tokenizer.alias_seen() {
            self.fault(|| Fault::OldNamespace)?;
        }
        let mut presence = Presence::default();
        let (entity, lang, attributes) = self.attributes(Some("entity"), false);
        presence.attributes = attributes;
        let lang = self.handed_down(lang)?;
        let lang = lang.as_deref();
        presence.entity = self.entity(entity)?;

        let mut order = Order::default();
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if tag.namespace == NamespaceId::PIDF => match tag.local {
                    "tuple" => {
                        self.in_order(&mut order, 0, tag)?;
                        if presence.tuples.len() >= self.options.limits.tuples {
                            return Err(self.over(PidfLimit::Tuples, self.options.limits.tuples));
                        }
                        if let Some(tuple) = self.tuple(lang)? {
                            presence.tuples.push(tuple);
                        }
                    }
                    "note" => {
                        self.in_order(&mut order, 1, tag)?;
                        let note = self.note(lang)?;
                        presence.notes.push(note);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 2, tag)?;
                    let extension = self.extension(tag, lang)?;
                    presence.extensions.push(extension);
                }
                Token::End | Token::Eof => return Ok(presence),
            }
        }
    }

    fn entity(&mut self, entity: Option<Cow<'a, str>>) -> Result<String, ReadError> {
        let entity = entity.as_deref().map(trim).unwrap_or_default();
        if !entity.is_empty() {
            if !uri::is_absolute(entity) {
                self.fault(|| Fault::BadEntity {
                    value: excerpt(entity),
                })?;
            }
            return Ok(entity.to_owned());
        }
        match &self.options.default_entity {
            Some(default) if !self.strict => {
                self.fault(|| Fault::NoEntity)?;
                Ok(default.clone())
            }
            _ => Err(ReadError::NoEntity {
                location: self.tokenizer.location(),
            }),
        }
    }

    /// A tuple, or none when it has no id.
    fn tuple(&mut self, lang: Lang<'_>) -> Result<Option<Tuple>, ReadError> {
        let mut tuple = Tuple::default();
        let (id, own_lang, attributes) = self.attributes(Some("id"), false);
        tuple.attributes = attributes;
        let own_lang = self.handed_down(own_lang)?;
        let lang = own_lang.as_deref().or(lang);
        let id = id.as_deref().map(trim).unwrap_or_default();
        let has_id = !id.is_empty();
        if has_id {
            id.clone_into(&mut tuple.id);
            self.id(id)?;
        } else {
            self.fault(|| Fault::NoId)?;
        }

        let mut order = Order::default();
        let mut has_status = false;
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if tag.namespace == NamespaceId::PIDF => match tag.local {
                    "status" if has_status => self.repeated("status")?,
                    "status" => {
                        self.in_order(&mut order, 0, tag)?;
                        has_status = true;
                        tuple.status = self.status(lang)?;
                    }
                    "contact" if tuple.contact.is_some() => self.repeated("contact")?,
                    "contact" => {
                        self.in_order(&mut order, 2, tag)?;
                        tuple.contact = Some(self.contact()?);
                    }
                    "note" => {
                        self.in_order(&mut order, 3, tag)?;
                        let note = self.note(lang)?;
                        tuple.notes.push(note);
                    }
                    "timestamp" if tuple.timestamp.is_some() => self.repeated("timestamp")?,
                    "timestamp" => {
                        self.in_order(&mut order, 4, tag)?;
                        tuple.timestamp = Some(self.timestamp()?);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 1, tag)?;
                    let extension = self.extension(tag, lang)?;
                    tuple.extensions.push(extension);
                }
                Token::End | Token::Eof => break,
            }
        }
        if !has_status {
            self.fault(|| Fault::NoStatus)?;
        }
        Ok(has_id.then_some(tuple))
    }

    fn status(&mut self, lang: Lang<'_>) -> Result<Status, ReadError> {
        let mut status = Status::default();
        let (_, own_lang, attributes) = self.attributes(None, false);
        status.attributes = attributes;
        let own_lang = self.handed_down(own_lang)?;
        let lang = own_lang.as_deref().or(lang);
        let mut order = Order::default();
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if tag.namespace == NamespaceId::PIDF => match tag.local {
                    "basic" if status.basic.is_some() => self.repeated("basic")?,
                    "basic" => {
                        self.in_order(&mut order, 0, tag)?;
                        status.basic = Some(self.basic()?);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 1, tag)?;
                    let extension = self.extension(tag, lang)?;
                    status.extensions.push(extension);
                }
                Token::End | Token::Eof => break,
            }
        }
        if status.is_empty() {
            self.fault(|| Fault::EmptyStatus)?;
        }
        Ok(status)
    }

    fn basic(&mut self) -> Result<Leaf, ReadError> {
        let (_, _, attributes) = self.attributes(None, true);
        let text = self.simple_content()?;
        let text = match trim(&text) {
            "open" => Cow::Borrowed("open"),
            "closed" => Cow::Borrowed("closed"),
            other => {
                self.fault(|| Fault::BadBasic {
                    value: excerpt(other),
                })?;
                Cow::Owned(other.to_owned())
            }
        };
        Ok(Leaf { text, attributes })
    }

    fn contact(&mut self) -> Result<Contact, ReadError> {
        let (priority, _, attributes) = self.attributes(Some("priority"), true);
        let priority = priority.as_deref().map(trim);
        if let Some(text) = priority
            && Priority::parse(text).is_none()
        {
            self.fault(|| Fault::BadPriority {
                value: excerpt(text),
            })?;
        }
        let priority = priority.map(str::to_owned);
        let text = self.simple_content()?;
        let uri = trim(&text);
        // Empty ones have a meaning in rich presence.
        if !uri.is_empty() && !uri::is_absolute(uri) {
            self.fault(|| Fault::BadContact {
                value: excerpt(uri),
            })?;
        }
        Ok(Contact {
            uri: uri.to_owned(),
            priority,
            attributes,
        })
    }

    fn note(&mut self, lang: Lang<'_>) -> Result<Note, ReadError> {
        if self.notes >= self.options.limits.notes {
            return Err(self.over(PidfLimit::Notes, self.options.limits.notes));
        }
        self.notes = self.notes.saturating_add(1);
        let (_, own_lang, attributes) = self.attributes(None, false);
        let lang = own_lang.or_else(|| lang.map(str::to_owned));
        let text = self.simple_content()?.into_owned();
        Ok(Note {
            text,
            lang,
            attributes,
        })
    }

    fn timestamp(&mut self) -> Result<Leaf, ReadError> {
        let (_, _, attributes) = self.attributes(None, true);
        let text = self.simple_content()?;
        let text = trim(&text);
        if self.heeds_faults() && timestamp::parse(text).is_none() {
            self.fault(|| Fault::BadTimestamp {
                value: excerpt(text),
            })?;
        }
        Ok(Leaf {
            text: Cow::Owned(text.to_owned()),
            attributes,
        })
    }

    fn extension(&mut self, tag: StartTag<'a>, lang: Lang<'_>) -> Result<Element, ReadError> {
        let mut extension = self.tokenizer.element(tag)?;
        // The language around it is not to be lost when it is moved elsewhere.
        if let Some(lang) = lang
            && extension.attributes.get(namespace::XML, "lang").is_none()
        {
            let name = Name::with_prefix(namespace::XML, "lang", "xml");
            extension.attributes.set(name, lang);
        }
        for (_, id) in ids::of_element(&extension) {
            self.id(id)?;
        }
        if !self.options.understood.may_use(&extension) {
            let element = excerpt(&extension.name().to_string());
            self.report(Fault::NotUnderstood { element });
        }
        Ok(extension)
    }

    /// The attribute named, the language, and all the others; the language is one of the others
    /// for an element whose content is in none.
    fn attributes(&mut self, known: Option<&str>, lang_is_foreign: bool) -> Named<'a> {
        let mut value = None;
        let mut lang: Option<Cow<'a, str>> = None;
        if self.tokenizer.attributes().is_empty() {
            return (value, None, Attributes::new());
        }
        let attributes = self.tokenizer.own_attributes_but(|attribute| {
            if attribute.namespace == NamespaceId::NONE && Some(attribute.local) == known {
                value = Some(core::mem::take(&mut attribute.value));
                return true;
            }
            if attribute.namespace == NamespaceId::XML
                && attribute.local == "lang"
                && !lang_is_foreign
            {
                lang = Some(core::mem::take(&mut attribute.value));
                return true;
            }
            false
        });
        (value, lang.map(Cow::into_owned), attributes)
    }

    /// The language of an element that holds others. One that is none is left out: it would go to
    /// everything below, and make a large document of a small one.
    fn handed_down(&mut self, lang: Option<String>) -> Result<Option<String>, ReadError> {
        match lang {
            Some(lang) if lang.len() > LONGEST_LANGUAGE => {
                self.fault(|| Fault::BadLanguage {
                    value: excerpt(&lang),
                })?;
                Ok(None)
            }
            lang => Ok(lang),
        }
    }

    /// The text of an element that should hold nothing else, up to and with its end.
    fn simple_content(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let mut content = Cow::Borrowed("");
        loop {
            match self.tokenizer.next()? {
                Token::Text(text) if content.is_empty() => content = text,
                Token::Text(text) => content.to_mut().push_str(&text),
                Token::Start(tag) => self.unexpected(tag)?,
                Token::End | Token::Eof => return Ok(content),
            }
        }
    }

    /// Passes over the rest of the innermost element.
    fn skip(&mut self) -> Result<(), ReadError> {
        let outside = self.tokenizer.depth().saturating_sub(1);
        while self.tokenizer.depth() > outside {
            if self.tokenizer.next()? == Token::Eof {
                break;
            }
        }
        Ok(())
    }

    fn unexpected(&mut self, tag: StartTag<'a>) -> Result<(), ReadError> {
        self.fault(|| Fault::Unexpected {
            element: excerpt(tag.local),
        })?;
        self.skip()
    }

    fn repeated(&mut self, element: &'static str) -> Result<(), ReadError> {
        self.fault(|| Fault::Repeated { element })?;
        self.skip()
    }

    fn between_elements(&mut self, text: &str) -> Result<(), ReadError> {
        if is_blank(text) {
            return Ok(());
        }
        self.fault(|| Fault::StrayText)
    }

    fn in_order(
        &mut self,
        order: &mut Order,
        rank: u8,
        tag: StartTag<'a>,
    ) -> Result<(), ReadError> {
        if rank >= order.reached {
            order.reached = rank;
            return Ok(());
        }
        self.fault(|| Fault::OutOfOrder {
            element: excerpt(tag.local),
        })
    }

    fn id(&mut self, id: &str) -> Result<(), ReadError> {
        if !self.heeds_faults() {
            return Ok(());
        }
        if !is_nc_name(id) {
            self.fault(|| Fault::BadId { value: excerpt(id) })?;
        }
        if !self.ids.is_new(id) {
            self.fault(|| Fault::DuplicateId { value: excerpt(id) })?;
        }
        Ok(())
    }

    /// Whether it makes a difference to find a fault.
    fn heeds_faults(&self) -> bool {
        self.strict || self.tolerated.len() < self.options.limits.reports
    }

    fn fault(&mut self, fault: impl FnOnce() -> Fault) -> Result<(), ReadError> {
        if self.strict {
            return Err(ReadError::Fault(Tolerated {
                fault: fault(),
                location: self.tokenizer.location(),
            }));
        }
        if self.heeds_faults() {
            self.report(fault());
        }
        Ok(())
    }

    fn report(&mut self, fault: Fault) {
        if self.tolerated.len() < self.options.limits.reports {
            let location = self.tokenizer.location();
            self.tolerated.push(Tolerated { fault, location });
        }
    }

    fn over(&mut self, limit: PidfLimit, max: usize) -> ReadError {
        ReadError::Limit {
            limit,
            max,
            location: self.tokenizer.location(),
        }
    }
}

/// How far an element's content has come, in ranks of the schema.
#[derive(Default)]
struct Order {
    reached: u8,
}

/// The ids seen so far, as keyed hashes: nobody outside can make two of them alike.
#[derive(Default)]
struct Ids {
    key: RandomState,
    first: Vec<u64>,
    more: HashSet<u64>,
}

impl Ids {
    /// So many are looked through one by one, which is faster than to hash again.
    const FEW: usize = 32;

    fn is_new(&mut self, id: &str) -> bool {
        let hash = self.key.hash_one(id);
        if self.first.contains(&hash) {
            return false;
        }
        if self.first.len() < Self::FEW {
            self.first.push(hash);
            return true;
        }
        self.more.insert(hash)
    }
}
