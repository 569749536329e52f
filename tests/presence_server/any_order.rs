//! Calls that come too early, too late, twice, in any order, or about nobody.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{Entropy, Timestamp};
use presentity::event::{
    Account, Assurance, Decision, Failure, Forwarded, Identity, OpeningKey, Output, Reason,
    Rejection, RequestContext, SubscriptionKey, Termination, View,
};
use presentity::mime::OpenError;
use presentity::pidf::Presence;
use presentity::pidf::rpid::{Sphere, SphereKind};
use presentity::presence::composition::Periods;
use presentity::presence::{Compositor, Migration, Watcher, WatcherConfig};
use presentity::rules::{Affected, CompiledRules, Provided, Rule, Ruleset, SubHandling};
use presentity::sip::{OutgoingRequest, ResponseRef};
use time::OffsetDateTime;

use crate::common::{Message, seeded};
use crate::scene::{
    AGENT, ANA, BOB, CARLA, DORA, Scene, Watch, contact, document_of, state, written,
};
use crate::wrapping::{PIDF, Pen, carrying, open, sign};

const DEVICE: &str = "sip:bob@192.0.2.10:5062";
const USERS: [&str; 4] = [ANA, BOB, CARLA, DORA];

// SRV-20, SRV-30, SRV-80
#[test]
fn what_is_about_nobody_changes_nothing() {
    let mut scene = Scene::with(|config| config.domains = vec!["example.com".to_owned()]);
    let now = scene.now;
    let bob = Identity::of(BOB, Assurance::Digest).unwrap();
    let rules = CompiledRules::of(&Ruleset::new());
    for name in [
        "",
        "tel:+1",
        "sip:",
        "x y@z",
        "sip:bob@elsewhere.example",
        "\0",
    ] {
        let agent = &mut scene.agent;
        let document = document_of(BOB, "a", "b");
        assert!(
            agent
                .set_source(now, name, "x", document.clone(), None)
                .is_err()
        );
        assert!(agent.remove_source(now, name, "x").is_err());
        assert!(agent.set_registration(now, name, &bob, &[]).is_err());
        assert!(agent.set_presence(now, name, document).is_err());
        assert!(agent.clear_presence(now, name).is_err());
        assert!(agent.presence(name).is_err());
        assert!(agent.set_rules(now, name, Some(rules.clone())).is_err());
        assert!(agent.set_rules(now, name, None).is_err());
        assert!(agent.review(now, name).is_err());
        assert!(agent.review_watcher(now, ANA, name).is_err());
        assert!(agent.views_changed(now, name).is_err());
        assert!(agent.report_forwarded(now, name, DEVICE, None).is_err());
        assert!(agent.follow_source(now, name, DEVICE).is_err());
        assert!(agent.unfollow_source(now, name, DEVICE).is_err());
    }
    // About those who are nobody here yet.
    let agent = &mut scene.agent;
    assert_eq!(agent.remove_source(now, BOB, "x"), Ok(false));
    assert_eq!(agent.set_registration(now, BOB, &bob, &[]), Ok(false));
    assert_eq!(agent.set_rules(now, BOB, None), Ok(Affected::Nobody));
    assert_eq!(agent.review(now, BOB), Ok(()));
    assert_eq!(agent.review_watcher(now, ANA, BOB), Ok(0));
    assert_eq!(agent.review_watcher(now, "nobody", BOB), Ok(0));
    let reported = agent.report_forwarded(now, BOB, DEVICE, Some(405));
    assert_eq!(reported, Ok(Forwarded::ServeHere));
    assert!(!agent.stop_draining());
    assert!(agent.back_end().is_none());
    assert!(scene.settle().is_nothing());
    assert_eq!(scene.agent.occupancy(), Default::default());
    scene.close();
}

