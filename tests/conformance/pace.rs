//! How often watchers are told of changes, and what is exempt (RFC 3856 section 6.10).

use core::time::Duration;

use presentity::event::{Decision, Reason, Termination, View};
use presentity::pidf::Presence;

use crate::common::{Outputs, field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, document, notes, story, viewing};

/// Who is notified, by the user part of To.
fn told(outputs: &Outputs) -> Vec<String> {
    outputs
        .requests()
        .iter()
        .map(|request| {
            let to = field(request, "To").unwrap();
            to[5..to.find('@').unwrap()].to_owned()
        })
        .collect()
}

// PA-64
#[test]
fn the_first_change_is_told_at_once() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64
#[test]
fn the_next_change_waits_until_five_seconds_have_passed() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    scene.pass(1.0);
    assert!(scene.set("two").all.is_empty());
    assert!(scene.pass(3.999).all.is_empty());
    let outputs = scene.pass(0.101);
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64: latest state wins.
#[test]
fn of_several_changes_the_latest_is_told() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("zero");
    scene.answer_all(&outputs);
    for note in ["one", "two", "three"] {
        scene.pass(1.0);
        assert!(scene.set(note).all.is_empty());
    }
    let outputs = scene.pass(2.1);
    assert_eq!(notes(outputs.notify()), ["three"]);
    scene.answer_all(&outputs);
    assert!(scene.pass(60.0).all.is_empty());
    scene.close();
}

// PA-64: the state of the moment at which the NOTIFY is taken.
#[test]
fn a_change_between_due_and_taken_is_in_it() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    let now = scene.now;
    let change = |scene: &mut Scene, note: &str| {
        scene
            .role
            .set_presence(now, BOB, crate::scene::state(note))
            .unwrap();
    };
    change(&mut scene, "two");
    scene.now = now + Duration::from_millis(5_100);
    let now = scene.now;
    scene.role.handle_timeout(now);
    change(&mut scene, "three");
    let outputs = scene.drain();
    assert_eq!(notes(outputs.notify()), ["three"]);
    assert!(scene.answer_all(&outputs).all.is_empty());
    scene.close();
}

