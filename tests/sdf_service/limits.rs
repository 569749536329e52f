//! Over every limit the newcomer is refused, and nothing is lost that was there.

use bytes::Bytes;
use presentity::engine::ServerTransaction;
use presentity::sdf::{Failure, MEDIA_TYPE, RequestContext};

use crate::scene::{EMIL, NORA, OTTO, RUTH, Scene, authority, known, nobody};

#[test]
fn over_a_limit_of_the_agent_nothing_is_lost() {
    type Change = fn(&mut presentity::event::Limits);
    let changes: [(Change, &str, &str); 4] = [
        (|limits| limits.subscriptions = 2, OTTO, RUTH),
        (|limits| limits.subscriptions_per_resource = 2, OTTO, EMIL),
        (|limits| limits.subscriptions_per_watcher = 2, NORA, RUTH),
        (
            |limits| limits.subscriptions_per_watcher_and_resource = 2,
            NORA,
            EMIL,
        ),
    ];
    for (change, from, to) in changes {
        let mut scene = Scene::configured(|agent, _| change(&mut agent.server.limits));
        scene.subscribe(NORA, EMIL, "a", 600);
        scene.subscribe(NORA, EMIL, "b", 600);
        let outputs = scene.subscribe(from, to, "c", 600);
        assert_eq!(outputs.failure(), Failure::Busy(10));
        assert_eq!((outputs.failure().status(), outputs.all.len()), (503, 1));
        // Fetches and extensions need no room.
        assert_eq!(scene.fetch(from, to).story().len(), 2);
        assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).story().len(), 2);
        assert_eq!(scene.set(EMIL, "x").story(), ["nora a: x", "nora b: x"]);
        scene.cancel(NORA, EMIL, "b");
        assert!(scene.subscribe(from, to, "c", 600).answer().is_ok());
        scene.close();
    }
}

#[test]
fn sources_have_their_limit() {
    let limit = |agent: &mut presentity::presence::AgentConfig| {
        agent.server.limits.subscriptions_per_source = 1;
    };
    let mut scene = Scene::configured(|agent, _| limit(agent));
    let nora = known(NORA);
    for (source, token, passes) in [(1, "a", true), (1, "b", false), (2, "b", true)] {
        let request = scene.request(NORA, EMIL, token, 600);
        let context = RequestContext::new(&nora).with_source([192, 0, 2, source].into());
        let outputs = scene.send_with(MEDIA_TYPE, request.octets(), &context);
        assert_eq!(outputs.answer().is_ok(), passes);
    }
    scene.close();
}

#[test]
fn nothing_happens_while_too_much_waits() {
    let mut scene = Scene::configured(|_, service| service.intake.outputs = 2);
    let nora = known(NORA);
    let context = RequestContext::new(&nora);
    for number in 0..4 {
        let request = scene.request(NORA, EMIL, &number.to_string(), 600);
        let transaction = ServerTransaction(100 + number);
        let body = request.octets();
        let outcome =
            scene
                .service
                .handle_request(scene.now, transaction, MEDIA_TYPE, body, &context);
        assert_eq!(outcome.is_ok(), number < 2);
        if let Err(backlog) = outcome {
            assert_eq!(backlog.retry_after, 10);
        }
    }
    let outputs = scene.drain();
    assert_eq!(
        (outputs.answers().len(), outputs.notifications().len()),
        (2, 2)
    );
    assert_eq!(scene.live(), 2);
    scene.close();
}

#[test]
fn a_backlog_of_the_agent_is_told() {
    let mut scene = Scene::configured(|agent, _| agent.server.limits.outputs = 1);
    let nora = known(NORA);
    let context = RequestContext::new(&nora);
    for number in 0..2 {
        let request = scene.request(NORA, EMIL, &number.to_string(), 600);
        let transaction = ServerTransaction(100 + number);
        let body = request.octets();
        scene
            .service
            .handle_request(scene.now, transaction, MEDIA_TYPE, body, &context)
            .unwrap();
    }
    let answers = scene.drain().answers();
    assert!(answers[0].is_ok());
    assert_eq!(answers[1], Err(Failure::Busy(10)));
    assert_eq!(scene.live(), 1);
    scene.close();
}

#[test]
fn a_request_has_so_many_octets_at_most() {
    let mut scene = Scene::configured(|_, service| service.intake.body = 600);
    let request = scene.request(NORA, EMIL, "a", 600);
    let padded = |len: usize| {
        let mut body = request.octets().to_vec();
        body.resize(len, b'\n');
        Bytes::from(body)
    };
    let nora = known(NORA);
    let context = RequestContext::new(&nora);
    let outputs = scene.send_with(MEDIA_TYPE, &padded(601), &context);
    assert_eq!(
        (outputs.failure(), outputs.failure().status()),
        (Failure::TooLarge, 413)
    );
    assert!(
        scene
            .send_with(MEDIA_TYPE, &padded(600), &context)
            .answer()
            .is_ok()
    );
    scene.close();
}

#[test]
fn so_many_verifications_are_awaited_at_once() {
    let mut scene = Scene::configured(|_, service| service.intake.verifications = 1);
    scene.verifies = false;
    let key = authority().signer(&[NORA]);
    let first = scene.request(NORA, EMIL, "a", 600);
    let first = scene.signed(&first, &key);
    let second = scene.request(NORA, EMIL, "b", 600);
    let second = scene.signed(&second, &key);
    let outputs = scene.send_written(&first, &nobody());
    let waiting = outputs.verification().clone();
    assert_eq!(scene.service.waiting(), 1);
    let refused = scene.send_written(&second, &nobody());
    assert_eq!(refused.failure(), Failure::Busy(10));
    // What is not signed does not wait.
    assert!(scene.subscribe(NORA, EMIL, "c", 600).answer().is_ok());
    let verdict = scene.verdict(&waiting.signed);
    assert!(
        scene
            .service
            .complete_verification(scene.now, waiting.key, &verdict)
    );
    assert!(scene.drain().answer().is_ok());
    assert_eq!(scene.send_written(&second, &nobody()).story(), ["verify"]);
    scene.verifies = true;
    scene.close();
}
