//! What authorization rules cost: an answer for one watcher among ten rules and a thousand, a document of
//! 6 KB with the private parts taken out, and the reading, compiling and comparing of a thousand rules.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

#[path = "common/documents.rs"]
mod documents;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use presentity::pidf::Presence;
use presentity::rules::{
    CompiledRules, InputDetail, PresenceAttribute, Provided, Query, Rule, Ruleset, ServiceSelector,
    SubHandling,
};

/// So many rules, each for one watcher, and two for a domain and for everybody.
fn rules(number: usize) -> Ruleset {
    let provided = Provided::nothing()
        .with_all_services()
        .with_all_persons()
        .with_attribute(PresenceAttribute::Activities)
        .with_user_input(InputDetail::Bare);
    let ones = (0..number).map(|n| {
        Rule::new(format!("r{n}"))
            .for_one(format!("sip:w{n}@example.com"))
            .allow()
            .providing(provided.clone())
    });
    let domain = Rule::new("domain")
        .for_domain("example.org")
        .handled(SubHandling::PoliteBlock);
    let others = Rule::new("others").handled(SubHandling::Confirm);
    ones.chain([domain, others])
        .fold(Ruleset::new(), Ruleset::with_rule)
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    for number in [10, 1000] {
        let compiled = CompiledRules::of(&rules(number));
        for (name, watcher) in [
            ("listed", "w7@example.com"),
            ("by domain", "w7@example.org"),
        ] {
            let query = Query::of(watcher);
            let id = BenchmarkId::new(format!("evaluate, {name}"), number);
            group.bench_function(id, |bencher| {
                bencher.iter(|| black_box(&compiled).evaluate(black_box(&query)));
            });
        }
    }

    let rules = rules(1000);
    let document = rules.write().expect("writable");
    let octets = document.len();
    group.bench_function(format!("read 1000 rules, {octets} octets"), |bencher| {
        bencher.iter(|| Ruleset::read(black_box(&document)).expect("readable"));
    });
    group.bench_function("write 1000 rules", |bencher| {
        bencher.iter(|| black_box(&rules).write().expect("writable"));
    });
    group.bench_function("compile 1000 rules", |bencher| {
        bencher.iter(|| CompiledRules::of(black_box(&rules)));
    });
    let compiled = CompiledRules::of(&rules);
    let mut changed = rules.clone();
    changed.rules.remove(500);
    let changed = CompiledRules::of(&changed);
    group.bench_function("compare 1000 rules", |bencher| {
        bencher.iter(|| black_box(&compiled).affected_by(black_box(&changed)));
    });

    let [_, text, _] = documents::all();
    let presence = Presence::read(text.as_bytes()).expect("readable");
    let some = Provided::nothing()
        .with_all_services()
        .with_all_persons()
        .with_attribute(PresenceAttribute::Activities)
        .with_user_input(InputDetail::Bare);
    let attributes = Provided::nothing().with_attribute(PresenceAttribute::Note);
    let by_uri = (0..10).fold(attributes, |all, n| {
        let uri = format!("sip:dora@192.0.2.{n}:5060");
        all.with_services(ServiceSelector::Uri(uri))
    });
    for (name, provided) in [("some", some), ("services by URI", by_uri)] {
        let id = BenchmarkId::new(format!("apply, {name}"), text.len());
        group.bench_function(id, |bencher| {
            bencher.iter_batched_ref(
                || presence.clone(),
                |presence| provided.apply(presence),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("name, {name}"), |bencher| {
            bencher.iter(|| black_box(&provided).to_name());
        });
    }
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
