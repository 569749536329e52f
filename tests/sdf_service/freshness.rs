//! Requests of another time, and those that were accepted before.

use presentity::event::{Authorization, Decision};
use presentity::presence::AgentConfig;
use presentity::sdf::ServiceConfig;
use presentity::sdf::{Failure, Freshness, MEDIA_TYPE, Operation, Request, RequestContext};
use time::{Duration, OffsetDateTime};

use crate::scene::{
    EMIL, NORA, OTTO, RUTH, START, Scene, authority, forbidden, known, nobody, written,
};

fn ask(
    scene: &mut Scene,
    at: OffsetDateTime,
    token: &str,
    duration: u32,
) -> Result<Operation, Failure> {
    let request = written(NORA, EMIL, at, token, duration);
    let answer = scene.send(&request, &known(NORA)).answer();
    answer.map(|granted| granted.operation)
}

const FAR: Duration = Duration::seconds(300);
const NANO: Duration = Duration::NANOSECOND;

// SDF-36
#[test]
fn a_request_is_of_now_give_or_take_the_window() {
    let mut scene = Scene::new();
    scene.until(1_000);
    let today = scene.today();
    let refused = [
        today + FAR + NANO,
        today - FAR - NANO,
        START - Duration::days(400),
    ];
    for (at, number) in refused.into_iter().zip(0..) {
        for (token, duration) in [
            (number.to_string(), 600),
            (number.to_string(), 0),
            (String::new(), 0),
        ] {
            assert_eq!(
                ask(&mut scene, at, &token, duration),
                Err(Failure::Stale),
                "{at}"
            );
        }
    }
    assert_eq!(
        (scene.live(), scene.service.agent().bodies().remembered()),
        (0, 0)
    );
    for (at, token) in [(today + FAR, "ahead"), (today - FAR, "behind")] {
        assert_eq!(ask(&mut scene, at, token, 600), Ok(Operation::Subscribe));
        assert_eq!(ask(&mut scene, at, "", 0), Ok(Operation::Fetch));
    }
    scene.close();
}

// SDF-36: the window is a setting, of a day at most.
#[test]
fn the_window_can_be_chosen() {
    for (chosen, wide) in [(0, 0), (10, 10), (86_400, 86_400), (864_000, 86_400)] {
        let mut scene = Scene::configured(|_, service| {
            service.checks.window = std::time::Duration::from_secs(chosen);
        });
        let wide = Duration::seconds(wide);
        assert_eq!(
            ask(&mut scene, START + wide + NANO, "a", 60),
            Err(Failure::Stale)
        );
        assert_eq!(
            ask(&mut scene, START - wide - NANO, "a", 60),
            Err(Failure::Stale)
        );
        assert_eq!(
            ask(&mut scene, START - wide, "a", 60),
            Ok(Operation::Subscribe)
        );
        assert_eq!(
            ask(&mut scene, START + wide, "b", 60),
            Ok(Operation::Subscribe)
        );
        scene.pass(300_000.0);
        scene.empty();
    }
}

// SDF-36: newer than the last accepted one, whatever that was.
#[test]
fn of_one_subscription_each_request_is_newer() {
    let mut scene = Scene::new();
    let at = |seconds| START + Duration::seconds(seconds);
    assert_eq!(ask(&mut scene, at(10), "a", 600), Ok(Operation::Subscribe));
    for (seconds, duration) in [(10, 600), (10, 0), (10, 60), (9, 600), (-200, 0)] {
        assert_eq!(
            ask(&mut scene, at(seconds), "a", duration),
            Err(Failure::Replayed)
        );
    }
    assert_eq!(
        ask(&mut scene, at(10) + NANO, "a", 600),
        Ok(Operation::Extend)
    );
    assert_eq!(ask(&mut scene, at(100), "a", 600), Ok(Operation::Extend));
    assert_eq!(ask(&mut scene, at(99), "a", 0), Err(Failure::Replayed));
    // Fetches and others are no matter.
    assert_eq!(ask(&mut scene, at(5), "", 0), Ok(Operation::Fetch));
    assert_eq!(ask(&mut scene, at(4), "b", 600), Ok(Operation::Subscribe));
    for (from, to) in [(OTTO, EMIL), (NORA, RUTH)] {
        let request = written(from, to, at(4), "a", 600);
        assert!(scene.send(&request, &known(from)).answer().is_ok());
    }
    assert_eq!(ask(&mut scene, at(101), "a", 0), Ok(Operation::Cancel));
    scene.close();
}

