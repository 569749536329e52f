//! What a watcher demands of documents before it believes them.

use std::time::Duration;

use presentity::event::OwnSubscriptionKey;
use presentity::mime::{Opened, Written};
use presentity::pidf::Outdated;
use presentity::presence::{
    Authority, Protection, Unprotected, WatchOrder, WatcherConfig, WatcherEvent,
};
use presentity::sip::OutgoingRequest;
use time::OffsetDateTime;

use crate::notifies::{ACTIVE, complete};
use crate::phone::{BOB, Notifier, Phone, Taken, account};
use crate::wrapping::{DOMAIN, PIDF, Pen, carrying, seal, sign};

/// Noon of the first of May 2030.
fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_903_867_200).unwrap()
}

fn demanding(protection: Protection) -> Phone {
    let mut config = WatcherConfig::default();
    config.protection = protection;
    Phone::with(config)
}

/// Tuples of Bob's, each with the second of its change.
fn stamped(tuples: &[(&str, u32)]) -> String {
    about(BOB, tuples)
}

fn about(entity: &str, tuples: &[(&str, u32)]) -> String {
    let tuples = tuples.iter().map(|(id, second)| {
        format!(
            "<tuple id='{id}'><status><basic>open</basic></status>\
             <timestamp>2030-05-01T11:00:{second:02}Z</timestamp></tuple>"
        )
    });
    let tuples: String = tuples.collect();
    format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{entity}'>{tuples}</presence>")
}

/// A subscription and who notifies it.
struct Desk {
    phone: Phone,
    key: OwnSubscriptionKey,
    notifier: Notifier,
}

impl Desk {
    fn of(mut phone: Phone) -> Self {
        let (key, subscribe) = phone.watch();
        Self::asked(phone, key, &subscribe)
    }

    fn asked(mut phone: Phone, key: OwnSubscriptionKey, subscribe: &OutgoingRequest) -> Self {
        phone.accept(subscribe, "pa1", 3600);
        let mut notifier = Notifier::of(subscribe, "pa1");
        phone.notify(&notifier.notify(ACTIVE));
        Self {
            phone,
            key,
            notifier,
        }
    }

    fn tell(&mut self, written: &Written) -> Taken {
        let message = carrying(self.notifier.notify(ACTIVE), written);
        let taken = self.phone.notify(&message);
        let taken = complete(&mut self.phone, &taken);
        assert_eq!(taken.status(), 200);
        taken
    }

    /// A document that was signed.
    fn signed(&mut self, pen: &Pen, document: &str) -> Taken {
        self.tell(&sign(pen, PIDF, document))
    }

    /// A dialog with another notifier.
    fn move_on(&mut self) {
        let end = self.notifier.notify("terminated;reason=deactivated");
        let mut taken = self.phone.notify(&end);
        if taken.requests.is_empty() {
            taken = self.phone.pass_until_something(Duration::from_secs(600));
        }
        let subscribe = taken.request().clone();
        self.phone.accept(&subscribe, "pa2", 3600);
        self.notifier = Notifier::of(&subscribe, "pa2");
        self.phone.notify(&self.notifier.notify(ACTIVE));
    }

    fn tuples(&self) -> Vec<&str> {
        let document = self.phone.watcher.presence(self.key);
        let tuples = document.into_iter().flat_map(|it| &it.tuples);
        tuples.map(|tuple| tuple.id.as_str()).collect()
    }
}

#[track_caller]
fn lacks(taken: &Taken) -> &Unprotected {
    assert!(taken.requests.is_empty());
    match &taken.events[..] {
        [WatcherEvent::Unprotected { why, .. }] => why,
        other => panic!("{other:?}"),
    }
}

fn is_taken(taken: &Taken) -> bool {
    matches!(taken.events[..], [WatcherEvent::Changed(_)])
}

fn outdated(taken: &Taken) -> bool {
    let [WatcherEvent::Outdated { outdated, .. }] = &taken.events[..] else {
        return false;
    };
    assert!(taken.requests.is_empty(), "nobody is asked to say it again");
    matches!(outdated, Outdated::Overtaken { .. })
}

