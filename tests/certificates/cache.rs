//! How long a certificate is kept (RFC 6072 sections 4, 6.8 and 10.1).

use std::time::Duration;

use presentity::certs::{Loss, Objection, RetrieverConfig, RetrieverEvent};
use presentity::event::{Assurance, Identity};
use presentity::mime::CertificateError;

use super::scene::{
    DAY, MIRA, Scene, certificate, domain, failures, field, losses, objections, own_domain,
};

// CERT-34
#[test]
fn an_empty_notify_ends_the_use_whoever_has_sent_it() {
    for sender in [own_domain(), Identity::nobody(), domain("example.org")] {
        let mut scene = Scene::new();
        let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
        scene.told();
        service.notify(&mut scene, "active;expires=86400", None, &sender);
        assert!(!scene.is_usable(key));
        assert_eq!(losses(&scene.told()), [Loss::Withdrawn]);
        assert_eq!(scene.retriever.verdict(scene.now, key), None);
        assert!(scene.retriever.certificate_for(scene.now, MIRA).is_none());
        scene.close();
    }
}

// CERT-34
#[test]
fn another_certificate_takes_the_place_of_the_one_before() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
    scene.told();
    let other = certificate("second;sip:mira@example.com");
    service.notify(&mut scene, "active", Some(&other), &own_domain());
    let events = scene.told();
    let [
        RetrieverEvent::Changed {
            before,
            certificate: after,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(before.der, certificate(MIRA));
    assert_eq!(after.info.der, other);
    // The same one once more is no change.
    service.notify(&mut scene, "active", Some(&other), &own_domain());
    assert!(scene.told().is_empty());
    // One that may not be used ends the use of the one before.
    let expired = certificate("days=-1;sip:mira@example.com");
    service.notify(&mut scene, "active", Some(&expired), &own_domain());
    assert!(matches!(
        losses(&scene.told())[..],
        [Loss::Unusable(Objection::Expired(_))]
    ));
    assert!(!scene.is_usable(key));
    scene.close();
}

// CERT-32, CERT-34
#[test]
fn what_nobody_vouches_for_takes_nobodys_place() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
    scene.told();
    let forged = certificate("forged;sip:mira@example.com");
    let elsewhere = certificate("trusted;sip:mallory@example.org");
    for (body, sender) in [
        (&forged, Identity::nobody()),
        (&forged, domain("example.org")),
        (&forged, Identity::of(MIRA, Assurance::Signed).unwrap()),
        (&elsewhere, Identity::nobody()),
    ] {
        service.notify(&mut scene, "active;expires=86400", Some(body), &sender);
        let events = scene.told();
        assert_eq!(objections(&events).len(), 1, "{events:?}");
        assert_eq!(events.len(), 1);
        let used = scene.retriever.certificate(scene.now, key).unwrap();
        assert_eq!(used.info.der, certificate(MIRA));
    }
    // A repetition of the one in use that nobody vouches for does not prolong it.
    scene.pass(1000.0);
    let before = scene.retriever.certificate(scene.now, key).unwrap().until;
    let same = certificate(MIRA);
    service.notify(
        &mut scene,
        "active;expires=86400",
        Some(&same),
        &Identity::nobody(),
    );
    assert_eq!(
        scene.retriever.certificate(scene.now, key).unwrap().until,
        before
    );
    service.notify(
        &mut scene,
        "active;expires=86400",
        Some(&same),
        &own_domain(),
    );
    assert!(scene.retriever.certificate(scene.now, key).unwrap().until > before);
    scene.close();
}

#[test]
fn one_that_cannot_be_read_ends_the_use_when_it_was_vouched_for() {
    for (sender, stays) in [(own_domain(), false), (Identity::nobody(), true)] {
        let mut scene = Scene::new();
        let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
        scene.told();
        let nonsense = bytes::Bytes::from("nonsense");
        service.notify(&mut scene, "active", Some(&nonsense), &sender);
        assert_eq!(scene.is_usable(key), stays);
        let events = scene.told();
        assert_eq!(failures(&events).len(), 1);
        let error = CertificateError::Unreadable("nonsense".into());
        let expected = (!stays).then_some(Loss::Unreadable(error));
        assert_eq!(losses(&events), Vec::from_iter(expected));
        scene.close();
    }
}

