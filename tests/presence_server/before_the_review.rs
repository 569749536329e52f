//! Nobody sees by a permission that has ended, however late its review comes.

use presentity::event::{
    Assurance, Decision, DirectRequest, Identity, Output, RequestContext, View,
};
use presentity::pidf::Person;
use presentity::pidf::rpid::{Sphere, SphereKind};
use presentity::rules::{Affected, Many, Rule, Ruleset, SubHandling};
use time::OffsetDateTime;

use crate::common::Message;
use crate::scene::{AGENT, ANA, BOB, CARLA, DORA, Scene, Told, document_of, etag, shown, state};

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_750_000_000).unwrap()
}

fn after(seconds: i64) -> OffsetDateTime {
    noon() + time::Duration::seconds(seconds)
}

fn user(number: usize) -> String {
    format!("sip:user{number}@example.net")
}

fn known(uri: &str) -> Identity {
    Identity::of(uri, Assurance::Digest).unwrap()
}

fn for_many(many: Many) -> Ruleset {
    let rule = Rule::new("many").for_many(many).allow().with_everything();
    Ruleset::new().with_rule(rule)
}

fn confirmed() -> Ruleset {
    Ruleset::new().with_rule(Rule::new("all").handled(SubHandling::Confirm))
}

/// Carla sees everything while Bob is at work.
fn at_work() -> Ruleset {
    let rule = Rule::new("work").in_sphere("work").for_one(CARLA);
    Ruleset::new().with_rule(rule.allow().with_everything())
}

fn says(scene: &mut Scene, note: &str) {
    let document = document_of(BOB, "desk", note);
    scene.agent.set_presence(scene.now, BOB, document).unwrap();
}

/// A PUBLISH of Bob's with his sphere.
fn publish(scene: &mut Scene, kind: SphereKind, note: &str, until: Option<i64>) -> Message {
    let mut sphere = Sphere::new(kind);
    if let Some(until) = until {
        sphere.from = Some(after(-3600));
        sphere.until = Some(after(until));
    }
    let person = Person::new("p").with(&sphere).unwrap();
    let document = document_of(BOB, "desk", note).with_person(person);
    let body = String::from_utf8(document.write().unwrap().to_vec()).unwrap();
    let call = scene.call();
    Message::publish(BOB, &call, &body).with("Expires", "3600")
}

#[track_caller]
fn assert_nothing_shown(told: &Told, who: &str) {
    let mut notifies = told.notifies().into_iter();
    let seen = notifies.find(|it| it.uri().contains(who) && state(it) == "active");
    assert!(seen.is_none(), "{:?}", seen.map(shown));
    let bodies = told
        .notifies()
        .into_iter()
        .filter(|it| it.uri().contains(who));
    for body in bodies.map(|it| String::from_utf8_lossy(it.body())) {
        assert!(!body.contains("secret"), "{body}");
    }
}

// SRV-80, SRV-81, PA-37
#[test]
fn a_round_in_mid_walk_judges_whom_it_comes_to() {
    let mut scene = Scene::new();
    scene.set_rules(BOB, for_many(Many::all()));
    for number in 0..3_000 {
        scene.watch(&user(number), BOB);
    }
    says(&mut scene, "known");
    for _ in 0..1_500 {
        let Some(Output::Send(request)) = scene.agent.poll_output() else {
            panic!("a round");
        };
        scene.answer(&request, 200);
    }
    let but = Many::all().except_one(user(1_503));
    assert_eq!(scene.set_rules(BOB, for_many(but)), Affected::Everybody);
    says(&mut scene, "secret");
    let told = scene.take();
    assert_nothing_shown(&told, "user1503@");
    let ends = told.notifies().into_iter();
    let ends: Vec<_> = ends.filter(|it| it.uri().contains("user1503@")).collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(state(ends[0]), "terminated;reason=rejected");
    assert_eq!(scene.live(), 2_999);
    scene.close();
}

