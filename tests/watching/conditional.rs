//! What is held already is not sent again (RFC 5839).

use std::time::Duration;

use presentity::event::{
    Failure, OwnSubscriptionKey, OwnSubscriptionPhase, SubscribeError, SubscribeFailure,
    SubscriptionEnd,
};
use presentity::mime::Opened;
use presentity::presence::{
    InvalidResumption, Protection, Resumption, WatchOrder, WatcherConfig, WatcherEvent,
};
use presentity::sip::OutgoingRequest;

use crate::common::{Message, field};
use crate::phone::{BOB, Notifier, Phone, Taken, account, document};

const SECOND: Duration = Duration::from_secs(1);

fn condition(request: &OutgoingRequest) -> Option<&str> {
    field(request, "Suppress-If-Match")
}

impl Notifier {
    /// The next NOTIFY, with a document and its entity-tag.
    fn name(&mut self, state: &str, tag: &str, note: &str) -> Message {
        self.tell(state, &document("open", note))
            .with("SIP-ETag", tag)
    }

    /// The next NOTIFY, whose document is left out.
    fn omit(&mut self, state: &str, tag: &str) -> Message {
        self.notify(state).with("SIP-ETag", tag)
    }
}

impl Phone {
    /// Watches Bob, whose document has the entity-tag `t1`.
    fn holding(&mut self) -> (OwnSubscriptionKey, Notifier) {
        let (key, subscribe) = self.watch();
        assert_eq!(condition(&subscribe), None);
        let mut notifier = Notifier::of(&subscribe, "pa1");
        assert!(self.accept(&subscribe, "pa1", 3600).nothing());
        self.notify(&notifier.name("active;expires=3600", "t1", "one"));
        assert_eq!(self.note(key).as_deref(), Some("one"));
        (key, notifier)
    }

    fn refresh(&mut self) -> OutgoingRequest {
        self.pass_until_something(SECOND * 3600).request().clone()
    }

    fn unchanged(&mut self, to: &OutgoingRequest, expires: u32) -> Taken {
        self.answer(to, 204, &[("Expires", &expires.to_string())])
    }

    /// The SUBSCRIBE that follows when a subscription has got lost.
    fn lose(&mut self, notifier: &mut Notifier) -> OutgoingRequest {
        // Who ends soon is not asked again at once.
        assert!(self.pass(SECOND * 61).nothing());
        let lost = notifier.notify("terminated;reason=deactivated");
        self.notify(&lost).request().clone()
    }

    fn watch_from(&mut self, resume: Resumption) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = account();
        let mut order = WatchOrder::new(&account, BOB);
        order.resume = Some(resume);
        let key = self.watcher.watch(self.now, order).unwrap();
        (key, self.take().request().clone())
    }
}

// SUB-13, PA-71
#[test]
fn a_refresh_without_news_is_two_messages() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    for _ in 0..3 {
        let begin = phone.now;
        let refresh = phone.refresh();
        assert_eq!(condition(&refresh), Some("t1"));
        assert!(phone.now.saturating_since(begin) > SECOND * 3000);
        // No NOTIFY is waited for, and nothing is new.
        assert!(phone.unchanged(&refresh, 3600).nothing());
        assert!(phone.pass(SECOND * 40).nothing());
        let info = phone.watcher.presentity(key).unwrap();
        assert!(info.is_current);
        assert_eq!(
            info.subscription.expires_at,
            Some(phone.now + SECOND * 3560)
        );
    }
    // What was asked for is granted where nothing else is said.
    let refresh = phone.refresh();
    assert!(phone.answer(&refresh, 204, &[]).nothing());
    let info = phone.watcher.presentity(key).unwrap();
    assert_eq!(
        info.subscription.expires_at,
        Some(phone.now + SECOND * 3600)
    );
    // The newest counts.
    phone.notify(&notifier.name("active", "t2", "two"));
    assert_eq!(condition(&phone.refresh()), Some("t2"));
}

// PA-71
#[test]
fn a_refresh_with_news_brings_them() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let refresh = phone.refresh();
    assert!(phone.accept(&refresh, "pa1", 3600).nothing());
    let taken = phone.notify(&notifier.name("active;expires=3600", "t2", "two"));
    assert_eq!(
        taken.change(),
        Some((Some("one".into()), Some("two".into())))
    );
    assert!(phone.is_current(key));
    // A state without entity-tag is held by no condition.
    phone.notify(&notifier.tell("active", &document("open", "three")));
    assert_eq!(condition(&phone.refresh()), None);
}