// CERT-35
#[test]
fn it_is_kept_for_a_day_at_most_and_asked_for_in_time() {
    let mut config = RetrieverConfig::default();
    assert_eq!(config.cache_time, Duration::from_secs(86_400));
    config.subscriber.expires = Some(604_800);
    config.subscriber.longest_expires = 604_800;
    let mut scene = Scene::with(config);
    let key = scene.follow(MIRA);
    let request = scene.request();
    let mut service = super::scene::Service::of(&request);
    let to = format!("<{MIRA}>;tag={}", service.tag);
    scene.answer(&request, 200, &[("To", &to), ("Expires", "604800")]);
    service.notify(
        &mut scene,
        "active;expires=604800",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    scene.told();
    // The subscription is longer than what is cached, so the state is asked for within it.
    let waited = scene.pass_until_sent();
    assert_eq!(waited, 77_760, "nine tenths of a day");
    let poll = scene.request();
    let left: u64 = field(&poll, "Expires").unwrap().parse().unwrap();
    assert_eq!(left, 604_800 - waited - 1);
    scene.answer(&poll, 200, &[("Expires", "527040")]);
    service.notify(
        &mut scene,
        "active;expires=527040",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    scene.pass(77_000.0);
    assert!(scene.is_usable(key));
    assert!(scene.told().is_empty());
    scene.close();
}

// CERT-35
#[test]
fn it_is_not_used_when_nothing_was_heard_for_a_day() {
    let mut scene = Scene::new();
    let (key, _) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
    scene.told();
    scene.pass(DAY - 1.0);
    assert!(scene.is_usable(key));
    // Asked ahead of the timers, too.
    let later = scene.now + Duration::from_secs(2);
    assert!(scene.retriever.certificate(later, key).is_none());
    assert!(scene.retriever.certificate_for(later, MIRA).is_none());
    scene.pass(2.0);
    assert!(!scene.is_usable(key));
    assert_eq!(losses(&scene.told()), [Loss::Lapsed]);
    scene.close();
}

// CERT-35
#[test]
fn it_is_not_used_longer_than_its_subscription() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active;expires=600",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    let until = scene.retriever.certificate(scene.now, key).unwrap().until;
    assert_eq!(until, scene.now + Duration::from_secs(600));
    scene.told();
    scene.pass(599.0);
    assert!(scene.is_usable(key));
    scene.pass(2.0);
    assert!(!scene.is_usable(key));
    assert_eq!(losses(&scene.told()), [Loss::Lapsed]);
    scene.close();
}

// CERT-35
#[test]
fn the_time_is_a_setting_and_may_be_nothing() {
    for (seconds, stays) in [(0, false), (100, true)] {
        let mut config = RetrieverConfig::default();
        config.cache_time = Duration::from_secs(seconds);
        let mut scene = Scene::with(config);
        let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
        assert_eq!(super::scene::found(&scene.told()), 1);
        scene.pass(1.0);
        assert_eq!(scene.is_usable(key), stays);
        if !stays {
            assert_eq!(losses(&scene.told()), [Loss::Lapsed]);
            // Asked for whenever it is needed, within reason.
            scene.pass(60.0);
            scene.retriever.refresh(scene.now, key);
            scene.run();
            let poll = scene.request();
            scene.answer(&poll, 200, &[("Expires", "86000")]);
            let body = certificate(MIRA);
            service.notify(&mut scene, "active", Some(&body), &own_domain());
            assert_eq!(super::scene::found(&scene.told()), 1);
        }
        scene.close();
    }
}

// CERT-36
#[test]
fn it_is_not_used_beyond_its_validity() {
    let mut config = RetrieverConfig::default();
    config.cache_time = Duration::from_secs(864_000);
    config.subscriber.expires = Some(864_000);
    let mut scene = Scene::with(config);
    let body = certificate("days=1;sip:mira@example.com");
    let key = scene.follow(MIRA);
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active;expires=864000",
        Some(&body),
        &own_domain(),
    );
    scene.told();
    // Whoever asks without letting time pass first gets it not either.
    let late = scene.now + Duration::from_secs(86_401);
    assert!(scene.retriever.certificate(late, key).is_none());
    scene.pass(DAY - 1.0);
    assert!(scene.is_usable(key) && scene.told().is_empty());
    scene.pass(2.0);
    assert!(!scene.is_usable(key));
    assert!(matches!(
        losses(&scene.told())[..],
        [Loss::Unusable(Objection::Expired(_))]
    ));
    scene.close();
}

#[test]
fn notifies_that_come_twice_or_late_change_nothing() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
    let old = service.clone();
    let other = certificate("second;sip:mira@example.com");
    service.notify(&mut scene, "active", Some(&other), &own_domain());
    scene.told();
    assert_eq!(
        old.notify_again(&mut scene, "active", None, &own_domain()),
        500
    );
    let first = certificate(MIRA);
    assert_eq!(
        old.notify_again(&mut scene, "active", Some(&first), &own_domain()),
        500
    );
    assert!(scene.told().is_empty());
    let used = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(used.info.der, other);
    scene.close();
}

#[test]
fn the_newest_of_several_that_are_being_read_counts() {
    let mut scene = Scene::new();
    scene.reads = false;
    let key = scene.follow(MIRA);
    let mut service = scene.accept();
    for word in ["one", "two", "three"] {
        let body = certificate(&format!("{word};{MIRA}"));
        service.notify(&mut scene, "active", Some(&body), &own_domain());
    }
    let inspections: Vec<_> = scene.inspections.drain(..).collect();
    let mut done = inspections.iter().map(|inspection| {
        let result = inspection.read_with(&super::scene::Reader);
        (scene.retriever).complete_inspection(scene.now, inspection.key, result)
    });
    let done: Vec<bool> = done.by_ref().collect();
    assert_eq!(done, [false, false, true]);
    let used = scene.retriever.certificate(scene.now, key).unwrap();
    assert!(used.info.der.starts_with(b"certificate;three"));
    // What was withdrawn while it was read is not used.
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    service.notify(&mut scene, "active", None, &own_domain());
    let late = scene.inspections.pop_front().unwrap();
    let result = late.read_with(&super::scene::Reader);
    assert!(!(scene.retriever).complete_inspection(scene.now, late.key, result));
    assert!(!scene.is_usable(key));
    scene.close();
}
