//! Documents that leave signed, encrypted or both: who gets which, how often they are made, and what
//! becomes of NOTIFYs meanwhile. The cryptography is a toy; what it is given and where it goes is not.

use bytes::Bytes;
use presentity::event::{
    Decision, Output, ProtectError, Protection, ProtectionJob, ProtectionKind, Reason, ServerEvent,
    Termination,
};
use presentity::mime::{
    EncryptError, Enveloped, Part, SignError, Signature, Signed, Written, is_protected,
};
use presentity::pidf::{Presence, Tuple};
use presentity::sip::OutgoingRequest;
use time::OffsetDateTime;

use crate::common::{Message, Outputs, body_of, field, response_field, seeded, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, Watch, notes, viewing};

const BOTH: &str = "application/pidf+xml, multipart/signed, application/pkcs7-mime";

/// What a job asks for, done with toys: the signature is the length, the envelope names the watcher.
fn protect(job: &ProtectionJob) -> Written {
    let content = job.content.octets();
    match &job.kind {
        ProtectionKind::Sign => {
            let octets = content.len().to_string();
            let signature = Signature::new("application/x-toy", "sha-256", octets).unwrap();
            Signed::write(content, &signature, &mut seeded(content.len() as u64))
        }
        ProtectionKind::Encrypt { watcher } => {
            let sealed = [watcher.as_bytes(), b":", content].concat();
            Enveloped::write(sealed)
        }
        other => panic!("{other:?}"),
    }
}

/// What is within a signed body: its type and the document.
fn signed_content(content_type: &str, body: &Bytes) -> (String, Bytes) {
    let signed = Signed::read(content_type, body).unwrap();
    let length = signed.content().len().to_string();
    assert_eq!(signed.signature(), length.as_str());
    let part = signed.part().unwrap();
    let content_type = part.content_type().unwrap().to_owned();
    (content_type, part.plain_body().unwrap().clone())
}

/// What is within an envelope for `watcher`.
fn opened(watcher: &str, content_type: &str, body: &Bytes) -> (String, Bytes) {
    assert!(content_type.starts_with("application/pkcs7-mime;smime-type=enveloped-data"));
    let mark = format!("{watcher}:");
    assert!(body.starts_with(mark.as_bytes()), "{body:?}");
    let part = Part::read(&body.slice(mark.len()..)).unwrap();
    let content_type = part.content_type().unwrap().to_owned();
    (content_type, part.plain_body().unwrap().clone())
}

/// The document of a NOTIFY that is signed.
fn signed_document(notify: &OutgoingRequest) -> Presence {
    let content_type = field(notify, "Content-Type").unwrap();
    let (inner, body) = signed_content(content_type, notify.body());
    assert_eq!(inner, "application/pidf+xml");
    Presence::read(&body).unwrap()
}

fn note(document: &Presence) -> &str {
    &document.tuples[0].notes[0].text
}

fn jobs(outputs: &Outputs) -> Vec<&ProtectionJob> {
    let jobs = outputs.all.iter().filter_map(|output| match output {
        Output::Protect(job) => Some(&**job),
        _ => None,
    });
    jobs.collect()
}

fn job(outputs: &Outputs) -> &ProtectionJob {
    let jobs = jobs(outputs);
    assert_eq!(jobs.len(), 1, "{outputs:?}");
    jobs[0]
}

impl Scene {
    fn protecting(protection: Protection) -> Self {
        let mut scene = Self::new();
        scene.rules().protection = protection;
        scene
    }

    fn subscribe_accepting(&mut self, from: &str, accept: &str) -> Message {
        self.subscribe(from, BOB).with("Accept", accept)
    }

    fn complete(&mut self, job: &ProtectionJob, result: Result<Written, ProtectError>) -> Outputs {
        let now = self.now;
        assert!(self.role.complete_protection(now, job.key, result));
        self.drain()
    }

    /// Does the jobs, and those that come of them.
    fn work(&mut self, outputs: &Outputs) -> Outputs {
        let mut all = Outputs::default();
        for job in jobs(outputs) {
            let more = self.complete(job, Ok(protect(job)));
            let further = self.work(&more);
            all.all.extend(more.all);
            all.all.extend(further.all);
        }
        all
    }

    /// A watcher who takes everything, with its first NOTIFY answered.
    fn watch_protected(&mut self, from: &str) -> Watch {
        let message = self.subscribe_accepting(from, BOTH);
        let mut outputs = self.send(&message);
        assert_eq!(outputs.status(), 200);
        outputs.all.extend(self.work(&outputs).all);
        self.answer_all(&outputs);
        Watch::begun(message, &outputs)
    }
}