// SRV-80, SRV-81
#[test]
fn stale_keys_find_nothing() {
    let mut scene = Scene::new();
    scene.set_rules(
        BOB,
        Ruleset::new().with_rule(Rule::new("a").allow().with_everything()),
    );
    let mut watch = scene.watch(ANA, BOB);
    let key = scene.keys()[0];
    let now = scene.now;
    let ending = Termination::new(Reason::NoResource);
    assert!(scene.agent.terminate(now, key, ending).is_ok());
    // Rules change while its last NOTIFY is still to leave.
    scene.set_rules(BOB, Ruleset::new());
    scene.agent.review(now, BOB).unwrap();
    assert!(scene.agent.terminate(now, key, ending).is_err());
    assert!(scene.agent.decide(now, key, Decision::Pending).is_err());
    let told = scene.settle();
    assert_eq!(told.notifies().len(), 1);
    let refresh = watch.refresh();
    assert_eq!(scene.send(&refresh).status(), 481);
    // Somebody else is in its place.
    scene.put_rules(BOB, None);
    scene.watch(CARLA, BOB);
    let refused = Decision::Reject(Rejection::Forbidden);
    assert!(scene.agent.decide(now, key, refused).is_err());
    assert_eq!(scene.live(), 1);
    scene.close();
}

// SRV-02, SRV-20
#[test]
fn time_that_stands_or_runs_backwards_does_no_harm() {
    let mut scene = Scene::with(|config| config.migration = Migration::ToAny);
    scene.source(BOB, "car", "driving", Some(50.0));
    scene.watch(ANA, BOB);
    scene.pass(40.0);
    // Everything at the beginning of time.
    let early = Timestamp::from_secs(0);
    let agent = &mut scene.agent;
    agent.handle_timeout(early);
    agent
        .set_source(
            early,
            BOB,
            "desk",
            document_of(BOB, "desk", "x"),
            Some(Duration::from_secs(20)),
        )
        .unwrap();
    let bob = Identity::of(BOB, Assurance::Digest).unwrap();
    let contacts = [contact("<sip:bob@192.0.2.3>", Timestamp::from_secs(500))];
    assert!(agent.set_registration(early, BOB, &bob, &contacts).is_ok());
    agent.set_rules(early, BOB, None).unwrap();
    agent.set_wall_clock(early, OffsetDateTime::UNIX_EPOCH);
    agent.review(early, BOB).unwrap();
    agent
        .drain(early, Duration::from_secs(60), None, 1)
        .unwrap();
    scene.pass(0.0);
    scene.agent.stop_draining();
    scene.pass(70.0);
    // Nothing of it is there for ever.
    assert!(scene.known(BOB).is_empty(), "{:?}", scene.known(BOB));
    // And far in the future.
    let late = Timestamp::from_nanos(u64::MAX - 1);
    let agent = &mut scene.agent;
    let document = document_of(BOB, "a", "b");
    agent
        .set_source(late, BOB, "car", document, Some(Duration::MAX))
        .unwrap();
    agent.set_wall_clock(late, OffsetDateTime::UNIX_EPOCH);
    for _ in 0..1_000 {
        agent.handle_timeout(late);
        while let Some(output) = agent.poll_output() {
            drop(output);
        }
    }
    assert_eq!(agent.subscriptions().count(), 0);
    assert_eq!(agent.remove_source(late, BOB, "car"), Ok(true));
    assert_eq!(agent.poll_timeout(), None);
    scene.now = late;
    scene.close();
}