// SEC-18, SEC-19
#[test]
fn a_document_has_to_be_signed_by_who_may() {
    let document = stamped(&[("a", 1)]);
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let by_domain = |domain: &str| Pen {
        names: Vec::new(),
        domains: names(&[domain]),
        ..Pen::of("")
    };
    for (pen, authority) in [
        (Pen::of(DOMAIN), Authority::Domain),
        (Pen::of("sips:Example.org"), Authority::Domain),
        (by_domain("example.org"), Authority::Domain),
        (Pen::of(BOB), Authority::Presentity),
        (Pen::of("pres:bob@example.org"), Authority::Presentity),
    ] {
        let mut desk = Desk::of(demanding(Protection::Signed));
        let taken = desk.signed(&pen, &document);
        let [WatcherEvent::Changed(change)] = &taken.events[..] else {
            panic!("{taken:?}");
        };
        assert_eq!(change.authority, Some(authority));
        assert_eq!(change.signed_by[0].names(), pen.names);
        assert!(!change.is_encrypted);
        assert!(desk.phone.watcher.presentity(desk.key).unwrap().is_current);
    }
    for pen in [
        Pen::of("sip:example.com"),
        Pen::of("sip:mallory@example.org"),
        Pen::of("sip:pa.example.org"),
        Pen::of("https://example.org"),
        by_domain("*.org"),
        by_domain("pa.example.org"),
        Pen {
            domains: names(&["example.org"]),
            ..Pen::of("sip:example.com")
        },
    ] {
        let mut desk = Desk::of(demanding(Protection::Signed));
        let taken = desk.signed(&pen, &document);
        let why = Unprotected::WrongSigner { names: pen.names };
        assert_eq!(lacks(&taken), &why);
        assert_eq!(desk.phone.watcher.presence(desk.key), None);
    }
}

#[test]
fn what_is_not_protected_enough_is_left_aside_and_told() {
    let document = stamped(&[("a", 1)]);
    let mut desk = Desk::of(demanding(Protection::Signed));
    assert!(is_taken(&desk.signed(&Pen::of(DOMAIN), &document)));

    let plain = desk.notifier.tell(ACTIVE, &stamped(&[("b", 2)]));
    let taken = desk.phone.notify(&plain);
    assert_eq!(taken.status(), 200);
    assert_eq!(lacks(&taken), &Unprotected::NotSigned);
    let sealed = seal(PIDF, &stamped(&[("b", 2)]).into());
    assert_eq!(lacks(&desk.tell(&sealed)), &Unprotected::NotSigned);
    let untrusted = Unprotected::Untrusted("nobody knows it".to_owned());
    let pen = Pen::of(DOMAIN).untrusted();
    assert_eq!(lacks(&desk.signed(&pen, &stamped(&[("b", 2)]))), &untrusted);
    // The one that is known, unsigned, says nothing of how things are now.
    assert!(!desk.phone.watcher.presentity(desk.key).unwrap().is_current);
    let plain = desk.notifier.tell(ACTIVE, &document);
    assert_eq!(lacks(&desk.phone.notify(&plain)), &Unprotected::NotSigned);
    assert!(!desk.phone.watcher.presentity(desk.key).unwrap().is_current);
    assert_eq!(desk.tuples(), ["a"]);
    let taken = desk.signed(&Pen::of(DOMAIN), &document);
    assert_eq!(taken.events, [WatcherEvent::Confirmed { key: desk.key }]);
    assert!(desk.phone.watcher.presentity(desk.key).unwrap().is_current);
}

// SEC-16: nobody else reads it.
#[test]
fn encryption_may_be_demanded_as_well() {
    let document = stamped(&[("a", 1)]);
    let mut desk = Desk::of(demanding(Protection::SignedAndEncrypted));
    let signed = sign(&Pen::of(DOMAIN), PIDF, &document);
    assert_eq!(lacks(&desk.tell(&signed)), &Unprotected::NotEncrypted);
    let sealed = seal(PIDF, &document.clone().into());
    assert_eq!(lacks(&desk.tell(&sealed)), &Unprotected::NotSigned);
    // Who signs what he cannot read says nothing of it.
    let inner = String::from_utf8(sealed.body.to_vec());
    assert!(inner.is_err());
    let both = seal(&signed.content_type, &signed.body);
    let taken = desk.tell(&both);
    let [WatcherEvent::Changed(change)] = &taken.events[..] else {
        panic!("{taken:?}");
    };
    assert!(change.is_encrypted && change.authority.is_some());
}

