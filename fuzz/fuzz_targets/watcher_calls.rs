//! A watcher called in any order, by a host and by notifiers that say anything: it never panics, answers
//! each request once, never asks twice at a time in one dialog, never sends without end, asks for nothing
//! that nobody wants, sets no condition by what it was not told, and leaves nothing behind.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Failure, Identity, OpeningKey, OwnSubscriptionKey, OwnSubscriptionPhase,
    RequestContext, SrvRecord, SubscribeError,
};
use presentity::mime::{Chain, OpenError, Opened, Signer};
use presentity::presence::{
    Protection, Resumption, WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput,
};
use presentity::sip::{OutgoingRequest, Rate, Rates, RequestRef, ResponseRef};

const STATUS: [u16; 28] = [
    100, 200, 200, 200, 202, 204, 299, 300, 302, 400, 401, 403, 404, 407, 408, 423, 480, 481, 489,
    500, 503, 503, 600, 603, 412, 415, 420, 488,
];
const FIELDS: [(&str, &str); 18] = [
    ("To", "<sip:b@example.com>;tag=n0"),
    ("To", "<sip:b@example.com>;tag=n1"),
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
];
const STATES: [&str; 25] = [
    "active;expires=3600",
    "active;expires=3600",
    "active;expires=60",
    "active;expires=0",
    "active",
    "pending;expires=600",
    "pending",
    "odd;expires=4294967295",
    "terminated",
    "terminated;reason=deactivated",
    "terminated;reason=probation;retry-after=5",
    "terminated;reason=rejected",
    "terminated;reason=timeout",
    "terminated;reason=giveup;retry-after=4294967295",
    "terminated;reason=noresource",
    "terminated;reason=invariant;retry-after=1",
    "terminated;reason=x",
    "active;expires=x",
    "",
    ";",
    "active;expires=3600;max-rate=0.1",
    "active;expires=600;min-rate=0.01;max-rate=1",
    "active;max-rate=0;min-rate=x",
    "active;expires=3600;adaptive-min-rate=0.2",
    "terminated;reason=badfilter",
];
const BODIES: [(&str, &str); 18] = [
    ("", ""),
    ("", ""),
    (
        "application/pidf+xml",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:b@example.com'/>",
    ),
    (
        "application/pidf+xml;charset=latin1",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:b@example.com'><tuple id='a'><status/></tuple></presence>",
    ),
    (
        "application/cpim-pidf+xml",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:b@example.com'><tuple id='a'><status/><timestamp>2020-01-01T00:00:00Z</timestamp></tuple></presence>",
    ),
    ("application/pidf+xml", "<presence"),
    ("text/plain", "hello"),
    ("", "hello"),
    ("application/pkcs7-mime;smime-type=enveloped-data", "sealed"),
    ("application/pkcs7-mime", "sealed"),
    ("multipart/signed;boundary=b", "--b"),
    (PARTS, FULL[0]),
    (PARTS, FULL[1]),
    (
        PARTS,
        "<pidf-diff xmlns='urn:ietf:params:xml:ns:pidf-diff' xmlns:p='urn:ietf:params:xml:ns:pidf' entity='sip:b@example.com' version='2'><add sel='presence'><p:note>two</p:note></add></pidf-diff>",
    ),
    (
        PARTS,
        "<pidf-diff xmlns='urn:ietf:params:xml:ns:pidf-diff' xmlns:p='urn:ietf:params:xml:ns:pidf' entity='sip:b@example.com' version='3'><add sel='presence'><p:note>three</p:note></add></pidf-diff>",
    ),
    (
        PARTS,
        "<pidf-diff xmlns='urn:ietf:params:xml:ns:pidf-diff' entity='sip:b@example.com' version='4'><remove sel='presence/none'/></pidf-diff>",
    ),
    (
        PARTS,
        "<pidf-diff xmlns='urn:ietf:params:xml:ns:pidf-diff' version='5'/>",
    ),
    (PARTS, "<presence"),
];
const PARTS: &str = "application/pidf-diff+xml";
const FULL: [&str; 2] = [
    "<pidf-full xmlns='urn:ietf:params:xml:ns:pidf-diff' entity='sip:b@example.com' version='1'/>",
    "<pidf-full xmlns='urn:ietf:params:xml:ns:pidf-diff' entity='sip:b@example.com' version='3'/>",
];
/// What notifiers call their states.
const TAGS: [&str; 6] = ["t1", "t2", "t3", "*", "a b", ""];
const FILTER: (&str, &str) = ("application/simple-filter+xml", "<filter-set/>");

