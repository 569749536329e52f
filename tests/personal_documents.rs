//! A package from outside whose documents are each subscription's own: what a watcher was told decides
//! what it is told next.

mod common;

use bytes::Bytes;
use common::{Driver, Message, Outputs, body_of, field, seeded, state_of};
use presentity::event::{
    Authorization, Decision, DirectRequest, Documents, Identity, Output, Package, Personal,
    PersonalRequest, Profile, Protection, ProtectionQuery, PublishedBody, RefusedDirect,
    RenderRequest, Server, ServerConfig, SubscribeQuery, SubscriptionKey, Unreadable, Unserved,
    View, Visibility,
};
use presentity::sip::Uri;

/// Lines that one document has at most.
const MOST: usize = 2;

/// A journal: each watcher gets the lines that it has not seen, those to it alone or to all.
#[derive(Debug)]
struct Journal {
    profile: Profile,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<(Option<String>, String)>,
    forgotten: Vec<SubscriptionKey>,
}

impl Package for Journal {
    type State = Lines;
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        uri.address_of_record().ok_or(Unserved::NotHere)
    }

    fn authorize_subscription(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new("nothing is published here"))
    }

    fn render(&mut self, _: &RenderRequest<'_>, _: &mut Lines, _: &[(u64, &())]) -> Option<Bytes> {
        unreachable!("there is no document for all")
    }

    fn personal(&mut self, request: &PersonalRequest<'_>, state: &mut Lines) -> Option<Personal> {
        assert!(request.is_full || request.since > 0);
        if *request.visibility == Visibility::PoliteBlock {
            return None;
        }
        let seen = match request.is_full {
            true => 0,
            false => request.since as usize - 1,
        };
        let mut news: Vec<usize> = Vec::new();
        for (place, (to, _)) in state.lines.iter().enumerate().skip(seen) {
            if to.is_none() || to.as_deref() == request.watcher {
                news.push(place);
            }
        }
        if news.is_empty() && !request.is_full {
            return None;
        }
        let kind = match (request.is_full, request.is_last) {
            (true, true) => "all, once",
            (true, false) => "all",
            (false, _) => "more",
        };
        let mut body = format!("{} {kind}:", request.number);
        for place in news.iter().take(MOST) {
            body += " ";
            body += state.lines.get(*place).map_or("", |(_, line)| line);
        }
        Some(match news.get(MOST) {
            Some(next) => Personal::new(body.into(), *next as u64 + 1).and_more(),
            None => Personal::new(body.into(), state.lines.len() as u64 + 1),
        })
    }

    fn forget(&mut self, subscription: SubscriptionKey, state: &mut Lines) {
        state.forgotten.push(subscription);
    }

    fn protection(&mut self, _: &ProtectionQuery<'_>) -> Protection {
        Protection::SignedAndEncrypted
    }

    fn is_lasting(&self, _: &Lines) -> bool {
        true
    }
}

fn server() -> Driver<Server<Journal>> {
    let mut profile =
        Profile::new("journal", &["text/plain"]).with_event_type(["journal", "news"].join("."));
    profile.documents = Documents::Personal;
    let config = ServerConfig::default();
    Driver::new(Server::new(Journal { profile }, config, seeded(7)))
}

fn subscribe(who: &str) -> Message {
    Message::subscribe(
        &format!("sip:{who}@example.com"),
        "sip:log@example.com",
        who,
    )
    .with("Event", "journal.news")
}

fn write(driver: &mut Driver<Server<Journal>>, to: Option<&str>, line: &str) -> Outputs {
    driver
        .role
        .update_state(driver.now, "log@example.com", |state| {
            let to = to.map(|to| format!("{to}@example.com"));
            state.lines.push((to, line.into()));
            true
        });
    driver.drain()
}

fn bodies(outputs: &Outputs) -> Vec<&str> {
    outputs.requests().into_iter().map(body_of).collect()
}

