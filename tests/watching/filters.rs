//! Filters that are sent, and changed (RFC 4660 section 3.3).

use std::time::Duration;

use bytes::Bytes;
use presentity::event::{
    Failure, OwnSubscriptionKey, OwnSubscriptionPhase, SubscribeError, SubscribeFailure,
};
use presentity::presence::{WatchOrder, WatcherEvent};
use presentity::sip::OutgoingRequest;

use crate::common::field;
use crate::phone::{BOB, Notifier, Phone, account, document};

const SECOND: Duration = Duration::from_secs(1);
const TYPE: &str = "application/simple-filter+xml";

fn filter(id: &str) -> Bytes {
    let text = format!(
        "<filter-set xmlns='urn:ietf:params:xml:ns:simple-filter'><filter id='{id}'/></filter-set>"
    );
    text.into()
}

impl Phone {
    fn watch_through(&mut self, id: &str) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = account();
        let mut order = WatchOrder::new(&account, BOB);
        order.body = Some((TYPE, filter(id)));
        let key = self.watcher.watch(self.now, order).unwrap();
        (key, self.take().request().clone())
    }

    fn set_filter(&mut self, key: OwnSubscriptionKey, id: &str) {
        let body = Some((TYPE, filter(id)));
        self.watcher.set_body(self.now, key, body).unwrap();
    }
}

#[track_caller]
fn assert_filter(request: &OutgoingRequest, id: Option<&str>) {
    match id {
        Some(id) => {
            assert_eq!(field(request, "Content-Type"), Some(TYPE));
            assert_eq!(*request.body(), filter(id));
        }
        None => {
            assert_eq!(field(request, "Content-Type"), None);
            assert!(request.body().is_empty());
        }
    }
}

#[test]
fn a_filter_is_changed_at_once_and_new_dialogs_begin_with_the_newest() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_through("a");
    assert_filter(&subscribe, Some("a"));
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "all")));
    phone.set_filter(key, "b");
    let change = phone.take().request().clone();
    assert_filter(&change, Some("b"));
    assert_eq!(field(&change, "Expires"), Some("3600"));
    assert!(field(&change, "To").unwrap().ends_with(";tag=pa1"));
    assert!(phone.accept(&change, "pa1", 3600).nothing());
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "some")));
    assert_eq!(phone.note(key).as_deref(), Some("some"));
    // The notifier keeps it.
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert_filter(&refresh, None);
    phone.accept(&refresh, "pa1", 3600);
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    assert_filter(taken.request(), Some("b"));
}

#[test]
fn a_filter_that_comes_while_a_subscribe_is_under_way_follows_it() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_through("a");
    phone.set_filter(key, "b");
    assert!(phone.take().nothing());
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let taken = phone.notify(&notifier.notify("active;expires=3600"));
    let first = taken.request().clone();
    assert_filter(&first, Some("b"));
    phone.set_filter(key, "c");
    assert!(phone.take().nothing());
    let taken = phone.accept(&first, "pa1", 3600);
    assert_filter(taken.request(), Some("c"));
    let last = taken.request().clone();
    assert!(phone.accept(&last, "pa1", 3600).nothing());

    // Before the first SUBSCRIBE has left, or after it was refused, there is but one.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_through("a");
    phone.set_filter(key, "b");
    let taken = phone.answer(&subscribe, 488, &[]);
    assert!(taken.events.is_empty(), "{taken:?}");
    assert_filter(taken.request(), Some("b"));
}

#[test]
fn a_filter_that_is_refused_leaves_the_subscription_as_it_was() {
    for status in [415, 488] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch_through("a");
        let mut notifier = Notifier::of(&subscribe, "pa1");
        phone.accept(&subscribe, "pa1", 3600);
        phone.notify(&notifier.tell("active;expires=3600", &document("open", "all")));
        phone.set_filter(key, "b");
        let change = phone.take().request().clone();
        let taken = phone.answer(&change, status, &[]);
        let failure = SubscribeFailure::Body { status };
        assert_eq!(taken.failure(), (failure, true, None));
        assert_eq!(failure.status(), Some(status));
        assert!(taken.requests.is_empty(), "{taken:?}");
        assert_eq!(phone.note(key).as_deref(), Some("all"));
        // It is refreshed in time, and asked for anew as before.
        let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
        assert_filter(&refresh, None);
        phone.accept(&refresh, "pa1", 3600);
        let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
        assert_filter(taken.request(), Some("a"));
    }
}

