//! Composition that is changed while watchers live, and documents that hold for a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use presentity::pidf::rpid::{Sphere, SphereKind};
use presentity::pidf::{Person, Presence, Tuple};
use presentity::presence::composition::Periods;
use presentity::presence::{Composed, Composition, Compositor, Moment, Part};
use presentity::rules::{Rule, Ruleset, SubHandling};
use time::OffsetDateTime;

use crate::scene::{ANA, BOB, CARLA, Scene, document_of, shown, state};

/// Shows one tuple: since when it was composed in seconds, and of how many parts. It holds for a time.
#[derive(Debug, Clone)]
struct Clock {
    holds_for: Option<Duration>,
    asked: Arc<AtomicU32>,
}

impl Clock {
    fn new(holds_for: f64) -> Self {
        Self {
            holds_for: Some(Duration::from_secs_f64(holds_for)),
            asked: Arc::default(),
        }
    }
}

impl Composition for Clock {
    fn compose(&self, parts: Vec<Part>, moment: &Moment) -> Composed {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let begun = presentity::engine::Timestamp::from_secs(1_000);
        let seconds = moment.now.saturating_since(begun).as_secs();
        let tuple = Tuple::open("clock").with_note(format!("{seconds}, {}", parts.len()));
        let mut composed = Composed::new(Presence::new(BOB).with_tuple(tuple));
        composed.holds_for = self.holds_for;
        composed
    }
}

// SRV-06, SRV-07
#[test]
fn another_composition_is_told_at_once() {
    let mut scene = Scene::new();
    scene.source(BOB, "car", "driving", None);
    scene.source(BOB, "desk", "away", None);
    let watch = scene.watch(ANA, BOB);
    let side_by_side = shown(&watch.notify);
    assert_eq!(side_by_side.len(), 2);
    scene.watch(ANA, CARLA);
    let mut clock = Clock::new(1.0);
    clock.holds_for = None;
    let now = scene.now;
    scene.agent.set_composition(now, clock.clone());
    let told = scene.settle();
    assert_eq!(shown(told.notify()), ["clock: 0, 2"]);
    // Of whom nothing is known, nothing is composed, and each state is composed once.
    assert_eq!(clock.asked.load(Ordering::Relaxed), 1);
    scene.watch(CARLA, BOB);
    assert_eq!(clock.asked.load(Ordering::Relaxed), 1);
    // The same again changes nothing; the union comes back within the pace.
    scene.agent.set_composition(now, clock.clone());
    assert!(scene.settle().is_nothing());
    scene.agent.set_composition(now, Compositor::union());
    let told = scene.pass(10.0);
    assert_eq!(told.times(), [5.0, 5.0]);
    assert_eq!(shown(told.notifies()[0]), side_by_side);
    scene.close();
}

// SRV-06
#[test]
fn what_holds_for_a_time_is_composed_anew_exactly_then() {
    let mut scene = Scene::new();
    let clock = Clock::new(20.0);
    scene.agent.set_composition(scene.now, clock.clone());
    scene.source(BOB, "car", "driving", None);
    scene.pass(3.0);
    let watch = scene.watch(ANA, BOB);
    assert_eq!(shown(&watch.notify), ["clock: 3, 1"]);
    let told = scene.pass(50.0);
    assert_eq!(told.times(), [23.0, 43.0]);
    assert_eq!(shown(told.notifies()[1]), ["clock: 43, 1"]);
    // What changes meanwhile begins it anew.
    scene.pass(7.0);
    scene.source(BOB, "desk", "here", None);
    let told = scene.pass(25.0);
    assert_eq!(told.times(), [60.0, 80.0]);
    scene.close();
}

// SRV-06
#[test]
fn what_holds_no_longer_is_not_shown_to_who_comes_later() {
    let mut scene = Scene::new();
    scene.agent.set_composition(scene.now, Clock::new(20.0));
    scene.source(BOB, "car", "driving", None);
    // Nobody watches, and the application looks.
    assert_eq!(scene.known(BOB), ["clock: 0, 1"]);
    scene.pass(19.0);
    assert_eq!(scene.known(BOB), ["clock: 0, 1"]);
    scene.pass(81.0);
    let watch = scene.watch(ANA, BOB);
    assert_eq!(shown(&watch.notify), ["clock: 100, 1"]);
    scene.pass(1.0);
    let key = scene.keys()[0];
    let ended = presentity::event::Termination::new(presentity::event::Reason::Deactivated);
    scene.agent.terminate(scene.now, key, ended).unwrap();
    scene.settle();
    scene.pass(99.0);
    assert_eq!(scene.known(BOB), ["clock: 200, 1"]);
    scene.close();
}