#[test]
fn each_order_may_demand_something_else() {
    let watch = |config: WatcherConfig, protection| {
        let mut phone = Phone::with(config);
        let account = account();
        let mut order = WatchOrder::new(&account, BOB);
        order.protection = protection;
        let key = phone.watcher.watch(phone.now, order).unwrap();
        let subscribe = phone.take().request().clone();
        Desk::asked(phone, key, &subscribe)
    };
    let mut strict = WatcherConfig::default();
    strict.protection = Protection::Signed;
    let plain = |mut desk: Desk| {
        let message = desk.notifier.tell(ACTIVE, &stamped(&[("a", 1)]));
        is_taken(&desk.phone.notify(&message))
    };
    assert!(plain(watch(WatcherConfig::default(), None)));
    assert!(!plain(watch(
        WatcherConfig::default(),
        Some(Protection::Signed)
    )));
    assert!(!plain(watch(strict.clone(), None)));
    assert!(plain(watch(strict.clone(), Some(Protection::None))));

    // Either name of the presentity will do, whichever it is asked for by.
    let mut phone = Phone::with(strict);
    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.also = Some("pres:robert@example.net");
    let key = phone.watcher.watch(phone.now, order).unwrap();
    let subscribe = phone.take().request().clone();
    let mut desk = Desk::asked(phone, key, &subscribe);
    let document = about("pres:robert@example.net", &[("a", 1)]);
    assert!(is_taken(
        &desk.signed(&Pen::of("sip:example.net"), &document)
    ));
    let document = about("sips:bob@example.org", &[("b", 2)]);
    assert!(is_taken(&desk.signed(&Pen::of(DOMAIN), &document)));
}

// SEC-19: an authority signs for many, and each of them only for one.
#[test]
fn a_signed_document_has_to_be_about_the_presentity() {
    for (entity, named) in [
        ("sip:carol@example.org", "sip:carol@example.org"),
        ("sip:example.org", "sip:example.org"),
        ("", ""),
    ] {
        let mut desk = Desk::of(demanding(Protection::Signed));
        let taken = desk.signed(&Pen::of(DOMAIN), &about(entity, &[("a", 1)]));
        let why = Unprotected::WrongEntity {
            entity: named.to_owned(),
        };
        assert_eq!(lacks(&taken), &why);
        let silent = about("x", &[("a", 1)]).replace(" entity='x'", "");
        let taken = desk.signed(&Pen::of(DOMAIN), &silent);
        assert_eq!(
            lacks(&taken),
            &Unprotected::WrongEntity {
                entity: String::new()
            }
        );
    }
    // Without a demand nothing has changed.
    let mut desk = Desk::of(crate::notifies::opens());
    let taken = desk.signed(
        &Pen::of(DOMAIN),
        &about("sip:carol@example.org", &[("a", 1)]),
    );
    assert!(is_taken(&taken));
}

// SEC-24, SEC-25
#[test]
fn a_signed_document_needs_a_timestamp() {
    let mut desk = Desk::of(demanding(Protection::Signed));
    let bare = stamped(&[("a", 1)]).replace("<timestamp>2030-05-01T11:00:01Z</timestamp>", "");
    assert_eq!(
        lacks(&desk.signed(&Pen::of(DOMAIN), &bare)),
        &Unprotected::NoTimestamp
    );
    assert_eq!(
        lacks(&desk.signed(&Pen::of(DOMAIN), &stamped(&[]))),
        &Unprotected::NoTimestamp
    );
    assert!(is_taken(
        &desk.signed(&Pen::of(DOMAIN), &stamped(&[("a", 1)]))
    ));
}

