//! What it costs to make one document of fifty.
#![allow(missing_docs, reason = "a benchmark")]
#![allow(clippy::unwrap_used, reason = "no part of the library")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use presentity::engine::Timestamp;
use presentity::pidf::Presence;
use presentity::presence::composition::{Composition, Compositor, Moment, Part, Services, Source};
use time::{Duration, OffsetDateTime};

const SOURCES: u64 = 50;
const NOW: i64 = 1_772_366_400;

/// What a phone publishes: a service, a device and a person, about 1 KB.
fn rich(source: u64) -> String {
    let device = source % 25;
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' \
         xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:rp='urn:ietf:params:xml:ns:pidf:rpid' xmlns:c='urn:ietf:params:xml:ns:pidf:caps' \
         entity='sip:ana@example.com'>\
         <tuple id='t{source}'><status><basic>open</basic></status>\
         <dm:deviceID>urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b{device:04}</dm:deviceID>\
         <c:servcaps><c:audio>true</c:audio><c:message>true</c:message></c:servcaps>\
         <contact priority='0.8'>sip:ana@example.com;gr=urn:uuid:{device:04}</contact>\
         <note xml:lang='en'>At the desk</note>\
         <timestamp>2026-03-01T11:{device:02}:00Z</timestamp></tuple>\
         <dm:person id='p{source}'><rp:activities until='2026-03-01T18:00:00Z'><rp:meeting/>\
         </rp:activities><rp:mood><rp:calm/></rp:mood>\
         <dm:timestamp>2026-03-01T11:{device:02}:00Z</dm:timestamp></dm:person>\
         <dm:device id='d{source}'><rp:user-input last-input='2026-03-01T11:00:00Z'>idle</rp:user-input>\
         <dm:deviceID>urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b{device:04}</dm:deviceID></dm:device>\
         </presence>"
    )
}

/// A gateway with twenty services.
fn many(source: u64) -> String {
    let mut text = String::from(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' \
         xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' entity='sip:ana@example.com'>",
    );
    for tuple in 0..20 {
        let device = source % 25;
        write!(
            text,
            "<tuple id='t{source}-{tuple}'><status><basic>open</basic></status>\
             <dm:deviceID>urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b{device:04}</dm:deviceID>\
             <contact>sip:ana{tuple}@example.com</contact>\
             <timestamp>2026-03-01T11:{device:02}:00Z</timestamp></tuple>"
        )
        .unwrap();
    }
    text + "</presence>"
}

fn parts(document: fn(u64) -> String) -> Vec<Part> {
    let part = |source| {
        let document = Presence::read(document(source).as_bytes()).unwrap();
        Part::new(
            Source::Publication,
            source,
            document,
            Timestamp::from_secs(source),
        )
    };
    (0..SOURCES).map(part).collect()
}

fn benches(criterion: &mut Criterion) {
    let utc = OffsetDateTime::UNIX_EPOCH + Duration::seconds(NOW);
    let moment = Moment::new(Timestamp::from_secs(1_000), Some(utc));
    let mut by_contact = Compositor::newest_person();
    by_contact.services = Services::ByContact;
    let compositors = [
        ("union", Compositor::union()),
        ("by device", Compositor::by_device()),
        ("newest person", Compositor::newest_person()),
        ("newest person, by contact", by_contact),
    ];
    let sizes = rich(0).len();
    assert!((900..1200).contains(&sizes), "{sizes} octets");
    for (name, document) in [
        ("composition/50 of 1 KB", rich as fn(u64) -> String),
        ("composition/50 of 20 tuples", many),
    ] {
        let parts = parts(document);
        let mut group = criterion.benchmark_group(name);
        group.bench_function("copy of the parts", |bencher| {
            bencher.iter_with_large_drop(|| black_box(&parts).clone());
        });
        for (name, compositor) in &compositors {
            group.bench_function(BenchmarkId::new("compose", name), |bencher| {
                bencher.iter_batched(
                    || parts.clone(),
                    |parts| compositor.compose(parts, &moment),
                    BatchSize::LargeInput,
                );
            });
        }
        // What a PUBLISH costs until there is a body for the watchers.
        let changed = document(7);
        group.bench_function("one source changes, newest person", |bencher| {
            bencher.iter_with_large_drop(|| {
                let mut parts = parts.clone();
                let document = Presence::read(black_box(changed.as_bytes())).unwrap();
                if let Some(part) = parts.get_mut(7) {
                    part.document = document;
                }
                let composed = Compositor::newest_person().compose(parts, &moment);
                composed.document.write().unwrap()
            });
        });
        group.finish();
    }
}

criterion_group!(group, benches);
criterion_main!(group);
