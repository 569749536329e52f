//! What presence rules say meanwhile holds for whoever has left and is still to be told the end, and for
//! spheres that another composition gives.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use common::{Driver, Message, body_of, seeded, state_of};
use presentity::event::{Decision, Rejection};
use presentity::pidf::rpid::{Sphere, SphereKind};
use presentity::pidf::{Person, Presence, Tuple};
use presentity::presence::{
    Agent, AgentConfig, Composed, Composition, DenyAll, Moment, Part, RulesPolicy,
};
use presentity::rules::{CompiledRules, Rule, Ruleset};

const ILSE: &str = "sip:ilse@example.com";
const KAI: &str = "sip:kai@example.com";

type Rules = Agent<RulesPolicy<DenyAll>>;

fn agent(rule: Rule) -> Driver<Rules> {
    let policy = RulesPolicy::new(DenyAll);
    let mut agent = Agent::new(AgentConfig::default(), policy, seeded(3));
    let person = Person::new("ilse").with(&Sphere::new(SphereKind::Work));
    let document = Presence::new(ILSE)
        .with_tuple(Tuple::open("desk").with_note("at my desk"))
        .with_person(person.unwrap());
    let mut driver = {
        let rules = CompiledRules::of(&Ruleset::new().with_rule(rule));
        let now = presentity::engine::Timestamp::ZERO;
        agent.set_presence(now, ILSE, document).unwrap();
        agent.set_rules(now, ILSE, Some(rules)).unwrap();
        Driver::new(agent)
    };
    driver.drain();
    driver
}

fn everything() -> Rule {
    Rule::new("kai").for_one(KAI).allow().with_everything()
}

/// The last NOTIFY of one who leaves while the one before is not answered, and to whom this happens then.
fn last_notify(meanwhile: impl FnOnce(&mut Driver<Rules>)) -> (String, String) {
    let mut driver = agent(everything());
    let subscribe = Message::subscribe(KAI, ILSE, "c1");
    let outputs = driver.send(&subscribe);
    let first = outputs.notify().clone();
    assert!(body_of(&first).contains("at my desk"));
    let tag = outputs.response().to_tag().unwrap().to_owned();
    let leave = subscribe.in_dialog(&tag, 2).with("Expires", "0");
    let outputs = driver.send(&leave);
    assert_eq!(outputs.status(), 200);
    assert!(outputs.requests().is_empty());
    meanwhile(&mut driver);
    let outputs = driver.answer(&first, 200);
    let last = outputs.notify();
    (state_of(last).to_owned(), body_of(last).to_owned())
}

#[test]
fn who_has_left_is_still_told_the_state() {
    let (state, body) = last_notify(|_| ());
    assert!(state.starts_with("terminated"));
    assert!(body.contains("at my desk"));
}

#[test]
fn who_has_left_is_told_nothing_that_the_rules_have_forbidden_since() {
    for rules in [None, Some(Ruleset::new())] {
        let rules = rules.map(|rules| CompiledRules::of(&rules));
        let (state, body) = last_notify(|driver| {
            let now = driver.now;
            driver.role.set_rules(now, ILSE, rules.clone()).unwrap();
            driver.drain();
        });
        assert!(state.starts_with("terminated"));
        assert_eq!(body, "");
    }
}

#[test]
fn who_has_left_is_told_nothing_after_a_decision_against_it() {
    let (state, body) = last_notify(|driver| {
        let now = driver.now;
        let no = Decision::Reject(Rejection::Forbidden);
        let decided = driver.role.decide_watcher(now, KAI, ILSE, &no);
        assert_eq!(decided, Ok(0));
    });
    assert!(state.starts_with("terminated"));
    assert_eq!(body, "");
}

/// Leaves out whoever the sources tell of.
#[derive(Debug)]
struct NoPersons;

impl Composition for NoPersons {
    fn compose(&self, parts: Vec<Part>, _: &Moment) -> Composed {
        let mut document = Presence::default();
        for part in parts {
            document.tuples.extend(part.document.tuples);
        }
        Composed::new(document)
    }
}

#[test]
fn a_composition_that_changes_the_sphere_has_watchers_judged_again() {
    let mut driver = agent(everything().in_sphere("work"));
    let outputs = driver.send(&Message::subscribe(KAI, ILSE, "c1"));
    assert_eq!(outputs.status(), 200);
    driver.answer_all(&outputs);
    let now = driver.now;
    driver.role.set_composition(now, NoPersons);
    let outputs = driver.drain();
    assert_eq!(
        state_of(outputs.notify()),
        "terminated;reason=rejected",
        "{outputs:?}"
    );
}
