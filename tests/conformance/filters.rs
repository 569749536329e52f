//! Watchers that say what they want to see, and when (RFC 4660).

use bytes::Bytes;
use presentity::event::{Decision, Output, Protection, Reason};
use presentity::filter::{Changed, Filter, FilterSet, Trigger};
use presentity::mime::{Opened, Signature, Signed};
use presentity::pidf::partial::Reconstruction;
use presentity::pidf::{Basic, Contact, Presence, Priority, ReadOptions, Tuple};
use presentity::presence::{BlockedDocument, UnknownDocument};
use presentity::sip::OutgoingRequest;

use crate::common::{Message, Outputs, body_of, field, response_field, seeded, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, Watch, forbidden, read, viewing};

const TYPE: &str = "application/simple-filter+xml";
const DORA: &str = "sip:dora@example.com";

/// Two devices: one with a note, and a note beside them.
fn devices(desk: Basic, note: &str) -> Presence {
    Presence::new(BOB)
        .with_tuple(
            Tuple::new("desk")
                .with_basic(desk)
                .with_contact("sip:bob@desk.example.com")
                .with_note(note),
        )
        .with_tuple(Tuple::closed("car").with_contact("sip:bob@car.example.com"))
        .with_note("in Paris")
}

fn of_presence(filter: Filter) -> FilterSet {
    FilterSet::of_presence().with(filter)
}

/// The state of services, and nothing else.
fn statuses() -> Filter {
    Filter::new("1").include("//pidf:tuple/pidf:status/pidf:basic")
}

/// What [`statuses`] shows of [`devices`].
fn statuses_of(desk: Basic) -> Presence {
    Presence::new(BOB)
        .with_tuple(Tuple::new("desk").with_basic(desk))
        .with_tuple(Tuple::closed("car"))
}

/// Told when a service becomes open.
fn opens() -> Trigger {
    Trigger::new().changed(Changed::of("//pidf:basic").to("open"))
}

fn bearing(message: Message, set: &FilterSet) -> Message {
    bearing_text(message, std::str::from_utf8(&set.write().unwrap()).unwrap())
}

fn bearing_text(message: Message, body: &str) -> Message {
    message.with("Content-Type", TYPE).with_body(body)
}

/// A filter set of nothing but this.
fn raw(inner: &str) -> String {
    format!("<filter-set xmlns=\"urn:ietf:params:xml:ns:simple-filter\">{inner}</filter-set>")
}

impl Scene {
    fn watch_through(&mut self, filter: Filter) -> Watch {
        self.watch_through_as(ANA, filter)
    }

    fn watch_through_as(&mut self, from: &str, filter: Filter) -> Watch {
        let message = self.subscribe(from, BOB);
        let mut watch = self.watch_by(bearing(message, &of_presence(filter)));
        // What comes later has no body of its own.
        watch.message = watch.message.without("Content-Type").with_body("");
        watch
    }

    /// A refresh that changes the filters; its NOTIFY, answered.
    #[track_caller]
    fn refilter(&mut self, watch: &mut Watch, filter: Filter) -> OutgoingRequest {
        let outputs = self.send(&bearing(watch.refresh(), &of_presence(filter)));
        assert_eq!(outputs.status(), 200);
        self.answer_all(&outputs);
        outputs.notify().clone()
    }

    /// The same without a filter.
    #[track_caller]
    fn refreshed(&mut self, watch: &mut Watch) -> OutgoingRequest {
        let outputs = self.send(&watch.refresh());
        assert_eq!(outputs.status(), 200);
        self.answer_all(&outputs);
        outputs.notify().clone()
    }

    fn set_devices(&mut self, desk: Basic, note: &str) -> Outputs {
        self.set_document(BOB, devices(desk, note))
    }

    /// The NOTIFYs of a change, after the interval and answered.
    fn told(&mut self, document: Presence) -> Vec<OutgoingRequest> {
        let mut outputs = self.pass(6.0);
        outputs.all.extend(self.set_document(BOB, document).all);
        self.answer_all(&outputs);
        outputs.requests().into_iter().cloned().collect()
    }

    /// How many NOTIFYs a change brings.
    fn tells(&mut self, document: Presence) -> usize {
        self.told(document).len()
    }
}

// PA-14
#[test]
fn what_is_asked_for_is_what_is_shown() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let watch = scene.watch_through(statuses());
    let content_type = field(&watch.notify, "Content-Type");
    assert_eq!(content_type, Some("application/pidf+xml"));
    assert_eq!(read(&watch.notify), statuses_of(Basic::Open));
    // What it does not show is no change to it.
    assert_eq!(scene.tells(devices(Basic::Open, "free")), 0);
    let told = scene.told(devices(Basic::Closed, "away"));
    assert_eq!(told.len(), 1);
    assert_eq!(read(&told[0]), statuses_of(Basic::Closed));
    scene.close();
    for (filter, shown) in [
        (
            Filter::new("1").exclude("//pidf:note"),
            Presence::new(BOB)
                .with_tuple(Tuple::open("desk").with_contact("sip:bob@desk.example.com"))
                .with_tuple(Tuple::closed("car").with_contact("sip:bob@car.example.com")),
        ),
        (
            Filter::new("1").include("/pidf:presence/pidf:note"),
            Presence::new(BOB).with_note("in Paris"),
        ),
        (
            Filter::new("1").include("//pidf:tuple[pidf:status/pidf:basic=\"closed\"]"),
            Presence::new(BOB)
                .with_tuple(Tuple::closed("car").with_contact("sip:bob@car.example.com")),
        ),
    ] {
        let mut scene = Scene::new();
        scene.set_devices(Basic::Open, "busy");
        let watch = scene.watch_through(filter);
        assert_eq!(read(&watch.notify), shown);
        scene.close();
    }
}

