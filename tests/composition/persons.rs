//! Whether there is one person, and what is said of it.

use core::time::Duration;

use presentity::pidf::rpid::{
    Activities, Activity, InputState, Mood, MoodValue, Sphere, SphereKind, UserInput,
};
use presentity::pidf::{Note, Person};
use presentity::presence::composition::{Compositor, Part};

use crate::scene::{
    NOON, at, compose, composed, device, document, foreign, foreigners, person, person_ids,
    published, utc,
};

fn said(serial: u64, ago: i64, person: Person) -> Part {
    published(serial, ago, document().with_person(person))
}

fn one_person(parts: &[Part]) -> Person {
    let composed = compose(&Compositor::newest_person(), parts);
    let [person] = &composed.persons[..] else {
        panic!("{composed:?}");
    };
    person.clone()
}

// SRV-06
#[test]
fn of_each_element_the_newest_counts() {
    let first = person("p1")
        .with(&Activities::of([Activity::Away]))
        .unwrap()
        .with(&Mood::of([MoodValue::Calm]))
        .unwrap()
        .with_note("old")
        .with_extension(foreign("a", "1"))
        .with_extension(foreign("b", "2"));
    let second = person("p2")
        .with(&Activities::of([Activity::Meeting]))
        .unwrap()
        .with_extension(foreign("b", "3"));
    let parts = [said(1, 60, first.clone()), said(2, 30, second.clone())];
    let ana = one_person(&parts);
    assert_eq!(ana.id, "p1");
    let activities: Vec<Activities> = ana.all().collect();
    assert_eq!(activities, [Activities::of([Activity::Meeting])]);
    assert_eq!(ana.get(), Some(Mood::of([MoodValue::Calm])));
    assert_eq!(ana.notes, [Note::new("old")]);
    assert_eq!(foreigners(&ana.extensions), ["b=3", "a=1"]);
    assert_eq!(ana.timestamp(), None);

    let parts = [said(1, 30, first), said(2, 60, second)];
    let ana = one_person(&parts);
    let activities: Vec<Activities> = ana.all().collect();
    assert_eq!(activities, [Activities::of([Activity::Away])]);
    assert_eq!(foreigners(&ana.extensions), ["a=1", "b=2"]);
    let composed = compose(&Compositor::by_device(), &parts);
    assert_eq!(person_ids(&composed), ["p1", "p2"]);
}

#[test]
fn periods_that_do_not_overlap_stand_side_by_side() {
    let [one, two, three, four] = [1, 2, 3, 4].map(|hours| utc(NOON + hours * 3600));
    let in_period = |kind, from, until| Sphere::new(kind).since(from).until(until);
    let old = [
        in_period(SphereKind::Home, one, two),
        in_period(SphereKind::Home, two, four),
        in_period(SphereKind::Unknown, four, four),
    ];
    let new = [
        in_period(SphereKind::Work, two, three),
        // An exception that its author has made.
        in_period(SphereKind::Unknown, two, three),
    ];
    let mut first = person("p1");
    first.set_all(&old).unwrap();
    let mut second = person("p2");
    second.set_all(&new).unwrap();
    let ana = one_person(&[said(1, 60, first.clone()), said(2, 30, second.clone())]);
    let spheres: Vec<Sphere> = ana.all().collect();
    assert_eq!(
        spheres,
        [
            new[0].clone(),
            new[1].clone(),
            old[0].clone(),
            old[2].clone()
        ]
    );
    let ana = one_person(&[said(1, 30, first), said(2, 60, second.clone())]);
    assert_eq!(ana.all::<Sphere>().collect::<Vec<_>>(), old);
    // What is so for ever leaves no room.
    let always = person("p1").with(&Sphere::new(SphereKind::Home)).unwrap();
    let ana = one_person(&[said(1, 30, always), said(2, 60, second)]);
    let spheres: Vec<Sphere> = ana.all().collect();
    assert_eq!(spheres, [Sphere::new(SphereKind::Home)]);
}

