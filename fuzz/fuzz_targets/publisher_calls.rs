//! A publisher called in any order, by a host and a server that answer anything: it never panics, never
//! asks twice at a time for one publication, never sends without end, and leaves nothing behind.
#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::engine::{ClientTransaction, Timestamp};
use presentity::event::{
    Account, Failure, OwnPublicationKey, PublisherConfig, PublisherEvent, PublisherOutput,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::Publisher;
use presentity::sip::ResponseRef;

const STATUS: [u16; 24] = [
    100, 200, 202, 204, 299, 300, 302, 380, 400, 401, 403, 404, 407, 408, 412, 412, 413, 415, 423,
    480, 500, 503, 503, 603,
];
const FIELDS: [(&str, &str); 20] = [
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
];

struct Scene {
    publisher: Publisher,
    now: Timestamp,
    keys: Vec<OwnPublicationKey>,
    /// Requests whose outcome is awaited: the Call-ID of their publication, and since when.
    open: BTreeMap<ClientTransaction, (String, Timestamp)>,
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
        self.open.retain(|_, (_, since)| is_awaited(*since));
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
                    assert!(open.all(|(other, _)| *other != call), "two at a time");
                    let cseq = request.fields().find(|(name, _)| *name == "CSeq");
                    let cseq = cseq.and_then(|(_, value)| value.strip_suffix(" PUBLISH"));
                    let cseq: u32 = cseq.expect("a CSeq").parse().expect("a number");
                    let before = self.numbers.insert(call.clone(), cseq);
                    assert!(before.is_none_or(|before| before < cseq), "CSeq rises");
                    let mut octets = Vec::new();
                    request.write_to("", &mut octets);
                    assert_eq!(octets.len(), request.encoded_len(0));
                    let about = (call, self.now);
                    assert!(self.open.insert(request.transaction(), about).is_none());
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
        let document = |note: usize| {
            // Large enough for a difference to be shorter.
            ["a", "b", "c", "d"].into_iter().map(Tuple::open).fold(
                Presence::new("sip:dora@example.com")
                    .with_tuple(Tuple::open("t").with_note(note.to_string())),
                Presence::with_tuple,
            )
        };
        let now = scene.now;
        match call % 12 {
            0 => {
                let note = next();
                // Half of them tell what has changed only.
                let key = match note % 2 {
                    0 => scene.publisher.publish(now, &account, document(note)),
                    _ => scene
                        .publisher
                        .publish_partially(now, &account, document(note)),
                };
                scene.keys.push(key.expect("a right document"));
            }
            1 | 2 => {
                if let Some(key) = pick(&scene.keys, next()) {
                    let _ = scene.publisher.update(now, key, document(next()));
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
                        .collect();
                    let none = Bytes::new();
                    let response = ResponseRef::new(status, fields, &none);
                    scene.publisher.handle_response(now, transaction, &response);
                    if status >= 200 {
                        // Open still, if credentials are asked for now.
                        let since = scene.open.remove(&transaction).map(|(_, since)| since);
                        scene.challenged = since.map(|since| (transaction, since));
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
