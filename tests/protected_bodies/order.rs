//! Several NOTIFYs, some of them to be opened: what is told keeps its order, and its bounds.

use std::time::Duration;

use presentity::engine::ServerTransaction;
use presentity::event::{Identity, OwnSubscriptionPhase, RefusedBody, RequestContext};
use presentity::presence::{WatchOrder, WatcherEvent};

use crate::notifies::{ACTIVE, complete, opens, protected};
use crate::phone::{CONTACT, Notifier, Phone, Taken, account, document};
use crate::wrapping::{PIDF, as_opened, carrying, open};

fn notes(taken: &Taken) -> Vec<String> {
    let notes = taken.events.iter().filter_map(|event| match event {
        WatcherEvent::Changed(change) => {
            Some(change.after.as_ref()?.tuples[0].notes[0].text.clone())
        }
        _ => None,
    });
    notes.collect()
}

// SUB-50
#[test]
fn states_never_go_back() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let first = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("first")));
    // One that needs no opening is answered at once, and told behind.
    let second = phone.notify(&notifier.tell(ACTIVE, &document("open", "second")));
    assert_eq!((second.status(), second.events.len()), (200, 0));
    let third = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("third")));
    // Opened in another order: answered in that order.
    let taken = complete(&mut phone, &third);
    assert_eq!((taken.status(), taken.events.len()), (200, 0));
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
    let taken = complete(&mut phone, &first);
    assert_eq!(taken.status(), 200);
    assert_eq!(notes(&taken), ["first", "second", "third"]);
    assert_eq!(phone.note(key).as_deref(), Some("third"));

    // One that fails does not hold up the next.
    phone.notify(&carrying(notifier.notify(ACTIVE), &protected("fourth")));
    let second = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("fifth")));
    complete(&mut phone, &second);
    let taken = phone.pass(Duration::from_secs(17));
    assert_eq!(taken.status(), 500);
    assert_eq!(notes(&taken), ["fifth"]);
    phone.watcher.abandon(phone.now, key);
    assert!(phone.is_empty());
}

// SUB-51: CSeq counts before anything is opened.
#[test]
fn an_old_notify_is_not_even_opened() {
    let mut phone = opens();
    let (_, mut notifier) = phone.watching();
    let before = carrying(notifier.notify(ACTIVE), &protected("old"));
    let after = carrying(notifier.notify(ACTIVE), &protected("new"));
    let taken = phone.notify(&after);
    assert_eq!(phone.notify(&before).status(), 500);
    assert_eq!(phone.notify(&after).status(), 500);
    assert_eq!(notes(&complete(&mut phone, &taken)), ["new"]);
}

#[test]
fn what_follows_an_end_is_told_behind_it() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let last = carrying(
        notifier.notify("terminated;reason=deactivated"),
        &protected("last"),
    );
    let last = phone.notify(&last);
    // It is asked for anew at once.
    let subscribe = last.request().clone();
    phone.accept(&subscribe, "pa2", 3600);
    let mut notifier = Notifier::of(&subscribe, "pa2");
    let taken = phone.notify(&notifier.tell(ACTIVE, &document("open", "again")));
    assert_eq!((taken.status(), taken.events.len()), (200, 0));
    assert!(matches!(phone.phase(key), OwnSubscriptionPhase::Held(_)));
    let taken = complete(&mut phone, &last);
    assert_eq!(notes(&taken), ["last", "again"]);
    let ended = taken
        .events
        .iter()
        .position(|it| matches!(it, WatcherEvent::Ended { .. }));
    assert_eq!(ended, Some(1), "{taken:?}");
    assert_eq!(phone.note(key).as_deref(), Some("again"));
    // Another subscription waits for nothing of it.
    let held = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("slow")));
    let account = account();
    let order = WatchOrder::new(&account, "sip:carol@example.org");
    phone.watcher.watch(phone.now, order).unwrap();
    let subscribe = phone.take().request().clone();
    let mut other = Notifier::of(&subscribe, "pc");
    let carol = document("open", "quick").replace("bob", "carol");
    assert_eq!(notes(&phone.notify(&other.tell(ACTIVE, &carol))), ["quick"]);
    assert_eq!(notes(&complete(&mut phone, &held)), ["slow"]);
}

#[test]
fn what_ends_while_a_body_is_opened_is_over_after_it() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let waiting = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("still")));
    phone.watcher.end(phone.now, key).unwrap();
    let bye = phone.take().request().clone();
    phone.answer(&bye, 200, &[("Expires", "0")]);
    let taken = phone.notify(&notifier.notify("terminated;reason=timeout"));
    assert_eq!((taken.status(), taken.events.len()), (200, 0));
    // The name is stale already, and something of it is to be told yet.
    assert!(phone.watcher.presentity(key).is_none());
    let taken = complete(&mut phone, &waiting);
    assert_eq!(notes(&taken), ["still"]);
    assert!(matches!(
        taken.events.last(),
        Some(WatcherEvent::Over {
            confirmed: true,
            ..
        })
    ));
    assert!(phone.is_empty(), "{:?}", phone.watcher.occupancy());
}

