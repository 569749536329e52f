//! A publisher called in any order, by a host and a server that answer anything: it never panics, never
//! asks twice at a time for one publication, never sends without end, and leaves nothing behind. What it
//! says to have changed makes of what the server has what it was given last.
#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::engine::{ClientTransaction, Timestamp};
use presentity::event::{
    Account, Failure, OwnPublicationKey, PublisherConfig, PublisherEvent, PublisherOutput,
};
use presentity::pidf::partial::Reconstruction;
use presentity::pidf::{Presence, ReadOptions, Tuple};
use presentity::presence::Publisher;
use presentity::sip::{OutgoingRequest, ResponseRef};

const STATUS: [u16; 27] = [
    100, 200, 200, 200, 200, 202, 204, 299, 300, 302, 380, 400, 401, 403, 404, 407, 408, 412, 412,
    413, 415, 423, 480, 500, 503, 503, 603,
];
const FIELDS: [(&str, &str); 24] = [
    ("SIP-ETag", "a"),
    ("SIP-ETag", "b"),
    ("SIP-ETag", "no tag"),
    ("Expires", "0"),
    ("Expires", "1"),
    ("Expires", "60"),
    ("Expires", "3600"),
    ("Expires", "4294967296"),
    ("Min-Expires", "61"),
    ("Min-Expires", "4000"),
    ("Min-Expires", "86401"),
    ("Retry-After", "0"),
    ("Retry-After", "30"),
    ("Retry-After", "4294967295;duration=1"),
    ("Contact", "<sip:b@example.com>;q=0.3, <sip:c@example.com>"),
    ("Contact", "<sip:d@example.org;method=MESSAGE>"),
    ("Contact", "*"),
    ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\""),
    ("Proxy-Authenticate", "Digest realm=\"x\", nonce=\"y\""),
    ("Accept", "application/x"),
    ("Accept", "application/pidf+xml"),
    ("Accept", "application/pidf+xml, application/pidf-diff+xml"),
    ("SIP-ETag", "c"),
    ("SIP-ETag", "d"),
];
const PARTS: &str = "application/pidf-diff+xml";

/// A PUBLISH whose outcome is awaited.
struct Sent {
    /// Its Call-ID, which is that of the publication.
    call: String,
    since: Timestamp,
    /// What the server has if it takes it; nothing when it is removed.
    leads_to: Option<Reconstruction>,
}

/// A publication and its update, as its document says.
fn told(state: &Reconstruction) -> (usize, usize) {
    let document = state.presence(&ReadOptions::default()).expect("a document");
    let tuple = document.tuples.iter().find(|tuple| tuple.id == "t");
    let note = &tuple.expect("a tuple").notes[0].text;
    let (publication, update) = note.split_once('/').expect("two numbers");
    let [publication, update] = [publication, update].map(|it| it.parse().expect("a number"));
    // But for the times that are put in it is what was given.
    let ids = |document: &Presence| -> Vec<String> {
        let tuples = document.tuples.iter();
        tuples.map(|tuple| tuple.id.clone()).collect()
    };
    assert_eq!(ids(&document), ids(&self::document(publication, update)));
    (publication, update)
}

fn document(publication: usize, update: usize) -> Presence {
    let note = format!("{publication}/{update}");
    let told = Tuple::open("t").with_note(note);
    // What comes and goes does so by a difference to the one before alone.
    let passing = Tuple::open(format!("u{update}"));
    // Large enough for a difference to be shorter.
    let staying = ["a", "b", "c", "d"].into_iter().map(Tuple::open);
    staying.chain([passing]).fold(
        Presence::new("sip:dora@example.com").with_tuple(told),
        Presence::with_tuple,
    )
}

struct Scene {
    publisher: Publisher,
    now: Timestamp,
    keys: Vec<OwnPublicationKey>,
    open: BTreeMap<ClientTransaction, Sent>,
    /// What the server has, by entity-tag.
    taken: BTreeMap<String, Reconstruction>,
    /// Whether parts may be sent, and the last update, of each that was ever published.
    updates: Vec<(bool, usize)>,
    numbered: BTreeMap<OwnPublicationKey, usize>,
    /// The publication of each Call-ID.
    calls: BTreeMap<String, usize>,
    /// The one that was answered last.
    challenged: Option<(ClientTransaction, Timestamp)>,
    wishes: Vec<(ClientTransaction, Timestamp)>,
    /// The last CSeq of each Call-ID.
    numbers: BTreeMap<String, u32>,
    sent: u64,
}