// SDF-36: another spelling of the names is the same triple here, too.
#[test]
fn another_spelling_does_not_make_a_request_new() {
    let mut scene = Scene::new();
    assert_eq!(ask(&mut scene, START, "a", 600), Ok(Operation::Subscribe));
    let request = written(
        "pres:%6eora@Example.ORG",
        "PRES:emil@EXAMPLE.com",
        START,
        "a",
        600,
    );
    assert_eq!(
        scene.send(&request, &known(NORA)).failure(),
        Failure::Replayed
    );
    scene.close();
}

// SDF-36
#[test]
fn a_subscription_cannot_be_brought_back_after_its_end() {
    // Cancelled within the window, and run out.
    for runs_out in [false, true] {
        let mut scene = Scene::new();
        let at = START + Duration::seconds(250);
        let begin = written(NORA, EMIL, at, "a", 60);
        assert!(scene.send(&begin, &known(NORA)).answer().is_ok());
        if runs_out {
            scene.pass(61.0);
        } else {
            assert_eq!(ask(&mut scene, at + NANO, "a", 0), Ok(Operation::Cancel));
        }
        assert_eq!(scene.live(), 0);
        while scene.today() < START + Duration::seconds(1_500) {
            let failure = scene.send(&begin, &known(NORA)).failure();
            assert!(
                matches!(failure, Failure::Replayed | Failure::Stale),
                "{failure}"
            );
            scene.pass(49.0);
        }
        assert_eq!(
            scene.subscribe(NORA, EMIL, "a", 60).granted().operation,
            Operation::Subscribe
        );
        scene.close();
    }
}

// SDF-36, SDF-17
#[test]
fn a_fetch_counts_once() {
    let mut scene = Scene::new();
    let fetch = written(NORA, EMIL, START, "", 0);
    assert!(scene.send(&fetch, &known(NORA)).answer().is_ok());
    assert_eq!(
        scene.send(&fetch, &known(NORA)).failure(),
        Failure::Replayed
    );
    // Of another time it is another, be it an earlier one; of another presentity, too.
    assert_eq!(ask(&mut scene, START - NANO, "", 0), Ok(Operation::Fetch));
    assert_eq!(ask(&mut scene, START + NANO, "", 0), Ok(Operation::Fetch));
    let other = written(NORA, RUTH, START, "", 0);
    assert!(scene.send(&other, &known(NORA)).answer().is_ok());
    scene.until(300);
    assert_eq!(
        scene.send(&fetch, &known(NORA)).failure(),
        Failure::Replayed
    );
    scene.pass(0.001);
    assert_eq!(scene.send(&fetch, &known(NORA)).failure(), Failure::Stale);
    scene.empty();
}

// SDF-36
#[test]
fn without_the_time_of_day_nothing_passes_that_must_be_fresh() {
    let (agent, service) = (AgentConfig::default(), ServiceConfig::default());
    let mut scene = Scene::without_clock(agent, service);
    for (token, duration) in [("a", 600), ("a", 0), ("", 0)] {
        let outcome = ask(&mut scene, START, token, duration);
        assert_eq!(outcome, Err(Failure::NoClock));
    }
    assert_eq!(Failure::NoClock.status(), 500);
    scene.service.set_wall_clock(scene.now, START);
    assert_eq!(ask(&mut scene, START, "a", 600), Ok(Operation::Subscribe));
    scene.close();
}

// SDF-36: what was accepted and forgotten by then is not new again.
#[test]
fn a_clock_that_is_set_back_brings_nothing_back() {
    let mut scene = Scene::new();
    let begin = written(NORA, EMIL, START, "a", 60);
    let fetch = written(NORA, EMIL, START, "", 0);
    for request in [&begin, &fetch] {
        assert!(scene.send(request, &known(NORA)).answer().is_ok());
    }
    scene.until(2_000);
    // Something must come by, for the old ones to be forgotten.
    for _ in 0..3 {
        scene.fetch(OTTO, EMIL);
    }
    scene
        .service
        .set_wall_clock(scene.now, START + Duration::seconds(10));
    for request in [&begin, &fetch] {
        assert_eq!(scene.send(request, &known(NORA)).failure(), Failure::Stale);
    }
    assert_eq!(
        ask(&mut scene, START + Duration::seconds(1), "a", 60),
        Ok(Operation::Subscribe)
    );
    scene.close();
}

