//! Who is right.

use presentity::pidf::Person;
use presentity::pidf::rpid::UserInput;
use presentity::presence::composition::{Composition, Compositor, Conflicts, Moment, Part, Source};

use crate::scene::{NOON, at, device, document, foreign, foreigners, host, person, published, utc};

fn by(conflicts: Conflicts) -> Compositor {
    let mut compositor = Compositor::newest_person();
    compositor.conflicts = conflicts;
    compositor
}

/// A person of whom that is said.
fn who(name: &str) -> Person {
    person(name).with_extension(foreign("who", name))
}

fn stamped(name: &str, seconds: i64) -> Person {
    who(name).with_timestamp(utc(seconds)).unwrap()
}

fn right_at(compositor: &Compositor, parts: &[Part], moment: &Moment) -> String {
    let composed = crate::scene::composed(compositor, parts, moment);
    let [person] = &composed.document.persons[..] else {
        panic!("{composed:?}");
    };
    foreigners(&person.extensions).concat()
}

fn right(compositor: &Compositor, parts: &[Part]) -> String {
    right_at(compositor, parts, &at(NOON))
}

fn said(serial: u64, ago: i64, person: Person) -> Part {
    published(serial, ago, document().with_person(person))
}

// SRV-06
#[test]
fn by_time_the_newest_is_right() {
    let newest = by(Conflicts::Newest);
    let parts = |a, b| [said(1, 60, stamped("a", a)), said(2, 30, stamped("b", b))];
    assert_eq!(right(&newest, &parts(2000, 1000)), "who=a");
    assert_eq!(right(&newest, &parts(1000, 2000)), "who=b");
    // What bears no timestamp is as new as its source has said so.
    let parts = |a| [said(1, 60, stamped("a", a)), said(2, 30, who("b"))];
    assert_eq!(right(&newest, &parts(NOON - 29)), "who=a");
    assert_eq!(right(&newest, &parts(NOON - 31)), "who=b");
    let parts = |a, b| [said(1, a, who("a")), said(2, b, who("b"))];
    assert_eq!(right(&newest, &parts(30, 60)), "who=a");
    assert_eq!(right(&newest, &parts(60, 30)), "who=b");
}

#[test]
fn of_what_is_equally_new_the_later_source_is_right() {
    for conflicts in [
        Conflicts::Newest,
        Conflicts::BySource(Vec::new()),
        Conflicts::ByInput,
    ] {
        let compositor = by(conflicts);
        let parts = [said(1, 30, stamped("a", 5)), said(2, 60, stamped("b", 5))];
        assert_eq!(right(&compositor, &parts), "who=b");
        let parts = [said(7, 30, stamped("a", 5)), said(2, 60, stamped("b", 5))];
        assert_eq!(right(&compositor, &parts), "who=a");
    }
}

#[test]
fn without_a_time_of_day_times_of_one_kind_are_compared() {
    let newest = by(Conflicts::Newest);
    let moment = Moment::new(host(NOON), None);
    let parts = |a, b| [said(1, 30, stamped("a", a)), said(2, 60, stamped("b", b))];
    assert_eq!(right_at(&newest, &parts(1000, 2000), &moment), "who=b");
    assert_eq!(right_at(&newest, &parts(2000, 1000), &moment), "who=a");
    let parts = |a, b| [said(1, a, stamped("a", NOON)), said(2, b, who("b"))];
    assert_eq!(right_at(&newest, &parts(30, 60), &moment), "who=a");
    assert_eq!(right_at(&newest, &parts(60, 30), &moment), "who=b");
    assert_eq!(right(&newest, &parts(60, 30)), "who=a");
}