#[test]
fn each_watcher_is_told_what_it_has_not_seen() {
    let mut driver = server();
    write(&mut driver, None, "one");
    let outputs = driver.send(&subscribe("ana"));
    assert_eq!(outputs.status(), 200);
    assert_eq!(field(outputs.notify(), "Event"), Some("journal.news"));
    assert_eq!(field(outputs.notify(), "Content-Type"), Some("text/plain"));
    assert_eq!(bodies(&outputs), ["0 all: one"]);
    driver.answer_all(&outputs);
    driver.subscribed(&subscribe("bob"));

    let outputs = write(&mut driver, Some("ana"), "two");
    assert_eq!(bodies(&outputs), ["1 more: two"]);
    driver.answer_all(&outputs);
    assert!(write(&mut driver, None, "three").all.is_empty(), "too soon");
    let outputs = driver.pass(5.1);
    assert_eq!(bodies(&outputs), ["2 more: three", "1 more: three"]);
    driver.answer_all(&outputs);
    let outputs = driver.pass(5.1);
    assert!(outputs.all.is_empty(), "{outputs:?}");
    let outputs = write(&mut driver, Some("bob"), "four");
    assert_eq!(bodies(&outputs), ["2 more: four"]);
}

#[test]
fn a_subscribe_is_told_everything() {
    let mut driver = server();
    let tag = driver.subscribed(&subscribe("ana"));
    let outputs = write(&mut driver, None, "one");
    driver.answer_all(&outputs);
    let again = subscribe("ana").in_dialog(&tag, 2);
    let outputs = driver.send(&again);
    assert_eq!(bodies(&outputs), ["2 all: one"], "at once");
    driver.answer_all(&outputs);
    let fetch = subscribe("eve").with("Expires", "0");
    let outputs = driver.send(&fetch);
    assert_eq!(bodies(&outputs), ["0 all, once: one"]);
    driver.answer_all(&outputs);
    let end = subscribe("ana").in_dialog(&tag, 3).with("Expires", "0");
    let outputs = driver.send(&end);
    assert_eq!(bodies(&outputs), ["3 all, once: one"]);
    driver.answer_all(&outputs);
    assert_eq!(driver.role.occupancy().subscriptions, 0);
    let state = |state: &mut Lines| {
        let mut keys = state.forgotten.clone();
        keys.dedup();
        assert_eq!(keys.len(), 2);
        assert_eq!(state.forgotten.len(), 2);
        false
    };
    driver
        .role
        .update_state(driver.now, "log@example.com", state);
}

#[test]
fn what_did_not_arrive_is_told_again() {
    let mut driver = server();
    driver.subscribed(&subscribe("ana"));
    let outputs = write(&mut driver, None, "one");
    assert_eq!(bodies(&outputs), ["1 more: one"]);
    assert!(driver.answer(outputs.notify(), 500).requests().is_empty());
    driver.pass(5.1);
    let outputs = write(&mut driver, None, "two");
    assert_eq!(bodies(&outputs), ["2 all: one two"]);
    driver.answer_all(&outputs);
    driver.pass(5.1);

    // With patience asked for, everything comes then.
    let outputs = write(&mut driver, Some("ana"), "three");
    driver.answer_with(outputs.notify(), 503, &[("Retry-After", "30")]);
    let outputs = driver.pass(30.1);
    assert_eq!(bodies(&outputs), ["4 all: one two"]);
    // And what is left over follows.
    let outputs = driver.answer_all(&outputs);
    assert_eq!(bodies(&outputs), ["5 more: three"]);
}

#[test]
fn a_challenged_one_is_told_again_with_everything() {
    let mut driver = server();
    driver.subscribed(&subscribe("ana"));
    let outputs = write(&mut driver, None, "one");
    let challenge = [(
        "WWW-Authenticate",
        "Digest realm=\"example.com\", nonce=\"x\"",
    )];
    let outputs = driver.answer_with(outputs.notify(), 401, &challenge);
    let [Output::NeedCredentials(need)] = &outputs.all[..] else {
        panic!("{outputs:?}");
    };
    assert!(
        driver
            .role
            .provide_credentials(driver.now, need.transaction(), "Digest x")
    );
    let outputs = driver.drain();
    assert_eq!(bodies(&outputs), ["2 all: one"]);
    driver.answer_all(&outputs);
    driver.pass(5.1);

    let outputs = write(&mut driver, None, "two");
    let outputs = driver.answer_with(outputs.notify(), 401, &challenge);
    let [Output::NeedCredentials(need)] = &outputs.all[..] else {
        panic!("{outputs:?}");
    };
    assert!(
        driver
            .role
            .decline_credentials(driver.now, need.transaction())
    );
    driver.pass(5.1);
    let outputs = write(&mut driver, Some("bob"), "three");
    assert_eq!(bodies(&outputs), ["4 all: one two"]);
}

