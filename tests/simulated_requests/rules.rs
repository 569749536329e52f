//! Who may see what, and what that looks like.

use std::collections::BTreeMap;

use bytes::Bytes;
use presentity::event::{Authorization, Decision, Rejection, SubscribeQuery, View};
use presentity::pidf::Presence;
use presentity::presence::Policy;

pub const PRESENTITIES: [&str; 2] = ["emil@example.com", "ruth@example.com"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Allow,
    Work,
    Wait,
    Block,
    Forbid,
}

impl Rule {
    pub const ALL: [Self; 8] = [
        Self::Allow,
        Self::Work,
        Self::Wait,
        Self::Allow,
        Self::Block,
        Self::Work,
        Self::Forbid,
        Self::Allow,
    ];

    /// Each watcher has views of its own.
    pub fn decision(self, user: &str) -> Decision {
        match self {
            Self::Allow => Decision::Allow(View::named(&format!("{user} all"))),
            Self::Work => Decision::Allow(View::named(&format!("{user} work"))),
            Self::Wait => Decision::Pending,
            Self::Block => Decision::PoliteBlock,
            Self::Forbid => Decision::Reject(Rejection::Forbidden),
        }
    }

    pub fn shows(self, user: &str, state: Option<u64>) -> String {
        let Some(state) = state else {
            return match self {
                Self::Block => "offline".to_owned(),
                Self::Wait => "waiting".to_owned(),
                _ => "unknown".to_owned(),
            };
        };
        match self {
            Self::Allow => format!("{user} all: {state}"),
            Self::Work => format!("{user} work: {state}"),
            Self::Wait => "waiting".to_owned(),
            Self::Block => "offline".to_owned(),
            Self::Forbid => panic!("nothing to see"),
        }
    }
}

/// By user and presentity; everybody may see everything else.
#[derive(Debug, Default)]
pub struct Rules(pub BTreeMap<(String, String), Rule>);

impl Rules {
    pub fn get(&self, user: &str, presentity: &str) -> Rule {
        let name = (user.to_owned(), presentity.to_owned());
        self.0.get(&name).copied().unwrap_or(Rule::Allow)
    }
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let user = query.watcher().expect("all are known");
        self.get(user, query.resource()).decision(user).into()
    }

    fn apply_view(&self, view: &View, _: &str, document: &mut Presence) {
        let name = view.name().expect("a view");
        for note in document.tuples.iter_mut().flat_map(|it| &mut it.notes) {
            note.text = format!("{name}: {}", note.text);
        }
    }
}

/// What a document shows.
pub fn shown(body: &Bytes) -> String {
    let document = Presence::read(body).expect("a document");
    let notes = document.tuples.iter().flat_map(|it| &it.notes);
    let notes: Vec<&str> = notes.map(|note| note.text.as_str()).collect();
    match (&notes[..], document.tuples.len(), document.notes.len()) {
        ([], 0, 0) => "unknown".to_owned(),
        ([], 0, _) => "waiting".to_owned(),
        ([], _, _) => "offline".to_owned(),
        (notes, _, _) => notes.join(", "),
    }
}
