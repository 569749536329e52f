//! Watchers that are told what has changed (RFC 5263), and what they make of it.

use presentity::event::{
    Decision, Failure, NeedCredentials, Output, Protection, ProtectionKind, Reason,
};
use presentity::filter::{Changed, Filter, FilterSet, Trigger};
use presentity::mime::{Enveloped, Signature, Signed};
use presentity::pidf::partial::{PartialDocument, Reconstruction, Taken};
use presentity::pidf::{Basic, Presence, ReadOptions, Tuple};
use presentity::presence::{BlockedDocument, PendingDocument, UnknownDocument};
use presentity::sip::OutgoingRequest;
use presentity::xml::XmlLimits;

use crate::common::{Message, Outputs, body_of, field, response_field, seeded, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, Watch, allowed, forbidden, read, viewing};

const WHOLE: &str = "application/pidf+xml";
const PARTIAL: &str = "application/pidf-diff+xml";
const EITHER: &str = "application/pidf+xml, application/pidf-diff+xml";

/// Enough that what changes of it is the smaller part.
fn rooms(note: &str) -> Presence {
    let named = |id: &str| Tuple::open(id).with_contact(format!("sip:bob@{id}.example.com"));
    Presence::new(BOB)
        .with_tuple(named("kitchen").with_note("the cook is in"))
        .with_tuple(named("cellar").with_note(note))
        .with_tuple(named("attic").with_note("mind your head"))
        .with_tuple(named("garden").with_note("bring a hat"))
}

/// Whether a NOTIFY tells everything or what has changed, and its number.
#[track_caller]
fn told(notify: &OutgoingRequest) -> (&'static str, u32) {
    assert_eq!(field(notify, "Content-Type"), Some(PARTIAL));
    let document = PartialDocument::read(notify.body(), &XmlLimits::default()).unwrap();
    let kind = match &document {
        PartialDocument::Full { .. } => "full",
        PartialDocument::Diff { .. } => "diff",
        other => panic!("{other:?}"),
    };
    (kind, document.version().expect("a number"))
}

/// How many changes a NOTIFY tells.
#[track_caller]
fn changes(notify: &OutgoingRequest) -> usize {
    match PartialDocument::read(notify.body(), &XmlLimits::default()).unwrap() {
        PartialDocument::Diff { operations, .. } => operations.len(),
        other => panic!("{other:?}"),
    }
}

/// What a watcher makes of what it is told.
#[derive(Debug, Default)]
struct Copy {
    together: Reconstruction,
    whole: Option<Presence>,
}

impl Copy {
    #[track_caller]
    fn of(notify: &OutgoingRequest) -> Self {
        let mut copy = Self::default();
        copy.take(notify);
        copy
    }

    #[track_caller]
    fn take(&mut self, notify: &OutgoingRequest) {
        match field(notify, "Content-Type") {
            Some(PARTIAL) => {
                let taken = self.together.take(notify.body()).unwrap();
                assert_ne!(taken, Taken::Stale);
                let now = self.together.presence(&ReadOptions::default()).unwrap();
                self.whole = Some(now);
            }
            Some(WHOLE) => {
                self.together.type_changed();
                self.whole = Some(read(notify));
            }
            Some(other) => panic!("{other}"),
            None => assert!(notify.body().is_empty()),
        }
    }

    /// What it has is a state of Bob's.
    #[track_caller]
    fn is(&self, state: &Presence) {
        assert_eq!(self.whole.as_ref(), Some(state));
    }
}

impl Scene {
    fn subscribe_either(&mut self, from: &str) -> Message {
        self.subscribe(from, BOB).with("Accept", EITHER)
    }

    /// A watcher that is told what changes, with its first NOTIFY answered.
    fn watch_changes(&mut self, from: &str) -> (Watch, Copy) {
        let message = self.subscribe_either(from);
        let watch = self.watch_by(message);
        assert_eq!(told(&watch.notify), ("full", 1));
        let copy = Copy::of(&watch.notify);
        (watch, copy)
    }

    fn set_rooms(&mut self, note: &str) -> Outputs {
        self.set_document(BOB, rooms(note))
    }

    /// The same, told after the interval and answered.
    #[track_caller]
    fn told_rooms(&mut self, note: &str) -> OutgoingRequest {
        self.pass(6.0);
        let outputs = self.set_rooms(note);
        self.answer_all(&outputs);
        outputs.notify().clone()
    }
}

// PA-39, PIDF-51
#[test]
fn changes_are_told_to_those_who_ask_for_them_by_name() {
    for (accept, expected) in [
        ("*/*", WHOLE),
        ("application/*", WHOLE),
        (WHOLE, WHOLE),
        ("application/pidf+xml, application/*", WHOLE),
        (EITHER, PARTIAL),
        (PARTIAL, PARTIAL),
        ("application/pidf-diff+xml, application/pidf+xml", PARTIAL),
        ("APPLICATION/PIDF-Diff+Xml , Application/pidf+xml", PARTIAL),
        (
            "application/cpim-pidf+xml, application/pidf-diff+xml",
            PARTIAL,
        ),
        (
            "application/pidf-diff+xml;q=0.5, application/pidf+xml;q=0.5",
            PARTIAL,
        ),
        (
            "application/pidf-diff+xml;q=0.5, application/pidf+xml;q=0.4",
            PARTIAL,
        ),
        (
            "application/pidf-diff+xml;q=0.4, application/pidf+xml;q=0.5",
            WHOLE,
        ),
        (
            "application/pidf-diff+xml;q=0.4, application/pidf+xml",
            WHOLE,
        ),
        ("application/pidf-diff+xml;q=0.001, text/plain", PARTIAL),
        ("application/pidf-diff+xml;q=0.5, */*", WHOLE),
        (
            "application/pidf-diff+xml;q=0.5, application/*;q=0.1",
            PARTIAL,
        ),
        (
            "application/pidf-diff+xml;q=0, application/pidf+xml;q=0.1",
            WHOLE,
        ),
        ("application/pidf-diff+xml;q=0, */*;q=0.1", WHOLE),
    ] {
        let mut scene = Scene::new();
        scene.set_rooms("quiet");
        let message = scene.subscribe(ANA, BOB).with("Accept", accept);
        let watch = scene.watch_by(message);
        let content_type = field(&watch.notify, "Content-Type");
        assert_eq!(content_type, Some(expected), "{accept}");
        Copy::of(&watch.notify).is(&rooms("quiet"));
        scene.close();
    }
    // Named in a field of its own.
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).and("Accept", WHOLE);
    let watch = scene.watch_by(message.and("Accept", PARTIAL));
    assert_eq!(told(&watch.notify), ("full", 1));
    // Without the field nobody has named anything, and nothing suits who wants none.
    let watch = scene.watch_as(CARLA);
    assert_eq!(field(&watch.notify, "Content-Type"), Some(WHOLE));
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message.with("Accept", "application/pidf-diff+xml;q=0"));
    assert_eq!(outputs.status(), 406);
    scene.close();
}

