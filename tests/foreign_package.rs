//! An event package that the crate does not know, added from outside by the trait alone.

mod common;

use bytes::Bytes;
use common::{Driver, Message, body_of, field, response_field, seeded, state_of};
use presentity::event::{
    Authorization, Decision, Package, Profile, PublishedBody, Rejection, RenderRequest, Server,
    ServerConfig, SubscribeQuery, Unreadable, Unserved, View, Visibility,
};
use presentity::sip::Uri;

/// Messages that wait for a user (RFC 3842): a count that the application sets.
#[derive(Debug)]
struct MessageSummary {
    profile: Profile,
}

impl MessageSummary {
    fn new() -> Self {
        let mut profile = Profile::new("message-summary", &["application/simple-message-summary"]);
        profile.default_expires = 1800;
        Self { profile }
    }
}

impl Package for MessageSummary {
    type State = u32;
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        match uri {
            Uri::Sip(_) => uri.address_of_record().ok_or(Unserved::NotHere),
            _ => Err(Unserved::Scheme),
        }
    }

    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        // A mailbox is its owner's alone.
        match query.watcher() {
            None => Authorization::Challenge,
            Some(watcher) if watcher == query.resource() => Decision::Allow(View::full()).into(),
            Some(_) => Decision::Reject(Rejection::Forbidden).into(),
        }
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new("nothing is published here"))
    }

    fn render(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut u32,
        _: &[(u64, &())],
    ) -> Option<Bytes> {
        assert_eq!(*request.visibility, Visibility::View(View::full()));
        let waiting = if *state > 0 { "yes" } else { "no" };
        Some(format!("Messages-Waiting: {waiting}\r\nVoice-Message: {state}/0\r\n").into())
    }

    fn is_lasting(&self, state: &u32) -> bool {
        *state > 0
    }
}

fn server() -> Driver<Server<MessageSummary>> {
    Driver::new(Server::new(
        MessageSummary::new(),
        ServerConfig::default(),
        seeded(1),
    ))
}

fn subscribe(call: &str) -> Message {
    Message::subscribe("sip:erin@example.com", "sip:erin@example.com", call)
        .with("Event", "message-summary")
}

#[test]
fn it_is_served_as_presence_is() {
    let mut driver = server();
    let outputs = driver.send(&subscribe("a").without("Expires"));
    assert_eq!(outputs.status(), 200);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("1800"));
    assert_eq!(
        response_field(outputs.response(), "Allow-Events"),
        Some("message-summary")
    );
    let notify = outputs.notify();
    assert_eq!(field(notify, "Event"), Some("message-summary"));
    assert_eq!(
        field(notify, "Content-Type"),
        Some("application/simple-message-summary")
    );
    assert_eq!(state_of(notify), "active;expires=1800");
    assert_eq!(
        body_of(notify),
        "Messages-Waiting: no\r\nVoice-Message: 0/0\r\n"
    );
    driver.answer(notify, 200);

    driver
        .role
        .update_state(driver.now, "erin@example.com", |count| {
            *count = 2;
            true
        });
    let outputs = driver.drain();
    assert_eq!(
        body_of(outputs.notify()),
        "Messages-Waiting: yes\r\nVoice-Message: 2/0\r\n"
    );
    driver.answer_all(&outputs);

    let outputs = driver.pass(1800.1);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    driver.answer_all(&outputs);
    assert_eq!(driver.role.occupancy().subscriptions, 0);
    assert_eq!(driver.role.occupancy().resources, 1, "the count is kept");
    driver
        .role
        .update_state(driver.now, "erin@example.com", |count| {
            *count = 0;
            true
        });
    assert_eq!(driver.role.occupancy(), Default::default());
}

#[test]
fn its_own_rules_hold() {
    let mut driver = server();
    assert_eq!(
        driver
            .send(&subscribe("a").with("Event", "presence"))
            .status(),
        489
    );
    let other = subscribe("b").with("From", "<sip:mallory@example.com>;tag=1");
    assert_eq!(driver.send(&other).status(), 403);
    let message =
        Message::publish("sip:erin@example.com", "c", "x").with("Event", "message-summary");
    let outputs = driver.send(&message);
    assert_eq!(outputs.status(), 405);
    assert_eq!(
        response_field(outputs.response(), "Allow"),
        Some("SUBSCRIBE")
    );
    assert_eq!(driver.role.occupancy(), Default::default());
}
