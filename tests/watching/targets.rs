//! Where requests go: URIs of presentities, redirections, accounts.

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::FlowId;
use presentity::event::{
    Account, Failure, OwnSubscriptionPhase, SrvRecord, SubscribeError, SubscribeFailure,
};
use presentity::presence::{UriPreference, WatchOrder, WatcherConfig};

use crate::common::field;
use crate::phone::{ANA, BOB, CONTACT, Notifier, Phone, account};

const SECOND: Duration = Duration::from_secs(1);
const PRES: &str = "pres:bob@example.org";

fn srv(priority: u16, target: &str) -> SrvRecord {
    SrvRecord {
        priority,
        weight: 0,
        port: 5070,
        target: target.to_owned(),
    }
}

// SUB-02 SUB-61 SUB-65
#[test]
fn a_pres_uri_is_resolved_and_stays_in_the_request() {
    let mut phone = Phone::new();
    let account = account();
    let key = phone
        .watcher
        .watch(phone.now, WatchOrder::new(&account, PRES))
        .unwrap();
    let taken = phone.take();
    assert!(taken.requests.is_empty());
    assert_eq!(taken.resolve[0].srv_name, "_pres._sip.example.org");
    let records = [srv(20, "b.example.net"), srv(10, "a.example.net.")];
    assert!(phone.watcher.provide_targets(phone.now, key, &records));
    assert!(!phone.watcher.provide_targets(phone.now, key, &records));
    let first = phone.take().request().clone();
    assert_eq!(first.uri(), PRES);
    assert_eq!(field(&first, "To"), Some("<pres:bob@example.org>"));
    assert_eq!(field(&first, "Route"), None);
    assert_eq!(first.next_hop(), "sip:a.example.net:5070");
    let mut octets = Vec::new();
    first.write_to("Via: x\r\n", &mut octets);
    assert_eq!(octets.len(), first.encoded_len(8));
    assert!(!String::from_utf8(octets).unwrap().contains("a.example.net"));
    // The next one when this one does not answer.
    let second = phone.fail(&first, Failure::Transport).request().clone();
    assert_eq!(second.next_hop(), "sip:b.example.net:5070");
    assert_ne!(field(&second, "Call-ID"), field(&first, "Call-ID"));
    let taken = phone.answer(&second, 503, &[]);
    assert_eq!(taken.failure().0, SubscribeFailure::Refused { status: 503 });
    // What was learnt holds for that attempt.
    let taken = phone.pass_until_something(SECOND * 60);
    assert_eq!(taken.resolve.len(), 1);
    assert!(phone.watcher.provide_targets(phone.now, key, &[]));
    let third = phone.take().request().clone();
    assert_eq!(third.next_hop(), "sip:example.org");
    // What is refused by one would be refused by all.
    let taken = phone.answer(&third, 403, &[]);
    assert!(taken.requests.is_empty());
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
}

// SUB-02
#[test]
fn a_name_that_is_not_resolved_is_asked_for_again() {
    let records = [srv(1, "."), srv(1, "not a host"), srv(1, "")];
    let give_up: [fn(&mut Phone, presentity::event::OwnSubscriptionKey); 2] = [
        |phone, key| assert!(phone.watcher.decline_targets(phone.now, key)),
        |_, _| {},
    ];
    for give_up in give_up {
        let mut phone = Phone::new();
        let account = account();
        let key = phone
            .watcher
            .watch(phone.now, WatchOrder::new(&account, PRES))
            .unwrap();
        phone.take();
        give_up(&mut phone, key);
        let taken = phone.pass_until_something(SECOND * 33);
        assert_eq!(taken.failure().0, SubscribeFailure::Unresolved);
        assert!(!phone.watcher.decline_targets(phone.now, key));
        assert_eq!(phone.pass_until_something(SECOND * 60).resolve.len(), 1);
        assert!(phone.watcher.provide_targets(phone.now, key, &records));
        assert_eq!(phone.take().failure().0, SubscribeFailure::Unresolved);
        phone.watcher.end(phone.now, key).unwrap();
        assert_eq!(phone.take().over(), Some(true));
        assert!(phone.is_empty());
    }
}

// SUB-02 SUB-55
#[test]
fn an_outbound_proxy_spares_the_resolution() {
    let mut phone = Phone::new();
    let account = account()
        .with_route("sip:proxy.example.com;lr")
        .unwrap()
        .with_flow(FlowId(4));
    phone
        .watcher
        .watch(phone.now, WatchOrder::new(&account, PRES))
        .unwrap();
    let request = phone.take().request().clone();
    assert_eq!(request.uri(), PRES);
    assert_eq!(request.next_hop(), "sip:proxy.example.com;lr");
    assert_eq!(request.flow(), Some(FlowId(4)));
}