// SDF-36: and while they are remembered they are known whatever the clock says.
#[test]
fn a_clock_that_jumps_loses_no_memory() {
    let mut scene = Scene::new();
    assert_eq!(ask(&mut scene, START, "a", 600), Ok(Operation::Subscribe));
    scene
        .service
        .set_wall_clock(scene.now, START + Duration::hours(1));
    assert_eq!(ask(&mut scene, START, "a", 600), Err(Failure::Stale));
    let later = START + Duration::hours(1);
    assert_eq!(ask(&mut scene, later, "a", 600), Ok(Operation::Extend));
    scene.service.set_wall_clock(scene.now, START);
    for at in [START, START + Duration::seconds(200)] {
        assert_eq!(ask(&mut scene, at, "a", 600), Err(Failure::Replayed));
    }
    scene.close();
}

// SDF-36: what was refused, or asked for proof, was not accepted.
#[test]
fn what_was_refused_may_come_again() {
    type Change = fn(&mut Scene);
    let changes: [(Change, Change); 3] = [
        (
            |scene| scene.rule(NORA, forbidden()),
            |scene| scene.rule(NORA, crate::scene::allowed()),
        ),
        (
            |scene| scene.rule(NORA, Authorization::Challenge),
            |scene| scene.rule(NORA, Decision::Pending),
        ),
        (
            |scene| scene.rules().signature = presentity::event::Signature::Bound,
            |scene| scene.rules().signature = presentity::event::Signature::None,
        ),
    ];
    for (refuse, allow) in changes {
        let mut scene = Scene::new();
        let requests = [
            written(NORA, EMIL, START, "a", 600),
            written(NORA, EMIL, START, "", 0),
        ];
        refuse(&mut scene);
        for request in &requests {
            assert!(scene.send(request, &known(NORA)).answer().is_err());
        }
        assert_eq!(scene.service.agent().bodies().remembered(), 0);
        allow(&mut scene);
        for request in &requests {
            assert!(scene.send(request, &known(NORA)).answer().is_ok());
            assert_eq!(
                scene.send(request, &known(NORA)).failure(),
                Failure::Replayed
            );
        }
        scene.close();
    }
}

#[test]
fn failed_cancellations_and_brief_wishes_are_not_remembered() {
    let mut scene = Scene::new();
    let cancel = written(NORA, EMIL, START, "a", 0);
    assert_eq!(
        scene.send(&cancel, &known(NORA)).failure(),
        Failure::UnknownSubscription
    );
    assert_eq!(
        ask(&mut scene, START - NANO, "a", 1),
        Err(Failure::TooBrief(60))
    );
    assert_eq!(scene.service.agent().bodies().remembered(), 0);
    assert_eq!(
        ask(&mut scene, START - NANO, "a", 60),
        Ok(Operation::Subscribe)
    );
    assert_eq!(
        scene.send(&cancel, &known(NORA)).granted().operation,
        Operation::Cancel
    );
    scene.empty();
}

// SDF-36: memory is bounded, and nobody gets past it.
#[test]
fn when_too_much_is_remembered_others_wait() {
    let mut scene = Scene::configured(|_, service| service.checks.remembered = 4);
    for token in ["a", "b", "c"] {
        assert_eq!(
            ask(&mut scene, START, token, 3600),
            Ok(Operation::Subscribe)
        );
    }
    assert_eq!(ask(&mut scene, START, "", 0), Ok(Operation::Fetch));
    let refused = ask(&mut scene, START, "d", 60);
    assert!(matches!(refused, Err(Failure::Busy(_))), "{refused:?}");
    assert!(matches!(
        ask(&mut scene, START + NANO, "", 0),
        Err(Failure::Busy(_))
    ));
    assert_eq!(scene.service.agent().bodies().remembered(), 4);
    // Those that are known go on.
    assert_eq!(
        ask(&mut scene, START + NANO, "a", 3600),
        Ok(Operation::Extend)
    );
    assert_eq!(ask(&mut scene, START + NANO, "b", 0), Ok(Operation::Cancel));
    assert_eq!(
        ask(&mut scene, START + NANO, "b", 60),
        Err(Failure::Replayed)
    );
    assert_eq!(scene.pass(599.0).story(), [""; 0]);
    assert!(matches!(
        scene.subscribe(OTTO, EMIL, "z", 60).failure(),
        Failure::Busy(_)
    ));
    scene.pass(602.0);
    let granted = scene.subscribe(OTTO, EMIL, "z", 60).granted();
    assert_eq!(granted.operation, Operation::Subscribe);
    assert_eq!(scene.service.agent().bodies().remembered(), 1);
    scene.close();
}

