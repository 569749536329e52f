//! Who watches, as lines, as a table and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use presentity::winfo::{WatcherChange, WatcherChangeKind, WatcherStatus};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::{array, boolean, member, moment, object, optional, string};
use crate::report::again;
use crate::roll::Entry;
use crate::table;

/// Lines of a table that changes in place; what does not fit on a screen cannot be drawn over.
const MOST_ROWS: usize = 20;

/// Something that happened to the user's own watcher information.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatcherReport<'a> {
    /// Whose watchers.
    pub(crate) uri: &'a str,
    /// `watcher`, `watchers`, `answered`, `error`, `list`, `state`, `missed`, `outdated`, `unreadable`,
    /// `tolerated`, `overfull`, `refused-body`, `failed`, `delayed`, `ended` or `over`.
    pub(crate) event: &'static str,
    /// The state of the subscription now.
    pub(crate) state: &'a str,
    /// The event in words, where its name does not do.
    pub(crate) words: String,
    /// What belongs to the event, as members of an object.
    pub(crate) members: Vec<String>,
    /// Why it failed or ended, or what is wrong.
    pub(crate) reason: Option<&'a str>,
    /// When it is tried again.
    pub(crate) retry_in: Option<Duration>,
}

impl WatcherReport<'_> {
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} [{}]", self.uri, self.state);
        match (self.words.as_str(), self.event) {
            ("", "state") => {}
            ("", event) => {
                let _ = write!(line, " {event}");
            }
            (words, _) => {
                let _ = write!(line, " {words}");
            }
        }
        if let Some(reason) = self.reason {
            let _ = write!(line, ": {reason}");
        }
        line.push_str(&again(self.retry_in));
        line
    }

    pub(crate) fn json(&self) -> String {
        let mut members = vec![
            member("uri", &string(self.uri)),
            member("event", &string(self.event)),
            member("state", &string(self.state)),
        ];
        if let Some(reason) = self.reason {
            members.push(member("reason", &string(reason)));
        }
        if let Some(wait) = self.retry_in {
            members.push(member("retry_in", &wait.as_secs().to_string()));
        }
        members.extend_from_slice(&self.members);
        object(members)
    }
}

/// What has become of one subscription by a document that has come now, in words and as members.
pub(crate) fn change(change: &WatcherChange, now: OffsetDateTime) -> (String, Vec<String>) {
    let what = match change.kind() {
        WatcherChangeKind::Added => "added",
        WatcherChangeKind::Changed => "changed",
        _ => "gone",
    };
    let Some(entry) = change.after.as_ref().or(change.before.as_ref()) else {
        return (what.to_owned(), Vec::new());
    };
    let entry = Entry::of(entry, now);
    let is_mentioned = change.after.is_some();
    let mut words = match is_mentioned {
        true => format!("{what} {}", in_words(&entry)),
        false => format!("{what} {}, without a word", entry.uri),
    };
    if change.asks() {
        words.push_str("; asks");
    }
    let before = change.old_status().map(WatcherStatus::as_str);
    let members = vec![
        member("what", &string(what)),
        member("watcher", &entry_json(&entry, is_mentioned)),
        member("before", &optional(before)),
        member("asks", boolean(change.asks())),
    ];
    (words, members)
}

/// How many there are, in words and as members.
pub(crate) fn count(entries: &[Entry], is_complete: bool) -> (String, Vec<String>) {
    let undecided = entries.iter().filter(|it| it.status.is_undecided()).count();
    let others = entries.len() - undecided;
    let mut words = match (others, undecided) {
        (0, 0) if !is_complete => "nothing is known".to_owned(),
        (0, 0) => "nobody watches".to_owned(),
        (others, 0) => format!("watchers: {others}"),
        (others, undecided) => format!("watchers: {others}, and {undecided} to decide about"),
    };
    if !is_complete && !entries.is_empty() {
        words.push_str(", as far as is known");
    }
    let members = vec![
        member("watching", &others.to_string()),
        member("undecided", &undecided.to_string()),
        member("complete", boolean(is_complete)),
    ];
    (words, members)
}