// PA-71
#[test]
fn what_is_not_taken_is_not_held() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let unreadable = notifier.tell("active", "<presence").with("SIP-ETag", "t2");
    phone.notify(&unreadable);
    let foreign = notifier.notify("active").with("Content-Type", "text/plain");
    phone.notify(&foreign.with_body("x").with("SIP-ETag", "t3"));
    phone.notify(&notifier.omit("active", "t4"));
    assert_eq!(condition(&phone.refresh()), Some("t1"));
    // What is no entity-tag, or a huge one, is none.
    let huge = "t".repeat(300);
    for tag in ["*", "a b", "\"t5\"", "", &huge] {
        let taken = phone.notify(&notifier.name("active", tag, tag));
        assert_eq!(taken.status(), 200);
        assert!(phone.watcher.resumption(key).is_none(), "{tag}");
    }
}

// PA-71
#[test]
fn whoever_asks_for_the_state_gets_it() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    assert!(phone.watcher.request_state(phone.now, key));
    let asked = phone.take().request().clone();
    assert_eq!(condition(&asked), None);
    phone.accept(&asked, "pa1", 3000);
    phone.notify(&notifier.name("active;expires=3000", "t1", "one"));
    // A refresh under way could be answered without it.
    let refresh = phone.refresh();
    assert_eq!(condition(&refresh), Some("t1"));
    assert!(phone.watcher.request_state(phone.now, key));
    assert!(phone.take().nothing());
    let taken = phone.unchanged(&refresh, 3600);
    assert_eq!(condition(taken.request()), None);
    let asked = taken.request().clone();
    // Nor is the wish lost when it was challenged.
    let challenge = "Digest realm=\"x\", nonce=\"n\"";
    phone.answer(&asked, 401, &[("WWW-Authenticate", challenge)]);
    let (now, transaction) = (phone.now, asked.transaction());
    assert!(
        phone
            .watcher
            .provide_credentials(now, transaction, "Digest x")
    );
    let again = phone.take().request().clone();
    assert_eq!(condition(&again), None);
    phone.accept(&again, "pa1", 3600);
    phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
    let refresh = phone.refresh();
    assert_eq!(condition(&refresh), Some("t1"));
    // A condition is repeated after a challenge as well.
    phone.answer(&refresh, 401, &[("WWW-Authenticate", challenge)]);
    let (now, transaction) = (phone.now, refresh.transaction());
    assert!(
        phone
            .watcher
            .provide_credentials(now, transaction, "Digest x")
    );
    assert_eq!(condition(phone.take().request()), Some("t1"));
}

// PA-71
#[test]
fn what_got_lost_goes_on_where_it_was() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let subscribe = phone.lose(&mut notifier);
    assert_eq!(condition(&subscribe), Some("t1"));
    assert!(!phone.is_current(key));
    let mut notifier = Notifier::of(&subscribe, "pa2");
    assert!(phone.accept(&subscribe, "pa2", 3600).nothing());
    let taken = phone.notify(&notifier.omit("active;expires=3600", "t1"));
    let confirmed = WatcherEvent::Confirmed { key };
    assert!(taken.events.contains(&confirmed), "{taken:?}");
    assert_eq!(taken.change(), None);
    assert!(phone.is_current(key));
    // Said again it is no news.
    let taken = phone.notify(&notifier.omit("active;expires=3600", "t1"));
    assert!(taken.events.is_empty(), "{taken:?}");
    // Had there been news they would have come.
    let subscribe = phone.lose(&mut notifier);
    let mut notifier = Notifier::of(&subscribe, "pa3");
    phone.accept(&subscribe, "pa3", 3600);
    let taken = phone.notify(&notifier.name("active;expires=3600", "t2", "two"));
    assert_eq!(
        taken.change(),
        Some((Some("one".into()), Some("two".into())))
    );
    // A notifier that does not know of it sends the same.
    let subscribe = phone.lose(&mut notifier);
    let mut notifier = Notifier::of(&subscribe, "pa4");
    phone.accept(&subscribe, "pa4", 3600);
    let taken = phone.notify(&notifier.tell("active;expires=3600", &document("open", "two")));
    assert!(taken.events.contains(&confirmed), "{taken:?}");
    assert!(phone.is_current(key));
}

// PA-71
#[test]
fn what_may_not_be_seen_any_more_is_not_held() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let taken = phone.notify(&notifier.notify("terminated;reason=rejected"));
    assert_eq!(taken.change(), Some((Some("one".into()), None)));
    assert!(phone.watcher.resumption(key).is_none());
    assert!(phone.watcher.renew(phone.now, key));
    assert_eq!(condition(phone.take().request()), None);
}

