//! A client that lost its entity-tag publishes anew: what becomes of its old publication.

mod common;

use common::{Driver, Message, Outputs, body_of, seeded};
use presentity::engine::FlowId;
use presentity::event::{
    Assurance, Authorization, Decision, Identity, PublishDecision, PublishQuery,
    ReplacePublications, RequestContext, ServerEvent, SubscribeQuery, View,
};
use presentity::presence::{Agent, AgentConfig, Policy};

struct Anyone;

impl Policy for Anyone {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        PublishDecision::Allow
    }
}

fn driver(replace: ReplacePublications) -> Driver<Agent<Anyone>> {
    let mut config = AgentConfig::default();
    config.server.replace_publications = replace;
    config.server.limits.publications_per_resource = 2;
    Driver::new(Agent::new(config, Anyone, seeded(3)))
}

fn document(note: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:ivo@example.com'>\
         <tuple id='a'><status><basic>open</basic></status><note>{note}</note></tuple></presence>"
    )
}

fn publish(
    driver: &mut Driver<Agent<Anyone>>,
    call: &str,
    flow: Option<u64>,
    identity: &Identity,
) -> Outputs {
    let mut context = RequestContext::new(identity, "sip:agent.example.com");
    if let Some(flow) = flow {
        context = context.with_flow(FlowId(flow));
    }
    let message = Message::publish("sip:ivo@example.com", call, &document(call));
    driver.send_with(&message, &context)
}

#[test]
fn by_the_same_flow_the_old_one_gives_way_in_one_change() {
    let mut driver = driver(ReplacePublications::SameFlow);
    let ivo = Identity::of("sip:ivo@example.com", Assurance::Digest).unwrap();
    driver.subscribed(&Message::subscribe(
        "sip:ana@example.com",
        "sip:ivo@example.com",
        "w",
    ));
    let outputs = publish(&mut driver, "first", Some(7), &ivo);
    driver.answer_all(&outputs);
    driver.pass(6.0);
    let outputs = publish(&mut driver, "second", Some(7), &ivo);
    assert_eq!(outputs.status(), 200);
    let replaced = |event: &&&ServerEvent| matches!(event, ServerEvent::PublicationReplaced { .. });
    assert_eq!(outputs.events().iter().filter(replaced).count(), 1);
    // The watcher never sees both, and never sees none.
    let body = body_of(outputs.notify());
    assert!(
        body.contains(">second<") && !body.contains(">first<"),
        "{body}"
    );
    assert_eq!(driver.role.publications().count(), 1);
    // The limit counts what gives way as gone.
    for call in ["third", "fourth", "fifth"] {
        assert_eq!(publish(&mut driver, call, Some(7), &ivo).status(), 200);
    }
    assert_eq!(driver.role.publications().count(), 1);
}

/// A walk past so many watchers starts the interval even when it tells nobody anything.
#[test]
fn for_a_crowd_too_it_is_one_change_that_delays_no_other() {
    let mut driver = driver(ReplacePublications::SameFlow);
    let ivo = Identity::of("sip:ivo@example.com", Assurance::Digest).unwrap();
    for number in 0..1_100 {
        let watcher = format!("sip:w{number}@example.com");
        let call = format!("w{number}");
        driver.subscribed(&Message::subscribe(&watcher, "sip:ivo@example.com", &call));
    }
    let outputs = publish(&mut driver, "first", Some(7), &ivo);
    assert_eq!(outputs.requests().len(), 1_100);
    driver.answer_all(&outputs);
    driver.pass(30.0);
    let outputs = publish(&mut driver, "second", Some(7), &ivo);
    assert_eq!(outputs.requests().len(), 1_100);
    driver.answer_all(&outputs);
    // The interval has passed: what comes now is told now.
    assert!(driver.pass(5.1).requests().is_empty());
    let outputs = publish(&mut driver, "third", Some(7), &ivo);
    assert_eq!(outputs.requests().len(), 1_100);
    driver.answer_all(&outputs);
    // A change in the midst of a walk is told to those before in a walk of its own.
    driver.pass(5.1);
    let context = RequestContext::new(&ivo, "sip:agent.example.com").with_flow(FlowId(7));
    for call in ["fourth", "fifth"] {
        let message = Message::publish("sip:ivo@example.com", call, &document(call));
        let transaction = presentity::engine::ServerTransaction(9_000);
        let taken = driver
            .role
            .handle_request(driver.now, transaction, &message.view(), &context);
        assert_eq!(taken, Ok(()));
        let mut sent = 0;
        while let Some(output) = driver.role.poll_output() {
            let presentity::event::Output::Send(request) = output else {
                continue;
            };
            assert!(body_of(&request).contains(&format!(">{call}<")));
            let body = bytes::Bytes::new();
            let ok = presentity::sip::ResponseRef::new(200, [], &body);
            driver
                .role
                .handle_response(driver.now, request.transaction(), &ok);
            sent += 1;
            if call == "fourth" && sent == 500 {
                break;
            }
        }
        assert_eq!(sent, if call == "fourth" { 500 } else { 600 });
    }
    assert_eq!(driver.pass(5.1).requests().len(), 500);
}

#[test]
fn another_flow_another_user_and_no_flow_stay() {
    let ivo = Identity::of("sip:ivo@example.com", Assurance::Digest).unwrap();
    let secretary = Identity::of("sip:desk@example.com", Assurance::Digest).unwrap();
    for (flow, identity) in [
        (Some(8), &ivo),
        (Some(7), &secretary),
        (None, &ivo),
        (Some(7), &Identity::nobody()),
    ] {
        let mut driver = driver(ReplacePublications::SameFlow);
        publish(&mut driver, "first", Some(7), &ivo);
        assert_eq!(publish(&mut driver, "second", flow, identity).status(), 200);
        assert_eq!(driver.role.publications().count(), 2);
    }
}

#[test]
fn by_default_publications_end_by_themselves_alone() {
    // SRV-49
    let ivo = Identity::of("sip:ivo@example.com", Assurance::Digest).unwrap();
    let mut driver = driver(ReplacePublications::default());
    publish(&mut driver, "first", Some(7), &ivo);
    publish(&mut driver, "second", Some(7), &ivo);
    assert_eq!(driver.role.publications().count(), 2);
    assert_eq!(publish(&mut driver, "third", Some(7), &ivo).status(), 503);
    driver.pass(601.0);
    assert_eq!(driver.role.occupancy(), Default::default());
}
