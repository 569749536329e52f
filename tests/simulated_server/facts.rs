//! What sources say, and what of it a document shows.

use presentity::pidf::rpid::{Class, Sphere, SphereKind};
use presentity::pidf::{Basic, Person, Presence, Tuple};

pub const WORK: &str = "work";
pub const PRIVATE: &str = "private";

/// What one source says: one service of a class, and perhaps in which sphere its user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Who says it, and for which time.
    pub origin: String,
    pub mark: u64,
    pub class: &'static str,
    pub sphere: Option<&'static str>,
}

impl Fact {
    pub fn note(&self) -> String {
        format!("{}:{}:{}", self.origin, self.class, self.mark)
    }

    /// All use the same ids.
    pub fn document(&self, entity: &str) -> Presence {
        let tuple = Tuple::open("t1").with_note(self.note().as_str());
        let tuple = tuple.with(&Class::new(self.class)).expect("a class");
        let document = Presence::new(entity).with_tuple(tuple);
        let kind = match self.sphere {
            None => return document,
            Some("work") => SphereKind::Work,
            Some(_) => SphereKind::Home,
        };
        let person = Person::new("me").with(&Sphere::new(kind));
        document.with_person(person.expect("a sphere"))
    }
}

/// What is taken of a note that a device has said to the server.
pub fn class_of(note: &str) -> &str {
    note.split(':').nth(1).expect("a class")
}

pub const CLOSED: &str = "closed";
pub const NO_NOTE: &str = "-";
pub const WAITING: &str = "!Waiting for permission";

/// A document in a few words, in an order of their own.
pub fn shown(document: &Presence) -> Vec<String> {
    let mut words = Vec::new();
    for tuple in &document.tuples {
        let word = match (&tuple.status.basic(), &*tuple.notes) {
            (Some(Basic::Closed), []) => CLOSED.to_owned(),
            (_, []) => NO_NOTE.to_owned(),
            (_, notes) => {
                let texts: Vec<&str> = notes.iter().map(|note| &*note.text).collect();
                texts.join("+")
            }
        };
        words.push(word);
    }
    for person in &document.persons {
        let sphere = person.get::<Sphere>();
        words.push(match sphere {
            Some(sphere) => format!("sphere {}", sphere.kind.as_str()),
            None => "person".to_owned(),
        });
    }
    for note in &document.notes {
        words.push(format!("!{}", note.text));
    }
    words.sort();
    words
}