// PA-71
#[test]
fn an_end_without_news_is_two_messages() {
    let mut phone = Phone::new();
    let (key, _) = phone.holding();
    phone.watcher.end(phone.now, key).unwrap();
    let leave = phone.take().request().clone();
    assert_eq!(condition(&leave), Some("t1"));
    assert_eq!(field(&leave, "Expires"), Some("0"));
    let taken = phone.unchanged(&leave, 0);
    assert_eq!(taken.over(), Some(true));
    assert!(phone.is_empty(), "{:?}", phone.watcher.occupancy());

    // Nobody wants the state any more, though it was asked for.
    let mut phone = Phone::new();
    let (key, _) = phone.holding();
    assert!(phone.watcher.request_state(phone.now, key));
    phone.watcher.end(phone.now, key).unwrap();
    assert_eq!(condition(phone.take().request()), Some("t1"));

    // With news it ends by its last NOTIFY.
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    phone.watcher.end(phone.now, key).unwrap();
    let leave = phone.take().request().clone();
    assert!(phone.accept(&leave, "pa1", 0).nothing());
    let taken = phone.notify(&notifier.name("terminated;reason=timeout", "t2", "two"));
    assert_eq!(taken.over(), Some(true));
    assert!(taken.change().is_some());

    // A 204 to a refresh is not one to the end that was wished for meanwhile.
    let mut phone = Phone::new();
    let (key, _) = phone.holding();
    let refresh = phone.refresh();
    phone.watcher.end(phone.now, key).unwrap();
    let taken = phone.unchanged(&refresh, 3600);
    assert_eq!(
        (taken.over(), condition(taken.request())),
        (None, Some("t1"))
    );
    let leave = taken.request().clone();
    assert_eq!(phone.unchanged(&leave, 0).over(), Some(true));
}

// SUB-13, PA-71
#[test]
fn a_204_that_was_not_asked_for_says_nothing_of_the_state() {
    // Outside dialogs it is a 200: without a NOTIFY there is no subscription.
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let subscribe = phone.lose(&mut notifier);
    assert_eq!(condition(&subscribe), Some("t1"));
    assert!(phone.unchanged(&subscribe, 3600).nothing());
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
    assert!(!phone.is_current(key));
    let taken = phone.pass(SECOND * 33);
    assert_eq!(taken.failure().0, SubscribeFailure::Silent);

    // Without a condition no NOTIFY is waited for, and nothing is confirmed.
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let old = notifier
        .tell("active;expires=3600", "<presence")
        .with("SIP-ETag", "t2");
    phone.notify(&old);
    assert!(phone.watcher.request_state(phone.now, key));
    let asked = phone.take().request().clone();
    let taken = phone.unchanged(&asked, 3600);
    assert!(taken.nothing(), "{taken:?}");
    assert!(phone.pass(SECOND * 40).nothing());
    assert_eq!(
        phone.phase(key),
        OwnSubscriptionPhase::Held(presentity::event::NotifiedState::Active)
    );
    // An end that is answered so is not known to be one.
    let mut phone = Phone::new();
    let (key, _) = phone.watching();
    phone.watcher.end(phone.now, key).unwrap();
    let leave = phone.take().request().clone();
    assert_eq!(condition(&leave), None);
    assert_eq!(phone.unchanged(&leave, 0).over(), None);
    assert_eq!(phone.pass(SECOND * 33).over(), Some(false));
    assert!(phone.is_empty());
}

