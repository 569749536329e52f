//! What is in which document.

use presentity::event::{Assurance, Decision, Identity};

use crate::common::{Message, body_of, field, response_field};
use crate::scene::{ROSA, allow, read, scene, scene_with};

// SRV-60, SRV-61, SRV-68, SRV-70
#[test]
fn a_subscribe_gets_everything_and_a_change_what_has_changed() {
    let mut scene = scene();
    scene.decide("ben", allow());
    scene.knocks("ben");
    scene.knocks("cleo");
    let message = scene.message("rosa", "doors.winfo", 0).without("Expires");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("3600"));
    let notify = outputs.notify();
    assert_eq!(field(notify, "Event"), Some("doors.winfo"));
    let media_type = field(notify, "Content-Type");
    assert_eq!(media_type, Some("application/watcherinfo+xml"));
    let first = read(body_of(outputs.notify()));
    assert!(first.is_full());
    assert_eq!(first.version, 0);
    assert_eq!(first.package, "doors");
    assert_eq!(first.resource, "sip:rosa@example.com");
    assert_eq!(
        first.lines(),
        ["cleo pending subscribe", "ben active subscribe"]
    );
    scene.answer(outputs);
    scene.role.sent.clear();

    scene.decide("cleo", allow());
    let second = scene.one();
    assert!(!second.is_full());
    assert_eq!(second.version, 1);
    assert_eq!(second.lines(), ["cleo active approved"]);
    assert_eq!(second.entries[0].id, first.entries[0].id);
    scene.knocks("dan");
    let third = scene.one();
    assert_eq!(third.version, 2);
    assert_eq!(third.lines(), ["dan pending subscribe"]);
}

// SRV-61
#[test]
fn another_type_of_document_is_not_to_be_had() {
    let mut scene = scene();
    let message = scene.message("rosa", "doors.winfo", 600);
    let outputs = scene.send(&message.with("Accept", "application/pidf+xml"));
    assert_eq!(outputs.status(), 406);
    let accept = response_field(outputs.response(), "Accept");
    assert_eq!(accept, Some("application/watcherinfo+xml"));
    let message = scene.message("rosa", "doors.winfo", 600);
    let outputs = scene.send(&message.with("Accept", "application/watcherinfo+xml"));
    assert_eq!(outputs.status(), 200);
}

// SRV-68, SRV-70
#[test]
fn a_refresh_and_a_fetch_get_everything() {
    let mut scene = scene();
    scene.knocks("ben");
    let (mut held, _) = scene.rosa_watches();
    scene.knocks("cleo");
    scene.news();
    let again = scene.looks_again(&mut held, 3600);
    assert!(again.is_full());
    assert_eq!(again.version, 2);
    assert_eq!(
        again.lines(),
        ["ben pending subscribe", "cleo pending subscribe"]
    );
    let fetched = scene.fetches("rosa");
    assert!(fetched.is_full());
    assert_eq!(fetched.version, 0);
    assert_eq!(fetched.lines(), again.lines());
    let last = scene.looks_again(&mut held, 0);
    assert!(last.is_full());
    assert_eq!(last.version, 3);
    assert_eq!(last.lines(), again.lines());
}

// SRV-71
#[test]
fn ids_are_tokens_of_their_own_and_uris_are_those_of_the_identities() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    // Two devices of one user, a telephone, and somebody whose From lies.
    scene.knocks("ben");
    scene.knocks("ben");
    let phone = Identity::of("tel:+43-1-234", Assurance::Asserted).unwrap();
    let message = scene.message("gateway", "doors", 600);
    scene.send_as(&message, &phone);
    let liar = Identity::of("sip:Eve@EXAMPLE.com:5060;transport=tcp", Assurance::Digest).unwrap();
    let message = scene.message("nice", "doors", 600);
    scene.send_as(&message, &liar);
    let (_, document) = scene.rosa_watches();
    let uris: Vec<&str> = document.entries.iter().map(|it| &*it.uri).collect();
    let ben = "sip:ben@example.com";
    assert_eq!(uris, [ben, ben, "tel:+431234", "sip:Eve@example.com"]);
    let mut ids: Vec<&str> = document.entries.iter().map(|it| &*it.id).collect();
    for id in &ids {
        assert!(!id.is_empty());
        assert!(
            id.bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'.')
        );
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_resource_bears_the_name_that_it_is_asked_for_by_and_everything_is_escaped() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    scene.knocks("tom&jerry'");
    let from = "sip:rosa@example.com";
    let message = Message::subscribe(from, "pres:rosa@example.com", "p");
    let outputs = scene.send(&message.with("Event", "doors.winfo"));
    let document = read(body_of(outputs.notify()));
    assert_eq!(document.resource, "pres:rosa@example.com");
    assert_eq!(document.entries[0].uri, "sip:tom&jerry'@example.com");
}