#[test]
fn whoever_used_any_device_last_is_active() {
    let active = person("p1").with(&UserInput::active()).unwrap();
    let idle = person("p2").with(&UserInput::idle()).unwrap();
    for (ago, other) in [(60, 30), (30, 60)] {
        let ana = one_person(&[said(1, ago, active.clone()), said(2, other, idle.clone())]);
        let inputs: Vec<UserInput> = ana.all().collect();
        assert_eq!(inputs.len(), 1);
        assert_eq!(inputs[0].state, InputState::Active);
    }
    let input = |seconds| UserInput::idle().with_last_input(utc(seconds));
    let earlier = person("p1").with(&input(1000)).unwrap();
    let later = person("p2").with(&input(2000)).unwrap();
    let ana = one_person(&[said(1, 60, later), said(2, 30, earlier)]);
    assert_eq!(ana.get::<UserInput>().unwrap().last_input, Some(utc(2000)));
    // What cannot be understood is as good as any other.
    let odd = |id: &str| {
        let element = presentity::xml::Element::new(presentity::xml::namespace::RPID, "user-input");
        person(id).with_extension(element.with_text(id))
    };
    let ana = one_person(&[said(1, 60, odd("a")), said(2, 30, odd("b"))]);
    assert_eq!(ana.extensions.len(), 1);
    assert_eq!(ana.extensions[0].text(), "b");
}

#[test]
fn two_persons_of_one_document_become_one_as_well() {
    let both = document()
        .with_person(person("p1").with_extension(foreign("a", "1")))
        .with_person(person("p2").with_extension(foreign("a", "2")));
    let ana = one_person(&[published(1, 60, both)]);
    // The first of a document is right.
    assert_eq!(foreigners(&ana.extensions), ["a=1"]);
}

#[test]
fn an_idle_source_yields() {
    let busy = |id: &str| {
        let busy = Activities::of([Activity::Busy]).with_note(id);
        person(id).with(&busy).unwrap()
    };
    let idle = UserInput::idle().with_last_input(utc(NOON - 600));
    let idle = document()
        .with_person(busy("idle"))
        .with_device(device("d", "desk").with(&idle).unwrap());
    let parts = [
        published(1, 60, document().with_person(busy("other"))),
        published(2, 30, idle),
    ];
    let mut compositor = Compositor::newest_person();
    let who = |compositor: &Compositor, moment| {
        let ana = &composed(compositor, &parts, &moment).document.persons[0];
        ana.get::<Activities>().unwrap().notes[0].text.clone()
    };
    assert_eq!(who(&compositor, at(NOON)), "idle");
    compositor.idle_yields = Some(Duration::from_secs(600));
    assert_eq!(who(&compositor, at(NOON)), "other");
    compositor.idle_yields = Some(Duration::from_secs(601));
    assert_eq!(who(&compositor, at(NOON)), "idle");
    let wait = composed(&compositor, &parts, &at(NOON)).holds_for;
    assert_eq!(wait, Some(Duration::from_secs(1)));
    assert_eq!(who(&compositor, at(NOON + 1)), "other");
    // Without a time of day nobody can tell.
    let mut moment = at(NOON + 1);
    moment.utc = None;
    assert_eq!(who(&compositor, moment), "idle");
    assert_eq!(composed(&compositor, &parts, &moment).holds_for, None);
}

#[test]
fn idle_is_who_uses_nothing_and_since_it_was_said() {
    let who = |of_idle: presentity::pidf::Presence, limit: u64| {
        let idle = of_idle.with_person(person("idle").with_extension(foreign("a", "idle")));
        let other = person("other").with_extension(foreign("a", "other"));
        let parts = [said(1, 3600, other), published(2, 300, idle)];
        let mut compositor = Compositor::newest_person();
        compositor.idle_yields = Some(Duration::from_secs(limit));
        let ana = &compose(&compositor, &parts).persons[0];
        foreigners(&ana.extensions).concat()
    };
    let with = |input: &UserInput| device("d", "desk").with(input).unwrap();
    // Since the source says so.
    let silent = document().with_device(with(&UserInput::idle()));
    assert_eq!(who(silent.clone(), 300), "a=other");
    assert_eq!(who(silent, 301), "a=idle");
    // Since its timestamp.
    let stamped = with(&UserInput::idle())
        .with_timestamp(utc(NOON - 200))
        .unwrap();
    let stamped = document().with_device(stamped);
    assert_eq!(who(stamped.clone(), 200), "a=other");
    assert_eq!(who(stamped, 201), "a=idle");
    // Something else is used.
    let used = document().with_device(with(&UserInput::idle())).with_tuple(
        crate::scene::on("t", "laptop")
            .with(&UserInput::active())
            .unwrap(),
    );
    assert_eq!(who(used, 1), "a=idle");
    // Nothing is told.
    assert_eq!(who(document(), 1), "a=idle");
}
