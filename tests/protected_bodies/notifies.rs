//! One NOTIFY with a protected body: its response, what is told, and what is left.

use std::time::Duration;

use bytes::Bytes;
use presentity::event::{NotifiedState, OwnSubscriptionPhase, RefusedBody, SubscriptionEnd};
use presentity::mime::{DecryptError, MimeError, OpenError, VerifyError};
use presentity::presence::WatcherEvent;

use crate::common::field;
use crate::phone::{Notifier, Phone, Taken, document};
use crate::wrapping::{DOMAIN, PIDF, Pen, as_opened, carrying, open, seal, sealed_for, sign};

pub const ACTIVE: &str = "active;expires=3600";

pub fn opens() -> Phone {
    Phone::of_subscriber(|config| config.opens_bodies = true)
}

/// Bob's document with this note, in an envelope around a signature.
pub fn protected(note: &str) -> presentity::mime::Written {
    let signed = sign(&Pen::of(DOMAIN), PIDF, &document("open", note));
    seal(&signed.content_type, &signed.body)
}

/// The host does what it is asked for.
#[track_caller]
pub fn complete(phone: &mut Phone, taken: &Taken) -> Taken {
    let opening = taken.opening();
    phone.opened(opening.key, open(&opening.content_type, &opening.body))
}

fn refused(taken: &Taken) -> Option<&RefusedBody> {
    taken.events.iter().find_map(|event| match event {
        WatcherEvent::BodyRefused { body, .. } => Some(body),
        _ => None,
    })
}

// SEC-16, SEC-22: what is not opened is said to be so, and what is, is asked for.
#[test]
fn what_is_opened_is_asked_for() {
    let accept = |phone: &mut Phone| field(&phone.watch().1, "Accept").unwrap().to_owned();
    let usual = "application/pidf+xml, application/cpim-pidf+xml";
    assert_eq!(accept(&mut Phone::new()), usual);
    let both = format!("{usual}, multipart/signed, application/pkcs7-mime");
    assert_eq!(accept(&mut opens()), both);

    for (mut phone, accept) in [(Phone::new(), usual), (opens(), both.as_str())] {
        let (_, mut notifier) = phone.watching();
        let foreign = notifier
            .tell(ACTIVE, "x")
            .with("Content-Type", "text/plain");
        let taken = phone.notify(&foreign);
        assert_eq!(taken.status(), 415);
        let fields: Vec<_> = taken.responses[0].fields().collect();
        assert!(fields.contains(&("Accept", accept)), "{fields:?}");
    }
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    let taken = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("hidden")));
    assert_eq!(taken.status(), 415);
    assert!(matches!(refused(&taken), Some(RefusedBody::Type(_))));
}

// SEC-16, SEC-22: encrypted, signed, both, and signed in one piece.
#[test]
fn a_protected_document_is_opened_and_taken() {
    let plain = document("open", "in the lab");
    let body = Bytes::copy_from_slice(plain.as_bytes());
    let signed = sign(&Pen::of(DOMAIN), PIDF, &plain);
    let both = seal(&signed.content_type, &signed.body);
    let cases = [
        (seal(PIDF, &body), true, 0),
        (signed, false, 1),
        (both, true, 1),
    ];
    for (written, is_encrypted, signers) in cases {
        let mut phone = opens();
        let (key, mut notifier) = phone.watching();
        let message = carrying(notifier.notify("pending;expires=3600"), &written);
        let taken = phone.notify(&message);
        let opening = taken.opening().clone();
        assert!(taken.responses.is_empty() && taken.events.is_empty());
        assert_eq!(opening.content_type, written.content_type);
        assert_eq!(opening.body, written.body);
        assert_eq!(opening.deadline, phone.now + Duration::from_secs(16));
        // What it says of the subscription does not wait.
        let held = OwnSubscriptionPhase::Held(NotifiedState::Pending);
        assert_eq!(phone.phase(key), held);
        assert_eq!(phone.note(key).as_deref(), Some("at my desk"));

        let outcome = open(&opening.content_type, &opening.body);
        let taken = phone.opened(opening.key, outcome.clone());
        assert_eq!(taken.status(), 200);
        let [WatcherEvent::State { .. }, WatcherEvent::Changed(change)] = &taken.events[..] else {
            panic!("{taken:?}");
        };
        assert_eq!(change.is_encrypted, is_encrypted);
        assert_eq!(change.signed_by.len(), signers);
        assert_eq!(phone.note(key).as_deref(), Some("in the lab"));
        // Once is enough.
        assert!(
            !phone
                .watcher
                .complete_opening(phone.now, opening.key, outcome)
        );
        assert!(phone.take().nothing());
        phone.watcher.abandon(phone.now, key);
        assert!(phone.is_empty());
    }
}

