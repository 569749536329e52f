//! How often NOTIFYs are to come (RFC 6446).

use std::time::Duration;

use presentity::event::{Failure, SubscribeError, SubscribeFailure, SubscriptionEnd};
use presentity::presence::WatchOrder;
use presentity::sip::{Rate, Rates};

use crate::common::field;
use crate::phone::{BOB, Notifier, Phone, account, document};

const SECOND: Duration = Duration::from_secs(1);

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

// PA-70
#[test]
fn each_subscribe_of_a_subscription_says_how_often() {
    let mut phone = Phone::new();
    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.rates = Rates::at_most(rate("0.2")).at_least(rate("0.01"));
    let key = phone.watcher.watch(phone.now, order).unwrap();
    let subscribe = phone.take().request().clone();
    let both = Some("presence;max-rate=0.2;min-rate=0.01");
    assert_eq!(field(&subscribe, "Event"), both);
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "here")));
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert_eq!(field(&refresh, "Event"), both);
    phone.accept(&refresh, "pa1", 3600);
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    assert_eq!(field(taken.request(), "Event"), both);
    // The last one as well.
    let mut notifier = Notifier::of(taken.request(), "pa2");
    phone.accept(taken.request(), "pa2", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "here")));
    phone.watcher.end(phone.now, key).unwrap();
    assert_eq!(field(phone.take().request(), "Event"), both);
}

// PA-70
#[test]
fn what_is_granted_is_what_the_last_notify_says() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let granted = |phone: &Phone| phone.watcher.presentity(key).unwrap().subscription.rates;
    assert_eq!(granted(&phone), None);
    let wanted = Rates::at_most(rate("0.5"));
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    let refresh = phone.take().request().clone();
    assert_eq!(field(&refresh, "Event"), Some("presence;max-rate=0.5"));
    assert_eq!(field(&refresh, "Expires"), Some("3600"));
    phone.accept(&refresh, "pa1", 3600);
    phone.notify(&notifier.notify("active;expires=3600;max-rate=0.1"));
    assert_eq!(granted(&phone), Some(Rates::at_most(rate("0.1"))));
    // What is no rate is none.
    phone.notify(&notifier.notify("active;expires=3600;max-rate=fast"));
    assert_eq!(granted(&phone), None);
    phone.notify(&notifier.notify("active;expires=3600;max-rate=0.1"));
    phone.notify(&notifier.notify("active;expires=3600"));
    assert_eq!(granted(&phone), None);
    // Whoever has ended the subscription holds to nothing.
    phone.notify(&notifier.notify("active;expires=3600;max-rate=0.1"));
    let mut lost = Phone::new();
    let (key, mut other) = lost.watching();
    lost.notify(&other.notify("active;expires=3600;max-rate=0.1"));
    lost.notify(&other.notify("terminated;reason=rejected"));
    let info = lost.watcher.presentity(key).unwrap();
    assert_eq!(info.subscription.rates, None);
    // The same again is no news.
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    assert!(phone.take().nothing());
    // Nothing is left of them when they are not wanted any more.
    phone
        .watcher
        .set_rates(phone.now, key, Rates::NONE)
        .unwrap();
    let refresh = phone.take().request().clone();
    assert_eq!(field(&refresh, "Event"), Some("presence"));
}

// PA-70
#[test]
fn rates_that_come_while_a_subscribe_is_under_way_follow_it() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let wanted = Rates::at_most(rate("1"));
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    assert!(phone.take().nothing());
    assert!(phone.accept(&subscribe, "pa1", 3600).nothing());
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let taken = phone.notify(&notifier.tell("active;expires=3600", &document("open", "here")));
    assert_eq!(field(taken.request(), "Event"), Some("presence;max-rate=1"));
    let first = taken.request().clone();
    let wanted = wanted.at_least(rate("0.1"));
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    assert!(phone.take().nothing());
    let taken = phone.accept(&first, "pa1", 3600);
    let event = Some("presence;max-rate=1;min-rate=0.1");
    assert_eq!(field(taken.request(), "Event"), event);
}

// PA-70, PA-71
#[test]
fn what_is_granted_is_told_though_the_state_is_held() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let named = notifier.tell("active;expires=3600", &document("open", "here"));
    phone.notify(&named.with("SIP-ETag", "t1"));
    assert!(phone.watcher.resumption(key).is_some());
    let wanted = Rates::at_most(rate("0.5"));
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    let refresh = phone.take().request().clone();
    assert_eq!(field(&refresh, "Suppress-If-Match"), None);
    // Nor is it forgotten when that has failed.
    phone.fail(&refresh, Failure::Timeout);
    let again = phone.pass_until_something(SECOND * 60).request().clone();
    assert_eq!(field(&again, "Suppress-If-Match"), None);
    phone.accept(&again, "pa1", 3600);
    phone.notify(&notifier.notify("active;expires=3600;max-rate=0.5"));
    let refresh = phone.pass_until_something(SECOND * 3600);
    assert_eq!(field(refresh.request(), "Suppress-If-Match"), Some("t1"));
}

