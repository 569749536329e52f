//! Calls of the gateway out of their order: requests while others are open, verdicts late or twice.

use presentity::engine::{Entropy, FlowId, ServerTransaction};
use presentity::event::Identity;
use presentity::mime::Verify;
use presentity::sdf::{Failure, Operation, RequestContext};

use crate::common::seeded;
use crate::rules::{Document, EMIL, NORA, authority, known, signed, state};
use crate::scene::{Fate, Scene};

#[test]
fn a_second_request_waits_for_the_answer_to_the_first() {
    let mut scene = Scene::new();
    scene.fates.push_back(Fate::Held);
    scene.subscribe("a", 600);
    for _ in 0..2 {
        assert_eq!(scene.subscribe("a", 700).failure(), Failure::Busy(10));
        assert_eq!(scene.end("a").failure(), Failure::Busy(10));
    }
    assert_eq!(scene.release().granted().duration, 600);
    scene.fates.push_back(Fate::Held);
    assert_eq!(scene.subscribe("a", 800).story(), [""; 0]);
    assert_eq!(scene.subscribe("a", 700).failure(), Failure::Busy(10));
    assert_eq!(scene.end("a").failure(), Failure::Busy(10));
    // Another one is not held up.
    assert_eq!(scene.subscribe("b", 600).granted().duration, 600);
    assert_eq!(scene.release().granted().duration, 800);
    scene.fates.push_back(Fate::Held);
    assert_eq!(scene.end("a").story(), [""; 0]);
    assert_eq!(scene.subscribe("a", 700).failure(), Failure::Busy(10));
    assert_eq!(scene.end("a").failure(), Failure::Busy(10));
    assert_eq!(scene.release().granted().operation, Operation::Cancel);
    assert_eq!(scene.end("b").granted().operation, Operation::Cancel);
    scene.nothing_is_left();
}

#[test]
fn verdicts_may_be_late_or_missing_or_come_twice() {
    let mut scene = Scene::of_strangers();
    scene.verifies = false;
    let request = scene.hold("a", 600);
    let told = scene.ask(&signed(&request));
    let verification = told.verifications()[0].clone();
    assert_eq!((told.all.len(), scene.gateway.waiting()), (1, 1));
    assert!(scene.subscribes.is_empty());
    let told = scene.pass(17.0);
    assert_eq!(told.failure(), Failure::Unverified);
    let verdict = authority().verifier().verify(&verification.signed);
    let (now, key) = (scene.now, verification.key);
    assert!(!scene.gateway.complete_verification(now, key, &verdict));
    assert_eq!(scene.settle().story(), [""; 0]);
    scene.nothing_is_left();

    let request = scene.hold("a", 600);
    let told = scene.ask(&signed(&request));
    let key = told.verifications()[0].key;
    let now = scene.now;
    assert!(scene.gateway.complete_verification(now, key, &verdict));
    assert!(!scene.gateway.complete_verification(now, key, &verdict));
    assert_eq!(scene.settle().granted().duration, 600);
    assert_eq!(scene.subscribes.len(), 1);
}

#[test]
fn the_same_signed_request_twice_at_once_is_one_subscription() {
    let mut scene = Scene::of_strangers();
    scene.verifies = false;
    let request = scene.hold("a", 600);
    let document = signed(&request);
    let first = scene.ask(&document).verifications()[0].clone();
    let second = scene.ask(&document).verifications()[0].clone();
    let verdict = authority().verifier().verify(&first.signed);
    let now = scene.now;
    scene
        .gateway
        .complete_verification(now, second.key, &verdict);
    assert_eq!(scene.settle().granted().duration, 600);
    scene
        .gateway
        .complete_verification(now, first.key, &verdict);
    assert_eq!(scene.settle().failure(), Failure::Replayed);
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
}

#[test]
fn the_same_fetch_twice_at_once_is_carried_on_once() {
    let mut scene = Scene::of_strangers();
    let document = signed(&scene.fetch());
    scene.fates.push_back(Fate::Held);
    assert_eq!(scene.ask(&document).story(), [""; 0]);
    assert_eq!(scene.ask(&document).failure(), Failure::Busy(10));
    // Another one is not held up.
    let other = signed(&scene.fetch());
    assert_eq!(scene.ask(&other).granted().operation, Operation::Fetch);
    assert_eq!(scene.release().granted().operation, Operation::Fetch);
    assert_eq!(scene.ask(&document).failure(), Failure::Replayed);
    assert_eq!(scene.subscribes.len(), 2);

    // What has failed may come again.
    let document = signed(&scene.fetch());
    scene.fates.push_back(Fate::Answered(403, Vec::new()));
    scene.ask(&document).failure();
    assert_eq!(scene.ask(&document).granted().operation, Operation::Fetch);
    scene.pass(40.0);
    scene.nothing_is_left();
}

