//! Rules that decide about new watchers, and that change while watchers live.

use presentity::event::{
    Assurance, Authorization, Decision, Identity, Output, Rejection, RequestContext, ServerEvent,
    View,
};
use presentity::presence::BlockedDocument;
use presentity::rules::{Affected, Many, PresenceAttribute, Provided, Rule, Ruleset, SubHandling};
use presentity::sip::OutgoingRequest;

use crate::common::{Message, response_field};
use crate::scene::{AGENT, ANA, BOB, CARLA, DORA, Scene, Told, document_of, read, shown, state};

/// What a watcher may get.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gets {
    Nothing,
    Waits,
    Polite,
    /// Everything.
    All,
    /// Services, without notes.
    Bare,
    /// Services with notes.
    Notes,
}

fn rule(id: &str, gets: Gets) -> Rule {
    let rule = Rule::new(id);
    let services = Provided::nothing().with_all_services();
    match gets {
        Gets::Nothing => rule.handled(SubHandling::Block),
        Gets::Waits => rule.handled(SubHandling::Confirm),
        Gets::Polite => rule.handled(SubHandling::PoliteBlock),
        Gets::All => rule.allow().with_everything(),
        Gets::Bare => rule.allow().providing(services),
        Gets::Notes => rule
            .allow()
            .providing(services.with_attribute(PresenceAttribute::Note)),
    }
}

/// The same for everybody.
fn all(gets: Gets) -> Ruleset {
    Ruleset::new().with_rule(rule("all", gets))
}

/// Something for each of these.
fn each(who: &[(&str, Gets)]) -> Ruleset {
    let rules = who.iter().map(|(uri, gets)| {
        let id = uri.replace([':', '@'], "-");
        rule(&id, *gets).for_one(*uri)
    });
    rules.fold(Ruleset::new(), Ruleset::with_rule)
}

fn scene() -> Scene {
    let mut scene = Scene::with(|config| config.blocked = BlockedDocument::Offline);
    let document = document_of(BOB, "desk", "secret");
    scene.agent.set_presence(scene.now, BOB, document).unwrap();
    scene
}

/// What a NOTIFY gives away.
fn gets(notify: &OutgoingRequest) -> Gets {
    match state(notify).as_str() {
        "terminated;reason=rejected" => return Gets::Nothing,
        "pending" => {
            let text = String::from_utf8_lossy(notify.body());
            assert!(!text.contains("secret") && !text.contains("desk"), "{text}");
            return Gets::Waits;
        }
        "active" => {}
        other => panic!("{other}"),
    }
    let document = read(notify);
    let tuple = &document.tuples[0];
    match (shown(notify)[0].as_str(), tuple.contact.is_some()) {
        ("desk: secret", _) => Gets::Notes,
        ("desk", _) => Gets::Bare,
        (_, true) => Gets::Polite,
        other => panic!("{other:?}"),
    }
}

/// What is as good in a NOTIFY of this scene.
fn as_seen(gets: Gets) -> Gets {
    match gets {
        Gets::All => Gets::Notes,
        other => other,
    }
}

// SRV-80, SRV-82, SRV-13, PA-37
#[test]
fn rules_decide_about_who_comes() {
    for (which, status, decision) in [
        (Gets::Nothing, 403, None),
        (Gets::Waits, 200, Some(Decision::Pending)),
        (Gets::Polite, 200, Some(Decision::PoliteBlock)),
        (Gets::All, 200, Some(Decision::Allow(View::full()))),
        (Gets::Bare, 200, None),
        (Gets::Notes, 200, None),
    ] {
        let mut scene = scene();
        assert_eq!(scene.set_rules(BOB, all(which)), Affected::Everybody);
        let message = scene.subscribe(ANA, BOB);
        let told = scene.send(&message);
        assert_eq!(told.status(), status, "{which:?}");
        if status == 200 {
            assert_eq!(gets(told.notify()), as_seen(which));
            let held = scene.agent.subscriptions().next().unwrap();
            assert!(decision.is_none_or(|it| it == *held.decision));
        } else {
            assert!(told.notifies().is_empty());
            assert_eq!(scene.live(), 0);
        }
        // Nobody in particular is never let in, and asked who it is.
        let message = scene.subscribe(CARLA, BOB);
        let told = scene.send_as(&message, &Identity::nobody());
        assert!(matches!(told.0[0].output, Output::Challenge(_)), "{told:?}");
        assert_eq!(told.status(), 401);
        // Bob himself always sees everything.
        let own = scene.watch(BOB, BOB);
        assert_eq!(shown(&own.notify), ["desk: secret"]);
        // Others have no rules.
        scene.watch(ANA, CARLA);
        scene.close();
    }
}

