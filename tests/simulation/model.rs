//! What there is to see and who may see it, told apart from the agent and as simply as can be.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use presentity::event::{
    Authorization, Decision, PublishDecision, PublishQuery, Rejection, SubscribeQuery, View,
};
use presentity::pidf::{Basic, Presence, Tuple};
use presentity::presence::Policy;

const WAITING: &str = "Waiting for permission";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    Allow,
    /// The view that leaves out what is private.
    Brief,
    Wait,
    Block,
    Refuse,
}

impl Rule {
    pub const ALL: [Self; 5] = [
        Self::Allow,
        Self::Brief,
        Self::Wait,
        Self::Block,
        Self::Refuse,
    ];

    /// What holds for most of those who watch a presentity in a vast world.
    pub fn for_most(presentity: usize) -> Self {
        if presentity == 0 {
            Self::Block
        } else {
            Self::Allow
        }
    }

    pub fn decision(self) -> Decision {
        match self {
            Self::Allow => Decision::Allow(View::full()),
            Self::Brief => Decision::Allow(View::named("brief")),
            Self::Wait => Decision::Pending,
            Self::Block => Decision::PoliteBlock,
            Self::Refuse => Decision::Reject(Rejection::Forbidden),
        }
    }
}

/// Who may watch whom: by the watcher's address and the presentity. Everybody may by default, who
/// is known by name.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    watching: BTreeMap<(usize, usize), Rule>,
    /// Publishers whose publications wait for the application, by address.
    deferred: BTreeSet<usize>,
    /// Presentities whose brief view shows the private part, of all things.
    turned: BTreeSet<usize>,
}

impl Rules {
    pub fn get(&self, watcher: usize, presentity: usize) -> Rule {
        let rule = self.watching.get(&(watcher, presentity));
        rule.copied().unwrap_or(Rule::Allow)
    }

    pub fn set(&mut self, watcher: usize, presentity: usize, rule: Rule) {
        self.watching.insert((watcher, presentity), rule);
    }

    pub fn is_deferred(&self, publisher: usize) -> bool {
        self.deferred.contains(&publisher)
    }

    pub fn set_deferred(&mut self, publisher: usize, deferred: bool) {
        if deferred {
            self.deferred.insert(publisher);
        } else {
            self.deferred.remove(&publisher);
        }
    }

    /// The brief view of a presentity shows the other part from now on.
    pub fn turn_view(&mut self, presentity: usize) {
        if !self.turned.remove(&presentity) {
            self.turned.insert(presentity);
        }
    }

    /// The kind of note that the brief view shows.
    pub fn brief(&self, presentity: usize) -> &'static str {
        if self.turned.contains(&presentity) {
            "private"
        } else {
            "public"
        }
    }
}

/// The canonical name of a presentity.
pub fn name(presentity: usize) -> String {
    format!("p{presentity}@example.com")
}

/// The watcher or publisher at an address.
pub fn user(address: usize) -> String {
    format!("sip:user{address}@example.com")
}

/// The address of a user, by URI or name.
pub fn address(user: &str) -> usize {
    let name = user.strip_prefix("sip:").unwrap_or(user);
    let number = name
        .split('@')
        .next()
        .and_then(|it| it.strip_prefix("user"));
    number
        .and_then(|it| it.parse().ok())
        .expect("a user of ours")
}

/// The presentity that a URI or name means.
pub fn presentity(uri: &str) -> usize {
    let name = uri.split_once(':').map_or(uri, |(_, name)| name);
    let number = name
        .split('@')
        .next()
        .and_then(|it| it.strip_prefix('p')?.parse().ok());
    number.expect("a presentity of ours")
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let Some(watcher) = query.watcher() else {
            return Authorization::Challenge;
        };
        let rule = self.get(address(watcher), presentity(query.resource()));
        rule.decision().into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.identity().primary() {
            None => PublishDecision::Challenge,
            Some(publisher) if self.is_deferred(address(publisher)) => PublishDecision::Defer,
            Some(_) => PublishDecision::Allow,
        }
    }

    fn apply_view(&self, view: &View, name: &str, document: &mut Presence) {
        assert_eq!(view.name(), Some("brief"));
        let kind = self.brief(presentity(name));
        let shown = |tuple: &Tuple| tuple.notes.iter().any(|it| it.text.ends_with(kind));
        document.tuples.retain(shown);
    }
}