// SUB-03 SUB-04
#[test]
fn of_two_uris_the_preferred_one_is_used() {
    for (preference, uri) in [(UriPreference::Sip, BOB), (UriPreference::Pres, PRES)] {
        for (first, second) in [(BOB, PRES), (PRES, BOB)] {
            let mut config = WatcherConfig::default();
            config.preference = preference;
            let mut phone = Phone::with(config);
            let account = account().with_route("sip:proxy.example.com;lr").unwrap();
            let mut order = WatchOrder::new(&account, first);
            order.also = Some(second);
            phone.watcher.watch(phone.now, order).unwrap();
            let request = phone.take().request().clone();
            assert_eq!(request.uri(), uri);
            assert_eq!(field(&request, "To"), Some(&*format!("<{uri}>")));
            assert!(
                field(&request, "From")
                    .unwrap()
                    .starts_with("<sip:ana@example.com>;tag=")
            );
        }
    }
}

// SUB-05 SUB-60
#[test]
fn orders_that_cannot_be_carried_out_change_nothing() {
    let mut phone = Phone::of_subscriber(|config| {
        config.subscriptions = 1;
        config.head = 400;
    });
    let account = account();
    let bare = Account::new(ANA).unwrap();
    let secure = Account::new(ANA)
        .unwrap()
        .with_contact("sips:ana@192.0.2.7")
        .unwrap();
    let mut watch = |account: &Account, uri: &str| {
        let outcome = phone
            .watcher
            .watch(phone.now, WatchOrder::new(account, uri));
        let error = outcome.err();
        if error.is_some() {
            assert!(phone.is_empty());
        }
        error
    };
    for uri in [
        "",
        "bob",
        "tel:+15550100",
        "mailto:bob@example.org",
        "sip:",
        "sip:b@x?Route=y",
    ] {
        let text = uri.to_owned();
        assert_eq!(
            watch(&account, uri),
            Some(SubscribeError::Resource { text }),
            "{uri}"
        );
    }
    assert_eq!(watch(&bare, BOB), Some(SubscribeError::NoContact));
    let insecure = Some(SubscribeError::InsecureContact);
    assert_eq!(watch(&account, "sips:bob@example.org"), insecure);
    assert_eq!(watch(&account, "SIPS:bob@example.org"), insecure);
    let long = format!("sip:{}@example.org", "b".repeat(400));
    assert_eq!(
        watch(&account, &long),
        Some(SubscribeError::TooLarge { limit: 400 })
    );
    assert_eq!(watch(&secure, "sips:bob@example.org"), None);
    let request = phone.take().request().clone();
    assert_eq!(field(&request, "Contact"), Some("<sips:ana@192.0.2.7>"));
    let again = phone
        .watcher
        .watch(phone.now, WatchOrder::new(&secure, BOB));
    assert_eq!(again, Err(SubscribeError::TooMany { limit: 1 }));
    for contact in [
        "",
        "ana",
        "pres:ana@example.com",
        "sip:ana@x?Route=y",
        "sip:a@x>\r\nb: <c",
    ] {
        assert!(
            Account::new(ANA).unwrap().with_contact(contact).is_err(),
            "{contact}"
        );
    }
}

// SUB-10
#[test]
fn a_filter_goes_with_what_makes_a_subscription() {
    let mut phone = Phone::new();
    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.body = Some(("application/simple-filter+xml", Bytes::from_static(b"<f/>")));
    order.expires = Some(120);
    phone.watcher.watch(phone.now, order).unwrap();
    let request = phone.take().request().clone();
    assert_eq!(
        field(&request, "Content-Type"),
        Some("application/simple-filter+xml")
    );
    assert_eq!(field(&request, "Expires"), Some("120"));
    assert_eq!(&request.body()[..], b"<f/>");
    let mut notifier = Notifier::of(&request, "pa1");
    phone.notify(&notifier.notify("active;expires=120"));
    let refresh = phone.pass_until_something(SECOND * 120).request().clone();
    assert!(refresh.body().is_empty());
    let mut order = WatchOrder::new(&account, BOB);
    order.body = Some(("text\r\nx: y", Bytes::new()));
    assert!(phone.watcher.watch(phone.now, order).is_err());
}