#[test]
fn a_filter_that_is_refused_takes_no_newer_one_away() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_through("a");
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "all")));
    phone.set_filter(key, "b");
    let change = phone.take().request().clone();
    phone.set_filter(key, "c");
    let taken = phone.answer(&change, 488, &[]);
    assert_eq!(taken.failure().0, SubscribeFailure::Body { status: 488 });
    assert_filter(taken.request(), Some("c"));
    // It is what new dialogs begin with, answered or not.
    let taken = phone.pass_until_something(SECOND * 33);
    assert_filter(taken.request(), Some("c"));
    assert_eq!(taken.request().uri(), BOB);
}

#[test]
fn a_filter_that_could_not_be_told_goes_with_the_next_refresh() {
    for status in [None, Some(500), Some(423)] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch_through("a");
        let mut notifier = Notifier::of(&subscribe, "pa1");
        phone.accept(&subscribe, "pa1", 3600);
        phone.notify(&notifier.tell("active;expires=3600", &document("open", "all")));
        phone.set_filter(key, "b");
        let change = phone.take().request().clone();
        let mut taken = match status {
            Some(status) => phone.answer(&change, status, &[("Min-Expires", "7200")]),
            None => phone.fail(&change, Failure::Timeout),
        };
        if status != Some(423) {
            assert!(matches!(taken.events[..], [WatcherEvent::Failed { .. }]));
            taken = phone.pass_until_something(SECOND * 60);
        }
        assert_filter(taken.request(), Some("b"));
        let expires = if status == Some(423) { "7200" } else { "3600" };
        assert_eq!(field(taken.request(), "Expires"), Some(expires));
        let again = taken.request().clone();
        phone.accept(&again, "pa1", 3600);
        phone.notify(&notifier.notify("active;expires=3600"));
        let refresh = phone.pass_until_something(SECOND * 3600);
        assert_filter(refresh.request(), None);
    }
}

#[test]
fn who_was_refused_for_a_filter_asks_again_with_another() {
    let refused = |phone: &mut Phone, subscribe: &OutgoingRequest, by_notify: bool| {
        if by_notify {
            phone.accept(subscribe, "pa1", 3600);
            let mut notifier = Notifier::of(subscribe, "pa1");
            let taken = phone.notify(&notifier.notify("terminated;reason=badfilter"));
            assert_eq!(taken.end().1, None);
            assert!(taken.requests.is_empty(), "{taken:?}");
        } else {
            let taken = phone.answer(subscribe, 488, &[]);
            let failure = SubscribeFailure::Body { status: 488 };
            assert_eq!(taken.failure(), (failure, false, None));
        }
    };
    for by_notify in [true, false] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch_through("a");
        refused(&mut phone, &subscribe, by_notify);
        assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
        assert!(phone.pass_until_something(SECOND * 86_400).nothing());
        phone.set_filter(key, "b");
        let taken = phone.take();
        assert_filter(taken.request(), Some("b"));
        let again = taken.request().clone();
        refused(&mut phone, &again, by_notify);
        // Without one it goes as well.
        phone.watcher.set_body(phone.now, key, None).unwrap();
        assert_filter(phone.take().request(), None);
    }
    // Who was refused for another reason is not.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_through("a");
    phone.answer(&subscribe, 403, &[]);
    phone.set_filter(key, "b");
    assert!(phone.take().nothing());
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
}

// PA-71
#[test]
fn what_came_through_another_filter_is_not_held() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_through("a");
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let all = notifier.tell("active;expires=3600", &document("open", "all"));
    phone.notify(&all.with("SIP-ETag", "t1"));
    assert!(phone.watcher.resumption(key).is_some());
    phone.set_filter(key, "b");
    assert!(phone.watcher.resumption(key).is_none());
    let change = phone.take().request().clone();
    assert_eq!(field(&change, "Suppress-If-Match"), None);
    phone.accept(&change, "pa1", 3600);
    let taken = phone.notify(
        &notifier
            .notify("active;expires=3600")
            .with("SIP-ETag", "t1"),
    );
    assert!(taken.events.is_empty(), "{taken:?}");
    let refresh = phone.pass_until_something(SECOND * 3600);
    assert_eq!(field(refresh.request(), "Suppress-If-Match"), None);
}

#[test]
fn a_filter_that_cannot_be_sent_changes_nothing() {
    let mut phone = Phone::new();
    let (key, _) = phone.watching();
    let malformed = Some(("no type", filter("a")));
    let refused = phone.watcher.set_body(phone.now, key, malformed);
    assert!(matches!(refused, Err(SubscribeError::Malformed { .. })));
    let long = Bytes::from(vec![b' '; 1_048_577]);
    let refused = phone.watcher.set_body(phone.now, key, Some((TYPE, long)));
    assert!(matches!(refused, Err(SubscribeError::TooLarge { .. })));
    assert!(phone.take().nothing());
    phone.watcher.end(phone.now, key).unwrap();
    let refused = phone.watcher.set_body(phone.now, key, None);
    assert_eq!(refused, Err(SubscribeError::Unknown));
}