// PA-71
#[test]
fn a_watcher_goes_on_where_an_earlier_run_was() {
    let mut phone = Phone::new();
    let (key, _) = phone.holding();
    let kept = phone.watcher.resumption(key).unwrap();
    assert_eq!((kept.resource(), kept.entity_tag()), (BOB, "t1"));
    let stored = Resumption::new(kept.resource(), kept.entity_tag(), kept.document().clone());
    let stored = stored.unwrap();
    assert_eq!(stored, kept);
    assert_eq!(Some(stored.presence()), phone.watcher.presence(key));

    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch_from(stored.clone());
    assert_eq!(condition(&subscribe), Some("t1"));
    assert_eq!(phone.note(key).as_deref(), Some("one"));
    assert!(!phone.is_current(key));
    let mut notifier = Notifier::of(&subscribe, "pa7");
    phone.accept(&subscribe, "pa7", 3600);
    let taken = phone.notify(&notifier.omit("active;expires=3600", "t1"));
    assert!(taken.events.contains(&WatcherEvent::Confirmed { key }));
    assert!(phone.is_current(key));
    assert_eq!(phone.watcher.resumption(key), Some(stored.clone()));
    assert_eq!(condition(&phone.refresh()), Some("t1"));

    // What has changed meanwhile is a change.
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch_from(stored.clone());
    let mut notifier = Notifier::of(&subscribe, "pa7");
    phone.accept(&subscribe, "pa7", 3600);
    let taken = phone.notify(&notifier.name("active;expires=3600", "t2", "two"));
    assert_eq!(
        taken.change(),
        Some((Some("one".into()), Some("two".into())))
    );

    // It means nothing for another resource.
    let account = account();
    let mut order = WatchOrder::new(&account, "sip:eve@example.org");
    order.resume = Some(stored);
    let refused = phone.watcher.watch(phone.now, order);
    let resource = BOB.to_owned();
    assert_eq!(refused, Err(SubscribeError::OtherResource { resource }));
}

// PA-71
#[test]
fn who_polls_is_told_whether_it_is_the_same() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.fetch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 0);
    let state = "terminated;reason=timeout";
    let message = notifier.name(state, "t1", "one");
    let kept = std::cell::RefCell::new(None);
    phone.notify_each(&message, |phone, event| {
        if let WatcherEvent::Changed(_) = event {
            *kept.borrow_mut() = phone.watcher.resumption(key);
        }
    });
    let kept: Resumption = kept.into_inner().unwrap();
    assert!(phone.is_empty());

    let account = account();
    let mut order = WatchOrder::new(&account, BOB);
    order.resume = Some(kept);
    let key = phone.watcher.fetch(phone.now, order).unwrap();
    let subscribe = phone.take().request().clone();
    assert_eq!(condition(&subscribe), Some("t1"));
    assert_eq!(field(&subscribe, "Expires"), Some("0"));
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 0);
    let taken = phone.notify(&notifier.omit(state, "t1"));
    assert!(taken.events.contains(&WatcherEvent::Confirmed { key }));
    assert_eq!((taken.change(), taken.over()), (None, Some(true)));
    assert!(phone.is_empty());
}

#[test]
fn stored_parts_are_looked_at() {
    let no_tag = Resumption::new(BOB, "a b", document("open", "x").into());
    assert!(matches!(no_tag, Err(InvalidResumption::EntityTag { text }) if text == "a b"));
    let no_document = Resumption::new(BOB, "t1", "<presence".into());
    assert!(matches!(no_document, Err(InvalidResumption::Document(_))));
}

// PA-71
#[test]
fn a_quiet_watcher_is_told_of_no_presence() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    assert!(phone.watcher.set_quiet(phone.now, key, true));
    let quiet = phone.take().request().clone();
    assert_eq!(condition(&quiet), Some("*"));
    assert!(phone.unchanged(&quiet, 3600).nothing());
    assert!(!phone.is_current(key));
    assert!(phone.watcher.set_quiet(phone.now, key, true));
    assert!(phone.take().nothing());
    // What comes all the same may be followed by more that does not.
    phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
    assert!(!phone.is_current(key));
    // It stays so.
    let refresh = phone.refresh();
    assert_eq!(condition(&refresh), Some("*"));
    assert!(phone.unchanged(&refresh, 3600).nothing());
    // Even over a loss.
    let subscribe = phone.lose(&mut notifier);
    assert_eq!(condition(&subscribe), Some("*"));
    let mut notifier = Notifier::of(&subscribe, "pa2");
    phone.accept(&subscribe, "pa2", 3600);
    let taken = phone.notify(&notifier.omit("active;expires=3600", "t5"));
    assert!(taken.requests.is_empty() && taken.change().is_none());
    assert!(!phone.is_current(key));
    // Whoever asks is told, and lies quiet again.
    assert!(phone.watcher.request_state(phone.now, key));
    let asked = phone.take().request().clone();
    assert_eq!(condition(&asked), None);
    assert!(phone.accept(&asked, "pa2", 3600).nothing());
    let taken = phone.notify(&notifier.name("active;expires=3600", "t5", "five"));
    assert!(taken.change().is_some());
    let quiet = taken.request().clone();
    assert_eq!(condition(&quiet), Some("*"));
    assert!(phone.unchanged(&quiet, 3600).nothing());
    // Back, it hears what has changed, or that nothing has.
    assert!(phone.watcher.set_quiet(phone.now, key, false));
    let back = phone.take().request().clone();
    assert_eq!(condition(&back), Some("t5"));
    assert!(!phone.is_current(key));
    let taken = phone.unchanged(&back, 3600);
    assert_eq!(taken.events, [WatcherEvent::Confirmed { key }]);
    assert!(phone.is_current(key));
}