// SRV-80, SRV-81, PA-37
#[test]
fn a_refresh_shows_nothing_that_waits_for_a_decision_by_now() {
    let mut scene = Scene::new();
    says(&mut scene, "known");
    scene.set_rules(BOB, for_many(Many::all()));
    let mut watches: Vec<_> = (0..1_000).map(|it| scene.watch(&user(it), BOB)).collect();
    scene.set_rules(BOB, confirmed());
    says(&mut scene, "secret");
    let refresh = watches[999].refresh();
    let told = scene.send(&refresh);
    assert_nothing_shown(&told, "user999@");
    // And one who ends his subscription in this moment.
    scene.set_rules(BOB, for_many(Many::all()));
    scene.settle();
    scene.set_rules(BOB, confirmed());
    let end = watches[998].refresh().with("Expires", "0");
    let told = scene.send(&end);
    assert_nothing_shown(&told, "user998@");
    scene.close();
}

// SRV-80, SRV-82
#[test]
fn what_is_fetched_goes_by_the_rules_of_when_it_leaves() {
    let several = [ANA, CARLA].iter().fold(Identity::nobody(), |it, name| {
        it.and(name, Assurance::Asserted).unwrap()
    });
    let one = |who: &str| {
        let rule = Rule::new("one").for_one(who).allow().with_everything();
        Ruleset::new().with_rule(rule)
    };
    for (identity, before, rules, affected) in [
        (known(CARLA), one(CARLA), Ruleset::new(), "Watchers"),
        (known(CARLA), one(CARLA), confirmed(), "Everybody"),
        (several, one(CARLA), Ruleset::new(), "Watchers"),
    ] {
        let mut scene = Scene::new();
        says(&mut scene, "known");
        scene.set_rules(BOB, before);
        let from = identity.primary().unwrap();
        let fetch = scene
            .subscribe(&format!("sip:{from}"), BOB)
            .with("Expires", "0");
        scene.hand_in(&fetch, &RequestContext::new(&identity, AGENT));
        let told = format!("{:?}", scene.set_rules(BOB, rules));
        assert!(told.starts_with(affected), "{told}");
        says(&mut scene, "secret");
        let told = scene.take();
        assert_eq!(state(told.notify()), "terminated;reason=timeout");
        assert_nothing_shown(&told, "");
        scene.close();
    }
}

// SRV-11, SRV-13
#[test]
fn the_applications_word_after_other_rules_is_the_last() {
    let mut scene = Scene::new();
    scene.set_rules(BOB, for_many(Many::all()));
    for number in 0..600 {
        scene.watch(&user(number), BOB);
    }
    let keys = scene.keys();
    scene.set_rules(BOB, confirmed());
    let allow = Decision::Allow(View::full());
    let now = scene.now;
    scene.agent.decide(now, keys[500], allow.clone()).unwrap();
    let decided = scene.agent.decide_watcher(now, &user(501), BOB, &allow);
    assert_eq!(decided, Ok(1));
    scene.settle();
    let allowed = scene.agent.subscriptions();
    let allowed = allowed.filter(|it| *it.decision == allow).map(|it| it.key);
    assert_eq!(allowed.collect::<Vec<_>>(), keys[500..502]);
    scene.close();
}

// SRV-80, SRV-81
#[test]
fn rules_that_hold_no_longer_show_nothing_though_the_timer_is_late() {
    let mut scene = Scene::new();
    scene.agent.set_wall_clock(scene.now, noon());
    let rule = Rule::new("now").allow().with_everything();
    let rules = Ruleset::new().with_rule(rule.within(after(-60), after(60)).unwrap());
    // More than are looked at in one call.
    let houses: Vec<String> = (0..200)
        .map(|it| format!("sip:house{it}@example.com"))
        .collect();
    for house in &houses {
        scene.set_rules(house, rules.clone());
        scene.watch(DORA, house);
    }
    scene.pass(30.0);
    scene.now = scene.at(61.0);
    for house in &houses {
        let document = document_of(house, "desk", "secret");
        scene
            .agent
            .set_presence(scene.now, house, document)
            .unwrap();
    }
    let told = scene.settle();
    assert_nothing_shown(&told, "dora");
    assert_eq!(told.notifies().len(), houses.len());
    for house in &houses {
        scene.put_rules(house, None);
        scene.agent.clear_presence(scene.now, house).unwrap();
    }
    scene.close();
}