// SDF-36: what was used again is kept for longer, and leaves room in the end.
#[test]
fn room_is_found_though_others_are_used_again() {
    let mut scene = Scene::configured(|_, service| service.checks.remembered = 8);
    for token in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        assert_eq!(
            ask(&mut scene, START, token, 3600),
            Ok(Operation::Subscribe)
        );
    }
    scene.until(700);
    for token in ["a", "b", "c", "d", "e", "f", "g"] {
        assert_eq!(
            scene.subscribe(NORA, EMIL, token, 3600).granted().operation,
            Operation::Extend
        );
    }
    let refused = scene.subscribe(NORA, EMIL, "i", 60).failure();
    assert!(matches!(refused, Failure::Busy(_)));
    scene.until(1_201);
    assert!(scene.subscribe(NORA, EMIL, "i", 60).answer().is_ok());
    assert!(matches!(
        scene.subscribe(NORA, EMIL, "j", 60).failure(),
        Failure::Busy(_)
    ));
    scene.close();
}

// SDF-36: where the way itself is safe, only what is signed must be fresh.
#[test]
fn unsigned_requests_need_not_be_fresh_where_the_host_says_so() {
    let (agent, mut service) = (AgentConfig::default(), ServiceConfig::default());
    service.checks.freshness = Freshness::Signed;
    let mut scene = Scene::without_clock(agent, service);
    let old = START - Duration::days(9_000);
    assert_eq!(ask(&mut scene, old, "a", 600), Ok(Operation::Subscribe));
    assert_eq!(ask(&mut scene, old, "a", 600), Ok(Operation::Extend));
    assert_eq!(ask(&mut scene, old, "", 0), Ok(Operation::Fetch));
    assert_eq!(ask(&mut scene, old, "", 0), Ok(Operation::Fetch));
    assert_eq!(scene.service.agent().bodies().remembered(), 0);

    let key = authority().signer(&[NORA]);
    let signed = |scene: &Scene, at| scene.signed(&written(NORA, EMIL, at, "b", 600), &key);
    let request = signed(&scene, START);
    assert_eq!(
        scene.send_written(&request, &nobody()).failure(),
        Failure::NoClock
    );
    scene.service.set_wall_clock(scene.now, START);
    let stale = signed(&scene, old);
    assert_eq!(
        scene.send_written(&stale, &nobody()).failure(),
        Failure::Stale
    );
    assert_eq!(
        scene.send_written(&request, &nobody()).story()[..2],
        ["verify", "Subscribe 600"]
    );
    assert_eq!(
        scene.send_written(&request, &nobody()).failure(),
        Failure::Replayed
    );
    scene.close();
}

// A request is the same whatever it came in.
#[test]
fn what_came_signed_does_not_come_again_unsigned() {
    let mut scene = Scene::new();
    let key = authority().signer(&[NORA]);
    for (token, duration) in [("a", 600), ("", 0)] {
        let request: Request = scene.request(NORA, EMIL, token, duration);
        let signed = scene.signed(&request, &key);
        assert!(scene.send_written(&signed, &nobody()).answer().is_ok());
        assert_eq!(
            scene.send(&request, &known(NORA)).failure(),
            Failure::Replayed
        );
        let nora = known(NORA);
        let context = RequestContext::new(&nora);
        let outputs = scene.send_with(MEDIA_TYPE, request.octets(), &context);
        assert_eq!(outputs.failure(), Failure::Replayed);
    }
    scene.close();
}
