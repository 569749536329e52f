//! Publications that the application stores, or looks at, before they are answered.

use presentity::event::{Job, JobOutcome, Output, PublishDecision, PublishKind};

use crate::common::{Message, Outputs, response_field};
use crate::scene::{ANA, BOB, CARLA, MALLORY, Scene, document, etag, notes, story};

fn deferring() -> Scene {
    let mut scene = Scene::new();
    scene.rules().publish = PublishDecision::Defer;
    scene
}

fn job(outputs: &Outputs) -> Job {
    match &outputs.all[..] {
        [Output::Job(job)] => job.clone(),
        other => panic!("{other:?}"),
    }
}

/// What comes of it, which the application is told as well.
fn complete(scene: &mut Scene, job: &Job, success: bool) -> Outputs {
    let now = scene.now;
    let outcome = scene.role.complete_job(now, job.key, success);
    let outputs = scene.drain();
    let expected = match outputs.responses()[..] {
        [] => JobOutcome::Over,
        [response] if response.status() == 200 => JobOutcome::Done,
        [response] => JobOutcome::Refused(response.status()),
        _ => panic!("{outputs:?}"),
    };
    assert_eq!(outcome, expected);
    outputs
}

/// Publishes through a job; the entity-tag.
fn stored(scene: &mut Scene, message: &Message) -> String {
    let job = job(&scene.send(message));
    let outputs = complete(scene, &job, true);
    let tag = etag(&outputs);
    scene.answer_all(&outputs);
    tag
}

// SRV-47
#[test]
fn a_deferred_publication_is_answered_when_its_job_is_done() {
    let mut scene = deferring();
    scene.watch();
    let body = document("t", "x");
    let message = scene.publish(BOB, &body);
    let outputs = scene.send(&message);
    let job = job(&outputs);
    assert_eq!(&*job.resource, "bob@example.com");
    assert_eq!(job.kind, PublishKind::Initial);
    assert_eq!(job.body, body);
    assert_eq!(job.publisher.as_deref(), Some("bob@example.com"));
    assert_eq!(job.expires, 600);
    assert_eq!(scene.role.publications().count(), 0, "not yet");
    scene.pass(3.0);
    let outputs = complete(&mut scene, &job, true);
    assert_eq!(
        story(&outputs),
        ["200", "published Initial", "active;expires=597"]
    );
    assert_eq!(response_field(outputs.response(), "Expires"), Some("600"));
    assert_eq!(notes(outputs.notify()), ["x"]);
    scene.answer_all(&outputs);
    scene.close();
}

// SRV-47
#[test]
fn every_kind_of_publication_may_be_deferred() {
    let mut scene = deferring();
    let message = scene.publish(BOB, &document("t", "one"));
    let mut tag = stored(&mut scene, &message);
    for (body, expires, kind) in [
        (String::new(), "600", PublishKind::Refresh),
        (document("t", "two"), "600", PublishKind::Modify),
        (String::new(), "0", PublishKind::Remove),
    ] {
        let message = scene
            .publish(BOB, &body)
            .with("SIP-If-Match", &tag)
            .with("Expires", expires);
        let job = job(&scene.send(&message));
        assert_eq!((job.kind, job.body.len()), (kind, body.len()));
        let outputs = complete(&mut scene, &job, true);
        assert_eq!(
            story(&outputs),
            ["200".to_owned(), format!("published {kind:?}")]
        );
        tag = etag(&outputs);
    }
    scene.empty();
}

// SRV-47, SRV-41
#[test]
fn a_job_that_fails_leaves_everything_as_it_was() {
    let mut scene = deferring();
    scene.watch();
    let message = scene.publish(BOB, &document("t", "one"));
    let failed = job(&scene.send(&message));
    assert_eq!(story(&complete(&mut scene, &failed, false)), ["504"]);
    assert_eq!(scene.role.publications().count(), 0);

    let message = scene.publish(BOB, &document("t", "one"));
    let tag = stored(&mut scene, &message);
    for (body, expires) in [
        (String::new(), "600"),
        (document("t", "two"), "600"),
        (String::new(), "0"),
    ] {
        let message = scene
            .publish(BOB, &body)
            .with("SIP-If-Match", &tag)
            .with("Expires", expires);
        let job = job(&scene.send(&message));
        assert_eq!(story(&complete(&mut scene, &job, false)), ["504"]);
    }
    // The entity-tag is still good.
    let message = scene.publish(BOB, "").with("SIP-If-Match", &tag);
    stored(&mut scene, &message);
    scene.close();
}

// SRV-47: below the 32 s after which nobody waits for the answer.
#[test]
fn a_job_that_takes_too_long_has_failed() {
    let mut scene = deferring();
    let message = scene.publish(BOB, &document("t", "x"));
    let late = job(&scene.send(&message));
    let seconds = late.deadline.saturating_since(scene.now).as_secs_f64();
    assert!(seconds < 32.0);
    assert!(scene.pass(seconds - 0.1).all.is_empty());
    let outputs = scene.pass(0.2);
    assert_eq!(story(&outputs), ["504"]);
    assert!(complete(&mut scene, &late, true).all.is_empty());
    scene.empty();
}

// SRV-47
#[test]
fn the_deadline_is_a_setting() {
    let mut scene = Scene::configured(|config| {
        config.server.job_deadline = std::time::Duration::from_secs(2);
    });
    scene.rules().publish = PublishDecision::Defer;
    let message = scene.publish(BOB, &document("t", "x"));
    scene.send(&message);
    assert!(scene.pass(1.9).all.is_empty());
    assert_eq!(story(&scene.pass(0.2)), ["504"]);
    scene.empty();
}

