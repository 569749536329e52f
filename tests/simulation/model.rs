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

/// A document with a mark in each of its parts. Ids are the same in all, so that they clash.
pub fn document(presentity: usize, mark: u64) -> String {
    let name = name(presentity);
    let tuple = |id: &str, kind: &str| {
        format!(
            "<tuple id=\"{id}\"><status><basic>open</basic></status>\
             <note>{mark} {kind}</note></tuple>"
        )
    };
    format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:{name}\">{}{}</presence>",
        tuple("desk", "public"),
        tuple("home", "private"),
    )
}

/// The mark of such a document.
pub fn mark_of(body: &[u8]) -> u64 {
    let text = str::from_utf8(body).expect("text");
    let note = text.split_once("<note>").expect("a note").1;
    let mark = note.split(' ').next().and_then(|it| it.parse().ok());
    mark.expect("a mark")
}

/// What a watcher sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// That it has to wait.
    Waiting,
    /// One closed tuple and nothing else.
    Offline,
    /// All notes, in order of their text.
    Notes(Vec<String>),
}

impl Shown {
    /// What a body shows; it must be a document about `entity`.
    pub fn read(body: &Bytes, entity: &str) -> Self {
        Self::of(&Presence::read(body).expect("a document"), entity)
    }

    /// What a document shows; it must be about `entity`.
    pub fn of(document: &Presence, entity: &str) -> Self {
        assert_eq!(document.entity, entity);
        let closed = |tuple: &Tuple| tuple.status.basic() == Some(Basic::Closed);
        if document.tuples.iter().any(closed) {
            assert_eq!((document.tuples.len(), document.notes.len()), (1, 0));
            return Self::Offline;
        }
        if let [note] = document.notes.as_slice() {
            assert_eq!((document.tuples.len(), note.text.as_str()), (0, WAITING));
            return Self::Waiting;
        }
        assert_eq!(document.notes.len(), 0);
        let notes = document.tuples.iter().flat_map(|tuple| &tuple.notes);
        let mut notes: Vec<String> = notes.map(|note| note.text.clone()).collect();
        notes.sort();
        assert_eq!(notes.len(), document.tuples.len());
        Self::Notes(notes)
    }
}

#[derive(Debug)]
pub struct Publication {
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
        let kinds: &[&str] = match rule {
            Rule::Wait => return Shown::Waiting,
            Rule::Block => return Shown::Offline,
            Rule::Allow => &["public", "private"],
            Rule::Brief => &[brief],
            Rule::Refuse => panic!("nothing to see"),
        };
        let mut marks: Vec<u64> = self.publications.iter().map(|it| it.mark).collect();
        if marks.is_empty() {
            marks.extend(self.set);
        }
        let notes = marks
            .iter()
            .flat_map(|mark| kinds.iter().map(move |kind| format!("{mark} {kind}")));
        let mut notes: Vec<String> = notes.collect();
        notes.sort();
        Shown::Notes(notes)
    }
}
