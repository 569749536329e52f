//! Whose document it is.

use crate::phone::{BOB, Notifier, Phone};
use presentity::presence::WatcherEvent;

/// A document that does not say whom it is about is about who was asked for, also when it is the answer
/// to a fetch, which is over by the time that the document is read.
#[test]
fn a_document_without_entity_is_that_of_who_was_asked_for() {
    let text = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"><tuple id=\"t\"><status>\
                <basic>open</basic></status></tuple></presence>";
    for is_fetch in [false, true] {
        let mut phone = Phone::new();
        let (_, subscribe) = match is_fetch {
            true => phone.fetch(),
            false => phone.watch(),
        };
        let mut notifier = Notifier::of(&subscribe, "n");
        let state = match is_fetch {
            true => "terminated;reason=timeout",
            false => "active;expires=600",
        };
        let message = notifier.tell(state, text);
        let taken = phone.notify(&message);
        let mut entities = taken.events.iter().filter_map(|event| match event {
            WatcherEvent::Changed(change) => Some(change.after.as_ref().unwrap().entity.as_str()),
            _ => None,
        });
        assert_eq!(entities.next(), Some(BOB), "{is_fetch}");
    }
}
