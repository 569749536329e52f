//! What the benchmarks have in common: a population of subscriptions, and one reference message.
//!
//! The reference message is a NOTIFY of 890 octets with its Via line and an entity-tag, without Record-Route, with a
//! document of one tuple. Every message has the same length, whoever watches whom.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "no part of the library; each benchmark uses its part"
)]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, Entropy, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Decision, Identity, Output, Protection, ProtectionJob,
    ProtectionQuery, RequestContext, SubscribeQuery, View,
};
use presentity::pidf::{Note, Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::{RequestRef, ResponseRef};

/// Virtual time between two requests: the 32 s memory of requests holds some 3,200 of them.
const STEP: Duration = Duration::from_millis(10);
/// As long as no benchmark lasts.
const DAY: u32 = 86_400;
/// Octets of the reference NOTIFY.
pub const REFERENCE: usize = 890;
/// What most watchers take.
const PIDF: &str = "application/pidf+xml";
/// The host's line in front of each NOTIFY.
pub const VIA: &str = "Via: SIP/2.0/UDP pa.example.com:5060;branch=z9hG4bK7f3a19c2d45be608\r\n";

/// Everybody sees everything.
#[derive(Debug)]
pub struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    /// Whoever takes signed documents gets them.
    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        match query.accepts_signed {
            true => Protection::Signed,
            false => Protection::None,
        }
    }
}

/// xorshift64*: the same numbers in each run.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

