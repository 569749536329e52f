//! The states of presentities, as files and lines of input tell them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use presentity::pidf::{Basic, Note, Presence, Tuple};
use presentity::sip::Uri;

/// Presentities that have a state.
const MAX_STATES: usize = 1_024;
/// Octets of a file.
const MAX_FILE: u64 = 1 << 20;

/// What a line of input tells.
#[derive(Debug)]
pub(crate) enum Line {
    Basic(String, Basic),
    /// Without text it takes the note away.
    Note(String, String),
    Quit,
}

impl Line {
    /// Reads a line; nothing if it is empty.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, String> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (uri, text) = rest
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((rest.trim(), ""));
        let uri = uri.to_owned();
        match (word, text.trim()) {
            ("", _) => Ok(None),
            ("open", "") => Ok(Some(Self::Basic(uri, Basic::Open))),
            ("closed", "") => Ok(Some(Self::Basic(uri, Basic::Closed))),
            ("note", text) => Ok(Some(Self::Note(uri, text.to_owned()))),
            ("quit", "") if uri.is_empty() => Ok(Some(Self::Quit)),
            _ => Err("expected open URI, closed URI, note URI [TEXT] or quit".to_owned()),
        }
    }
}

/// The states, by the canonical names of the presentities.
#[derive(Debug, Default)]
pub(crate) struct States(BTreeMap<String, Presence>);

impl States {
    /// Reads a document, whose entity is the presentity.
    pub(crate) fn read(&mut self, path: &Path) -> Result<(), String> {
        let error = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let file = std::fs::File::open(path).map_err(|e| error(&e))?;
        let mut document = Vec::new();
        file.take(MAX_FILE)
            .read_to_end(&mut document)
            .map_err(|e| error(&e))?;
        let presence = Presence::read(&document).map_err(|e| error(&e))?;
        let entity = presence.entity.clone();
        *self.of(&entity).map_err(|e| error(&e))? = presence;
        Ok(())
    }

    /// The whole new state of that presentity.
    pub(crate) fn change(&mut self, uri: &str, change: &Line) -> Result<Presence, String> {
        let presence = self.of(uri)?;
        match change {
            Line::Basic(_, basic) if presence.tuples.is_empty() => {
                presence.tuples.push(Tuple::new("sdf").with_basic(*basic));
            }
            Line::Basic(_, basic) => {
                for tuple in &mut presence.tuples {
                    tuple.status.set_basic(Some(*basic));
                }
            }
            Line::Note(_, text) => {
                let text = Some(text).filter(|text| !text.is_empty());
                presence.notes = text.map(Note::new).into_iter().collect();
            }
            Line::Quit => {}
        }
        Ok(presence.clone())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &Presence)> {
        self.0
            .values()
            .map(|presence| (presence.entity.clone(), presence))
    }

    fn of(&mut self, uri: &str) -> Result<&mut Presence, String> {
        let parsed = Uri::parse(uri).ok();
        let name = parsed.and_then(|uri| uri.address_of_record());
        let name = name.ok_or_else(|| format!("{uri:?} names no presentity"))?;
        if self.0.len() >= MAX_STATES && !self.0.contains_key(&name) {
            return Err("too many presentities have a state".to_owned());
        }
        Ok(self.0.entry(name).or_insert_with(|| Presence::new(uri)))
    }
}
