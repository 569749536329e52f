//! A watcher with its buddies, and the notifiers that they have.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "no part of the library; each benchmark uses its part"
)]

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{Account, Identity, OwnSubscriptionKey, RequestContext};
use presentity::presence::{WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};

use crate::common::{VIA, document, entropy, presentity_uri};

const CONTACT: &str = "sip:gateway@192.0.2.9:5062";

/// A subscription as its notifier holds it.
#[derive(Debug)]
pub struct Buddy {
    pub key: OwnSubscriptionKey,
    call_id: String,
    watcher: String,
    presentity: u64,
    cseq: u32,
}

/// A NOTIFY as a host's parser would hold it.
#[derive(Debug)]
pub struct Notify {
    fields: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Notify {
    /// Nothing of it is copied.
    pub fn view(&self) -> RequestRef<'_> {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, value)| (*name, value.as_str()));
        RequestRef::new("NOTIFY", CONTACT, fields, &self.body)
    }
}

/// One watcher of as many presentities as it likes, on virtual time.
#[derive(Debug)]
pub struct Buddies {
    pub watcher: Watcher,
    pub now: Timestamp,
    pub buddies: Vec<Buddy>,
    pub changes: u64,
    account: Account,
    transactions: u64,
    octets: Vec<u8>,
    /// Requests that came out with something else.
    sent: Vec<OutgoingRequest>,
}

impl Buddies {
    pub fn new() -> Self {
        let account = Account::new("sip:gateway@example.net").expect("a user");
        let account = account.with_contact(CONTACT).expect("a contact");
        Self {
            watcher: Watcher::new(WatcherConfig::default(), entropy()),
            now: Timestamp::from_secs(1),
            buddies: Vec::new(),
            changes: 0,
            account,
            transactions: 0,
            octets: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Watches so many more, each of which says how it is when `with_document` says so.
    pub fn grow(&mut self, count: u64, with_document: bool) {
        for _ in 0..count {
            let presentity = self.buddies.len() as u64;
            let uri = presentity_uri(presentity);
            let order = WatchOrder::new(&self.account, &uri);
            let key = self.watcher.watch(self.now, order).expect("a right order");
            let Some(WatcherOutput::Send(request)) = self.watcher.poll_output() else {
                panic!("a SUBSCRIBE");
            };
            let field = |name: &str| {
                let found = request.fields().find(|(other, _)| *other == name);
                found.expect("a field").1.to_owned()
            };
            let buddy = Buddy {
                key,
                call_id: field("Call-ID"),
                watcher: field("From"),
                presentity,
                cseq: 10_000,
            };
            self.accept(&request);
            self.buddies.push(buddy);
            let body = with_document.then(|| written(presentity, false));
            let notify = self.notify(presentity as usize, body.unwrap_or_default());
            self.take(&notify.view());
        }
    }

    pub fn accept(&mut self, request: &OutgoingRequest) {
        let none = Bytes::new();
        let response = ResponseRef::new(200, [("Expires", "3600")], &none);
        let transaction = request.transaction();
        self.watcher
            .handle_response(self.now, transaction, &response);
    }

    /// The next NOTIFY of a notifier.
    pub fn notify(&mut self, buddy: usize, body: Bytes) -> Notify {
        let buddy = &mut self.buddies[buddy];
        buddy.cseq += 1;
        let (presentity, cseq) = (buddy.presentity, buddy.cseq);
        let uri = presentity_uri(presentity);
        let fields = vec![
            (
                "Via",
                format!("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{presentity:07}{cseq}"),
            ),
            ("Max-Forwards", "69".into()),
            ("From", format!("<{uri}>;tag=n{presentity:07}")),
            ("To", buddy.watcher.clone()),
            ("Call-ID", buddy.call_id.clone()),
            ("CSeq", format!("{cseq} NOTIFY")),
            ("Contact", "<sip:192.0.2.1:5060>".into()),
            ("Event", "presence".into()),
            ("Subscription-State", "active;expires=3600".into()),
            ("Content-Type", "application/pidf+xml".into()),
            ("Content-Length", body.len().to_string()),
        ];
        Notify { fields, body }
    }

    /// Hands a NOTIFY in and does what comes out.
    pub fn take(&mut self, request: &RequestRef<'_>) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, CONTACT);
        let taken = self
            .watcher
            .handle_request(self.now, transaction, request, &context);
        taken.expect("room");
        let mut answered = false;
        while let Some(output) = self.watcher.poll_output() {
            match output {
                WatcherOutput::Respond(response) => answered = response.status() == 200,
                WatcherOutput::Event(WatcherEvent::Changed(change)) => {
                    // Everything differs where nothing was known.
                    let told = change.difference().is_none_or(|it| !it.tuples.is_empty());
                    self.changes += u64::from(told);
                }
                WatcherOutput::Send(request) => self.sent.push(request),
                _ => {}
            }
        }
        assert!(answered);
    }

    /// Lets everything be refreshed once that is due within the hour; how many were.
    pub fn refresh_all(&mut self, body: impl Fn(u64) -> Bytes) -> u64 {
        let mut refreshed = 0;
        let end = self.now + core::time::Duration::from_secs(3_400);
        while let Some(next) = self.watcher.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.watcher.handle_timeout(self.now);
            loop {
                let request = match self.sent.pop() {
                    Some(request) => request,
                    None => match self.watcher.poll_output() {
                        Some(WatcherOutput::Send(request)) => request,
                        Some(_) => continue,
                        None => break,
                    },
                };
                self.octets.clear();
                request.write_to(VIA, &mut self.octets);
                self.accept(&request);
                let to = request.fields().find(|(name, _)| *name == "To");
                let buddy = number_of(to.expect("To").1);
                let body = body(buddy as u64);
                let notify = self.notify(buddy, body);
                self.take(&notify.view());
                refreshed += 1;
            }
        }
        refreshed
    }
}

/// The number in the tag of a notifier.
fn number_of(to: &str) -> usize {
    let (_, tag) = to.split_once(";tag=n").expect("a tag");
    tag.parse().expect("a number")
}

/// The reference document, about 370 octets.
pub fn written(presentity: u64, odd: bool) -> Bytes {
    document(presentity, odd).write().expect("a right document")
}