/// The resource of one subscription alone, in one form or another.
fn resource(number: usize, form: usize) -> String {
    match form % 4 {
        0 => format!("sip:b{number}@example.com"),
        1 => format!("pres:b{number}@example.org"),
        2 => format!("sip:b{number}@example.com;transport=tcp"),
        _ => format!("sips:b{number}@example.com"),
    }
}

/// Whose request it is, by its To.
fn number_of(to: &str) -> usize {
    let (_, rest) = to.split_once(":b").expect("a resource");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// What was asked for of one subscription.
#[derive(Debug, Default)]
struct Wanted {
    rates: BTreeSet<String>,
    is_partial: bool,
    has_body: bool,
    /// By which nothing is to be told.
    quiet: BTreeSet<OwnSubscriptionKey>,
    /// Entity-tags that a notifier, or the application, has told.
    tags: BTreeSet<String>,
}

impl Wanted {
    fn add(&mut self, other: Self) {
        self.rates.extend(other.rates);
        self.tags.extend(other.tags);
        self.is_partial |= other.is_partial;
        self.has_body |= other.has_body;
    }
}

fn rates(how: usize) -> Rates {
    let rate = |tenths: usize| Rate::parse(&format!("0.{}", tenths % 10));
    let mut rates = Rates::NONE;
    rates.max = (how % 3 == 1).then(|| rate(how / 3)).flatten();
    rates.min = (how % 5 == 1).then(|| rate(how / 5)).flatten();
    rates.adaptive_min = (how % 7 == 1).then(|| rate(how / 7)).flatten();
    rates
}

/// What a request that has left has to say for itself.
struct Sent {
    names: (String, String, String),
    since: Timestamp,
}

struct Scene {
    watcher: Watcher,
    now: Timestamp,
    keys: Vec<OwnSubscriptionKey>,
    open: BTreeMap<ClientTransaction, Sent>,
    challenged: Option<(ClientTransaction, Timestamp)>,
    wishes: Vec<(ClientTransaction, Timestamp)>,
    /// Names of subscriptions that were asked for: Call-ID and From.
    asked: Vec<(String, String, usize)>,
    /// Of each subscription that was ever asked for.
    wanted: Vec<Wanted>,
    /// Its number by its key.
    numbered: BTreeMap<OwnSubscriptionKey, usize>,
    kept: Option<Resumption>,
    resolving: Vec<OwnSubscriptionKey>,
    /// Bodies that the host opens, each of one request, and until when.
    openings: Vec<(OpeningKey, Timestamp)>,
    /// The last CSeq of each dialog and attempt.
    numbers: BTreeMap<(String, String), u32>,
    unanswered: BTreeSet<ServerTransaction>,
    transactions: u64,
    sent: u64,
}

impl Scene {
    /// What the host has not reported by now, the watcher has given up.
    fn forget(&mut self) {
        let (now, long) = (self.now, Duration::from_secs(64));
        let is_awaited = |since: Timestamp| now.saturating_since(since) < long;
        self.open.retain(|_, sent| is_awaited(sent.since));
        self.wishes.retain(|(_, since)| is_awaited(*since));
        // Deadlines are kept to the second.
        let is_over = |deadline: Timestamp| deadline + Duration::from_secs(2) <= now;
        self.openings.retain(|(_, deadline)| !is_over(*deadline));
    }

    fn poll(&mut self) {
        for _ in 0..2_000 {
            let Some(output) = self.watcher.poll_output() else {
                let (waiting, openings) = (&self.unanswered, &self.openings);
                assert!(waiting.len() <= openings.len(), "{waiting:?}");
                return;
            };
            match output {
                WatcherOutput::Send(request) => {
                    self.sent += 1;
                    let hop = request.next_hop();
                    assert!(hop.starts_with("sip"), "no way to {hop}");
                    let field = |name: &str| {
                        let found = request.fields().find(|(other, _)| *other == name);
                        found.expect("a field").1.to_owned()
                    };
                    let names = (field("Call-ID"), field("From"), field("To"));
                    let mut open = self.open.values();
                    assert!(open.all(|other| other.names != names), "two at a time");
                    let cseq = field("CSeq");
                    let cseq = cseq.strip_suffix(" SUBSCRIBE").expect("a CSeq");
                    let cseq: u32 = cseq.parse().expect("a number");
                    let dialog = (names.0.clone(), names.2.clone());
                    let before = self.numbers.insert(dialog, cseq);
                    assert!(before.is_none_or(|before| before < cseq), "CSeq rises");
                    let mut octets = Vec::new();
                    request.write_to("", &mut octets);
                    assert_eq!(octets.len(), request.encoded_len(0));
                    let number = number_of(&names.2);
                    self.check(&request, number);
                    self.asked.push((names.0.clone(), names.1.clone(), number));
                    let since = self.now;
                    let sent = Sent { names, since };
                    assert!(self.open.insert(request.transaction(), sent).is_none());
                }
                WatcherOutput::Respond(response) => {
                    assert!(self.unanswered.remove(&response.transaction()));
                }
                WatcherOutput::NeedCredentials(wish) => {
                    let challenged = self.challenged.take().expect("one that was answered");
                    assert_eq!(wish.transaction(), challenged.0);
                    self.wishes.push(challenged);
                }
                WatcherOutput::Resolve(resolve) => self.resolving.push(resolve.key),
                WatcherOutput::Open(opening) => {
                    assert!(self.openings.len() < 1_100, "too many to open");
                    self.openings.push((opening.key, opening.deadline));
                }
                WatcherOutput::Event(WatcherEvent::Over { key, .. }) => {
                    assert!(self.watcher.presentity(key).is_none());
                    self.keys.retain(|known| *known != key);
                }
                WatcherOutput::Event(event) => drop(event.to_string()),
                other => panic!("{other:?}"),
            }
        }
        panic!("it never ends");
    }

    /// Nothing is asked for that nobody wants.
    fn check(&mut self, request: &OutgoingRequest, number: usize) {
        let field = |name: &str| {
            let mut fields = request.fields();
            fields
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value)
        };
        let wanted = &mut self.wanted[number];
        match field("Suppress-If-Match") {
            Some("*") => assert!(!wanted.quiet.is_empty(), "nobody wants quiet"),
            Some(tag) => assert!(wanted.tags.contains(tag), "{tag} is held by nobody"),
            None => {}
        }
        let event = field("Event").expect("an Event");
        let rates = event.strip_prefix("presence").expect("presence");
        assert!(rates.is_empty() || wanted.rates.contains(rates), "{rates}");
        let accept = field("Accept").expect("an Accept");
        assert!(wanted.is_partial || !accept.contains(PARTS), "{accept}");
        assert!(wanted.has_body || request.body().is_empty());
    }

    /// Whoever has something has it of somebody, and may keep it.
    fn look(&mut self, key: OwnSubscriptionKey) {
        let Some(resumption) = self.watcher.resumption(key) else {
            return;
        };
        let wanted = &self.wanted[self.numbered[&key]];
        assert!(wanted.tags.contains(resumption.entity_tag()));
        assert_eq!(Some(resumption.presence()), self.watcher.presence(key));
        let document = resumption.document().clone();
        let again = Resumption::new(resumption.resource(), resumption.entity_tag(), document);
        assert_eq!(again.as_ref(), Ok(&resumption));
        self.kept = Some(resumption);
    }

    /// What may be changed of a subscription while it lasts.
    fn change(&mut self, key: OwnSubscriptionKey, mut next: impl FnMut() -> usize) {
        let now = self.now;
        let phase = self
            .watcher
            .presentity(key)
            .map(|info| info.subscription.phase);
        let is_kept = phase.is_some_and(|phase| phase != OwnSubscriptionPhase::Leaving);
        let wanted = &mut self.wanted[self.numbered[&key]];
        match next() % 4 {
            0 => {
                let rates = rates(next());
                if self.watcher.set_rates(now, key, rates).is_ok() {
                    wanted.rates.insert(rates.to_string());
                }
            }
            1 => {
                let quiet = next() % 2 == 0;
                let is_told = self.watcher.set_quiet(now, key, quiet);
                assert!(is_kept || !is_told);
                match quiet {
                    true => drop(wanted.quiet.insert(key)),
                    false if is_kept => drop(wanted.quiet.remove(&key)),
                    false => {}
                }
                if quiet && is_told {
                    let info = self.watcher.presentity(key).expect("it is there");
                    assert!(!info.is_current);
                }
            }
            2 => {
                let body = (next() % 3 > 0).then(|| (FILTER.0, FILTER.1.into()));
                wanted.has_body |= body.is_some();
                let _ = self.watcher.set_body(now, key, body);
            }
            _ => self.look(key),
        }
    }

    /// A body is opened, or not.
    fn open(&mut self, mut next: impl FnMut() -> usize) {
        let places = self.openings.len();
        if places == 0 {
            return;
        }
        let (key, _) = self.openings.remove(next() % places);
        let (content_type, body) = BODIES[next() % BODIES.len()];
        let mut opened = Opened::new(content_type, body);
        let how = next();
        if how % 2 == 1 {
            let signer = Signer::new(["sip:example.com"], Chain::Trusted);
            opened.signers.push(signer);
        }
        opened.is_encrypted = how % 3 == 1;
        let outcome = match how % 5 {
            0 => Err(OpenError::Unsupported),
            _ => Ok(opened),
        };
        let again = outcome.clone();
        let before = self.unanswered.len();
        if self.watcher.complete_opening(self.now, key, outcome) {
            assert!(before > 0, "nobody waits");
        }
        assert!(!self.watcher.complete_opening(self.now, key, again));
    }

    fn notify(&mut self, mut next: impl FnMut() -> usize) {
        let Some((call_id, from, number)) = pick_ref(&self.asked, next()).cloned() else {
            return;
        };
        let notifier = format!("<sip:b@example.com>;tag=n{}", next() % 3);
        let cseq = format!("{} NOTIFY", next());
        let state = STATES[next() % STATES.len()];
        let (media_type, body) = BODIES[next() % BODIES.len()];
        let odd = next();
        let tag = TAGS[next() % TAGS.len()];
        let mut fields = vec![
            ("Call-ID", call_id.as_str()),
            ("From", &notifier),
            ("To", &from),
            ("CSeq", &cseq),
            ("Event", "presence"),
            ("Contact", "<sip:pa@192.0.2.1>"),
            ("Subscription-State", state),
            ("Content-Type", media_type),
        ];
        if odd % 3 > 0 {
            fields.push(("SIP-ETag", tag));
            self.wanted[number].tags.insert(tag.to_owned());
        }
        match odd % 16 {
            field @ 0..=7 => drop(fields.remove(field)),
            8 => fields.push(("Record-Route", "<sip:p@192.0.2.9>, <sip:q@192.0.2.8;lr>")),
            9 => fields.push(("Require", "x")),
            10 => fields[4].1 = "dialog",
            11 => fields.push(("Content-Encoding", "gzip")),
            _ => {}
        }
        let method = if odd % 17 == 1 { "MESSAGE" } else { "NOTIFY" };
        let body = Bytes::from_static(body.as_bytes());
        let request = RequestRef::new(method, "sip:a@192.0.2.7", fields, &body);
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, "sip:a@192.0.2.7");
        let _ = self.watcher.owns(&request);
        let taken = self
            .watcher
            .handle_request(self.now, transaction, &request, &context);
        if taken.is_ok() {
            self.unanswered.insert(transaction);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut entropy = 0_u64;
    let entropy = move |buffer: &mut [u8]| {
        for byte in buffer {
            entropy = entropy
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = (entropy >> 33) as u8;
        }
    };
    let mut config = WatcherConfig::default();
    config.subscriber.opens_bodies = true;
    let mut scene = Scene {
        watcher: Watcher::new(config, entropy),
        now: Timestamp::ZERO,
        keys: Vec::new(),
        open: BTreeMap::new(),
        challenged: None,
        wishes: Vec::new(),
        asked: Vec::new(),
        wanted: Vec::new(),
        numbered: BTreeMap::new(),
        kept: None,
        resolving: Vec::new(),
        openings: Vec::new(),
        numbers: BTreeMap::new(),
        unanswered: BTreeSet::new(),
        transactions: 0,
        sent: 0,
    };
    let account = Account::new("sip:a@example.com").expect("a user");
    let account = account.with_contact("sips:a@192.0.2.7").expect("a contact");
    let other = Account::new("sip:a@example.com").expect("a user");
    let other = other.with_contact("sips:a@192.0.2.99").expect("a contact");
    let mut calls = 0_u64;
    let mut bytes = data.iter().copied();
    while let Some(call) = bytes.next() {
        calls += 1;
        let mut next = || usize::from(bytes.next().unwrap_or(0));
        let now = scene.now;
        match call % 16 {
            0 => {
                let number = scene.wanted.len();
                let mut uri = resource(number, next());
                let (how, terms) = (next(), next());
                let resume = scene.kept.take_if(|_| terms % 4 == 3);
                if let Some(resume) = &resume {
                    resume.resource().clone_into(&mut uri);
                }
                let mut order = WatchOrder::new(&account, &uri);
                order.protection = (how % 16 >= 12).then_some(Protection::Signed);
                order.partial = Some(terms % 2 == 1);
                order.body = (terms % 8 == 6).then(|| (FILTER.0, FILTER.1.into()));
                order.rates = rates(terms);
                order.resume = resume;
                let mut wanted = Wanted {
                    is_partial: terms % 2 == 1,
                    has_body: order.body.is_some(),
                    ..Wanted::default()
                };
                wanted.rates.insert(order.rates.to_string());
                let held = order.resume.as_ref().map(|it| it.entity_tag().to_owned());
                wanted.tags.extend(held);
                let key = match how % 4 {
                    0 => scene.watcher.fetch(now, order),
                    _ => scene.watcher.watch(now, order),
                };
                match key {
                    Ok(key) => {
                        // Of one resource there may be several by a resumption.
                        let number = number_of(&uri);
                        if number == scene.wanted.len() {
                            scene.wanted.push(wanted);
                        } else {
                            scene.wanted[number].add(wanted);
                        }
                        scene.numbered.insert(key, number);
                        scene.keys.push(key);
                    }
                    Err(error) => assert!(
                        matches!(error, SubscribeError::Rates { .. }),
                        "a right order: {error}"
                    ),
                }
            }
            1 => {
                if let Some(key) = pick(&scene.keys, next()) {
                    let _ = scene.watcher.end(now, key);
                }
            }
            2 => {
                if let Some(key) = pick(&scene.keys, next()) {
                    match next() % 16 {
                        8.. => scene.change(key, next),
                        0 => {
                            // It may be over, and not told yet.
                            let is_there = scene.watcher.presentity(key).is_some();
                            assert_eq!(scene.watcher.abandon(now, key), is_there);
                            assert!(!scene.watcher.abandon(now, key));
                            scene.keys.retain(|known| *known != key);
                        }
                        1..=3 => drop(scene.watcher.renew(now, key)),
                        4 | 5 => drop(scene.watcher.request_state(now, key)),
                        6 => drop(scene.watcher.set_account(now, key, &account)),
                        _ => drop(scene.watcher.set_account(now, key, &other)),
                    }
                }
            }
            3 => {
                if let Some(key) = scene.resolving.pop() {
                    let record = |priority| SrvRecord {
                        priority,
                        weight: 1,
                        port: 5060,
                        target: "x.example.com".to_owned(),
                    };
                    match next() % 3 {
                        0 => drop(scene.watcher.decline_targets(now, key)),
                        1 => drop(scene.watcher.provide_targets(now, key, &[])),
                        _ => {
                            let records = [record(2), record(1)];
                            let _ = scene.watcher.provide_targets(now, key, &records);
                        }
                    }
                } else {
                    scene.open(next);
                }
            }
            4..=7 => {
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(transaction) = pick(&open, next()) {
                    let status = pick(&STATUS, next()).unwrap_or(200);
                    let fields: Vec<_> = (0..next() % 5)
                        .filter_map(|_| pick(&FIELDS, next()))
                        .collect();
                    let none = Bytes::new();
                    let response = ResponseRef::new(status, fields, &none);
                    scene.watcher.handle_response(now, transaction, &response);
                    if status >= 200 {
                        // Open still, if credentials are asked for now.
                        let since = scene.open.remove(&transaction).map(|sent| sent.since);
                        scene.challenged = since.map(|since| (transaction, since));
                    }
                }
            }
            8 => {
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(transaction) = pick(&open, next()) {
                    let failure = match next() % 2 {
                        0 => Failure::Timeout,
                        _ => Failure::Transport,
                    };
                    scene.watcher.handle_failure(now, transaction, failure);
                    scene.open.remove(&transaction);
                }
            }
            9 => {
                if let Some((transaction, _)) = scene.wishes.pop() {
                    let value = "Digest x";
                    match next() % 3 {
                        0 => drop(scene.watcher.decline_credentials(now, transaction)),
                        _ => drop(scene.watcher.provide_credentials(now, transaction, value)),
                    }
                }
            }
            10..=13 => scene.notify(next),
            14 => {
                scene.now = now + Duration::from_secs((next() * next()) as u64);
                scene.forget();
                scene.watcher.handle_timeout(scene.now);
            }
            _ => {
                let deadline = scene.watcher.poll_timeout().unwrap_or(now);
                if deadline.saturating_since(now) < Duration::from_secs(40) {
                    scene.now = now.max(deadline);
                    scene.forget();
                    scene.watcher.handle_timeout(scene.now);
                }
            }
        }
        scene.poll();
    }
    // Each call and each moment that came sends a request or two for each subscription at most.
    assert!(scene.sent <= calls * (2 * scene.keys.len() as u64 + calls));
    // What is not refused comes back by itself.
    let lives = |key: &OwnSubscriptionKey| {
        // One that is over, and not told yet, will be.
        let info = scene.watcher.presentity(*key);
        info.is_none_or(|info| info.subscription.phase != OwnSubscriptionPhase::Refused)
    };
    if scene.keys.iter().any(lives) {
        assert!(
            scene.watcher.poll_timeout().is_some(),
            "nothing will happen"
        );
    }
    // Ended, all are over soon, whatever they wait for.
    if data.len() % 2 == 0 {
        for key in scene.keys.clone() {
            let _ = scene.watcher.end(scene.now, key);
        }
        for _ in 0..4 {
            scene.poll();
            scene.now = scene.now + Duration::from_secs(65);
            scene.forget();
            scene.watcher.handle_timeout(scene.now);
        }
        scene.poll();
        assert!(scene.keys.is_empty(), "{:?}", scene.keys);
    }
    for key in scene.keys.split_off(0) {
        let is_there = scene.watcher.presentity(key).is_some();
        assert_eq!(scene.watcher.abandon(scene.now, key), is_there);
    }
    for transaction in scene.open.into_keys() {
        let failure = Failure::Timeout;
        scene
            .watcher
            .handle_failure(scene.now, transaction, failure);
    }
    for (transaction, _) in scene.wishes {
        scene.watcher.decline_credentials(scene.now, transaction);
    }
    while let Some(output) = scene.watcher.poll_output() {
        assert!(matches!(output, WatcherOutput::Event(_)), "{output:?}");
    }
    let later = scene.now + Duration::from_secs(64);
    scene.watcher.handle_timeout(later);
    while let Some(output) = scene.watcher.poll_output() {
        let WatcherOutput::Respond(response) = output else {
            panic!("{output:?}");
        };
        assert!(scene.unanswered.remove(&response.transaction()));
    }
    assert!(scene.unanswered.is_empty());
    assert_eq!(scene.watcher.occupancy(), [0; 8]);
    assert_eq!(scene.watcher.poll_timeout(), None);
});

fn pick<T: Copy>(all: &[T], number: usize) -> Option<T> {
    pick_ref(all, number).copied()
}

fn pick_ref<T>(all: &[T], number: usize) -> Option<&T> {
    all.get(number.checked_rem(all.len())?)
}