#[test]
fn more_follows_when_it_has_arrived() {
    let mut driver = server();
    for line in ["a", "b", "c", "d", "e"] {
        write(&mut driver, None, line);
    }
    let outputs = driver.send(&subscribe("ana"));
    assert_eq!(bodies(&outputs), ["0 all: a b"]);
    assert!(
        driver.pass(9.0).requests().is_empty(),
        "not before it is answered"
    );
    let outputs = driver.answer_all(&outputs);
    assert_eq!(bodies(&outputs), ["1 more: c d"]);
    // A change in between does not hide the rest, nor hurry it.
    assert!(write(&mut driver, None, "f").all.is_empty());
    assert!(driver.answer_all(&outputs).requests().is_empty());
    let outputs = driver.pass(5.1);
    assert_eq!(bodies(&outputs), ["2 more: e f"]);
    driver.answer_all(&outputs);
    assert!(driver.pass(20.0).requests().is_empty());
}

#[test]
fn one_who_refuses_is_not_plied_with_more() {
    let mut driver = server();
    for line in ["a", "b", "c"] {
        write(&mut driver, None, line);
    }
    let outputs = driver.send(&subscribe("ana"));
    driver.answer(outputs.notify(), 500);
    assert!(driver.pass(60.0).requests().is_empty());
    let outputs = write(&mut driver, None, "d");
    assert_eq!(bodies(&outputs), ["1 all: a b"]);
}

#[test]
fn a_change_while_one_is_open_is_told_afterwards() {
    let mut driver = server();
    let first = driver.send(&subscribe("ana"));
    assert!(write(&mut driver, None, "one").requests().is_empty());
    let outputs = driver.answer_all(&first);
    assert_eq!(bodies(&outputs), ["1 more: one"]);
    // One who is not answered at all is gone.
    driver.role.handle_failure(
        driver.now,
        outputs.notify().transaction(),
        presentity::event::Failure::Timeout,
    );
    driver.drain();
    assert_eq!(driver.role.occupancy().subscriptions, 0);
}

#[test]
fn what_is_decided_is_shown_to_it_alone() {
    let mut driver = server();
    write(&mut driver, None, "one");
    driver.subscribed(&subscribe("ana"));
    driver.subscribed(&subscribe("bob"));
    let (ana, all) = ("ana@example.com", "log@example.com");
    let decided = driver
        .role
        .decide_watcher(driver.now, ana, all, &Decision::PoliteBlock);
    assert_eq!(decided, 1);
    let outputs = driver.drain();
    assert_eq!(bodies(&outputs), [""]);
    assert_eq!(field(outputs.notify(), "Content-Type"), None);
    assert!(state_of(outputs.notify()).starts_with("active"));
    driver.answer_all(&outputs);
    let outputs = write(&mut driver, None, "two");
    assert_eq!(bodies(&outputs), ["1 more: two"], "bob's");
    driver.answer_all(&outputs);
    let allow = Decision::Allow(View::full());
    driver.role.decide_watcher(driver.now, ana, all, &allow);
    assert_eq!(
        bodies(&driver.drain()),
        ["1 all: one two"],
        "nothing was numbered in between"
    );
}

#[test]
fn there_is_no_protection_and_nothing_without_dialog() {
    let mut driver = server();
    let outputs = driver.send(&subscribe("ana").with("Accept", "text/plain, multipart/signed"));
    assert_eq!(outputs.status(), 200);
    assert_eq!(bodies(&outputs), ["0 all:"]);
    let nobody = Identity::nobody();
    let fetch = DirectRequest::fetch("pres:eve@example.com", "sip:log@example.com", &nobody);
    assert_eq!(
        driver.role.handle_direct(driver.now, &fetch),
        Err(RefusedDirect::Unserved)
    );
}

#[test]
fn the_subscriptions_of_one_resource_are_listed() {
    let mut driver = server();
    for who in ["ana", "bob"] {
        driver.subscribed(&subscribe(who));
    }
    let elsewhere = Message::subscribe("sip:ana@example.com", "sip:other@example.com", "c")
        .with("Event", "journal.news");
    driver.subscribed(&elsewhere);
    let listed = |driver: &Driver<Server<Journal>>| -> Vec<String> {
        let found = driver.role.subscriptions_of_resource("log@example.com");
        found.map(|it| it.watcher.unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&driver), ["ana@example.com", "bob@example.com"]);
    // One whose last NOTIFY is still open lives no more.
    driver.send(&subscribe("eve").with("Expires", "0"));
    assert_eq!(listed(&driver).len(), 2);
    assert_eq!(driver.role.subscriptions_of_resource("nothing").count(), 0);
}