#[test]
fn it_tells_how_long_a_subscription_has_to_run() {
    let mut scene = scene();
    let (mut ben, _) = scene.subscribed("ben", "doors", 600);
    scene.after(100.0);
    let (mut held, first) = scene.rosa_watches();
    assert_eq!(first.entries[0].expiration, Some(500));
    let (mut cleo, _) = scene.subscribed("cleo", "doors", 300);
    assert_eq!(scene.one().entries[0].expiration, Some(300));
    // A refresh is no change.
    scene.again(&mut ben, 1000);
    scene.again(&mut cleo, 900);
    assert!(scene.news().is_empty());
    let again = scene.looks_again(&mut held, 3600);
    let left: Vec<Option<u64>> = again.entries.iter().map(|it| it.expiration).collect();
    assert_eq!(left, [Some(994), Some(894)]);
    // Her own entry is found again by one who sees no other.
    let (mut own, _) = scene.subscribed("ben", "doors.winfo", 3600);
    scene.again(&mut ben, 700);
    let again = scene.looks_again(&mut own, 3600);
    assert_eq!(again.entries[0].expiration, Some(700));
    assert_eq!(again.entries.len(), 1);
}

// SRV-68
#[test]
fn a_long_list_comes_in_pieces() {
    let mut scene = scene_with(|config| config.entries_per_document = 3);
    scene.role.doors.package_mut().others = allow();
    for number in 0..8 {
        scene.knocks(&format!("w{number}"));
    }
    let message = scene.message("rosa", "doors.winfo", 3600);
    let outputs = scene.send(&message);
    let first = read(body_of(outputs.notify()));
    assert!(first.is_full());
    assert_eq!(first.entries.len(), 3);
    // The rest comes at the pace of changes, with what has changed behind it.
    scene.end("w0", presentity::event::Reason::NoResource);
    scene.end("w7", presentity::event::Reason::NoResource);
    scene.role.sent.clear();
    scene.answer(outputs);
    scene.after(30.0);
    let rest = scene.news();
    let mut lines: Vec<Vec<String>> = rest.iter().map(super::scene::Document::lines).collect();
    assert!(rest.iter().all(|it| !it.is_full()));
    assert_eq!(rest.iter().map(|it| it.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        lines.remove(0),
        ["w3", "w4", "w5"].map(|it| format!("{it} active subscribe"))
    );
    // She was told of the first, and never of the last.
    assert_eq!(
        lines.remove(0),
        ["w6 active subscribe", "w0 terminated noresource"]
    );

    // A fetch has one document, and those who wait come first in it.
    scene.decide("zoe", Decision::Pending);
    scene.knocks("zoe");
    scene.news();
    let fetched = scene.fetches("rosa");
    assert_eq!(
        fetched.lines(),
        [
            "zoe pending subscribe",
            "w1 active subscribe",
            "w2 active subscribe"
        ]
    );
    assert_eq!(scene.role.info.own_counters().cut, 1);
    assert!(scene.news().is_empty());
}

#[test]
fn nothing_is_kept_of_those_whose_watchers_nobody_watches() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    for number in 0..50 {
        scene.knocks(&format!("w{number}"));
    }
    for level in [1, 2] {
        assert_eq!(scene.role.info.occupancy(level), Some(Default::default()));
    }
    let (mut held, first) = scene.rosa_watches();
    assert_eq!(first.entries.len(), 50);
    assert_eq!(scene.role.info.occupancy(1).unwrap().resources, 1);
    scene.again(&mut held, 0);
    for level in [1, 2] {
        assert_eq!(scene.role.info.occupancy(level), Some(Default::default()));
    }
    scene.subscribed("rosa", "doors.winfo", 0);
    assert_eq!(scene.role.info.occupancy(1), Some(Default::default()));
    assert!(scene.role.doors.has_watchers(ROSA));
}

// SRV-73
#[test]
fn what_is_asked_for_by_a_sips_uri_is_told_over_tls_alone() {
    let mut scene = scene();
    let (from, uri) = ("sips:rosa@example.com", "sips:rosa@example.com");
    let message = Message::subscribe(from, uri, "s").with("Event", "doors.winfo");
    let open = message
        .clone()
        .with("Contact", "<sip:rosa@phone.example.net>");
    assert_eq!(scene.send(&open).status(), 400);
    let outputs = scene.send(&message.with_cseq(2));
    let notify = outputs.notify();
    assert_eq!(notify.uri(), "sips:rosa@phone.example.net:5062");
    assert_eq!(read(body_of(notify)).resource, uri);
}
