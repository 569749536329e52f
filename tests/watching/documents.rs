//! Which document is the current one, and what is told of it.

use presentity::event::OwnSubscriptionKey;
use presentity::pidf::{Change, Presence, Tuple};
use presentity::presence::{OutdatedDocuments, WatcherConfig, WatcherEvent};
use time::OffsetDateTime;

use crate::phone::{BOB, Notifier, Phone, document};

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn with_times(tuples: &[(&str, i64)]) -> String {
    let mut document = Presence::new(BOB);
    for (id, seconds) in tuples {
        let tuple = Tuple::open(*id).with_timestamp(at(*seconds)).unwrap();
        document = document.with_tuple(tuple);
    }
    String::from_utf8(document.write().unwrap().to_vec()).unwrap()
}

fn ids(phone: &Phone, key: OwnSubscriptionKey) -> Vec<String> {
    let document = phone.watcher.presence(key).unwrap();
    document
        .tuples
        .iter()
        .map(|tuple| tuple.id.clone())
        .collect()
}

// SUB-50
#[test]
fn changes_are_told_by_tuple() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let now = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{BOB}'>\
         <tuple id='desk'><status><basic>closed</basic></status></tuple>\
         <tuple id='mobile'><status><basic>open</basic></status></tuple></presence>"
    );
    let taken = phone.notify(&notifier.tell("active", &now));
    let [WatcherEvent::Changed(change)] = &taken.events[..] else {
        panic!("{taken:?}");
    };
    assert_eq!(change.key, key);
    let difference = change.difference().unwrap();
    match &difference.tuples[..] {
        [Change::Changed { before, after }, Change::Added(added)] => {
            assert_eq!(
                (&*before.id, &*after.id, &*added.id),
                ("desk", "desk", "mobile")
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(change.after.as_deref(), phone.watcher.presence(key));
    // Each document is the whole state: what is not in it is gone.
    let taken = phone.notify(&notifier.tell("active", &document("open", "at my desk")));
    let [WatcherEvent::Changed(change)] = &taken.events[..] else {
        panic!("{taken:?}");
    };
    let gone = change.difference().unwrap().tuples;
    assert!(
        gone.iter()
            .any(|it| matches!(it, Change::Removed(tuple) if tuple.id == "mobile"))
    );
}

#[test]
fn what_says_the_same_is_no_news() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let same = document("open", "at my desk");
    let otherwise = format!(
        "<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' entity='{BOB}'>\n <p:tuple id='desk'>\
         <p:status><p:basic>open</p:basic></p:status> <p:note>at my desk</p:note></p:tuple>\
         </p:presence>"
    );
    for text in [&same, &otherwise, &same, &otherwise] {
        let taken = phone.notify(&notifier.tell("active", text));
        assert_eq!(taken.status(), 200);
        assert!(taken.events.is_empty(), "{taken:?}");
    }
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
}

#[test]
fn what_cannot_be_read_leaves_what_is_known() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let deep = "<a>".repeat(10_000);
    let odd = [
        "",
        "x",
        "<presence/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf'><tuple>",
        "<!DOCTYPE presence [<!ENTITY a 'b'>]><presence xmlns='urn:ietf:params:xml:ns:pidf'/>",
        &deep,
    ];
    for text in odd {
        let taken = phone.notify(&notifier.tell("active", text));
        assert_eq!(taken.status(), 200, "{text:.40}");
        let told = taken.events.iter().filter(
            |event| matches!(event, WatcherEvent::Unreadable { key: of, .. } if *of == key),
        );
        assert_eq!(told.count(), usize::from(!text.is_empty()), "{text:.40}");
        assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
    }
    // A document that does not say whom it is about is about whom was asked for.
    let nobody = "<presence xmlns='urn:ietf:params:xml:ns:pidf'/>";
    phone.notify(&notifier.tell("active", nobody));
    assert_eq!(phone.watcher.presence(key).unwrap().entity, BOB);
    // No tuple at all is not the same as unknown.
    assert!(phone.watcher.presence(key).unwrap().tuples.is_empty());
}

