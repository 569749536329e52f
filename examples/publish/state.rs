//! What is published.

use presentity::pidf::rpid::{Activities, Activity};
use presentity::pidf::{Basic, Person, Presence, Tuple, ValueError};

/// The same in every run: to watchers a new id is a new tuple (RFC 3903 section 10.4), and what a run
/// that was killed has left is to be taken for the same.
const TUPLE: &str = "publish";
const PERSON: &str = "person";

/// The state of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) basic: Basic,
    /// For people; empty for none.
    pub(crate) note: String,
    pub(crate) activity: Option<Activity>,
}

impl State {
    /// The document that tells it, without timestamps, which the publisher knows better.
    pub(crate) fn document(&self, uri: &str) -> Result<Presence, ValueError> {
        let mut tuple = Tuple::new(TUPLE).with_basic(self.basic).with_contact(uri);
        if !self.note.is_empty() {
            tuple = tuple.with_note(self.note.as_str());
        }
        let mut document = Presence::new(uri).with_tuple(tuple);
        if let Some(activity) = &self.activity {
            let activities = Activities::of([activity.clone()]);
            document = document.with_person(Person::new(PERSON).with(&activities)?);
        }
        Ok(document)
    }
}
