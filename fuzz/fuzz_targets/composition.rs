//! Composition of any documents by any settings: the result can be written, the order of the parts makes
//! no difference, composing it again changes nothing, and it holds for as long as it is said to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::engine::Timestamp;
use presentity::pidf::Presence;
use presentity::presence::composition::{
    Aged, Composition, Compositor, Conflicts, Devices, Moment, Part, Periods, Persons, Remarks,
    Services, Source,
};
use std::time::Duration;
use time::OffsetDateTime;

const NOON: u64 = 1_772_366_400;

fuzz_target!(|data: &[u8]| {
    let Some((settings, documents)) = data.split_first_chunk::<4>() else {
        return;
    };
    let compositor = compositor(settings);
    let parts = parts(documents);
    if parts.is_empty() {
        return;
    }
    let utc = OffsetDateTime::from_unix_timestamp(NOON as i64).expect("a time");
    let utc = (settings[3] & 64 == 0).then_some(utc);
    let moment = Moment::new(Timestamp::from_secs(NOON), utc);
    let composed = compositor.compose(parts.clone(), &moment);
    let written = composed.document.write().expect("it can be written");
    let read = Presence::read(&written);
    if let Ok(read) = read {
        assert_eq!(read, composed.document);
    }
    let reversed = parts.iter().rev().cloned().collect();
    assert_eq!(compositor.compose(reversed, &moment), composed);
    let alone = Part::new(
        Source::Publication,
        1,
        composed.document.clone(),
        moment.now,
    );
    let again = compositor.compose(vec![alone], &moment);
    assert_eq!(again.document, composed.document);
    let wait = composed.holds_for.unwrap_or(Duration::from_secs(1_000_000));
    let wait = wait - Duration::from_nanos(1);
    if let Some(utc) = utc
        && let Some(utc) = utc.checked_add(wait.try_into().expect("a time"))
    {
        let then = Moment::new(moment.now + wait, Some(utc));
        assert_eq!(compositor.compose(parts, &then).document, composed.document);
    }
});

fn compositor(settings: &[u8; 4]) -> Compositor {
    let [first, second, max_age, idle] = settings;
    let mut compositor = Compositor::union();
    compositor.services = match first % 3 {
        0 => Services::SideBySide,
        1 => Services::ByContact,
        _ => Services::ByDeviceAndContact,
    };
    if first & 4 != 0 {
        compositor.devices = Devices::ById;
    }
    if first & 8 != 0 {
        compositor.persons = Persons::Merged;
    }
    compositor.periods = match (first >> 4) % 3 {
        0 => Periods::All,
        1 => Periods::NotOver,
        _ => Periods::InForce,
    };
    compositor.conflicts = match second % 3 {
        0 => Conflicts::Newest,
        1 => Conflicts::ByInput,
        _ => Conflicts::BySource(vec![Source::Registration]),
    };
    if second & 4 != 0 {
        compositor.aged = Aged::Closed;
    }
    if second & 8 != 0 {
        compositor.notes = Remarks::OfOneSource;
    }
    if second & 16 != 0 {
        compositor.extensions = Remarks::OfOneSource;
    }
    let hours = |count: &u8| Duration::from_secs(u64::from(count % 64) * 3600);
    compositor.max_age = (max_age & 128 == 0).then(|| hours(max_age));
    compositor.idle_yields = (idle & 128 == 0).then(|| hours(idle));
    compositor
}

/// Documents, separated by zeros, as an agent takes them.
fn parts(documents: &[u8]) -> Vec<Part> {
    const SOURCES: [Source; 3] = [
        Source::Application,
        Source::Registration,
        Source::Publication,
    ];
    let documents = documents.split(|byte| *byte == 0).take(8);
    let read = documents.filter_map(|document| Presence::read(document).ok());
    let parts = read.enumerate().map(|(number, mut document)| {
        "sip:ana@example.com".clone_into(&mut document.entity);
        document.repair();
        document.for_each_id_mut(|_, id| *id = format!("p{number}.{id}"));
        if number > 0 {
            document.hand_down_language();
        }
        let serial = number as u64;
        let since = Timestamp::from_secs(NOON - serial * 600);
        Part::new(SOURCES[number % 3], serial, document, since)
    });
    parts.collect()
}