// PA-70
#[test]
fn whoever_takes_rates_for_another_event_is_asked_without() {
    let mut phone = Phone::new();
    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.rates = Rates::at_most(rate("0.2"));
    let key = phone.watcher.watch(phone.now, order).unwrap();
    let subscribe = phone.take().request().clone();
    let taken = phone.answer(&subscribe, 489, &[]);
    let again = taken.request().clone();
    for name in ["Call-ID", "From", "Expires"] {
        assert_eq!(field(&again, name), field(&subscribe, name));
    }
    assert_eq!(field(&again, "CSeq"), Some("2 SUBSCRIBE"));
    assert_eq!(field(&again, "Event"), Some("presence"));
    let notifier = &mut Notifier::of(&again, "pa1");
    phone.accept(&again, "pa1", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("open", "here")));
    // There is no point in others.
    let others = Rates::at_most(rate("0.5"));
    phone.watcher.set_rates(phone.now, key, others).unwrap();
    assert!(phone.take().nothing());
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert_eq!(field(&refresh, "Event"), Some("presence"));
    // It is no more than an answer as ever now.
    let taken = phone.answer(&refresh, 489, &[]);
    assert_eq!(taken.end().0, SubscriptionEnd::Unknown { status: 489 });
}

// PA-70
#[test]
fn rates_that_come_later_cost_no_subscription() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let wanted = Rates::at_most(rate("0.5"));
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    let refresh = phone.take().request().clone();
    let again = phone.answer(&refresh, 489, &[]).request().clone();
    assert_eq!(field(&again, "To"), field(&refresh, "To"));
    assert_eq!(field(&again, "Event"), Some("presence"));
    phone.accept(&again, "pa1", 3600);
    phone.notify(&notifier.tell("active;expires=3600", &document("closed", "gone")));
    assert_eq!(phone.note(key).as_deref(), Some("gone"));
    // The end is repeated as well, and once.
    let mut phone = Phone::new();
    let (key, _) = phone.watching();
    phone.watcher.set_rates(phone.now, key, wanted).unwrap();
    let refresh = phone.take().request().clone();
    phone.watcher.end(phone.now, key).unwrap();
    let end = phone.answer(&refresh, 489, &[]).request().clone();
    assert_eq!(field(&end, "Expires"), Some("0"));
    assert_eq!(field(&end, "Event"), Some("presence"));
    assert!(phone.answer(&end, 489, &[]).over().is_some());
    assert!(phone.is_empty());
}

// PA-70
#[test]
fn a_package_that_nobody_knows_is_asked_for_once() {
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    let failure = phone.answer(&subscribe, 489, &[]).failure();
    assert_eq!(failure.0, SubscribeFailure::Refused { status: 489 });
    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.rates = Rates::at_most(rate("0.2"));
    phone.watcher.watch(phone.now, order).unwrap();
    let subscribe = phone.take().request().clone();
    let again = phone.answer(&subscribe, 489, &[]).request().clone();
    let failure = phone.answer(&again, 489, &[]).failure();
    assert_eq!(failure.0, SubscribeFailure::Refused { status: 489 });
}

// PA-70
#[test]
fn rates_that_contradict_each_other_are_refused() {
    let mut phone = Phone::new();
    let account = account();
    let (key, _) = phone.watching();
    let even = Rates::at_most(rate("0.1")).at_least(rate("0.1"));
    let high = Rates::at_most(rate("0.1")).at_least_over_time(rate("2"));
    let low = Rates::NONE
        .at_least(rate("0.2"))
        .at_least_over_time(rate("0.1"));
    for rates in [even, high, low] {
        let mut order = WatchOrder::new(&account, BOB);
        order.rates = rates;
        let refused = Err(SubscribeError::Rates { rates });
        assert_eq!(phone.watcher.watch(phone.now, order.clone()), refused);
        assert_eq!(phone.watcher.fetch(phone.now, order), refused);
        let changed = phone.watcher.set_rates(phone.now, key, rates);
        assert_eq!(changed, Err(SubscribeError::Rates { rates }));
    }
    assert!(phone.take().nothing());
    let all = Rates::at_most(rate("1")).at_least(rate("0.01"));
    let all = all.at_least_over_time(rate("0.1"));
    assert_eq!(phone.watcher.set_rates(phone.now, key, all), Ok(()));
    phone.watcher.abandon(phone.now, key);
    let unknown = phone.watcher.set_rates(phone.now, key, all);
    assert_eq!(unknown, Err(SubscribeError::Unknown));
}
