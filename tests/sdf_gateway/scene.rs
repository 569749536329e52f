//! SDF watchers, a gateway, and a far end, with the SIP messages between these two on virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Failure as SipFailure, Identity, Output as AgentOutput, RequestContext as SipContext,
    SubscriberOutput, SubscriptionEnd,
};
use presentity::mime::Verify;
use presentity::pidf::Presence;
use presentity::sdf::gateway::{RelayedState, ToSip, ToSipConfig, ToSipOutput};
use presentity::sdf::{Failure, Granted, Output, Request, RequestContext, Service, Verification};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

use crate::common::{Message, response_field, seeded};
use crate::rules::{
    BEGIN, Document, EMIL, NORA, Rules, altered, authority, clock, is_quiet, known, milliseconds,
    plain, service, token,
};

pub const GATEWAY: &str = "sip:gateway@example.org";

/// What is beyond the gateway.
pub trait Far {
    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &SipContext<'_>,
    );
    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    );
    fn timeout(&mut self, now: Timestamp);
    fn deadline(&self) -> Option<Timestamp>;
    fn poll(&mut self, now: Timestamp) -> Option<FarOutput>;
    fn is_quiet(&self) -> bool;
}

#[derive(Debug)]
pub enum FarOutput {
    Respond(Response, bool),
    Send(OutgoingRequest),
    Other,
}

impl Far for Service<Rules> {
    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &SipContext<'_>,
    ) {
        self.agent_mut()
            .handle_request(now, transaction, request, context)
            .unwrap();
    }

    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.agent_mut().handle_response(now, transaction, response);
    }

    fn timeout(&mut self, now: Timestamp) {
        self.handle_timeout(now);
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.poll_timeout()
    }

    fn poll(&mut self, now: Timestamp) -> Option<FarOutput> {
        let output = self.poll_output()?;
        let Output::Agent(output) = output else {
            panic!("nobody came by a document: {output:?}");
        };
        Some(match output {
            AgentOutput::Respond(response) => FarOutput::Respond(response, false),
            AgentOutput::Challenge(response) => FarOutput::Respond(response, true),
            AgentOutput::Send(request) => FarOutput::Send(request),
            AgentOutput::Verify(verification) => {
                let verdict = authority().verifier().verify(&verification.signed);
                let agent = self.agent_mut();
                assert!(agent.complete_verification(now, verification.key, &verdict));
                FarOutput::Other
            }
            _ => FarOutput::Other,
        })
    }

    fn is_quiet(&self) -> bool {
        is_quiet(self)
    }
}

/// What becomes of a SUBSCRIBE on its way.
#[derive(Debug, Clone)]
pub enum Fate {
    Passes,
    /// One letter of its body is another one.
    Altered,
    /// It is not answered.
    Lost,
    Unsent,
    /// Somebody on the way answers.
    Answered(u16, Vec<(&'static str, &'static str)>),
    /// It waits until the test sends it on.
    Held,
}

/// What the gateway tells SDF watchers, in order.
#[derive(Debug, Default)]
pub struct Told {
    pub all: Vec<ToSipOutput>,
}

impl Told {
    pub fn answers(&self) -> Vec<Result<Granted, Failure>> {
        let answer = |output: &ToSipOutput| match output {
            ToSipOutput::Respond { result, .. } => Some(result.clone()),
            _ => None,
        };
        self.all.iter().filter_map(answer).collect()
    }

    #[track_caller]
    pub fn granted(&self) -> Granted {
        let answers = self.answers();
        assert_eq!(answers.len(), 1, "{self:?}");
        answers[0].clone().unwrap_or_else(|why| panic!("{why}"))
    }

    #[track_caller]
    pub fn failure(&self) -> Failure {
        let answers = self.answers();
        assert_eq!(answers.len(), 1, "{self:?}");
        answers[0].clone().expect_err("a failure")
    }

    pub fn states(&self) -> Vec<&RelayedState> {
        let all = self.all.iter();
        all.filter_map(|output| match output {
            ToSipOutput::Notify(state) => Some(state),
            _ => None,
        })
        .collect()
    }