/// The parts of a document: the ids of their tuples, and what their notes say of them.
const PARTS: [(&str, &str); 2] = [("desk", "public"), ("home", "private")];

/// The basic status that a part has in the document of a mark.
fn basic(mark: u64, kind: &str) -> &'static str {
    let is_closed = if kind == "public" {
        mark.is_multiple_of(3)
    } else {
        mark.is_multiple_of(2)
    };
    if is_closed { "closed" } else { "open" }
}

/// A document with a mark in each of its parts. Ids are the same in all, so that they clash.
pub fn document(presentity: usize, mark: u64) -> String {
    let name = name(presentity);
    let tuples = PARTS.map(|(id, kind)| {
        let basic = basic(mark, kind);
        format!(
            "<tuple id=\"{id}\"><status><basic>{basic}</basic></status>\
             <note>{mark} {kind}</note></tuple>"
        )
    });
    format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:{name}\">{}</presence>",
        tuples.concat(),
    )
}

/// The document of a mark as the first of a partial publication (RFC 5264 section 3.1).
#[allow(
    dead_code,
    reason = "only the publishers of the test simulation send it"
)]
pub fn whole(presentity: usize, mark: u64) -> String {
    let document = document(presentity, mark);
    let document = document.replace("</presence>", "</d:pidf-full>");
    let root = "<d:pidf-full xmlns:d=\"urn:ietf:params:xml:ns:pidf-diff\"";
    document.replace("<presence", root)
}

/// What has changed from the document of one mark to that of another (RFC 5262).
#[allow(
    dead_code,
    reason = "only the publishers of the test simulation send it"
)]
pub fn difference(presentity: usize, before: u64, mark: u64) -> String {
    let name = name(presentity);
    let mut changes = String::new();
    for (id, kind) in PARTS {
        let tuple = format!("presence/tuple[@id='{id}']");
        let text = format!("{mark} {kind}");
        changes.push_str(&format!(
            "<d:replace sel=\"{tuple}/note/text()\">{text}</d:replace>"
        ));
        let basic_now = basic(mark, kind);
        if basic_now != basic(before, kind) {
            changes.push_str(&format!(
                "<d:replace sel=\"{tuple}/status/basic/text()\">{basic_now}</d:replace>"
            ));
        }
    }
    format!(
        "<d:pidf-diff xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:d=\"urn:ietf:params:xml:ns:pidf-diff\" entity=\"sip:{name}\">{changes}</d:pidf-diff>"
    )
}

/// The mark of such a document, or of such changes.
pub fn mark_of(body: &[u8]) -> u64 {
    let text = str::from_utf8(body).expect("text");
    let (before, _) = text.split_once(" public").expect("a note");
    let mark = before.rsplit('>').next().and_then(|it| it.parse().ok());
    mark.expect("a mark")
}

/// What a watcher sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// There is no document.
    #[allow(dead_code, reason = "only a filter leaves nothing")]
    Nothing,
    Parts {
        /// The notes that are of no tuple.
        notes: Vec<String>,
        /// The basic status and the note of each tuple, in order of their text.
        tuples: Vec<String>,
    },
}

impl Shown {
    /// What a body shows; it must be a document about `entity`.
    pub fn read(body: &Bytes, entity: &str) -> Self {
        Self::of(&Presence::read(body).expect("a document"), entity)
    }