// SRV-06
#[test]
fn by_source_the_first_in_the_list_is_right() {
    let parts = [
        (Source::Lasting, "lasting"),
        (Source::Application, "application"),
        (Source::Registration, "registration"),
        (Source::Subscription, "subscription"),
        (Source::Publication, "publication"),
    ];
    let parts = |from: usize| -> Vec<Part> {
        let parts = parts[..from].iter().enumerate();
        parts
            .map(|(at, (source, name))| {
                let document = document().with_person(who(name));
                // The nearer to the devices, the older.
                let ago = i64::try_from(at).unwrap() * 60;
                Part::new(*source, 9 - at as u64, document, host(NOON - ago))
            })
            .collect()
    };
    let right = |list: &[Source], from| {
        let right = right(&by(Conflicts::BySource(list.to_vec())), &parts(from));
        right.trim_start_matches("who=").to_owned()
    };
    assert_eq!(right(&[], 5), "publication");
    assert_eq!(right(&[], 4), "subscription");
    assert_eq!(right(&[], 3), "registration");
    assert_eq!(right(&[], 2), "application");
    assert_eq!(right(&[], 1), "lasting");
    let list = [Source::Application, Source::Registration];
    assert_eq!(right(&list, 5), "application");
    let list = [Source::Publication, Source::Lasting];
    assert_eq!(right(&list, 4), "lasting");
}

#[test]
fn of_one_kind_of_source_the_newest_is_right() {
    let by_source = by(Conflicts::BySource(vec![Source::Publication]));
    let parts = |a, b| [said(1, a, who("a")), said(2, b, who("b"))];
    assert_eq!(right(&by_source, &parts(30, 60)), "who=a");
    assert_eq!(right(&by_source, &parts(60, 30)), "who=b");
}

// SRV-06
#[test]
fn by_input_whoever_was_used_last_is_right() {
    let by_input = by(Conflicts::ByInput);
    let last = |seconds| UserInput::active().with_last_input(utc(seconds));
    let idle_last = |seconds| UserInput::idle().with_last_input(utc(seconds));
    // Each better than those before it.
    let inputs = [
        None,
        Some(UserInput::idle()),
        Some(idle_last(1000)),
        Some(idle_last(3000)),
        Some(UserInput::active()),
        Some(last(500)),
        Some(last(2000)),
    ];
    let own = |name: &str, input: &Option<UserInput>| match input {
        Some(input) => document().with_person(who(name).with(input).unwrap()),
        None => document().with_person(who(name)),
    };
    let on_device = |name: &str, input: &Option<UserInput>| {
        let document = document().with_person(who(name));
        match input {
            Some(input) => document.with_device(device(name, name).with(input).unwrap()),
            None => document,
        }
    };
    for (at, worse) in inputs.iter().enumerate() {
        for better in &inputs[at + 1..] {
            for how in [own, on_device] {
                let parts = [
                    published(1, 60, how("better", better)),
                    published(2, 30, how("worse", worse)),
                ];
                let right = right(&by_input, &parts);
                assert_eq!(right, "who=better", "{worse:?} {better:?}");
            }
        }
    }
    // Its own input before that of what stands beside it.
    let beside = own("a", &Some(UserInput::idle()))
        .with_device(device("d", "desk").with(&UserInput::active()).unwrap());
    let parts = [
        published(1, 60, own("b", &Some(idle_last(1)))),
        published(2, 30, beside),
    ];
    assert_eq!(right(&by_input, &parts), "who=b");
}

#[test]
fn who_is_right_is_asked_for_each_part_alone() {
    let document = |name: &str, of_person: i64, of_device: i64| {
        let device = device(name, "desk").with_extension(foreign("device", name));
        document()
            .with_person(stamped(&format!("{name}p"), of_person))
            .with_device(device.with_timestamp(utc(of_device)).unwrap())
    };
    let parts = [
        published(1, 60, document("a", 1000, 2000)),
        published(2, 30, document("b", 2000, 1000)),
    ];
    let composed = by(Conflicts::Newest).compose(parts.to_vec(), &at(NOON));
    let composed = composed.document;
    assert_eq!(foreigners(&composed.persons[0].extensions), ["who=bp"]);
    assert_eq!(foreigners(&composed.devices[0].extensions), ["device=a"]);
}