struct Dice(Box<dyn Entropy>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Box::new(seeded(seed)))
    }

    fn below(&mut self, bound: usize) -> usize {
        let mut octets = [0; 4];
        self.0.fill(&mut octets);
        u32::from_le_bytes(octets) as usize % bound
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

fn rules(dice: &mut Dice, noon: OffsetDateTime) -> Ruleset {
    let mut rules = Ruleset::new();
    for number in 0..dice.below(4) {
        let mut rule = Rule::new(format!("r{number}"));
        rule = match dice.below(4) {
            0 => rule,
            1 => rule.for_domain("example.com"),
            _ => rule.for_one(dice.one(&USERS)),
        };
        rule = match dice.below(4) {
            0 => rule.in_sphere("work"),
            1 => {
                let from = i64::try_from(dice.below(600)).unwrap();
                let [from, until] = [from, from + 60].map(|it| noon + time::Duration::seconds(it));
                rule.within(from, until).unwrap()
            }
            _ => rule,
        };
        rule = match dice.below(5) {
            0 => rule.handled(SubHandling::Confirm),
            1 => rule.handled(SubHandling::PoliteBlock),
            2 => rule
                .allow()
                .providing(Provided::nothing().with_all_services()),
            3 => rule.handled(SubHandling::Block),
            _ => rule.allow().with_everything(),
        };
        rules = rules.with_rule(rule);
    }
    rules
}

fn some_document(dice: &mut Dice) -> Presence {
    let mut document = document_of(BOB, dice.one(&["a", "b"]), dice.one(&["x", "y", "z"]));
    if dice.below(3) == 0 {
        let mut person = presentity::pidf::Person::new("p");
        let kind = dice.one(&[SphereKind::Work, SphereKind::Home]);
        person.add(&Sphere::new(kind)).unwrap();
        document = document.with_person(person);
    }
    document
}

/// What a course has gathered.
#[derive(Default)]
struct Memory {
    keys: Vec<SubscriptionKey>,
    watches: Vec<Watch>,
    tags: Vec<String>,
    requests: Vec<OutgoingRequest>,
    openings: Vec<presentity::event::Opening>,
    /// Kinds of what came out.
    seen: BTreeSet<String>,
}

fn kind_of(output: &Output) -> String {
    match output {
        Output::Respond(response) => response.status().to_string(),
        Output::Send(request) if request.method() == "NOTIFY" => state(request),
        Output::Send(request) => request.method().to_owned(),
        Output::Forward(_) => "forward".to_owned(),
        Output::Open(_) => "open".to_owned(),
        _ => "other".to_owned(),
    }
}

fn take_some(scene: &mut Scene, memory: &mut Memory, dice: &mut Dice) {
    for _ in 0..dice.below(30) {
        let output = scene.agent.poll_output();
        memory.seen.extend(output.as_ref().map(kind_of));
        match output {
            Some(Output::Send(request)) => memory.requests.push(request),
            Some(Output::Open(opening)) => memory.openings.push(opening),
            Some(Output::Respond(response)) => {
                let tag = crate::common::response_field(&response, "SIP-ETag");
                memory.tags.extend(tag.map(str::to_owned));
            }
            Some(_) => {}
            None => break,
        }
    }
    memory.keys.extend(scene.keys().first());
}

fn step(scene: &mut Scene, memory: &mut Memory, dice: &mut Dice, noon: OffsetDateTime) {
    let now = scene.now;
    let user = dice.one(&USERS);
    let presentity = dice.one(&[BOB, CARLA]);
    let identity = Identity::of(user, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, AGENT);
    let seconds = Duration::from_millis(dice.below(40_000) as u64);
    match dice.below(24) {
        0..=2 => {
            let expires = dice.one(&["0", "60", "600"]);
            let message = scene.subscribe(user, presentity).with("Expires", expires);
            let message = message.with("Accept", "application/pidf+xml, multipart/signed");
            if dice.below(8) == 0 {
                let told = scene.send(&message);
                if let (Some(response), Some(notify)) =
                    (told.responses().first(), told.notifies().first())
                    && let Some(tag) = response.to_tag()
                {
                    memory.watches.push(Watch {
                        message,
                        tag: tag.to_owned(),
                        cseq: 1,
                        notify: (*notify).clone(),
                    });
                }
            } else {
                scene.hand_in(&message, &context);
            }
        }
        3 => {
            let place = dice.below(memory.watches.len() + 1);
            if let Some(watch) = memory.watches.get_mut(place) {
                let refresh = watch
                    .refresh()
                    .with("Expires", dice.one(&["0", "60", "600"]));
                scene.hand_in(&refresh, &context);
            }
        }
        4 | 5 => {
            let body = written(presentity, "desk", dice.one(&["in", "out"]));
            let owner = Identity::of(presentity, Assurance::Digest).unwrap();
            let mut message = Message::publish(presentity, &scene.call(), &body);
            message = message.with("Expires", dice.one(&["0", "60", "600"]));
            if dice.below(2) == 0 && !memory.tags.is_empty() {
                message = message.with("SIP-If-Match", &dice.one(&memory.tags));
            }
            if dice.below(3) == 0 {
                message = carrying(message, &sign(&Pen::of(presentity), PIDF, &body));
            }
            scene.hand_in(&message, &RequestContext::new(&owner, AGENT));
        }
        6 | 7 => {
            let lasts = [
                None,
                Some(seconds),
                Some(Duration::ZERO),
                Some(Duration::MAX),
            ];
            let document = some_document(dice);
            let name = dice.one(&["car", "desk", "door"]);
            let lasts = dice.one(&lasts);
            let _ = scene
                .agent
                .set_source(now, presentity, name, document, lasts);
        }
        8 => {
            let name = dice.one(&["car", "desk", "door"]);
            let _ = scene.agent.remove_source(now, presentity, name);
        }
        9 | 10 => {
            let count = dice.below(3);
            let texts = [
                "<sip:x@192.0.2.1>;methods=\"SUBSCRIBE\";events=\"presence\"",
                "<sip:y@192.0.2.2>;q=0.3",
                "<sip:carla@example.com>;methods=\"SUBSCRIBE\";events=\"presence\"",
            ];
            let contacts: Vec<_> = (0..count)
                .map(|_| contact(dice.one(&texts), now + seconds))
                .collect();
            let _ = scene
                .agent
                .set_registration(now, presentity, &identity, &contacts);
        }
        11 | 12 => {
            let rules = (dice.below(4) > 0).then(|| CompiledRules::of(&rules(dice, noon)));
            scene.put_rules(presentity, rules);
        }
        13 => {
            let utc = noon + time::Duration::seconds(dice.below(700) as i64);
            scene.agent.set_wall_clock(now, utc);
        }
        14 => {
            if let Some(key) = memory.keys.get(dice.below(memory.keys.len() + 1)) {
                let decision = dice.one(&[
                    Decision::Pending,
                    Decision::PoliteBlock,
                    Decision::Allow(View::full()),
                    Decision::Allow(View::named("bare")),
                    Decision::Reject(Rejection::Decline),
                ]);
                let _ = scene.agent.decide(now, *key, decision);
            }
        }
        15 => {
            let target = dice.one(&[None, Some("sip:other.example.com")]);
            if dice.below(3) == 0 {
                let _ = scene.agent.drain(now, seconds, target, 5);
            } else {
                scene.agent.stop_draining();
            }
        }
        16 => {
            let status = dice.one(&[None, Some(200), Some(405), Some(489), Some(503)]);
            let target = dice.one(&["sip:x@192.0.2.1", "sip:y@192.0.2.2", "z"]);
            let _ = scene
                .agent
                .report_forwarded(now, presentity, target, status);
        }
        17 => {
            let mut compositor = dice.one(&[Compositor::union(), Compositor::newest_person()]);
            compositor.periods = dice.one(&[Periods::All, Periods::InForce]);
            scene.agent.set_composition(now, compositor);
        }
        18 => {
            let uri = dice.one(&[DEVICE, "sip:x@192.0.2.1", BOB]);
            let _ = match dice.below(2) {
                0 => scene.agent.follow_source(now, presentity, uri).is_ok(),
                _ => scene.agent.unfollow_source(now, presentity, uri).is_ok(),
            };
        }
        19 if dice.below(4) == 0 => back_end(scene, dice.one(&[0, 1, 2])),
        20 => {
            for request in std::mem::take(&mut memory.requests) {
                let transaction = request.transaction();
                let body = Bytes::new();
                let response = |status| ResponseRef::new(status, [], &body);
                match dice.below(8) {
                    0 => scene
                        .agent
                        .handle_failure(now, transaction, Failure::Timeout),
                    1 => scene
                        .agent
                        .handle_response(now, transaction, &response(481)),
                    2 => scene
                        .agent
                        .handle_response(now, transaction, &response(500)),
                    3 => memory.requests.push(request),
                    _ => scene
                        .agent
                        .handle_response(now, transaction, &response(200)),
                }
            }
        }
        21 => {
            for opening in std::mem::take(&mut memory.openings) {
                let key: OpeningKey = opening.key;
                let outcome = match dice.below(4) {
                    0 => Err(OpenError::Unsupported),
                    _ => open(&opening.content_type, &opening.body),
                };
                scene.agent.complete_opening(now, key, outcome);
                if dice.below(2) == 0 {
                    memory.openings.push(opening);
                }
            }
        }
        22 => {
            let _ = scene.agent.review(now, presentity);
            let _ = scene.agent.review_watcher(now, user, presentity);
        }
        _ => {
            if dice.below(10) == 0 {
                scene.pass(seconds.as_secs_f64());
            } else {
                scene.now = now + seconds / 8;
                scene.agent.handle_timeout(scene.now);
            }
        }
    }
    if dice.below(3) == 0 {
        take_some(scene, memory, dice);
    }
}

fn back_end(scene: &mut Scene, role: u8) {
    let mut config = WatcherConfig::default();
    config.subscriber.role = role;
    let account = Account::new("sip:presence@example.com").unwrap();
    let account = account.with_contact(AGENT).unwrap();
    let watcher = Watcher::new(config, seeded(u64::from(role)));
    let taken = scene.agent.set_back_end(scene.now, watcher, &account);
    assert_eq!(taken.is_ok(), role != 0);
}

/// The same seed is the same course: what is known of both in the end, and what came out.
fn course(seed: u64) -> (Vec<Vec<String>>, BTreeSet<String>) {
    let mut dice = Dice::new(seed);
    let noon = OffsetDateTime::from_unix_timestamp(1_750_000_000).unwrap();
    let migration = dice.one(&[Migration::Never, Migration::ToDeclared, Migration::ToAny]);
    let mut scene = Scene::with(|config| {
        config.server.opens_bodies = true;
        config.follows_agents = true;
        config.migration = migration;
        config.sources = 3;
        config.departures_per_second = 3;
    });
    scene.house().protection = presentity::event::Protection::AsPublished;
    let mut memory = Memory::default();
    for _ in 0..300 {
        step(&mut scene, &mut memory, &mut dice, noon);
    }
    let last = [BOB, CARLA].map(|it| scene.known(it)).to_vec();
    for presentity in [BOB, CARLA] {
        for name in ["car", "desk", "door"] {
            let _ = scene.agent.remove_source(scene.now, presentity, name);
        }
        for uri in [DEVICE, "sip:x@192.0.2.1", BOB, CARLA] {
            let _ = scene.agent.unfollow_source(scene.now, presentity, uri);
        }
    }
    scene.close();
    (last, memory.seen)
}

#[test]
fn any_calls_in_any_order_leave_nothing_behind() {
    let mut seen = BTreeSet::new();
    for seed in 0..150 {
        let first = course(seed);
        if seed % 10 == 0 {
            assert_eq!(course(seed), first, "seed {seed}");
        }
        seen.extend(first.1);
    }
    let expected = [
        "200",
        "403",
        "412",
        "503",
        "SUBSCRIBE",
        "active",
        "forward",
        "open",
        "pending",
        "terminated;reason=deactivated",
        "terminated;reason=rejected",
        "terminated;reason=timeout",
    ];
    for kind in expected {
        assert!(seen.contains(kind), "{kind} in {seen:?}");
    }
}