// PA-13, PA-14
#[test]
fn an_agent_may_take_no_filters() {
    let mut scene = Scene::configured(|config| config.filters = None);
    scene.set_devices(Basic::Open, "busy");
    let message = scene.subscribe(ANA, BOB);
    let message = bearing(message, &of_presence(statuses()));
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 415);
    let types = response_field(outputs.response(), "Accept").unwrap_or_default();
    assert!(!types.contains(TYPE), "{types}");
    assert_eq!(scene.live(), 0);
    // One that need not be understood is left aside.
    let message = scene.subscribe(ANA, BOB);
    let message = bearing(message, &of_presence(statuses()));
    let mut watch = scene.watch_by(message.with("Content-Disposition", "render;handling=optional"));
    assert_eq!(read(&watch.notify), devices(Basic::Open, "busy"));
    watch.message = watch.message.without("Content-Disposition");
    assert_eq!(scene.send(&watch.refresh()).status(), 415);
    scene.close();
}

// PA-13
#[test]
fn filters_are_among_the_types_that_are_taken() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let message = message
        .with("Content-Type", "text/plain")
        .with_body("hello");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 415);
    assert_eq!(response_field(outputs.response(), "Accept"), Some(TYPE));
    // In any spelling, and not where it is packed.
    scene.set_devices(Basic::Open, "busy");
    let message = scene.subscribe(ANA, BOB);
    let message = bearing(message, &of_presence(statuses()));
    let message = message.with(
        "Content-Type",
        "Application/Simple-Filter+XML ;charset=utf-8",
    );
    let watch = scene.watch_by(message);
    assert_eq!(read(&watch.notify), statuses_of(Basic::Open));
    let message = scene.subscribe(CARLA, BOB);
    let message = bearing(message, &of_presence(statuses()));
    let outputs = scene.send(&message.with("Content-Encoding", "gzip"));
    assert_eq!(outputs.status(), 415);
    scene.close();
}

/// Filters that are not taken.
fn bad_filters() -> Vec<String> {
    let what = "<what><include>//x</include></what>";
    vec![
        "no filter".to_owned(),
        "<filter-set".to_owned(),
        "<!DOCTYPE filter-set><filter-set/>".to_owned(),
        "<filter-set xmlns=\"urn:example:other\"><filter id=\"1\"/></filter-set>".to_owned(),
        raw(""),
        raw("<filter/>"),
        raw(&format!("<filter>{what}</filter>")),
        raw("<filter id=\"1\"><what><include>//[</include></what></filter>"),
        raw("<filter id=\"1\"><what><include>//zz:x</include></what></filter>"),
        raw("<filter id=\"1\"><trigger><changed from=\"a\"/></trigger></filter>"),
        raw("<filter id=\"1\" enabled=\"perhaps\"/>"),
        raw("<filter id=\"1\"/>"),
        raw(&format!(
            "<filter id=\"1\" uri=\"sip:a@b\" domain=\"b\">{what}</filter>"
        )),
        // Two for one resource: by id, by name, by another name of the same.
        raw(&format!(
            "<filter id=\"1\">{what}</filter><filter id=\"1\">{what}</filter>"
        )),
        raw(&format!(
            "<filter id=\"1\">{what}</filter><filter id=\"2\">{what}</filter>"
        )),
        raw(&format!(
            "<filter id=\"1\">{what}</filter>\
             <filter id=\"2\" uri=\"sip:bob@example.com\">{what}</filter>"
        )),
        raw(&format!(
            "<filter id=\"1\" uri=\"pres:bob@example.com\">{what}</filter>\
             <filter id=\"2\" uri=\"sips:bob@Example.com\">{what}</filter>"
        )),
        raw(&format!(
            "<filter id=\"1\" uri=\"sip:eve@example.com\">{what}</filter>\
             <filter id=\"2\" uri=\"sip:eve@example.com\">{what}</filter>"
        )),
        raw(&format!(
            "<filter id=\"1\" domain=\"example.com\">{what}</filter>\
             <filter id=\"2\" domain=\"EXAMPLE.com\">{what}</filter>"
        )),
        // For another package.
        raw("<filter id=\"1\"><what/></filter>")
            .replace("<filter-set ", "<filter-set package=\"presence.winfo\" "),
    ]
}

// PA-14
#[test]
fn a_bad_filter_is_refused_with_the_reason() {
    for body in bad_filters() {
        let mut scene = Scene::new();
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send(&bearing_text(message, &body));
        assert_eq!(outputs.status(), 488, "{body}");
        let warning = response_field(outputs.response(), "Warning").unwrap();
        assert!(warning.starts_with("399 presentity \""), "{warning}");
        assert!(
            warning.ends_with('"') && warning.matches('"').count() == 2,
            "{warning}"
        );
        assert!(outputs.requests().is_empty() && outputs.events().is_empty());
        assert_eq!(scene.live(), 0);
        scene.empty();
    }
}

// PA-14
#[test]
fn a_bad_filter_leaves_the_subscription_as_it_was() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let mut watch = scene.watch_through(statuses());
    scene.pass(100.0);
    // Where a filter of this id is there, this one need not say anything.
    let bad = bad_filters().into_iter();
    for body in bad.filter(|body| *body != raw("<filter id=\"1\"/>")) {
        let outputs = scene.send(&bearing_text(watch.refresh(), &body));
        assert_eq!(outputs.status(), 488, "{body}");
        assert!(outputs.requests().is_empty(), "{body}");
    }
    let told = scene.told(devices(Basic::Closed, "busy"));
    assert_eq!(read(&told[0]), statuses_of(Basic::Closed));
    // Nor does it last longer.
    let outputs = scene.pass(501.0);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-14: what the policy says holds, whatever is wrong with the filter.