// SRV-47: whatever is asked for, the publisher gets an answer while it waits for one.
#[test]
fn no_deadline_is_behind_the_end_of_the_transaction() {
    let mut scene = Scene::configured(|config| {
        config.server.job_deadline = std::time::Duration::from_secs(3_600);
    });
    scene.rules().publish = PublishDecision::Defer;
    let message = scene.publish(BOB, &document("t", "x"));
    scene.send(&message);
    assert_eq!(story(&scene.pass(31.9)), ["504"]);
    scene.empty();
}

// SRV-47
#[test]
fn a_job_is_completed_once() {
    let mut scene = deferring();
    let message = scene.publish(BOB, &document("t", "x"));
    let done = job(&scene.send(&message));
    assert_eq!(complete(&mut scene, &done, true).status(), 200);
    for success in [true, false] {
        assert!(complete(&mut scene, &done, success).all.is_empty());
    }
    // Nor is the next one by the name of the last.
    let message = scene.publish(BOB, &document("t", "y"));
    let next = job(&scene.send(&message));
    assert!(complete(&mut scene, &done, false).all.is_empty());
    assert_eq!(complete(&mut scene, &next, true).status(), 200);
    scene.close();
}

// SRV-44, SRV-47: what was there when the job began may be gone.
#[test]
fn a_publication_that_ran_out_during_its_job_gets_412() {
    let mut scene = deferring();
    let message = scene
        .publish(BOB, &document("t", "x"))
        .with("Expires", "60");
    let tag = stored(&mut scene, &message);
    scene.pass(55.0);
    let message = scene.publish(BOB, "").with("SIP-If-Match", &tag);
    let job = job(&scene.send(&message));
    let outputs = scene.pass(6.0);
    assert_eq!(story(&outputs), ["publication expired"]);
    assert_eq!(story(&complete(&mut scene, &job, true)), ["412"]);
    scene.empty();
}

// SRV-44, SRV-47: of two at once one wins.
#[test]
fn two_jobs_for_one_entity_tag_do_not_both_succeed() {
    let mut scene = deferring();
    let message = scene.publish(BOB, &document("t", "one"));
    let tag = stored(&mut scene, &message);
    let messages = ["two", "three"].map(|note| {
        scene
            .publish(BOB, &document("t", note))
            .with("SIP-If-Match", &tag)
    });
    let jobs = messages.map(|message| job(&scene.send(&message)));
    assert_eq!(complete(&mut scene, &jobs[0], true).status(), 200);
    assert_eq!(story(&complete(&mut scene, &jobs[1], true)), ["412"]);
    scene.close();
}

// SRV-46: what cannot be read, or is not allowed, makes no work.
#[test]
fn a_publish_that_is_refused_anyway_makes_no_job() {
    let mut scene = deferring();
    let cases = [
        (scene.publish(BOB, "garbage"), BOB, 400),
        (scene.publish(BOB, "").with("SIP-If-Match", "x"), BOB, 412),
        (scene.publish(BOB, &document("t", "x")), MALLORY, 403),
        (
            scene
                .publish(BOB, &document("t", "x"))
                .with("Content-Type", "a/b"),
            BOB,
            415,
        ),
        (
            scene.publish(BOB, &document("t", "x")).with("Expires", "1"),
            BOB,
            423,
        ),
    ];
    for (message, user, status) in cases {
        let outputs = scene.send_from(&message, user);
        assert_eq!(story(&outputs), [status.to_string()]);
    }
    scene.empty();
}

// SRV-51
#[test]
fn too_many_jobs_are_told_to_come_back() {
    let mut scene = Scene::configured(|config| config.server.limits.jobs = 2);
    scene.rules().publish = PublishDecision::Defer;
    for presentity in [ANA, BOB] {
        let message = scene.publish(presentity, &document("t", "x"));
        job(&scene.send(&message));
    }
    let message = scene.publish(CARLA, &document("t", "x"));
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["503"]);
    assert_eq!(
        response_field(outputs.response(), "Retry-After"),
        Some("10")
    );
    let outputs = scene.pass(16.1);
    assert_eq!(story(&outputs), ["504", "504"]);
    scene.empty();
}

// SRV-51: a limit that was reached meanwhile.
#[test]
fn a_job_that_finds_no_room_is_told_to_come_back() {
    let mut scene = Scene::configured(|config| config.server.limits.publications = 1);
    scene.rules().publish = PublishDecision::Defer;
    let jobs = ["one", "two"].map(|note| {
        let message = scene.publish(BOB, &document("t", note));
        job(&scene.send(&message))
    });
    assert_eq!(complete(&mut scene, &jobs[0], true).status(), 200);
    let outputs = complete(&mut scene, &jobs[1], true);
    assert_eq!(story(&outputs), ["503"]);
    assert_eq!(
        response_field(outputs.response(), "Retry-After"),
        Some("10")
    );
    scene.close();
}

// SRV-46, SRV-47
#[test]
fn a_deferred_publication_of_no_duration_comes_to_nothing() {
    let mut scene = deferring();
    let message = scene.publish(BOB, &document("t", "x")).with("Expires", "0");
    let job = job(&scene.send(&message));
    assert_eq!(story(&complete(&mut scene, &job, true)), ["200"]);
    scene.empty();
}

// SRV-47: the duration runs from the answer.
#[test]
fn the_duration_of_a_deferred_publication_runs_from_its_answer() {
    let mut scene = deferring();
    let message = scene.publish(BOB, &document("t", "x"));
    let job = job(&scene.send(&message));
    scene.pass(10.0);
    let outputs = complete(&mut scene, &job, true);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("600"));
    assert!(scene.pass(599.9).all.is_empty());
    assert_eq!(story(&scene.pass(0.2)), ["publication expired"]);
    scene.empty();
}
