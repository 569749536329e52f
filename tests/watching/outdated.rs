//! Documents of another notifier that are older than what is known, in whole or in part.

use presentity::presence::WatcherEvent;

use crate::phone::{BOB, Notifier, Phone};

/// Tuples, each with the second of its change and a note.
fn document(tuples: &[(&str, u32, &str)]) -> String {
    let tuples = tuples.iter().map(|(id, second, note)| {
        format!(
            "<tuple id='{id}'><status><basic>open</basic></status><note>{note}</note>\
             <timestamp>2026-03-01T12:00:{second:02}Z</timestamp></tuple>"
        )
    });
    let tuples: String = tuples.collect();
    format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{BOB}'>{tuples}</presence>")
}

// SEC-26: ids may mean other tuples after a server has lost its state.
#[test]
fn a_tuple_that_was_left_aside_is_taken_when_the_notifier_says_it_again() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    phone.accept(&subscribe, "pa1", 3600);
    let before = document(&[("desk", 20, "desk"), ("cell", 30, "cell")]);
    phone.notify(&notifier.tell("active;expires=3600", &before));
    let taken = phone.notify(&notifier.notify("terminated;reason=deactivated"));
    let subscribe = taken.request().clone();
    let mut notifier = Notifier::of(&subscribe, "pa2");
    phone.accept(&subscribe, "pa2", 3600);

    let after = document(&[("desk", 30, "cell"), ("cell", 20, "desk")]);
    phone.notify(&notifier.tell("active;expires=3600", &after));
    let notes = |phone: &Phone| {
        let info = phone.watcher.presentity(key).unwrap();
        let notes = info.presence.unwrap().tuples.iter();
        let notes: Vec<String> = notes.map(|tuple| tuple.notes[0].text.clone()).collect();
        (notes, info.is_current)
    };
    assert_eq!(notes(&phone), (vec!["cell".to_owned()], false));
    let taken = phone.notify(&notifier.tell("active;expires=3600", &after));
    assert!(matches!(taken.events[..], [WatcherEvent::Changed(_)]));
    let both = vec!["cell".to_owned(), "desk".to_owned()];
    assert_eq!(notes(&phone), (both, true));
}
