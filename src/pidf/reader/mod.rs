//! Reads documents: a descent over the tokens, by namespace and name.

mod data_model;
mod tuple;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::error::{Fault, PidfLimit, ReadError, Tolerated};
use super::leaf::Leaf;
use super::note::Note;
use super::options::{ReadOptions, Strictness};
use super::presence::Presence;
use super::schema::Parent;
use super::{ids, lexical, schema, timestamp, uri};
use crate::xml::{
    Attributes, Element, Location, Name, NamespaceId, StartTag, Token, Tokenizer, TokenizerOptions,
    excerpt, is_blank, is_nc_name, namespace, trim,
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
        any_ascii: options.strictness == Strictness::Tolerant,
        bare_doctype: false,
        aliases,
    };
    let mut reader = Reader {
        tokenizer: Tokenizer::new(document, tokenizer_options)?,
        options,
        strict: options.strictness == Strictness::Strict,
        tolerated: Vec::new(),
        not_understood: 0,
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
    /// How many of them are extensions that have to be understood.
    not_understood: usize,
    notes: usize,
    ids: Ids,
}

/// The attribute looked for, the language, and all the others.
type Named<'a> = (Option<Cow<'a, str>>, Option<String>, Attributes);

/// What an element's language (`xml:lang`) is to the reader.
#[derive(Clone, Copy, PartialEq)]
enum Lang {
    /// Has a field of its own.
    Taken,
    /// That of all inside; one of the attributes.
    OfContent,
    /// An attribute like others: the content is in no language.
    Foreign,
}

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
        presence.ok_or_else(|| ReadError::WrongRoot {
            found: String::new(),
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
        if let Some(name) = self.tokenizer.nominal_encoding().map(str::to_owned) {
            self.fault(|| Fault::Encoding { name })?;
        }
        if self.tokenizer.alias_seen() {
            self.fault(|| Fault::OldNamespace)?;
        }
        let mut presence = Presence::default();
        let (entity, _, attributes) = self.attributes(Some("entity"), Lang::OfContent)?;
        presence.attributes = attributes;
        presence.entity = self.entity(entity)?;

        let mut order = Order::default();
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if tag.namespace == NamespaceId::PIDF => match tag.local {
                    "tuple" => {
                        self.in_order(&mut order, 0, tag)?;
                        self.has_room(PidfLimit::Tuples, presence.tuples.len())?;
                        let tuple = self.tuple()?;
                        presence.tuples.push(tuple);
                    }
                    "note" => {
                        self.in_order(&mut order, 1, tag)?;
                        let note = self.note()?;
                        presence.notes.push(note);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 2, tag)?;
                    self.component(tag, &mut order, &mut presence)?;
                }
                Token::End | Token::Eof => return Ok(presence),
            }
        }
    }

    /// What stands beside tuples and notes.
    fn component(
        &mut self,
        tag: StartTag<'a>,
        order: &mut Order,
        presence: &mut Presence,
    ) -> Result<(), ReadError> {
        match (tag.namespace, tag.local) {
            (NamespaceId::DATA_MODEL, "person") => {
                self.has_room(PidfLimit::Persons, presence.persons.len())?;
                let person = self.person()?;
                presence.persons.push(person);
            }
            (NamespaceId::DATA_MODEL, "device") => {
                self.has_room(PidfLimit::Devices, presence.devices.len())?;
                let device = self.device()?;
                presence.devices.push(device);
            }
            _ => {
                let extension = self.extension(tag, Parent::Presence, order)?;
                presence.extensions.push(extension);
            }
        }
        Ok(())
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
        self.fault(|| Fault::NoEntity)?;
        Ok(self.options.default_entity.clone().unwrap_or_default())
    }

    fn note(&mut self) -> Result<Note, ReadError> {
        self.has_room(PidfLimit::Notes, self.notes)?;
        self.notes = self.notes.saturating_add(1);
        let (_, lang, attributes) = self.attributes(None, Lang::Taken)?;
        let text = self.simple_content()?.into_owned();
        Ok(Note::read(text, lang, attributes))
    }

    fn timestamp(&mut self) -> Result<Leaf, ReadError> {
        let start = self.tokenizer.offset();
        let (_, _, attributes) = self.attributes(None, Lang::Foreign)?;
        let text = self.simple_content()?;
        let text = trim(&text);
        let is_time = match self.strict {
            true => timestamp::is_valid,
            false => |text: &str| timestamp::parse(text).is_some(),
        };
        if self.heeds_faults() && !is_time(text) {
            self.fault_of(start, || Fault::BadTimestamp {
                value: excerpt(text),
            })?;
        }
        Ok(Leaf {
            text: Cow::Owned(text.to_owned()),
            attributes,
        })
    }

    fn extension(
        &mut self,
        tag: StartTag<'a>,
        parent: Parent,
        siblings: &mut Order,
    ) -> Result<Element, ReadError> {
        let start = self.tokenizer.offset();
        let extension = self.tokenizer.element(tag)?;
        self.ids_inside(&extension, start)?;
        if self.strict {
            self.check_extension(&extension, start, parent, siblings)?;
        }
        if self.tokenizer.pidf_attribute_seen()
            && let Some(way) = self.options.understood.obstacle(&extension)
        {
            let element = excerpt(&extension.name().to_string());
            let place = |it: &mut Tokenizer<'a>| it.location_in(start, &way);
            self.report_not_understood(place, element);
        }
        Ok(extension)
    }

    /// Looks at the ids in an extension, which begins at `start`. Faults are located together, so
    /// that many of them cost no more than one.
    fn ids_inside(&mut self, extension: &Element, start: usize) -> Result<(), ReadError> {
        let room = match self.strict {
            true => 1,
            false => {
                let reports = self.options.limits.reports;
                reports.saturating_sub(self.reported())
            }
        };
        let (mut met, mut numbers, mut faults) = (0usize, Vec::new(), Vec::new());
        let _until_there_is_no_room: Result<(), ()> = ids::each_of(extension, &mut |id| {
            if faults.len() >= room {
                return Err(());
            }
            for fault in self.faults_of_id(id).into_iter().flatten() {
                numbers.push(met);
                faults.push(fault);
            }
            met = met.saturating_add(1);
            Ok(())
        });
        if faults.is_empty() {
            return Ok(());
        }
        let ways = ids::ways_to(extension, &numbers);
        let ways: Vec<&[usize]> = ways.iter().map(Vec::as_slice).collect();
        let places = self.tokenizer.locations_in(start, &ways);
        for (fault, place) in faults.into_iter().zip(places) {
            self.fault_at(|_| place, || fault)?;
        }
        Ok(())
    }

    /// What strict reading wants of an extension, which begins at `start`.
    fn check_extension(
        &mut self,
        extension: &Element,
        start: usize,
        parent: Parent,
        siblings: &mut Order,
    ) -> Result<(), ReadError> {
        if let Err(violation) = schema::check(extension) {
            let place = |it: &mut Tokenizer<'a>| it.location_in(start, &violation.way);
            return self.fault_at(place, || Fault::BadExtension {
                element: violation.element,
                expected: violation.expected,
            });
        }
        let place = |it: &mut Tokenizer<'a>| it.location_in(start, &[]);
        let element = || excerpt(&extension.name().to_string());
        if !schema::is_in_place(extension, parent) {
            self.fault_at(place, || Fault::Misplaced { element: element() })?;
        }
        if let Some(only) = schema::place_of_one(extension)
            && !siblings.singles.get_or_insert_default().insert(only)
        {
            self.fault_at(place, || Fault::RepeatedExtension { element: element() })?;
        }
        Ok(())
    }

    /// The attribute named, the language if it is taken, and all the others.
    fn attributes(&mut self, known: Option<&str>, lang: Lang) -> Result<Named<'a>, ReadError> {
        let mut value = None;
        let mut own_lang: Option<Cow<'a, str>> = None;
        let mut bad_lang = None;
        if self.tokenizer.attributes().is_empty() {
            return Ok((value, None, Attributes::new()));
        }
        let strict = self.strict;
        let attributes = self.tokenizer.own_attributes_but(|attribute| {
            if attribute.namespace == NamespaceId::NONE && Some(attribute.local) == known {
                value = Some(core::mem::take(&mut attribute.value));
                return true;
            }
            if attribute.namespace != NamespaceId::XML
                || attribute.local != "lang"
                || lang == Lang::Foreign
            {
                return false;
            }
            let tag = trim(&attribute.value);
            let is_good = if strict {
                tag.is_empty() || lexical::is_language(tag)
            } else {
                // That of a note goes no further.
                lang == Lang::Taken || tag.len() <= lexical::LONGEST_LANGUAGE
            };
            if !is_good {
                bad_lang = Some(excerpt(tag));
            }
            if lang == Lang::Taken {
                own_lang = Some(core::mem::take(&mut attribute.value));
            }
            lang == Lang::Taken
        });
        if let Some(value) = bad_lang {
            self.fault(|| Fault::BadLanguage { value })?;
        }
        // The schemas foresee no others, save those of XML and of the schema language.
        let known_ones = [namespace::XML, namespace::XSI];
        let mut names = attributes.iter().map(|attribute| &attribute.name);
        if self.strict
            && let Some(name) = names.find(|name| !known_ones.contains(&name.namespace()))
        {
            self.fault(|| Fault::Attribute {
                name: excerpt(&name.to_string()),
            })?;
        }
        Ok((value, own_lang.map(Cow::into_owned), attributes))
    }

    /// The text of an element that should hold nothing else, up to and with its end.
    fn simple_content(&mut self) -> Result<Cow<'a, str>, ReadError> {
        if let Some(content) = self.tokenizer.plain_content()? {
            return Ok(content);
        }
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

    /// The id that a tuple, person or device has to have; empty when it has none.
    fn own_id(&mut self, id: Option<Cow<'a, str>>) -> Result<String, ReadError> {
        let id = id.as_deref().map(trim).unwrap_or_default();
        if id.is_empty() {
            self.fault(|| Fault::NoId)?;
        } else {
            for fault in self.faults_of_id(id).into_iter().flatten() {
                self.fault(|| fault)?;
            }
        }
        Ok(id.to_owned())
    }

    /// Notes the id and tells what is wrong with it.
    fn faults_of_id(&mut self, id: &str) -> [Option<Fault>; 2] {
        if !self.heeds_faults() {
            return [None, None];
        }
        let value = || excerpt(id);
        let is_bad = !is_nc_name(id);
        let is_double = !self.ids.is_new(id);
        [
            is_bad.then(|| Fault::BadId { value: value() }),
            is_double.then(|| Fault::DuplicateId { value: value() }),
        ]
    }

    /// Faults reported so far, those of extensions that are not understood apart.
    fn reported(&self) -> usize {
        self.tolerated.len().saturating_sub(self.not_understood)
    }

    /// Whether it makes a difference to find a fault.
    fn heeds_faults(&self) -> bool {
        self.strict || self.reported() < self.options.limits.reports
    }

    /// A fault at the last token.
    fn fault(&mut self, fault: impl FnOnce() -> Fault) -> Result<(), ReadError> {
        self.fault_at(Tokenizer::location, fault)
    }

    /// A fault of the element that began at `start` and has just been read.
    fn fault_of(&mut self, start: usize, fault: impl FnOnce() -> Fault) -> Result<(), ReadError> {
        self.fault_at(|it| it.location_in(start, &[]), fault)
    }

    fn fault_at(
        &mut self,
        place: impl FnOnce(&mut Tokenizer<'a>) -> Location,
        fault: impl FnOnce() -> Fault,
    ) -> Result<(), ReadError> {
        if self.strict {
            return Err(ReadError::Fault(Tolerated {
                fault: fault(),
                location: place(&mut self.tokenizer),
            }));
        }
        if self.heeds_faults() {
            self.report(place, fault());
        }
        Ok(())
    }

    fn report(&mut self, place: impl FnOnce(&mut Tokenizer<'a>) -> Location, fault: Fault) {
        if self.reported() < self.options.limits.reports {
            let location = place(&mut self.tokenizer);
            self.tolerated.push(Tolerated { fault, location });
        }
    }

    /// It has room of its own: what may not be used is not to be hidden by what is merely odd.
    fn report_not_understood(
        &mut self,
        place: impl FnOnce(&mut Tokenizer<'a>) -> Location,
        element: String,
    ) {
        let reports = self.options.limits.reports;
        if self.not_understood < reports {
            self.not_understood = self.not_understood.saturating_add(1);
            let location = place(&mut self.tokenizer);
            let fault = Fault::NotUnderstood { element };
            self.tolerated.push(Tolerated { fault, location });
        }
    }

    /// Refuses one more of what there are `used` of already.
    fn has_room(&mut self, limit: PidfLimit, used: usize) -> Result<(), ReadError> {
        let limits = &self.options.limits;
        let max = match limit {
            PidfLimit::Tuples => limits.tuples,
            PidfLimit::Persons => limits.persons,
            PidfLimit::Devices => limits.devices,
            PidfLimit::Notes => limits.notes,
        };
        if used < max {
            return Ok(());
        }
        Err(ReadError::Limit {
            limit,
            max,
            location: self.tokenizer.location(),
        })
    }
}

/// How far an element's content has come.
#[derive(Default)]
struct Order {
    /// In ranks of the schema.
    reached: u8,
    /// What may be there once and has been met, in strict reading.
    singles: Option<HashSet<String>>,
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