// SEC-22: RFC 3261 section 21.4.30 and what else can be wrong.
#[test]
fn what_cannot_be_opened_is_answered_by_its_fault() {
    use OpenError::{Decrypt, Mime, Signature, TooDeep, Unsupported};
    let unreadable = |why: &str| Decrypt(DecryptError::Unreadable(why.to_owned()));
    let cases = [
        (Decrypt(DecryptError::Undecipherable), 493, false),
        (Decrypt(DecryptError::Unsupported), 493, false),
        (unreadable("secret"), 400, false),
        (Signature(VerifyError::Wrong), 403, false),
        (Signature(VerifyError::NoCertificate), 403, false),
        (Signature(VerifyError::Protocol), 415, true),
        (
            Signature(VerifyError::Unreadable("secret".to_owned())),
            400,
            false,
        ),
        (Mime(MimeError::DigestName), 400, false),
        (Unsupported, 415, true),
        (TooDeep, 400, false),
    ];
    for (error, status, has_accept) in cases {
        let mut phone = opens();
        let (key, mut notifier) = phone.watching();
        let message = carrying(notifier.notify("pending;expires=3600"), &protected("lost"));
        let opening = phone.notify(&message).opening().key;
        let taken = phone.opened(opening, Err(error.clone()));
        assert_eq!(taken.status(), status, "{error}");
        let response = &taken.responses[0];
        let of = |name: &str| {
            response
                .fields()
                .find(|(it, _)| *it == name)
                .map(|it| it.1.to_owned())
        };
        assert_eq!(of("Accept").is_some(), has_accept);
        let warning = of("Warning").unwrap();
        assert!(warning.starts_with("399 presentity \"") && !warning.contains("secret"));
        assert_eq!(refused(&taken), Some(&RefusedBody::Unopened(error)));
        // What was known stays, and the subscription is as it said.
        assert!(
            taken
                .events
                .iter()
                .any(|event| matches!(event, WatcherEvent::State { .. }))
        );
        assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
        phone.watcher.abandon(phone.now, key);
        assert!(phone.is_empty());
    }
    let mut phone = opens();
    let (_, mut notifier) = phone.watching();
    let body = Bytes::from_static(b"<presence/>");
    let message = carrying(notifier.notify(ACTIVE), &sealed_for(b'x', PIDF, &body));
    let taken = phone.notify(&message);
    assert_eq!(complete(&mut phone, &taken).status(), 493);
}

#[test]
fn what_is_within_has_to_be_a_document_that_fits() {
    let long = "x".repeat(500);
    let cases = [
        (
            "text/plain",
            "hello",
            415,
            RefusedBody::Type("text/plain".to_owned()),
        ),
        (
            "multipart/signed;boundary=b",
            "x",
            415,
            RefusedBody::Type("multipart/signed;boundary=b".to_owned()),
        ),
        ("", "x", 415, RefusedBody::Type(String::new())),
        (PIDF, long.as_str(), 413, RefusedBody::Length(500)),
    ];
    for (content_type, body, status, why) in cases {
        let mut phone = Phone::of_subscriber(|config| {
            config.opens_bodies = true;
            config.body = 499;
        });
        let (key, subscribe) = phone.watch();
        phone.accept(&subscribe, "n", 3600);
        let message = Notifier::of(&subscribe, "n")
            .tell(ACTIVE, "y")
            .with("Content-Type", "application/pkcs7-mime");
        let opening = phone.notify(&message).opening().key;
        let taken = phone.opened(opening, Ok(as_opened(content_type, body)));
        assert_eq!(taken.status(), status, "{content_type}");
        assert_eq!(refused(&taken), Some(&why));
        assert_eq!(phone.watcher.presence(key), None);
    }
    // Nor is it opened when it is too long already.
    let mut phone = Phone::of_subscriber(|config| {
        config.opens_bodies = true;
        config.body = 499;
    });
    let (_, subscribe) = phone.watch();
    let message = Notifier::of(&subscribe, "n")
        .tell(ACTIVE, &long)
        .with("Content-Type", "application/pkcs7-mime");
    assert_eq!(phone.notify(&message).status(), 413);
    // And not when it is encoded.
    let message = Notifier::of(&subscribe, "n")
        .tell(ACTIVE, "z")
        .with("Content-Type", "application/pkcs7-mime")
        .with("Content-Encoding", "gzip");
    assert_eq!(phone.notify(&message.with_cseq(99)).status(), 415);
}

