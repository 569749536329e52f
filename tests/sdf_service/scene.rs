//! A service on virtual time with a policy that the tests steer.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Decision, Delivery, EndReason, Identity, Output as AgentOutput,
    Rejection, RequestContext as SipContext, ServerEvent, Signature, SubscribeQuery, Verdict, View,
};
use presentity::mime::{Part, Sign, Signed, Verify, Written};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{AgentConfig, Policy};
use presentity::sdf::{
    Failure, Granted, MEDIA_TYPE, Notification, Output, Request, RequestContext, Service,
    ServiceConfig, Token, Verification,
};
use presentity::sip::{OutgoingRequest, Response, ResponseRef};
use time::OffsetDateTime;

use crate::common::{Message, response_field, seeded, state_of};
use crate::signing::{Authority, Verifier};

pub const NORA: &str = "pres:nora@example.org";
pub const OTTO: &str = "pres:otto@example.org";
pub const EMIL: &str = "pres:emil@example.com";
pub const RUTH: &str = "pres:ruth@example.com";

/// What the clock of a scene shows at its beginning.
/// 2026-02-03, 9:00.
pub const START: OffsetDateTime = match OffsetDateTime::from_unix_timestamp(1_770_109_200) {
    Ok(start) => start,
    Err(_) => panic!(),
};
const BEGIN: Timestamp = Timestamp::from_secs(1_000);

/// A question that the policy was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub watcher: Option<String>,
    pub resource: String,
    pub current: Option<Decision>,
    pub expires: u32,
    pub signature: Signature,
    pub claims: Vec<(String, Assurance)>,
}

/// All get the same answer, but for those with their own, by canonical name.
#[derive(Debug)]
pub struct Rules {
    pub everybody: Authorization,
    pub nobody: Authorization,
    pub each: BTreeMap<String, Authorization>,
    /// Everybody but those needs a signature worth as much.
    pub signature: Signature,
    pub asked: Vec<Asked>,
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let claims = query.identity().claims();
        self.asked.push(Asked {
            watcher: query.watcher().map(str::to_owned),
            resource: query.resource().to_owned(),
            current: query.current().cloned(),
            expires: query.expires(),
            signature: query.signature(),
            claims: claims.map(|(name, how)| (name.to_owned(), how)).collect(),
        });
        if query.signature() < self.signature {
            return Authorization::SignatureRequired(self.signature);
        }
        let Some(watcher) = query.watcher() else {
            return self.nobody.clone();
        };
        self.each.get(watcher).unwrap_or(&self.everybody).clone()
    }

    /// Every view shows its name before each note.
    fn apply_view(&self, view: &View, _: &str, document: &mut Presence) {
        let name = view.name().unwrap_or("full");
        for note in document.tuples.iter_mut().flat_map(|it| &mut it.notes) {
            note.text = format!("{name}: {}", note.text);
        }
    }
}

pub fn allowed() -> Authorization {
    Decision::Allow(View::full()).into()
}

pub fn viewing(name: &str) -> Decision {
    Decision::Allow(View::named(name))
}

pub fn forbidden() -> Decision {
    Decision::Reject(Rejection::Forbidden)
}

/// What came out, in order.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outputs {
    pub all: Vec<Output>,
}

impl Outputs {
    pub fn answers(&self) -> Vec<Result<Granted, Failure>> {
        let answer = |output: &Output| match output {
            Output::Respond { result, .. } => Some(result.clone()),
            _ => None,
        };
        self.all.iter().filter_map(answer).collect()
    }

    /// The one answer there is.
    pub fn answer(&self) -> Result<Granted, Failure> {
        let mut answers = self.answers();
        assert_eq!(answers.len(), 1, "{self:?}");
        answers.remove(0)
    }

