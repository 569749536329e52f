//! Capabilities in the parameters of a contact: what can be read is written in a form that reads alike,
//! and in a document what has a place there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::pidf::caps::{
    Devcaps, PriorityRange, Servcaps, Support, from_feature_parameters, to_feature_parameters,
};
use presentity::pidf::{Device, DeviceId, Presence, Tuple};
use presentity::sip::NameAddr;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let Some((service, device)) = read(text) else {
        return;
    };
    let written = to_feature_parameters(&service, &device);
    let (again, device_again) = read(&written).expect("what was written can be read");
    alike(&service, &again);
    assert_eq!(known(&device.mobility), known(&device_again.mobility));
    assert_eq!(to_feature_parameters(&again, &device_again), written);
    // Once nothing stands there twice, nothing changes any more.
    let last = read(&to_feature_parameters(&again, &device_again));
    assert_eq!(last, Some((again, device_again)));
    in_a_document(service, device);
});

fn read(params: &str) -> Option<(Servcaps, Devcaps)> {
    let contact = format!("<sip:tomas@192.0.2.7>{params}");
    let contact = NameAddr::parse(&contact).ok()?;
    Some(from_feature_parameters(contact.params()))
}

fn alike(one: &Servcaps, other: &Servcaps) {
    macro_rules! same {
        ($($field:ident),+) => {$(
            assert_eq!(one.$field, other.$field);
        )+};
    }
    macro_rules! same_but_for_repetitions {
        ($($field:ident),+) => {$(
            assert_eq!(known(&one.$field), known(&other.$field));
        )+};
    }
    same!(
        audio,
        video,
        text,
        application,
        data,
        control,
        message,
        automata,
        isfocus
    );
    same_but_for_repetitions!(
        actor,
        class,
        duplex,
        event_packages,
        option_tags,
        methods,
        languages,
        schemes
    );
    let ranges = |caps: &Servcaps| {
        let without_empty = |range: &&PriorityRange| !matches!(range, PriorityRange::Range { min, max } if min > max);
        let supported = caps.priority.supported.iter().filter(without_empty);
        known(&Support::of(supported.cloned()))
    };
    assert_eq!(ranges(one), ranges(other));
    // Only one has a place there.
    if one.types.len() == 1 {
        assert_eq!(one.types, other.types);
    }
}

/// What is named, each once: of values that differ in case the first counts, and one that is supported
/// is not also unsupported.
fn known<V: core::fmt::Debug>(support: &Support<V>) -> Vec<(bool, String)> {
    let mut known: Vec<(bool, String)> = Vec::new();
    let supported = support.supported.iter().map(|value| (true, value));
    let notsupported = support.notsupported.iter().map(|value| (false, value));
    for (is, value) in supported.chain(notsupported) {
        let name = format!("{value:?}");
        if known.iter().all(|(_, it)| !it.eq_ignore_ascii_case(&name)) {
            known.push((is, name));
        }
    }
    known
}

fn in_a_document(service: Servcaps, device: Devcaps) {
    let tuple = Tuple::open("t")
        .with(&service.without_unlisted())
        .expect("what has no place is gone");
    let id = DeviceId::new("urn:example:d").expect("a URN");
    let device = Device::new("d", id)
        .with(&device.without_unlisted())
        .expect("what has no place is gone");
    let document = Presence::new("sip:tomas@example.com")
        .with_tuple(tuple)
        .with_device(device);
    let written = document.write().expect("it can be written");
    assert_eq!(Presence::read(&written), Ok(document));
}