fn refused(taken: &Taken) -> bool {
    taken.events.iter().any(|event| {
        matches!(
            event,
            WatcherEvent::BodyRefused {
                body: RefusedBody::Busy,
                ..
            }
        )
    })
}

#[test]
fn only_so_many_bodies_are_opened_at_a_time() {
    // Of one subscription.
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let taken = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("one")));
        waiting.push(taken.opening().clone());
    }
    let taken = phone.notify(&carrying(notifier.notify("pending"), &protected("more")));
    assert_eq!(taken.status(), 503);
    assert!(
        taken.responses[0]
            .fields()
            .any(|field| field == ("Retry-After", "10"))
    );
    assert!(taken.openings.is_empty());
    // It counted all the same, and is told in its turn. One that is through makes room for another.
    let first = waiting.remove(0);
    phone.opened(first.key, open(&first.content_type, &first.body));
    let taken = phone.notify(&carrying(notifier.notify("pending"), &protected("one")));
    waiting.push(taken.opening().clone());
    assert!(format!("{:?}", phone.phase(key)).contains("Pending"));
    let mut told = Vec::new();
    for opening in waiting.iter().rev() {
        let outcome = open(&opening.content_type, &opening.body);
        told.extend(phone.opened(opening.key, outcome).events);
    }
    let taken = Taken {
        events: told,
        ..Taken::default()
    };
    assert!(refused(&taken));
    let taken = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("room")));
    assert_eq!(notes(&complete(&mut phone, &taken)), ["room"]);

    // Of all.
    let mut phone = Phone::of_subscriber(|config| {
        config.opens_bodies = true;
        config.openings = 1;
    });
    let (_, mut notifier) = phone.watching();
    let first = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("one")));
    let second = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("two")));
    assert_eq!(second.status(), 503);
    let taken = complete(&mut phone, &first);
    assert_eq!(notes(&taken), ["one"]);
    assert!(refused(&taken));
}

#[test]
fn only_so_much_waits_behind_a_body() {
    let mut phone = opens();
    let (key, mut notifier) = phone.watching();
    let first = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("one")));
    for number in 1..64 {
        let message = notifier.tell(ACTIVE, &document("open", &number.to_string()));
        assert_eq!(phone.notify(&message).status(), 200, "{number}");
    }
    let message = notifier.tell(ACTIVE, &document("open", "64"));
    assert_eq!(phone.notify(&message).status(), 503);
    let taken = complete(&mut phone, &first);
    assert_eq!(notes(&taken).len(), 64);
    // Nothing had happened: it may come again as it was.
    assert_eq!(notes(&phone.notify(&message)), ["64"]);
    phone.watcher.abandon(phone.now, key);
    assert!(phone.is_empty());

    // What waits counts as output that nobody takes.
    let mut phone = Phone::of_subscriber(|config| {
        config.opens_bodies = true;
        config.outputs = 4;
    });
    let (_, mut notifier) = phone.watching();
    let first = phone.notify(&carrying(notifier.notify(ACTIVE), &protected("one")));
    for number in 0..4 {
        phone.notify(&notifier.tell(ACTIVE, &document("open", &number.to_string())));
    }
    let message = notifier.tell(ACTIVE, &document("open", "5"));
    let nobody = Identity::nobody();
    let context = RequestContext::new(&nobody, CONTACT);
    let backlog =
        phone
            .watcher
            .handle_request(phone.now, ServerTransaction(999), &message.view(), &context);
    assert!(backlog.is_err());
    assert_eq!(notes(&complete(&mut phone, &first)).len(), 5);
}

#[test]
fn the_seconds_left_are_those_of_when_it_is_told() {
    use presentity::engine::Timestamp;
    use presentity::event::{
        Account, Profile, SubscribeOrder, Subscriber, SubscriberConfig, SubscriberEvent,
        SubscriberOutput,
    };
    let mut config = SubscriberConfig::default();
    config.opens_bodies = true;
    let profile = Profile::new("presence", &[PIDF]);
    let mut subscriber = Subscriber::new(profile, config, crate::common::seeded(5));
    let now = Timestamp::from_secs(50);
    let account: Account = account();
    subscriber
        .subscribe(now, SubscribeOrder::new(&account, "sip:bob@example.org"))
        .unwrap();
    let Some(SubscriberOutput::Send(subscribe)) = subscriber.poll_output() else {
        panic!();
    };
    let message = carrying(
        Notifier::of(&subscribe, "n").notify("active;expires=600"),
        &protected("x"),
    );
    let nobody = Identity::nobody();
    let context = RequestContext::new(&nobody, CONTACT);
    subscriber
        .handle_request(now, ServerTransaction(1), &message.view(), &context)
        .unwrap();
    let Some(SubscriberOutput::Open(opening)) = subscriber.poll_output() else {
        panic!();
    };
    let later = now + Duration::from_secs(7);
    let outcome = Ok(as_opened(PIDF, "<presence/>"));
    assert!(subscriber.complete_opening(later, opening.key, outcome));
    let mut told = None;
    while let Some(output) = subscriber.poll_output() {
        if let SubscriberOutput::Event(SubscriberEvent::Notified { expires, body, .. }) = output {
            told = Some((expires, body.unwrap().bytes));
        }
    }
    assert_eq!(told.unwrap(), (593, "<presence/>".into()));
}
