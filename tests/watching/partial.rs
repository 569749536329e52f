//! Documents that come as what has changed in them (RFC 5263).

use std::time::Duration;

use bytes::Bytes;
use presentity::event::OwnSubscriptionKey;
use presentity::pidf::partial::{MEDIA_TYPE, Numbered, PartialError};
use presentity::pidf::{Change, Presence, Tuple};
use presentity::presence::{Protection, Unprotected, WatchOrder, WatcherConfig, WatcherEvent};
use presentity::sip::OutgoingRequest;
use time::OffsetDateTime;

use crate::common::{Message, field};
use crate::phone::{BOB, Notifier, Phone, Taken, account, document};

const SECOND: Duration = Duration::from_secs(1);

/// The document of tuples with a note each.
fn written(tuples: &[(&str, &str)]) -> Bytes {
    let mut document = Presence::new(BOB);
    for (id, note) in tuples {
        document = document.with_tuple(Tuple::open(*id).with_note(*note));
    }
    document.write().unwrap()
}

fn full(version: u32, tuples: &[(&str, &str)]) -> Bytes {
    let numbered = Numbered::full(&written(tuples)).unwrap();
    numbered.with_version(version)
}

fn changes(version: u32, before: &[(&str, &str)], after: &[(&str, &str)]) -> Bytes {
    let numbered = Numbered::difference(&written(before), &written(after)).unwrap();
    numbered.with_version(version)
}

const ONE: &[(&str, &str)] = &[("desk", "one")];
const TWO: &[(&str, &str)] = &[("desk", "two")];
const THREE: &[(&str, &str)] = &[("desk", "two"), ("cell", "three")];

impl Notifier {
    fn part(&mut self, octets: &Bytes) -> Message {
        let text = std::str::from_utf8(octets).unwrap();
        self.notify("active;expires=3600")
            .with("Content-Type", MEDIA_TYPE)
            .with_body(text)
    }
}

impl Phone {
    fn partial() -> Self {
        let mut config = WatcherConfig::default();
        config.partial = true;
        Self::with(config)
    }

    /// Watches Bob, of whom the first document is known.
    fn put_together(&mut self) -> (OwnSubscriptionKey, Notifier) {
        let (key, subscribe) = self.watch();
        let mut notifier = Notifier::of(&subscribe, "pa1");
        self.accept(&subscribe, "pa1", 3600);
        let taken = self.notify(&notifier.part(&full(1, ONE)));
        assert_eq!(taken.change(), Some((None, Some("one".into()))));
        (key, notifier)
    }
}