#[test]
fn who_may_not_watch_is_not_told_what_is_wrong_with_a_filter() {
    let mut scene = Scene::deciding(forbidden());
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&bearing_text(message, "no filter"));
    assert_eq!(outputs.status(), 403);
    assert_eq!(response_field(outputs.response(), "Warning"), None);
    scene.close();
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let mut watch = scene.watch_through(Filter::new("1").exclude("//pidf:nothing"));
    scene.rules().everybody = viewing("notes").into();
    let outputs = scene.send(&bearing_text(watch.refresh(), "no filter"));
    assert_eq!(outputs.status(), 488);
    assert_eq!(
        read(outputs.notify()),
        Presence::new(BOB).with_note("in Paris")
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-14: in the type of before RFC 3863 as well, and where a signature would be passed on, but there is none.
#[test]
fn a_part_is_of_the_type_that_is_asked_for() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let message = scene
        .subscribe(ANA, BOB)
        .with("Accept", "application/cpim-pidf+xml");
    let watch = scene.watch_by(bearing(message, &of_presence(statuses())));
    let content_type = field(&watch.notify, "Content-Type");
    assert_eq!(content_type, Some("application/cpim-pidf+xml"));
    assert_eq!(read(&watch.notify), statuses_of(Basic::Open));
    scene.rules().protection = Protection::AsPublished;
    let message = scene
        .subscribe(CARLA, BOB)
        .with("Accept", "application/pidf+xml, multipart/signed");
    let watch = scene.watch_by(bearing(message, &of_presence(statuses())));
    assert_eq!(read(&watch.notify), statuses_of(Basic::Open));
    scene.close();
}

// PA-14
#[test]
fn a_filter_that_is_too_large_is_refused() {
    let mut scene = Scene::new();
    let set = of_presence(Filter::new("1").include(&format!("//pidf:{}", "x".repeat(9_000))));
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&bearing(message, &set));
    assert_eq!(outputs.status(), 413);
    // Too many are refused as well; what refreshes add up to counts.
    let many = |from: usize, to: usize| {
        (from..to).fold(FilterSet::of_presence(), |set, number| {
            let uri = format!("sip:friend{number}@example.com");
            set.with(
                Filter::new(format!("f{number}"))
                    .for_uri(uri)
                    .include("//pidf:note"),
            )
        })
    };
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&bearing(message, &many(0, 17)));
    assert_eq!(outputs.status(), 488);
    let message = scene.subscribe(ANA, BOB);
    let mut watch = scene.watch_by(bearing(message, &many(0, 10)));
    watch.message = watch.message.without("Content-Type").with_body("");
    let outputs = scene.send(&bearing(watch.refresh(), &many(10, 20)));
    assert_eq!(outputs.status(), 488);
    scene.close();
}

// PA-14, PA-15
#[test]
fn a_filter_lasts_until_it_is_changed() {
    let mut scene = Scene::new();
    let whole = devices(Basic::Open, "busy");
    scene.set_document(BOB, whole.clone());
    let mut watch = scene.watch_through(statuses());
    // A SUBSCRIBE without one leaves it.
    let notify = scene.refreshed(&mut watch);
    assert_eq!(read(&notify), statuses_of(Basic::Open));
    // The same id has it replaced.
    let notes = Filter::new("1").include("/pidf:presence/pidf:note");
    let notify = scene.refilter(&mut watch, notes);
    let note = Presence::new(BOB).with_note("in Paris");
    assert_eq!(read(&notify), note);
    // Out of force, what it said is kept.
    let notify = scene.refilter(&mut watch, Filter::new("1").disabled());
    assert_eq!(read(&notify), whole);
    assert_eq!(read(&scene.refreshed(&mut watch)), whole);
    let notify = scene.refilter(&mut watch, Filter::new("1"));
    assert_eq!(read(&notify), note);
    let notify = scene.refilter(&mut watch, Filter::removal("1"));
    assert_eq!(read(&notify), whole);
    assert_eq!(read(&scene.refreshed(&mut watch)), whole);
    // It is gone.
    let outputs = scene.send(&bearing(watch.refresh(), &of_presence(Filter::new("1"))));
    assert_eq!(outputs.status(), 488);
    // What is not there need not be removed, and another id is for another resource.
    let notify = scene.refilter(&mut watch, Filter::removal("7"));
    assert_eq!(read(&notify), whole);
    let notify = scene.refilter(&mut watch, statuses());
    assert_eq!(read(&notify), statuses_of(Basic::Open));
    let other = Filter::new("2").include("/pidf:presence/pidf:note");
    let outputs = scene.send(&bearing(watch.refresh(), &of_presence(other)));
    assert_eq!(outputs.status(), 488);
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(read(outputs.notify()), statuses_of(Basic::Open));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-14: one that is out of force from the beginning may be put in force.
#[test]
fn a_filter_may_be_brought_out_of_force() {
    let mut scene = Scene::new();
    let whole = devices(Basic::Open, "busy");
    scene.set_document(BOB, whole.clone());
    let mut watch = scene.watch_through(statuses().disabled());
    assert_eq!(read(&watch.notify), whole);
    let notify = scene.refilter(&mut watch, Filter::new("1"));
    assert_eq!(read(&notify), statuses_of(Basic::Open));
    scene.close();
}

// PA-15
#[test]
fn without_a_filter_everything_is_shown() {
    let mut scene = Scene::new();
    let whole = devices(Basic::Open, "busy");
    scene.set_document(BOB, whole.clone());
    // Somebody else's is nobody's business.
    scene.watch_through_as(CARLA, statuses().when(opens()));
    let watch = scene.watch();
    assert_eq!(read(&watch.notify), whole);
    let told = scene.told(devices(Basic::Open, "free"));
    assert_eq!(told.len(), 1);
    assert_eq!(read(&told[0]), devices(Basic::Open, "free"));
    // A new subscription of the same watcher begins without.
    let watch = scene.watch_as(CARLA);
    assert_eq!(read(&watch.notify), devices(Basic::Open, "free"));
    scene.close();
}

// PA-14
#[test]
fn a_filter_is_for_the_presentity_that_it_names() {
    type Aiming = fn(Filter) -> Filter;
    let cases: [(Aiming, bool); 16] = [
        (|filter| filter, true),
        (|filter| filter.for_uri("sip:bob@example.com"), true),
        (|filter| filter.for_uri("sip:bob@EXAMPLE.com"), true),
        (|filter| filter.for_uri("sip:b%6fb@example.com"), true),
        (|filter| filter.for_uri("pres:bob@example.com"), true),
        (|filter| filter.for_uri("sips:bob@example.com"), true),
        (
            |filter| filter.for_uri("sip:bob@example.com;transport=tcp"),
            true,
        ),
        (|filter| filter.for_uri("sip:eve@example.com"), false),
        (|filter| filter.for_uri("sip:Bob@example.com"), false),
        (|filter| filter.for_uri("sip:bob@example.org"), false),
        (|filter| filter.for_uri("no URI"), false),
        (|filter| filter.for_domain("example.com"), true),
        (|filter| filter.for_domain("Example.COM"), true),
        (|filter| filter.for_domain("example.com."), true),
        (|filter| filter.for_domain("example.org"), false),
        (|filter| filter.for_domain("com"), false),
    ];
    for domains in [
        vec![],
        vec!["example.com".to_owned(), "example.net".to_owned()],
    ] {
        for (place, (target, is_it)) in cases.into_iter().enumerate() {
            let mut scene = Scene::configured(|config| config.domains = domains.clone());
            scene.set_devices(Basic::Open, "busy");
            let watch = scene.watch_through(target(statuses()));
            let expected = match is_it {
                true => statuses_of(Basic::Open),
                false => devices(Basic::Open, "busy"),
            };
            assert_eq!(read(&watch.notify), expected, "{place}");
            scene.close();
        }
    }
}

// PA-14
#[test]
fn a_filter_by_name_comes_before_one_by_domain() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let notes = Filter::new("2")
        .for_domain("example.com")
        .include("/pidf:presence/pidf:note");
    let set = of_presence(statuses().for_uri(BOB)).with(notes);
    let message = scene.subscribe(ANA, BOB);
    let mut watch = scene.watch_by(bearing(message, &set));
    watch.message = watch.message.without("Content-Type").with_body("");
    assert_eq!(read(&watch.notify), statuses_of(Basic::Open));
    // Without that, the other one holds.
    let notify = scene.refilter(&mut watch, Filter::removal("1"));
    assert_eq!(read(&notify), Presence::new(BOB).with_note("in Paris"));
    scene.close();
}

