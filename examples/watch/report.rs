//! What happened, as a line or as a JSON object.

use std::fmt::Write as _;
use std::time::Duration;

use crate::json::{array, boolean, member, moment, object, optional, string};
use crate::signers::Seal;
use crate::summary::{Part, PartChange, Summary, TupleSummary};
use presentity::pidf::Basic;
use presentity::sip::Rates;

/// Something that happened to what is watched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report<'a> {
    pub(crate) uri: &'a str,
    /// `presence`, `resumed`, `confirmed`, `state`, `unreadable`, `unpatched`, `outdated`, `refused`, `refused-body`, `failed`, `ended` or
    /// `over`.
    pub(crate) event: &'static str,
    /// The state of the subscription now.
    pub(crate) state: &'a str,
    /// What is known of the presentity now.
    pub(crate) presence: Option<&'a Summary>,
    /// What has changed of it.
    pub(crate) changes: &'a [PartChange],
    /// How what has changed it was protected.
    pub(crate) seal: Option<&'a Seal>,
    /// Why it failed or ended, or what is wrong.
    pub(crate) reason: Option<&'a str>,
    /// How often the server says that it tells, where it does.
    pub(crate) rates: Option<Rates>,
    /// When it is tried again.
    pub(crate) retry_in: Option<Duration>,
}

pub(crate) fn basic_name(basic: Option<Basic>) -> &'static str {
    basic.map_or("unknown", Basic::as_str)
}

/// When it is tried again, at the end of a line.
pub(crate) fn again(retry_in: Option<Duration>) -> String {
    match retry_in {
        None => String::new(),
        Some(Duration::ZERO) => "; again at once".to_owned(),
        Some(wait) => format!("; again in {} s", wait.as_secs()),
    }
}

impl Report<'_> {
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} [{}]", self.uri, self.state);
        match (self.event, self.presence) {
            ("presence", None) => line.push_str(" unknown"),
            ("presence", Some(presence)) => {
                let _ = write!(line, " {}", basic_name(presence.basic));
                if presence.is_secure {
                    line.push_str(", secure");
                }
                let seal = self.seal.map(Seal::in_words).unwrap_or_default();
                if !seal.is_empty() {
                    let _ = write!(line, ", {seal}");
                }
                for (at, change) in self.changes.iter().enumerate() {
                    line.push_str(if at == 0 { ": " } else { "; " });
                    write_change(&mut line, change);
                }
            }
            // The brackets tell it.
            ("state", _) => {
                if let Some(max) = self.rates.and_then(|rates| rates.max) {
                    let interval = rounded(max.interval());
                    let _ = write!(line, " told at most once in {interval:?}");
                }
            }
            (event, _) => {
                let _ = write!(line, " {event}");
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
        if let Some(rates) = self.rates {
            let named = [
                ("max", rates.max),
                ("min", rates.min),
                ("adaptive_min", rates.adaptive_min),
            ];
            let named = named
                .into_iter()
                .filter_map(|(name, rate)| Some((name, rate?)));
            let rates = object(named.map(|(name, rate)| member(name, &rate.to_string())));
            members.push(member("rates", &rates));
        }
        let presence = self.presence.map_or("null".to_owned(), presence_json);
        members.push(member("presence", &presence));
        if self.event == "presence" {
            let changes = self.changes.iter().map(change_json);
            members.push(member("changes", &array(changes)));
            if let Some(seal) = self.seal {
                let signers = seal.signers.iter().map(|signer| {
                    let names = array(signer.names.iter().map(|name| string(name)));
                    let is_trusted = member("trusted", boolean(signer.is_trusted));
                    object([member("names", &names), is_trusted])
                });
                members.push(member("signed_by", &array(signers)));
                members.push(member("authority", &optional(seal.authority)));
                members.push(member("encrypted", boolean(seal.is_encrypted)));
            }
        }
        object(members)
    }
}

fn write_change(line: &mut String, change: &PartChange) {
    line.push_str(change.what);
    let _ = match &change.part {
        Part::Tuple(tuple) => {
            let _ = write!(line, " {} {}", tuple.id, basic_name(tuple.basic));
            match &tuple.note {
                Some(note) => write!(line, " \"{note}\""),
                None => Ok(()),
            }
        }
        Part::Person(id) => write!(line, " person {id}"),
        Part::Device(id) => write!(line, " device {id}"),
        Part::Notes(notes) => {
            let quoted = notes.iter().map(|note| format!(" \"{note}\""));
            write!(line, " notes{}", quoted.collect::<String>())
        }
        Part::Other => write!(line, " other"),
    };
}

fn presence_json(presence: &Summary) -> String {
    object([
        member("basic", &string(basic_name(presence.basic))),
        member("notes", &array(presence.notes.iter().map(|it| string(it)))),
        member(
            "activities",
            &array(presence.activities.iter().map(|it| string(it))),
        ),
        member("secure", boolean(presence.is_secure)),
        member(
            "changed",
            &presence.changed.map_or("null".to_owned(), moment),
        ),
        member("tuples", &array(presence.tuples.iter().map(tuple_json))),
    ])
}