// PA-75, SEC-18, SEC-20
#[test]
fn a_document_is_signed_before_it_leaves() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("at work");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert!(outputs.requests().is_empty(), "nothing leaves unsigned");
    let signing = job(&outputs);
    assert_eq!(signing.kind, ProtectionKind::Sign);
    // The domain's authority has to know for whom.
    assert_eq!(&*signing.resource, "bob@example.com");
    assert_eq!(signing.content.content_type(), Some("application/pidf+xml"));
    let outputs = scene.complete(signing, Ok(protect(signing)));
    let notify = outputs.notify();
    assert!(is_protected(field(notify, "Content-Type").unwrap()));
    assert_eq!(note(&signed_document(notify)), "at work");
    assert!(state_of(notify).starts_with("active"));
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-12, SEC-16, SEC-17
#[test]
fn a_document_is_encrypted_for_the_watcher() {
    let mut scene = Scene::protecting(Protection::Encrypted);
    scene.set("at work");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    let encrypting = job(&outputs);
    let watcher = "ana@example.com".into();
    assert_eq!(encrypting.kind, ProtectionKind::Encrypt { watcher });
    let outputs = scene.work(&outputs);
    let notify = outputs.notify();
    let content_type = field(notify, "Content-Type").unwrap();
    let (inner, body) = opened("ana@example.com", content_type, notify.body());
    assert_eq!(inner, "application/pidf+xml");
    assert_eq!(note(&Presence::read(&body).unwrap()), "at work");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-75, SEC-12
#[test]
fn what_is_encrypted_may_be_signed_within() {
    let mut scene = Scene::protecting(Protection::SignedAndEncrypted);
    scene.set("at work");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    assert_eq!(job(&outputs).kind, ProtectionKind::Sign);
    let outputs = scene.work(&outputs);
    let notify = outputs.notify();
    let content_type = field(notify, "Content-Type").unwrap();
    let (inner, body) = opened("ana@example.com", content_type, notify.body());
    let (innermost, body) = signed_content(&inner, &body);
    assert_eq!(innermost, "application/pidf+xml");
    assert_eq!(note(&Presence::read(&body).unwrap()), "at work");
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn a_state_is_signed_once_for_all_who_see_it() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("zero");
    for user in 0..50 {
        scene.watch_protected(&format!("sip:user{user}@example.com"));
    }
    assert_eq!(scene.role.counters().protections(), 1);
    let outputs = scene.set("one");
    let signing = job(&outputs);
    assert!(outputs.requests().is_empty());
    let outputs = scene.complete(signing, Ok(protect(signing)));
    assert_eq!(outputs.requests().len(), 50);
    let bodies: Vec<_> = outputs
        .requests()
        .iter()
        .map(|it| it.body().as_ptr())
        .collect();
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "shared, not copied"
    );
    scene.answer_all(&outputs);
    // A repeated state needs no new signature.
    assert!(scene.set("one").all.is_empty());
    assert_eq!(scene.role.counters().protections(), 2);
    scene.close();
}

#[test]
fn each_view_is_signed_by_itself() {
    let mut scene = Scene::protecting(Protection::Signed);
    let notes = viewing("notes").into();
    scene.rules().each.insert("carla@example.com".into(), notes);
    scene.set("zero");
    scene.watch_protected(ANA);
    scene.watch_protected(CARLA);
    let outputs = scene.set_document(BOB, crate::scene::state("one").with_note("away"));
    let mut all = scene.work(&outputs);
    all.all.extend(outputs.all);
    assert_eq!(jobs(&all).len(), 2);
    let tuples: Vec<_> = all
        .requests()
        .iter()
        .map(|notify| signed_document(notify).tuples.len())
        .collect();
    assert_eq!(tuples, [1, 0]);
    scene.answer_all(&all);
    scene.close();
}

