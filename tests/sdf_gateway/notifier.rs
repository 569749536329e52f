//! A notifier of the test's making.

use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::RequestContext;
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};

use crate::common::{Message, field};
use crate::scene::{Far, FarOutput};

/// Nobody, for tests that answer by themselves.
#[derive(Debug)]
pub struct Nowhere;

impl Far for Nowhere {
    fn request(
        &mut self,
        _: Timestamp,
        _: ServerTransaction,
        request: &RequestRef<'_>,
        _: &RequestContext<'_>,
    ) {
        panic!("nobody expects {request:?}");
    }

    fn response(&mut self, _: Timestamp, _: ClientTransaction, _: &ResponseRef<'_>) {}

    fn timeout(&mut self, _: Timestamp) {}

    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    fn poll(&mut self, _: Timestamp) -> Option<FarOutput> {
        None
    }

    fn is_quiet(&self) -> bool {
        true
    }
}

/// A notifier's side of a dialog.
#[derive(Debug, Clone)]
pub struct Notifier {
    pub tag: &'static str,
    cseq: u32,
    call_id: String,
    watcher: String,
    resource: String,
    contact: String,
}

impl Notifier {
    /// One that was asked by this SUBSCRIBE.
    pub fn of(subscribe: &OutgoingRequest, tag: &'static str) -> Self {
        let of = |name: &str| field(subscribe, name).unwrap().to_owned();
        let contact = of("Contact");
        let (_, contact) = contact.split_once('<').unwrap();
        Self {
            tag,
            cseq: 10,
            call_id: of("Call-ID"),
            watcher: of("From"),
            resource: of("To"),
            contact: contact.split_once('>').unwrap().0.to_owned(),
        }
    }

    /// The To of its responses.
    pub fn to(&self) -> String {
        format!("{};tag={}", self.resource, self.tag)
    }

    /// The next NOTIFY, without a body.
    pub fn notify(&mut self, state: &str) -> Message {
        self.cseq += 1;
        Message::new("NOTIFY", "sip:x@y", &self.contact, &self.call_id)
            .with("From", &self.to())
            .with("To", &self.watcher)
            .with("Contact", "<sip:pa@198.51.100.3>")
            .with("Event", "presence")
            .with("Subscription-State", state)
            .with_cseq(self.cseq)
    }

    /// The next NOTIFY, with a document.
    pub fn tell(&mut self, state: &str, document: &str) -> Message {
        self.notify(state)
            .with("Content-Type", "application/pidf+xml")
            .with_body(document)
    }
}