// PA-14
#[test]
fn a_trigger_tells_which_changes_are_told() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    // The first is told whatever it demands, and all of it.
    let mut watch = scene.watch_through(Filter::new("1").when(opens()));
    assert_eq!(read(&watch.notify), devices(Basic::Closed, "busy"));
    assert_eq!(scene.tells(devices(Basic::Closed, "free")), 0);
    let told = scene.told(devices(Basic::Open, "free"));
    assert_eq!(read(&told[0]), devices(Basic::Open, "free"));
    assert_eq!(scene.tells(devices(Basic::Open, "at work")), 0);
    assert_eq!(scene.tells(devices(Basic::Closed, "gone")), 0);
    // Compared with what was told, it has been open all the time.
    assert_eq!(scene.tells(devices(Basic::Open, "back")), 0);
    // Whoever asks is told, and what comes later is compared with that.
    scene.told(devices(Basic::Closed, "gone"));
    let notify = scene.refreshed(&mut watch);
    assert_eq!(read(&notify), devices(Basic::Closed, "gone"));
    let told = scene.told(devices(Basic::Open, "gone"));
    assert_eq!(read(&told[0]), devices(Basic::Open, "gone"));
    scene.close();
}

// PA-14
#[test]
fn what_is_shown_when_told_may_be_a_part() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    let watch = scene.watch_through(statuses().when(opens()));
    assert_eq!(read(&watch.notify), statuses_of(Basic::Closed));
    let told = scene.told(devices(Basic::Open, "busy"));
    assert_eq!(read(&told[0]), statuses_of(Basic::Open));
    assert_eq!(scene.tells(devices(Basic::Closed, "busy")), 0);
    scene.close();
    // A change that is waited for and does not show is told all the same.
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let to_free = Trigger::new().changed(Changed::of("//pidf:tuple/pidf:note").to("free"));
    let watch = scene.watch_through(statuses().when(to_free));
    assert_eq!(read(&watch.notify), statuses_of(Basic::Open));
    assert_eq!(scene.tells(devices(Basic::Closed, "busy")), 0);
    let told = scene.told(devices(Basic::Closed, "free"));
    assert_eq!(read(&told[0]), statuses_of(Basic::Closed));
    let told = scene.told(devices(Basic::Closed, "busy"));
    assert!(told.is_empty());
    scene.close();
}

// PA-14
#[test]
fn one_trigger_is_enough_and_takes_all_that_it_demands() {
    let all = Trigger::new()
        .changed(Changed::of("//pidf:basic").to("closed"))
        .changed(Changed::of("//pidf:tuple/pidf:note"));
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    scene.watch_through(
        Filter::new("1")
            .when(all)
            .when(Trigger::new().added("//pidf:tuple")),
    );
    assert_eq!(scene.tells(devices(Basic::Closed, "busy")), 0);
    assert_eq!(scene.tells(devices(Basic::Open, "free")), 0);
    // Each happened since it was told, if not at once.
    assert_eq!(scene.tells(devices(Basic::Closed, "free")), 1);
    let more = devices(Basic::Closed, "free").with_tuple(Tuple::open("boat"));
    assert_eq!(scene.tells(more.clone()), 1);
    assert_eq!(scene.tells(devices(Basic::Closed, "free")), 0);
    // It had gone and come back.
    assert_eq!(scene.tells(more), 0);
    scene.close();
}