/// Whoever repeats what the far end has refused is not told the watcher's news instead of the watcher.
#[test]
fn what_is_refused_leaves_the_way_of_notifications_as_it_was() {
    let mut scene = Scene::of_strangers();
    let ways = [FlowId(1), FlowId(2)];
    let ask = |scene: &mut Scene<_>, document: &Document, way: FlowId| {
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody).with_flow(way);
        let (now, (content_type, body)) = (scene.now, document);
        let account = scene.account.clone();
        let transaction = ServerTransaction(1_000);
        (scene.gateway)
            .handle_request(now, transaction, content_type, body, &context, &account)
            .unwrap();
        scene.settle()
    };
    let begun = signed(&scene.hold("a", 600));
    assert!(ask(&mut scene, &begun, ways[0]).answers()[0].is_ok());
    scene.pass(6.0);
    let longer = signed(&scene.hold("a", 900));
    for way in ways {
        scene.fates.push_back(Fate::Answered(403, Vec::new()));
        ask(&mut scene, &longer, way).failure();
    }
    let told = scene.set(state(EMIL, "away"));
    assert_eq!(told.states()[0].flow, Some(ways[0]));
    scene.pass(6.0);
    assert!(ask(&mut scene, &longer, ways[1]).answers()[0].is_ok());
    scene.pass(6.0);
    let told = scene.set(state(EMIL, "back"));
    assert_eq!(told.states()[0].flow, Some(ways[1]));
}

#[test]
fn an_unsigned_extension_of_the_authenticated_watcher_passes() {
    let mut scene = Scene::new();
    let request = scene.hold("a", 600);
    assert_eq!(scene.ask(&signed(&request)).granted().duration, 600);
    scene.watcher = known(NORA);
    assert_eq!(scene.subscribe("a", 700).granted().duration, 700);
    scene.end("a");
    scene.nothing_is_left();
}

#[test]
fn time_may_stand_still_or_go_backwards() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    let now = scene.now;
    for _ in 0..3 {
        scene
            .gateway
            .handle_timeout(presentity::engine::Timestamp::ZERO);
        scene.gateway.handle_timeout(now);
    }
    assert_eq!(scene.settle().story(), [""; 0]);
    scene.pass(10.0);
    scene.now = now;
    assert_eq!(scene.end("a").granted().operation, Operation::Cancel);
    scene.nothing_is_left();
}

/// Whatever becomes of SUBSCRIBEs, each request is answered once, and nothing is left in the end.
#[test]
fn random_courses_end_in_nothing() {
    for seed in 0..60 {
        let mut random = seeded(seed);
        let mut dice = move |sides: u8| {
            let mut byte = [0];
            Entropy::fill(&mut random, &mut byte);
            byte[0] % sides
        };
        let mut scene = Scene::new();
        let (mut asked, mut answered) = (0, 0);
        for _ in 0..80 {
            let fate = match dice(16) {
                0 => Fate::Lost,
                1 => Fate::Unsent,
                2 => Fate::Held,
                3 => Fate::Answered(403, vec![]),
                4 => Fate::Answered(481, vec![]),
                5 => Fate::Answered(503, vec![("Retry-After", "20")]),
                6 => Fate::Answered(423, vec![("Min-Expires", "3600")]),
                _ => Fate::Passes,
            };
            scene.fates.push_back(fate);
            let name = ["a", "b", "c"][usize::from(dice(3))];
            let told = match dice(8) {
                0 => {
                    asked += 1;
                    let request = scene.fetch();
                    scene.ask_plainly(&request)
                }
                1 => {
                    asked += 1;
                    scene.end(name)
                }
                2..=4 => {
                    asked += 1;
                    let seconds = 61 + 3 * u32::from(dice(200));
                    let request = scene.hold(name, seconds);
                    // Signatures take their time.
                    match dice(16) {
                        0 => scene.ask(&signed(&request)),
                        _ => scene.ask_plainly(&request),
                    }
                }
                5 if !scene.held.is_empty() => scene.release(),
                6 => scene.set(state(EMIL, name)),
                _ => scene.pass(f64::from(dice(100))),
            };
            answered += told.answers().len();
            assert!(answered <= asked, "{seed}");
        }
        scene.fates.clear();
        for _ in 0..20 {
            answered += scene.pass(100.0).answers().len();
            while !scene.held.is_empty() {
                answered += scene.release().answers().len();
            }
        }
        assert_eq!(answered, asked, "{seed}");
        scene.nothing_is_left_here();
        scene.pass(3600.0);
        scene.nothing_is_left();
    }
}