// SEC-24, SEC-26: within a dialog nothing but the document tells when it was made.
#[test]
fn an_old_signed_document_is_not_believed_again() {
    let pen = Pen::of(DOMAIN);
    let mut desk = Desk::of(demanding(Protection::Signed));
    assert!(is_taken(&desk.signed(&pen, &stamped(&[("a", 10)]))));
    assert!(is_taken(
        &desk.signed(&pen, &stamped(&[("a", 20), ("b", 15)]))
    ));
    assert!(outdated(&desk.signed(&pen, &stamped(&[("a", 10)]))));
    // Nor a part of it.
    assert!(is_taken(
        &desk.signed(&pen, &stamped(&[("a", 19), ("b", 30)]))
    ));
    assert_eq!(desk.tuples(), ["b"]);
    for _ in 0..2 {
        desk.move_on();
        assert!(outdated(&desk.signed(&pen, &stamped(&[("a", 29)]))));
        assert!(outdated(&desk.signed(&pen, &stamped(&[("a", 29)]))));
    }
    assert_eq!(desk.tuples(), ["b"]);
    // Nor after it was refused for good, and asked for again.
    let no = desk.notifier.notify("terminated;reason=rejected");
    desk.phone.notify(&no);
    assert_eq!(desk.phone.watcher.presence(desk.key), None);
    desk.phone.watcher.renew(desk.phone.now, desk.key);
    let subscribe = desk.phone.take().request().clone();
    let Desk { phone, key, .. } = desk;
    let mut desk = Desk::asked(phone, key, &subscribe);
    assert!(outdated(&desk.signed(&pen, &stamped(&[("a", 29)]))));
    assert!(is_taken(&desk.signed(&pen, &stamped(&[("a", 31)]))));
}

// SEC-24
#[test]
fn signatures_do_not_go_back_in_time() {
    let at = |seconds| Pen::of(DOMAIN).at(seconds);
    let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let mut desk = Desk::of(demanding(Protection::Signed));
    assert!(is_taken(
        &desk.signed(&at(1_000), &stamped(&[("a", 10), ("b", 20)]))
    ));
    let taken = desk.signed(&at(999), &stamped(&[("a", 30)]));
    let why = Unprotected::SignedBefore {
        signed: time(999),
        known: time(1_000),
    };
    assert_eq!(lacks(&taken), &why);
    // At the same time, timestamps tell.
    assert!(outdated(&desk.signed(&at(1_000), &stamped(&[("a", 10)]))));
    assert!(is_taken(
        &desk.signed(&at(1_000), &stamped(&[("a", 10), ("b", 21)]))
    ));
    // Signed later, it may have lost its newest tuple.
    assert!(is_taken(&desk.signed(&at(1_001), &stamped(&[("a", 10)]))));
    assert_eq!(desk.tuples(), ["a"]);
    desk.move_on();
    let why = Unprotected::SignedBefore {
        signed: time(1_000),
        known: time(1_001),
    };
    assert_eq!(
        lacks(&desk.signed(&at(1_000), &stamped(&[("a", 40)]))),
        &why
    );
    // What is not taken does not count.
    let unstamped = stamped(&[("a", 1)]).replace("<timestamp>2030-05-01T11:00:01Z</timestamp>", "");
    assert_eq!(
        lacks(&desk.signed(&at(5_000), &unstamped)),
        &Unprotected::NoTimestamp
    );
    assert!(is_taken(&desk.signed(&at(1_002), &stamped(&[("a", 41)]))));
}

// SEC-24
#[test]
fn signatures_may_have_an_age() {
    let noon = noon().unix_timestamp();
    let at = |seconds: i64| Pen::of(DOMAIN).at(noon + seconds);
    let time = |seconds: i64| self::noon() + time::Duration::seconds(seconds);
    let mut config = WatcherConfig::default();
    config.protection = Protection::Signed;
    config.max_signature_age = Some(Duration::from_secs(600));
    let mut desk = Desk::of(Phone::with(config));
    let document = stamped(&[("a", 10)]);
    assert_eq!(
        lacks(&desk.signed(&Pen::of(DOMAIN), &document)),
        &Unprotected::NoSigningTime
    );
    assert_eq!(
        lacks(&desk.signed(&at(0), &document)),
        &Unprotected::NoClock
    );
    let now = desk.phone.now;
    desk.phone.watcher.set_wall_clock(now, self::noon());
    let why = Unprotected::TooOld { signed: time(-601) };
    assert_eq!(lacks(&desk.signed(&at(-601), &document)), &why);
    let why = Unprotected::Ahead { signed: time(61) };
    assert_eq!(lacks(&desk.signed(&at(61), &document)), &why);
    assert!(is_taken(&desk.signed(&at(-600), &document)));
    // A clock that is ahead a little shuts nobody out.
    assert!(is_taken(&desk.signed(&at(60), &stamped(&[("a", 11)]))));
    assert!(is_taken(&desk.signed(&at(0), &stamped(&[("a", 12)]))));
    // Time passes.
    desk.phone.pass(Duration::from_secs(601));
    let why = Unprotected::TooOld { signed: time(0) };
    assert_eq!(lacks(&desk.signed(&at(0), &stamped(&[("a", 13)]))), &why);
    assert!(is_taken(&desk.signed(&at(1), &stamped(&[("a", 13)]))));
}