// SRV-80, SRV-81, PA-37
#[test]
fn a_sphere_ends_when_it_is_said_to() {
    let mut scene = Scene::new();
    scene.agent.set_wall_clock(scene.now, noon());
    scene.set_rules(BOB, at_work());
    let message = publish(&mut scene, SphereKind::Work, "secret", Some(60));
    scene.send(&message);
    scene.watch(CARLA, BOB);
    let told = scene.pass(100.0);
    assert_eq!(told.times(), [60.0]);
    assert_eq!(state(told.notify()), "terminated;reason=rejected");
    let fetch = scene.subscribe(CARLA, BOB).with("Expires", "0");
    assert_eq!(scene.send(&fetch).status(), 403);
    // The clock was wrong.
    scene.agent.set_wall_clock(scene.now, noon());
    assert_eq!(
        scene
            .send(&fetch.clone().with("CSeq", "2 SUBSCRIBE"))
            .status(),
        200
    );
    scene.close();
}

// SRV-80, SRV-81
#[test]
fn a_sphere_counts_from_the_publication_that_says_it() {
    let mut scene = Scene::new();
    scene.set_rules(BOB, at_work());
    let message = publish(&mut scene, SphereKind::Work, "known", None);
    let tag = etag(&scene.send(&message));
    let home = publish(&mut scene, SphereKind::Home, "secret", None).with("SIP-If-Match", &tag);
    scene.hand_in(&home, &RequestContext::new(&known(BOB), AGENT));
    // All of it before anything is polled.
    let fetch = scene.subscribe(CARLA, BOB).with("Expires", "0");
    scene.hand_in(&fetch, &RequestContext::new(&known(CARLA), AGENT));
    let watch = scene.subscribe(CARLA, BOB);
    scene.hand_in(&watch, &RequestContext::new(&known(CARLA), AGENT));
    let carla = known(CARLA);
    let direct = DirectRequest::fetch("pres:carla@example.com", "pres:bob@example.com", &carla);
    let refused = scene.agent.handle_direct(scene.now, &direct);
    assert!(refused.is_err(), "{refused:?}");
    assert_nothing_shown(&scene.settle(), "");
    assert_eq!(scene.live(), 0);
    scene.close();
}

#[test]
fn a_telephone_number_is_the_entity_of_its_own_documents() {
    const NUMBER: &str = "tel:+15550100";
    let mut scene = Scene::with(|config| config.telephone_numbers = true);
    scene.register(NUMBER, &[("<sip:phone@192.0.2.9>", 60.0)]);
    scene.source(NUMBER, "desk", "here", None);
    let known = scene.agent.presence("tel:+1-555-0100").unwrap().unwrap();
    assert_eq!(known.entity, NUMBER);
    let contacts = known.tuples.iter().filter_map(|it| it.contact.as_ref());
    assert!(contacts.map(|it| it.uri.as_str()).eq([NUMBER]));
    scene.close();
}

// SRV-80
#[test]
fn where_judging_one_takes_long_fewer_are_judged_at_once() {
    let mut scene = Scene::new();
    for number in 0..300 {
        scene.watch(&user(number), BOB);
    }
    let general = |number: usize| {
        let but = Many::all().except_one(format!("sip:nobody{number}@example.com"));
        Rule::new(format!("r{number}")).for_many(but).allow()
    };
    let rules = |count| {
        (0..count)
            .map(general)
            .fold(Ruleset::new(), Ruleset::with_rule)
    };
    for (count, judged) in [(1, 256), (2_560, 2), (10_000, 1)] {
        scene.put_rules(BOB, None);
        scene.settle();
        scene.set_rules(BOB, rules(count));
        let waiting = scene.agent.occupancy().outputs;
        // What it leads to waits beside those who do.
        let _ = scene.agent.poll_output();
        let allowed = scene.agent.subscriptions();
        let changed = allowed.filter(|it| *it.decision != Decision::Allow(View::full()));
        assert_eq!((waiting, changed.count()), (300, judged), "{count}");
    }
    scene.close();
}
