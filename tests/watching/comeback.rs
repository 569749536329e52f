//! Whether and when a subscription that ended is asked for again.

use std::time::Duration;

use presentity::event::{OwnSubscriptionPhase, SubscriptionEnd};
use presentity::sip::Reason;

use crate::common::field;
use crate::phone::{BOB, Notifier, Phone, Taken, document};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// After a subscription of two minutes has ended like this.
fn ended(state: &str) -> (Phone, Taken) {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    assert!(phone.pass(SECOND * 120).nothing());
    let taken = phone.notify(&notifier.notify(state));
    assert_eq!(taken.status(), 200);
    (phone, taken)
}

// SUB-34 SUB-35 SUB-36 SUB-37 SUB-38 SUB-39 SUB-40 SUB-41
#[test]
fn every_reason_has_its_rule() {
    let rules: [(&str, Option<(u64, u64)>); 25] = [
        // At once; retry-after has no meaning.
        ("terminated;reason=deactivated", Some((0, 0))),
        (
            "terminated;reason=deactivated;retry-after=500",
            Some((0, 0)),
        ),
        ("terminated;reason=Deactivated", Some((0, 0))),
        ("terminated;reason=timeout", Some((0, 0))),
        ("terminated;reason=timeout;retry-after=500", Some((0, 0))),
        // Later.
        ("terminated;reason=probation", Some((10, 10))),
        (
            "terminated;reason=probation;retry-after=500",
            Some((500, 500)),
        ),
        ("terminated;reason=probation;retry-after=3", Some((3, 3))),
        ("terminated;reason=giveup", Some((0, 0))),
        ("terminated;reason=giveup;retry-after=500", Some((500, 500))),
        ("terminated;reason=whatever", Some((0, 0))),
        (
            "terminated;reason=whatever;retry-after=500",
            Some((500, 500)),
        ),
        ("terminated", Some((0, 0))),
        ("TERMINATED", Some((0, 0))),
        ("terminated;retry-after=500", Some((500, 500))),
        // The expires of an end has no meaning (SUB-33).
        ("terminated;expires=600", Some((0, 0))),
        ("terminated;reason=timeout;expires=600", Some((0, 0))),
        // Never.
        ("terminated;reason=rejected", None),
        ("terminated;reason=rejected;retry-after=5", None),
        ("terminated;reason=REJECTED", None),
        ("terminated;reason=noresource", None),
        ("terminated;reason=noresource;retry-after=5", None),
        ("terminated;reason=invariant", None),
        ("terminated;reason=invariant;retry-after=5", None),
        ("terminated;reason=badfilter;retry-after=5", None),
    ];
    for (state, rule) in rules {
        let (mut phone, taken) = ended(state);
        let (end, retry_in) = taken.end();
        assert!(matches!(end, SubscriptionEnd::ByNotifier { .. }));
        assert_eq!(phone.watcher.occupancy()[2], 0, "{state}");
        let Some((earliest, latest)) = rule else {
            assert_eq!(retry_in, None, "{state}");
            assert!(phone.pass_until_something(HOUR * 1000).nothing(), "{state}");
            continue;
        };
        let begin = phone.now;
        let taken = match taken.requests.is_empty() {
            true => phone.pass_until_something(HOUR),
            false => taken,
        };
        let request = taken.request();
        assert_eq!(request.uri(), BOB);
        assert!(!field(request, "To").unwrap().contains("tag="), "{state}");
        let after = phone.now.saturating_since(begin).as_secs();
        assert!((earliest..=latest + 1).contains(&after), "{state}: {after}");
        assert_eq!(retry_in.unwrap().as_secs(), earliest, "{state}");
    }
}

// SUB-33
#[test]
fn an_end_is_told_with_its_reason() {
    let (_, taken) = ended("terminated;reason=giveup;retry-after=7");
    let (end, _) = taken.end();
    assert_eq!(end.reason(), Some(Reason::GiveUp));
    let by_notifier = SubscriptionEnd::ByNotifier {
        reason: Some("giveup".into()),
        retry_after: Some(7),
    };
    assert_eq!(end, by_notifier);
    let (_, taken) = ended("terminated;reason=moved");
    assert_eq!(taken.end().0.reason(), Some(Reason::Other("moved")));
    let (_, taken) = ended("terminated");
    assert_eq!(taken.end().0.reason(), None);
}

// SUB-36 SUB-40
#[test]
fn what_may_not_be_seen_is_unknown_and_what_will_not_change_stays() {
    for (reason, known) in [
        ("rejected", false),
        ("noresource", false),
        ("invariant", true),
    ] {
        let mut phone = Phone::new();
        let (key, mut notifier) = phone.watching();
        let taken = phone.notify(&notifier.notify(&format!("terminated;reason={reason}")));
        assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
        assert_eq!(phone.watcher.presence(key).is_some(), known, "{reason}");
        let change = (!known).then(|| (Some("at my desk".to_owned()), None));
        assert_eq!(taken.change(), change, "{reason}");
        // The user may insist.
        assert!(phone.watcher.renew(phone.now, key));
        assert_eq!(phone.take().request().uri(), BOB);
    }
}

