//! A policy that the tests steer, a clock, and documents that are signed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::Timestamp;
use presentity::event::{
    Assurance, Authorization, Decision, Identity, Signature, SubscribeQuery, View,
};
use presentity::mime::{Part, Sign, Signed};
use presentity::pidf::{Note, Presence, Tuple};
use presentity::presence::{AgentConfig, Policy};
use presentity::sdf::{MEDIA_TYPE, Request, Service, ServiceConfig, Token};
use time::OffsetDateTime;

use crate::common::seeded;
use crate::signing::{Authority, KeyHolder};

pub const NORA: &str = "pres:nora@example.org";
pub const OTTO: &str = "pres:otto@example.org";
pub const EMIL: &str = "pres:emil@example.com";
pub const RUTH: &str = "pres:ruth@example.com";

/// 2026-02-03, 9:00.
const START: i64 = 1_770_109_200;
pub const BEGIN: Timestamp = Timestamp::from_secs(1_000);

/// What the clock shows.
pub fn clock(now: Timestamp) -> OffsetDateTime {
    let start = OffsetDateTime::from_unix_timestamp(START).unwrap();
    start + now.saturating_since(BEGIN)
}

pub fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub fn known(uri: &str) -> Identity {
    Identity::of(uri, Assurance::Asserted).unwrap()
}

/// A document as it is sent: Content-Type and octets.
pub type Document = (String, Bytes);

pub fn plain(request: &Request) -> Document {
    (MEDIA_TYPE.to_owned(), request.octets().clone())
}

pub fn authority() -> Authority {
    Authority::new("Example Root")
}

pub fn signed_by(holder: &KeyHolder, request: &Request) -> Document {
    let part = Part::new(MEDIA_TYPE, request.octets()).unwrap();
    let signature = holder.sign(part.octets()).unwrap();
    let written = Signed::write(part.octets(), &signature, &mut seeded(77));
    (written.content_type, written.body)
}

/// Signed by whom From names.
pub fn signed(request: &Request) -> Document {
    signed_by(&authority().signer(&[request.from()]), request)
}

/// The same with one letter of the watcher's request changed, which still reads well.
pub fn altered(body: &Bytes) -> Bytes {
    let mut octets = body.to_vec();
    let place = octets.windows(7).position(|it| it == b"<Token>");
    octets[place.expect("a token") + 7] ^= 1;
    octets.into()
}

pub fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

pub fn state(of: &str, note: &str) -> Presence {
    Presence::new(of).with_tuple(Tuple::open("desk").with_note(Note::new(note)))
}

/// Everybody sees everything, but for those with their own decision, by canonical name.
#[derive(Debug, Default)]
pub struct Rules {
    pub each: BTreeMap<String, Decision>,
    /// So many requests are challenged first.
    pub challenges: u32,
    pub wants: Signature,
    /// Watchers with what their signatures were worth.
    pub asked: Vec<(String, Signature)>,
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let watcher = query.watcher().unwrap_or("nobody").to_owned();
        if self.challenges > 0 {
            self.challenges -= 1;
            return Authorization::Challenge;
        }
        if query.signature() < self.wants {
            return Authorization::SignatureRequired(self.wants);
        }
        let decision = self.each.get(&watcher).cloned();
        self.asked.push((watcher, query.signature()));
        decision.unwrap_or(Decision::Allow(View::full())).into()
    }

    /// Every view shows its name before each note.
    fn apply_view(&self, view: &View, _: &str, document: &mut Presence) {
        let Some(name) = view.name() else {
            return;
        };
        for note in document.tuples.iter_mut().flat_map(|it| &mut it.notes) {
            note.text = format!("{name}: {}", note.text);
        }
    }
}

pub fn service(change: impl FnOnce(&mut AgentConfig)) -> Service<Rules> {
    let mut config = AgentConfig::default();
    change(&mut config);
    let rules = Rules::default();
    let mut service = Service::new(config, ServiceConfig::default(), rules, seeded(5));
    service.set_wall_clock(BEGIN, clock(BEGIN));
    service
}

/// Whether nothing is left at a service but what it remembers against replays.
pub fn is_quiet(service: &Service<Rules>) -> bool {
    let live = service.agent().subscriptions().count();
    let mut occupancy = service.agent().occupancy();
    // The state that the application has set.
    occupancy.resources = 0;
    live == 0 && service.waiting() == 0 && occupancy == Default::default()
}