    pub fn ends(&self) -> Vec<Option<SubscriptionEnd>> {
        let end = |output: &ToSipOutput| match output {
            ToSipOutput::Ended { end, .. } => Some(end.clone()),
            _ => None,
        };
        self.all.iter().filter_map(end).collect()
    }

    pub fn verifications(&self) -> Vec<&Verification> {
        let all = self.all.iter();
        all.filter_map(|output| match output {
            ToSipOutput::Verify(verification) => Some(verification),
            _ => None,
        })
        .collect()
    }

    /// All in a few words.
    pub fn story(&self) -> Vec<String> {
        let word = |output: &ToSipOutput| match output {
            ToSipOutput::Respond {
                result: Ok(granted),
                ..
            } => {
                let pending = if granted.pending { " pending" } else { "" };
                format!("{:?} {}{pending}", granted.operation, granted.duration)
            }
            ToSipOutput::Respond {
                result: Err(failure),
                ..
            } => failure.to_string(),
            ToSipOutput::Notify(state) => {
                let name = state.token.as_deref().unwrap_or("once");
                format!("{name}: {}", note(&state.body))
            }
            ToSipOutput::Ended { token, end, .. } => match end {
                Some(end) => format!("{token} {end}"),
                None => format!("{token} has lapsed"),
            },
            other => format!("{other:?}"),
        };
        self.all.iter().map(word).collect()
    }
}

/// The first note of a document.
pub fn note(body: &Bytes) -> String {
    let document = Presence::read(body).unwrap();
    let tuple = document.tuples.first();
    let note = tuple.and_then(|tuple| tuple.notes.first());
    note.map_or_else(|| "nothing".to_owned(), |note| note.text.clone())
}

pub struct Scene<F> {
    pub now: Timestamp,
    pub gateway: ToSip,
    pub far: F,
    pub account: Account,
    /// Who has sent the SUBSCRIBEs, as the far end knows it.
    pub sender: Identity,
    /// Who has sent the documents, as the gateway knows it.
    pub watcher: Identity,
    pub fates: VecDeque<Fate>,
    pub verifies: bool,
    pub credentials: Option<&'static str>,
    pub subscribes: Vec<OutgoingRequest>,
    pub held: VecDeque<OutgoingRequest>,
    pub notifies: Vec<OutgoingRequest>,
    transactions: u64,
    asked: BTreeMap<ServerTransaction, OutgoingRequest>,
    notified: BTreeMap<ServerTransaction, ClientTransaction>,
}

impl Scene<Service<Rules>> {
    /// The far end takes the gateway's word for who the watcher is.
    pub fn new() -> Self {
        Self::with(ToSipConfig::default(), service(|_| ()))
    }

    /// It is not known to the far end.
    pub fn of_strangers() -> Self {
        let mut scene = Self::new();
        scene.sender = known(GATEWAY);
        scene.watcher = Identity::nobody();
        scene
    }

    pub fn set(&mut self, document: Presence) -> Told {
        let agent = self.far.agent_mut();
        agent.set_presence(self.now, EMIL, document).unwrap();
        self.settle()
    }

    pub fn live(&self) -> usize {
        self.far.agent().subscriptions().count()
    }

    /// Seconds that the only subscription at the far end lives.
    pub fn left_there(&self) -> f64 {
        let all: Vec<_> = self.far.agent().subscriptions().collect();
        assert_eq!(all.len(), 1);
        all[0].expires_at.saturating_since(self.now).as_secs_f64()
    }
}

impl<F: Far> Scene<F> {
    pub fn with(config: ToSipConfig, far: F) -> Self {
        let mut gateway = ToSip::new(config, seeded(3));
        gateway.set_wall_clock(BEGIN, clock(BEGIN));
        let account = Account::new(GATEWAY).unwrap();
        Self {
            now: BEGIN,
            gateway,
            far,
            account: account.with_contact("sip:192.0.2.8").unwrap(),
            sender: known(NORA),
            watcher: known(NORA),
            fates: VecDeque::new(),
            verifies: true,
            credentials: None,
            subscribes: Vec::new(),
            held: VecDeque::new(),
            notifies: Vec::new(),
            transactions: 0,
            asked: BTreeMap::new(),
            notified: BTreeMap::new(),
        }
    }