#[test]
fn what_is_encrypted_is_made_once_for_each_watcher() {
    let mut scene = Scene::protecting(Protection::SignedAndEncrypted);
    scene.set("zero");
    scene.watch_protected(ANA);
    scene.watch_protected(ANA);
    scene.watch_protected(CARLA);
    // One signature, two envelopes, three NOTIFYs.
    assert_eq!(scene.role.counters().protections(), 3);
    let outputs = scene.set("one");
    let all = scene.work(&outputs);
    let mut watchers: Vec<_> = jobs(&all)
        .iter()
        .map(|job| match &job.kind {
            ProtectionKind::Encrypt { watcher } => watcher.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    watchers.sort();
    assert_eq!(watchers, ["ana@example.com", "carla@example.com"]);
    assert_eq!(all.requests().len(), 3);
    assert_eq!(scene.role.counters().protections(), 6);
    scene.answer_all(&all);
    scene.close();
}

#[test]
fn nobody_waits_for_the_envelope_of_another() {
    let mut scene = Scene::protecting(Protection::Encrypted);
    scene
        .rules()
        .protections
        .insert("dora@example.com".into(), Protection::None);
    scene.set("zero");
    scene.watch_protected(ANA);
    scene.watch_protected(CARLA);
    scene.watch_protected("sip:dora@example.com");
    let outputs = scene.set("one");
    assert_eq!(jobs(&outputs).len(), 2);
    let to = |notify: &OutgoingRequest| field(notify, "To").unwrap().to_owned();
    assert!(to(outputs.notify()).contains("dora"));
    scene.answer_all(&outputs);
    let last = jobs(&outputs)[1].clone();
    let outputs = scene.complete(&last, Ok(protect(&last)));
    assert!(to(outputs.notify()).contains("carla"));
    scene.answer_all(&outputs);
    // Ana's never comes.
    let outputs = scene.pass(40.0);
    assert!(to(outputs.notify()).contains("ana"));
    assert!(outputs.notify().body().is_empty());
    scene.answer_all(&outputs);
    scene.close();
}

// PA-75: what the watcher does not take is not forced upon it.
#[test]
fn a_watcher_that_takes_no_protected_document_is_refused() {
    for (protection, accept, missing) in [
        (
            Protection::Signed,
            "application/pidf+xml",
            "multipart/signed",
        ),
        (
            Protection::Encrypted,
            "application/pidf+xml, multipart/signed",
            "application/pkcs7-mime",
        ),
        (
            Protection::SignedAndEncrypted,
            "application/pidf+xml, multipart/signed",
            "application/pkcs7-mime",
        ),
        (
            Protection::SignedAndEncrypted,
            "application/pidf+xml, application/pkcs7-mime",
            "multipart/signed",
        ),
        (
            Protection::Signed,
            "application/pidf+xml, multipart/signed;q=0",
            "multipart/signed",
        ),
    ] {
        let mut scene = Scene::protecting(protection);
        let message = scene.subscribe_accepting(ANA, accept);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 406, "{accept}");
        let types = response_field(outputs.response(), "Accept").unwrap();
        assert!(types.contains(missing), "{types}");
        // Without the field only the package's own type is taken.
        let message = scene.subscribe(ANA, BOB);
        assert_eq!(scene.send(&message).status(), 406);
        assert_eq!(scene.live(), 0);
        scene.empty();
    }
}

#[test]
fn what_only_one_may_read_is_for_nobody_without_a_name() {
    let mut scene = Scene::protecting(Protection::Encrypted);
    scene.rules().nobody = Decision::Allow(Default::default()).into();
    let message = scene.subscribe_accepting(ANA, BOTH);
    assert_eq!(scene.send_from_nobody(&message).status(), 401);
    scene.rules().protection = Protection::Signed;
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send_from_nobody(&message);
    assert_eq!(outputs.status(), 200);
    let outputs = scene.work(&outputs);
    signed_document(outputs.notify());
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn a_refresh_may_change_the_protection() {
    let mut scene = Scene::new();
    scene.set("at work");
    let mut watch = scene.watch_protected(ANA);
    scene.rules().protection = Protection::Signed;
    let refresh = watch.refresh();
    let outputs = scene.send(&refresh);
    assert_eq!(outputs.status(), 200);
    let outputs = scene.work(&outputs);
    signed_document(outputs.notify());
    scene.answer_all(&outputs);
    let plain = watch.refresh().without("Accept");
    let outputs = scene.send(&plain);
    assert_eq!(outputs.status(), 406, "it goes on as it was");
    assert_eq!(scene.live(), 1);
    scene.rules().protection = Protection::None;
    let refresh = watch.refresh();
    let outputs = scene.send(&refresh);
    assert_eq!(notes(outputs.notify()), ["at work"]);
    scene.answer_all(&outputs);
    assert_eq!(scene.role.occupancy().variants, 1);
    scene.close();
}

#[test]
fn without_a_result_nothing_leaves_unprotected() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("at work");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    let signing = job(&outputs).clone();
    let outputs = scene.complete(&signing, Err(SignError::NoKey.into()));
    assert!(outputs.notify().body().is_empty());
    assert!(state_of(outputs.notify()).starts_with("active"));
    let failed = outputs.events().into_iter().find_map(|event| match event {
        ServerEvent::ProtectionFailed {
            resource,
            watcher,
            error,
        } => Some((resource.to_string(), watcher.clone(), error.clone())),
        _ => None,
    });
    let error = ProtectError::Sign(SignError::NoKey);
    assert_eq!(failed, Some(("bob@example.com".to_owned(), None, error)));
    assert_eq!(scene.role.counters().protections_failed(), 1);
    scene.answer_all(&outputs);
    // Not by itself; with the next SUBSCRIBE it is tried again, once.
    assert!(jobs(&scene.pass(60.0)).is_empty());
    let again = scene.subscribe_accepting(CARLA, BOTH);
    let outputs = scene.send(&again);
    let outputs = scene.work(&outputs);
    // And who got nothing gets it too.
    let to = |notify: &OutgoingRequest| field(notify, "To").unwrap().to_owned();
    let told = outputs.requests();
    assert!(told.len() == 2 && to(told[0]).contains("carla") && to(told[1]).contains("ana"));
    for notify in told {
        assert_eq!(note(&signed_document(notify)), "at work");
    }
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn what_could_be_made_in_the_end_is_told_to_all() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("zero");
    scene.watch_protected(ANA);
    let mut carla = scene.watch_protected(CARLA);
    scene.pass(10.0);
    let outputs = scene.set("one");
    let signing = job(&outputs).clone();
    let outputs = scene.complete(&signing, Err(SignError::NoKey.into()));
    assert!(outputs.requests().is_empty(), "what they have is better");
    assert!(jobs(&scene.pass(60.0)).is_empty());
    let refresh = carla.refresh();
    let mut outputs = scene.send(&refresh);
    outputs.all.extend(scene.work(&outputs).all);
    outputs.all.extend(scene.pass(5.0).all);
    let told: Vec<_> = outputs
        .requests()
        .iter()
        .map(|notify| {
            let is_ana = field(notify, "To").unwrap().contains("ana");
            (is_ana, note(&signed_document(notify)).to_owned())
        })
        .collect();
    assert_eq!(told, [(false, "one".into()), (true, "one".into())]);
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn a_job_that_takes_too_long_has_failed() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("at work");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    let signing = job(&outputs).clone();
    assert!(signing.deadline <= scene.now + std::time::Duration::from_secs(31));
    let outputs = scene.pass(32.0);
    assert!(outputs.notify().body().is_empty());
    assert!(outputs.events().iter().any(|event| matches!(
        event,
        ServerEvent::ProtectionFailed {
            error: ProtectError::Timeout,
            ..
        }
    )));
    let now = scene.now;
    let late = scene
        .role
        .complete_protection(now, signing.key, Ok(protect(&signing)));
    assert!(!late, "it is over");
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn a_result_without_type_or_octets_is_none() {
    for (content_type, body) in [
        ("multipart/signed;boundary=b\r\nX: y", "x"),
        ("", "x"),
        ("multipart/signed;boundary=b", ""),
    ] {
        let mut scene = Scene::protecting(Protection::Signed);
        scene.set("at work");
        let message = scene.subscribe_accepting(ANA, BOTH);
        let outputs = scene.send(&message);
        let signing = job(&outputs);
        let mut written = protect(signing);
        written.content_type = content_type.to_owned();
        written.body = Bytes::from(body);
        let outputs = scene.complete(signing, Ok(written));
        assert!(outputs.notify().body().is_empty());
        assert_eq!(scene.role.counters().protections_failed(), 1);
        scene.answer_all(&outputs);
        scene.close();
    }
}

#[test]
fn a_change_while_it_is_being_signed_follows_at_the_pace_of_changes() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("zero");
    scene.watch_protected(ANA);
    scene.pass(10.0);
    let outputs = scene.set("one");
    let signing = job(&outputs).clone();
    assert!(scene.set("two").all.is_empty(), "one job at a time");
    assert!(scene.set("three").all.is_empty());
    let outputs = scene.complete(&signing, Ok(protect(&signing)));
    assert_eq!(note(&signed_document(outputs.notify())), "one");
    scene.answer_all(&outputs);
    assert!(scene.pass(4.9).all.is_empty());
    let outputs = scene.pass(0.2);
    let outputs = scene.work(&outputs);
    assert_eq!(note(&signed_document(outputs.notify())), "three");
    scene.answer_all(&outputs);
    assert!(scene.pass(60.0).all.is_empty());
    scene.close();
}

#[test]
fn a_state_that_always_changes_is_told_all_the_same() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("zero");
    scene.watch_protected(ANA);
    let mut told = 0;
    let mut open: Vec<ProtectionJob> = Vec::new();
    for step in 0..200 {
        let mut outputs = scene.set(&format!("state {step}"));
        outputs.all.extend(scene.pass(0.4).all);
        // Each signature takes a few changes.
        if step % 3 == 0 {
            for signing in std::mem::take(&mut open) {
                outputs
                    .all
                    .extend(scene.complete(&signing, Ok(protect(&signing))).all);
            }
        }
        open.extend(jobs(&outputs).into_iter().cloned());
        told += outputs.requests().len();
        scene.answer_all(&outputs);
    }
    // 80 seconds: a round in five, and what the signatures take.
    assert!((8..=16).contains(&told), "{told}");
    for signing in open {
        let outputs = scene.complete(&signing, Ok(protect(&signing)));
        scene.answer_all(&outputs);
    }
    let outputs = scene.pass(10.0);
    let outputs = scene.work(&outputs);
    assert_eq!(note(&signed_document(outputs.notify())), "state 199");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-64: what is made for one watcher leaves when it is made; the next change keeps its distance.
#[test]
fn envelopes_that_take_long_keep_their_pace() {
    let mut scene = Scene::protecting(Protection::Encrypted);
    scene.set("zero");
    scene.watch_protected(ANA);
    scene.pass(10.0);
    let outputs = scene.set("one");
    let first = job(&outputs).clone();
    scene.pass(1.0);
    assert!(scene.set("two").all.is_empty());
    scene.pass(3.5);
    let outputs = scene.complete(&first, Ok(protect(&first)));
    scene.answer_all(&outputs);
    assert_eq!(outputs.requests().len(), 1);
    // Five seconds after the change nothing is due, but after its NOTIFY.
    assert!(scene.pass(4.9).all.is_empty());
    let outputs = scene.pass(0.2);
    let outputs = scene.work(&outputs);
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn a_fetch_waits_for_its_document_and_an_end_does_not() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("at work");
    let fetch = scene.subscribe_accepting(ANA, BOTH).with("Expires", "0");
    let outputs = scene.send(&fetch);
    assert_eq!(outputs.status(), 200);
    assert!(outputs.requests().is_empty());
    let outputs = scene.work(&outputs);
    assert_eq!(note(&signed_document(outputs.notify())), "at work");
    assert!(state_of(outputs.notify()).starts_with("terminated"));
    scene.answer_all(&outputs);

    let message = scene.subscribe_accepting(CARLA, BOTH);
    let outputs = scene.send(&message);
    assert_eq!(jobs(&outputs).len(), 1, "nobody saw the last one any more");
    let signing = job(&outputs).clone();
    let outputs = scene.terminate(Reason::Deactivated);
    assert!(outputs.notify().body().is_empty());
    assert_eq!(state_of(outputs.notify()), "terminated;reason=deactivated");
    scene.answer_all(&outputs);
    let now = scene.now;
    let late = scene
        .role
        .complete_protection(now, signing.key, Ok(protect(&signing)));
    assert!(!late, "nobody waits for it");
    assert!(scene.drain().all.is_empty());
    scene.close();
}

#[test]
fn who_goes_while_it_is_being_signed_holds_up_nobody() {
    let mut scene = Scene::protecting(Protection::Signed);
    let notes = viewing("notes").into();
    scene.rules().each.insert("ana@example.com".into(), notes);
    scene.set("zero");
    let mut ana = scene.watch_protected(ANA);
    scene.watch_protected(CARLA);
    let outputs = scene.set("one");
    let signing = job(&outputs).clone();
    // The round waits for her view, and she leaves.
    let unsubscribe = ana.unsubscribe();
    let outputs = scene.send(&unsubscribe);
    assert_eq!(outputs.status(), 200);
    let mut all = scene.complete(&signing, Ok(protect(&signing)));
    let more = scene.work(&all);
    all.all.extend(more.all);
    let to: Vec<_> = all
        .requests()
        .iter()
        .map(|notify| field(notify, "To").unwrap().contains("carla"))
        .collect();
    assert!(to.contains(&true), "{all:?}");
    scene.answer_all(&all);
    scene.close();
}

#[test]
fn a_decision_while_it_is_being_signed_is_heeded() {
    let mut scene = Scene::protecting(Protection::Signed);
    scene.set("at work");
    scene.rules().everybody = Decision::Pending.into();
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    let pending = job(&outputs).clone();
    let outputs = scene.decide(viewing("tuples"));
    let allowed = job(&outputs).clone();
    let outputs = scene.complete(&allowed, Ok(protect(&allowed)));
    let document = signed_document(outputs.notify());
    assert!(document.notes.is_empty() && document.tuples.len() == 1);
    assert!(state_of(outputs.notify()).starts_with("active"));
    scene.answer_all(&outputs);
    let now = scene.now;
    assert!(
        !scene
            .role
            .complete_protection(now, pending.key, Ok(protect(&pending)))
    );
    assert!(scene.drain().all.is_empty());
    scene.close();
}

#[test]
fn jobs_are_bounded_and_everybody_has_his_turn() {
    let mut scene = Scene::configured(|config| config.server.limits.jobs = 2);
    scene.rules().protection = Protection::SignedAndEncrypted;
    scene.set("zero");
    let mut open = Vec::new();
    let mut answered = 0;
    for user in 0..20 {
        let message = scene.subscribe_accepting(&format!("sip:user{user}@example.com"), BOTH);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200);
        open.extend(jobs(&outputs).into_iter().cloned());
    }
    assert!(open.len() <= 2, "{}", open.len());
    while let Some(job) = open.pop() {
        let outputs = scene.complete(&job, Ok(protect(&job)));
        open.extend(jobs(&outputs).into_iter().cloned());
        assert!(scene.role.occupancy().jobs <= 2);
        answered += outputs.requests().len();
        scene.answer_all(&outputs);
    }
    assert_eq!(answered, 20);
    // The same for a change, to several presentities at once.
    for user in 0..6 {
        scene.set_for(&format!("sip:bob{user}@example.com"), "zero");
        let uri = format!("sip:bob{user}@example.com");
        let message = scene.subscribe(ANA, &uri).with("Accept", BOTH);
        let outputs = scene.send(&message);
        let outputs = scene.work(&outputs);
        scene.answer_all(&outputs);
    }
    scene.pass(10.0);
    let mut told = 0;
    for user in 0..6 {
        let outputs = scene.set_for(&format!("sip:bob{user}@example.com"), "one");
        open.extend(jobs(&outputs).into_iter().cloned());
    }
    assert!(open.len() <= 2);
    while let Some(job) = open.pop() {
        let outputs = scene.complete(&job, Ok(protect(&job)));
        open.extend(jobs(&outputs).into_iter().cloned());
        told += outputs.requests().len();
        scene.answer_all(&outputs);
    }
    assert_eq!(told, 6);
    scene.close();
}

