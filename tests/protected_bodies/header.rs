//! Signatures over a NOTIFY as a whole, from the agent to the watcher (RFC 3261 section 23.4).

use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::event::{
    Authorization, Decision, Output, ProtectError, Protection, ProtectionJob, ProtectionQuery,
    Reason, RefusedBody, Signature, SubscribeQuery, SubscriptionEnd, Termination, View,
};
use presentity::mime::{OpenError, SignError, Signed};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy, WatcherEvent};
use presentity::sip::OutgoingRequest;

use crate::common::{Driver, Message, Outputs, field, seeded, state_of};
use crate::notifies::opens;
use crate::phone::{ANA, BOB, Phone, Taken};
use crate::wrapping::{DOMAIN, Pen, carrying, open, sign};

/// Everybody gets the whole state, signed with what says where it belongs.
#[derive(Debug, Default)]
struct Whole {
    /// Whether the last request's header was covered, and what the signature was worth.
    asked: Option<(bool, Signature)>,
}

impl Policy for Whole {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        self.asked = Some((query.covers_header(), query.signature()));
        Decision::Allow(View::full()).into()
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        assert!(query.accepts(Protection::SignedMessage));
        Protection::SignedMessage
    }
}

fn agent(jobs: usize) -> Driver<Agent<Whole>> {
    let mut config = AgentConfig::default();
    config.server.limits.jobs = jobs;
    config.server.opens_bodies = true;
    let mut driver = Driver::new(Agent::new(config, Whole::default(), seeded(5)));
    set(&mut driver, "at work");
    driver
}

fn set(driver: &mut Driver<Agent<Whole>>, note: &str) -> Outputs {
    let desk = Tuple::open("desk").with_note(note);
    let document = Presence::new(BOB).with_tuple(desk);
    let now = driver.now;
    driver.role.set_presence(now, BOB, document).unwrap();
    driver.drain()
}

fn message(request: &OutgoingRequest) -> Message {
    Message {
        method: request.method().to_owned(),
        uri: request.uri().to_owned(),
        fields: request
            .fields()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: request.body().clone(),
    }
}

fn jobs(outputs: &Outputs) -> Vec<ProtectionJob> {
    let jobs = outputs.all.iter().filter_map(|output| match output {
        Output::Protect(job) => Some((**job).clone()),
        _ => None,
    });
    jobs.collect()
}

/// Signs what there is to sign; what leaves then.
fn signed(driver: &mut Driver<Agent<Whole>>, outputs: &Outputs) -> Outputs {
    let mut all = Outputs::default();
    for job in jobs(outputs) {
        let content = job.content.octets();
        let signature = presentity::mime::Sign::sign(&Pen::of(DOMAIN), content).unwrap();
        let written = Signed::write(content, &signature, &mut seeded(9));
        let now = driver.now;
        assert!(driver.role.complete_protection(now, job.key, Ok(written)));
        all.all.extend(driver.drain().all);
    }
    all
}

/// A watcher's SUBSCRIBE at the agent.
fn subscribed(driver: &mut Driver<Agent<Whole>>, subscribe: &OutgoingRequest) -> Outputs {
    let message = message(subscribe).and("Via", "SIP/2.0/UDP a;branch=z9hG4bK1");
    let outputs = driver.send(&message);
    assert_eq!(outputs.status(), 200);
    outputs
}

/// A NOTIFY as it came to the phone, opened there.
fn told(phone: &mut Phone, notify: &Message) -> Taken {
    let taken = phone.notify(notify);
    let opening = taken.opening().clone();
    let outcome = open(&opening.content_type, &opening.body);
    phone.opened(opening.key, outcome)
}

// SEC-21
#[test]
fn a_signature_covers_the_header() {
    let (mut driver, mut phone) = (agent(8), opens());
    let (key, subscribe) = phone.watch();
    let outputs = subscribed(&mut driver, &subscribe);
    assert!(outputs.requests().is_empty(), "nothing leaves unsigned");
    let outputs = signed(&mut driver, &outputs);
    let notify = outputs.notify();
    let body = notify.body();
    for name in [
        "Call-ID",
        "CSeq",
        "Event",
        "Subscription-State",
        "Contact",
        "To",
        "From",
    ] {
        let line = format!("{name}: {}\r\n", field(notify, name).unwrap());
        let text = String::from_utf8_lossy(body);
        assert!(text.contains(&line), "{line} in {text}");
    }
    let taken = told(&mut phone, &message(notify));
    assert_eq!(taken.status(), 200);
    assert_eq!(taken.change(), Some((None, Some("at work".to_owned()))));
    driver.answer_all(&outputs);

    // The end is signed too, though there is nothing to show.
    let now = driver.now;
    let away = Termination::new(Reason::NoResource);
    driver.role.terminate_presentity(now, BOB, away).unwrap();
    let outputs = driver.drain();
    assert!(outputs.requests().is_empty());
    let outputs = signed(&mut driver, &outputs);
    assert!(state_of(outputs.notify()).starts_with("terminated"));
    let taken = told(&mut phone, &message(outputs.notify()));
    assert_eq!(taken.status(), 200);
    assert!(matches!(taken.end().0, SubscriptionEnd::ByNotifier { .. }));
    assert_eq!(phone.note(key), None);
    driver.answer_all(&outputs);
    assert_eq!(driver.role.occupancy().jobs, 0);
}