// PA-14: small steps add up.
#[test]
fn changes_by_an_amount_are_counted_from_what_was_told() {
    let at = |thousandths: &str| {
        let priority = Priority::parse(thousandths).unwrap();
        let contact = Contact::new("sip:bob@desk.example.com").with_priority(priority);
        Presence::new(BOB).with_tuple(Tuple::open("desk").with_contact(contact))
    };
    let mut scene = Scene::new();
    scene.set_document(BOB, at("0.5"));
    let by = Changed::of("//pidf:contact/@priority").by("0.2");
    scene.watch_through(Filter::new("1").when(Trigger::new().changed(by)));
    for (priority, count) in [
        ("0.6", 0),
        ("0.65", 0),
        ("0.7", 1),
        ("0.8", 0),
        ("0.6", 0),
        ("0.5", 1),
        ("0.9", 1),
    ] {
        assert_eq!(scene.tells(at(priority)), count, "{priority}");
    }
    scene.close();
}

// PA-14
#[test]
fn one_that_may_lack_the_last_is_told_whatever_changes() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    scene.watch_through(statuses().when(opens()));
    scene.pass(6.0);
    let outputs = scene.set_devices(Basic::Open, "busy");
    scene.answer(outputs.notify(), 500);
    let told = scene.told(devices(Basic::Open, "free"));
    assert_eq!(read(&told[0]), statuses_of(Basic::Open));
    // With that it is over.
    assert_eq!(scene.tells(devices(Basic::Closed, "free")), 0);
    scene.pass(6.0);
    let outputs = scene.set_devices(Basic::Open, "other");
    assert!(outputs.requests().is_empty());
    scene.close();
}

