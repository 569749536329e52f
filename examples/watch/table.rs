//! The table on a terminal.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use time::OffsetDateTime;

use crate::report::basic_name;
use crate::summary::{Summary, one_line};

/// Columns for the URI, at most.
pub(crate) const WIDEST_URI: usize = 40;

/// A presentity in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) uri: &'a str,
    pub(crate) presence: Option<&'a Summary>,
    /// Since when it is open or closed.
    pub(crate) since: Option<OffsetDateTime>,
    /// The state of the subscription.
    pub(crate) state: &'a str,
    /// Why it is in that state, if there is more to say.
    pub(crate) remark: &'a str,
}

/// A table that is drawn over the one before.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The one before.
    drawn: Vec<String>,
}

impl Table {
    /// Draws these lines.
    pub(crate) fn draw(&mut self, lines: Vec<String>) {
        if lines == self.drawn {
            return;
        }
        let mut text = String::new();
        if !self.drawn.is_empty() {
            let _ = write!(text, "\x1b[{}A\r", self.drawn.len());
        }
        // Without wrapping a line is a line, however long.
        text.push_str("\x1b[J\x1b[?7l");
        for line in &lines {
            let _ = writeln!(text, "{line}");
        }
        text.push_str("\x1b[?7h");
        self.drawn = lines;
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// The columns for these URIs.
pub(crate) fn width_of<'a>(uris: impl Iterator<Item = &'a str>, most: usize) -> usize {
    let widest = uris.map(|uri| uri.chars().count()).max();
    widest.unwrap_or(0).clamp(3, most)
}

/// Presentities; `last` is a line below them.
pub(crate) fn lines(rows: &[Row<'_>], last: &str) -> Vec<String> {
    let width = width_of(rows.iter().map(|row| row.uri), WIDEST_URI);
    let mut lines = vec![format!(
        "{:width$}     IS       SINCE           SUBSCRIPTION  NOTES",
        "WHO"
    )];
    for row in rows {
        let uri: String = row.uri.chars().take(width).collect();
        let (basic, secure) = match row.presence {
            Some(presence) => (basic_name(presence.basic), presence.is_secure),
            None => ("unknown", false),
        };
        // The padlock takes two columns.
        let padlock = if secure { "\u{1f512}" } else { "  " };
        let since = row.since.map_or(String::new(), moment);
        let mut line = format!(
            "{uri:width$}  {padlock} {basic:8} {since:15} {:13} ",
            row.state
        );
        let activities = row.presence.iter().flat_map(|it| &it.activities);
        let notes = row.presence.iter().flat_map(|it| &it.notes);
        let mut texts: Vec<String> = activities.map(|it| one_line(it)).collect();
        texts.extend(notes.map(|note| format!("\"{note}\"")));
        if !row.remark.is_empty() {
            texts.push(format!("({})", row.remark));
        }
        line.push_str(&texts.join(", "));
        lines.push(line.trim_end().to_owned());
    }
    lines.push(last.to_owned());
    lines
}

/// Month, day and time of day, in UTC.
pub(crate) fn moment(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (month, day) = (u8::from(at.month()), at.day());
    format!(
        "{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use presentity::pidf::Basic;

    #[test]
    fn columns_stay_where_they_are() {
        let presence = Summary {
            basic: Some(Basic::Open),
            notes: vec!["at the desk".to_owned()],
            is_secure: true,
            ..Summary::default()
        };
        let row = Row {
            uri: "sip:dora@example.com",
            presence: Some(&presence),
            since: Some(OffsetDateTime::UNIX_EPOCH),
            state: "active",
            remark: "",
        };
        let other = Row {
            uri: "sip:a@example.com",
            presence: None,
            since: None,
            state: "waiting",
            remark: "SUBSCRIBE not answered",
        };
        let lines = lines(&[row, other], "");
        let of = |line: &str, word: &str| line.split(word).next().map(|it| it.chars().count());
        assert_eq!(of(&lines[0], "IS "), of(&lines[2], "unknown"));
        // The padlock is one character in two columns.
        assert_eq!(
            of(&lines[1], "open"),
            of(&lines[2], "unknown").map(|it| it - 1)
        );
        assert_eq!(of(&lines[0], "SUBS"), of(&lines[2], "waiting"));
        assert!(lines[1].contains("01-01 00:00:00Z") && lines[1].ends_with("\"at the desk\""));
        assert!(lines[2].ends_with("(SUBSCRIBE not answered)"));
    }
}