// SRV-80
#[test]
fn who_is_in_no_rule_is_blocked_and_the_most_that_any_gives_counts() {
    let mut scene = scene();
    let rules = Ruleset::new()
        .with_rule(rule("one", Gets::Waits).for_one(ANA))
        .with_rule(rule("domain", Gets::Polite).for_domain("example.com"))
        .with_rule(rule("services", Gets::Bare).for_one(DORA))
        .with_rule(rule("not", Gets::Nothing).for_one(DORA));
    scene.set_rules(BOB, rules);
    assert_eq!(gets(&scene.watch(ANA, BOB).notify), Gets::Polite);
    assert_eq!(gets(&scene.watch(DORA, BOB).notify), Gets::Bare);
    let message = scene.subscribe("sip:ana@example.org", BOB);
    assert_eq!(scene.send(&message).status(), 403);
    scene.set_rules(BOB, Ruleset::new());
    let told = scene.settle();
    let ends = told.notifies().into_iter().map(gets);
    assert!(ends.eq([Gets::Nothing, Gets::Nothing]));
    scene.close();
}

// SRV-80, SRV-81, SRV-82, PA-37
#[test]
fn live_watchers_follow_each_change_at_once() {
    use Gets::{All, Bare, Notes, Nothing, Polite, Waits};
    let kinds = [Nothing, Waits, Polite, All, Bare, Notes];
    for from in kinds {
        for to in kinds {
            // By rules for all, and by such that name the watcher.
            for named in [false, true] {
                let rules = |gets| match named {
                    true => each(&[(ANA, gets), (CARLA, All)]),
                    false => all(gets),
                };
                let mut scene = scene();
                scene.set_rules(BOB, rules(from));
                if from == Nothing {
                    let message = scene.subscribe(ANA, BOB);
                    assert_eq!(scene.send(&message).status(), 403);
                } else {
                    scene.watch(ANA, BOB);
                }
                let other = scene.watch(BOB, BOB);
                let affected = scene.set_rules(BOB, rules(to));
                match (from == to, named) {
                    (true, _) => assert_eq!(affected, Affected::Nobody),
                    (_, true) => {
                        let ana = "ana@example.com".to_owned();
                        assert_eq!(affected, Affected::Watchers(vec![ana]));
                    }
                    (_, false) => assert_eq!(affected, Affected::Everybody),
                }
                let told = scene.settle();
                if from == to || from == Nothing {
                    assert!(told.notifies().is_empty(), "{from:?} {to:?} {told:?}");
                } else {
                    assert_eq!(gets(told.notify()), as_seen(to), "{from:?} {to:?}");
                    assert_eq!(told.times(), [0.0]);
                }
                let lives = if from == Nothing || to == Nothing {
                    1
                } else {
                    2
                };
                assert_eq!(scene.live(), lives);
                // The presentity itself is not concerned.
                assert_eq!(shown(&other.notify), ["desk: secret"]);
                // And what comes after goes by the new rules.
                let document = document_of(BOB, "desk", "secret 2");
                scene.agent.set_presence(scene.now, BOB, document).unwrap();
                let told = scene.pass(10.0);
                let sees_change = lives == 2 && matches!(to, All | Notes);
                let expected = 1 + usize::from(sees_change);
                assert_eq!(told.notifies().len(), expected, "{from:?} {to:?}");
                scene.close();
            }
        }
    }
}