// PA-14
#[test]
fn what_fires_while_a_notify_is_open_is_told_after_it() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    let mut watch = scene.watch_through(Filter::new("1").when(opens()));
    let open = scene.send(&watch.refresh());
    scene.set_devices(Basic::Closed, "free");
    let outputs = scene.answer_all(&open);
    assert!(outputs.requests().is_empty());
    assert!(scene.pass(6.0).requests().is_empty());
    let open = scene.send(&watch.refresh());
    assert!(scene.set_devices(Basic::Open, "free").requests().is_empty());
    assert!(scene.pass(6.0).requests().is_empty());
    let outputs = scene.answer_all(&open);
    assert_eq!(read(outputs.notify()), devices(Basic::Open, "free"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-14: a change that was taken back in time is none.
#[test]
fn a_pace_waits_for_what_fires() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    let message = scene
        .subscribe(ANA, BOB)
        .with("Event", "presence;max-rate=0.02");
    scene.watch_by(bearing(
        message,
        &of_presence(Filter::new("1").when(opens())),
    ));
    scene.pass(10.0);
    assert!(scene.set_devices(Basic::Open, "busy").requests().is_empty());
    scene.pass(10.0);
    assert!(
        scene
            .set_devices(Basic::Closed, "free")
            .requests()
            .is_empty()
    );
    assert!(scene.pass(40.0).requests().is_empty());
    let outputs = scene.set_devices(Basic::Open, "busy");
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    scene.pass(10.0);
    scene.set_devices(Basic::Closed, "free");
    let both = devices(Basic::Closed, "free").with_tuple(Tuple::open("boat"));
    assert!(scene.set_document(BOB, both.clone()).requests().is_empty());
    let outputs = scene.pass(41.0);
    assert_eq!(read(outputs.notify()), both);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-14
#[test]
fn nothing_left_is_an_empty_notify() {
    let mut scene = Scene::new();
    scene.set_document(BOB, Presence::new(BOB).with_tuple(Tuple::open("desk")));
    let notes = Filter::new("1").include("//pidf:note");
    let mut watch = scene.watch_through(notes);
    assert_eq!(body_of(&watch.notify), "");
    assert_eq!(field(&watch.notify, "Content-Type"), None);
    assert_eq!(field(&watch.notify, "Content-Length"), Some("0"));
    assert!(state_of(&watch.notify).starts_with("active"));
    assert_eq!(body_of(&scene.refreshed(&mut watch)), "");
    // It is one state among others.
    assert_eq!(
        scene.tells(Presence::new(BOB).with_tuple(Tuple::closed("desk"))),
        0
    );
    let told = scene.told(Presence::new(BOB).with_note("away"));
    assert_eq!(read(&told[0]), Presence::new(BOB).with_note("away"));
    let told = scene.told(Presence::new(BOB));
    assert_eq!(body_of(&told[0]), "");
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(body_of(outputs.notify()), "");
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    scene.answer_all(&outputs);
    scene.close();
    // So it is where there is no document at all.
    let mut scene = Scene::configured(|config| config.unknown = UnknownDocument::Nothing);
    let watch = scene.watch_through(statuses());
    assert_eq!(body_of(&watch.notify), "");
    let told = scene.told(devices(Basic::Open, "busy"));
    assert_eq!(read(&told[0]), statuses_of(Basic::Open));
    scene.close();
}

// PA-14
#[test]
fn a_filter_shows_nothing_that_a_view_hides() {
    let mut scene = Scene::deciding(viewing("notes"));
    scene.set_devices(Basic::Closed, "busy");
    let added = Trigger::new().added("//pidf:tuple");
    let watch = scene.watch_through(statuses().when(opens()).when(added));
    assert_eq!(body_of(&watch.notify), "");
    // Nor when it changes.
    let more = devices(Basic::Open, "free").with_tuple(Tuple::open("boat"));
    assert_eq!(scene.tells(more.clone()), 0);
    let asked = Filter::new("1").include_namespace("urn:ietf:params:xml:ns:pidf");
    let watch = scene.watch_through_as(CARLA, asked);
    assert_eq!(
        read(&watch.notify),
        Presence::new(BOB).with_note("in Paris")
    );
    scene.close();
}

// PA-14: what there is to see is another document from then on.
#[test]
fn a_decision_is_told_whatever_a_trigger_demands() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set_devices(Basic::Open, "busy");
    let never = Trigger::new().added("//pidf:none");
    let watch = scene.watch_through(statuses().when(never));
    assert!(state_of(&watch.notify).starts_with("pending"));
    assert_eq!(body_of(&watch.notify), "");
    let outputs = scene.decide(Decision::Allow(Default::default()));
    assert!(state_of(outputs.notify()).starts_with("active"));
    assert_eq!(read(outputs.notify()), statuses_of(Basic::Open));
    scene.answer_all(&outputs);
    assert_eq!(scene.tells(devices(Basic::Closed, "busy")), 0);
    scene.close();
    // A block hides behind the same filter.
    let mut scene = Scene::configured(|config| config.blocked = BlockedDocument::Offline);
    scene.rules().everybody = Decision::PoliteBlock.into();
    scene.set_devices(Basic::Open, "busy");
    let watch = scene.watch_through(statuses());
    let shown = read(&watch.notify);
    assert_eq!(shown.tuples.len(), 1);
    assert_eq!(shown.tuples[0].status.basic(), Some(Basic::Closed));
    assert!(shown.tuples[0].contact.is_none());
    scene.close();
}

// PA-14, PA-72
#[test]
fn a_part_is_told_in_parts() {
    let big = |desk: Basic, note: &str| {
        (0..6).fold(devices(desk, note), |document, number| {
            document.with_tuple(Tuple::open(format!("room{number}")).with_note("warm and dry"))
        })
    };
    let narrowed = Filter::new("1")
        .exclude("//pidf:contact")
        .exclude("/pidf:presence/pidf:note");
    for filter in [narrowed.clone(), narrowed.when(opens())] {
        let mut scene = Scene::new();
        scene.set_document(BOB, big(Basic::Closed, "busy"));
        let message = scene.subscribe(ANA, BOB);
        let message = message.with("Accept", "application/pidf+xml, application/pidf-diff+xml");
        let part = scene.watch_by(bearing(message, &of_presence(filter.clone())));
        let whole = scene.watch_through_as(CARLA, filter);
        let mut copy = Reconstruction::new();
        let mut take = |part: &OutgoingRequest, whole: &OutgoingRequest| {
            copy.take(part.body()).unwrap();
            let document = copy.presence(&ReadOptions::default()).unwrap();
            assert_eq!(document, read(whole));
            assert!(document.notes.is_empty() && document.tuples[0].contact.is_none());
            copy.version().unwrap()
        };
        assert_eq!(take(&part.notify, &whole.notify), 1);
        let told = scene.told(big(Basic::Open, "busy"));
        assert!(body_of(&told[0]).contains("pidf-diff"));
        assert_eq!(take(&told[0], &told[1]), 2);
        assert!(
            scene
                .told(big(Basic::Open, "busy").with_note("unseen"))
                .is_empty()
        );
        // Where each change is told, this one is as well.
        if let [part, whole] = &scene.told(big(Basic::Closed, "free"))[..] {
            take(part, whole);
        }
        let told = scene.told(big(Basic::Open, "free").with_tuple(Tuple::open("boat")));
        let version = take(&told[0], &told[1]);
        assert!(version >= 3);
        scene.close();
    }
}

// PA-14, PA-72: nothing is told in no parts, and only when it is to be told.
#[test]
fn nothing_left_of_what_is_told_in_parts_waits_for_its_trigger() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    let message = scene.subscribe(ANA, BOB);
    let message = message.with("Accept", "application/pidf+xml, application/pidf-diff+xml");
    let filter = Filter::new("1").include("//pidf:timestamp").when(opens());
    let watch = scene.watch_by(bearing(message, &of_presence(filter)));
    assert_eq!(body_of(&watch.notify), "");
    assert_eq!(scene.tells(devices(Basic::Closed, "free")), 0);
    let told = scene.told(devices(Basic::Open, "free"));
    assert_eq!(body_of(&told[0]), "");
    assert_eq!(scene.tells(devices(Basic::Open, "busy")), 0);
    scene.close();
}

// PA-71
#[test]
fn that_there_is_nothing_has_a_tag_however_it_is_protected() {
    for protection in [
        Protection::None,
        Protection::Signed,
        Protection::Encrypted,
        Protection::SignedAndEncrypted,
    ] {
        let mut scene = Scene::new();
        scene.rules().protection = protection;
        scene.set_devices(Basic::Open, "busy");
        let types = "application/pidf+xml, multipart/signed, application/pkcs7-mime";
        let message = scene.subscribe(ANA, BOB).with("Accept", types);
        let filter = Filter::new("1").include("//pidf:nothing");
        let mut watch = scene.watch_by(bearing(message, &of_presence(filter)));
        watch.message = watch.message.without("Content-Type").with_body("");
        assert!(watch.notify.body().is_empty());
        let tag = field(&watch.notify, "SIP-ETag").expect("a tag").to_owned();
        // It is one that goes.
        let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
        assert_eq!(outputs.status(), 204, "{protection:?}");
        // Whoever sees the same has the same.
        let message = scene.subscribe(CARLA, BOB).with("Accept", types);
        let filter = Filter::new("1").include("//pidf:nothing");
        let other = scene.watch_by(bearing(message, &of_presence(filter)));
        assert_eq!(field(&other.notify, "SIP-ETag"), Some(&*tag));
        scene.close();
    }
}