// PA-71
#[test]
fn one_who_changes_his_mind_in_passing_is_understood() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    assert!(phone.watcher.set_quiet(phone.now, key, true));
    phone.accept(&subscribe, "pa1", 3600);
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let taken = phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
    assert_eq!(condition(taken.request()), Some("*"));
    let quiet = taken.request().clone();
    assert!(phone.watcher.set_quiet(phone.now, key, false));
    let taken = phone.unchanged(&quiet, 3600);
    assert_eq!(condition(taken.request()), Some("t1"));
    let back = taken.request().clone();
    assert_eq!(
        phone.unchanged(&back, 3600).events,
        [WatcherEvent::Confirmed { key }]
    );
    assert!(phone.is_current(key));
    phone.watcher.abandon(phone.now, key);
    assert!(!phone.watcher.set_quiet(phone.now, key, true));
}

// PA-71
#[test]
fn what_stumbles_over_a_condition_is_asked_without() {
    for status in [400, 412, 420, 500, 501] {
        let mut phone = Phone::new();
        let (key, mut notifier) = phone.holding();
        let refresh = phone.refresh();
        let taken = phone.answer(&refresh, status, &[]);
        assert!(taken.events.is_empty(), "{status}: {taken:?}");
        assert_eq!(condition(taken.request()), None);
        let again = taken.request().clone();
        phone.accept(&again, "pa1", 3600);
        phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
        // Not in this dialog any more.
        assert_eq!(condition(&phone.refresh()), None);
        assert!(phone.is_current(key));

        let mut phone = Phone::new();
        let (_, mut notifier) = phone.holding();
        let subscribe = phone.lose(&mut notifier);
        let taken = phone.answer(&subscribe, status, &[]);
        assert_eq!(condition(taken.request()), None);
        let again = taken.request().clone();
        // What is refused without one is refused.
        let taken = phone.answer(&again, status, &[]);
        assert_eq!(taken.failure().0, SubscribeFailure::Refused { status });

        let mut phone = Phone::new();
        let (key, _) = phone.holding();
        phone.watcher.end(phone.now, key).unwrap();
        let leave = phone.take().request().clone();
        let taken = phone.answer(&leave, status, &[]);
        assert_eq!(condition(taken.request()), None);
        assert_eq!(field(taken.request(), "Expires"), Some("0"));
    }
    // Who asks to wait, or has something else to say, did understand.
    for (status, fields) in [
        (500, &[("Retry-After", "20")][..]),
        (503, &[]),
        (403, &[]),
        (600, &[]),
    ] {
        let mut phone = Phone::new();
        let (_, _) = phone.holding();
        let refresh = phone.refresh();
        let taken = phone.answer(&refresh, status, fields);
        assert_eq!(taken.failure().0, SubscribeFailure::Refused { status });
        let again = phone.pass_until_something(SECOND * 600);
        assert_eq!(condition(again.request()), Some("t1"), "{status}");
    }
}

impl Phone {
    /// A SUBSCRIBE was refused for its condition, and is taken without.
    fn taken_without(&mut self, refused: &OutgoingRequest, status: u16, tag: &str) -> Notifier {
        let taken = self.answer(refused, status, &[]);
        assert!(taken.events.is_empty(), "{status}: {taken:?}");
        let again = taken.request().clone();
        assert_eq!(condition(&again), None);
        self.accept(&again, tag, 3600);
        let mut notifier = Notifier::of(&again, tag);
        self.notify(&notifier.name("active;expires=3600", "t1", "one"));
        notifier
    }

    /// A refresh without condition, and what it brings.
    #[track_caller]
    fn refresh_without(&mut self, notifier: &mut Notifier) {
        let refresh = self.refresh();
        assert_eq!(condition(&refresh), None);
        self.accept(&refresh, "pa", 3600);
        self.notify(&notifier.name("active;expires=3600", "t1", "one"));
    }
}