    pub fn granted(&self) -> Granted {
        self.answer()
            .unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    pub fn failure(&self) -> Failure {
        self.answer().expect_err("a failure")
    }

    pub fn notifications(&self) -> Vec<&Notification> {
        let all = self.all.iter();
        all.filter_map(|output| match output {
            Output::Notify(notification) => Some(notification),
            _ => None,
        })
        .collect()
    }

    /// The one notification there is.
    pub fn notification(&self) -> &Notification {
        let notifications = self.notifications();
        assert_eq!(notifications.len(), 1, "{self:?}");
        notifications[0]
    }

    pub fn transaction(&self) -> ClientTransaction {
        self.notification().transaction().expect("no fetch")
    }

    /// What the notifications show.
    pub fn shown(&self) -> Vec<String> {
        let shown = |it: &&Notification| shown(it.body());
        self.notifications().iter().map(shown).collect()
    }

    pub fn ended(&self) -> Vec<(&str, EndReason)> {
        let all = self.all.iter();
        all.filter_map(|output| match output {
            Output::Ended(ended) => Some((ended.token.as_str(), ended.reason)),
            _ => None,
        })
        .collect()
    }

    pub fn verifications(&self) -> Vec<&Verification> {
        let all = self.all.iter();
        all.filter_map(|output| match output {
            Output::Verify(verification) => Some(verification),
            _ => None,
        })
        .collect()
    }

    pub fn verification(&self) -> &Verification {
        let verifications = self.verifications();
        assert_eq!(verifications.len(), 1, "{self:?}");
        verifications[0]
    }

    // ---- SIP --------------------------------------------------------------------------------

    pub fn responses(&self) -> Vec<&Response> {
        let response = |output| match output {
            &Output::Agent(
                AgentOutput::Respond(ref response) | AgentOutput::Challenge(ref response),
            ) => Some(response),
            _ => None,
        };
        self.all.iter().filter_map(response).collect()
    }

    pub fn response(&self) -> &Response {
        let responses = self.responses();
        assert_eq!(responses.len(), 1, "{self:?}");
        responses[0]
    }

    pub fn status(&self) -> u16 {
        self.response().status()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        response_field(self.response(), name)
    }

    pub fn requests(&self) -> Vec<&OutgoingRequest> {
        let request = |output| match output {
            &Output::Agent(AgentOutput::Send(ref request)) => Some(request),
            _ => None,
        };
        self.all.iter().filter_map(request).collect()
    }

    pub fn request(&self) -> &OutgoingRequest {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{self:?}");
        requests[0]
    }

    pub fn sip_verification(&self) -> &presentity::event::Verification {
        let mut found = self.all.iter().filter_map(|output| match output {
            Output::Agent(AgentOutput::Verify(verification)) => Some(verification),
            _ => None,
        });
        let first = found.next().expect("a verification");
        assert!(found.next().is_none());
        first
    }

    pub fn events(&self) -> Vec<&ServerEvent> {
        let event = |output| match output {
            &Output::Agent(AgentOutput::Event(ref event)) => Some(event),
            _ => None,
        };
        self.all.iter().filter_map(event).collect()
    }

    /// Everything but events, in few words.
    pub fn story(&self) -> Vec<String> {
        self.all.iter().filter_map(describe).collect()
    }
}

fn describe(output: &Output) -> Option<String> {
    Some(match output {
        Output::Respond { result, .. } => match result {
            Ok(granted) => format!("{:?} {}", granted.operation, granted.duration),
            Err(failure) => format!("failed: {failure}"),
        },
        Output::Notify(it) => {
            let watcher = it.watcher();
            let name = watcher.trim_start_matches("pres:");
            let name = name.split('@').next().expect("a name");
            let token = it.token().unwrap_or("-");
            format!("{name} {token}: {}", shown(it.body()))
        }
        Output::Ended(ended) => format!("over {}: {}", ended.token, ended.reason),
        Output::Verify(_) => "verify".to_owned(),
        Output::Agent(AgentOutput::Respond(it)) => format!("sip {}", it.status()),
        Output::Agent(AgentOutput::Challenge(it)) => format!("sip challenge {}", it.status()),
        Output::Agent(AgentOutput::Send(it)) => {
            let state = state_of(it).split([';', ' ']).next().expect("a state");
            format!("sip {state}: {}", shown(it.body()))
        }
        Output::Agent(AgentOutput::Verify(_)) => "sip verify".to_owned(),
        Output::Agent(AgentOutput::Event(_)) => return None,
        other => format!("{other:?}"),
    })
}

/// What a document shows: the note of its tuple.
pub fn shown(body: &Bytes) -> String {
    if body.is_empty() {
        return "nothing".to_owned();
    }
    let document = Presence::read(body).expect("a document");
    let notes = document.tuples.iter().flat_map(|it| &it.notes);
    let notes = notes.chain(&document.notes).map(|note| note.text.as_str());
    let notes: Vec<&str> = notes.collect();
    match (&notes[..], &document.tuples[..]) {
        ([], []) => "unknown".to_owned(),
        ([], _) => "offline".to_owned(),
        (notes, _) => notes.join(", "),
    }
}

pub const PENDING: &str = "Waiting for permission";

/// A service on virtual time. Each test ends with [`Scene::empty`] or [`Scene::close`].
pub struct Scene {
    pub service: Service<Rules>,
    pub now: Timestamp,
    /// Whether notifications count as brought as soon as they are out, and NOTIFYs get 200.
    pub brings: bool,
    /// Whether signatures are verified as soon as it is asked for.
    pub verifies: bool,
    verifier: OnceCell<Verifier>,
    transactions: u64,
    calls: u32,
    requests: i64,
    set: BTreeSet<String>,
    closed: bool,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            panic!("a test must end with empty() or close()");
        }
    }
}

impl Scene {
    /// Everybody may watch, and nobody must show who he is.
    pub fn new() -> Self {
        Self::with(AgentConfig::default(), ServiceConfig::default())
    }