pub(crate) fn list(entries: &[Entry]) -> Vec<String> {
    vec![member(
        "watchers",
        &array(entries.iter().map(|it| entry_json(it, true))),
    )]
}

/// How it stands is not known of one that is not mentioned any more.
fn entry_json(entry: &Entry, is_mentioned: bool) -> String {
    let word = |word: &str| optional(Some(word).filter(|_| is_mentioned));
    let at = |at: Option<OffsetDateTime>| at.map_or("null".to_owned(), moment);
    object([
        member("uri", &string(&entry.uri)),
        member("name", &optional(entry.name.as_deref())),
        member("status", &word(entry.status.as_str())),
        member("event", &word(entry.event)),
        member("since", &at(entry.since)),
        member("until", &at(entry.until)),
    ])
}

fn in_words(entry: &Entry) -> String {
    let mut words = entry.uri.clone();
    if let Some(name) = &entry.name {
        let _ = write!(words, " \"{name}\"");
    }
    let _ = write!(words, " {} ({})", entry.status, entry.event);
    for (word, at) in [("since", entry.since), ("until", entry.until)] {
        if let Some(at) = at.and_then(|at| at.format(&Rfc3339).ok()) {
            let _ = write!(words, ", {word} {at}");
        }
    }
    words
}

/// All rows, those first that wait for a word.
pub(crate) fn rows(entries: &[Entry]) -> Vec<String> {
    rows_up_to(entries, usize::MAX, usize::MAX)
}

/// The table that changes in place, a line above it and one below.
pub(crate) fn screen(entries: &[Entry], first: &str, last: &str) -> Vec<String> {
    let mut lines = vec![first.to_owned()];
    lines.extend(rows_up_to(entries, MOST_ROWS, table::WIDEST_URI));
    lines.push(last.to_owned());
    lines
}

