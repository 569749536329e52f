//! Reads documents: a descent over the tokens.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::document::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};
use super::error::{
    ReadWatcherInfoError, WatcherInfoFault, WatcherInfoFaultKind as Kind, WatcherInfoLimit,
};
use super::lexical::{is_language, unsigned};
use super::options::ReadWatcherInfoOptions;
use crate::sip::is_token;
use crate::xml::{
    Name, NamespaceId, StartTag, Token, Tokenizer, TokenizerOptions, excerpt, namespace, trim,
};

pub(super) fn read(
    octets: &[u8],
    options: &ReadWatcherInfoOptions,
) -> Result<(WatcherInfo, Vec<WatcherInfoFault>), ReadWatcherInfoError> {
    let tokenizer_options = TokenizerOptions {
        limits: &options.xml,
        charset: options.charset.as_deref(),
        any_ascii: true,
        bare_doctype: false,
        aliases: &[],
    };
    let mut reader = Reader {
        tokenizer: Tokenizer::new(octets, tokenizer_options)?,
        options,
        namespace: NamespaceId::NONE,
        entries: 0,
        faults: Vec::new(),
        hasher: RandomState::new(),
    };
    let info = reader.document()?;
    Ok((info, reader.faults))
}

struct Reader<'a, 'o> {
    tokenizer: Tokenizer<'a>,
    options: &'o ReadWatcherInfoOptions,
    /// That of the format, once the root was met.
    namespace: NamespaceId,
    /// Met so far, those left out among them.
    entries: usize,
    faults: Vec<WatcherInfoFault>,
    /// The writer of the document chooses the ids.
    hasher: RandomState,
}

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<WatcherInfo, ReadWatcherInfoError> {
        let mut info = WatcherInfo::default();
        loop {
            match self.tokenizer.next()? {
                Token::Start(tag) => info = self.root(tag)?,
                Token::Text(_) | Token::End => {}
                Token::Eof => return Ok(info),
            }
        }
    }

    fn root(&mut self, tag: StartTag<'a>) -> Result<WatcherInfo, ReadWatcherInfoError> {
        let namespace = self.tokenizer.namespace_name(tag.namespace);
        if namespace != namespace::WATCHER_INFO || tag.local != "watcherinfo" {
            return Err(ReadWatcherInfoError::WrongRoot {
                found: excerpt(&Name::new(namespace, tag.local).to_string()),
                location: self.tokenizer.location(),
            });
        }
        self.namespace = tag.namespace;
        let version = self.attribute("version");
        let Some(version) = version.and_then(unsigned) else {
            return Err(self.wrong_root_attribute("version", "a number of 0 to 4294967295"));
        };
        let is_full = match self.attribute("state").map(trim) {
            Some("full") => true,
            Some("partial") => false,
            _ => return Err(self.wrong_root_attribute("state", "full or partial")),
        };
        let mut lists = Vec::new();
        let mut met = 0;
        while let Some(tag) = self.child()? {
            if !self.is_own(tag, "watcher-list") {
                self.pass_over()?;
                continue;
            }
            if met >= self.options.lists {
                return Err(self.too_many(WatcherInfoLimit::Lists, self.options.lists));
            }
            met += 1;
            if let Some(list) = self.list()? {
                lists.push(list);
            }
        }
        Ok(WatcherInfo {
            version,
            is_full,
            lists,
        })
    }

    fn list(&mut self) -> Result<Option<WatcherList>, ReadWatcherInfoError> {
        let (uri, id) = (self.options.uri, self.options.id);
        let Some(resource) = self.name("resource", uri) else {
            self.tell(Kind::Resource { limit: uri });
            self.pass_over()?;
            return Ok(None);
        };
        let Some(package) = self.name("package", id) else {
            self.tell(Kind::Package { limit: id });
            self.pass_over()?;
            return Ok(None);
        };
        let mut list = WatcherList::new(resource, package);
        let mut by_id = HashTable::new();
        while let Some(tag) = self.child()? {
            if !self.is_own(tag, "watcher") {
                self.pass_over()?;
                continue;
            }
            if self.entries >= self.options.entries {
                return Err(self.too_many(WatcherInfoLimit::Entries, self.options.entries));
            }
            self.entries += 1;
            let start = self.tokenizer.offset();
            if let Some(entry) = self.entry()? {
                self.put(&mut list.watchers, &mut by_id, entry, start);
            }
        }
        Ok(Some(list))
    }

    /// An entry takes the place of one that has its id.
    fn put(
        &mut self,
        entries: &mut Vec<WatcherEntry>,
        by_id: &mut HashTable<usize>,
        entry: WatcherEntry,
        start: usize,
    ) {
        let hasher = &self.hasher;
        let id_at = |at: usize| entries.get(at).map_or("", |entry| entry.id.as_str());
        let slot = by_id.entry(
            hasher.hash_one(entry.id.as_str()),
            |at| id_at(*at) == entry.id,
            |at| hasher.hash_one(id_at(*at)),
        );
        match slot {
            Entry::Vacant(slot) => {
                slot.insert(entries.len());
                entries.push(entry);
            }
            Entry::Occupied(slot) => {
                let at = *slot.get();
                let id = excerpt(&entry.id);
                if let Some(before) = entries.get_mut(at) {
                    *before = entry;
                }
                self.tell_at(start, Kind::Repeated { id });
            }
        }
    }

    /// The entry whose start tag was just read, up to and with its end.
    fn entry(&mut self) -> Result<Option<WatcherEntry>, ReadWatcherInfoError> {
        let start = self.tokenizer.offset();
        let Some(entry) = self.attributes_of_entry() else {
            self.pass_over()?;
            return Ok(None);
        };
        let text = self.text()?;
        let uri = trim(&text);
        let limit = self.options.uri;
        if !(1..=limit).contains(&uri.len()) {
            let (id, octets) = (excerpt(&entry.id), uri.len());
            self.tell_at(start, Kind::Uri { id, limit, octets });
            return Ok(None);
        }
        let uri = match text {
            Cow::Borrowed(text) => trim(text).to_owned(),
            Cow::Owned(text) if uri.len() == text.len() => text,
            Cow::Owned(text) => trim(&text).to_owned(),
        };
        Ok(Some(WatcherEntry { uri, ..entry }))
    }

    /// An entry but for its URI; nothing when it has no name or no status.
    fn attributes_of_entry(&mut self) -> Option<WatcherEntry> {
        let mut entry = WatcherEntry::new("", "", WatcherStatus::Pending, WatcherEvent::Other);
        let (mut status, mut event) = (None, None);
        let (mut expiration, mut duration) = (None, None);
        let mut id = None;
        for attribute in self.tokenizer.attributes() {
            let value = &*attribute.value;
            match (attribute.namespace, attribute.local) {
                (NamespaceId::NONE, "id") => id = Some(trim(value)),
                (NamespaceId::NONE, "status") => status = Some(value),
                (NamespaceId::NONE, "event") => event = Some(value),
                (NamespaceId::NONE, "display-name") => entry.display_name = Some(value.to_owned()),
                (NamespaceId::NONE, "expiration") => expiration = Some(value),
                (NamespaceId::NONE, "duration-subscribed") => duration = Some(value),
                (NamespaceId::XML, "lang") => entry.language = Some(trim(value).to_owned()),
                _ => {}
            }
        }
        let limit = self.options.id;
        let Some(id) = id.filter(|id| (1..=limit).contains(&id.len())) else {
            self.tell(Kind::NoId { limit });
            return None;
        };
        entry.id = id.to_owned();
        let mut faults = Vec::new();
        let short = || excerpt(id);
        if !is_token(id) {
            faults.push(Kind::Id { found: short() });
        }
        let known = status.and_then(|word| WatcherStatus::from_word(trim(word)));
        if known.is_none() {
            let found = excerpt(status.unwrap_or_default());
            faults.push(Kind::Status { id: short(), found });
        }
        match event.and_then(|word| WatcherEvent::from_word(trim(word))) {
            Some(event) => entry.event = event,
            None => {
                let found = excerpt(event.unwrap_or_default());
                faults.push(Kind::Event { id: short(), found });
            }
        }
        let mut odd = |attribute, found: &str| {
            faults.push(Kind::Attribute {
                attribute,
                id: short(),
                found: excerpt(found),
            });
        };
        let limit = self.options.display_name;
        if let Some(name) = entry.display_name.take_if(|name| name.len() > limit) {
            odd("display-name", &name);
        }
        if let Some(tag) = entry.language.take_if(|tag| !is_language(tag))
            && !tag.is_empty()
        {
            odd("xml:lang", &tag);
        }
        let mut seconds = |attribute, text: Option<&str>| {
            let seconds = text.and_then(unsigned);
            if let (Some(text), None) = (text, seconds) {
                odd(attribute, text);
            }
            seconds
        };
        entry.expiration = seconds("expiration", expiration);
        entry.duration_subscribed = seconds("duration-subscribed", duration);
        for fault in faults {
            self.tell(fault);
        }
        entry.status = known?;
        Some(entry)
    }

    /// The text of the element whose start tag was just read, up to and with its end; elements in it are
    /// passed over.
    fn text(&mut self) -> Result<Cow<'a, str>, ReadWatcherInfoError> {
        if let Some(text) = self.tokenizer.plain_content()? {
            return Ok(text);
        }
        let mut text = Cow::Borrowed("");
        loop {
            match self.tokenizer.next()? {
                Token::Text(more) if text.is_empty() => text = more,
                Token::Text(more) => text.to_mut().push_str(&more),
                Token::Start(_) => self.pass_over()?,
                Token::End | Token::Eof => return Ok(text),
            }
        }
    }

    /// Reads up to and with the start tag of the next child element, or the end of the element.
    fn child(&mut self) -> Result<Option<StartTag<'a>>, ReadWatcherInfoError> {
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(_) => {}
                Token::Start(tag) => return Ok(Some(tag)),
                Token::End | Token::Eof => return Ok(None),
            }
        }
    }

    /// Reads up to and with the end of the element whose start tag was just read.
    fn pass_over(&mut self) -> Result<(), ReadWatcherInfoError> {
        let outside = self.tokenizer.depth().saturating_sub(1);
        while self.tokenizer.depth() > outside {
            if self.tokenizer.next()? == Token::Eof {
                break;
            }
        }
        Ok(())
    }

    fn is_own(&self, tag: StartTag<'a>, local: &str) -> bool {
        tag.namespace == self.namespace && tag.local == local
    }

    /// An attribute of the last start tag.
    fn attribute(&self, local: &str) -> Option<&str> {
        let mut all = self.tokenizer.attributes().iter();
        let found = all.find(|it| it.namespace == NamespaceId::NONE && it.local == local);
        found.map(|attribute| &*attribute.value)
    }

    /// The same, when there is something in it and not too much.
    fn name(&self, local: &str, limit: usize) -> Option<String> {
        let value = self.attribute(local).map(trim);
        let value = value.filter(|value| (1..=limit).contains(&value.len()));
        value.map(str::to_owned)
    }

    #[cold]
    fn wrong_root_attribute(
        &mut self,
        attribute: &'static str,
        expected: &'static str,
    ) -> ReadWatcherInfoError {
        ReadWatcherInfoError::Attribute {
            attribute,
            expected,
            found: self.attribute(attribute).map(excerpt),
            location: self.tokenizer.location(),
        }
    }

    #[cold]
    fn too_many(&mut self, of: WatcherInfoLimit, limit: usize) -> ReadWatcherInfoError {
        ReadWatcherInfoError::TooMany {
            of,
            limit,
            location: self.tokenizer.location(),
        }
    }

    /// Tells a fault of the element whose start tag was just read.
    fn tell(&mut self, kind: Kind) {
        if self.faults.len() < self.options.reports {
            let location = self.tokenizer.location();
            self.faults.push(WatcherInfoFault { kind, location });
        }
    }

    /// The same of an element that was read to its end.
    fn tell_at(&mut self, start: usize, kind: Kind) {
        if self.faults.len() < self.options.reports {
            let location = self.tokenizer.location_in(start, &[]);
            self.faults.push(WatcherInfoFault { kind, location });
        }
    }
}