// PA-14, PA-71
#[test]
fn a_part_has_a_tag_of_its_own() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let whole = scene.watch_as(CARLA);
    let mut watch = scene.watch_through(statuses());
    let tag = field(&watch.notify, "SIP-ETag").unwrap().to_owned();
    let of_whole = field(&whole.notify, "SIP-ETag").unwrap();
    assert_ne!(tag, of_whole);
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    // What it does not show leaves it as it is.
    scene.told(devices(Basic::Open, "free"));
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", of_whole));
    assert_eq!(outputs.status(), 200);
    assert_eq!(read(outputs.notify()), statuses_of(Basic::Open));
    scene.answer_all(&outputs);
    // It is the tag of what the filter shows from now on that counts.
    let all = bearing(watch.refresh(), &of_presence(Filter::removal("1")));
    let outputs = scene.send(&all.with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 200);
    assert_eq!(read(outputs.notify()), devices(Basic::Open, "free"));
    scene.answer_all(&outputs);
    let again = bearing(watch.refresh(), &of_presence(statuses()));
    // What came meanwhile may have come after it spoke: it is told again.
    let outputs = scene.send(&again.with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 200);
    assert_eq!(read(outputs.notify()), statuses_of(Basic::Open));
    scene.answer_all(&outputs);
    scene.pass(6.0);
    let told = scene.told(devices(Basic::Closed, "free"));
    let mine = told
        .iter()
        .find(|it| field(it, "To").unwrap().contains("ana"));
    assert_eq!(read(mine.unwrap()), statuses_of(Basic::Closed));
    scene.close();
}

// PA-14, PA-71: a trigger is compared with what the watcher has.
#[test]
fn what_was_not_told_for_it_is_there_counts_as_told() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    let whole = scene.watch_as(CARLA);
    let tag = field(&whole.notify, "SIP-ETag").unwrap();
    let message = scene.subscribe(ANA, BOB).with("Suppress-If-Match", tag);
    let filter = of_presence(Filter::new("1").when(opens()));
    let watch = scene.watch_by(bearing(message, &filter));
    assert_eq!(body_of(&watch.notify), "");
    let of_ana = |told: Vec<OutgoingRequest>| {
        told.iter()
            .filter(|it| field(it, "To").unwrap().contains("ana"))
            .count()
    };
    assert_eq!(of_ana(scene.told(devices(Basic::Closed, "free"))), 0);
    assert_eq!(of_ana(scene.told(devices(Basic::Open, "free"))), 1);
    scene.close();
}

// PA-14, PA-71: what is on its way does not stay the last word, though the change back is not waited for.
#[test]
fn one_who_claims_what_an_open_notify_takes_away_is_told_again() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Closed, "busy");
    let mut watch = scene.watch_through(Filter::new("1").when(opens()));
    let tag = field(&watch.notify, "SIP-ETag").unwrap().to_owned();
    scene.pass(6.0);
    let open = scene.set_devices(Basic::Open, "busy");
    assert_eq!(open.requests().len(), 1);
    scene.pass(6.0);
    assert!(
        scene
            .set_devices(Basic::Closed, "busy")
            .requests()
            .is_empty()
    );
    let outputs = scene.send(&watch.refresh().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    let mut outputs = scene.answer_all(&open);
    outputs.all.extend(scene.pass(6.0).all);
    assert_eq!(read(outputs.notify()), devices(Basic::Closed, "busy"));
    scene.answer_all(&outputs);
    assert_eq!(scene.tells(devices(Basic::Closed, "free")), 0);
    scene.close();
}

/// Does the one job there is with a toy; the document of the NOTIFY that comes of it, answered.
fn signed(scene: &mut Scene, outputs: &Outputs) -> Presence {
    let jobs = outputs.all.iter().filter_map(|output| match output {
        Output::Protect(job) => Some(job),
        _ => None,
    });
    let jobs: Vec<_> = jobs.collect();
    assert_eq!(jobs.len(), 1, "{outputs:?}");
    let content = jobs[0].content.octets().to_vec();
    let toy = Signature::new("application/x-toy", "sha-256", "toy").unwrap();
    let made = Signed::write(&content, &toy, &mut seeded(3));
    let now = scene.now;
    assert!(scene.role.complete_protection(now, jobs[0].key, Ok(made)));
    let outputs = scene.drain();
    let notify = outputs.notify();
    let content_type = field(notify, "Content-Type").unwrap();
    let signed = Signed::read(content_type, notify.body()).unwrap();
    let part = signed.part().unwrap();
    let document = Presence::read(part.plain_body().unwrap()).unwrap();
    scene.answer_all(&outputs);
    document
}

// PA-14, PA-75
#[test]
fn what_is_protected_is_the_part() {
    let mut scene = Scene::new();
    scene.rules().protection = Protection::Signed;
    scene.set_devices(Basic::Closed, "busy");
    let message = scene
        .subscribe(ANA, BOB)
        .with("Accept", "application/pidf+xml, multipart/signed");
    let outputs = scene.send(&bearing(message, &of_presence(statuses().when(opens()))));
    assert_eq!(outputs.responses()[0].status(), 200);
    assert_eq!(signed(&mut scene, &outputs), statuses_of(Basic::Closed));
    scene.pass(6.0);
    let outputs = scene.set_devices(Basic::Open, "busy");
    assert_eq!(signed(&mut scene, &outputs), statuses_of(Basic::Open));
    scene.close();
}