// SRV-06
#[test]
fn documents_that_hold_for_no_time_or_for_ever_harm_nobody() {
    for holds_for in [Duration::ZERO, Duration::MAX, Duration::from_nanos(1)] {
        let mut scene = Scene::new();
        let mut clock = Clock::new(0.0);
        clock.holds_for = Some(holds_for);
        scene.agent.set_composition(scene.now, clock.clone());
        scene.source(BOB, "car", "driving", None);
        scene.watch(ANA, BOB);
        let told = scene.pass(20.0);
        let expected = if holds_for == Duration::MAX { 0 } else { 4 };
        assert_eq!(told.notifies().len(), expected, "{:?}", told.times());
        assert!(clock.asked.load(Ordering::Relaxed) < 20);
        scene.close();
    }
}

// SRV-06
#[test]
fn nobody_is_woken_for_documents_that_nobody_sees_any_more() {
    let mut scene = Scene::new();
    scene.agent.set_composition(scene.now, Clock::new(1e6));
    scene.source(BOB, "car", "driving", Some(30.0));
    scene.watch(ANA, BOB);
    let key = scene.keys()[0];
    let ended = presentity::event::Termination::new(presentity::event::Reason::Deactivated);
    scene.agent.terminate(scene.now, key, ended).unwrap();
    scene.settle();
    scene.source(BOB, "car", "driving", None);
    assert_eq!(scene.agent.occupancy().timers, 0);
    scene.source(BOB, "car", "driving", Some(30.0));
    // A fetch.
    let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
    assert_eq!(scene.send(&fetch).status(), 200);
    scene.pass(40.0);
    assert_eq!(scene.known(BOB), [""; 0]);
    scene.pass(4_000.0);
    assert_eq!(scene.agent.poll_timeout(), None);
    assert_eq!(scene.agent.occupancy(), Default::default());
    scene.close();
}

fn in_sphere(kind: SphereKind, until: Option<OffsetDateTime>) -> Presence {
    let mut sphere = Sphere::new(kind);
    sphere.until = until;
    let mut person = Person::new("p");
    person.add(&sphere).unwrap();
    document_of(BOB, "desk", "here").with_person(person)
}

// SRV-06
#[test]
fn what_is_so_for_a_time_goes_by_the_clock_once_it_is_told() {
    let noon = OffsetDateTime::from_unix_timestamp(1_750_000_000).unwrap();
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    let mut compositor = Compositor::union();
    compositor.periods = Periods::InForce;
    scene.agent.set_composition(scene.now, compositor);
    let hour = time::Duration::hours(1);
    let document = in_sphere(SphereKind::Work, Some(noon + hour));
    scene.agent.set_presence(scene.now, BOB, document).unwrap();
    let watch = scene.watch(ANA, BOB);
    let works = |request: &presentity::sip::OutgoingRequest| {
        String::from_utf8_lossy(request.body()).contains("work")
    };
    assert!(works(&watch.notify));
    // Two hours too late.
    scene.agent.set_wall_clock(scene.now, noon + 2 * hour);
    assert!(!works(scene.settle().notify()));
    // The clock was wrong, and it ends in ten minutes.
    let early = noon + hour - time::Duration::minutes(10);
    scene.agent.set_wall_clock(scene.now, early);
    assert!(works(scene.settle().notify()));
    let told = scene.pass(700.0);
    assert_eq!(told.times(), [600.0]);
    assert!(!works(told.notify()));
    scene.close();
}

// SRV-06, SRV-81
#[test]
fn another_composition_may_mean_another_sphere() {
    let mut scene = Scene::new();
    let rules = Ruleset::new()
        .with_rule(
            Rule::new("work")
                .in_sphere("work")
                .allow()
                .with_everything(),
        )
        .with_rule(Rule::new("all").handled(SubHandling::Confirm));
    scene.set_rules(BOB, rules);
    let document = in_sphere(SphereKind::Work, None);
    scene.agent.set_presence(scene.now, BOB, document).unwrap();
    let watch = scene.watch(ANA, BOB);
    assert_eq!(state(&watch.notify), "active");
    let mut clock = Clock::new(1.0);
    clock.holds_for = None;
    scene.agent.set_composition(scene.now, clock);
    assert_eq!(state(scene.settle().notify()), "pending");
    scene.agent.set_composition(scene.now, Compositor::union());
    assert_eq!(state(scene.settle().notify()), "active");

    scene.close();
}
