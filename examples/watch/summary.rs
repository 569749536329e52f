//! What a document says, in short.

use presentity::pidf::rpid::Activities;
use presentity::pidf::{Basic, Change, Difference, Note, Person, Presence, Tuple};
use time::OffsetDateTime;

/// A presentity at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Open if one of its tuples is; nothing when none of them says.
    pub(crate) basic: Option<Basic>,
    /// Those of the presentity and its tuples, each once.
    pub(crate) notes: Vec<String>,
    pub(crate) activities: Vec<String>,
    /// Whether a tuple says that signalling with it can be secured by S/MIME.
    pub(crate) is_secure: bool,
    /// When it changed, as the document has it.
    pub(crate) changed: Option<OffsetDateTime>,
    pub(crate) tuples: Vec<TupleSummary>,
}

/// A tuple at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TupleSummary {
    pub(crate) id: String,
    pub(crate) basic: Option<Basic>,
    pub(crate) note: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) is_secure: bool,
}

/// What became of a part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartChange {
    /// `added`, `removed` or `changed`.
    pub(crate) what: &'static str,
    pub(crate) part: Part,
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Tuple(TupleSummary),
    Person(String),
    Device(String),
    /// Those of the presentity as they are now.
    Notes(Vec<String>),
    /// Something that is not looked at here.
    Other,
}

impl Summary {
    pub(crate) fn of(document: &Presence) -> Self {
        let mut summary = Self {
            basic: basic_of_all(document),
            is_secure: document.secure_signalling(),
            changed: document.newest_timestamp(),
            tuples: document.tuples.iter().map(TupleSummary::of).collect(),
            ..Self::default()
        };
        let persons = || document.persons.iter();
        for activities in persons().flat_map(Person::all::<Activities>) {
            let names = activities.values.iter().map(|it| one_line(it.as_str()));
            summary.activities.extend(names);
        }
        let notes = document.notes.iter();
        let notes = notes.chain(persons().flat_map(|person| &person.notes));
        let notes = notes.chain(document.tuples.iter().flat_map(|tuple| &tuple.notes));
        for note in notes.filter_map(text_of) {
            if !summary.notes.contains(&note) {
                summary.notes.push(note);
            }
        }
        summary
    }
}

impl TupleSummary {
    fn of(tuple: &Tuple) -> Self {
        Self {
            id: one_line(&tuple.id),
            basic: tuple.status.basic(),
            note: tuple.notes.iter().find_map(text_of),
            contact: tuple.contact.as_ref().map(|contact| one_line(&contact.uri)),
            is_secure: tuple.secure_signalling(),
        }
    }
}

/// What differs; all tuples of the first document are new.
pub(crate) fn changes(before: Option<&Presence>, after: &Presence) -> Vec<PartChange> {
    let nothing = Presence::new(after.entity.as_str());
    let difference = before.unwrap_or(&nothing).difference(after);
    let Difference {
        tuples,
        persons,
        devices,
        ..
    } = &difference;
    let mut changes = Vec::new();
    each(&mut changes, tuples, |tuple| {
        Part::Tuple(TupleSummary::of(tuple))
    });
    each(&mut changes, persons, |person| {
        Part::Person(one_line(&person.id))
    });
    each(&mut changes, devices, |device| {
        Part::Device(one_line(&device.id))
    });
    let changed = |part| PartChange {
        what: "changed",
        part,
    };
    if difference.notes {
        let notes = after.notes.iter().filter_map(text_of);
        changes.push(changed(Part::Notes(notes.collect())));
    }
    if difference.entity || difference.extensions || difference.attributes {
        changes.push(changed(Part::Other));
    }
    changes
}

fn each<T>(into: &mut Vec<PartChange>, changes: &[Change<'_, T>], part: impl Fn(&T) -> Part) {
    into.extend(changes.iter().filter_map(|change| {
        let (what, it) = match change {
            Change::Added(it) => ("added", it),
            Change::Removed(it) => ("removed", it),
            Change::Changed { after, .. } => ("changed", after),
            _ => return None,
        };
        let part = part(it);
        Some(PartChange { what, part })
    }));
}

fn basic_of_all(document: &Presence) -> Option<Basic> {
    let mut said = document.tuples.iter().filter_map(|it| it.status.basic());
    let first = said.next()?;
    match first == Basic::Open || said.any(|it| it == Basic::Open) {
        true => Some(Basic::Open),
        false => Some(Basic::Closed),
    }
}

fn text_of(note: &Note) -> Option<String> {
    let text = one_line(&note.text);
    (!text.is_empty()).then_some(text)
}

/// What a stranger wrote as it may stand in a line: without what ends the line, moves the cursor, or
/// turns the direction of what follows.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { ' ' })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_plain(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let ends = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !turns && !ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use presentity::pidf::caps::Servcaps;
    use presentity::pidf::certs::Certs;

    #[test]
    fn a_service_with_a_certificate_is_secure() {
        let caps = Servcaps::new().with_certs(Certs::new());
        let phone = Tuple::open("phone").with(&caps).unwrap();
        let document = Presence::new("sip:dora@example.com").with_tuple(Tuple::open("desk"));
        assert!(!Summary::of(&document).is_secure);
        let summary = Summary::of(&document.with_tuple(phone));
        let tuples: Vec<bool> = summary.tuples.iter().map(|it| it.is_secure).collect();
        assert_eq!((summary.is_secure, tuples), (true, vec![false, true]));
    }

    #[test]
    fn strangers_write_one_line() {
        assert_eq!(
            one_line(" at\r\nthe \u{1b}[2Jdesk\u{9b}3A\u{202e} "),
            "at the [2Jdesk 3A"
        );
        assert_eq!(one_line("a\u{2028}b"), "a b");
    }

    #[test]
    fn one_open_tuple_is_enough() {
        let document = |statuses: &[&str]| {
            let all = statuses.iter().enumerate();
            all.fold(
                Presence::new("sip:dora@example.com"),
                |document, (at, name)| {
                    let tuple = Tuple::new(format!("t{at}"));
                    document.with_tuple(match Basic::from_name(name) {
                        Some(basic) => tuple.with_basic(basic),
                        None => tuple,
                    })
                },
            )
        };
        let basic = |statuses: &[&str]| Summary::of(&document(statuses)).basic;
        assert_eq!(basic(&["closed", "", "open"]), Some(Basic::Open));
        assert_eq!(basic(&["", "closed"]), Some(Basic::Closed));
        assert_eq!(basic(&[""]), None);
        assert_eq!(basic(&[]), None);
    }
}