// PA-71
#[test]
fn a_condition_that_was_refused_once_is_tried_again_in_another_dialog() {
    for status in [400, 412, 420, 500, 501, 502, 513] {
        // The notifier was unwell for a moment.
        let mut phone = Phone::new();
        let (key, mut notifier) = phone.holding();
        let refresh = phone.refresh();
        let again = phone.answer(&refresh, status, &[]).request().clone();
        phone.accept(&again, "pa1", 3600);
        phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
        phone.refresh_without(&mut notifier);

        let subscribe = phone.lose(&mut notifier);
        assert_eq!(condition(&subscribe), Some("t1"), "{status}");
        let mut notifier = Notifier::of(&subscribe, "pa2");
        phone.accept(&subscribe, "pa2", 3600);
        let taken = phone.notify(&notifier.omit("active;expires=3600", "t1"));
        let confirmed = WatcherEvent::Confirmed { key };
        assert!(taken.events.contains(&confirmed), "{taken:?}");

        // Since it has taken one it may be unwell again.
        let refresh = phone.refresh();
        assert_eq!(condition(&refresh), Some("t1"), "{status}");
        let again = phone.answer(&refresh, status, &[]).request().clone();
        phone.accept(&again, "pa2", 3600);
        phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
        phone.refresh_without(&mut notifier);
        assert_eq!(condition(&phone.lose(&mut notifier)), Some("t1"));
    }
}

// PA-71
#[test]
fn a_wish_for_quiet_waits_for_another_dialog_where_a_condition_was_refused() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let subscribe = phone.lose(&mut notifier);
    let mut notifier = phone.taken_without(&subscribe, 400, "pa2");
    assert!(phone.watcher.set_quiet(phone.now, key, true));
    assert!(phone.take().nothing());
    phone.notify(&notifier.name("active", "t2", "two"));
    assert_eq!(phone.note(key).as_deref(), Some("two"));
    let subscribe = phone.lose(&mut notifier);
    assert_eq!(condition(&subscribe), Some("*"));
    phone.accept(&subscribe, "pa3", 3600);
    let mut notifier = Notifier::of(&subscribe, "pa3");
    phone.notify(&notifier.omit("active;expires=3600", "t2"));
    assert!(!phone.is_current(key));
}

// PA-71
#[test]
fn a_condition_that_is_refused_each_time_is_given_up() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    let subscribe = phone.lose(&mut notifier);
    let mut notifier = phone.taken_without(&subscribe, 420, "pa2");
    phone.refresh_without(&mut notifier);
    let subscribe = phone.lose(&mut notifier);
    assert_eq!(condition(&subscribe), Some("t1"));
    let mut notifier = phone.taken_without(&subscribe, 420, "pa3");
    for dialog in 4..8 {
        let tag = format!("pa{dialog}");
        let subscribe = phone.lose(&mut notifier);
        assert_eq!(condition(&subscribe), None, "{tag}");
        phone.accept(&subscribe, &tag, 3600);
        notifier = Notifier::of(&subscribe, &tag);
        phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
        phone.refresh_without(&mut notifier);
    }
    assert!(!phone.watcher.set_quiet(phone.now, key, true));
}

// PA-71
#[test]
fn what_is_refused_without_a_condition_too_is_not_tried_with_one() {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.holding();
    let subscribe = phone.lose(&mut notifier);
    let again = phone.answer(&subscribe, 500, &[]).request().clone();
    phone.answer(&again, 500, &[]);
    for _ in 0..3 {
        let again = phone.pass_until_something(SECOND * 1800).request().clone();
        assert_eq!(condition(&again), None);
        let taken = phone.answer(&again, 500, &[]);
        assert!(taken.requests.is_empty(), "{taken:?}");
    }
    // When it is taken conditions may be.
    let again = phone.pass_until_something(SECOND * 1800).request().clone();
    phone.accept(&again, "pa2", 3600);
    let mut notifier = Notifier::of(&again, "pa2");
    phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
    phone.refresh_without(&mut notifier);
    assert_eq!(condition(&phone.lose(&mut notifier)), Some("t1"));
}

// PA-71
#[test]
fn one_who_errs_in_turns_is_not_asked_without_end() {
    // Whatever has a condition is refused, whatever has none is taken, and every dialog is ended at once.
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.holding();
    let mut next = Some(phone.lose(&mut notifier));
    let end = phone.now + SECOND * 3600;
    let mut asked = 0;
    while phone.now < end && asked < 20 {
        let Some(subscribe) = next.take() else {
            let taken = phone.pass_until_something(SECOND * 3600);
            next = taken.requests.first().cloned();
            continue;
        };
        asked += 1;
        if condition(&subscribe).is_some() {
            next = Some(phone.answer(&subscribe, 400, &[]).request().clone());
            continue;
        }
        let tag = format!("pb{asked}");
        phone.accept(&subscribe, &tag, 3600);
        let mut notifier = Notifier::of(&subscribe, &tag);
        phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
        let ended = phone.notify(&notifier.notify("terminated;reason=deactivated"));
        next = ended.requests.first().cloned();
    }
    assert!((4..20).contains(&asked), "{asked} SUBSCRIBEs in an hour");
}