    // ---- documents --------------------------------------------------------------------------

    /// Each is newer than the one before.
    pub fn hold(&mut self, name: &str, seconds: u32) -> Request {
        self.now = self.now + milliseconds(1);
        Request::subscribe(NORA, EMIL, clock(self.now), &token(name), seconds).unwrap()
    }

    pub fn cancel(&mut self, name: &str) -> Request {
        self.now = self.now + milliseconds(1);
        Request::cancel(NORA, EMIL, clock(self.now), &token(name)).unwrap()
    }

    pub fn fetch(&mut self) -> Request {
        self.now = self.now + milliseconds(1);
        Request::fetch(NORA, EMIL, clock(self.now)).unwrap()
    }

    // ---- calls ------------------------------------------------------------------------------

    pub fn ask(&mut self, document: &Document) -> Told {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let (content_type, body) = document;
        let watcher = self.watcher.clone();
        let context = RequestContext::new(&watcher).with_addressed("sip:emil@example.com");
        self.gateway
            .handle_request(
                self.now,
                transaction,
                content_type,
                body,
                &context,
                &self.account,
            )
            .unwrap();
        self.settle()
    }

    pub fn ask_plainly(&mut self, request: &Request) -> Told {
        self.ask(&plain(request))
    }

    /// Subscribes, unsigned; gives what comes of it.
    pub fn subscribe(&mut self, name: &str, seconds: u32) -> Told {
        let request = self.hold(name, seconds);
        self.ask_plainly(&request)
    }

    pub fn end(&mut self, name: &str) -> Told {
        let request = self.cancel(name);
        self.ask_plainly(&request)
    }

    /// Carries messages to and fro until there are none.
    pub fn settle(&mut self) -> Told {
        let mut told = Told::default();
        loop {
            if let Some(output) = self.gateway.poll_output() {
                match output {
                    ToSipOutput::Sip(output) => self.carry(output),
                    ToSipOutput::Verify(verification) if self.verifies => {
                        let verdict = authority().verifier().verify(&verification.signed);
                        let key = verification.key;
                        assert!(self.gateway.complete_verification(self.now, key, &verdict));
                    }
                    output => told.all.push(output),
                }
            } else if let Some(output) = self.far.poll(self.now) {
                self.bring_back(output);
            } else {
                return told;
            }
        }
    }