#[test]
fn a_body_that_is_not_opened_in_time_is_given_up() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let message = carrying(notifier.notify("pending;expires=3600"), &protected("late"));
    let opening = phone.notify(&message).opening().key;
    assert!(phone.pass(Duration::from_millis(15_999)).nothing());
    let taken = phone.pass(Duration::from_secs(1));
    assert_eq!(taken.status(), 500);
    let mut fields = taken.responses[0].fields();
    assert!(fields.any(|field| field == ("Retry-After", "10")));
    assert_eq!(refused(&taken), Some(&RefusedBody::Late));
    assert!(
        taken
            .events
            .iter()
            .any(|event| matches!(event, WatcherEvent::State { .. }))
    );
    let outcome = Ok(as_opened(PIDF, &document("open", "late")));
    assert!(!phone.watcher.complete_opening(phone.now, opening, outcome));
    assert!(phone.take().nothing());
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));

    // No setting goes beyond what the other side waits.
    let mut phone = Phone::of_subscriber(|config| {
        config.opens_bodies = true;
        config.opening_deadline = Duration::from_secs(90);
    });
    let (_, mut notifier) = phone.watching();
    let taken = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("late")));
    assert_eq!(
        taken.opening().deadline,
        phone.now + Duration::from_secs(30)
    );
}

// SEC-22: the document comes before the end.
#[test]
fn the_answer_to_a_fetch_may_be_protected() {
    for state in ["terminated;reason=timeout", ACTIVE] {
        let mut phone = opens();
        let (key, subscribe) = phone.fetch();
        let mut notifier = Notifier::of(&subscribe, "n");
        let taken = phone.notify(&carrying(notifier.notify(state), &protected("once")));
        assert!(taken.events.is_empty());
        assert!(phone.accept(&subscribe, "n", 0).nothing());
        assert!(!phone.is_empty());
        let taken = complete(&mut phone, &taken);
        assert_eq!(taken.status(), 200);
        let kinds: Vec<_> = taken
            .events
            .iter()
            .map(|event| match event {
                WatcherEvent::State { .. } => "state",
                WatcherEvent::Changed(change) => {
                    assert_eq!(change.key, key);
                    "changed"
                }
                WatcherEvent::Over {
                    was_fetch: true,
                    confirmed: true,
                    ..
                } => "over",
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds.last_chunk(), Some(&["changed", "over"]));
        assert!(phone.is_empty(), "{:?}", phone.watcher.occupancy());
    }
}

#[test]
fn the_last_document_of_a_subscription_may_be_protected() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let last = carrying(
        notifier.notify("terminated;reason=noresource"),
        &protected("leaving"),
    );
    let taken = phone.notify(&last);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
    let taken = complete(&mut phone, &taken);
    assert_eq!(taken.status(), 200);
    let [
        WatcherEvent::Changed(last),
        WatcherEvent::Changed(gone),
        WatcherEvent::Ended { end, .. },
    ] = &taken.events[..]
    else {
        panic!("{taken:?}");
    };
    assert_eq!(
        last.after.as_ref().unwrap().tuples[0].notes[0].text,
        "leaving"
    );
    assert_eq!(gone.after, None);
    assert!(matches!(end, SubscriptionEnd::ByNotifier { .. }));

    // One that makes no dialog at all.
    let mut phone = opens();
    let (_, subscribe) = phone.watch();
    phone.accept(&subscribe, "n", 0);
    let no = Notifier::of(&subscribe, "n").notify("terminated;reason=rejected");
    let taken = phone.notify(&carrying(no, &protected("no")));
    let taken = complete(&mut phone, &taken);
    assert_eq!(taken.status(), 200);
    assert!(matches!(
        taken.events.last(),
        Some(WatcherEvent::Ended { .. })
    ));
}

#[test]
fn who_gives_up_watching_still_answers() {
    for outcome in [
        None,
        Some(Err(OpenError::TooDeep)),
        Some(Ok(as_opened(PIDF, &document("open", "x")))),
    ] {
        let mut phone = opens();
        let (key, mut notifier) = phone.watching();
        let opening = phone
            .notify(&carrying(notifier.notify(ACTIVE), &protected("x")))
            .opening()
            .key;
        assert!(phone.watcher.abandon(phone.now, key));
        let (taken, status) = match outcome {
            Some(Ok(opened)) => (phone.opened(opening, Ok(opened)), 200),
            Some(Err(error)) => (phone.opened(opening, Err(error)), 400),
            None => (phone.pass(Duration::from_secs(17)), 500),
        };
        assert_eq!(taken.status(), status);
        assert!(taken.events.is_empty());
        assert!(phone.is_empty(), "{:?}", phone.watcher.occupancy());
    }
}

/// One that is opened already, and waits to be told behind another, is forgotten as well.
#[test]
fn who_gives_up_watching_is_told_nothing_more() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let first = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("x")));
    let second = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("y")));
    let third = phone.notify(&notifier.tell(ACTIVE, &document("open", "z")));
    assert_eq!(third.status(), 200);
    assert_eq!(complete(&mut phone, &second).status(), 200);
    phone.watcher.abandon(phone.now, key);
    let taken = complete(&mut phone, &first);
    assert_eq!((taken.status(), taken.events.len()), (200, 0));
    assert!(phone.is_empty(), "{:?}", phone.watcher.occupancy());
}
