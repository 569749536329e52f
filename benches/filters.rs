//! What filters cost: one evaluation on a document of 6 KB with 20 tuples, for what is shown and for
//! whether it is sent; and the reading, putting in force and making ready of a set.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use presentity::filter::{
    Changed, Filter, FilterLimits, FilterSet, Narrowing, PresenceSchema, Trigger,
};
use presentity::xml::{Element, XmlLimits, namespace};

/// Twenty services, the last of which has this state.
fn document(last: &str) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:dora@example.com\">\n",
    );
    for at in 0..20 {
        let basic = if at == 19 { last } else { "open" };
        write!(
            text,
            "  <tuple id=\"t{at}\">\n    <status><basic>{basic}</basic></status>\n    \
             <rpid:class>phone</rpid:class>\n    \
             <contact priority=\"0.{}\">sip:dora@192.0.2.{at}:5060;transport=tcp</contact>\n    \
             <note xml:lang=\"en\">At my desk until noon</note>\n    \
             <timestamp>2026-03-04T05:06:{at:02}Z</timestamp>\n  </tuple>\n",
            at % 10,
        )
        .expect("text grows");
    }
    text.push_str("</presence>\n");
    text
}

fn narrowing(filter: Filter) -> Narrowing {
    let set = FilterSet::of_presence().with(filter);
    set.for_resource(|_| true).expect("it narrows")
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filters");
    let budget = FilterLimits::BUDGET;
    let read =
        |text: &str| Element::read(text.as_bytes(), &XmlLimits::default()).expect("readable");
    let text = document("closed");
    let octets = text.len();
    let (before, after) = (read(&text), read(&document("open")));
    let basic = "/pidf:presence/pidf:tuple/pidf:status/pidf:basic";

    for (name, filter) in [
        ("only basic", Filter::new("1").include(basic)),
        (
            "tuples without notes",
            Filter::new("1")
                .include("//pidf:tuple[rpid:class=\"phone\"]")
                .exclude("//pidf:note"),
        ),
        ("all without notes", Filter::new("1").exclude("//pidf:note")),
        (
            "one namespace without notes",
            Filter::new("1")
                .include_namespace(namespace::PIDF)
                .exclude("/pidf:presence/pidf:tuple/pidf:note"),
        ),
        (
            "one tuple",
            Filter::new("1").include("/pidf:presence/pidf:tuple[@id=\"t7\"]"),
        ),
    ] {
        let narrowing = narrowing(filter);
        let schema = PresenceSchema::new();
        let id = BenchmarkId::new(format!("apply, {name}"), octets);
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                let shown = narrowing.apply(black_box(&after), &schema, budget);
                shown.expect("within budget")
            });
        });
    }
    group.bench_function(
        BenchmarkId::new("copy of the document", octets),
        |bencher| {
            bencher.iter(|| black_box(&after).clone());
        },
    );
    for (name, changed) in [
        ("basic", Changed::of(basic).from("closed").to("open")),
        ("any tuple", Changed::of("/pidf:presence/pidf:tuple")),
    ] {
        let narrowing = narrowing(Filter::new("1").when(Trigger::new().changed(changed)));
        assert!(narrowing.fires(&before, &after, budget));
        for (outcome, before) in [("fires", &before), ("does not", &after)] {
            let id = BenchmarkId::new(format!("{name} changed, {outcome}"), octets);
            group.bench_function(id, |bencher| {
                bencher.iter(|| narrowing.fires(black_box(before), black_box(&after), budget));
            });
        }
    }

    let set = FilterSet::of_presence().with(
        Filter::new("1")
            .for_uri("sip:dora@example.com")
            .include("//pidf:tuple[rpid:class=\"phone\"]")
            .exclude("//pidf:note")
            .when(Trigger::new().changed(Changed::of(basic).to("open"))),
    );
    let body = set.write().expect("writable");
    let limits = FilterLimits::default();
    group.bench_function(BenchmarkId::new("read", body.len()), |bencher| {
        bencher.iter(|| FilterSet::read(black_box(&body), &limits).expect("readable"));
    });
    group.bench_function("merge into none", |bencher| {
        let none = FilterSet::new();
        bencher.iter(|| {
            none.merged_with(black_box(&set), &limits)
                .expect("in order")
        });
    });
    group.bench_function("make ready", |bencher| {
        bencher.iter(|| black_box(&set).for_resource(|_| true));
    });
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
