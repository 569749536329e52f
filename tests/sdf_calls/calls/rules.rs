//! A policy whose views show whose they are.

use presentity::event::{Authorization, Decision, Rejection, Signature, SubscribeQuery, View};
use presentity::pidf::Presence;
use presentity::presence::Policy;

/// Canonical names of those who watch, and what they call themselves.
pub const WATCHERS: [(&str, &str); 3] = [
    ("nora@example.org", "pres:nora@example.org"),
    ("otto@example.org", "pres:otto@example.org"),
    ("uma@example.org", "pres:uma@EXAMPLE.org"),
];
pub const PRESENTITIES: [(&str, &str); 2] = [
    ("emil@example.com", "pres:emil@example.com"),
    ("ruth@example.com", "pres:ruth@example.com"),
];
/// Whose view those see whom nobody knows.
pub const NOBODY: &str = "nobody@example.net";

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Allow(char),
    Pending,
    Polite,
    Forbid,
    Decline,
    Challenge,
    Signed(Signature),
}

impl Rule {
    pub fn read(byte: u8) -> Self {
        match byte % 12 {
            0..=2 => Self::Allow('a'),
            3 | 4 => Self::Allow('b'),
            5 | 6 => Self::Pending,
            7 => Self::Polite,
            8 => Self::Forbid,
            9 => Self::Decline,
            10 => Self::Challenge,
            _ if byte < 128 => Self::Signed(Signature::Valid),
            _ => Self::Signed(Signature::Bound),
        }
    }

    pub fn decision(self, who: &str) -> Decision {
        match self {
            Self::Allow(kind) => Decision::Allow(View::named(&format!("{who}/{kind}"))),
            Self::Polite => Decision::PoliteBlock,
            Self::Forbid => Decision::Reject(Rejection::Forbidden),
            Self::Decline => Decision::Reject(Rejection::Decline),
            _ => Decision::Pending,
        }
    }
}

/// A rule for each watcher and presentity; the last row is that of nobody.
#[derive(Debug)]
pub struct Rules(pub [[Rule; 2]; 4]);

pub fn place_of(names: &[(&str, &str)], name: &str) -> Option<usize> {
    names.iter().position(|(canonical, _)| *canonical == name)
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let who = query.watcher().unwrap_or(NOBODY);
        let row = place_of(&WATCHERS, who).unwrap_or(WATCHERS.len());
        let presentity = place_of(&PRESENTITIES, query.resource()).unwrap_or(0);
        match self.0[row][presentity] {
            Rule::Challenge => Authorization::Challenge,
            Rule::Signed(least) if query.signature() < least => {
                Authorization::SignatureRequired(least)
            }
            Rule::Signed(_) => Rule::Allow('a').decision(who).into(),
            rule => rule.decision(who).into(),
        }
    }

    fn apply_view(&self, view: &View, _: &str, document: &mut Presence) {
        let name = view.name().unwrap_or("full");
        for note in document.tuples.iter_mut().flat_map(|it| &mut it.notes) {
            note.text = format!("{name}|{}", note.text);
        }
    }
}