// SUB-20
#[test]
fn redirections_are_followed_best_first() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let contacts = "<sip:b@one.example.net>;q=0.2, <sip:b@two.example.net>;q=0.9";
    let taken = phone.answer(&subscribe, 302, &[("Contact", contacts)]);
    let second = taken.request().clone();
    assert_eq!(second.uri(), "sip:b@two.example.net");
    assert_eq!(field(&second, "To"), Some(&*format!("<{BOB}>")));
    let third = phone.answer(&second, 480, &[]).request().clone();
    assert_eq!(third.uri(), "sip:b@one.example.net");
    let mut notifier = Notifier::of(&third, "pa1");
    phone.notify(&notifier.notify("active;expires=600"));
    // The next subscription begins where it belongs.
    phone.pass(SECOND * 100);
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    assert_eq!(taken.request().uri(), BOB);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);

    // Not for ever, not to itself, and a refusal for good is one.
    let mut phone = Phone::new();
    let (_, mut request) = phone.watch();
    let mut followed = 0;
    loop {
        let contact = format!("<sip:b@x{followed}.example.net>");
        let taken = phone.answer(&request, 302, &[("Contact", &contact)]);
        match taken.requests.first() {
            Some(next) => request = next.clone(),
            None => break,
        }
        followed += 1;
        assert!(followed < 20);
    }
    assert_eq!(followed, 8);
    for (status, contact) in [
        (302, BOB),
        (302, "tel:+1"),
        (302, "*"),
        (305, "sip:p.example.net"),
    ] {
        let mut phone = Phone::new();
        let (_, subscribe) = phone.watch();
        let contact = match contact {
            "*" => contact.to_owned(),
            _ => format!("<{contact}>"),
        };
        let taken = phone.answer(&subscribe, status, &[("Contact", &contact)]);
        assert!(taken.requests.is_empty(), "{contact}");
    }
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    let taken = phone.answer(&subscribe, 302, &[("Contact", contacts)]);
    assert!(phone.answer(taken.request(), 603, &[]).requests.is_empty());
}

// SUB-60
#[test]
fn what_is_to_be_secure_is_not_led_astray() {
    let mut phone = Phone::new();
    let account = Account::new(ANA)
        .unwrap()
        .with_contact("sips:ana@192.0.2.7")
        .unwrap();
    phone
        .watcher
        .watch(phone.now, WatchOrder::new(&account, "sips:bob@example.org"))
        .unwrap();
    let subscribe = phone.take().request().clone();
    let contacts = "<sip:b@one.example.net>, <sips:b@two.example.net>;q=0.1";
    let taken = phone.answer(&subscribe, 302, &[("Contact", contacts)]);
    assert_eq!(taken.request().uri(), "sips:b@two.example.net");
}

#[test]
fn a_new_address_is_told_at_once() {
    let mut phone = Phone::new();
    let (key, notifier) = phone.watching();
    let moved = Account::new(ANA)
        .unwrap()
        .with_contact("sip:ana@192.0.2.99")
        .unwrap();
    phone.watcher.set_account(phone.now, key, &moved).unwrap();
    let refresh = phone.take().request().clone();
    assert_eq!(field(&refresh, "Contact"), Some("<sip:ana@192.0.2.99>"));
    assert_eq!(refresh.uri(), notifier.contact);
    // And once more while that is open.
    phone
        .watcher
        .set_account(phone.now, key, &account())
        .unwrap();
    assert!(phone.take().nothing());
    let again = phone.accept(&refresh, "pa1", 3600).request().clone();
    assert_eq!(field(&again, "Contact"), Some(&*format!("<{CONTACT}>")));
    let bare = Account::new(ANA).unwrap();
    let refused = phone.watcher.set_account(phone.now, key, &bare);
    assert_eq!(refused, Err(SubscribeError::NoContact));
    // One that was refused is asked for with the new account.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.answer(&subscribe, 403, &[]);
    phone.watcher.set_account(phone.now, key, &moved).unwrap();
    assert_eq!(phone.take().request().uri(), BOB);
}

// SUB-56
#[test]
fn two_subscriptions_share_no_dialog() {
    let mut phone = Phone::new();
    let (_, first) = phone.watch();
    let (_, second) = phone.watch();
    assert_ne!(field(&first, "Call-ID"), field(&second, "Call-ID"));
    assert_ne!(field(&first, "From"), field(&second, "From"));
}