// PA-64
#[test]
fn the_interval_runs_from_round_to_round() {
    let mut scene = Scene::new();
    scene.watch();
    let mut times = Vec::new();
    for step in 0..200 {
        // 0.7 s a step: 140 s.
        let mut outputs = scene.pass(0.7);
        outputs.all.extend(scene.set(&format!("step {step}")).all);
        for _ in outputs.requests() {
            times.push(scene.now);
        }
        scene.answer_all(&outputs);
    }
    assert!(times.len() >= 20 && times.len() <= 29, "{}", times.len());
    let outputs = scene.pass(5.1);
    assert_eq!(notes(outputs.notify()), ["step 199"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64: precisely, from deadline to deadline.
#[test]
fn two_rounds_are_never_closer_than_the_interval() {
    let mut scene = Scene::new();
    scene.watch();
    let mut last = None;
    let mut count = 0;
    for step in 0..2_000 {
        scene.now = scene.now + Duration::from_millis(73);
        let now = scene.now;
        scene.role.handle_timeout(now);
        let mut outputs = scene.drain();
        outputs.all.extend(scene.set(&format!("step {step}")).all);
        for _ in outputs.requests() {
            if let Some(last) = last {
                assert!(now.saturating_since(last) >= Duration::from_secs(5));
            }
            last = Some(now);
            count += 1;
        }
        scene.answer_all(&outputs);
    }
    assert_eq!(count, 146_000 / 5_037 + 1);
    scene.close();
}

// PA-64
#[test]
fn the_interval_is_a_setting() {
    for (interval, waits) in [(0.0, 0.0), (0.5, 0.5), (30.0, 30.0)] {
        let mut scene = Scene::configured(|config| {
            config.server.notify_interval = Duration::from_secs_f64(interval);
        });
        scene.watch();
        let outputs = scene.set("one");
        scene.answer_all(&outputs);
        let mut outputs = scene.set("two");
        if waits > 0.0 {
            assert!(outputs.all.is_empty());
            assert!(scene.pass(waits - 0.01).all.is_empty());
            outputs = scene.pass(0.11);
        }
        assert_eq!(notes(outputs.notify()), ["two"]);
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-64, PA-25: SUBSCRIBE is exempt.
#[test]
fn a_notify_owed_to_a_subscribe_does_not_wait() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    for round in 0..5 {
        scene.set(&format!("round {round}"));
        let outputs = scene.send(&watch.refresh());
        assert_eq!(notes(outputs.notify()), [format!("round {round}")]);
        scene.answer_all(&outputs);
    }
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-64
#[test]
fn a_notify_owed_to_a_subscribe_does_not_start_the_interval() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.set("one");
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    scene.pass(20.0);
    let outputs = scene.send(&watch.refresh());
    scene.answer_all(&outputs);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64, PA-42: so are decisions.
#[test]
fn a_notify_owed_to_a_decision_neither_waits_nor_starts_the_interval() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    for decision in [
        viewing("notes"),
        Decision::Pending,
        Decision::PoliteBlock,
        Decision::Allow(View::full()),
    ] {
        let outputs = scene.decide(decision);
        assert_eq!(outputs.requests().len(), 1);
        scene.answer_all(&outputs);
    }
    scene.pass(10.0);
    let outputs = scene.decide(Decision::Pending);
    scene.answer_all(&outputs);
    let outputs = scene.decide(Decision::Allow(View::full()));
    scene.answer_all(&outputs);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64, PA-58: and ends.
#[test]
fn the_end_does_not_wait() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    scene.set("two");
    let outputs = scene.terminate(Reason::Deactivated);
    assert_eq!(story(&outputs)[1], "terminated;reason=deactivated");
    scene.answer_all(&outputs);
    assert!(scene.pass(10.0).all.is_empty());
    scene.empty();
}

// PA-64
#[test]
fn a_watcher_that_has_the_state_already_gets_nothing_at_the_tick() {
    let mut scene = Scene::new();
    let mut ana = scene.watch();
    scene.watch_as(CARLA);
    let outputs = scene.set("one");
    assert_eq!(told(&outputs), ["ana", "carla"]);
    scene.answer_all(&outputs);
    scene.pass(1.0);
    scene.set("two");
    let outputs = scene.send(&ana.refresh());
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    let third = scene.watch_as("sip:dan@example.com");
    assert_eq!(notes(&third.notify), ["two"]);
    let outputs = scene.pass(4.1);
    assert_eq!(told(&outputs), ["carla"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64
#[test]
fn a_state_that_came_back_is_not_told() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    scene.set("two");
    scene.pass(1.0);
    scene.set("one");
    assert!(scene.pass(10.0).all.is_empty());
    // And there was no round.
    let outputs = scene.set("three");
    assert_eq!(notes(outputs.notify()), ["three"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64: even when another watcher saw what was in between.
#[test]
fn a_state_that_came_back_is_told_to_those_alone_who_saw_the_other() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer_all(&outputs);
    scene.set("two");
    let carla = scene.watch_as(CARLA);
    assert_eq!(notes(&carla.notify), ["two"]);
    scene.set("one");
    let outputs = scene.pass(10.0);
    assert_eq!(told(&outputs), ["carla"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64, PA-38
#[test]
fn the_same_state_again_is_no_change() {
    let mut scene = Scene::new();
    scene.set("one");
    scene.watch();
    for _ in 0..5 {
        scene.pass(10.0);
        assert!(scene.set("one").all.is_empty());
    }
    scene.close();
}

// PA-64: for each presentity by itself.
#[test]
fn presentities_do_not_wait_for_each_other() {
    let mut scene = Scene::new();
    scene.watch();
    let message = scene.subscribe(ANA, CARLA);
    scene.watch_by(message);
    let outputs = scene.set("bob's");
    assert_eq!(notes(outputs.notify()), ["bob's"]);
    scene.answer_all(&outputs);
    let outputs = scene.set_for(CARLA, "carla's");
    assert_eq!(notes(outputs.notify()), ["carla's"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64: whichever source a change is of.
#[test]
fn changes_of_all_kinds_share_the_interval() {
    let mut scene = Scene::configured(|config| {
        config.lasting = presentity::presence::LastingState::Always;
    });
    scene.watch();
    let outputs = scene.set("set");
    scene.answer_all(&outputs);
    scene.pass(1.0);
    let message = scene.publish(BOB, &document("p", "published"));
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "published Initial"]);
    scene.pass(1.0);
    assert!(scene.clear().all.is_empty());
    let outputs = scene.pass(3.1);
    assert_eq!(notes(outputs.notify()), ["published"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64
#[test]
fn a_publication_that_runs_out_is_a_change_like_any() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Expires", "3600");
    scene.watch_by(message);
    let message = scene
        .publish(BOB, &document("p", "published"))
        .with("Expires", "60");
    let outputs = scene.send(&message);
    assert_eq!(notes(outputs.notify()), ["published"]);
    scene.answer_all(&outputs);
    scene.pass(58.0);
    let outputs = scene.set("unseen");
    assert!(outputs.all.is_empty(), "what is published hides it");
    let outputs = scene.pass(2.1);
    assert_eq!(outputs.events().len(), 1);
    assert_eq!(notes(outputs.notify()), ["unseen"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64: a round is not held up by the dead, and tells the newest.
#[test]
fn a_window_bounds_how_many_notifies_are_open() {
    let mut scene = Scene::configured(|config| {
        config.server.window = 2;
        config.server.slow_window = 1;
    });
    for name in ["a", "b", "c", "d", "e"] {
        scene.watch_as(&format!("sip:{name}@example.com"));
    }
    let first = scene.set("one");
    assert_eq!(told(&first), ["a", "b"]);
    assert!(scene.set("two").all.is_empty());
    // One that is answered makes room for one more, who gets the newest.
    let outputs = scene.answer(first.requests()[0], 200);
    assert_eq!(told(&outputs), ["c"]);
    assert_eq!(notes(outputs.notify()), ["two"]);
    // One that is not answered for a while makes room too, once.
    let third = scene.pass(2.1);
    assert_eq!(told(&third), ["d"]);
    assert!(scene.pass(2.5).requests().is_empty());
    assert_eq!(scene.role.occupancy().open_notifies, 3);
    scene.close();
}

// PA-25, PA-64: what is owed waits for the window as well, and goes before changes.
#[test]
fn what_is_owed_goes_before_what_has_changed() {
    let mut scene = Scene::configured(|config| {
        config.server.window = 1;
        config.server.slow_window = 0;
    });
    scene.watch_as("sip:a@example.com");
    scene.watch_as("sip:b@example.com");
    let first = scene.set("one");
    assert_eq!(told(&first), ["a"]);
    let message = scene.subscribe(CARLA, BOB);
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "started allowed"]);
    let outputs = scene.answer_all(&first);
    assert_eq!(told(&outputs), ["carla"]);
    let outputs = scene.answer_all(&outputs);
    assert_eq!(told(&outputs), ["b"]);
    assert!(scene.answer_all(&outputs).all.is_empty());
    scene.close();
}

// PA-64
#[test]
fn a_round_goes_on_when_watchers_leave_in_the_middle_of_it() {
    for leaving in ["a", "b", "c", "d"] {
        let mut scene = Scene::configured(|config| {
            config.server.window = 1;
            config.server.slow_window = 0;
        });
        let mut watches: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|name| (name, scene.watch_as(&format!("sip:{name}@example.com"))))
            .collect();
        let mut open = scene.set("one");
        let mut all = told(&open);
        let place = watches
            .iter()
            .position(|(name, _)| *name == leaving)
            .unwrap();
        let bye = watches[place].1.unsubscribe();
        assert_eq!(scene.send(&bye).status(), 200);
        loop {
            let outputs = scene.answer_all(&open);
            if outputs.requests().is_empty() {
                break;
            }
            all.extend(told(&outputs));
            open = outputs;
        }
        // Everyone is told once: of the change, or of the end; who was first, of both.
        all.sort();
        let mut expected = vec!["a", "b", "c", "d"];
        if leaving == "a" {
            expected.insert(0, "a");
        }
        assert_eq!(all, expected, "{leaving} leaves");
        scene.close();
    }
}

// PA-64
#[test]
fn a_change_in_the_middle_of_a_round_reaches_everybody_in_the_end() {
    let mut scene = Scene::configured(|config| {
        config.server.window = 1;
        config.server.slow_window = 0;
    });
    for name in ["a", "b", "c"] {
        scene.watch_as(&format!("sip:{name}@example.com"));
    }
    let outputs = scene.set("one");
    scene.set("two");
    let outputs = scene.answer_all(&outputs);
    assert_eq!(
        (told(&outputs), notes(outputs.notify())),
        (vec!["b".into()], vec!["two".into()])
    );
    let outputs = scene.answer_all(&outputs);
    assert_eq!(notes(outputs.notify()), ["two"]);
    assert!(scene.answer_all(&outputs).all.is_empty());
    // The first has the old state and is told with the next round.
    let outputs = scene.pass(5.1);
    assert_eq!(
        (told(&outputs), notes(outputs.notify())),
        (vec!["a".into()], vec!["two".into()])
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64
#[test]
fn an_interval_under_way_ends_with_the_last_watcher() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let tag = scene.published(BOB, &document("p", "one"));
    let message = scene
        .publish(BOB, &document("p", "two"))
        .with("SIP-If-Match", &tag);
    let outputs = scene.send(&message);
    let tag = crate::scene::etag(&outputs);
    let outputs = scene.send(&watch.unsubscribe());
    scene.answer_all(&outputs);
    let message = scene
        .publish(BOB, "")
        .with("SIP-If-Match", &tag)
        .with("Expires", "0");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    scene.empty();
}

#[test]
fn everyone_without_state_is_told_when_it_is_taken_back() {
    let mut scene = Scene::new();
    scene.set("here");
    scene.watch();
    scene.pass(10.0);
    let outputs = scene.clear();
    assert_eq!(crate::scene::read(outputs.notify()), Presence::new(BOB));
    scene.answer_all(&outputs);
    let now = scene.now;
    let end = Termination::new(Reason::Deactivated);
    assert_eq!(scene.role.terminate_presentity(now, BOB, end), Ok(1));
    let outputs = scene.drain();
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-64: neither prefixes nor white space are a change, nor do they become one with the next change.
#[test]
fn a_document_in_other_words_is_no_change() {
    let mut scene = Scene::new();
    let own = "<x:e xmlns:x='urn:example:x'/></tuple>";
    let first = document("p", "here").replace("</tuple>", own);
    let tag = scene.published(BOB, &first);
    let watch = scene.watch();
    let other = first
        .replace("xmlns:x", "xmlns:y")
        .replace("<x:e", "\n <y:e");
    let message = crate::scene::follow(&mut scene, &tag, &other);
    let outputs = scene.send(&message);
    assert_eq!((outputs.status(), outputs.requests().len()), (200, 0));
    scene.pass(6.0);
    // Hidden by what is published, but the document is made anew.
    assert!(scene.set("unseen").requests().is_empty());
    let now = scene.now;
    scene.role.views_changed(now, BOB).unwrap();
    assert!(scene.pass(6.0).requests().is_empty());
    let again = scene.watch();
    assert_eq!(again.notify.body(), watch.notify.body());
    scene.close();
}
