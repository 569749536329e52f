//! Writes documents, in the form of the schema (RFC 3858 section 6).

use bytes::Bytes;
use hashbrown::HashSet;

use super::document::{WatcherEntry, WatcherInfo, WatcherList};
use super::error::WriteWatcherInfoError;
use super::lexical::is_language;
use crate::sip::{MAX_URI_LEN, is_token};
use crate::xml::{Document, Layout, Writer, XmlWriteError, excerpt, is_xml_char, namespace};

/// What an entry has beside its texts: names of attributes, words and two numbers.
const OF_AN_ENTRY: usize = 128;
/// What a list has beside its texts and entries, and the root beside its lists.
const OF_A_LIST: usize = 64;
const OF_THE_ROOT: usize = 160;

pub(super) fn write(info: &WatcherInfo, layout: Layout) -> Result<Bytes, WriteWatcherInfoError> {
    let size = info.lists.iter().map(size_of_list).sum::<usize>();
    let document = Document {
        default: namespace::WATCHER_INFO,
        size: size.saturating_add(OF_THE_ROOT),
        layout,
    };
    document.write(|xml| root(xml, info), |_| Ok(()))
}

fn size_of_list(list: &WatcherList) -> usize {
    let entries = list.watchers.iter().map(|entry| {
        let name = entry.display_name.as_ref().map_or(0, String::len);
        entry.id.len() + entry.uri.len() + name + OF_AN_ENTRY
    });
    entries.sum::<usize>() + list.resource.len() + list.package.len() + OF_A_LIST
}

fn root(xml: &mut Writer<'_>, info: &WatcherInfo) -> Result<(), WriteWatcherInfoError> {
    let entries = info.lists.iter().map(|list| list.watchers.len()).sum();
    let mut ids = HashSet::with_capacity_and_hasher(entries, std::hash::RandomState::new());
    xml.markup("<watcherinfo");
    xml.root_declarations();
    number(xml, "version", info.version.into());
    xml.markup(match info.is_full {
        true => " state=\"full\"",
        false => " state=\"partial\"",
    });
    if info.lists.is_empty() {
        xml.markup("/>");
        return Ok(());
    }
    xml.markup(">");
    xml.indent();
    for list in &info.lists {
        xml.line();
        write_list(xml, list, &mut ids)?;
    }
    xml.outdent();
    xml.line();
    xml.markup("</watcherinfo>");
    Ok(())
}

fn write_list<'m>(
    xml: &mut Writer<'_>,
    list: &'m WatcherList,
    ids: &mut HashSet<&'m str, std::hash::RandomState>,
) -> Result<(), WriteWatcherInfoError> {
    check_uri(&list.resource)?;
    check_token(&list.package)?;
    xml.markup("<watcher-list resource=\"");
    xml.value(&list.resource)?;
    xml.markup("\" package=\"");
    xml.value(&list.package)?;
    if list.watchers.is_empty() {
        xml.markup("\"/>");
        return Ok(());
    }
    xml.markup("\">");
    xml.indent();
    for entry in &list.watchers {
        if !ids.insert(entry.id.as_str()) {
            let id = excerpt(&entry.id);
            return Err(WriteWatcherInfoError::Repeated { id });
        }
        xml.line();
        write_entry(xml, entry)?;
    }
    xml.outdent();
    xml.line();
    xml.markup("</watcher-list>");
    Ok(())
}

/// What can be written of an entry, all but the characters of its name; the word for its event.
fn check_entry(entry: &WatcherEntry) -> Result<&'static str, WriteWatcherInfoError> {
    check_token(&entry.id)?;
    check_uri(&entry.uri)?;
    if let Some(language) = &entry.language
        && !is_language(language)
    {
        let text = excerpt(language);
        return Err(WriteWatcherInfoError::Language { text });
    }
    let event = entry.event.as_str();
    event.ok_or_else(|| WriteWatcherInfoError::Event {
        id: excerpt(&entry.id),
    })
}

pub(super) fn check(entry: &WatcherEntry) -> Result<(), WriteWatcherInfoError> {
    check_entry(entry)?;
    let mut name = entry.display_name.iter().flat_map(|name| name.chars());
    match name.find(|c| !is_xml_char(*c)) {
        None => Ok(()),
        Some(c) => Err(XmlWriteError::Character { code: c.into() }.into()),
    }
}

fn write_entry(xml: &mut Writer<'_>, entry: &WatcherEntry) -> Result<(), WriteWatcherInfoError> {
    let event = check_entry(entry)?;
    xml.markup("<watcher id=\"");
    xml.value(&entry.id)?;
    xml.markup("\" status=\"");
    xml.markup(entry.status.as_str());
    xml.markup("\" event=\"");
    xml.markup(event);
    xml.markup("\"");
    if let Some(name) = &entry.display_name {
        xml.markup(" display-name=\"");
        xml.value(name)?;
        xml.markup("\"");
    }
    if let Some(seconds) = entry.expiration {
        number(xml, "expiration", seconds);
    }
    if let Some(seconds) = entry.duration_subscribed {
        number(xml, "duration-subscribed", seconds);
    }
    if let Some(language) = &entry.language {
        xml.markup(" xml:lang=\"");
        xml.markup(language);
        xml.markup("\"");
    }
    xml.markup(">");
    xml.text(&entry.uri)?;
    xml.markup("</watcher>");
    Ok(())
}

fn number(xml: &mut Writer<'_>, attribute: &str, value: u64) {
    xml.markup(" ");
    xml.markup(attribute);
    xml.markup("=\"");
    xml.markup(itoa::Buffer::new().format(value));
    xml.markup("\"");
}

fn check_token(text: &str) -> Result<(), WriteWatcherInfoError> {
    match is_token(text) {
        true => Ok(()),
        false => Err(WriteWatcherInfoError::Token {
            text: excerpt(text),
        }),
    }
}

/// Identities come from elsewhere and may be of any form; what is written is bounded, in one piece, and
/// escapes what it says it escapes.
fn check_uri(text: &str) -> Result<(), WriteWatcherInfoError> {
    let is_whole = || !text.bytes().any(|byte| byte <= b' ' || byte == 0x7F);
    let is_escape = |behind: &str| {
        let digits = behind.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let fits = (1..=MAX_URI_LEN).contains(&text.len());
    match fits && is_whole() && text.split('%').skip(1).all(is_escape) {
        true => Ok(()),
        false => Err(WriteWatcherInfoError::Uri {
            text: excerpt(text),
            octets: text.len(),
        }),
    }
}