pub fn entropy() -> impl Entropy + Send + 'static {
    let mut random = Random::new(7);
    move |buffer: &mut [u8]| {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A SUBSCRIBE as a host's parser would hold it, with thirteen fields, and whom it comes from.
#[derive(Debug)]
pub struct Subscribe {
    uri: String,
    fields: Vec<(&'static str, String)>,
    body: Bytes,
    identity: Identity,
}

impl Subscribe {
    fn new(dialog: &Dialog, tag: Option<&str>, cseq: u32, expires: u32) -> Self {
        let Dialog {
            watcher,
            presentity,
            ..
        } = dialog;
        let from = format!("sip:watcher-{watcher:07}@example.net");
        let uri = presentity_uri(*presentity);
        let to_tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let fields = vec![
            (
                "Via",
                format!("SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK{watcher:07}{cseq:05};rport"),
            ),
            ("Max-Forwards", "69".into()),
            ("From", format!("<{from}>;tag=wt{watcher:07}")),
            ("To", format!("<{uri}>{to_tag}")),
            ("Call-ID", format!("c0ffee-{watcher:07}@192.0.2.9")),
            ("CSeq", format!("{cseq} SUBSCRIBE")),
            (
                "Contact",
                format!("<sip:watcher-{watcher:07}@192.0.2.9:5062>"),
            ),
            ("Event", "presence".into()),
            ("Accept", dialog.accept.into()),
            ("Expires", expires.to_string()),
            ("Supported", "replaces, outbound".into()),
            ("User-Agent", "Desk phone 7.1".into()),
            ("Content-Length", "0".into()),
        ];
        Self {
            uri,
            fields,
            body: Bytes::new(),
            identity: Identity::of(&from, Assurance::Digest).expect("a user"),
        }
    }

    /// Nothing of it is copied.
    pub fn view(&self) -> RequestRef<'_> {
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        RequestRef::new("SUBSCRIBE", &self.uri, fields, &self.body)
    }
}

pub fn presentity_uri(presentity: u64) -> String {
    format!("sip:person-{presentity:07}@example.com")
}

/// A document of one tuple, and another of the same length.
pub fn document(presentity: u64, odd: bool) -> Presence {
    let note = if odd {
        "In a meeting on the third floor until noon; the pager works as usual"
    } else {
        "Having a lunch in the canteen by the river; the pager works as usual"
    };
    let uri = presentity_uri(presentity);
    let contact = format!("sip:person-{presentity:07}@desk.example.com;transport=tcp");
    let tuple = Tuple::open("desk")
        .with_contact(contact)
        .with_note(Note::new(note).in_language("en"))
        .with_timestamp(time::OffsetDateTime::UNIX_EPOCH)
        .expect("a time that can be written");
    Presence::new(uri).with_tuple(tuple)
}

/// What a watcher keeps of its subscription.
#[derive(Debug, Clone)]
pub struct Dialog {
    watcher: u64,
    presentity: u64,
    tag: [u8; 13],
    cseq: u32,
    accept: &'static str,
}

impl Dialog {
    fn new(watcher: u64, presentity: u64) -> Self {
        Self {
            accept: PIDF,
            watcher,
            presentity,
            tag: [0; 13],
            cseq: 1,
        }
    }

    fn tag(&self) -> &str {
        std::str::from_utf8(&self.tag).expect("letters and digits")
    }
}

/// An agent with its watchers, on virtual time.
#[derive(Debug)]
pub struct Population<P: Policy = Open> {
    pub agent: Agent<P>,
    pub now: Timestamp,
    pub dialogs: Vec<Dialog>,
    pub random: Random,
    presentities: u64,
    watchers: u64,
    odd: bool,
}

impl Population {
    /// Nobody watches yet; every presentity has a document.
    pub fn new(presentities: u64, configure: impl FnOnce(&mut AgentConfig)) -> Self {
        Self::ruled_by(Open, presentities, configure)
    }

    /// So many subscriptions, each of another watcher, the presentities taken in turn.
    pub fn with_subscriptions(presentities: u64, subscriptions: u64) -> Self {
        let mut this = Self::new(presentities, |_| ());
        this.dialogs.reserve_exact(subscriptions as usize + 1024);
        for _ in 0..subscriptions {
            let presentity = this.watchers % presentities;
            this.grow(presentity);
        }
        this.rest();
        this
    }

    pub fn initial(dialog: &Dialog) -> Subscribe {
        Subscribe::new(dialog, None, 1, DAY)
    }

    pub fn fetch(dialog: &Dialog) -> Subscribe {
        Subscribe::new(dialog, None, 1, 0)
    }

    pub fn again(dialog: &mut Dialog, end: bool) -> Subscribe {
        dialog.cseq += 1;
        let expires = if end { 0 } else { DAY };
        Subscribe::new(dialog, Some(dialog.tag()), dialog.cseq, expires)
    }

    pub fn enter(dialog: &mut Dialog, tag: Option<[u8; 13]>) {
        dialog.tag = tag.expect("a tag");
    }
}

impl<P: Policy> Population<P> {
    /// Nobody watches yet; every presentity has a document.
    pub fn ruled_by(
        policy: P,
        presentities: u64,
        configure: impl FnOnce(&mut AgentConfig),
    ) -> Self {
        let mut config = AgentConfig::default();
        config.server.max_expires = DAY;
        // Numbers of as many digits in every message.
        config.server.initial_cseq = 10_000;
        config.server.notify_interval = Duration::ZERO;
        configure(&mut config);
        let mut this = Self {
            agent: Agent::new(config, policy, entropy()),
            now: Timestamp::from_secs(1),
            dialogs: Vec::new(),
            random: Random::new(11),
            presentities,
            watchers: 0,
            odd: false,
        };
        for presentity in 0..presentities {
            this.set(presentity, false);
        }
        this
    }

    /// Lets the memory of requests run empty and coarse timers move.
    pub fn rest(&mut self) {
        for _ in 0..40 {
            self.now = self.now + Duration::from_secs(1);
            self.agent.handle_timeout(self.now);
            assert!(self.agent.poll_output().is_none());
        }
    }

    /// Another state of a presentity.
    pub fn change(&mut self, presentity: u64) {
        self.odd = !self.odd;
        self.set(presentity, self.odd);
    }

    fn set(&mut self, presentity: u64, odd: bool) {
        self.agent
            .set_presence(
                self.now,
                &presentity_uri(presentity),
                document(presentity, odd),
            )
            .expect("a presentity");
    }

    pub fn step(&mut self) -> Timestamp {
        self.now = self.now + STEP;
        self.now
    }

    /// A watcher that was not there before, for a presentity.
    pub fn newcomer(&mut self, presentity: u64) -> Dialog {
        self.watchers += 1;
        Dialog::new(self.watchers, presentity)
    }

    pub fn any_presentity(&mut self) -> u64 {
        self.random.below(self.presentities as usize) as u64
    }

    /// Hands a request in, takes its 200 and its NOTIFY; gives the tag and the transaction.
    #[inline]
    pub fn exchange(
        &mut self,
        view: &RequestRef<'_>,
        subscribe: &Subscribe,
    ) -> (Option<[u8; 13]>, ClientTransaction) {
        let now = self.step();
        let context = RequestContext::new(&subscribe.identity, "sip:pa.example.com:5060");
        self.agent
            .handle_request(now, ServerTransaction(1), view, &context)
            .expect("no backlog");
        let (mut tag, mut transaction) = (None, None);
        while let Some(output) = self.agent.poll_output() {
            match &output {
                Output::Respond(response) => {
                    assert_eq!(response.status(), 200);
                    tag = response
                        .to_tag()
                        .and_then(|tag| tag.as_bytes().try_into().ok());
                }
                Output::Send(request) => transaction = Some(request.transaction()),
                _ => {}
            }
            drop(black_box(output));
        }
        (tag, transaction.expect("a NOTIFY"))
    }

    /// Answers a NOTIFY by 200.
    pub fn answer(&mut self, transaction: ClientTransaction) {
        let body = Bytes::new();
        let response = ResponseRef::new(200, [], &body);
        self.agent.handle_response(self.now, transaction, &response);
    }

    /// A new subscription with all that belongs to it.
    pub fn join(&mut self, dialog: &mut Dialog) {
        let subscribe = Population::initial(dialog);
        let (tag, transaction) = self.exchange(&subscribe.view(), &subscribe);
        self.answer(transaction);
        Population::enter(dialog, tag);
    }

    /// A new subscription that stays.
    pub fn grow(&mut self, presentity: u64) {
        let mut dialog = self.newcomer(presentity);
        self.join(&mut dialog);
        self.dialogs.push(dialog);
    }

    /// The same, of one that takes signed documents. `sign` is called for those that have to be made.
    pub fn grow_signed(
        &mut self,
        presentity: u64,
        sign: &mut impl FnMut(&mut Agent<P>, ProtectionJob),
    ) {
        let mut dialog = self.newcomer(presentity);
        dialog.accept = "application/pidf+xml, multipart/signed";
        let subscribe = Population::initial(&dialog);
        let now = self.step();
        let context = RequestContext::new(&subscribe.identity, "sip:pa.example.com:5060");
        self.agent
            .handle_request(now, ServerTransaction(1), &subscribe.view(), &context)
            .expect("no backlog");
        let mut transaction = None;
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Protect(job) => sign(&mut self.agent, *job),
                Output::Send(request) => transaction = Some(request.transaction()),
                _ => {}
            }
        }
        self.answer(transaction.expect("a NOTIFY"));
    }

    /// The end of a subscription with all that belongs to it.
    pub fn leave(&mut self, dialog: &mut Dialog) {
        let subscribe = Population::again(dialog, true);
        let (_, transaction) = self.exchange(&subscribe.view(), &subscribe);
        self.answer(transaction);
    }
}
