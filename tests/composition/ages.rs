//! What is over, what is yet to come, and what is too old.

use core::time::Duration;

use presentity::pidf::rpid::{Activities, Activity, Privacy};
use presentity::pidf::{Basic, Presence, Tuple};
use presentity::presence::composition::{Aged, Compositor, Moment, Part, Periods, Services};

use crate::scene::{
    NOON, at, composed, document, foreign, foreigners, host, person, person_ids, published,
    tuple_ids, utc,
};

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn day() -> Part {
    let activity = |name: &str| Activities::of([Activity::Other(name.into())]);
    let mut person = person("p");
    let all = [
        activity("over").until(utc(NOON)),
        activity("now").since(utc(NOON)).until(utc(NOON + 100)),
        activity("soon")
            .since(utc(NOON + 50))
            .until(utc(NOON + 200)),
        activity("ever"),
    ];
    person.set_all(&all).unwrap();
    published(1, 60, document().with_person(person))
}

fn activities(document: &Presence) -> Vec<String> {
    let all = document.persons[0].all::<Activities>();
    all.map(|activities| match &activities.values[0] {
        Activity::Other(note) => note.text.clone(),
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn what_is_over_is_left_out_and_what_comes_is_a_setting() {
    let mut compositor = Compositor::union();
    for (periods, moment, expected, holds_for) in [
        (Periods::All, at(NOON), "over now soon ever", None),
        (
            Periods::NotOver,
            at(NOON - 1),
            "over now soon ever",
            seconds(1),
        ),
        (Periods::NotOver, at(NOON), "now soon ever", seconds(100)),
        (Periods::NotOver, at(NOON + 100), "soon ever", seconds(100)),
        (Periods::NotOver, at(NOON + 200), "ever", None),
        (Periods::InForce, at(NOON - 1), "over ever", seconds(1)),
        (Periods::InForce, at(NOON), "now ever", seconds(50)),
        (
            Periods::InForce,
            at(NOON + 50),
            "now soon ever",
            seconds(50),
        ),
        (Periods::InForce, at(NOON + 100), "soon ever", seconds(100)),
        (Periods::InForce, at(NOON + 200), "ever", None),
    ] {
        compositor.periods = periods;
        let composed = composed(&compositor, &[day()], &moment);
        assert_eq!(activities(&composed.document).join(" "), expected);
        assert_eq!(composed.holds_for, holds_for, "{periods:?} {expected}");
    }
    let moment = Moment::new(host(NOON), None);
    let composed = composed(&compositor, &[day()], &moment);
    assert_eq!(activities(&composed.document).len(), 4);
    assert_eq!(composed.holds_for, None);
}

#[test]
fn a_bound_is_told_to_the_nanosecond() {
    let end = utc(NOON) + time::Duration::nanoseconds(1_500_000_001);
    let person = person("p")
        .with(&Activities::of([Activity::Busy]).until(end))
        .unwrap();
    let parts = [published(1, 60, document().with_person(person))];
    let composed = composed(&Compositor::by_device(), &parts, &at(NOON));
    assert_eq!(
        composed.holds_for,
        Some(Duration::from_nanos(1_500_000_001))
    );
}

#[test]
fn tuples_have_elements_that_end_as_well() {
    let private = Privacy::default().until(utc(NOON)).with_note("x");
    let tuple = Tuple::open("a").with(&private).unwrap();
    let parts = [published(1, 60, document().with_tuple(tuple))];
    let before = composed(&Compositor::by_device(), &parts, &at(NOON - 1));
    assert_eq!(before.document.tuples[0].extensions.len(), 1);
    let after = composed(&Compositor::by_device(), &parts, &at(NOON));
    assert!(after.document.tuples[0].extensions.is_empty());
}

#[test]
fn what_is_too_old_is_left_out_or_closed() {
    let document = document()
        .with_tuple(Tuple::open("old").with_timestamp(utc(NOON - 600)).unwrap())
        .with_tuple(Tuple::open("new").with_timestamp(utc(NOON - 599)).unwrap())
        .with_tuple(Tuple::open("bare"))
        .with_person(person("p").with_timestamp(utc(NOON - 600)).unwrap())
        .with_person(person("q"));
    let parts = [published(1, 500, document)];
    let mut compositor = Compositor::union();
    assert_eq!(
        composed(&compositor, &parts, &at(NOON))
            .document
            .tuples
            .len(),
        3
    );
    compositor.max_age = seconds(600);
    let left = composed(&compositor, &parts, &at(NOON));
    assert_eq!(tuple_ids(&left.document), ["new", "bare"]);
    assert_eq!(person_ids(&left.document), ["q"]);
    assert_eq!(left.holds_for, seconds(1));
    let left = composed(&compositor, &parts, &at(NOON + 1));
    assert_eq!(tuple_ids(&left.document), ["bare"]);
    assert_eq!(left.holds_for, seconds(99));
    let left = composed(&compositor, &parts, &at(NOON + 100));
    assert!(left.document.tuples.is_empty() && left.document.persons.is_empty());
    assert_eq!(left.holds_for, None);

    compositor.aged = Aged::Closed;
    let closed = composed(&compositor, &parts, &at(NOON)).document;
    let basics: Vec<_> = closed.tuples.iter().map(|it| it.status.basic()).collect();
    let (open, shut) = (Some(Basic::Open), Some(Basic::Closed));
    assert_eq!(basics, [shut, open, open]);
    assert_eq!(person_ids(&closed), ["q"]);

    let moment = Moment::new(host(NOON + 1000), None);
    let all = composed(&compositor, &parts, &moment);
    assert_eq!(all.document, parts[0].document);
    assert_eq!(all.holds_for, None);
}

#[test]
fn what_is_too_old_does_not_count_beside_others() {
    let ana = "sip:ana@example.com";
    let tuple = |id: &str, ago| {
        let tuple = Tuple::open(id)
            .with_contact(ana)
            .with_extension(foreign("who", id));
        document().with_tuple(tuple.with_timestamp(utc(NOON - ago)).unwrap())
    };
    let mut compositor = Compositor::union();
    compositor.services = Services::ByContact;
    compositor.aged = Aged::Closed;
    compositor.max_age = seconds(600);
    compositor.conflicts = presentity::presence::composition::Conflicts::BySource(vec![
        presentity::presence::composition::Source::Registration,
    ]);
    let mut registered = published(1, 700, tuple("a", 700));
    registered.source = presentity::presence::composition::Source::Registration;
    let parts = [registered, published(2, 60, tuple("b", 60))];
    let tuple = &composed(&compositor, &parts, &at(NOON)).document.tuples[0];
    assert_eq!(foreigners(&tuple.extensions), ["who=b"]);
    assert_eq!(
        (tuple.id.as_str(), tuple.status.basic()),
        ("a", Some(Basic::Open))
    );
    assert_eq!(tuple.timestamp(), Some(utc(NOON - 60)));
    // When all of them are, the service is.
    let tuple = &composed(&compositor, &parts, &at(NOON + 600))
        .document
        .tuples[0];
    assert_eq!(foreigners(&tuple.extensions), ["who=a"]);
    assert_eq!(tuple.status.basic(), Some(Basic::Closed));
}

#[test]
fn ages_that_nothing_reaches_never_come() {
    let end = utc(253_402_300_799);
    let tuple = Tuple::open("a").with_timestamp(end).unwrap();
    let parts = [published(1, 60, document().with_tuple(tuple))];
    let mut compositor = Compositor::union();
    for age in [Duration::MAX, Duration::from_secs(1 << 40)] {
        compositor.max_age = Some(age);
        let composed = composed(&compositor, &parts, &at(NOON));
        assert_eq!(composed.document.tuples.len(), 1);
        assert_eq!(composed.holds_for, None);
    }
    compositor.max_age = Some(Duration::ZERO);
    let composed = composed(&compositor, &parts, &at(NOON));
    assert_eq!(composed.document.tuples.len(), 1);
    assert!(composed.holds_for.is_some());
}
