//! A retriever and a service that know nothing of each other.

use presentity::certs::{
    CertificateServerConfig, Loss, RetrieverConfig, RetrieverEvent, ServiceDuration,
};

use super::pair::Pair;
use super::scene::{DAY, MIRA, certificate, found, losses};

// CERT-20, CERT-23, CERT-29, CERT-30, CERT-34
#[test]
fn a_certificate_is_given_replaced_and_withdrawn() {
    let mut pair = Pair::new(CertificateServerConfig::default());
    let key = pair.follow(MIRA);
    assert!(matches!(&pair.told()[..], [RetrieverEvent::Absent { .. }]));
    pair.pass(61.0);
    pair.set("pres:mira@example.com", Some(&certificate(MIRA)));
    assert_eq!(found(&pair.told()), 1);
    pair.pass(61.0);
    let other = certificate("second;sip:mira@example.com");
    pair.set(MIRA, Some(&other));
    assert!(matches!(&pair.told()[..], [RetrieverEvent::Changed { .. }]));
    let used = pair.scene.retriever.certificate(pair.now(), key).unwrap();
    assert_eq!(used.info.der, other);
    pair.pass(61.0);
    pair.set(MIRA, None);
    assert_eq!(losses(&pair.told()), [Loss::Withdrawn]);
    assert!(!pair.scene.is_usable(key));
    pair.close();
}

// CERT-22, CERT-27, CERT-35
#[test]
fn it_goes_on_for_a_month_without_a_gap() {
    let mut pair = Pair::new(CertificateServerConfig::default());
    pair.set(MIRA, Some(&certificate(MIRA)));
    let key = pair.follow(MIRA);
    pair.told();
    for _ in 0..300 {
        pair.pass(DAY / 10.0);
        assert!(pair.scene.is_usable(key));
    }
    assert!(pair.told().is_empty());
    assert!((30..40).contains(&pair.subscribes), "{}", pair.subscribes);
    pair.close();
}

// CERT-35
#[test]
fn lost_notifies_are_made_good() {
    let mut pair = Pair::new(CertificateServerConfig::default());
    pair.set(MIRA, Some(&certificate(MIRA)));
    pair.losses.push_back(true);
    let key = pair.follow(MIRA);
    assert!(!pair.scene.is_usable(key));
    pair.pass(200.0);
    assert!(pair.scene.is_usable(key));
    // One that told of a change: the subscription is gone at the service, and the next refresh finds
    // it out.
    let other = certificate("second;sip:mira@example.com");
    pair.losses.push_back(true);
    pair.set(MIRA, Some(&other));
    pair.pass(DAY);
    let used = pair.scene.retriever.certificate(pair.now(), key).unwrap();
    assert_eq!(used.info.der, other);
    pair.close();
}

// CERT-43
#[test]
fn a_service_without_subscriptions_is_polled() {
    let mut config = CertificateServerConfig::default();
    config.duration = ServiceDuration::Probation { retry_after: 600 };
    let mut retriever = RetrieverConfig::default();
    retriever.poll_interval = std::time::Duration::from_secs(60);
    let mut pair = Pair::with(retriever, config);
    pair.set(MIRA, Some(&certificate(MIRA)));
    let key = pair.follow(MIRA);
    assert_eq!(found(&pair.told()), 1);
    assert_eq!(pair.server.server().occupancy().subscriptions, 0);
    pair.pass(6_100.0);
    assert!(pair.scene.is_usable(key));
    assert!((8..=11).contains(&pair.subscribes), "{}", pair.subscribes);
    assert!(pair.told().is_empty());
    pair.set(MIRA, None);
    pair.pass(800.0);
    assert_eq!(losses(&pair.told()), [Loss::Withdrawn]);
    pair.close();
}

// CERT-38, CERT-44
#[test]
fn many_follow_many() {
    let mut pair = Pair::new(CertificateServerConfig::default());
    let users: Vec<String> = (0..40).map(|n| format!("sip:u{n}@example.com")).collect();
    for user in &users {
        pair.set(user, Some(&certificate(user)));
    }
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.extend(users.iter().map(|user| pair.follow(user)));
    }
    assert!(keys.iter().all(|key| pair.scene.is_usable(*key)));
    assert_eq!(pair.subscribes, 40);
    assert_eq!(pair.server.server().occupancy().subscriptions, 40);
    pair.close();
}