    fn carry(&mut self, output: SubscriberOutput) {
        match output {
            SubscriberOutput::Send(request) => {
                self.subscribes.push(request.clone());
                let fate = self.fates.pop_front().unwrap_or(Fate::Passes);
                self.fulfil(&fate, request);
            }
            SubscriberOutput::Respond(response) => {
                let transaction = response.transaction();
                if let Some(notify) = self.notified.remove(&transaction) {
                    let body = Bytes::new();
                    let response = ResponseRef::new(response.status(), [], &body);
                    self.far.response(self.now, notify, &response);
                }
            }
            SubscriberOutput::NeedCredentials(need) => {
                let (now, sip) = (self.now, self.gateway.sip_mut());
                match self.credentials {
                    Some(value) => assert!(sip.provide_credentials(now, need.transaction(), value)),
                    None => assert!(sip.decline_credentials(now, need.transaction())),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn fulfil(&mut self, fate: &Fate, request: OutgoingRequest) {
        let (now, transaction) = (self.now, request.transaction());
        match fate {
            Fate::Passes => self.deliver(&request, request.body()),
            Fate::Altered => self.deliver(&request, &altered(request.body())),
            Fate::Lost => {
                let sip = self.gateway.sip_mut();
                sip.handle_failure(now, transaction, SipFailure::Timeout);
            }
            Fate::Unsent => {
                let sip = self.gateway.sip_mut();
                sip.handle_failure(now, transaction, SipFailure::Transport);
            }
            Fate::Answered(status, fields) => self.answer(&request, *status, fields),
            Fate::Held => self.held.push_back(request),
        }
    }

    pub fn answer(&mut self, request: &OutgoingRequest, status: u16, fields: &[(&str, &str)]) {
        let body = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &body);
        let sip = self.gateway.sip_mut();
        sip.handle_response(self.now, request.transaction(), &response);
    }

    /// Sends on what was held.
    pub fn release(&mut self) -> Told {
        let request = self.held.pop_front().expect("a SUBSCRIBE that is held");
        self.fulfil(&Fate::Passes, request);
        self.settle()
    }

    fn deliver(&mut self, request: &OutgoingRequest, body: &Bytes) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        self.asked.insert(transaction, request.clone());
        let view = RequestRef::new(request.method(), request.uri(), request.fields(), body);
        let sender = self.sender.clone();
        let context = SipContext::new(&sender, "sip:198.51.100.4");
        self.far.request(self.now, transaction, &view, &context);
    }

    fn bring_back(&mut self, output: FarOutput) {
        match output {
            FarOutput::Respond(response, challenges) => {
                let request = self.asked.remove(&response.transaction()).unwrap();
                let to = crate::common::field(&request, "To").unwrap();
                let to = match response.to_tag() {
                    Some(tag) if !to.contains("tag=") => format!("{to};tag={tag}"),
                    _ => to.to_owned(),
                };
                let mut fields = vec![("To", to.as_str())];
                fields.extend(response.fields());
                if challenges {
                    assert_eq!(response_field(&response, "WWW-Authenticate"), None);
                    fields.push(("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\""));
                }
                self.answer(&request, response.status(), &fields);
            }
            FarOutput::Send(notify) => {
                self.transactions += 1;
                let transaction = ServerTransaction(self.transactions);
                self.notified.insert(transaction, notify.transaction());
                let (uri, body) = (notify.uri(), notify.body());
                let view = RequestRef::new(notify.method(), uri, notify.fields(), body);
                self.notify(transaction, &view);
                self.notifies.push(notify);
            }
            FarOutput::Other => {}
        }
    }

    fn notify(&mut self, transaction: ServerTransaction, view: &RequestRef<'_>) {
        let far = known("sip:198.51.100.4");
        let context = SipContext::new(&far, "sip:192.0.2.8");
        let sip = self.gateway.sip_mut();
        sip.handle_request(self.now, transaction, view, &context)
            .unwrap();
    }

    /// A NOTIFY of the test's making.
    pub fn bring(&mut self, message: &Message) -> Told {
        self.transactions += 1;
        self.notify(ServerTransaction(self.transactions), &message.view());
        self.settle()
    }

    /// Lets time pass from deadline to deadline.
    pub fn pass(&mut self, seconds: f64) -> Told {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut told = Told::default();
        for round in 0.. {
            assert!(round < 10_000, "time stands still");
            let deadlines = [self.gateway.poll_timeout(), self.far.deadline()];
            let next = deadlines.into_iter().flatten().min();
            let next = next.filter(|next| *next < end).unwrap_or(end);
            self.now = self.now.max(next);
            self.gateway.handle_timeout(self.now);
            self.far.timeout(self.now);
            told.all.append(&mut self.settle().all);
            if self.now >= end {
                break;
            }
        }
        told
    }

    /// Nothing is left at the gateway, whatever is at the far end.
    #[track_caller]
    pub fn nothing_is_left_here(&mut self) {
        assert!(self.gateway.is_empty());
        assert_eq!(self.gateway.occupancy(), [0; 6]);
        assert_eq!(self.gateway.sip_mut().occupancy(), [0; 7]);
        assert_eq!(self.gateway.poll_timeout(), None);
    }

    #[track_caller]
    pub fn nothing_is_left(&mut self) {
        self.nothing_is_left_here();
        assert!(self.far.is_quiet());
    }
}