// PA-71
#[test]
fn silence_after_a_condition_is_followed_by_none() {
    let mut phone = Phone::new();
    let (_, _) = phone.holding();
    let refresh = phone.refresh();
    // Something has made a 200 of the 204.
    assert!(phone.accept(&refresh, "pa1", 3600).nothing());
    let taken = phone.pass_until_something(SECOND * 33);
    assert_eq!(taken.end().0, SubscriptionEnd::Silent);
    assert_eq!(condition(taken.request()), None);

    // Something does not let NOTIFYs without body through.
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.holding();
    let subscribe = phone.lose(&mut notifier);
    phone.accept(&subscribe, "pa2", 3600);
    let taken = phone.pass(SECOND * 33);
    assert_eq!(taken.failure().0, SubscribeFailure::Silent);
    let again = phone.pass_until_something(SECOND * 60);
    assert_eq!(condition(again.request()), None);

    // A document is left out that nobody has.
    for tag in [Some("t9"), None] {
        let mut phone = Phone::new();
        let (key, mut notifier) = phone.holding();
        let subscribe = phone.lose(&mut notifier);
        let mut notifier = Notifier::of(&subscribe, "pa2");
        phone.accept(&subscribe, "pa2", 3600);
        // While nobody has decided there may be none.
        let taken = phone.notify(&notifier.notify("pending;expires=3600"));
        assert!(taken.requests.is_empty(), "{taken:?}");
        let mut message = notifier.notify("active;expires=3600");
        if let Some(tag) = tag {
            message = message.with("SIP-ETag", tag);
        }
        let taken = phone.notify(&message);
        assert_eq!(condition(taken.request()), None);
        assert!(!phone.is_current(key));
        let asked = taken.request().clone();
        phone.accept(&asked, "pa2", 3600);
        // It is asked for once.
        assert!(phone.notify(&notifier.notify("active")).requests.is_empty());
    }
}

// PA-71
#[test]
fn without_a_condition_a_missing_body_says_what_it_always_said() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    phone.notify(&notifier.tell("active", "<presence").with("SIP-ETag", "t2"));
    let taken = phone.notify(&notifier.omit("active", "t1"));
    assert!(
        taken.events.is_empty() && taken.requests.is_empty(),
        "{taken:?}"
    );
    assert!(phone.is_current(key));

    // Nobody who does not want conditions sends any.
    let mut phone = Phone::of_subscriber(|config| config.conditional = false);
    let (key, mut notifier) = phone.holding();
    let refresh = phone.refresh();
    assert_eq!(condition(&refresh), None);
    phone.accept(&refresh, "pa1", 3600);
    phone.notify(&notifier.name("active;expires=3600", "t1", "one"));
    assert!(!phone.watcher.set_quiet(phone.now, key, true));
    assert!(phone.take().nothing());
    let subscribe = phone.lose(&mut notifier);
    assert_eq!(condition(&subscribe), None);
}

// PA-71
#[test]
fn silence_proves_nothing_where_documents_are_to_be_protected() {
    let mut config = WatcherConfig::default();
    config.protection = Protection::Signed;
    let mut phone = Phone::with(config);
    let kept = Resumption::new(BOB, "t1", document("open", "one").into()).unwrap();
    let (key, subscribe) = phone.watch_from(kept);
    assert_eq!(condition(&subscribe), None);
    assert_eq!(phone.note(key).as_deref(), Some("one"));
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let taken = phone.notify(&notifier.omit("active;expires=3600", "t1"));
    assert!(!taken.events.contains(&WatcherEvent::Confirmed { key }));
    assert!(!phone.is_current(key));
    // What was not believed is not held.
    phone.notify(&notifier.name("active;expires=3600", "t2", "two"));
    assert_eq!(condition(&phone.refresh()), None);
}