#[test]
fn whose_turn_comes_for_nothing_leaves_it_to_the_next() {
    let mut scene = Scene::configured(|config| config.server.limits.jobs = 1);
    scene.rules().protection = Protection::Signed;
    let uris = [
        "sip:one@example.com",
        "sip:two@example.com",
        "sip:three@example.com",
    ];
    for uri in uris {
        scene.set_for(uri, "zero");
        let message = scene.subscribe(ANA, uri).with("Accept", BOTH);
        let mut outputs = scene.send(&message);
        outputs.all.extend(scene.work(&outputs).all);
        scene.answer_all(&outputs);
    }
    scene.pass(10.0);
    let first = scene.set_for(uris[0], "one");
    for uri in &uris[1..] {
        assert!(
            jobs(&scene.set_for(uri, "one")).is_empty(),
            "there is no room"
        );
    }
    // The second one's only watcher is sent away: nothing is to be made for it.
    let now = scene.now;
    let away = Termination::new(Reason::Deactivated);
    assert_eq!(scene.role.terminate_presentity(now, uris[1], away), Ok(1));
    let outputs = scene.drain();
    scene.answer_all(&outputs);
    let signing = job(&first);
    let mut outputs = scene.complete(signing, Ok(protect(signing)));
    let mut open: Vec<_> = jobs(&outputs).into_iter().cloned().collect();
    while let Some(next) = open.pop() {
        let more = scene.complete(&next, Ok(protect(&next)));
        open.extend(jobs(&more).into_iter().cloned());
        outputs.all.extend(more.all);
    }
    let told = |user: &str| {
        let requests = outputs.requests();
        let of = requests
            .iter()
            .filter(|it| field(it, "From").unwrap().contains(user));
        of.count()
    };
    assert!(told("one@") == 1 && told("three@") == 1, "{outputs:?}");
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn failures_of_many_leave_nobody_waiting() {
    let mut scene = Scene::configured(|config| config.server.limits.jobs = 1);
    scene.rules().protection = Protection::Encrypted;
    scene.set("zero");
    let mut open = Vec::new();
    for user in 0..10 {
        let message = scene.subscribe_accepting(&format!("sip:user{user}@example.com"), BOTH);
        let outputs = scene.send(&message);
        open.extend(jobs(&outputs).into_iter().cloned());
    }
    let mut empty = 0;
    while let Some(job) = open.pop() {
        let outputs = scene.complete(&job, Err(EncryptError::NoCertificate.into()));
        open.extend(jobs(&outputs).into_iter().cloned());
        empty += outputs
            .requests()
            .iter()
            .filter(|it| it.body().is_empty())
            .count();
        scene.answer_all(&outputs);
    }
    assert_eq!(empty, 10);
    scene.close();
}

// SEC-25
#[test]
fn a_signed_document_tells_when_its_state_was() {
    let mut scene = Scene::protecting(Protection::Signed);
    let noon = OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap();
    let now = scene.now;
    scene.role.set_wall_clock(now, noon);
    let two = |note: &str| {
        let quiet = Tuple::open("quiet").with_contact("sip:bob@home.example.com");
        crate::scene::state(note).with_tuple(quiet)
    };
    scene.set_document(BOB, two("zero"));
    scene
        .rules()
        .protections
        .insert("carla@example.com".into(), Protection::None);
    scene.watch_protected(ANA);
    let carla = scene.subscribe_accepting(CARLA, BOTH);
    let outputs = scene.send(&carla);
    assert!(
        !body_of(outputs.notify()).contains("timestamp"),
        "others get what was said"
    );
    scene.answer_all(&outputs);
    scene.pass(60.0);
    let mut changed = two("zero");
    changed.tuples[0] = Tuple::closed(changed.tuples[0].id.clone());
    let outputs = scene.set_document(BOB, changed);
    let outputs = scene.work(&outputs);
    let ana = outputs
        .requests()
        .into_iter()
        .find(|it| field(it, "To").unwrap().contains("ana"));
    let document = signed_document(ana.unwrap());
    let stamps: Vec<_> = document
        .tuples
        .iter()
        .map(|tuple| tuple.timestamp())
        .collect();
    let minute = time::Duration::seconds(60);
    assert_eq!(stamps, [Some(noon + minute), Some(noon)], "each its own");
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-10, SEC-25: a false document bears a time too, which tells nothing.
#[test]
fn a_polite_block_is_signed_like_a_phone_that_is_off() {
    let mut scene = Scene::protecting(Protection::Signed);
    let noon = OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap();
    let now = scene.now;
    scene.role.set_wall_clock(now, noon);
    scene.rules().everybody = Decision::PoliteBlock.into();
    scene.set("zero");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    let outputs = scene.work(&outputs);
    let document = signed_document(outputs.notify());
    assert_eq!(document.tuples[0].timestamp(), Some(noon));
    scene.answer_all(&outputs);
    scene.pass(60.0);
    // A change that she is not to learn of: nothing is signed, nothing leaves.
    assert!(scene.set("one").all.is_empty());
    assert!(
        scene
            .set_document(BOB, crate::scene::state("two"))
            .all
            .is_empty()
    );
    scene.close();
}

// SEC-12: a name that comes with a refresh is no recipient yet, and nothing leaves readable for want of one.
#[test]
fn a_dialog_of_nobody_gets_nothing_that_only_one_may_read() {
    for protection in [Protection::Encrypted, Protection::SignedAndEncrypted] {
        let mut scene = Scene::new();
        scene.rules().nobody = Decision::Allow(Default::default()).into();
        scene.set("at work");
        let message = scene.subscribe_accepting(ANA, BOTH);
        let outputs = scene.send_from_nobody(&message);
        scene.answer_all(&outputs);
        let mut watch = Watch::begun(message, &outputs);
        scene.rules().protection = protection;
        let refresh = watch.refresh();
        let outputs = scene.send_from(&refresh, ANA);
        let all = scene.work(&outputs);
        for notify in outputs.requests().into_iter().chain(all.requests()) {
            let content_type = field(notify, "Content-Type").unwrap_or_default();
            assert!(
                !content_type.starts_with("multipart/signed"),
                "{protection:?}: only signed"
            );
        }
        assert_eq!(outputs.status(), 403, "{protection:?}");
        scene.answer_all(&outputs);
        scene.answer_all(&all);
        scene.close();
    }
}

// What is signed with its NOTIFY is told under the decision of the time when it leaves.
#[test]
fn a_block_while_a_notify_is_being_signed_is_heeded() {
    let mut scene = Scene::protecting(Protection::SignedMessage);
    scene.set("at work");
    let message = scene.subscribe_accepting(ANA, BOTH);
    let outputs = scene.send(&message);
    let signing = job(&outputs).clone();
    let outputs = scene.decide(Decision::PoliteBlock);
    assert!(outputs.all.iter().all(|it| !matches!(it, Output::Send(_))));
    let outputs = scene.complete(&signing, Ok(protect(&signing)));
    let notify = outputs.notify();
    let text = String::from_utf8_lossy(notify.body()).into_owned();
    assert!(!text.contains("at work"), "{text}");
    let more = scene.answer_all(&outputs);
    let more = scene.work(&more);
    scene.answer_all(&more);
    scene.close();
}

#[test]
fn a_state_that_always_changes_is_told_in_envelopes_too() {
    let mut scene = Scene::protecting(Protection::SignedAndEncrypted);
    scene.set("zero");
    scene.watch_protected(ANA);
    let mut told = 0;
    let mut open: Vec<ProtectionJob> = Vec::new();
    for step in 0..200 {
        let mut outputs = scene.set(&format!("state {step}"));
        outputs.all.extend(scene.pass(0.4).all);
        if step % 3 == 0 {
            for job in std::mem::take(&mut open) {
                outputs
                    .all
                    .extend(scene.complete(&job, Ok(protect(&job))).all);
            }
        }
        open.extend(jobs(&outputs).into_iter().cloned());
        told += outputs.requests().len();
        scene.answer_all(&outputs);
    }
    assert!((6..=16).contains(&told), "{told}");
    let mut rest = Outputs::default();
    for job in open {
        let mut outputs = scene.complete(&job, Ok(protect(&job)));
        outputs.all.extend(scene.work(&outputs).all);
        scene.answer_all(&outputs);
        rest.all.extend(outputs.all);
    }
    let mut outputs = scene.pass(10.0);
    outputs.all.extend(scene.work(&outputs).all);
    scene.answer_all(&outputs);
    rest.all.extend(outputs.all);
    let last = rest.requests().into_iter().last().cloned();
    let last = last.expect("the last state");
    let content_type = field(&last, "Content-Type").unwrap();
    let (inner, body) = opened("ana@example.com", content_type, last.body());
    let (_, body) = signed_content(&inner, &body);
    assert_eq!(note(&Presence::read(&body).unwrap()), "state 199");
    scene.close();
}

#[test]
fn without_any_room_nobody_waits_for_ever() {
    for protection in [
        Protection::Signed,
        Protection::Encrypted,
        Protection::SignedMessage,
    ] {
        let mut scene = Scene::configured(|config| config.server.limits.jobs = 0);
        scene.rules().protection = protection;
        scene.set("zero");
        let message = scene.subscribe_accepting(ANA, BOTH);
        let mut outputs = scene.send(&message);
        outputs.all.extend(scene.work(&outputs).all);
        outputs.all.extend(scene.pass(60.0).all);
        assert!(!outputs.requests().is_empty(), "{protection:?}");
        scene.answer_all(&outputs);
        scene.close();
    }
}

// Who changes its mind again and again while all places are taken takes no turn from others.
#[test]
fn who_waits_again_and_again_has_one_turn() {
    let mut scene = Scene::configured(|config| config.server.limits.jobs = 2);
    scene.rules().protection = Protection::None;
    scene.set("zero");
    let mut fickle = scene.watch_protected(ANA);
    scene.rules().protection = Protection::Encrypted;
    let mut open = Vec::new();
    for user in 0..2 {
        let message = scene.subscribe_accepting(&format!("sip:busy{user}@example.com"), BOTH);
        let outputs = scene.send(&message);
        open.push(job(&outputs).clone());
    }
    for turn in 0..2_000 {
        scene.rules().protection = match turn % 2 {
            0 => Protection::Encrypted,
            _ => Protection::SignedAndEncrypted,
        };
        let refresh = fickle.refresh();
        let outputs = scene.send(&refresh);
        assert_eq!(outputs.status(), 200);
        assert!(jobs(&outputs).is_empty());
    }
    scene.rules().protection = Protection::Encrypted;
    let message = scene.subscribe_accepting(CARLA, BOTH);
    assert!(jobs(&scene.send(&message)).is_empty());
    // One place stays taken: at the second turn at the latest it is hers.
    let slow = open.pop().unwrap();
    let mut next = open.pop().unwrap();
    let mut turns = 0;
    loop {
        let outputs = scene.complete(&next, Ok(protect(&next)));
        scene.answer_all(&outputs);
        next = job(&outputs).clone();
        turns += 1;
        assert!(turns < 6, "{turns}");
        let ProtectionKind::Encrypt { watcher } = &next.kind else {
            continue;
        };
        if &**watcher == "carla@example.com" {
            break;
        }
    }
    for job in [next, slow] {
        let outputs = scene.complete(&job, Ok(protect(&job)));
        let more = scene.work(&outputs);
        scene.answer_all(&outputs);
        scene.answer_all(&more);
    }
    scene.close();
}

// SEC-25: who was shown another document meanwhile would take one that was signed before it for an old one.
#[test]
fn who_is_let_in_again_gets_what_is_signed_anew() {
    for protection in [Protection::Signed, Protection::SignedAndEncrypted] {
        let mut scene = Scene::protecting(protection);
        scene.set("at work");
        scene.watch_protected(ANA);
        scene.watch_protected(CARLA);
        let mut signatures = Vec::new();
        for decision in [Decision::PoliteBlock, Decision::Allow(Default::default())] {
            let now = scene.now;
            let (ana, bob) = ("ana@example.com", "bob@example.com");
            let count = scene.role.decide_watcher(now, ana, bob, &decision);
            assert_eq!(count, Ok(1));
            let outputs = scene.drain();
            let more = scene.work(&outputs);
            let made = jobs(&outputs).into_iter().chain(jobs(&more));
            signatures.push(made.filter(|it| it.kind == ProtectionKind::Sign).count());
            assert_eq!(more.requests().len(), 1, "nobody else is told");
            scene.answer_all(&more);
            scene.pass(10.0);
        }
        assert_eq!(signatures, [1, 1], "{protection:?}");
        scene.close();
    }
}