// PA-39
#[test]
fn an_agent_may_tell_everything_only() {
    let mut scene = Scene::configured(|config| config.partial_notifications = false);
    scene.set_rooms("quiet");
    let message = scene.subscribe_either(ANA);
    let watch = scene.watch_by(message);
    assert_eq!(read(&watch.notify), rooms("quiet"));
    assert_eq!(read(&scene.told_rooms("loud")), rooms("loud"));
    let message = scene.subscribe(ANA, BOB).with("Accept", PARTIAL);
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 406);
    let types = response_field(outputs.response(), "Accept").unwrap();
    assert!(!types.contains(PARTIAL), "{types}");
    scene.close();
}

// PA-72, PIDF-51
#[test]
fn it_begins_with_everything_and_counts_on() {
    let mut scene = Scene::new();
    scene.set_rooms("quiet");
    let (watch, mut copy) = scene.watch_changes(ANA);
    copy.is(&rooms("quiet"));
    // The type has roots of its own.
    let body = body_of(&watch.notify);
    assert!(
        body.contains(":pidf-full") && body.contains("version=\"1\""),
        "{body}"
    );
    assert!(!body.contains("presence>"), "{body}");
    for (number, note) in (2..).zip(["loud", "quiet", "loud", "dark & <cold>", ""]) {
        let notify = scene.told_rooms(note);
        assert_eq!(told(&notify), ("diff", number));
        assert_eq!(changes(&notify), 1);
        let whole = rooms(note).write().unwrap();
        assert!(notify.body().len() < whole.len());
        assert!(body_of(&notify).contains(":pidf-diff"));
        copy.take(&notify);
        copy.is(&rooms(note));
    }
    scene.close();
}