#[test]
fn the_charset_that_it_came_with_counts() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let notify = notifier
        .tell("active", &document("open", "zählt"))
        .with("Content-Type", "application/pidf+xml;charset=iso-8859-1");
    let taken = phone.notify(&notify);
    let is_unreadable = |event: &WatcherEvent| matches!(event, WatcherEvent::Unreadable { .. });
    assert!(taken.events.iter().any(is_unreadable), "{taken:?}");
    // It is that of one NOTIFY alone.
    phone.notify(&notifier.tell("active", &document("open", "zählt")));
    assert_eq!(phone.note(key).as_deref(), Some("zählt"));
}

fn anew(phone: &mut Phone, notifier: &mut Notifier) -> Notifier {
    phone.pass(std::time::Duration::from_secs(100));
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    let subscribe = taken.request().clone();
    phone.accept(&subscribe, "pa9", 3600);
    Notifier::of(&subscribe, "pa9")
}

// SUB-54 SEC-26
#[test]
fn an_old_document_in_another_dialog_is_not_believed() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    phone.notify(&notifier.tell("active", &with_times(&[("a", 100), ("b", 200)])));
    let mut other = anew(&mut phone, &mut notifier);
    phone.notify(&other.notify("pending;expires=3600"));
    // Held again, and not a word of the state yet.
    assert!(!phone.watcher.presentity(key).unwrap().is_current);
    let recorded = with_times(&[("a", 100), ("b", 150)]);
    let taken = phone.notify(&other.tell("active;expires=3600", &recorded));
    assert_eq!(taken.status(), 200);
    let is_outdated = |event: &WatcherEvent| matches!(event, WatcherEvent::Outdated { .. });
    assert!(taken.events.iter().any(is_outdated), "{taken:?}");
    assert_eq!(
        phone.watcher.presence(key).unwrap().newest_timestamp(),
        Some(at(200))
    );
    assert!(!phone.watcher.presentity(key).unwrap().is_current);
    // It is asked for its next word at once.
    let again = taken.request();
    assert_eq!(again.uri(), other.contact);
    // That is taken: who lost the newest tuple has older times for good.
    let taken = phone.notify(&other.tell("active", &with_times(&[("a", 100)])));
    assert!(!taken.events.iter().any(is_outdated), "{taken:?}");
    assert_eq!(ids(&phone, key), ["a"]);
    assert!(phone.watcher.presentity(key).unwrap().is_current);
    // An outdated tuple of a newer document is left out.
    let mut third = anew(&mut phone, &mut other);
    phone.notify(&third.tell("active;expires=3600", &with_times(&[("a", 99), ("c", 300)])));
    assert_eq!(ids(&phone, key), ["c"]);
    // Within a dialog CSeq tells.
    let taken = phone.notify(&third.tell("active", &with_times(&[("a", 50)])));
    assert!(!taken.events.iter().any(is_outdated));
    assert_eq!(ids(&phone, key), ["a"]);
}

// SUB-54
#[test]
fn a_time_to_come_does_not_shut_out_what_follows() {
    let mut phone = Phone::new();
    phone.watcher.set_wall_clock(phone.now, at(1_000));
    let (key, mut notifier) = phone.watching();
    phone.notify(&notifier.tell("active", &with_times(&[("a", 250_000_000_000)])));
    let mut other = anew(&mut phone, &mut notifier);
    phone.notify(&other.tell("active;expires=3600", &with_times(&[("b", 1_100)])));
    assert_eq!(ids(&phone, key), ["b"]);
}

#[test]
fn who_wants_to_believe_everything_may() {
    let mut config = WatcherConfig::default();
    config.outdated = OutdatedDocuments::Take;
    let mut phone = Phone::with(config);
    let (key, mut notifier) = phone.watching();
    phone.notify(&notifier.tell("active", &with_times(&[("a", 200)])));
    let mut other = anew(&mut phone, &mut notifier);
    phone.notify(&other.tell("active;expires=3600", &with_times(&[("b", 100)])));
    assert_eq!(ids(&phone, key), ["b"]);
}
