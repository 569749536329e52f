//! Presence rules while watchers live: what a SUBSCRIBE costs that rules decide about, and what a change of
//! rules costs that concerns ten watchers of a hundred thousand, or all of them.
//!
//! The presentity has 1,000 rules, each for somebody else, and one for a whole domain. A change for ten is
//! timed to its last NOTIFY taken; so is one for all, of which ten see something else afterwards. Times are CPU
//! time of the thread.
#![allow(missing_docs, reason = "a benchmark")]

mod common;

use std::time::Duration;

use common::{Open, Population, presentity_uri};
use cpu_time::ThreadTime;
use criterion::{Criterion, criterion_group, criterion_main};
use presentity::event::Output;
use presentity::presence::RulesPolicy;
use presentity::rules::{Affected, CompiledRules, Many, Rule, Ruleset};

const WATCHERS: u64 = 100_000;
/// Watchers with a rule of their own.
const NAMED: u64 = 1_000;
/// Of these, watchers who lose and regain their sight.
const CONCERNED: u64 = 10;

fn watcher(number: u64) -> String {
    format!("sip:watcher-{number:07}@example.net")
}

/// Everybody in the domain sees the services, but for one who does not watch, where that one is left out;
/// those with a rule of their own see everything, but for the concerned ones where they do not.
fn rules(see_all: bool, leaves_out: bool) -> CompiledRules {
    let everybody = Many::of_domain("example.net");
    let everybody = match leaves_out {
        true => everybody.except_one("sip:nobody@example.net"),
        false => everybody,
    };
    let mut rules = Ruleset::new().with_rule(Rule::new("domain").for_many(everybody).allow());
    for number in 1..=NAMED {
        let rule = Rule::new(format!("w{number}")).for_one(watcher(number));
        rules = rules.with_rule(match see_all || number > CONCERNED {
            true => rule.allow().with_everything(),
            false => rule.allow(),
        });
    }
    CompiledRules::of(&rules)
}

/// Takes everything and answers it; gives the time of the taking and the NOTIFYs.
fn settle(population: &mut Population<RulesPolicy<Open>>) -> (Duration, u64) {
    let (mut elapsed, mut sent) = (Duration::ZERO, 0);
    loop {
        let start = ThreadTime::now();
        let mut open = Vec::new();
        while let Some(output) = population.agent.poll_output() {
            if let Output::Send(request) = output {
                open.push(request.transaction());
            }
        }
        elapsed += start.elapsed();
        sent += open.len() as u64;
        for transaction in open {
            population.answer(transaction);
        }
        if population.agent.poll_timeout() > Some(population.now) {
            return (elapsed, sent);
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10);
    let mut population = Population::ruled_by(RulesPolicy::new(Open), 1, |_| ());
    let (now, uri) = (population.now, presentity_uri(0));
    let set = population
        .agent
        .set_rules(now, &uri, Some(rules(true, false)));
    assert_eq!(set, Ok(Affected::Everybody));
    for _ in 0..WATCHERS {
        population.grow(0);
    }
    population.rest();

    group.bench_function(
        "SUBSCRIBE to the presentity with 1,001 rules, and its end",
        |bencher| {
            bencher.iter_custom(|times| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..times {
                    let mut dialog = population.newcomer(0);
                    let start = ThreadTime::now();
                    population.join(&mut dialog);
                    population.leave(&mut dialog);
                    elapsed += start.elapsed();
                }
                population.rest();
                elapsed
            });
        },
    );
    let mut see_all = true;
    group.bench_function("change for 10 of 100,000 watchers", |bencher| {
        bencher.iter_custom(|times| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..times {
                see_all = !see_all;
                let changed = rules(see_all, false);
                population.now = population.now + Duration::from_secs(1);
                let start = ThreadTime::now();
                let set = (population.agent).set_rules(population.now, &uri, Some(changed));
                elapsed += start.elapsed();
                assert!(matches!(set, Ok(Affected::Watchers(who)) if who.len() == 10));
                let (taking, sent) = settle(&mut population);
                assert_eq!(sent, CONCERNED);
                elapsed += taking;
            }
            elapsed
        });
    });
    let mut leaves_out = false;
    group.bench_function(
        "review of 100,000 watchers of whom none is concerned",
        |bencher| {
            bencher.iter_custom(|times| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..times {
                    leaves_out = !leaves_out;
                    let changed = rules(see_all, leaves_out);
                    population.now = population.now + Duration::from_secs(1);
                    let start = ThreadTime::now();
                    let set = (population.agent).set_rules(population.now, &uri, Some(changed));
                    elapsed += start.elapsed();
                    assert_eq!(set, Ok(Affected::Everybody));
                    let (taking, sent) = settle(&mut population);
                    assert_eq!(sent, 0);
                    elapsed += taking;
                }
                elapsed
            });
        },
    );
    group.finish();
}

criterion_group!(rules_change, benches);
criterion_main!(rules_change);