// PA-71
#[test]
fn what_was_protected_is_not_confirmed_by_what_is_not() {
    let mut config = WatcherConfig::default();
    config.protection = Protection::Encrypted;
    let mut phone = Phone::with(config);
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let sealed = notifier
        .notify("active;expires=3600")
        .with("SIP-ETag", "t1");
    let sealed = sealed.with("Content-Type", "application/pkcs7-mime");
    let opening = phone.notify(&sealed.with_body("sealed")).opening().key;
    let mut opened = Opened::new("application/pidf+xml", document("open", "one"));
    opened.is_encrypted = true;
    assert!(phone.opened(opening, Ok(opened)).change().is_some());
    assert!(phone.is_current(key));
    // Within the dialog it is asked for on a condition.
    phone.notify(&notifier.name("active", "t2", "open to all"));
    assert!(!phone.is_current(key));
    let refresh = phone.refresh();
    assert_eq!(condition(&refresh), Some("t1"));
    assert!(phone.unchanged(&refresh, 3600).nothing());
    assert!(!phone.is_current(key));
    // A new one has to prove itself.
    assert_eq!(condition(&phone.lose(&mut notifier)), None);
}

// PA-71
#[test]
fn a_document_that_was_taken_in_part_is_not_held() {
    let times = |tuples: &[(&str, u32)]| {
        let tuples = tuples.iter().map(|(id, second)| {
            format!(
                "<tuple id='{id}'><status><basic>open</basic></status>\
                 <timestamp>2026-03-01T12:00:{second:02}Z</timestamp></tuple>"
            )
        });
        let tuples: String = tuples.collect();
        format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{BOB}'>{tuples}</presence>")
    };
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let before = notifier.tell("active;expires=3600", &times(&[("desk", 20), ("cell", 30)]));
    phone.notify(&before.with("SIP-ETag", "t1"));
    let subscribe = phone.lose(&mut notifier);
    let mut notifier = Notifier::of(&subscribe, "pa2");
    phone.accept(&subscribe, "pa2", 3600);
    let mixed = notifier.tell("active;expires=3600", &times(&[("desk", 30), ("cell", 20)]));
    let taken = phone.notify(&mixed.with("SIP-ETag", "t2"));
    assert_eq!(condition(taken.request()), None);
    assert!(phone.watcher.resumption(key).is_none());
    assert!(!phone.is_current(key));
    // Nothing is held after it either.
    let asked = taken.request().clone();
    phone.accept(&asked, "pa2", 3600);
    phone.notify(&notifier.notify("active;expires=3600"));
    assert_eq!(condition(&phone.refresh()), None);
}

// PA-71
#[test]
fn a_notifier_that_refuses_is_not_asked_for_quiet_at_each_notify() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.holding();
    assert!(phone.watcher.set_quiet(phone.now, key, true));
    let asked = phone.take().request().clone();
    assert_eq!(condition(&asked), Some("*"));
    phone.unchanged(&asked, 3600);
    // What is asked for beside is refused, and the notifier goes on.
    assert!(phone.watcher.request_state(phone.now, key));
    let asked = phone.take().request().clone();
    assert_eq!(condition(&asked), None);
    assert!(phone.answer(&asked, 503, &[]).requests.is_empty());
    for _ in 0..20 {
        let taken = phone.notify(&notifier.name("active;expires=3600", "t2", "two"));
        assert!(taken.requests.is_empty(), "{taken:?}");
    }
    // When it takes it again it hears of it, be its NOTIFY first or not.
    let asked = phone.refresh();
    assert_eq!(condition(&asked), None);
    let taken = phone.notify(&notifier.name("active;expires=3600", "t3", "three"));
    assert!(taken.requests.is_empty(), "{taken:?}");
    let taken = phone.accept(&asked, "pa1", 3600);
    assert_eq!(condition(taken.request()), Some("*"));
}

// PA-71
#[test]
fn a_fetch_that_is_not_answered_takes_nothing_back() {
    let document = document("open", "one");
    let resumption = Resumption::new(BOB, "t1", document.into()).unwrap();
    let mut phone = Phone::new();
    for (status, is_forgotten) in [
        (0, false),
        (503, false),
        (408, false),
        (403, true),
        (404, true),
    ] {
        let account = account();
        let mut order = WatchOrder::new(&account, BOB);
        order.resume = Some(resumption.clone());
        phone.watcher.fetch(phone.now, order).unwrap();
        let asked = phone.take().request().clone();
        assert_eq!(condition(&asked), Some("t1"));
        let taken = match status {
            0 => phone.fail(&asked, Failure::Transport),
            _ => phone.answer(&asked, status, &[]),
        };
        assert_eq!(taken.over(), Some(false), "{taken:?}");
        assert_eq!(taken.change().is_some(), is_forgotten, "{taken:?}");
        assert!(phone.is_empty());
    }
}