// SEC-21
#[test]
fn a_header_that_was_altered_is_found_out() {
    for (name, value) in [
        ("Subscription-State", "active;expires=5"),
        ("Contact", "<sip:mallory@example.net>"),
        ("Event", "presence;x=y"),
    ] {
        let (mut driver, mut phone) = (agent(8), opens());
        let (key, subscribe) = phone.watch();
        let outputs = subscribed(&mut driver, &subscribe);
        let outputs = signed(&mut driver, &outputs);
        let altered = message(outputs.notify()).with(name, value);
        let taken = told(&mut phone, &altered);
        assert_eq!(taken.status(), 403, "{name}");
        let refused = taken.events.iter().find_map(|event| match event {
            WatcherEvent::BodyRefused { body, .. } => Some(body.clone()),
            _ => None,
        });
        let name = name.to_owned();
        let why = RefusedBody::Unopened(OpenError::Altered { name });
        assert_eq!(refused, Some(why));
        assert_eq!(phone.note(key), None);
    }
}

#[test]
fn each_notify_is_signed_by_itself_and_jobs_are_bounded() {
    let mut driver = agent(2);
    let mut open = Vec::new();
    let mut told = 0;
    for user in 0..5 {
        let from = format!("sip:user{user}@example.com");
        let subscribe = Message::subscribe(&from, BOB, &format!("call{user}"))
            .with("Accept", "application/pidf+xml, multipart/signed");
        let outputs = driver.send(&subscribe);
        assert_eq!(outputs.status(), 200);
        open.extend(jobs(&outputs));
    }
    let mut run = |driver: &mut Driver<Agent<Whole>>, mut open: Vec<ProtectionJob>| {
        while let Some(job) = open.pop() {
            assert!(driver.role.occupancy().jobs <= 2);
            let outputs = Outputs {
                all: vec![Output::Protect(Box::new(job))],
            };
            let outputs = signed(driver, &outputs);
            told += outputs.requests().len();
            let more = driver.answer_all(&outputs);
            open.extend(jobs(&outputs));
            open.extend(jobs(&more));
        }
        told
    };
    assert_eq!(run(&mut driver, open), 5);
    driver.pass(10.0);
    let outputs = set(&mut driver, "at home");
    assert_eq!(run(&mut driver, jobs(&outputs)), 10);
    driver.pass(10.0);
    let now = driver.now;
    driver
        .role
        .terminate_all(now, Termination::new(Reason::Deactivated));
    let outputs = driver.drain();
    assert_eq!(run(&mut driver, jobs(&outputs)), 15);
    assert_eq!(driver.role.occupancy().jobs, 0);
    assert_eq!(driver.role.occupancy().subscriptions, 0);
}

#[test]
fn without_a_signature_a_notify_leaves_with_nothing() {
    for late in [false, true] {
        let mut driver = agent(8);
        let subscribe = Message::subscribe(ANA, BOB, "call")
            .with("Accept", "application/pidf+xml, multipart/signed");
        let outputs = driver.send(&subscribe);
        let job = jobs(&outputs).remove(0);
        let outputs = if late {
            driver.pass(31.0)
        } else {
            let now = driver.now;
            let failed = Err(ProtectError::Sign(SignError::NoKey));
            assert!(driver.role.complete_protection(now, job.key, failed));
            driver.drain()
        };
        assert!(outputs.notify().body().is_empty());
        assert_eq!(field(outputs.notify(), "Content-Length"), Some("0"));
        driver.answer_all(&outputs);
        // What it did not get comes with the next change, be it the same again.
        driver.now = driver.now + Duration::from_secs(10);
        let outputs = set(&mut driver, "elsewhere");
        let outputs = signed(&mut driver, &outputs);
        assert!(!outputs.notify().body().is_empty());
        driver.answer_all(&outputs);
        assert!(driver.now > Timestamp::ZERO);
    }
}

// SEC-21: a request within the request is compared with it, and needs no body of its own.
#[test]
fn a_subscribe_may_be_signed_with_its_header() {
    let mut driver = agent(8);
    let subscribe =
        Message::subscribe(ANA, BOB, "c").with("Accept", "application/pidf+xml, multipart/signed");
    let lines: String = subscribe
        .fields
        .iter()
        .filter(|(name, _)| name != "Via")
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let within = format!("SUBSCRIBE {BOB} SIP/2.0\r\n{lines}\r\n");
    let written = sign(&Pen::of(ANA), "message/sip", &within);
    let mut send = |message: Message| {
        // Each is the only one there is.
        driver.now = driver.now + Duration::from_secs(40);
        let outputs = driver.send(&carrying(message, &written));
        let opening = outputs.all.into_iter().find_map(|output| match output {
            Output::Open(opening) => Some(opening),
            _ => None,
        });
        let opening = opening.expect("a body to open");
        let outcome = open(&opening.content_type, &opening.body);
        let now = driver.now;
        assert!(driver.role.complete_opening(now, opening.key, outcome));
        (driver.drain().status(), driver.role.policy().asked)
    };
    for (name, value) in [
        ("Expires", "6000"),
        ("Contact", "<sip:mallory@example.net>"),
        ("From", "<sip:ana@example.com>;tag=other"),
    ] {
        let (status, asked) = send(subscribe.clone().with(name, value));
        assert_eq!((status, asked), (403, None), "{name}");
    }
    let asked = Some((true, Signature::Bound));
    assert_eq!(send(subscribe), (200, asked));
}