// SRV-80, PA-37
#[test]
fn only_those_whom_a_change_concerns_are_told() {
    let mut scene = scene();
    let count = 10_000;
    let name = |number: usize| format!("sip:user{number}@example.net");
    let allowed = |but: &[usize]| {
        let mut rule = rule("friends", Gets::All);
        for number in (0..count).filter(|number| !but.contains(number)) {
            rule = rule.for_one(name(number));
        }
        Ruleset::new().with_rule(rule)
    };
    scene.set_rules(BOB, allowed(&[]));
    for number in 0..count {
        scene.watch(&name(number), BOB);
    }
    assert_eq!(scene.agent.occupancy().variants, 1);
    let gone: Vec<usize> = (0..10).map(|number| number * 997).collect();
    let affected = scene.set_rules(BOB, allowed(&gone));
    let Affected::Watchers(watchers) = &affected else {
        panic!("{affected:?}");
    };
    assert_eq!(watchers.len(), 10);
    // Nobody else is still to be looked at.
    assert_eq!(scene.agent.occupancy().outputs, 10 + 10);
    let told = scene.settle();
    assert_eq!(told.notifies().len(), 10);
    for notify in told.notifies() {
        assert_eq!(gets(notify), Gets::Nothing);
        assert!(watchers.iter().any(|it| {
            let user = it.split('@').next().unwrap();
            notify.uri().starts_with(&format!("sip:{user}@"))
        }));
    }
    assert_eq!(scene.live(), count - 10);
    // A rule for many: all are looked at, and those who keep what they have are not told.
    let strangers = Many::all().except_domain("example.org");
    let rules = allowed(&gone).with_rule(rule("more", Gets::Bare).for_many(strangers));
    assert_eq!(scene.set_rules(BOB, rules), Affected::Everybody);
    assert!(scene.settle().notifies().is_empty());
    // Twice while the review is under way: what was said last holds for all.
    scene.set_rules(BOB, all(Gets::Polite));
    let _ = scene.agent.poll_output();
    scene.set_rules(BOB, all(Gets::Bare));
    for _ in 0..600 {
        if let Some(Output::Send(request)) = scene.agent.poll_output() {
            scene.answer(&request, 200);
        }
    }
    scene.set_rules(BOB, all(Gets::Notes));
    let told = scene.settle();
    assert_eq!(scene.live(), count - 10);
    let decisions: std::collections::BTreeSet<String> = scene
        .agent
        .subscriptions()
        .map(|it| format!("{:?}", it.decision))
        .collect();
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    assert_eq!(scene.agent.occupancy().variants, 1);
    let last = told.notifies();
    assert!(
        last.iter()
            .rev()
            .take(100)
            .all(|it| gets(it) == Gets::Notes)
    );
    scene.close();
}

// SRV-80
#[test]
fn named_watchers_change_in_the_middle_of_a_review_of_all() {
    let mut scene = scene();
    let name = |number: usize| format!("sip:user{number}@example.net");
    scene.set_rules(BOB, all(Gets::All));
    for number in 0..1_000 {
        scene.watch(&name(number), BOB);
    }
    let bare = rule("all", Gets::Bare);
    scene.set_rules(BOB, Ruleset::new().with_rule(bare.clone()));
    let _ = scene.agent.poll_output();
    // The last ones have not been looked at yet, the first have.
    let more = rule("two", Gets::Notes).for_one(name(0)).for_one(name(999));
    let rules = Ruleset::new().with_rule(bare).with_rule(more);
    let affected = scene.set_rules(BOB, rules.clone());
    assert!(matches!(affected, Affected::Watchers(two) if two.len() == 2));
    assert_eq!(scene.set_rules(BOB, rules), Affected::Nobody);
    scene.settle();
    let two = ["user0@example.net", "user999@example.net"];
    let as_told = scene.agent.subscriptions().filter(|it| {
        let shows_notes = format!("{:?}", it.decision).contains("note");
        shows_notes == it.watcher.is_some_and(|name| two.contains(&name))
    });
    assert_eq!(as_told.count(), 1_000);
    assert_eq!(scene.agent.occupancy().variants, 2);
    scene.close();
}

// SRV-80, SRV-82
#[test]
fn who_may_see_the_same_shares_a_document() {
    let mut scene = scene();
    let rules = Ruleset::new()
        .with_rule(rule("a", Gets::Bare).for_one(ANA))
        .with_rule(rule("b", Gets::Bare).for_one(CARLA).for_one(DORA))
        .with_rule(rule("c", Gets::Notes).for_one(DORA));
    scene.set_rules(BOB, rules);
    scene.watch(ANA, BOB);
    scene.watch(CARLA, BOB);
    assert_eq!(scene.agent.occupancy().variants, 1);
    scene.watch(DORA, BOB);
    assert_eq!(scene.agent.occupancy().variants, 2);
    // Carla gets what Dora has.
    let rules = Ruleset::new()
        .with_rule(rule("a", Gets::Bare).for_one(ANA))
        .with_rule(rule("b", Gets::Notes).for_one(CARLA).for_one(DORA));
    scene.set_rules(BOB, rules);
    assert_eq!(scene.settle().notifies().len(), 1);
    assert_eq!(scene.agent.occupancy().variants, 2);
    scene.close();
}