    pub fn configured(change: impl FnOnce(&mut AgentConfig, &mut ServiceConfig)) -> Self {
        let (mut agent, mut service) = (AgentConfig::default(), ServiceConfig::default());
        change(&mut agent, &mut service);
        Self::with(agent, service)
    }

    pub fn with(agent: AgentConfig, service: ServiceConfig) -> Self {
        let mut scene = Self::without_clock(agent, service);
        scene.service.set_wall_clock(BEGIN, START);
        scene
    }

    pub fn without_clock(agent: AgentConfig, service: ServiceConfig) -> Self {
        let rules = Rules {
            everybody: allowed(),
            nobody: Authorization::Challenge,
            each: BTreeMap::new(),
            signature: Signature::None,
            asked: Vec::new(),
        };
        Self {
            service: Service::new(agent, service, rules, seeded(11)),
            now: BEGIN,
            brings: true,
            verifies: true,
            verifier: OnceCell::new(),
            transactions: 0,
            calls: 0,
            requests: 0,
            set: BTreeSet::new(),
            closed: false,
        }
    }

    pub fn rules(&mut self) -> &mut Rules {
        self.service.agent_mut().policy_mut()
    }

    /// From now on this watcher gets this answer.
    pub fn rule(&mut self, watcher: &str, answer: impl Into<Authorization>) {
        let name = watcher.split_once(':').expect("a URI").1.to_owned();
        self.rules().each.insert(name, answer.into());
    }

    // ---- requests ---------------------------------------------------------------------------

    /// The time of day.
    pub fn today(&self) -> OffsetDateTime {
        START + self.now.saturating_since(BEGIN)
    }

    /// A time for a request: of now, and later than all before it, by milliseconds.
    pub fn moment(&mut self) -> OffsetDateTime {
        self.requests += 1;
        self.today() + time::Duration::milliseconds(self.requests)
    }

    pub fn request(&mut self, from: &str, to: &str, token: &str, duration: u32) -> Request {
        let at = self.moment();
        written(from, to, at, token, duration)
    }

    /// Asks for seconds, as the watcher that the host knows.
    pub fn subscribe(&mut self, from: &str, to: &str, token: &str, duration: u32) -> Outputs {
        let request = self.request(from, to, token, duration);
        self.send(&request, &known(from))
    }

    pub fn fetch(&mut self, from: &str, to: &str) -> Outputs {
        self.subscribe(from, to, "", 0)
    }

    pub fn cancel(&mut self, from: &str, to: &str, token: &str) -> Outputs {
        self.subscribe(from, to, token, 0)
    }

    pub fn send(&mut self, request: &Request, identity: &Identity) -> Outputs {
        self.send_with(MEDIA_TYPE, request.octets(), &RequestContext::new(identity))
    }

    pub fn send_written(&mut self, written: &Written, identity: &Identity) -> Outputs {
        let context = RequestContext::new(identity);
        self.send_with(&written.content_type, &written.body, &context)
    }

    pub fn send_with(&mut self, kind: &str, body: &Bytes, context: &RequestContext<'_>) -> Outputs {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        self.service
            .handle_request(self.now, transaction, kind, body, context)
            .expect("no backlog");
        let outputs = self.drain();
        for output in &outputs.all {
            if let Output::Respond {
                transaction: it, ..
            } = output
            {
                assert_eq!(*it, transaction);
            }
        }
        outputs
    }

    /// The same, signed by somebody.
    pub fn signed(&self, request: &Request, by: &dyn Sign) -> Written {
        let part = Part::new(MEDIA_TYPE, request.octets()).expect("a part");
        let signature = by.sign(part.octets()).expect("a signature");
        Signed::write(
            part.octets(),
            &signature,
            &mut seeded(self.transactions + 1),
        )
    }

    pub fn verdict(&self, signed: &Signed) -> Verdict {
        self.verifier
            .get_or_init(|| authority().verifier())
            .verify(signed)
    }

    // ---- SIP --------------------------------------------------------------------------------

    /// A SUBSCRIBE of a new call, not sent yet.
    pub fn message(&mut self, from: &str, uri: &str) -> Message {
        self.calls += 1;
        Message::subscribe(from, uri, &format!("call-{}", self.calls))
    }

    pub fn sip(&mut self, message: &Message, identity: &Identity) -> Outputs {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let context = SipContext::new(identity, "sip:agent.example.com");
        let agent = self.service.agent_mut();
        agent
            .handle_request(self.now, transaction, &message.view(), &context)
            .expect("no backlog");
        self.drain()
    }

    pub fn answer(&mut self, request: &OutgoingRequest, status: u16) -> Outputs {
        let body = Bytes::new();
        let response = ResponseRef::new(status, [], &body);
        let agent = self.service.agent_mut();
        agent.handle_response(self.now, request.transaction(), &response);
        self.drain()
    }

