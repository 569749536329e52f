//! What it costs to ask when there is nothing to do, at ten and at a million subscriptions.
#![allow(missing_docs, reason = "a benchmark")]

mod common;

use std::hint::black_box;

use common::Population;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("idle");
    for subscriptions in [10, 1_000_000] {
        let mut population = Population::with_subscriptions(subscriptions / 10, subscriptions);
        let now = population.now;
        let agent = &mut population.agent;
        group.bench_function(BenchmarkId::new("poll_output", subscriptions), |bencher| {
            bencher.iter(|| assert!(black_box(&mut *agent).poll_output().is_none()));
        });
        group.bench_function(BenchmarkId::new("poll_timeout", subscriptions), |bencher| {
            bencher.iter(|| black_box(&*agent).poll_timeout());
        });
        let id = BenchmarkId::new("handle_timeout, spurious", subscriptions);
        group.bench_function(id, |bencher| {
            bencher.iter(|| black_box(&mut *agent).handle_timeout(now));
        });
    }
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