fn decisions(scene: &Scene) -> Vec<Decision> {
    let all = scene.agent.subscriptions();
    all.map(|it| it.decision.clone()).collect()
}

// SRV-11, SRV-13
#[test]
fn what_the_application_has_decided_survives_rules_that_say_the_same() {
    let mut scene = scene();
    scene.set_rules(BOB, all(Gets::Waits));
    let mut watch = scene.watch(ANA, BOB);
    let message = scene.subscribe(CARLA, BOB);
    let told = scene.send(&message);
    let begun = |told: &Told| {
        told.0.iter().any(|at| {
            matches!(
                &at.output,
                Output::Event(ServerEvent::SubscriptionStarted {
                    decision: Decision::Pending,
                    ..
                })
            )
        })
    };
    assert!(begun(&told), "the user is asked: {told:?}");
    let allow = Decision::Allow(View::full());
    let now = scene.now;
    let decided = scene.agent.decide_watcher(now, ANA, BOB, &allow);
    assert_eq!(decided, Ok(1));
    assert_eq!(gets(scene.settle().notify()), Gets::Notes);
    let stays = |scene: &mut Scene| {
        assert!(scene.settle().notifies().is_empty());
        assert_eq!(decisions(scene), [allow.clone(), Decision::Pending]);
    };
    // The same again, and again under another name.
    assert_eq!(scene.set_rules(BOB, all(Gets::Waits)), Affected::Nobody);
    stays(&mut scene);
    let renamed = Ruleset::new().with_rule(rule("everyone", Gets::Waits));
    assert_eq!(scene.set_rules(BOB, renamed.clone()), Affected::Everybody);
    stays(&mut scene);
    let others = renamed.with_rule(rule("dora", Gets::All).for_one(DORA));
    scene.set_rules(BOB, others.clone());
    stays(&mut scene);
    // Twice in a row, the same within an unfinished review.
    scene.set_rules(BOB, all(Gets::Waits));
    scene.set_rules(BOB, all(Gets::Waits));
    stays(&mut scene);
    scene.agent.review(scene.now, BOB).unwrap();
    stays(&mut scene);
    scene.agent.review_watcher(scene.now, ANA, BOB).unwrap();
    stays(&mut scene);
    // A refresh.
    let refresh = watch.refresh();
    assert_eq!(state(scene.send(&refresh).notify()), "active");
    assert_eq!(decisions(&scene), [allow.clone(), Decision::Pending]);
    // And rules that say something else undo it.
    scene.set_rules(BOB, all(Gets::Polite));
    let told = scene.settle();
    assert!(
        told.notifies()
            .into_iter()
            .all(|it| gets(it) == Gets::Polite)
    );
    assert_eq!(
        decisions(&scene),
        [Decision::PoliteBlock, Decision::PoliteBlock]
    );
    scene.close();
}

fn known_as(names: &[&str]) -> Identity {
    names.iter().fold(Identity::nobody(), |identity, name| {
        identity.and(name, Assurance::Asserted).unwrap()
    })
}

// SRV-80
#[test]
fn all_names_of_a_watcher_count() {
    let mut scene = scene();
    let but = Many::all().except_one(CARLA);
    let rules = Ruleset::new().with_rule(rule("but", Gets::All).for_many(but));
    scene.set_rules(BOB, rules.clone());
    let both = known_as(&[ANA, CARLA]);
    let message = scene.subscribe(ANA, BOB);
    assert_eq!(scene.send_as(&message, &both).status(), 403);
    // Let in by the second name alone, also when that comes later.
    scene.set_rules(BOB, each(&[(CARLA, Gets::Bare)]));
    let watch = scene.watch_as(ANA, BOB, &both);
    assert_eq!(gets(&watch.notify), Gets::Bare);
    let affected = scene.set_rules(BOB, each(&[(CARLA, Gets::Notes)]));
    assert!(matches!(affected, Affected::Watchers(_)));
    assert_eq!(gets(scene.settle().notify()), Gets::Notes);
    // A review does not forget it.
    scene.agent.review(scene.now, BOB).unwrap();
    assert!(scene.settle().notifies().is_empty());
    scene.set_rules(BOB, all(Gets::Bare));
    assert_eq!(gets(scene.settle().notify()), Gets::Bare);
    scene.set_rules(BOB, rules);
    assert_eq!(gets(scene.settle().notify()), Gets::Nothing);
    // Whoever has one name more than Bob's is Bob.
    let own = scene.watch_as(ANA, BOB, &known_as(&[ANA, BOB]));
    assert_eq!(shown(&own.notify), ["desk: secret"]);
    scene.set_rules(BOB, each(&[(ANA, Gets::Nothing)]));
    assert!(scene.settle().notifies().is_empty());
    scene.close();
}