    // ---- the application --------------------------------------------------------------------

    pub fn set(&mut self, presentity: &str, note: &str) -> Outputs {
        let document = Presence::new(presentity).with_tuple(Tuple::open("desk").with_note(note));
        let agent = self.service.agent_mut();
        agent
            .set_presence(self.now, presentity, document)
            .expect("a presentity");
        self.set.insert(presentity.to_owned());
        self.drain()
    }

    pub fn decide(&mut self, watcher: &str, presentity: &str, decision: Decision) -> Outputs {
        let agent = self.service.agent_mut();
        let many = agent.decide_watcher(self.now, watcher, presentity, &decision);
        assert!(many.expect("a presentity") > 0);
        self.drain()
    }

    pub fn report(&mut self, transaction: ClientTransaction, delivery: Delivery) -> Outputs {
        self.service
            .handle_delivery(self.now, transaction, delivery);
        self.drain()
    }

    // ---- time and output --------------------------------------------------------------------

    pub fn drain(&mut self) -> Outputs {
        let mut all = Vec::new();
        while let Some(output) = self.service.poll_output() {
            match &output {
                Output::Notify(it) if self.brings => {
                    if let Some(transaction) = it.transaction() {
                        self.service
                            .handle_delivery(self.now, transaction, Delivery::Done);
                    }
                }
                Output::Agent(AgentOutput::Send(request)) if self.brings => {
                    let body = Bytes::new();
                    let response = ResponseRef::new(200, [], &body);
                    let agent = self.service.agent_mut();
                    agent.handle_response(self.now, request.transaction(), &response);
                }
                Output::Verify(it) if self.verifies => {
                    let verdict = self.verdict(&it.signed);
                    assert!(
                        self.service
                            .complete_verification(self.now, it.key, &verdict)
                    );
                }
                Output::Agent(AgentOutput::Verify(it)) if self.verifies => {
                    let verdict = self.verdict(&it.signed);
                    let agent = self.service.agent_mut();
                    assert!(agent.complete_verification(self.now, it.key, &verdict));
                }
                _ => {}
            }
            all.push(output);
            assert!(all.len() < 100_000, "no end of output");
        }
        Outputs { all }
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, seconds: f64) -> Outputs {
        self.pass_to(self.now + Duration::from_secs_f64(seconds))
    }

    /// To as many seconds after the beginning.
    pub fn until(&mut self, seconds: u64) -> Outputs {
        self.pass_to(BEGIN + Duration::from_secs(seconds))
    }

    pub fn pass_to(&mut self, end: Timestamp) -> Outputs {
        assert!(end >= self.now, "back in time");
        let mut all = Outputs::default();
        let mut rounds = 0;
        while let Some(deadline) = self.service.poll_timeout().filter(|it| *it <= end) {
            self.now = self.now.max(deadline);
            self.service.handle_timeout(self.now);
            all.all.append(&mut self.drain().all);
            rounds += 1;
            assert!(rounds < 100_000, "time stands still");
        }
        self.now = end;
        self.service.handle_timeout(self.now);
        all.all.append(&mut self.drain().all);
        all
    }

    // ---- the end ----------------------------------------------------------------------------

    pub fn live(&self) -> usize {
        self.service.agent().subscriptions().count()
    }

    /// Nothing is left behind, but for the states that the test has set.
    pub fn empty(mut self) {
        for presentity in std::mem::take(&mut self.set) {
            let agent = self.service.agent_mut();
            agent
                .clear_presence(self.now, &presentity)
                .expect("a presentity");
        }
        let left = self.drain();
        assert!(left.all.is_empty(), "{left:?}");
        self.closed = true;
        assert_eq!(self.service.agent().occupancy(), Default::default());
        assert_eq!(self.service.waiting(), 0);
        assert_eq!(self.service.poll_timeout(), None);
    }

    /// Lets everything run out; then nothing is left behind.
    pub fn close(mut self) {
        self.brings = true;
        self.pass(8_000.0);
        self.empty();
    }
}

pub fn written(from: &str, to: &str, at: OffsetDateTime, token: &str, duration: u32) -> Request {
    let request = match (Token::new(token), duration) {
        (Err(_), _) => Request::fetch(from, to, at),
        (Ok(token), 0) => Request::cancel(from, to, at, &token),
        (Ok(token), _) => Request::subscribe(from, to, at, &token, duration),
    };
    request.expect("a request")
}

/// Who is known to the host by the connection.
pub fn known(uri: &str) -> Identity {
    Identity::of(uri, Assurance::Transport).expect("a user")
}

pub fn nobody() -> Identity {
    Identity::nobody()
}

/// Whom the verifier trusts.
pub fn authority() -> Authority {
    Authority::new("authority")
}
