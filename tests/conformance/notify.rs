//! What is in a NOTIFY, and which may be open.

use presentity::event::{Decision, Reason, Termination};
use presentity::sip::{OutgoingRequest, Uri};

use crate::common::{body_of, field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, Watch, notes, read, story};

fn cseq(request: &OutgoingRequest) -> u32 {
    let value = field(request, "CSeq").expect("CSeq");
    let (number, method) = value.split_once(' ').expect("a method");
    assert_eq!(method, "NOTIFY");
    number.parse().expect("a number")
}

// PA-59
#[test]
fn a_notify_is_a_request_in_the_dialog_of_its_subscribe() {
    let mut scene = Scene::new();
    scene.set("here");
    let message = scene
        .subscribe(ANA, BOB)
        .with("From", "\"Ana\" <sip:ana@example.com;x=y>;tag=AnasTag;z=1")
        .with("To", "Bob <sip:bob@example.com>")
        .with("Call-ID", "a~b.c@192.0.2.7")
        .with("Contact", "<sip:ana-0x56@192.0.2.7:5062;transport=udp>");
    let outputs = scene.send_from(&message, ANA);
    let watch = Watch::begun(message, &outputs);
    let notify = &watch.notify;
    assert_eq!(notify.method(), "NOTIFY");
    assert_eq!(notify.uri(), "sip:ana-0x56@192.0.2.7:5062;transport=udp");
    assert_eq!(notify.next_hop(), notify.uri());
    let length = notify.body().len().to_string();
    let from = format!("<sip:bob@example.com>;tag={}", watch.tag);
    let fields: Vec<_> = notify.fields().collect();
    let tag = field(notify, "SIP-ETag").unwrap();
    assert_eq!(
        fields,
        [
            ("From", &*from),
            ("To", "<sip:ana@example.com;x=y>;tag=AnasTag"),
            ("Call-ID", "a~b.c@192.0.2.7"),
            ("Event", "presence"),
            ("Contact", "<sip:agent.example.com>"),
            ("Max-Forwards", "70"),
            ("CSeq", "1 NOTIFY"),
            ("Subscription-State", "active;expires=600"),
            ("SIP-ETag", tag),
            ("Content-Type", "application/pidf+xml"),
            ("Content-Length", &*length),
        ]
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-59
#[test]
fn a_notify_is_written_as_it_is_told() {
    let mut scene = Scene::new();
    scene.set("here");
    let watch = scene.watch();
    let via = "Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bK9\r\n";
    let mut bytes = Vec::new();
    watch.notify.write_to(via, &mut bytes);
    assert_eq!(bytes.len(), watch.notify.encoded_len(via.len()));
    let text = String::from_utf8(bytes).unwrap();
    let fields: String = watch
        .notify
        .fields()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let expected = format!(
        "NOTIFY sip:ana@phone.example.net:5062 SIP/2.0\r\n{via}{fields}\r\n{}",
        body_of(&watch.notify)
    );
    assert_eq!(text, expected);
    scene.close();
}

// PA-59: strictly rising, by one, whatever the answers.
#[test]
fn the_numbers_of_notifies_rise_by_one() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let mut numbers = vec![cseq(&watch.notify)];
    for (round, status) in [200, 500, 200, 503, 202].into_iter().enumerate() {
        scene.pass(10.0);
        let outputs = scene.set(&format!("round {round}"));
        numbers.push(cseq(outputs.notify()));
        scene.answer(outputs.notify(), status);
        let outputs = scene.send(&watch.refresh());
        numbers.push(cseq(outputs.notify()));
        scene.answer_all(&outputs);
    }
    let outputs = scene.send(&watch.unsubscribe());
    numbers.push(cseq(outputs.notify()));
    scene.answer_all(&outputs);
    assert_eq!(numbers, (1..=12).collect::<Vec<u32>>());
    scene.empty();
}

// PA-59
#[test]
fn the_first_number_is_the_hosts_to_set() {
    let mut scene = Scene::configured(|config| config.server.initial_cseq = 5_000);
    let watch = scene.watch();
    assert_eq!(cseq(&watch.notify), 5_001);
    let other = scene.watch_as(CARLA);
    assert_eq!(cseq(&other.notify), 5_001, "each dialog has its own");
    scene.close();
}

// PA-59: there is room to count up below 2^31.
#[test]
fn the_first_number_is_never_too_high() {
    let mut scene = Scene::configured(|config| config.server.initial_cseq = u32::MAX);
    let watch = scene.watch();
    assert!(cseq(&watch.notify) < 1 << 31);
    scene.close();
}

// PA-43, PA-44
#[test]
fn a_live_subscription_is_told_the_seconds_left() {
    let mut scene = Scene::new();
    scene.watch();
    for (wait, left) in [(0.4, 599), (99.6, 500), (400.5, 99), (98.6, 0)] {
        scene.pass(wait);
        let outputs = scene.set(&format!("after {wait}"));
        let expected = format!("active;expires={left}");
        assert_eq!(state_of(outputs.notify()), expected);
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-43, PA-44
#[test]
fn a_pending_subscription_is_told_the_seconds_left_too() {
    let mut scene = Scene::deciding(Decision::Pending);
    let mut watch = scene.watch();
    assert_eq!(state_of(&watch.notify), "pending;expires=600");
    scene.pass(100.0);
    let outputs = scene.send(&watch.refresh().with("Expires", "300"));
    assert_eq!(state_of(outputs.notify()), "pending;expires=300");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-44: it never tells more than there is.
#[test]
fn what_a_notify_tells_never_lengthens_the_subscription() {
    let mut scene = Scene::new();
    scene.watch();
    let end = scene.role.subscription(scene.key()).unwrap().expires_at;
    for round in 0..59 {
        scene.pass(10.1);
        let outputs = scene.set(&format!("round {round}"));
        let state = state_of(outputs.notify());
        let left: u64 = state.rsplit_once('=').unwrap().1.parse().unwrap();
        let told = scene.now + std::time::Duration::from_secs(left);
        assert!(told <= end, "{state}");
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-45, PA-46
#[test]
fn the_end_is_told_with_its_reason_and_without_expires() {
    for (reason, text) in [
        (Reason::Deactivated, "deactivated"),
        (Reason::Probation, "probation"),
        (Reason::Rejected, "rejected"),
        (Reason::Timeout, "timeout"),
        (Reason::GiveUp, "giveup"),
        (Reason::NoResource, "noresource"),
        (Reason::Invariant, "invariant"),
    ] {
        let mut scene = Scene::new();
        scene.watch();
        let outputs = scene.terminate(reason);
        assert_eq!(
            state_of(outputs.notify()),
            format!("terminated;reason={text}")
        );
        scene.answer_all(&outputs);

        scene.watch();
        let (key, now) = (scene.key(), scene.now);
        let termination = Termination::new(reason).with_retry_after(u32::MAX);
        scene.role.terminate(now, key, termination).unwrap();
        let outputs = scene.drain();
        assert_eq!(
            state_of(outputs.notify()),
            format!("terminated;reason={text};retry-after=4294967295")
        );
        scene.answer_all(&outputs);
        scene.empty();
    }
}

// PA-59: fields that the host wants in every NOTIFY, if they are fields.
#[test]
fn the_host_may_add_fields() {
    let added = [
        ("Server", "presentity"),
        ("Bad\r\nName", "x"),
        ("Bad Name", "x"),
        ("", "x"),
        ("X-Bad", "a\r\nEvil: 1"),
        ("Supported", "gruu"),
    ];
    let mut scene = Scene::configured(|config| {
        config.server.notify_fields = added
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
    });
    let watch = scene.watch();
    assert_eq!(field(&watch.notify, "Server"), Some("presentity"));
    assert_eq!(field(&watch.notify, "Supported"), Some("gruu"));
    assert_eq!(watch.notify.fields().count(), 13);
    let mut bytes = Vec::new();
    watch.notify.write_to("", &mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("Evil") && !text.contains("Bad"), "{text}");
    scene.close();
}

// PA-73
#[test]
fn one_notify_is_open_at_a_time() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let first = scene.send(&message);
    let mut watch = Watch::begun(message, &first);
    assert!(scene.set("one").all.is_empty());
    assert!(scene.pass(20.0).requests().is_empty());
    let refreshed = scene.send(&watch.refresh());
    assert_eq!(story(&refreshed), ["200"], "its NOTIFY has to wait");
    assert!(scene.set("two").all.is_empty());

    let outputs = scene.answer(first.notify(), 200);
    assert_eq!(notes(outputs.notify()), ["two"]);
    let outputs = scene.answer(outputs.notify(), 200);
    assert!(
        outputs.all.is_empty(),
        "one was enough for all: {outputs:?}"
    );
    scene.close();
}

// PA-73
#[test]
fn a_change_while_a_notify_is_open_is_told_when_that_is_answered() {
    let mut scene = Scene::new();
    scene.watch();
    let open = scene.set("one");
    assert_eq!(open.requests().len(), 1);
    scene.pass(5.0);
    assert!(scene.set("two").requests().is_empty());
    scene.pass(5.0);
    let outputs = scene.answer(open.notify(), 200);
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    assert!(scene.pass(60.0).all.is_empty());
    scene.close();
}

// PA-73, PA-55
#[test]
fn the_last_notify_waits_for_the_one_before() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let first = scene.send(&message);
    let mut watch = Watch::begun(message, &first);
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(story(&outputs), ["200", "ended: unsubscribed"]);
    let outputs = scene.answer(first.notify(), 200);
    assert_eq!(story(&outputs), ["terminated;reason=timeout"]);
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-73, PA-51
#[test]
fn when_the_one_before_fails_there_is_no_last_notify() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let first = scene.send(&message);
    let mut watch = Watch::begun(message, &first);
    scene.send(&watch.unsubscribe());
    let outputs = scene.answer(first.notify(), 481);
    assert!(outputs.all.is_empty(), "{outputs:?}");
    scene.empty();
}

// PA-73: each watcher waits for itself alone.
#[test]
fn an_open_notify_of_one_watcher_does_not_hold_up_another() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let open = scene.send(&message);
    scene.watch_as(CARLA);
    let outputs = scene.set("here");
    assert_eq!(
        field(outputs.notify(), "To"),
        Some("<sip:carla@example.com>;tag=tag-call-2")
    );
    scene.answer_all(&outputs);
    assert!(scene.answer_all(&open).all.is_empty(), "there was a round");
    let outputs = scene.pass(5.1);
    assert_eq!(notes(outputs.notify()), ["here"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-74, PIDF-01
#[test]
fn the_document_names_the_presentity_as_the_watcher_did() {
    let mut scene = Scene::new();
    scene.set("here");
    for uri in [
        "sip:bob@example.com",
        "sip:%62ob@Example.COM:5060;transport=tcp",
        "sip:bob@example.com?subject=a%20b&x=y",
        "pres:bob@example.com",
        "pres:bob@example.com?x=y&z=",
    ] {
        let message = scene.subscribe(ANA, uri);
        let outputs = scene.send(&message);
        let document = read(outputs.notify());
        // Without what only says how to get there.
        let bare = uri.split([';', '?']).next().unwrap();
        let spelt = bare.replace("Example.COM", "example.com");
        assert_eq!(document.entity, spelt.replace("%62", "b"));
        assert_eq!(document.tuples.len(), 1, "{uri}");
        scene.answer_all(&outputs);
    }
    // A change is told to each under the name that he knows.
    scene.pass(10.0);
    let outputs = scene.set("elsewhere");
    let mut names: Vec<String> = outputs
        .requests()
        .into_iter()
        .map(|request| read(request).entity)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(
        names,
        [
            "pres:bob@example.com",
            "sip:bob@example.com",
            "sip:bob@example.com:5060"
        ]
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-74: else each of any number of spellings would have a document made and kept for it.
#[test]
fn spellings_of_one_name_share_one_document() {
    let mut scene = Scene::new();
    scene.set("here");
    let spellings: Vec<String> = (0..8)
        .map(|turn: u32| {
            let letter = |at: u32, plain: &str, escaped: &str| {
                let is_escaped = turn >> at & 1 == 1;
                if is_escaped { escaped } else { plain }.to_owned()
            };
            let user = letter(0, "b", "%62") + &letter(1, "o", "%6f") + &letter(2, "b", "%62");
            format!("sip:{user}@example.com")
        })
        .collect();
    let mut bodies = Vec::new();
    for uri in &spellings {
        let message = scene.subscribe(ANA, uri);
        let outputs = scene.send(&message);
        bodies.push(outputs.notify().body().clone());
        scene.answer_all(&outputs);
    }
    let places: Vec<_> = bodies.iter().map(|body| body.as_ptr()).collect();
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    scene.close();
}

// PA-74: what is written is a URI of the very same presentity.
#[test]
fn the_name_in_a_document_means_who_was_asked_for() {
    let mut scene = Scene::new();
    for (asked, named) in [
        ("pres:a%3Fb%3Dc@example.com", "pres:a%3Fb=c@example.com"),
        ("pres:a%3bb@example.com", "pres:a%3Bb@example.com"),
        ("pres:a%2Fb%2Cc@example.com", "pres:a%2Fb%2Cc@example.com"),
        ("pres:%61%40b@Example.com?x=y", "pres:a%40b@example.com"),
        ("sip:a%3Bb@example.com", "sip:a%3Bb@example.com"),
        ("sip:a%40b@example.com;x=y", "sip:a%40b@example.com"),
        ("sip:%61@example.com.", "sip:a@example.com"),
        ("SIP:ada@example.com", "sip:ada@example.com"),
        (
            "sip:ada@[2001:DB8:0:0:0:0:0:1]:5070",
            "sip:ada@[2001:db8::1]:5070",
        ),
    ] {
        let message = scene.subscribe(ANA, asked);
        let outputs = scene.send(&message);
        let document = read(outputs.notify());
        assert_eq!(document.entity, named);
        let who = |uri: &str| Uri::parse(uri).unwrap().address_of_record();
        assert_eq!(who(&document.entity), who(asked), "{asked}");
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-74: whatever user part the watcher writes, if the agent takes it.
#[test]
fn odd_names_of_presentities_are_written_into_documents() {
    let mut scene = Scene::new();
    for user in [
        "bob&co",
        "bob;day=tuesday",
        "bob?x",
        "-_.!~*'()",
        "%22%3C%26%3E",
        "+1-555-0100",
        "a=b,c/d$e",
    ] {
        let uri = format!("sip:{user}@[2001:db8::7]:5099;lr;x=%3C");
        let message = scene.subscribe(ANA, &uri);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{uri}");
        assert!(!outputs.notify().body().is_empty(), "{uri}");
        let bare = format!("sip:{user}@[2001:db8::7]:5099");
        assert_eq!(read(outputs.notify()).entity, bare);
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-36, PA-38
#[test]
fn every_change_is_told_with_the_whole_document() {
    use presentity::pidf::{Presence, Tuple};
    let mut scene = Scene::new();
    scene.watch();
    let base = Presence::new(BOB)
        .with_tuple(Tuple::open("desk"))
        .with_tuple(Tuple::open("mobile").with_note("n"));
    let mut changed = base.clone();
    changed.tuples[1].set_timestamp(Some(time_of(1))).unwrap();
    let later = {
        let mut later = changed.clone();
        later.tuples[1].set_timestamp(Some(time_of(2))).unwrap();
        later
    };
    let documents = [
        base.clone(),
        changed,
        later,
        base.clone().with_note("back soon"),
        base.clone().with_tuple(Tuple::closed("car")),
        Presence::new(BOB).with_tuple(Tuple::closed("desk")),
        Presence::new(BOB),
    ];
    for mut document in documents {
        scene.pass(10.0);
        let outputs = scene.set_document(BOB, document.clone());
        document.entity = BOB.into();
        assert_eq!(read(outputs.notify()), document);
        scene.answer_all(&outputs);
    }
    scene.close();
}

fn time_of(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(1_700_000_000 + seconds).expect("a time")
}

// PA-38: white space and prefixes are no change.
#[test]
fn what_is_written_differently_is_no_change() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &crate::scene::document("t", "here"));
    let watch = scene.watch();
    assert_eq!(notes(&watch.notify), ["here"]);
    let other = "<p:presence entity='sip:someone@example.com' xmlns:p='urn:ietf:params:xml:ns:pidf'>\n  \
         <p:tuple id='t'>\n <p:status>\n<p:basic>open</p:basic></p:status><p:note>here</p:note>\n\
         </p:tuple>\n</p:presence>";
    scene.pass(10.0);
    let message = scene.publish(BOB, other).with("SIP-If-Match", &tag);
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert!(outputs.requests().is_empty(), "{outputs:?}");
    scene.close();
}

// PA-39: that a watcher could do with changes is not that they are told.
#[test]
fn documents_are_whole_whatever_the_watcher_supports() {
    let mut scene = Scene::configured(|config| config.partial_notifications = false);
    scene.set("one");
    let message = scene.subscribe(ANA, BOB).with(
        "Accept",
        "application/pidf-diff+xml;q=1, application/pidf+xml;q=0.5",
    );
    let watch = scene.watch_by(message);
    assert_eq!(
        field(&watch.notify, "Content-Type"),
        Some("application/pidf+xml")
    );
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    assert!(body_of(outputs.notify()).contains("<presence"));
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn all_watchers_share_one_body() {
    let mut scene = Scene::new();
    for number in 0..20 {
        scene.watch_as(&format!("sip:watcher{number}@example.com"));
    }
    let outputs = scene.set("here");
    let requests = outputs.requests();
    assert_eq!(requests.len(), 20);
    for request in &requests {
        assert_eq!(request.body().as_ptr(), requests[0].body().as_ptr());
        // Nothing of a watcher's own gets into the document.
        assert!(!body_of(request).contains("watcher"));
    }
    scene.answer_all(&outputs);
    scene.close();
}

// PA-62
#[test]
fn event_names_the_package_and_its_id_alone() {
    let mut scene = Scene::new();
    for (event, told) in [
        ("presence", "presence"),
        ("presence;x=y;id=7;z", "presence;id=7"),
        ("presence ; ID = aB%7", "presence;id=aB%7"),
    ] {
        let message = scene.subscribe(ANA, BOB).with("Event", event);
        let watch = scene.watch_by(message);
        assert_eq!(field(&watch.notify, "Event"), Some(told));
    }
    scene.close();
}