impl Scene {
    /// What the host has not reported by now, the publisher has given up.
    fn forget(&mut self) {
        let (now, long) = (self.now, Duration::from_secs(64));
        let is_awaited = |since: Timestamp| now.saturating_since(since) < long;
        self.open.retain(|_, sent| is_awaited(sent.since));
        self.wishes.retain(|(_, since)| is_awaited(*since));
    }

    fn poll(&mut self) {
        for _ in 0..1_000 {
            let Some(output) = self.publisher.poll_output() else {
                return;
            };
            match output {
                PublisherOutput::Send(request) => {
                    self.sent += 1;
                    let call = request.fields().find(|(name, _)| *name == "Call-ID");
                    let call = call.expect("a Call-ID").1.to_owned();
                    let mut open = self.open.values();
                    assert!(open.all(|other| other.call != call), "two at a time");
                    let cseq = request.fields().find(|(name, _)| *name == "CSeq");
                    let cseq = cseq.and_then(|(_, value)| value.strip_suffix(" PUBLISH"));
                    let cseq: u32 = cseq.expect("a CSeq").parse().expect("a number");
                    let before = self.numbers.insert(call.clone(), cseq);
                    assert!(before.is_none_or(|before| before < cseq), "CSeq rises");
                    let mut octets = Vec::new();
                    request.write_to("", &mut octets);
                    assert_eq!(octets.len(), request.encoded_len(0));
                    let sent = Sent {
                        leads_to: self.leads_to(&request, &call),
                        since: self.now,
                        call,
                    };
                    assert!(self.open.insert(request.transaction(), sent).is_none());
                }
                PublisherOutput::NeedCredentials(wish) => {
                    let challenged = self.challenged.take().expect("one that was answered");
                    assert_eq!(wish.transaction(), challenged.0);
                    self.wishes.push(challenged);
                }
                PublisherOutput::Event(PublisherEvent::Removed { key, .. }) => {
                    assert!(self.publisher.publication(key).is_none());
                    self.keys.retain(|known| *known != key);
                }
                PublisherOutput::Event(_) => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("it never ends");
    }

    /// What the server has when it takes this.
    fn leads_to(&mut self, request: &OutgoingRequest, call: &str) -> Option<Reconstruction> {
        let field = |name: &str| {
            let mut fields = request.fields();
            fields
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value)
        };
        if field("Expires") == Some("0") {
            return None;
        }
        let tag = field("SIP-If-Match");
        let before = tag.map(|tag| self.taken.get(tag).expect("the server has told it"));
        let before = before.cloned();
        let body = request.body();
        let Some(media_type) = field("Content-Type") else {
            assert!(body.is_empty() && before.is_some());
            return before;
        };
        let mut state = before.unwrap_or_else(Reconstruction::new);
        let is_partial = media_type == PARTS;
        let taken = match is_partial {
            true => state.take_unversioned(body),
            false => state.take_presence(body),
        };
        taken.expect("it changes what the server has");
        let (publication, update) = told(&state);
        let (may_be_partial, last) = self.updates[publication];
        assert!(may_be_partial || !is_partial);
        assert_eq!(update, last, "what it was given last");
        let known = *self.calls.entry(call.to_owned()).or_insert(publication);
        assert_eq!(known, publication);
        Some(state)
    }

    /// The server answers.
    fn answered(&mut self, sent: Sent, status: u16, fields: &[(&str, String)]) {
        let Some(state) = sent.leads_to.filter(|_| (200..300).contains(&status)) else {
            return;
        };
        for (_, tag) in fields.iter().filter(|(name, _)| *name == "SIP-ETag") {
            self.taken.insert(tag.clone(), state.clone());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut entropy = 0_u64;
    let mut scene = Scene {
        publisher: Publisher::new(PublisherConfig::default(), move |buffer: &mut [u8]| {
            for byte in buffer {
                entropy = entropy
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte = (entropy >> 33) as u8;
            }
        }),
        now: Timestamp::ZERO,
        keys: Vec::new(),
        open: BTreeMap::new(),
        taken: BTreeMap::new(),
        updates: Vec::new(),
        numbered: BTreeMap::new(),
        calls: BTreeMap::new(),
        challenged: None,
        wishes: Vec::new(),
        numbers: BTreeMap::new(),
        sent: 0,
    };
    let account = Account::new("sip:dora@example.com").expect("a user");
    let mut calls = 0_u64;
    let mut bytes = data.iter().copied();
    while let Some(call) = bytes.next() {
        calls += 1;
        let mut next = || usize::from(bytes.next().unwrap_or(0));
        let now = scene.now;
        match call % 12 {
            0 => {
                // Half of them tell what has changed only.
                let is_partial = next() % 2 == 1;
                let number = scene.updates.len();
                let document = document(number, 0);
                let publisher = &mut scene.publisher;
                let key = match is_partial {
                    false => publisher.publish(now, &account, document),
                    true => publisher.publish_partially(now, &account, document),
                };
                let key = key.expect("a right document");
                scene.updates.push((is_partial, 0));
                scene.numbered.insert(key, number);
                scene.keys.push(key);
            }
            1 | 2 => {
                if let Some(key) = pick(&scene.keys, next()) {
                    let number = scene.numbered[&key];
                    let update = scene.updates[number].1 + 1;
                    let updated = scene.publisher.update(now, key, document(number, update));
                    if updated.is_ok() {
                        scene.updates[number].1 = update;
                    }
                }
            }
            3 => {
                if let Some(key) = pick(&scene.keys, next()) {
                    let _ = scene.publisher.remove(now, key);
                }
            }
            4 => {
                if let Some(key) = pick(&scene.keys, next())
                    && next() % 4 == 0
                {
                    assert!(scene.publisher.abandon(now, key));
                    assert!(!scene.publisher.abandon(now, key));
                    scene.keys.retain(|known| *known != key);
                }
            }
            5..=7 => {
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(transaction) = pick(&open, next()) {
                    let status = pick(&STATUS, next()).unwrap_or(200);
                    let fields: Vec<_> = (0..next() % 5)
                        .filter_map(|_| pick(&FIELDS, next()))
                        .map(|(name, value)| match name {
                            // There are no two of a kind.
                            "SIP-ETag" => (name, format!("{value}{calls}")),
                            _ => (name, value.to_owned()),
                        })
                        .collect();
                    let none = Bytes::new();
                    let response = ResponseRef::new(
                        status,
                        fields.iter().map(|(name, value)| (*name, value.as_str())),
                        &none,
                    );
                    scene.publisher.handle_response(now, transaction, &response);
                    if status >= 200
                        && let Some(sent) = scene.open.remove(&transaction)
                    {
                        // Open still, if credentials are asked for now.
                        scene.challenged = Some((transaction, sent.since));
                        scene.answered(sent, status, &fields);
                    }
                }
            }
            8 => {
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(transaction) = pick(&open, next()) {
                    let failure = if next() % 2 == 0 {
                        Failure::Timeout
                    } else {
                        Failure::Transport
                    };
                    scene.publisher.handle_failure(now, transaction, failure);
                    scene.open.remove(&transaction);
                }
            }
            9 => {
                if let Some((transaction, _)) = scene.wishes.pop() {
                    match next() % 3 {
                        0 => drop(scene.publisher.decline_credentials(now, transaction)),
                        _ => drop(scene.publisher.provide_credentials(
                            now,
                            transaction,
                            "Digest x",
                        )),
                    }
                }
            }
            10 => {
                scene.now = now + Duration::from_secs((next() * next()) as u64);
                scene.forget();
                scene.publisher.handle_timeout(scene.now);
            }
            _ => {
                let deadline = scene.publisher.poll_timeout().unwrap_or(now);
                if deadline.saturating_since(now) < Duration::from_secs(20) {
                    scene.now = now.max(deadline);
                    scene.forget();
                    scene.publisher.handle_timeout(scene.now);
                }
            }
        }
        scene.poll();
    }
    // Each call and each moment that came sends a request for each publication at most.
    assert!(scene.sent <= calls * (scene.keys.len() as u64 + calls));
    for key in scene.keys.split_off(0) {
        assert!(scene.publisher.abandon(scene.now, key));
    }
    for transaction in scene.open.into_keys() {
        scene
            .publisher
            .handle_failure(scene.now, transaction, Failure::Timeout);
    }
    for (transaction, _) in scene.wishes {
        scene.publisher.decline_credentials(scene.now, transaction);
    }
    while let Some(output) = scene.publisher.poll_output() {
        assert!(matches!(output, PublisherOutput::Event(_)), "{output:?}");
    }
    scene
        .publisher
        .handle_timeout(scene.now + Duration::from_secs(64));
    assert_eq!(scene.publisher.occupancy(), [0; 4]);
    assert_eq!(scene.publisher.poll_timeout(), None);
});

fn pick<T: Copy>(all: &[T], number: usize) -> Option<T> {
    let at = number.checked_rem(all.len())?;
    all.get(at).copied()
}