// SUB-34
#[test]
fn a_new_subscription_has_new_names_and_its_document_counts() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    phone.pass(SECOND * 100);
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    let anew = taken.request().clone();
    // What was known stays until then, and is said not to be current.
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
    assert!(!phone.watcher.presentity(key).unwrap().is_current);
    let mut other = Notifier::of(&anew, "pa1");
    let taken = phone.notify(&other.tell("active;expires=60", &document("closed", "moved")));
    assert_eq!(
        taken.change(),
        Some((Some("at my desk".into()), Some("moved".into())))
    );
    assert!(phone.watcher.presentity(key).unwrap().is_current);
    assert_eq!(phone.notify(&notifier.notify("active")).status(), 481);
    // The same document from another notifier is no news, but current.
    let taken = phone.notify(&other.notify("terminated;reason=deactivated"));
    let third = taken.requests.first().cloned();
    let third = third.unwrap_or_else(|| phone.pass_until_something(HOUR).request().clone());
    let mut other = Notifier::of(&third, "pa1");
    let taken = phone.notify(&other.tell("active;expires=60", &document("closed", "moved")));
    assert_eq!(taken.change(), None);
    assert!(phone.watcher.presentity(key).unwrap().is_current);
}

// SUB-38 SUB-41
#[test]
fn who_is_sent_away_again_and_again_comes_back_less_and_less() {
    for reason in ["deactivated", "timeout", "giveup", "odd"] {
        let mut phone = Phone::new();
        let (_, subscribe) = phone.watch();
        let mut request = subscribe;
        let begin = phone.now;
        let mut asked = vec![0];
        while phone.now.saturating_since(begin) < HOUR * 3 {
            let mut notifier = Notifier::of(&request, "pa");
            phone.accept(&request, "pa", 3600);
            phone.notify(&notifier.notify("active;expires=3600"));
            phone.pass(SECOND);
            let state = format!("terminated;reason={reason}");
            let taken = phone.notify(&notifier.notify(&state));
            let taken = match taken.requests.is_empty() {
                true => phone.pass_until_something(HOUR * 2),
                false => taken,
            };
            request = taken.request().clone();
            asked.push(phone.now.saturating_since(begin).as_secs());
        }
        // Once at once, then twice as long each time up to half an hour.
        assert!(asked[1] <= 1 && asked[2] >= 8, "{asked:?}");
        assert!(asked.len() < 18, "{asked:?}");
        // Ended before anything came of it, it counts as well.
        for _ in 0..3 {
            let mut notifier = Notifier::of(&request, "pa");
            phone.accept(&request, "pa", 3600);
            let state = format!("terminated;reason={reason}");
            let taken = phone.notify(&notifier.notify(&state));
            assert!(taken.requests.is_empty(), "{taken:?}");
            assert!(taken.end().1.unwrap() > SECOND * 600);
            request = phone.pass_until_something(HOUR * 2).request().clone();
        }
        // One that lasts is as good as the first.
        let mut notifier = Notifier::of(&request, "pa");
        phone.accept(&request, "pa", 3600);
        phone.notify(&notifier.notify("active;expires=3600"));
        phone.pass(SECOND * 61);
        let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
        assert_eq!(taken.requests.len(), 1);
    }
}

#[test]
fn a_server_that_forgets_at_once_is_not_flooded() {
    let mut phone = Phone::new();
    let (_, mut request) = phone.watch();
    let begin = phone.now;
    let mut sent = 1;
    while phone.now.saturating_since(begin) < HOUR {
        // Accepted for eight seconds, and forgotten at each refresh.
        let mut notifier = Notifier::of(&request, "pa");
        phone.accept(&request, "pa", 8);
        phone.notify(&notifier.notify("active;expires=8"));
        let refresh = phone.pass_until_something(SECOND * 10).request().clone();
        let taken = phone.answer(&refresh, 481, &[]);
        let taken = match taken.requests.is_empty() {
            true => phone.pass_until_something(HOUR),
            false => taken,
        };
        request = taken.request().clone();
        sent += 2;
    }
    assert!(sent < 40, "{sent}");
}

#[test]
fn after_a_long_sleep_everything_is_asked_for_anew() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let taken = phone.pass(HOUR * 24 * 30);
    assert_eq!(
        taken.end(),
        (SubscriptionEnd::Expired, Some(Duration::ZERO))
    );
    assert_eq!(taken.request().uri(), BOB);
    assert_eq!(phone.notify(&notifier.notify("active")).status(), 481);
    // A clock that steps back stands still.
    let now = phone.now;
    phone.now = presentity::engine::Timestamp::from_secs(5);
    assert!(phone.pass(SECOND).nothing());
    phone.now = now;
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
}