#[test]
fn a_clock_that_is_wrong_does_not_shut_out_what_comes_after() {
    let noon = noon().unix_timestamp();
    let at = |seconds: i64| Pen::of(DOMAIN).at(noon + seconds);
    let mut desk = Desk::of(demanding(Protection::Signed));
    let now = desk.phone.now;
    desk.phone.watcher.set_wall_clock(now, self::noon());
    let ahead = stamped(&[("a", 1)]).replace("2030-05-01", "2031-05-01");
    assert!(is_taken(&desk.signed(&at(86_400), &ahead)));
    assert!(!is_taken(&desk.signed(&at(-1), &stamped(&[("a", 2)]))));
    desk.phone.pass(Duration::from_secs(5));
    let now_stamped = stamped(&[("a", 5)]).replace("T11", "T12");
    assert!(is_taken(&desk.signed(&at(5), &now_stamped)));
}

#[test]
fn one_of_several_signers_is_enough() {
    use presentity::mime::{Chain, Signer};
    let document = stamped(&[("a", 1)]);
    let mut opened = Opened::new(PIDF, document);
    let untrusted = Chain::Untrusted("self-signed".to_owned());
    let mallory = Signer::new(["sip:mallory@example.com"], Chain::Trusted);
    let impostor = Signer::new([DOMAIN], untrusted);
    opened.signers = vec![mallory.clone(), impostor.clone()];
    let mut desk = Desk::of(demanding(Protection::Signed));
    let mut tell = |opened: &Opened| {
        let written = sign(&Pen::of("x"), "text/plain", "x");
        let message = carrying(desk.notifier.notify(ACTIVE), &written);
        let key = desk.phone.notify(&message).opening().key;
        desk.phone.opened(key, Ok(opened.clone()))
    };
    let names = vec!["sip:mallory@example.com".to_owned()];
    assert_eq!(lacks(&tell(&opened)), &Unprotected::WrongSigner { names });
    opened.signers.push(Signer::new([BOB], Chain::Trusted));
    let taken = tell(&opened);
    let [WatcherEvent::Changed(change)] = &taken.events[..] else {
        panic!("{taken:?}");
    };
    assert_eq!(change.signed_by, opened.signers);
    assert_eq!(change.authority, Some(Authority::Presentity));
}

// SEC-24: what has no place for a timestamp is as old as its signature.
#[test]
fn a_document_without_anything_goes_by_when_it_was_signed() {
    let bare = stamped(&[]);
    let mut desk = Desk::of(demanding(Protection::Signed));
    assert!(is_taken(&desk.signed(
        &Pen::of(DOMAIN).at(1_900_000_000),
        &stamped(&[("a", 1)])
    )));
    assert!(is_taken(
        &desk.signed(&Pen::of(DOMAIN).at(1_900_000_100), &bare)
    ));
    let earlier = desk.signed(&Pen::of(DOMAIN).at(1_900_000_050), &bare);
    assert!(matches!(lacks(&earlier), Unprotected::SignedBefore { .. }));
}

#[test]
fn encryption_alone_may_be_demanded() {
    let document = stamped(&[("a", 1)]);
    let mut desk = Desk::of(demanding(Protection::Encrypted));
    let signed = sign(&Pen::of(DOMAIN), PIDF, &document);
    assert_eq!(lacks(&desk.tell(&signed)), &Unprotected::NotEncrypted);
    assert!(is_taken(&desk.tell(&seal(PIDF, &document.into()))));
}

// SEC-21
#[test]
fn the_header_may_have_to_be_signed_as_well() {
    let mut desk = Desk::of(demanding(Protection::SignedMessage));
    let signed = desk.signed(&Pen::of(DOMAIN), &stamped(&[("a", 1)]));
    assert_eq!(lacks(&signed), &Unprotected::HeaderNotSigned);
}