// SRV-13
#[test]
fn without_rules_the_other_policy_decides() {
    let mut scene = scene();
    scene.set_rules(BOB, all(Gets::Bare));
    scene.watch(ANA, BOB);
    scene.watch(BOB, BOB);
    assert_eq!(scene.put_rules(BOB, None), Affected::Everybody);
    assert_eq!(gets(scene.settle().notify()), Gets::Notes);
    assert_eq!(scene.put_rules(BOB, None), Affected::Nobody);
    assert!(scene.settle().is_nothing());
    scene.set_rules(BOB, all(Gets::Bare));
    assert_eq!(gets(scene.settle().notify()), Gets::Bare);
    let refused = Decision::Reject(Rejection::Forbidden);
    scene.house().everybody = Authorization::Decided(refused);
    scene.put_rules(BOB, None);
    let told = scene.settle();
    let ends = told.notifies().into_iter().map(gets);
    assert!(ends.eq([Gets::Nothing, Gets::Nothing]));
    assert!(scene.agent.policy().rules("bob@example.com").is_none());
    scene.close();
}

// SRV-80
#[test]
fn a_fetch_and_a_refresh_go_by_the_rules_of_now() {
    let mut scene = scene();
    scene.set_rules(BOB, all(Gets::Bare));
    let mut watch = scene.watch(ANA, BOB);
    let fetch = scene.subscribe(CARLA, BOB).with("Expires", "0");
    let told = scene.send(&fetch);
    assert_eq!(shown(told.notify()), ["desk"]);
    // The refresh comes before the review that the change has begun.
    scene.set_rules(BOB, all(Gets::Nothing));
    let refresh = watch.refresh();
    let identity = known_as(&[ANA]);
    scene.hand_in(&refresh, &RequestContext::new(&identity, AGENT));
    let told = scene.settle();
    assert_eq!(told.notifies().len(), 1, "{told:?}");
    assert_eq!(gets(told.notify()), Gets::Nothing);
    assert!(matches!(told.status(), 403 | 481), "{told:?}");
    assert!(response_field(told.response(), "Expires").is_none());
    assert_eq!(scene.live(), 0);
    let again: Message = watch.refresh();
    assert_eq!(scene.send(&again).status(), 481);
    scene.close();
}

// SRV-80
#[test]
fn a_name_that_is_not_proved_any_more_gives_nothing() {
    for others in [Gets::Waits, Gets::Bare] {
        let mut scene = scene();
        let rules = Ruleset::new()
            .with_rule(rule("carla", Gets::Notes).for_one(CARLA))
            .with_rule(rule("others", others));
        scene.set_rules(BOB, rules.clone());
        let mut watch = scene.watch_as(ANA, BOB, &known_as(&[ANA, CARLA]));
        assert_eq!(gets(&watch.notify), Gets::Notes);
        let told = scene.send_as(&watch.refresh(), &known_as(&[ANA]));
        assert_eq!(gets(told.notify()), others);
        // Nor when all are looked at.
        scene.agent.review(scene.now, BOB).unwrap();
        assert!(scene.settle().notifies().is_empty());
        let dora = rule("dora", Gets::All).for_many(Many::of_domain("example.org"));
        scene.set_rules(BOB, rules.with_rule(dora));
        assert!(scene.settle().notifies().is_empty());
        // And one that is proved later gives what it gives.
        let told = scene.send_as(&watch.refresh(), &known_as(&[ANA, CARLA]));
        assert_eq!(gets(told.notify()), Gets::Notes);
        scene.set_rules(BOB, each(&[(CARLA, Gets::Bare)]));
        assert_eq!(gets(scene.settle().notify()), Gets::Bare);
        scene.close();
    }
}