fn rows_up_to(entries: &[Entry], most: usize, widest: usize) -> Vec<String> {
    let of = |undecided: bool| {
        let entries = entries.iter();
        entries.filter(move |it| it.status.is_undecided() == undecided)
    };
    let shown: Vec<&Entry> = of(true).chain(of(false)).take(most).collect();
    let width = table::width_of(shown.iter().map(|entry| entry.uri.as_str()), widest);
    let mut lines = vec![format!(
        "{:width$}  STATUS      BY           SINCE            UNTIL            NAME",
        "WHO"
    )];
    for entry in &shown {
        let uri: String = entry.uri.chars().take(width).collect();
        let at = |at: Option<OffsetDateTime>| at.map_or(String::new(), table::moment);
        let line = format!(
            "{uri:width$}  {:10}  {:11}  {:15}  {:15}  {}",
            entry.status.as_str(),
            entry.event,
            at(entry.since),
            at(entry.until),
            entry.name.as_deref().unwrap_or_default(),
        );
        lines.push(line.trim_end().to_owned());
    }
    if entries.len() > shown.len() {
        lines.push(format!("and {} more", entries.len() - shown.len()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use presentity::winfo::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherTable};

    fn entry(uri: &str, status: WatcherStatus) -> Entry {
        Entry {
            uri: uri.to_owned(),
            name: None,
            status,
            event: "subscribe",
            since: Some(OffsetDateTime::UNIX_EPOCH),
            until: None,
        }
    }

    fn document(version: u32, status: WatcherStatus, event: WatcherEvent) -> WatcherInfo {
        let mut list = WatcherList::new("sip:anna@example.org", "presence");
        let mut entry = WatcherEntry::new("w", "sip:bjarne@example.org", status, event);
        entry.display_name = Some("Bjarne\u{1b}[2J".to_owned());
        list.watchers.push(entry);
        let mut info = WatcherInfo::default();
        info.version = version;
        info.is_full = version == 0;
        info.lists.push(list);
        info
    }

    #[test]
    fn a_change_is_a_line_and_an_object() {
        let mut table = WatcherTable::default();
        let asks = table.apply(document(0, WatcherStatus::Pending, WatcherEvent::Subscribe));
        let (words, members) = change(&asks.changes[0], OffsetDateTime::UNIX_EPOCH);
        let name = "sip:bjarne@example.org \"Bjarne [2J\"";
        assert_eq!(words, format!("added {name} pending (subscribe); asks"));
        let report = WatcherReport {
            uri: "sip:anna@example.org",
            event: "watcher",
            state: "active",
            words,
            members,
            ..WatcherReport::default()
        };
        assert!(
            report
                .line()
                .starts_with("sip:anna@example.org [active] added ")
        );
        assert_eq!(
            report.json(),
            r#"{"uri":"sip:anna@example.org","event":"watcher","state":"active","what":"added","watcher":{"uri":"sip:bjarne@example.org","name":"Bjarne [2J","status":"pending","event":"subscribe","since":null,"until":null},"before":null,"asks":true}"#
        );
        let let_in = table.apply(document(1, WatcherStatus::Active, WatcherEvent::Approved));
        let (words, members) = change(&let_in.changes[0], OffsetDateTime::UNIX_EPOCH);
        assert_eq!(words, format!("changed {name} active (approved)"));
        assert_eq!(members[2..], [r#""before":"pending""#, r#""asks":false"#]);
        let over = table.apply(document(
            2,
            WatcherStatus::Terminated,
            WatcherEvent::Timeout,
        ));
        let (words, _) = change(&over.changes[0], OffsetDateTime::UNIX_EPOCH);
        assert_eq!(words, format!("gone {name} terminated (timeout)"));
        table.apply(document(3, WatcherStatus::Active, WatcherEvent::Subscribe));
        let forgotten = table.clear();
        let (words, members) = change(&forgotten[0], OffsetDateTime::UNIX_EPOCH);
        assert_eq!(words, "gone sip:bjarne@example.org, without a word");
        assert!(members[1].contains(r#""status":null,"event":null"#));
    }

    #[test]
    fn who_asks_stands_first_and_columns_stay() {
        let active = entry("sip:a@example.org", WatcherStatus::Active);
        let waiting = entry("sip:bjarne@example.org", WatcherStatus::Waiting);
        let lines = rows(&[active.clone(), waiting.clone()]);
        assert!(lines[1].starts_with("sip:bjarne@example.org  waiting"));
        let of = |line: &str, word: &str| line.split(word).next().map(str::len);
        assert_eq!(of(&lines[0], "STATUS"), of(&lines[2], "active"));
        assert_eq!(of(&lines[0], "SINCE"), of(&lines[1], "01-01 "));
        // Who is listed can be named; who is on the screen stands in a column.
        let long = format!("sip:{}@example.org", "a".repeat(100));
        let long = entry(&long, WatcherStatus::Active);
        assert!(rows(std::slice::from_ref(&long))[1].starts_with(&long.uri));
        let mut many = vec![active; MOST_ROWS + 2];
        many.insert(0, long);
        let lines = screen(&many, "above", "below");
        assert_eq!(of(&lines[2], "active"), Some(table::WIDEST_URI + 2));
        // Above, head, rows, how many are left out, below.
        assert_eq!(lines.len(), MOST_ROWS + 4);
        assert_eq!(lines[MOST_ROWS + 2], "and 3 more");
        let (words, members) = count(&[waiting], false);
        assert_eq!(
            words,
            "watchers: 0, and 1 to decide about, as far as is known"
        );
        let expected = [r#""watching":0"#, r#""undecided":1"#, r#""complete":false"#];
        assert_eq!(members, expected);
        assert_eq!(count(&[], true).0, "nobody watches");
        assert_eq!(count(&[], false).0, "nothing is known");
    }
}
