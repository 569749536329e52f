//! From a watcher by documents through SIP to a service by documents.

use presentity::event::{Identity, Signature};
use presentity::sdf::Operation;
use presentity::sdf::gateway::ToSipConfig;

use crate::gate::Gate;
use crate::rules::{EMIL, known, signed, state};
use crate::scene::{Fate, GATEWAY, Scene};

fn chain() -> Scene<Gate> {
    let mut gate = Gate::new();
    gate.sender = Some(known("sip:other@example.com"));
    gate.service.agent_mut().policy_mut().wants = Signature::Bound;
    let mut scene = Scene::with(ToSipConfig::default(), gate);
    scene.watcher = Identity::nobody();
    scene.sender = known(GATEWAY);
    scene
}

fn set(scene: &mut Scene<Gate>, note: &str) -> Vec<String> {
    let now = scene.now;
    let agent = scene.far.service.agent_mut();
    agent.set_presence(now, EMIL, state(EMIL, note)).unwrap();
    scene.settle().story()
}

// SDF-30, SDF-31, SEC-36: through two gateways and SIP between them, none of which is believed.
#[test]
fn a_signature_holds_through_two_gateways() {
    let mut scene = chain();
    set(&mut scene, "away");
    let request = scene.hold("a", 600);
    let document = signed(&request);
    let told = scene.ask(&document);
    assert_eq!(
        told.story().last().unwrap(),
        "a: away",
        "{:?}",
        told.story()
    );
    assert!(told.granted().pending);
    assert_eq!(told.granted().duration, 600);
    assert_eq!(scene.far.orders[0].body, document.1);
    assert_eq!(scene.far.orders[0].content_type, document.0);
    assert_eq!(scene.far.orders[0].token, "a");
    let asked = &scene.far.service.agent().policy().asked;
    assert_eq!(
        asked[..],
        [("nora@example.org".to_owned(), Signature::Bound)]
    );
    let shown = told.states().last().unwrap().body.clone();
    assert_eq!(shown, *scene.notifies.last().unwrap().body());

    scene.pass(60.0);
    let request = scene.hold("a", 900);
    let document = signed(&request);
    let told = scene.ask(&document);
    assert_eq!(told.granted().operation, Operation::Extend);
    assert!(!told.granted().pending);
    assert_eq!(scene.far.orders.last().unwrap().body, document.1);
    scene.pass(6.0);
    assert_eq!(set(&mut scene, "back"), ["a: back"]);

    let request = scene.cancel("a");
    let document = signed(&request);
    assert_eq!(scene.ask(&document).granted().operation, Operation::Cancel);
    assert_eq!(scene.far.orders.last().unwrap().body, document.1);
    let results = &scene.far.results;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    scene.nothing_is_left();
}

#[test]
fn what_is_altered_between_gateways_goes_no_further() {
    let mut scene = chain();
    scene.fates.push_back(Fate::Altered);
    let request = scene.hold("a", 600);
    let told = scene.ask(&signed(&request));
    assert_eq!(told.failure().status(), 403);
    assert!(scene.far.orders.is_empty());
    scene.nothing_is_left();
}

/// What the last service refuses is told to the first watcher.
#[test]
fn a_refusal_at_the_end_of_the_chain_is_told_at_its_beginning() {
    let mut scene = chain();
    let rules = scene.far.service.agent_mut().policy_mut();
    let no = presentity::event::Decision::Reject(presentity::event::Rejection::Forbidden);
    rules.each.insert("nora@example.org".to_owned(), no);
    let request = scene.hold("a", 600);
    let told = scene.ask(&signed(&request));
    assert!(told.granted().pending);
    assert_eq!(told.ends().len(), 1);
    assert_eq!(
        told.story().last().unwrap(),
        "a ended by the notifier: rejected"
    );
    scene.nothing_is_left();
}

#[test]
fn a_lapse_runs_through_the_chain() {
    for is_believed in [false, true] {
        let mut scene = chain();
        if is_believed {
            scene.far.sender = None;
            scene.far.service.agent_mut().policy_mut().wants = Signature::None;
        }
        let request = scene.hold("a", 600);
        scene.ask(&signed(&request));
        // Refreshes between the gateways, of which no watcher has signed any, do no harm.
        let told = scene.pass(599.0);
        assert_eq!(told.ends(), [], "{is_believed}: {:?}", told.story());
        assert!(scene.subscribes.len() > 1);
        assert_eq!(set(&mut scene, "x"), ["a: x"]);
        let told = scene.pass(5.0);
        assert_eq!(told.ends(), [None], "{:?}", told.story());
        scene.pass(60.0);
        scene.nothing_is_left();
    }
}
