//! Which devices are one, and what becomes of them.

use presentity::pidf::rpid::{InputState, UserInput};
use presentity::pidf::{Device, DeviceId, Note, Tuple};
use presentity::presence::composition::{Compositor, Devices};

use crate::scene::{
    compose, device, device_ids, document, foreign, foreigners, on, published, tuple_ids, utc,
};

#[test]
fn the_same_identifier_is_the_same_device() {
    let one = document()
        .with_device(
            device("d1", "desk")
                .with_note("old")
                .with_extension(foreign("a", "1")),
        )
        .with_device(device("d2", "laptop"));
    let mut quiet = device("d3", "desk");
    quiet.extensions = vec![foreign("a", "2"), foreign("b", "3")];
    let other = document().with_device(quiet);
    let parts = [published(1, 60, one), published(2, 30, other)];
    let composed = compose(&Compositor::by_device(), &parts);
    assert_eq!(device_ids(&composed), ["d1", "d2"]);
    let desk = &composed.devices[0];
    assert_eq!(foreigners(&desk.extensions), ["a=2", "b=3"]);
    assert_eq!(desk.notes, [Note::new("old")]);
    assert_eq!(desk.device_id_text(), Some("urn:example:desk"));

    let composed = compose(&Compositor::union(), &parts);
    assert_eq!(device_ids(&composed), ["d1", "d2", "d3"]);
    let mut side_by_side = Compositor::by_device();
    side_by_side.devices = Devices::SideBySide;
    assert_eq!(
        device_ids(&compose(&side_by_side, &parts)),
        ["d1", "d2", "d3"]
    );
}

#[test]
fn the_case_of_a_uuid_makes_no_other_device() {
    let [upper, lower] = [
        "urn:uuid:4FD5E1A0-8F0B-4A59-9D5C-2F6F0A7B9C11",
        "URN:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b9c11",
    ]
    .map(|urn| DeviceId::new(urn).unwrap());
    let ana = "sip:ana@example.com";
    let tuple = |id: &str, device: &DeviceId| Tuple::open(id).with(device).unwrap();
    let one = document()
        .with_tuple(tuple("a", &upper).with_contact(ana))
        .with_tuple(tuple("b", &upper))
        .with_device(Device::new("d1", upper));
    let other = document()
        .with_tuple(tuple("c", &lower).with_contact(ana))
        .with_device(Device::new("d2", lower));
    let parts = [published(1, 60, one), published(2, 30, other)];
    let composed = compose(&Compositor::by_device(), &parts);
    assert_eq!(tuple_ids(&composed), ["a", "b"]);
    assert_eq!(device_ids(&composed), ["d1"]);
    // Whoever compares texts finds them, too.
    assert_eq!(composed.services_of(&composed.devices[0]).count(), 2);
}

#[test]
fn of_a_device_the_newest_input_counts() {
    let used = device("d1", "desk")
        .with(&UserInput::active())
        .unwrap()
        .with_timestamp(utc(1000))
        .unwrap();
    let idle = device("d2", "desk")
        .with(&UserInput::idle())
        .unwrap()
        .with_timestamp(utc(2000))
        .unwrap();
    let parts = [
        published(1, 60, document().with_device(idle)),
        published(2, 30, document().with_device(used)),
    ];
    let composed = compose(&Compositor::by_device(), &parts);
    let [desk] = &composed.devices[..] else {
        panic!("{composed:?}");
    };
    assert_eq!(desk.get::<UserInput>().unwrap().state, InputState::Idle);
    assert_eq!(desk.timestamp(), Some(utc(2000)));
    assert_eq!(desk.id, "d2");
}

#[test]
fn services_stay_with_their_device() {
    let one = document()
        .with_tuple(on("a", "desk"))
        .with_device(device("d1", "desk"));
    let other = document()
        .with_tuple(on("b", "desk"))
        .with_device(device("d2", "desk"));
    let parts = [published(1, 60, one), published(2, 30, other)];
    let composed = compose(&Compositor::by_device(), &parts);
    assert_eq!(composed.services_of(&composed.devices[0]).count(), 2);
}