fn tuple_json(tuple: &TupleSummary) -> String {
    object(tuple_members(tuple))
}

fn tuple_members(tuple: &TupleSummary) -> Vec<String> {
    vec![
        member("id", &string(&tuple.id)),
        member("basic", &string(basic_name(tuple.basic))),
        member("note", &optional(tuple.note.as_deref())),
        member("contact", &optional(tuple.contact.as_deref())),
        member("secure", boolean(tuple.is_secure)),
    ]
}

fn change_json(change: &PartChange) -> String {
    let mut members = vec![member("what", &string(change.what))];
    let (kind, more) = match &change.part {
        Part::Tuple(tuple) => ("tuple", tuple_members(tuple)),
        Part::Person(id) => ("person", vec![member("id", &string(id))]),
        Part::Device(id) => ("device", vec![member("id", &string(id))]),
        Part::Notes(notes) => {
            let notes = array(notes.iter().map(|it| string(it)));
            ("notes", vec![member("notes", &notes)])
        }
        Part::Other => ("other", Vec::new()),
    };
    members.push(member("part", &string(kind)));
    members.extend(more);
    object(members)
}

/// To hundredths of a second: a rate that is written with few digits leads to no round time.
fn rounded(interval: Duration) -> Duration {
    let hundredths = interval.as_millis().saturating_add(5) / 10;
    Duration::from_millis(u64::try_from(hundredths).map_or(u64::MAX, |it| it.saturating_mul(10)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signers::SignerSummary;

    #[test]
    fn times_between_notifications_are_round() {
        let told = |nanos| format!("{:?}", rounded(Duration::from_nanos(nanos)));
        assert_eq!(told(3_600_001_008_000), "3600s");
        assert_eq!(told(2_500_000_000), "2.5s");
        assert_eq!(rounded(Duration::MAX), Duration::from_millis(u64::MAX));
    }

    #[test]
    fn a_change_is_a_line_and_an_object() {
        let phone = TupleSummary {
            id: "phone".to_owned(),
            basic: Some(Basic::Open),
            note: Some("at the desk".to_owned()),
            ..TupleSummary::default()
        };
        let presence = Summary {
            basic: phone.basic,
            tuples: vec![phone.clone()],
            ..Summary::default()
        };
        let changes = [
            PartChange {
                what: "added",
                part: Part::Tuple(phone),
            },
            PartChange {
                what: "removed",
                part: Part::Person("p".to_owned()),
            },
        ];
        let report = Report {
            uri: "sip:dora@example.com",
            event: "presence",
            state: "active",
            presence: Some(&presence),
            changes: &changes,
            ..Report::default()
        };
        assert_eq!(
            report.line(),
            "sip:dora@example.com [active] open: added phone open \"at the desk\"; removed person p"
        );
        let json = report.json();
        assert!(
            json.starts_with(
                r#"{"uri":"sip:dora@example.com","event":"presence","state":"active","#
            )
        );
        assert!(
            json.contains(
                r#""changes":[{"what":"added","part":"tuple","id":"phone","basic":"open""#
            )
        );
        assert!(json.ends_with(r#"{"what":"removed","part":"person","id":"p"}]}"#));
    }

    #[test]
    fn who_signed_is_told() {
        let presence = Summary::default();
        let signer = |name: &str, is_trusted| SignerSummary {
            names: vec![name.to_owned()],
            is_trusted,
        };
        let seal = Seal {
            signers: vec![signer("sip:example.com", true), signer("sip:eve", false)],
            authority: Some("domain"),
            is_encrypted: true,
        };
        let report = Report {
            uri: "sip:dora@example.com",
            event: "presence",
            state: "active",
            presence: Some(&presence),
            seal: Some(&seal),
            ..Report::default()
        };
        assert_eq!(
            report.line(),
            "sip:dora@example.com [active] unknown, signed by sip:example.com, \
             signed by sip:eve (not trusted), encrypted"
        );
        assert!(report.json().ends_with(
            r#""changes":[],"signed_by":[{"names":["sip:example.com"],"trusted":true},{"names":["sip:eve"],"trusted":false}],"authority":"domain","encrypted":true}"#
        ));
    }

    #[test]
    fn what_failed_says_why_and_when_it_is_tried_again() {
        let report = Report {
            uri: "sip:dora@example.com",
            event: "failed",
            state: "waiting",
            reason: Some("SUBSCRIBE not answered"),
            retry_in: Some(Duration::from_secs(10)),
            ..Report::default()
        };
        assert_eq!(
            report.line(),
            "sip:dora@example.com [waiting] failed: SUBSCRIBE not answered; again in 10 s"
        );
        assert_eq!(
            report.json(),
            r#"{"uri":"sip:dora@example.com","event":"failed","state":"waiting","reason":"SUBSCRIBE not answered","retry_in":10,"presence":null}"#
        );
    }
}