// PA-72: each subscription has its own count.
#[test]
fn each_watcher_is_told_from_what_it_has() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (_, mut early) = scene.watch_changes(ANA);
    early.take(&scene.told_rooms("one"));
    early.take(&scene.told_rooms("two"));
    let (_, mut late) = scene.watch_changes(CARLA);
    late.is(&rooms("two"));
    let (_, mut same) = scene.watch_changes("sip:dora@example.com");
    scene.pass(6.0);
    let outputs = scene.set_rooms("three");
    let [first, second, third] = outputs.requests()[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(told(first), ("diff", 4));
    assert_eq!(told(second), ("diff", 2));
    // What is the same is made once.
    assert_eq!(second.body().as_ptr(), third.body().as_ptr());
    for (copy, notify) in [(&mut early, first), (&mut late, second), (&mut same, third)] {
        copy.take(notify);
        copy.is(&rooms("three"));
    }
    // One of them is left behind, and comes back from another state than the other one.
    scene.answer(second, 200);
    scene.answer(third, 200);
    scene.pass(6.0);
    let outputs = scene.set_rooms("four");
    assert_eq!(outputs.requests().len(), 2);
    late.take(outputs.requests()[0]);
    scene.answer_all(&outputs);
    scene.pass(1.0);
    scene.set_rooms("five");
    scene.answer(first, 200);
    let outputs = scene.pass(6.0);
    assert_eq!(outputs.requests().len(), 3);
    let of = |copy: &mut Copy, user: &str| {
        let mut requests = outputs.requests().into_iter();
        let mine = requests.find(|it| field(it, "To").unwrap().contains(user));
        copy.take(mine.unwrap());
        copy.is(&rooms("five"));
        told(mine.unwrap())
    };
    assert_eq!(of(&mut early, "ana"), ("diff", 5));
    assert_eq!(of(&mut late, "carla"), ("diff", 4));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72
#[test]
fn each_subscribe_brings_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    for number in [2, 4, 6] {
        let outputs = scene.send(&watch.refresh());
        assert_eq!(told(outputs.notify()), ("full", number));
        copy.take(outputs.notify());
        scene.answer_all(&outputs);
        let note = number.to_string();
        let notify = scene.told_rooms(&note);
        assert_eq!(told(&notify), ("diff", number + 1));
        copy.take(&notify);
        copy.is(&rooms(&note));
    }
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(told(outputs.notify()), ("full", 8));
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    copy.take(outputs.notify());
    copy.is(&rooms("6"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: a SUBSCRIBE that comes while a NOTIFY is open.
#[test]
fn a_refresh_meanwhile_brings_everything_as_well() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let open = scene.set_rooms("one");
    copy.take(open.notify());
    let outputs = scene.send(&watch.refresh());
    assert_eq!(outputs.status(), 200);
    assert!(outputs.requests().is_empty());
    let outputs = scene.answer_all(&open);
    assert_eq!(told(outputs.notify()), ("full", 3));
    copy.take(outputs.notify());
    copy.is(&rooms("one"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72
#[test]
fn a_fetch_brings_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    for _ in 0..2 {
        let message = scene.subscribe_either(ANA).with("Expires", "0");
        let outputs = scene.send(&message);
        assert_eq!(told(outputs.notify()), ("full", 1));
        Copy::of(outputs.notify()).is(&rooms("zero"));
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-72: an end that the watcher has not asked for tells no state, and has no number.
#[test]
fn the_end_has_no_number() {
    type Ending = fn(&mut Scene) -> Outputs;
    let ends: [Ending; 3] = [
        |scene| scene.terminate(Reason::Deactivated),
        |scene| scene.pass(601.0),
        |scene| scene.decide(forbidden()),
    ];
    for end in ends {
        let mut scene = Scene::new();
        scene.set_rooms("zero");
        let (_, mut copy) = scene.watch_changes(ANA);
        copy.take(&scene.told_rooms("one"));
        let outputs = end(&mut scene);
        assert!(state_of(outputs.notify()).starts_with("terminated"));
        assert_eq!(body_of(outputs.notify()), "");
        assert_eq!(field(outputs.notify(), "Content-Type"), None);
        scene.answer_all(&outputs);
        // The next subscription has a count of its own.
        scene.watch_changes(ANA);
        scene.close();
    }
}

// PA-72: one that is challenged is repeated as it was.
#[test]
fn a_last_notify_that_is_challenged_is_repeated_with_its_number() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    copy.take(&scene.told_rooms("one"));
    let outputs = scene.send(&watch.unsubscribe());
    let challenged = outputs.notify().clone();
    assert_eq!(told(&challenged), ("full", 3));
    scene.set_rooms("two");
    let challenge = ("WWW-Authenticate", "Digest realm=\"a\", nonce=\"b\"");
    let outputs = scene.answer_with(&challenged, 401, &[challenge]);
    let (now, transaction) = (scene.now, need(&outputs).transaction());
    assert!(scene.role.provide_credentials(now, transaction, "Digest c"));
    let outputs = scene.drain();
    assert_eq!(told(outputs.notify()), ("full", 3));
    copy.take(outputs.notify());
    copy.is(&rooms("one"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: the number goes on, and the first one is full again.
#[test]
fn another_type_and_back_begins_with_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    copy.take(&scene.told_rooms("one"));
    let outputs = scene.send(&watch.refresh().with("Accept", WHOLE));
    assert_eq!(read(outputs.notify()), rooms("one"));
    copy.take(outputs.notify());
    scene.answer_all(&outputs);
    let notify = scene.told_rooms("two");
    assert_eq!(read(&notify), rooms("two"));
    copy.take(&notify);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(told(outputs.notify()), ("full", 3));
    copy.take(outputs.notify());
    scene.answer_all(&outputs);
    let notify = scene.told_rooms("three");
    assert_eq!(told(&notify), ("diff", 4));
    copy.take(&notify);
    copy.is(&rooms("three"));
    scene.close();
}

// PA-72: each SUBSCRIBE says anew what it takes.
#[test]
fn a_refresh_that_names_no_type_gets_the_ordinary_one() {
    let mut scene = Scene::configured(|config| config.server.entity_tags = false);
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    assert_eq!(field(&watch.notify, "SIP-ETag"), None);
    let outputs = scene.send(&watch.refresh().without("Accept"));
    assert_eq!(read(outputs.notify()), rooms("zero"));
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(told(outputs.notify()), ("full", 2));
    copy.take(outputs.notify());
    scene.answer_all(&outputs);
    copy.take(&scene.told_rooms("one"));
    copy.is(&rooms("one"));
    scene.close();
}

// PA-72: also when the change of type itself brings no NOTIFY.
#[test]
fn another_type_and_back_by_those_who_have_the_state_begins_with_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let outputs = scene.send(&watch.refresh().with("Accept", WHOLE));
    let tag = field(outputs.notify(), "SIP-ETag").unwrap().to_owned();
    copy.take(outputs.notify());
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    let notify = scene.told_rooms("one");
    assert_eq!(told(&notify), ("full", 2));
    copy.take(&notify);
    copy.is(&rooms("one"));
    scene.close();
}

// PA-72, PA-71
#[test]
fn the_first_with_a_body_is_full_after_one_without() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let watch = scene.watch_as(CARLA);
    let tag = field(&watch.notify, "SIP-ETag").unwrap();
    let message = scene.subscribe_either(ANA).with("Suppress-If-Match", tag);
    let ana = scene.watch_by(message);
    assert_eq!(body_of(&ana.notify), "");
    assert_eq!(field(&ana.notify, "Content-Type"), None);
    assert_eq!(field(&ana.notify, "SIP-ETag"), Some(tag));
    scene.pass(6.0);
    let outputs = scene.set_rooms("one");
    assert_eq!(outputs.requests().len(), 2);
    let notify = outputs.requests()[1].clone();
    assert_eq!(told(&notify), ("full", 1));
    scene.answer_all(&outputs);
    scene.pass(6.0);
    let outputs = scene.set_rooms("two");
    assert_eq!(told(outputs.requests()[1]), ("diff", 2));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-71: the tag is that of the state, whatever tells it.
#[test]
fn a_refresh_by_one_who_has_the_state_breaks_nothing() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    scene.watch_as(CARLA);
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    scene.pass(6.0);
    let outputs = scene.set_rooms("one");
    let [whole, part] = outputs.requests()[..] else {
        panic!("{outputs:?}");
    };
    let tag = field(part, "SIP-ETag").unwrap().to_owned();
    assert_eq!(field(whole, "SIP-ETag"), Some(&*tag));
    copy.take(part);
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    assert!(outputs.requests().is_empty());
    scene.pass(6.0);
    let outputs = scene.set_rooms("two");
    let part = outputs.requests()[1];
    assert_eq!(told(part), ("diff", 3));
    copy.take(part);
    copy.is(&rooms("two"));
    scene.answer_all(&outputs);
    // One that has another state is told everything.
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 200);
    assert_eq!(told(outputs.notify()), ("full", 4));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-71: what it says to have did not come with the numbers.
#[test]
fn one_who_has_the_state_from_elsewhere_is_told_everything_next() {
    // The NOTIFY in between was refused.
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let tag = field(&watch.notify, "SIP-ETag").unwrap().to_owned();
    let outputs = scene.set_rooms("one");
    scene.answer(outputs.notify(), 500);
    scene.pass(1.0);
    scene.set_rooms("zero");
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    scene.pass(6.0);
    let notify = scene.told_rooms("two");
    assert_eq!(told(&notify), ("full", 3));
    copy.take(&notify);
    copy.is(&rooms("two"));
    scene.close();
    // It was at rest, and has fetched the state.
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", "*"));
    assert_eq!(outputs.status(), 204);
    assert!(scene.set_rooms("one").requests().is_empty());
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&message);
    let tag = field(outputs.notify(), "SIP-ETag").unwrap().to_owned();
    scene.answer_all(&outputs);
    // In the dialog something else came last, which may have come after it spoke.
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 200);
    assert_eq!(told(outputs.notify()), ("full", 2));
    copy.take(outputs.notify());
    copy.is(&rooms("one"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-71: what was to be sent again is not, and the number in between was refused.
#[test]
fn one_without_a_body_after_one_that_failed_is_followed_by_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let tag = field(&watch.notify, "SIP-ETag").unwrap().to_owned();
    let outputs = scene.set_rooms("one");
    scene.answer_with(outputs.notify(), 503, &[("Retry-After", "100")]);
    scene.set_rooms("zero");
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(body_of(outputs.notify()), "");
    scene.answer_all(&outputs);
    let notify = scene.told_rooms("two");
    assert_eq!(told(&notify), ("full", 3));
    copy.take(&notify);
    copy.is(&rooms("two"));
    scene.close();
}

// PA-72
#[test]
fn a_difference_larger_than_everything_is_told_as_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (_, mut copy) = scene.watch_changes(ANA);
    scene.pass(6.0);
    let away = Presence::new(BOB).with_note("away");
    let outputs = scene.set_document(BOB, away.clone());
    assert_eq!(told(outputs.notify()), ("full", 2));
    copy.take(outputs.notify());
    copy.is(&away);
    scene.answer_all(&outputs);
    let notify = scene.told_rooms("one");
    assert_eq!(told(&notify).1, 3);
    copy.take(&notify);
    copy.is(&rooms("one"));
    let notify = scene.told_rooms("two");
    assert_eq!(told(&notify), ("diff", 4));
    copy.take(&notify);
    copy.is(&rooms("two"));
    scene.close();
}

fn need(outputs: &Outputs) -> NeedCredentials {
    let needs = outputs.all.iter().filter_map(|output| match output {
        Output::NeedCredentials(need) => Some(need.clone()),
        _ => None,
    });
    let needs: Vec<_> = needs.collect();
    assert_eq!(needs.len(), 1, "{outputs:?}");
    needs[0].clone()
}

const CHALLENGE: [(&str, &str); 1] = [("WWW-Authenticate", "Digest realm=\"a\", nonce=\"b\"")];

impl Scene {
    /// A NOTIFY is challenged.
    #[track_caller]
    fn challenged(&mut self, open: &OutgoingRequest, status: u16) -> NeedCredentials {
        let by_proxy = [("Proxy-Authenticate", CHALLENGE[0].1)];
        let outputs = match status {
            407 => self.answer_with(open, 407, &by_proxy),
            _ => self.answer_with(open, status, &CHALLENGE),
        };
        assert!(outputs.requests().is_empty(), "{outputs:?}");
        need(&outputs)
    }

    /// The NOTIFY with the credentials that were asked for.
    fn repeated(&mut self, need: &NeedCredentials) -> Outputs {
        let (now, transaction) = (self.now, need.transaction());
        assert!(self.role.provide_credentials(now, transaction, "Digest c"));
        self.drain()
    }
}

// PA-72: the number is that of the last one that a watcher has taken, and one more.
#[test]
fn what_was_challenged_is_told_again_by_the_same_number() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let message = scene.subscribe_either(ANA);
    let outputs = scene.send(&message);
    assert_eq!(told(outputs.notify()), ("full", 1));
    let need = scene.challenged(outputs.notify(), 401);
    let outputs = scene.repeated(&need);
    assert_eq!(told(outputs.notify()), ("full", 1));
    let mut copy = Copy::of(outputs.notify());
    scene.answer_all(&outputs);

    scene.pass(6.0);
    let first = scene.set_rooms("one");
    assert_eq!(told(first.notify()), ("diff", 2));
    // By a proxy, and by the watcher behind it.
    let need = scene.challenged(first.notify(), 407);
    let second = scene.repeated(&need);
    assert_eq!(second.notify().body(), first.notify().body());
    let need = scene.challenged(second.notify(), 401);
    let third = scene.repeated(&need);
    assert_eq!(third.notify().body(), first.notify().body());
    copy.take(third.notify());
    copy.is(&rooms("one"));
    scene.answer_all(&third);
    let notify = scene.told_rooms("two");
    assert_eq!(told(&notify), ("diff", 3));
    copy.take(&notify);
    copy.is(&rooms("two"));

    // Where it is given up it was not taken either.
    scene.pass(6.0);
    let open = scene.set_rooms("three");
    assert_eq!(told(open.notify()), ("diff", 4));
    for status in [401, 407] {
        scene.answer(open.notify(), status);
    }
    scene.pass(6.0);
    let outputs = scene.set_rooms("four");
    assert_eq!(told(outputs.notify()), ("full", 4));
    copy.take(outputs.notify());
    copy.is(&rooms("four"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: what has changed meanwhile is told with it, to what the watcher has.
#[test]
fn a_change_while_credentials_are_awaited_changes_what_the_watcher_has() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (_, mut copy) = scene.watch_changes(ANA);
    // For one who has not answered yet the document before is remembered.
    let message = scene.subscribe_either(CARLA);
    let other = scene.send(&message);
    assert_eq!(told(other.notify()), ("full", 1));
    scene.pass(6.0);
    let open = scene.set_rooms("one");
    assert_eq!(told(open.notify()), ("diff", 2));
    let need = scene.challenged(open.notify(), 401);
    scene.set_rooms("two");
    let outputs = scene.repeated(&need);
    assert_eq!(told(outputs.notify()), ("diff", 2));
    copy.take(outputs.notify());
    copy.is(&rooms("two"));
    scene.answer_all(&outputs);
    let outputs = scene.answer_all(&other);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: and who asks meanwhile is told everything.
#[test]
fn who_asks_while_credentials_are_awaited_is_told_everything() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    scene.pass(6.0);
    let open = scene.set_rooms("one");
    assert_eq!(told(open.notify()), ("diff", 2));
    let need = scene.challenged(open.notify(), 401);
    assert!(scene.send(&watch.refresh()).requests().is_empty());
    let outputs = scene.repeated(&need);
    assert_eq!(told(outputs.notify()), ("full", 2));
    copy.take(outputs.notify());
    copy.is(&rooms("one"));
    scene.answer_all(&outputs);
    scene.close();

    // So is who says to have it already, by whatever way it has come.
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let message = scene.subscribe_either(CARLA);
    let other = scene.send(&message);
    assert_eq!(told(other.notify()), ("full", 1));
    scene.pass(6.0);
    let open = scene.set_rooms("one");
    let tag = field(open.notify(), "SIP-ETag").unwrap().to_owned();
    let need = scene.challenged(open.notify(), 401);
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    scene.set_rooms("two");
    let outputs = scene.repeated(&need);
    assert_eq!(told(outputs.notify()), ("full", 2));
    copy.take(outputs.notify());
    copy.is(&rooms("two"));
    scene.answer_all(&outputs);
    let outputs = scene.answer_all(&other);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: what has no number takes none back.
#[test]
fn what_was_challenged_without_a_number_changes_none() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (mut watch, mut copy) = scene.watch_changes(ANA);
    let tag = field(&watch.notify, "SIP-ETag").unwrap().to_owned();
    scene.pass(6.0);
    let open = scene.set_rooms("one");
    assert_eq!(told(open.notify()), ("diff", 2));
    scene.answer_with(open.notify(), 503, &[("Retry-After", "100")]);
    scene.set_rooms("zero");
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(body_of(outputs.notify()), "");
    let need = scene.challenged(outputs.notify(), 401);
    let outputs = scene.repeated(&need);
    assert_eq!(body_of(outputs.notify()), "");
    scene.answer_all(&outputs);
    // Whether the second was taken is not known.
    let notify = scene.told_rooms("two");
    assert_eq!(told(&notify), ("full", 3));
    copy.take(&notify);
    copy.is(&rooms("two"));
    scene.close();
}

// PA-72: who may not have had the last one gets everything, whatever became of it.
#[test]
fn everything_follows_one_that_failed() {
    type Failing = fn(&mut Scene, &mut Watch, &OutgoingRequest) -> Outputs;
    let ways: [(&str, Failing); 6] = [
        ("500", |scene, _, open| {
            scene.answer(open, 500);
            scene.pass(6.0);
            scene.set_rooms("two")
        }),
        ("503 with Retry-After", |scene, _, open| {
            scene.answer_with(open, 503, &[("Retry-After", "20")]);
            assert!(scene.set_rooms("two").requests().is_empty());
            scene.pass(21.0)
        }),
        ("challenged", |scene, _, open| {
            let outputs = scene.answer_with(open, 401, &CHALLENGE);
            let transaction = need(&outputs).transaction();
            scene.set_rooms("two");
            let now = scene.now;
            assert!(scene.role.provide_credentials(now, transaction, "Digest c"));
            scene.drain()
        }),
        ("challenged in vain", |scene, _, open| {
            let outputs = scene.answer_with(open, 401, &CHALLENGE);
            let transaction = need(&outputs).transaction();
            let now = scene.now;
            assert!(scene.role.decline_credentials(now, transaction));
            scene.pass(6.0);
            scene.set_rooms("two")
        }),
        (
            "never answered, while the watcher has spoken",
            |scene, watch, open| {
                let outputs = scene.send(&watch.refresh());
                assert!(outputs.requests().is_empty());
                scene.set_rooms("two");
                let now = scene.now;
                let lost = open.transaction();
                scene.role.handle_failure(now, lost, Failure::Timeout);
                scene.drain()
            },
        ),
        (
            "not sent, while the watcher has what there is",
            |scene, watch, open| {
                scene.set_rooms("two");
                let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
                let outputs = scene.send(&fetch);
                let tag = field(outputs.notify(), "SIP-ETag").unwrap().to_owned();
                scene.answer_all(&outputs);
                let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
                assert_eq!(outputs.status(), 204);
                let now = scene.now;
                let lost = open.transaction();
                scene.role.handle_failure(now, lost, Failure::Transport);
                scene.pass(6.0)
            },
        ),
    ];
    for (name, fail) in ways {
        let mut scene = Scene::new();
        scene.set_rooms("zero");
        let (mut watch, mut copy) = scene.watch_changes(ANA);
        let open = scene.set_rooms("one");
        assert_eq!(told(open.notify()), ("diff", 2), "{name}");
        let outputs = fail(&mut scene, &mut watch, open.notify());
        // Nobody takes what he challenges.
        let number = if name.starts_with("challenged") { 2 } else { 3 };
        assert_eq!(told(outputs.notify()), ("full", number), "{name}");
        copy.take(outputs.notify());
        copy.is(&rooms("two"));
        scene.answer_all(&outputs);
        let notify = scene.told_rooms("three");
        assert_eq!(told(&notify), ("diff", number + 1), "{name}");
        copy.take(&notify);
        copy.is(&rooms("three"));
        scene.close();
    }
}

// PA-72: even where the state is again what was told before.
#[test]
fn everything_follows_one_that_failed_though_it_is_no_news() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (_, mut copy) = scene.watch_changes(ANA);
    let open = scene.set_rooms("one");
    scene.answer(open.notify(), 500);
    scene.set_rooms("zero");
    let outputs = scene.pass(6.0);
    assert_eq!(told(outputs.notify()), ("full", 3));
    copy.take(outputs.notify());
    copy.is(&rooms("zero"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-73
#[test]
fn changes_meanwhile_are_one_difference() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (_, mut copy) = scene.watch_changes(ANA);
    let open = scene.set_rooms("one");
    copy.take(open.notify());
    for note in ["two", "three", "four"] {
        scene.pass(6.0);
        let mut document = rooms(note);
        document.notes.push("hungry".into());
        assert!(scene.set_document(BOB, document).requests().is_empty());
    }
    let outputs = scene.answer_all(&open);
    let notify = outputs.notify();
    assert_eq!(told(notify), ("diff", 3));
    assert_eq!(changes(notify), 2);
    copy.take(notify);
    copy.is(&rooms("four").with_note("hungry"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: what comes back within the interval is no change; later it is one.
#[test]
fn a_state_that_comes_back_is_told_as_a_difference() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let (_, mut copy) = scene.watch_changes(ANA);
    copy.take(&scene.told_rooms("one"));
    scene.set_rooms("two");
    scene.set_rooms("one");
    assert!(scene.pass(20.0).requests().is_empty());
    let notify = scene.told_rooms("zero");
    assert_eq!(told(&notify), ("diff", 3));
    copy.take(&notify);
    copy.is(&rooms("zero"));
    scene.close();
}

// PA-72: what is seen from now on has nothing to do with what was seen before.
#[test]
fn a_decision_brings_everything() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set_document(BOB, rooms("zero").with_note("out"));
    let message = scene.subscribe_either(ANA);
    let mut watch = scene.watch_by(message);
    assert_eq!(told(&watch.notify), ("full", 1));
    let mut copy = Copy::of(&watch.notify);
    copy.is(&Presence::new(BOB)
        .with_note(presentity::pidf::Note::new("Waiting for permission").in_language("en")));
    let outputs = scene.decide(Decision::Allow(Default::default()));
    assert_eq!(told(outputs.notify()), ("full", 2));
    copy.take(outputs.notify());
    copy.is(&rooms("zero").with_note("out"));
    scene.answer_all(&outputs);
    let outputs = scene.decide(viewing("notes"));
    assert_eq!(told(outputs.notify()), ("full", 3));
    copy.take(outputs.notify());
    copy.is(&Presence::new(BOB).with_note("out"));
    scene.answer_all(&outputs);
    // What this view does not show is not told in parts either.
    scene.pass(6.0);
    let outputs = scene.set_document(BOB, rooms("one").with_note("out"));
    assert!(outputs.requests().is_empty());
    scene.rules().everybody = allowed();
    let outputs = scene.send(&watch.refresh());
    assert_eq!(told(outputs.notify()), ("full", 4));
    copy.take(outputs.notify());
    copy.is(&rooms("one").with_note("out"));
    scene.answer_all(&outputs);
    let outputs = scene.decide(Decision::PoliteBlock);
    assert_eq!(told(outputs.notify()), ("full", 5));
    assert!(!body_of(outputs.notify()).contains("cellar"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72: a block looks the same to those who are told changes.
#[test]
fn a_polite_block_is_told_in_the_same_way() {
    for blocked in [BlockedDocument::Offline, BlockedDocument::Unknown] {
        let mut scene = Scene::configured(|config| config.blocked = blocked);
        scene.rules().everybody = Decision::PoliteBlock.into();
        scene.set_rooms("zero");
        let (mut watch, copy) = scene.watch_changes(ANA);
        let shown = copy.whole.unwrap();
        assert!(
            shown
                .tuples
                .iter()
                .all(|it| it.status.basic() == Some(Basic::Closed))
        );
        scene.pass(6.0);
        assert!(scene.set_rooms("one").requests().is_empty());
        let outputs = scene.send(&watch.refresh());
        assert_eq!(told(outputs.notify()), ("full", 2));
        Copy::of(outputs.notify()).is(&shown);
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-72
#[test]
fn who_is_not_known_yet_is_told_in_the_same_way() {
    let mut scene = Scene::new();
    let (_, mut copy) = scene.watch_changes(ANA);
    copy.is(&Presence::new(BOB));
    let notify = scene.told_rooms("zero");
    assert_eq!(told(&notify).1, 2);
    copy.take(&notify);
    copy.is(&rooms("zero"));
    scene.close();
    // Where that is no document, the first document is the first of its kind; and there is none again.
    let mut scene = Scene::configured(|config| config.unknown = UnknownDocument::Nothing);
    let message = scene.subscribe_either(ANA);
    let watch = scene.watch_by(message);
    assert_eq!(body_of(&watch.notify), "");
    let notify = scene.told_rooms("zero");
    assert_eq!(told(&notify), ("full", 1));
    let mut copy = Copy::of(&notify);
    copy.take(&scene.told_rooms("one"));
    scene.pass(6.0);
    let outputs = scene.clear();
    assert_eq!(body_of(outputs.notify()), "");
    assert_eq!(field(outputs.notify(), "Content-Type"), None);
    scene.answer_all(&outputs);
    let notify = scene.told_rooms("two");
    assert_eq!(told(&notify), ("full", 3));
    copy.take(&notify);
    copy.is(&rooms("two"));
    scene.close();
    // So it is for those who wait.
    let mut scene = Scene::configured(|config| config.pending = PendingDocument::Nothing);
    scene.rules().everybody = Decision::Pending.into();
    scene.set_rooms("zero");
    let message = scene.subscribe_either(ANA);
    let watch = scene.watch_by(message);
    assert_eq!(body_of(&watch.notify), "");
    let outputs = scene.decide(Decision::Allow(Default::default()));
    assert_eq!(told(outputs.notify()), ("full", 1));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-75: what is protected is whole, of the ordinary type.
#[test]
fn what_is_protected_is_not_told_in_parts() {
    const ALL: &str =
        "application/pidf+xml, application/pidf-diff+xml, multipart/signed, application/pkcs7-mime";
    for protection in [Protection::Signed, Protection::Encrypted] {
        let mut scene = Scene::new();
        scene.rules().protection = protection;
        scene.set_rooms("zero");
        let message = scene.subscribe(ANA, BOB).with("Accept", ALL);
        let outputs = scene.send(&message);
        let mut seen = outputs.responses()[0].to_tag().unwrap().to_owned();
        let mut watch = None;
        let mut outputs = outputs;
        for _ in 0..2 {
            let Some(Output::Protect(job)) = outputs.all.iter().find_map(|output| match output {
                Output::Protect(_) => Some(output.clone()),
                _ => None,
            }) else {
                panic!("{outputs:?}");
            };
            assert_eq!(job.content.content_type(), Some(WHOLE));
            let octets = job.content.octets();
            let made = match &job.kind {
                ProtectionKind::Encrypt { .. } => Enveloped::write(octets.to_vec()),
                _ => {
                    let toy = Signature::new("application/x-toy", "sha-256", "toy").unwrap();
                    Signed::write(octets, &toy, &mut seeded(3))
                }
            };
            let now = scene.now;
            assert!(scene.role.complete_protection(now, job.key, Ok(made)));
            let made = scene.drain();
            assert!(
                !field(made.notify(), "Content-Type")
                    .unwrap()
                    .contains("diff")
            );
            scene.answer_all(&made);
            watch = Some(made.notify().clone());
            scene.pass(6.0);
            outputs = scene.set_rooms("one");
        }
        // Without protection it begins with everything, and counts from one.
        scene.rules().protection = Protection::None;
        let mut watch = Watch {
            message,
            tag: std::mem::take(&mut seen),
            cseq: 1,
            notify: watch.unwrap(),
        };
        let outputs = scene.send(&watch.refresh());
        assert_eq!(told(outputs.notify()), ("full", 1));
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-72, PA-74
#[test]
fn the_presentity_is_named_as_the_watcher_did() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let uri = "pres:bob@example.com";
    let message = scene.subscribe(ANA, uri).with("Accept", EITHER);
    let watch = scene.watch_by(message);
    let mut copy = Copy::of(&watch.notify);
    let (_, mut other) = scene.watch_changes(CARLA);
    scene.pass(6.0);
    let outputs = scene.set_rooms("one");
    copy.take(outputs.requests()[0]);
    other.take(outputs.requests()[1]);
    assert_eq!(told(outputs.requests()[0]), ("diff", 2));
    assert!(body_of(outputs.requests()[0]).contains("entity=\"pres:bob@example.com\""));
    let mut expected = rooms("one");
    other.is(&expected);
    expected.entity = uri.into();
    copy.is(&expected);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72
#[test]
fn who_has_what_is_forgotten_is_told_everything() {
    let mut scene = Scene::configured(|config| config.server.limits.history = 0);
    scene.set_rooms("zero");
    let (_, mut copy) = scene.watch_changes(ANA);
    for (number, note) in (2..).zip(["one", "two", "three"]) {
        let notify = scene.told_rooms(note);
        assert_eq!(told(&notify), ("full", number));
        copy.take(&notify);
        copy.is(&rooms(note));
    }
    scene.close();
    // Room for one document: who is left behind has another than the rest.
    let room = rooms("zero").write().unwrap().len() + 100;
    let mut scene = Scene::configured(|config| config.server.limits.history = room);
    scene.set_rooms("zero");
    let (_, mut slow) = scene.watch_changes(ANA);
    let (_, mut quick) = scene.watch_changes(CARLA);
    scene.pass(6.0);
    let outputs = scene.set_rooms("one");
    let open = outputs.requests()[0].clone();
    slow.take(&open);
    quick.take(outputs.requests()[1]);
    scene.answer(outputs.requests()[1], 200);
    scene.pass(6.0);
    for (number, note) in [(3, "two"), (4, "three")] {
        scene.pass(6.0);
        let outputs = scene.set_rooms(note);
        assert_eq!(told(outputs.notify()), ("diff", number));
        quick.take(outputs.notify());
        scene.answer_all(&outputs);
    }
    scene.pass(6.0);
    let outputs = scene.answer(&open, 200);
    assert_eq!(told(outputs.notify()), ("full", 3));
    slow.take(outputs.notify());
    slow.is(&rooms("three"));
    scene.answer_all(&outputs);
    scene.pass(6.0);
    let outputs = scene.set_rooms("four");
    for ((copy, number), notify) in [(&mut slow, 4), (&mut quick, 5)]
        .into_iter()
        .zip(outputs.requests())
    {
        assert_eq!(told(notify), ("diff", number));
        copy.take(notify);
        copy.is(&rooms("four"));
    }
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-70
#[test]
fn a_slow_watcher_gets_one_difference_of_several_changes() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let message = scene.subscribe_either(ANA);
    let watch = scene.watch_by(message.with("Event", "presence;max-rate=0.02"));
    let mut copy = Copy::of(&watch.notify);
    for note in ["one", "two", "three", "four"] {
        scene.pass(10.0);
        assert!(scene.set_rooms(note).requests().is_empty());
    }
    let outputs = scene.pass(11.0);
    assert_eq!(told(outputs.notify()), ("diff", 2));
    assert_eq!(changes(outputs.notify()), 1);
    copy.take(outputs.notify());
    copy.is(&rooms("four"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-72, PA-70: what is only repeated is a difference of nothing.
#[test]
fn a_repetition_tells_no_change() {
    let mut scene = Scene::new();
    scene.set_rooms("zero");
    let message = scene.subscribe_either(ANA);
    let watch = scene.watch_by(message.with("Event", "presence;min-rate=0.05"));
    let mut copy = Copy::of(&watch.notify);
    for number in [2, 3, 4] {
        let outputs = scene.pass(20.5);
        assert_eq!(told(outputs.notify()), ("diff", number));
        assert_eq!(changes(outputs.notify()), 0);
        copy.take(outputs.notify());
        copy.is(&rooms("zero"));
        scene.answer_all(&outputs);
    }
    let notify = scene.told_rooms("one");
    assert_eq!(told(&notify), ("diff", 5));
    copy.take(&notify);
    copy.is(&rooms("one"));
    scene.close();
}

// PA-72: what publishers say is told in the same way.
#[test]
fn what_is_published_is_told_in_parts() {
    let mut scene = Scene::new();
    let (_, mut copy) = scene.watch_changes(ANA);
    let ordinary = scene.watch_as(CARLA);
    assert_eq!(read(&ordinary.notify), Presence::new(BOB));
    let mut tag = String::new();
    for note in ["one", "two", "three", "four"] {
        scene.pass(6.0);
        let body = String::from_utf8(rooms(note).write().unwrap().to_vec()).unwrap();
        let message = match tag.is_empty() {
            true => scene.publish(BOB, &body),
            false => crate::scene::follow(&mut scene, &tag, &body),
        };
        let outputs = scene.send(&message);
        tag = crate::scene::etag(&outputs);
        let [part, whole] = outputs.requests()[..] else {
            panic!("{outputs:?}");
        };
        copy.take(part);
        copy.is(&read(whole));
        scene.answer_all(&outputs);
    }
    assert_eq!(copy.together.version(), Some(5));
    scene.close();
}

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn below_len(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }
}

/// Something about a document becomes something else.
fn edit(document: &mut Presence, dice: &mut Dice, fresh: &mut u32) {
    *fresh += 1;
    let words = [
        "",
        "out",
        "at lunch",
        "a < b & c",
        "\u{e9}t\u{e9}",
        " spaced ",
        "]]>",
    ];
    let word = words[dice.below_len(words.len())];
    let len = document.tuples.len();
    match dice.below(9) {
        0 | 1 if len < 8 => {
            let tuple = Tuple::open(format!("t{fresh}"))
                .with_contact(format!("sip:bob@{fresh}.example.com"))
                .with_note(word);
            document.tuples.insert(dice.below_len(len + 1), tuple);
        }
        2 if len > 0 => {
            document.tuples.remove(dice.below_len(len));
        }
        3 if len > 1 => document.tuples.swap(0, dice.below_len(len)),
        4 if len > 0 => {
            let tuple = &mut document.tuples[dice.below_len(len)];
            let basic = [Some(Basic::Open), Some(Basic::Closed)][dice.below_len(2)];
            tuple.status.set_basic(basic);
        }
        5 | 6 if len > 0 => {
            let tuple = &mut document.tuples[dice.below_len(len)];
            match dice.below(3) {
                0 => tuple.notes.clear(),
                _ => tuple.notes.push(word.into()),
            }
        }
        7 => match dice.below(2) {
            0 => document.notes.clear(),
            _ => document.notes.push(word.into()),
        },
        _ => {
            document.persons = match dice.below(3) {
                0 => Vec::new(),
                _ => vec![presentity::pidf::Person::new("p").with_note(word)],
            }
        }
    }
}

/// How a watcher of a random course differs from the others.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Ordinary,
    Changes,
    Slow,
    Repeated,
    Filtered,
    Triggered,
}

const KINDS: [Kind; 7] = [
    Kind::Ordinary,
    Kind::Changes,
    Kind::Changes,
    Kind::Slow,
    Kind::Repeated,
    Kind::Filtered,
    Kind::Triggered,
];

/// One of the watchers of a random course.
struct Onlooker {
    kind: Kind,
    watch: Watch,
    copy: Copy,
    /// The tag of what it has.
    tag: Option<String>,
    /// A NOTIFY that is not answered, and what there was to see when it left.
    open: Option<(OutgoingRequest, Presence)>,
    has_spoken: bool,
    sees_notes_only: bool,
}

impl Onlooker {
    /// What it is to see of a document.
    fn part_of(&self, document: &Presence) -> Presence {
        let mut part = document.clone();
        if self.sees_notes_only {
            part.tuples.clear();
        }
        if self.kind == Kind::Filtered {
            part.notes.clear();
            part.tuples.iter_mut().for_each(|tuple| tuple.notes.clear());
        }
        part
    }

    /// A NOTIFY has come.
    #[track_caller]
    fn take(&mut self, notify: &OutgoingRequest, there_was: &Presence) {
        if notify.body().is_empty() {
            return;
        }
        self.copy.take(notify);
        self.copy.is(there_was);
        self.tag = Some(field(notify, "SIP-ETag").unwrap().to_owned());
    }
}

/// Watchers of Bob, whose state changes at random.
struct Course {
    scene: Scene,
    dice: Dice,
    document: Presence,
    fresh: u32,
    watchers: Vec<Onlooker>,
    differences: u32,
    spared: u32,
}

impl Course {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let history = [131_072, 1_500, 0][dice.below_len(3)];
        let mut scene = Scene::configured(|config| config.server.limits.history = history);
        let document = rooms("zero");
        scene.set_document(BOB, document.clone());
        let mut course = Self {
            scene,
            dice,
            document,
            fresh: 0,
            watchers: Vec::new(),
            differences: 0,
            spared: 0,
        };
        for (number, kind) in KINDS.into_iter().enumerate() {
            course.enter(number, kind);
        }
        course
    }

    fn enter(&mut self, number: usize, kind: Kind) {
        let from = format!("sip:user{number}@example.com");
        let message = self.scene.subscribe_either(&from);
        let filtered = |filter: Filter| FilterSet::of_presence().with(filter).write().unwrap();
        let opens = Trigger::new().changed(Changed::of("//pidf:basic").to("open"));
        let message = match kind {
            Kind::Ordinary => message.with("Accept", WHOLE),
            Kind::Changes | Kind::Filtered | Kind::Triggered => message,
            Kind::Slow => message.with("Event", "presence;max-rate=0.05"),
            Kind::Repeated => message.with("Event", "presence;min-rate=0.05"),
        };
        let filter = match kind {
            Kind::Filtered => Some(Filter::new("1").exclude("//pidf:note")),
            Kind::Triggered => Some(Filter::new("1").when(opens)),
            _ => None,
        };
        let mut first = message.clone();
        if let Some(filter) = filter {
            first = first.with("Content-Type", "application/simple-filter+xml");
            first.body = filtered(filter);
        }
        let outputs = self.scene.send(&first);
        self.watchers.push(Onlooker {
            kind,
            watch: Watch::begun(message, &outputs),
            copy: Copy::default(),
            tag: None,
            open: None,
            has_spoken: false,
            sees_notes_only: false,
        });
        self.deliver(&outputs);
    }

    /// Each NOTIFY gets to its watcher, which answers now or later, well or badly.
    fn deliver(&mut self, outputs: &Outputs) {
        for notify in outputs.requests() {
            let to = field(notify, "To").unwrap();
            let place = (0..KINDS.len()).find(|it| to.contains(&format!("user{it}@")));
            let one = &mut self.watchers[place.unwrap()];
            assert!(one.open.is_none(), "one at a time");
            let part = one.part_of(&self.document);
            one.open = Some((notify.clone(), part));
            one.has_spoken = false;
        }
    }

    fn change(&mut self) {
        for _ in 0..=self.dice.below(2) {
            edit(&mut self.document, &mut self.dice, &mut self.fresh);
        }
        let outputs = self.scene.set_document(BOB, self.document.clone());
        self.deliver(&outputs);
    }

    /// One of them asks again: for another type, as one who has something, with other rights.
    fn refresh(&mut self, place: usize) {
        let one = &mut self.watchers[place];
        let mut message = one.watch.refresh();
        if self.dice.below(4) == 0 {
            message = message.with("Accept", WHOLE);
        }
        if let Some(tag) = one.tag.as_ref().filter(|_| self.dice.below(2) == 0) {
            message = message.with("Suppress-If-Match", tag);
        }
        if self.dice.below(4) == 0 {
            one.sees_notes_only = !one.sees_notes_only;
        }
        let rights = match one.sees_notes_only {
            true => viewing("notes").into(),
            false => allowed(),
        };
        one.has_spoken = true;
        let user = format!("user{place}@example.com");
        self.scene.rules().each.insert(user, rights);
        let outputs = self.scene.send(&message);
        if outputs.status() == 204 {
            self.spared += 1;
            let one = &self.watchers[place];
            one.copy.is(&one.part_of(&self.document));
        } else {
            assert_eq!(outputs.status(), 200);
        }
        self.deliver(&outputs);
    }

    /// One of them answers.
    fn answer(&mut self, place: usize, status: u16) {
        let one = &mut self.watchers[place];
        let Some((open, there_was)) = one.open.take() else {
            return;
        };
        if status == 200 {
            one.take(&open, &there_was);
            let is_partial = field(&open, "Content-Type") == Some(PARTIAL);
            self.differences += u32::from(is_partial && told(&open).0 == "diff");
        }
        let outputs = self.scene.answer(&open, status);
        self.deliver(&outputs);
    }

    /// A NOTIFY to one of them is lost; that is no end only if the watcher has spoken since.
    fn lose(&mut self, place: usize) {
        let one = &mut self.watchers[place];
        if !one.has_spoken {
            return;
        }
        if let Some((open, _)) = one.open.take() {
            let now = self.scene.now;
            let lost = open.transaction();
            self.scene.role.handle_failure(now, lost, Failure::Timeout);
            let outputs = self.scene.drain();
            self.deliver(&outputs);
        }
    }

    fn step(&mut self) {
        if self.dice.below(3) > 0 {
            self.change();
        }
        if self.dice.below(2) == 0 {
            let place = self.dice.below_len(KINDS.len());
            self.refresh(place);
        }
        for place in 0..KINDS.len() {
            match self.dice.below(16) {
                0..=3 => {}
                4 => self.answer(place, 500),
                5 => self.lose(place),
                _ => self.answer(place, 200),
            }
        }
        let seconds = self.dice.below(8);
        let outputs = self.scene.pass(seconds as f64);
        self.deliver(&outputs);
    }

    /// All answer until there is nothing more to say.
    fn rest(&mut self) {
        for _ in 0..30 {
            (0..KINDS.len()).for_each(|place| self.answer(place, 200));
            let outputs = self.scene.pass(2.0);
            self.deliver(&outputs);
        }
        (0..KINDS.len()).for_each(|place| self.answer(place, 200));
    }
}

// PA-72, PIDF-51: whatever happens, those who are told changes come to what there was to see.
#[test]
fn what_is_put_together_is_what_there_was() {
    let (mut differences, mut spared) = (0, 0);
    for seed in 1..=16 {
        let mut course = Course::new(seed);
        (0..60).for_each(|_| course.step());
        course.rest();
        // Something that all wait for, and see.
        course.change();
        let last = Tuple::open("last").with_note("the end");
        course.document = course.document.with_tuple(last).with_note("the end");
        let outputs = course.scene.set_document(BOB, course.document.clone());
        course.deliver(&outputs);
        course.rest();
        for one in &course.watchers {
            if !(one.sees_notes_only && matches!(one.kind, Kind::Filtered | Kind::Triggered)) {
                one.copy.is(&one.part_of(&course.document));
            }
        }
        differences += course.differences;
        spared += course.spared;
        course.scene.close();
    }
    assert!(differences > 500 && spared > 20, "{differences} {spared}");
}