impl Taken {
    #[track_caller]
    fn unpatched(&self) -> (&PartialError, bool) {
        let found = self.events.iter().find_map(|event| match event {
            WatcherEvent::Unpatched {
                error, is_given_up, ..
            } => Some((error, *is_given_up)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// Whether all of the state is asked for, and no more time.
#[track_caller]
fn assert_asks(request: &OutgoingRequest, accept: &str) {
    assert_eq!(field(request, "Accept"), Some(accept));
    assert_eq!(field(request, "Suppress-If-Match"), None);
}

const WITH_PARTS: &str =
    "application/pidf-diff+xml, application/pidf+xml;q=0.9, application/cpim-pidf+xml;q=0.8";
const WHOLE: &str = "application/pidf+xml, application/cpim-pidf+xml";

// SUB-59
#[test]
fn changes_are_put_together() {
    let mut phone = Phone::partial();
    let (key, subscribe) = phone.watch();
    assert_eq!(field(&subscribe, "Accept"), Some(WITH_PARTS));
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    phone.notify(&notifier.part(&full(1, ONE)));
    let taken = phone.notify(&notifier.part(&changes(2, ONE, TWO)));
    assert_eq!(taken.status(), 200);
    assert_eq!(
        taken.change(),
        Some((Some("one".into()), Some("two".into())))
    );
    let taken = phone.notify(&notifier.part(&changes(3, TWO, THREE)));
    let [WatcherEvent::Changed(change)] = &taken.events[..] else {
        panic!("{taken:?}");
    };
    let difference = change.difference().unwrap();
    assert!(matches!(&difference.tuples[..], [Change::Added(tuple)] if tuple.id == "cell"));
    let whole = Presence::read(&written(THREE)).unwrap();
    assert_eq!(phone.watcher.presence(key), Some(&whole));
    assert!(phone.is_current(key));
    // A whole one replaces all, with whatever version above the last.
    let taken = phone.notify(&notifier.part(&full(7, ONE)));
    assert_eq!(
        taken.change(),
        Some((Some("two".into()), Some("one".into())))
    );
    let taken = phone.notify(&notifier.part(&changes(8, ONE, TWO)));
    assert_eq!(
        taken.change(),
        Some((Some("one".into()), Some("two".into())))
    );
    // It is asked for in each SUBSCRIBE.
    let refresh = phone.pass_until_something(SECOND * 3600);
    assert_eq!(field(refresh.request(), "Accept"), Some(WITH_PARTS));
}

// SUB-59
#[test]
fn who_does_not_ask_for_changes_refuses_them() {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    let taken = phone.notify(&notifier.part(&full(1, ONE)));
    assert_eq!(taken.status(), 415);
    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.partial = Some(true);
    phone.watcher.watch(phone.now, order).unwrap();
    assert_eq!(field(phone.take().request(), "Accept"), Some(WITH_PARTS));
    let mut phone = Phone::partial();
    let mut order = WatchOrder::new(&account, BOB);
    order.partial = Some(false);
    phone.watcher.watch(phone.now, order).unwrap();
    assert_eq!(field(phone.take().request(), "Accept"), Some(WHOLE));
}

// SUB-59
#[test]
fn a_version_that_is_not_higher_is_dropped() {
    for stale in [
        full(1, TWO),
        full(0, TWO),
        changes(1, ONE, TWO),
        changes(0, ONE, TWO),
    ] {
        let mut phone = Phone::partial();
        let (key, mut notifier) = phone.put_together();
        let taken = phone.notify(&notifier.part(&stale));
        assert_eq!(taken.status(), 200);
        assert!(
            taken.events.is_empty() && taken.requests.is_empty(),
            "{taken:?}"
        );
        assert_eq!(phone.note(key).as_deref(), Some("one"));
        // What follows the last that counted is taken.
        let taken = phone.notify(&notifier.part(&changes(2, ONE, TWO)));
        assert_eq!(
            taken.change(),
            Some((Some("one".into()), Some("two".into())))
        );
    }
    let mut phone = Phone::partial();
    let (key, mut notifier) = phone.put_together();
    // One who begins again by one, and again, is asked for whole documents.
    assert!(
        phone
            .notify(&notifier.part(&full(1, TWO)))
            .requests
            .is_empty()
    );
    let taken = phone.notify(&notifier.part(&full(1, TWO)));
    assert_asks(taken.request(), WHOLE);
    let asked = taken.request().clone();
    phone.accept(&asked, "pa1", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "two")));
    assert_eq!(phone.note(key).as_deref(), Some("two"));
}

// SUB-59
#[test]
fn a_gap_is_closed_by_the_whole_document() {
    let mut phone = Phone::partial();
    let (key, mut notifier) = phone.put_together();
    let taken = phone.notify(&notifier.part(&changes(3, TWO, THREE)));
    let (error, is_given_up) = taken.unpatched();
    assert!(
        matches!(
            error,
            PartialError::Gap {
                expected: 2,
                found: 3
            }
        ),
        "{error:?}"
    );
    assert!(!is_given_up);
    assert_asks(taken.request(), WITH_PARTS);
    // What is known is known to be old.
    assert_eq!(phone.note(key).as_deref(), Some("one"));
    assert!(!phone.is_current(key));
    let asked = taken.request().clone();
    phone.accept(&asked, "pa1", 3600);
    let taken = phone.notify(&notifier.part(&full(4, THREE)));
    assert_eq!(
        taken.change(),
        Some((Some("one".into()), Some("two".into())))
    );
    assert!(phone.is_current(key));
    // After changes that could be used, and some time, it is not the second fault.
    phone.pass(SECOND * 61);
    phone.notify(&notifier.part(&changes(5, THREE, ONE)));
    let taken = phone.notify(&notifier.part(&changes(9, ONE, TWO)));
    assert!(!taken.unpatched().1);
}

// SUB-59
#[test]
fn changes_without_a_document_ask_for_one() {
    let mut phone = Phone::partial();
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let taken = phone.notify(&notifier.part(&changes(1, ONE, TWO)));
    assert_eq!(taken.unpatched(), (&PartialError::NoDocument, false));
    assert_asks(taken.request(), WITH_PARTS);
    assert_eq!(phone.watcher.presence(key), None);
    let asked = taken.request().clone();
    phone.accept(&asked, "pa1", 3600);
    phone.notify(&notifier.part(&full(2, TWO)));
    assert_eq!(phone.note(key).as_deref(), Some("two"));

    // Nor do those of another notifier change what this one had.
    let lost = notifier.notify("terminated;reason=timeout");
    phone.pass(SECOND * 61);
    let subscribe = phone.notify(&lost).request().clone();
    let mut notifier = Notifier::of(&subscribe, "pa2");
    phone.accept(&subscribe, "pa2", 3600);
    let taken = phone.notify(&notifier.part(&changes(3, TWO, THREE)));
    assert_eq!(taken.unpatched().0, &PartialError::NoDocument);
    // Its versions are its own.
    let asked = taken.request().clone();
    phone.accept(&asked, "pa2", 3600);
    let taken = phone.notify(&notifier.part(&full(1, THREE)));
    assert!(taken.change().is_some(), "{taken:?}");
}

// SUB-59
#[test]
fn who_makes_mistakes_again_is_asked_for_whole_documents() {
    let foreign = Bytes::from_static(
        b"<pidf-diff xmlns='urn:ietf:params:xml:ns:pidf-diff' version='2'>\
          <remove sel='presence/tuple[@id=\"sofa\"]'/></pidf-diff>",
    );
    let whole = written(ONE);
    let unversioned = Numbered::full(&whole).unwrap().without_version();
    for bad in [&foreign, &whole, &unversioned, &Bytes::from_static(b"<x")] {
        let mut phone = Phone::partial();
        let (key, mut notifier) = phone.put_together();
        let taken = phone.notify(&notifier.part(bad));
        assert!(!taken.unpatched().1);
        assert_asks(taken.request(), WITH_PARTS);
        assert_eq!(phone.note(key).as_deref(), Some("one"));
        let asked = taken.request().clone();
        phone.accept(&asked, "pa1", 3600);
        phone.notify(&notifier.part(&full(2, ONE)));
        let bad = String::from_utf8(bad.to_vec()).unwrap();
        let bad = bad.replace("version='2'", "version='3'");
        let taken = phone.notify(&notifier.part(&bad.into()));
        assert!(taken.unpatched().1);
        assert_asks(taken.request(), WHOLE);
        let asked = taken.request().clone();
        // Who has not heard of it may send another.
        let taken = phone.notify(&notifier.part(&full(8, TWO)));
        assert_eq!((taken.status(), taken.events.len()), (200, 0));
        assert!(!phone.is_current(key));
        phone.accept(&asked, "pa1", 3600);
        let taken = phone.notify(&notifier.tell("active", &document("open", "three")));
        assert_eq!(
            taken.change(),
            Some((Some("one".into()), Some("three".into())))
        );
        assert!(phone.is_current(key));
        assert_eq!(phone.notify(&notifier.part(&full(9, ONE))).status(), 415);
        // New dialogs begin so.
        phone.pass(SECOND * 61);
        let taken = phone.notify(&notifier.notify("terminated;reason=timeout"));
        assert_eq!(field(taken.request(), "Accept"), Some(WHOLE));
    }
}

// SUB-59
#[test]
fn a_notifier_that_errs_in_turns_is_not_asked_without_end() {
    let mut phone = Phone::partial();
    let (_, mut notifier) = phone.put_together();
    let (mut version, mut asked) = (1, 0);
    for _ in 0..20 {
        phone.notify(&notifier.part(&full(version + 1, ONE)));
        phone.notify(&notifier.part(&changes(version + 2, ONE, TWO)));
        let taken = phone.notify(&notifier.part(&changes(version + 9, TWO, ONE)));
        version += 9;
        phone.pass(SECOND);
        for request in &taken.requests {
            asked += 1;
            phone.accept(request, "pa1", 3600);
        }
    }
    // For the whole document, and for whole ones from then on.
    assert_eq!(asked, 2);
}

// SUB-59
#[test]
fn what_is_put_together_is_no_longer_than_a_body_may_be() {
    let mut config = WatcherConfig::default();
    config.partial = true;
    config.subscriber.body = 10_000;
    let mut phone = Phone::with(config);
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    phone.notify(&notifier.part(&full(1, ONE)));
    let note = "x".repeat(3_000);
    let ids = ["a", "b", "c", "d"];
    let all: Vec<_> = ids.iter().map(|id| (*id, &*note)).collect();
    for parts in 1..=3 {
        let before = [ONE, &all[..parts - 1]].concat();
        let after = [ONE, &all[..parts]].concat();
        let version = u32::try_from(parts).unwrap() + 1;
        let taken = phone.notify(&notifier.part(&changes(version, &before, &after)));
        assert!(
            taken.change().is_some() && taken.requests.is_empty(),
            "{taken:?}"
        );
    }
    let known = phone.watcher.presence(key).unwrap();
    assert_eq!(known.tuples.len(), 4);
    let before = [ONE, &all[..3]].concat();
    let after = [ONE, &all[..]].concat();
    let taken = phone.notify(&notifier.part(&changes(5, &before, &after)));
    assert!(
        matches!(taken.unpatched().0, PartialError::Patch(_)),
        "{taken:?}"
    );
    assert_asks(taken.request(), WITH_PARTS);
    assert_eq!(phone.watcher.presence(key).unwrap().tuples.len(), 4);
}

// SUB-59
#[test]
fn a_change_of_type_drops_the_document_and_not_the_version() {
    let mut phone = Phone::partial();
    let (key, mut notifier) = phone.put_together();
    phone.notify(&notifier.part(&changes(2, ONE, TWO)));
    phone.notify(&notifier.tell("active", &document("open", "whole")));
    assert_eq!(phone.note(key).as_deref(), Some("whole"));
    let whole: &[(&str, &str)] = &[("desk", "whole")];
    // Its changes are those of nothing that is held, be the version right.
    let taken = phone.notify(&notifier.part(&changes(3, whole, TWO)));
    assert_eq!(taken.unpatched(), (&PartialError::NoDocument, false));
    let asked = taken.request().clone();
    phone.accept(&asked, "pa1", 3600);
    // The same version as before would be stale.
    assert!(
        phone
            .notify(&notifier.part(&full(3, TWO)))
            .change()
            .is_some()
    );

    let mut phone = Phone::partial();
    let (key, mut notifier) = phone.put_together();
    phone.notify(&notifier.part(&changes(2, ONE, TWO)));
    phone.notify(&notifier.tell("active", &document("open", "whole")));
    assert!(
        phone
            .notify(&notifier.part(&full(2, TWO)))
            .events
            .is_empty()
    );
    assert_eq!(phone.note(key).as_deref(), Some("whole"));
}

// SUB-59, PA-71
#[test]
fn what_was_put_together_is_held_and_kept() {
    let mut phone = Phone::partial();
    let (key, mut notifier) = phone.put_together();
    let part = notifier.part(&changes(2, ONE, TWO)).with("SIP-ETag", "t2");
    phone.notify(&part);
    let kept = phone.watcher.resumption(key).unwrap();
    assert_eq!(Some(kept.presence()), phone.watcher.presence(key));
    assert_eq!(Presence::read(kept.document()).unwrap(), *kept.presence());
    // What could not be used is not held.
    let part = notifier.part(&changes(9, TWO, ONE)).with("SIP-ETag", "t9");
    let asked = phone.notify(&part).request().clone();
    assert_asks(&asked, WITH_PARTS);
    assert_eq!(phone.watcher.resumption(key), Some(kept));
    phone.accept(&asked, "pa1", 3600);
    let part = notifier.part(&full(10, TWO)).with("SIP-ETag", "t2");
    let taken = phone.notify(&part);
    assert_eq!(taken.events, [WatcherEvent::Confirmed { key }]);
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert_eq!(field(&refresh, "Suppress-If-Match"), Some("t2"));
    // Versions go on over a refresh, with or without NOTIFY.
    assert!(
        phone
            .answer(&refresh, 204, &[("Expires", "3600")])
            .nothing()
    );
    let taken = phone.notify(&notifier.part(&changes(11, TWO, THREE)));
    assert!(taken.change().is_some(), "{taken:?}");
}

// SUB-59
#[test]
fn an_outdated_document_is_one_though_it_came_in_parts() {
    let at = |second: i64, note: &str| {
        let tuple = Tuple::open("desk").with_note(note);
        let time = OffsetDateTime::from_unix_timestamp(1_700_000_000 + second).unwrap();
        let tuple = tuple.with_timestamp(time).unwrap();
        let written = Presence::new(BOB).with_tuple(tuple).write().unwrap();
        Numbered::full(&written).unwrap().with_version(1)
    };
    let mut phone = Phone::partial();
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    phone.notify(&notifier.part(&at(50, "new")));
    phone.pass(SECOND * 61);
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    let subscribe = taken.request().clone();
    let mut notifier = Notifier::of(&subscribe, "pa2");
    phone.accept(&subscribe, "pa2", 3600);
    let taken = phone.notify(&notifier.part(&at(20, "old")));
    let outdated = |event: &WatcherEvent| matches!(event, WatcherEvent::Outdated { .. });
    assert!(taken.events.iter().any(outdated), "{taken:?}");
    assert_eq!(phone.note(key).as_deref(), Some("new"));
}

// SUB-59
#[test]
fn what_is_not_protected_changes_nothing() {
    let mut config = WatcherConfig::default();
    config.partial = true;
    config.protection = Protection::Signed;
    let mut phone = Phone::with(config);
    let (key, subscribe) = phone.watch();
    let accept = format!("{WITH_PARTS}, multipart/signed, application/pkcs7-mime");
    assert_eq!(field(&subscribe, "Accept"), Some(&*accept));
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let taken = phone.notify(&notifier.part(&full(1, ONE)));
    let why = Unprotected::NotSigned;
    assert!(
        taken
            .events
            .contains(&WatcherEvent::Unprotected { key, why })
    );
    assert_eq!(phone.watcher.presence(key), None);
}