// PA-14, PA-75: nothing is signed that is not to be told, be there a pace or not.
#[test]
fn what_does_not_fire_is_not_protected() {
    for rates in ["", ";max-rate=0.02"] {
        let mut scene = Scene::new();
        scene.rules().protection = Protection::Signed;
        scene.set_devices(Basic::Closed, "busy");
        let message = scene
            .subscribe(ANA, BOB)
            .with("Event", &format!("presence{rates}"));
        let message = message.with("Accept", "application/pidf+xml, multipart/signed");
        let filter = of_presence(Filter::new("1").when(opens()));
        let outputs = scene.send(&bearing(message, &filter));
        assert_eq!(signed(&mut scene, &outputs), devices(Basic::Closed, "busy"));
        scene.pass(10.0);
        let mut outputs = scene.set_devices(Basic::Closed, "free");
        outputs.all.extend(scene.pass(60.0).all);
        assert!(outputs.all.is_empty(), "{rates}: {outputs:?}");
        assert_eq!(scene.role.counters().protections(), 1);
        let outputs = scene.set_devices(Basic::Open, "free");
        assert_eq!(signed(&mut scene, &outputs), devices(Basic::Open, "free"));
        scene.close();
    }
}

// PA-13, PA-14: a filter that came signed or encrypted, and was opened.
#[test]
fn a_filter_may_be_wrapped() {
    let mut scene = Scene::configured(|config| config.server.opens_bodies = true);
    scene.set_devices(Basic::Open, "busy");
    let wrapped = |scene: &mut Scene, message: &Message, filter: &Filter| {
        let outputs = scene.send(message);
        let [Output::Open(opening)] = &outputs.all[..] else {
            panic!("{outputs:?}");
        };
        let body = of_presence(filter.clone()).write().unwrap();
        let mut opened = Opened::new(TYPE.to_owned(), body);
        opened.is_encrypted = true;
        let now = scene.now;
        assert!(scene.role.complete_opening(now, opening.key, Ok(opened)));
        scene.drain()
    };
    let message = scene.subscribe(ANA, BOB);
    let message = message
        .with("Content-Type", "application/pkcs7-mime")
        .with_body("sealed");
    let outputs = wrapped(&mut scene, &message, &statuses());
    assert_eq!(read(outputs.notify()), statuses_of(Basic::Open));
    let mut watch = Watch::begun(message, &outputs);
    scene.answer_all(&outputs);
    let notes = Filter::new("1").include("/pidf:presence/pidf:note");
    let refresh = watch.refresh();
    let outputs = wrapped(&mut scene, &refresh, &notes);
    assert_eq!(outputs.status(), 200);
    assert_eq!(
        read(outputs.notify()),
        Presence::new(BOB).with_note("in Paris")
    );
    scene.answer_all(&outputs);
    let refresh = watch.refresh();
    let bad = Filter::new("2").include("/pidf:presence/pidf:note");
    let outputs = wrapped(&mut scene, &refresh, &bad);
    assert_eq!(outputs.status(), 488);
    scene.close();
}

// PA-14
#[test]
fn a_fetch_may_have_a_filter() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&bearing(message, &of_presence(statuses().when(opens()))));
    assert_eq!(outputs.status(), 200);
    assert_eq!(read(outputs.notify()), statuses_of(Basic::Open));
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-14
#[test]
fn those_who_see_the_same_share_it() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    let first = scene.watch_through(statuses());
    // The part, and the whole that it is made of.
    assert_eq!(scene.role.occupancy().variants, 2);
    // The same, said otherwise.
    let set = FilterSet::new()
        .bind("p", "urn:ietf:params:xml:ns:pidf")
        .with(
            Filter::new("else")
                .for_uri(BOB)
                .include("//p:tuple/p:status/p:basic"),
        );
    let message = scene.subscribe(CARLA, BOB);
    let second = scene.watch_by(bearing(message, &set));
    let shared =
        |one: &Bytes, other: &Bytes| (one.as_ptr(), one.len()) == (other.as_ptr(), other.len());
    assert!(shared(first.notify.body(), second.notify.body()));
    scene.watch_as(DORA);
    assert_eq!(scene.role.occupancy().variants, 2);
    scene.watch_through_as(DORA, statuses().when(opens()));
    assert_eq!(scene.role.occupancy().variants, 3);
    let told = scene.told(devices(Basic::Closed, "busy"));
    assert_eq!(told.len(), 3);
    assert!(shared(told[0].body(), told[1].body()));
    let outputs = scene.terminate_all();
    assert_eq!(outputs.requests().len(), 4);
    scene.answer_all(&outputs);
    assert_eq!(scene.role.occupancy().variants, 0);
    scene.empty();
}

impl Scene {
    fn terminate_all(&mut self) -> Outputs {
        use presentity::event::{Reason, Termination};
        let now = self.now;
        self.role
            .terminate_all(now, Termination::new(Reason::Deactivated));
        self.drain()
    }
}

// PA-14: memory is bounded; what is forgotten counts as a change that is waited for.
#[test]
fn what_is_not_remembered_is_told_once_too_often() {
    let mut scene = Scene::configured(|config| config.server.limits.history = 0);
    scene.set_devices(Basic::Open, "busy");
    scene.watch_through(Filter::new("1").when(opens()));
    assert_eq!(scene.tells(devices(Basic::Open, "free")), 1);
    // The same state is none.
    assert_eq!(scene.tells(devices(Basic::Open, "free")), 0);
    scene.close();
}

// PA-14: what was taken at first may be found unbearable later.
#[test]
fn a_subscription_may_end_for_its_filter() {
    let mut scene = Scene::new();
    scene.set_devices(Basic::Open, "busy");
    scene.watch_through(statuses());
    let outputs = scene.terminate(Reason::BadFilter);
    let notify = outputs.notify();
    assert_eq!(state_of(notify), "terminated;reason=badfilter");
    assert!(notify.body().is_empty());
    scene.answer_all(&outputs);
    scene.close();
}