    /// What a document shows; it must be about `entity`.
    pub fn of(document: &Presence, entity: &str) -> Self {
        assert_eq!(document.entity, entity);
        let tuple = |tuple: &Tuple| {
            let mut text = match tuple.status.basic() {
                Some(Basic::Open) => "open".to_owned(),
                Some(Basic::Closed) => "closed".to_owned(),
                other => panic!("{other:?}"),
            };
            for note in &tuple.notes {
                text.push(' ');
                text.push_str(&note.text);
            }
            text
        };
        let notes = document.notes.iter().map(|note| note.text.clone());
        let mut tuples: Vec<String> = document.tuples.iter().map(tuple).collect();
        tuples.sort();
        Self::Parts {
            notes: notes.collect(),
            tuples,
        }
    }
}

#[derive(Debug)]
pub struct Publication {
    /// The server transaction of the PUBLISH that made it.
    pub id: u64,
    /// The server transaction of the PUBLISH that made it or changed it last.
    pub by: u64,
    /// Nothing until the response to that has been seen.
    pub tag: Option<String>,
    pub mark: u64,
    pub expires_at: u64,
}

/// All that is known of one presentity.
#[derive(Debug, Default)]
pub struct State {
    pub set: Option<u64>,
    pub publications: Vec<Publication>,
    /// Counts the changes.
    pub version: u64,
    /// Counts the publications that came and went.
    pub members: u64,
    pub changed_at: u64,
}

impl State {
    pub fn touch(&mut self, now: u64) {
        self.version += 1;
        self.changed_at = now;
    }

    /// Whether a publication has run out and the agent has not said so yet.
    pub fn is_unsure(&self, now: u64) -> bool {
        self.publications.iter().any(|it| it.expires_at <= now)
    }

    /// What a watcher is to see; `brief` is what the brief view shows.
    pub fn shown(&self, rule: Rule, brief: &'static str) -> Shown {
        let parts = |notes: &[&str], tuples: Vec<String>| Shown::Parts {
            notes: notes.iter().map(|&note| note.to_owned()).collect(),
            tuples,
        };
        match rule {
            Rule::Wait => return parts(&[WAITING], Vec::new()),
            Rule::Block => return parts(&[], vec!["closed".to_owned()]),
            _ => {}
        }
        let kinds = kinds(rule, brief);
        let tuples = self.marks().flat_map(|(_, mark)| {
            kinds
                .iter()
                .map(move |kind| format!("{} {mark} {kind}", basic(mark, kind)))
        });
        let mut tuples: Vec<String> = tuples.collect();
        tuples.sort();
        parts(&[], tuples)
    }

    /// What there is to compose, by who said it.
    fn marks(&self) -> impl Iterator<Item = (u64, u64)> {
        let set = self.set.filter(|_| self.publications.is_empty());
        let publications = self.publications.iter().map(|it| (it.id, it.mark));
        publications.chain(set.map(|mark| (0, mark)))
    }

    /// Every basic status that a watcher may see, by who said it and in which part.
    #[allow(dead_code, reason = "only the test simulation has triggers")]
    pub fn basics(&self, rule: Rule, brief: &'static str) -> Vec<(u64, &'static str)> {
        if matches!(rule, Rule::Wait | Rule::Block) {
            return Vec::from_iter((rule == Rule::Block).then_some((0, "closed")));
        }
        let of_mark = |(id, mark)| {
            let part = move |kind| (2 * id + u64::from(kind == "private"), basic(mark, kind));
            kinds(rule, brief).into_iter().map(part)
        };
        let mut basics: Vec<_> = self.marks().flat_map(of_mark).collect();
        basics.sort_by_key(|(id, _)| *id);
        basics
    }
}

/// The kinds of notes that a rule shows.
fn kinds(rule: Rule, brief: &'static str) -> Vec<&'static str> {
    match rule {
        Rule::Allow => vec!["public", "private"],
        Rule::Brief => vec![brief],
        _ => panic!("nothing to see"),
    }
}
