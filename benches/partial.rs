//! What partial notification costs: the difference of two documents of 6 KB and twenty tuples of which one
//! changed, applying it, a whole document with another root, a copy with a number; and quick-xml's
//! `NsReader` on the same octets, which resolves names and builds nothing. Times are CPU time of the thread.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

#[path = "common/ns_reader.rs"]
mod ns_reader;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ns_reader::ns_reader;
use presentity::pidf::partial::{Numbered, PartialDocument, Reconstruction};
use presentity::pidf::{Presence, ReadOptions};
use presentity::xml::patch::{Steps, apply, difference};
use presentity::xml::{Element, XmlLimits};

/// What else runs on the machine is not counted.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, start: ThreadTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Twenty tuples of about 300 octets, the tenth open or not.
fn document(basic: &str) -> Vec<u8> {
    let mut text = String::from(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" entity=\"sip:dora@example.com\">",
    );
    for at in 0..20 {
        let basic = if at == 10 { basic } else { "open" };
        write!(
            text,
            "<tuple id=\"t{at:02}\"><status><basic>{basic}</basic></status>\
             <rpid:user-input>active</rpid:user-input>\
             <dm:deviceID>urn:uuid:7c9e6679-7425-40de-944b-{at:012}</dm:deviceID>\
             <contact priority=\"0.5\">sip:dora@192.0.2.{at}:5060</contact>\
             <note xml:lang=\"en\">Back tomorrow</note>\
             <timestamp>2026-03-04T05:06:{at:02}Z</timestamp></tuple>",
        )
        .expect("text grows");
    }
    text.push_str("</presence>");
    let presence = Presence::read(text.as_bytes()).expect("readable");
    presence.write().expect("writable").to_vec()
}

fn benches(criterion: &mut Criterion<CpuTime>) {
    let (before, after) = (document("open"), document("closed"));
    let limits = XmlLimits::default();
    let tree = |octets: &[u8]| Element::read(octets, &limits).expect("readable");
    let (old, new) = (tree(&before), tree(&after));
    let full = Numbered::full(&before).expect("a presence document");
    let changes = Numbered::difference(&before, &after).expect("two of them");
    let operations = difference(&old, &new).expect("of one name");
    let (first, second) = (full.with_version(1), changes.with_version(2));
    let mut held = Reconstruction::new();
    held.take(&first).expect("a whole document");

    let mut group = criterion.benchmark_group("partial");
    let octets = before.len();
    group.bench_function(format!("NsReader, {octets} octets"), |bencher| {
        bencher.iter(|| ns_reader(black_box(&before)));
    });
    group.bench_function("Element::read", |bencher| {
        bencher.iter(|| tree(black_box(&before)));
    });
    group.bench_function("difference of octets", |bencher| {
        bencher.iter(|| Numbered::difference(black_box(&before), black_box(&after)).expect("fine"));
    });
    group.bench_function("difference of trees, written", |bencher| {
        bencher.iter(|| Numbered::difference_of(black_box(&old), black_box(&new)).expect("fine"));
    });
    group.bench_function("difference of trees, operations", |bencher| {
        bencher.iter(|| difference(black_box(&old), black_box(&new)));
    });
    group.bench_function("no difference of trees", |bencher| {
        bencher.iter(|| difference(black_box(&old), black_box(&old)));
    });
    group.bench_function("full", |bencher| {
        bencher.iter(|| Numbered::full(black_box(&before)).expect("fine"));
    });
    group.bench_function(format!("number, {} octets", second.len()), |bencher| {
        bencher.iter(|| changes.with_version(black_box(7)));
    });
    group.bench_function("number, whole", |bencher| {
        bencher.iter(|| full.with_version(black_box(7)));
    });
    group.bench_function("read changes", |bencher| {
        bencher.iter(|| PartialDocument::read(black_box(&second), &limits).expect("fine"));
    });
    group.bench_function("apply changes", |bencher| {
        bencher.iter_batched_ref(
            || old.clone(),
            |tree| apply(tree, black_box(&operations), &mut Steps::default()).expect("fine"),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("take changes", |bencher| {
        bencher.iter_batched_ref(
            || held.clone(),
            |held| held.take(black_box(&second)).expect("fine"),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("take a whole document", |bencher| {
        bencher.iter_batched_ref(
            Reconstruction::new,
            |held| held.take(black_box(&first)).expect("fine"),
            BatchSize::SmallInput,
        );
    });
    let options = ReadOptions::default();
    group.bench_function("presence of what is held", |bencher| {
        bencher.iter(|| black_box(&held).presence(&options).expect("fine"));
    });
    group.finish();
}

criterion_group! {
    name = partial;
    config = Criterion::default().with_measurement(CpuTime);
    targets = benches
}
criterion_main!(partial);
