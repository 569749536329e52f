//! An agent with rules on virtual time, whose watchers answer at once.

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Decision, Forward, Identity, Output, Protection, ProtectionQuery,
    PublishDecision, PublishQuery, Reason, RequestContext, SubscribeQuery, SubscriptionKey,
    Termination, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy, RegisteredContact, RulesPolicy};
use presentity::rules::{Affected, CompiledRules, Ruleset};
use presentity::sip::{NameAddr, OutgoingRequest, Response, ResponseRef};

use crate::common::{Message, response_field, seeded, state_of};

pub const ANA: &str = "sip:ana@example.com";
pub const BOB: &str = "sip:bob@example.com";
pub const CARLA: &str = "sip:carla@example.com";
pub const DORA: &str = "sip:dora@example.com";
/// Where the agent is reached.
pub const AGENT: &str = "sip:agent.example.com";

/// Decides for those who have no rules: the same about everybody with a name. Everybody publishes for
/// himself.
#[derive(Debug)]
pub struct House {
    pub everybody: Authorization,
    pub protection: Protection,
}

impl Policy for House {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match query.watcher() {
            Some(_) => self.everybody.clone(),
            None => Authorization::Challenge,
        }
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.identity().includes(query.resource()) {
            true => PublishDecision::Allow,
            false => PublishDecision::Forbid,
        }
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        match query.accepts(self.protection) {
            true => self.protection,
            false => Protection::None,
        }
    }

    /// The view `bare` has no notes; others show nothing.
    fn apply_view(&self, view: &View, _: &str, document: &mut Presence) {
        match view.name() {
            Some("bare") => document.tuples.iter_mut().for_each(|it| it.notes.clear()),
            _ => *document = Presence::default(),
        }
    }
}

pub fn allowed() -> Authorization {
    Decision::Allow(View::full()).into()
}

/// What came out, and how long after the beginning of the scene.
#[derive(Debug, Clone)]
pub struct At {
    pub seconds: f64,
    pub output: Output,
}

/// What came out in a while.
#[derive(Debug, Clone, Default)]
pub struct Told(pub Vec<At>);

impl Told {
    pub fn notifies(&self) -> Vec<&OutgoingRequest> {
        self.timed_notifies().map(|(_, request)| request).collect()
    }

    pub fn timed_notifies(&self) -> impl Iterator<Item = (f64, &OutgoingRequest)> {
        self.0.iter().filter_map(|at| match &at.output {
            Output::Send(request) if request.method() == "NOTIFY" => Some((at.seconds, request)),
            _ => None,
        })
    }

    /// When NOTIFYs left, in seconds.
    pub fn times(&self) -> Vec<f64> {
        self.timed_notifies().map(|(at, _)| at).collect()
    }

    #[track_caller]
    pub fn notify(&self) -> &OutgoingRequest {
        let notifies = self.notifies();
        assert_eq!(notifies.len(), 1, "{self:?}");
        notifies[0]
    }

    pub fn responses(&self) -> Vec<&Response> {
        self.0
            .iter()
            .filter_map(|at| match &at.output {
                Output::Respond(response) | Output::Challenge(response) => Some(response),
                _ => None,
            })
            .collect()
    }

    #[track_caller]
    pub fn response(&self) -> &Response {
        let responses = self.responses();
        assert_eq!(responses.len(), 1, "{self:?}");
        responses[0]
    }

    #[track_caller]
    pub fn status(&self) -> u16 {
        self.response().status()
    }

    pub fn forwards(&self) -> Vec<&Forward> {
        let all = self.0.iter().filter_map(|at| match &at.output {
            Output::Forward(forward) => Some(forward),
            _ => None,
        });
        all.collect()
    }

    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

/// A subscription from its watcher's side.
#[derive(Debug, Clone)]
pub struct Watch {
    pub message: Message,
    pub tag: String,
    pub cseq: u32,
    pub notify: OutgoingRequest,
}

impl Watch {
    pub fn refresh(&mut self) -> Message {
        self.cseq += 1;
        let mut message = self.message.clone().in_dialog(&self.tag, self.cseq);
        message.uri = AGENT.into();
        message
    }
}

pub struct Scene {
    pub agent: Agent<RulesPolicy<House>>,
    pub now: Timestamp,
    calls: u64,
    begun: Timestamp,
    named: Vec<(String, String)>,
    is_closed: bool,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !self.is_closed && !std::thread::panicking() {
            panic!("a test must end with close()");
        }
    }
}

impl Scene {
    /// Everybody with a name may watch.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut config = AgentConfig::default();
        change(&mut config);
        let house = House {
            everybody: allowed(),
            protection: Protection::None,
        };
        let begun = Timestamp::from_secs(1_000);
        Self {
            agent: Agent::new(config, RulesPolicy::new(house), seeded(5)),
            now: begun,
            calls: 0,
            begun,
            named: Vec::new(),
            is_closed: false,
        }
    }

    pub fn house(&mut self) -> &mut House {
        self.agent.policy_mut().fallback_mut()
    }

    pub fn call(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }

    /// A moment of the scene.
    pub fn at(&self, seconds: f64) -> Timestamp {
        self.begun + Duration::from_secs_f64(seconds)
    }

    /// Since the beginning, in whole tenths: a timer may be as much as 67 ms late.
    fn seconds(&self) -> f64 {
        let tenths = self.now.saturating_since(self.begun).as_millis() / 100;
        tenths as f64 / 10.0
    }

    // ---- the host ---------------------------------------------------------------------------

    /// Takes what there is; NOTIFYs are answered 200.
    pub fn take(&mut self) -> Told {
        let mut told = Told::default();
        while let Some(output) = self.agent.poll_output() {
            let seconds = self.seconds();
            if let Output::Send(request) = &output
                && request.method() == "NOTIFY"
            {
                self.answer(request, 200);
            }
            told.0.push(At { seconds, output });
        }
        told
    }

    pub fn answer(&mut self, request: &OutgoingRequest, status: u16) {
        let body = Bytes::new();
        let response = ResponseRef::new(status, [], &body);
        self.agent
            .handle_response(self.now, request.transaction(), &response);
    }

    /// Lets time pass from deadline to deadline.
    pub fn pass(&mut self, seconds: f64) -> Told {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut all = self.take();
        let mut rounds = 0;
        while let Some(deadline) = self.agent.poll_timeout().filter(|it| *it <= end) {
            self.now = self.now.max(deadline);
            self.agent.handle_timeout(self.now);
            all.0.append(&mut self.take().0);
            rounds += 1;
            assert!(rounds < 1_000_000, "time stands still");
        }
        self.now = end;
        self.agent.handle_timeout(self.now);
        all.0.append(&mut self.take().0);
        all
    }

    /// Whatever is to happen now.
    pub fn settle(&mut self) -> Told {
        self.pass(0.0)
    }

    /// Hands a request in as coming from the user that its From names.
    pub fn send(&mut self, message: &Message) -> Told {
        let from = message.field("From");
        let from = from.split(['<', '>', ';']).find(|part| part.contains(':'));
        let identity = Identity::of(from.unwrap(), Assurance::Digest).unwrap();
        self.send_as(message, &identity)
    }

    pub fn send_as(&mut self, message: &Message, identity: &Identity) -> Told {
        self.send_with(message, &RequestContext::new(identity, AGENT))
    }

    pub fn send_with(&mut self, message: &Message, context: &RequestContext<'_>) -> Told {
        self.hand_in(message, context);
        self.take()
    }

    pub fn hand_in(&mut self, message: &Message, context: &RequestContext<'_>) {
        self.calls += 1;
        self.agent
            .handle_request(
                self.now,
                ServerTransaction(self.calls),
                &message.view(),
                context,
            )
            .expect("no backlog");
    }

    // ---- watchers ---------------------------------------------------------------------------

    /// A SUBSCRIBE of a new call for an hour, not sent yet.
    pub fn subscribe(&mut self, from: &str, uri: &str) -> Message {
        let call = self.call();
        Message::subscribe(from, uri, &call).with("Expires", "3600")
    }

    #[track_caller]
    pub fn watch(&mut self, from: &str, uri: &str) -> Watch {
        let identity = Identity::of(from, Assurance::Digest).unwrap();
        self.watch_as(from, uri, &identity)
    }

    #[track_caller]
    pub fn watch_as(&mut self, from: &str, uri: &str, identity: &Identity) -> Watch {
        let message = self.subscribe(from, uri);
        let told = self.send_as(&message, identity);
        assert_eq!(told.status(), 200, "{told:?}");
        Watch {
            tag: told.response().to_tag().unwrap().to_owned(),
            message,
            cseq: 1,
            notify: told.notify().clone(),
        }
    }

    pub fn live(&self) -> usize {
        self.agent.subscriptions().count()
    }

    pub fn keys(&self) -> Vec<SubscriptionKey> {
        self.agent.subscriptions().map(|it| it.key).collect()
    }

    // ---- presentities -----------------------------------------------------------------------

    pub fn set_rules(&mut self, presentity: &str, rules: Ruleset) -> Affected {
        self.put_rules(presentity, Some(CompiledRules::of(&rules)))
    }

    pub fn put_rules(&mut self, presentity: &str, rules: Option<CompiledRules>) -> Affected {
        self.agent.set_rules(self.now, presentity, rules).unwrap()
    }

    /// The application sets a source with one tuple, whose id and note are these.
    pub fn source(&mut self, presentity: &str, name: &str, note: &str, lasts: Option<f64>) {
        let document = document_of(presentity, name, note);
        let lasts = lasts.map(Duration::from_secs_f64);
        self.agent
            .set_source(self.now, presentity, name, document, lasts)
            .unwrap();
        self.named.push((presentity.to_owned(), name.to_owned()));
    }

    /// Contacts that are registered: parameters and all, and seconds that each has left.
    pub fn register(&mut self, presentity: &str, contacts: &[(&str, f64)]) -> bool {
        let contacts: Vec<RegisteredContact> = contacts
            .iter()
            .map(|(text, left)| contact(text, self.now + Duration::from_secs_f64(*left)))
            .collect();
        let registrant = Identity::of(presentity, Assurance::Digest).unwrap();
        self.agent
            .set_registration(self.now, presentity, &registrant, &contacts)
            .unwrap()
    }

    /// A PUBLISH of a new call for an hour, not sent yet.
    pub fn publish(&mut self, from: &str, id: &str, note: &str) -> Message {
        let call = self.call();
        Message::publish(from, &call, &written(from, id, note)).with("Expires", "3600")
    }

    /// Publishes; the entity-tag.
    #[track_caller]
    pub fn published(&mut self, from: &str, id: &str, note: &str) -> String {
        let message = self.publish(from, id, note);
        etag(&self.send(&message))
    }

    /// What is known of a presentity: id and first note of each tuple.
    pub fn known(&mut self, presentity: &str) -> Vec<String> {
        let document = self.agent.presence(presentity).unwrap();
        document.as_ref().map(told_of).unwrap_or_default()
    }

    /// Ends whatever still is; then nothing is left behind.
    pub fn close(mut self) {
        self.agent.stop_draining();
        let named = std::mem::take(&mut self.named);
        for (presentity, name) in named {
            let _ = self.agent.remove_source(self.now, &presentity, &name);
        }
        for presentity in [ANA, BOB, CARLA, DORA] {
            self.register(presentity, &[]);
            self.agent.clear_presence(self.now, presentity).unwrap();
            self.put_rules(presentity, None);
        }
        self.agent
            .terminate_all(self.now, Termination::new(Reason::Deactivated));
        // Longer than any publication.
        self.pass(4000.0);
        self.is_closed = true;
        assert_eq!(self.agent.occupancy(), Default::default());
        assert_eq!(self.agent.poll_timeout(), None);
    }
}

pub fn etag(told: &Told) -> String {
    assert_eq!(told.status(), 200, "{told:?}");
    response_field(told.response(), "SIP-ETag")
        .expect("an entity-tag")
        .to_owned()
}

/// A contact as it stands in a REGISTER.
pub fn contact(text: &str, expires_at: Timestamp) -> RegisteredContact {
    RegisteredContact::read(&NameAddr::parse(text).unwrap(), expires_at).unwrap()
}

pub fn document_of(presentity: &str, id: &str, note: &str) -> Presence {
    Presence::new(presentity).with_tuple(Tuple::open(id).with_note(note))
}

/// The same as a publisher writes it.
pub fn written(presentity: &str, id: &str, note: &str) -> String {
    let octets = document_of(presentity, id, note).write().unwrap();
    String::from_utf8(octets.to_vec()).unwrap()
}

/// Id and first note of each tuple.
pub fn told_of(document: &Presence) -> Vec<String> {
    let tuples = document.tuples.iter();
    tuples
        .map(|tuple| match tuple.notes.first() {
            Some(note) => format!("{}: {}", tuple.id, note.text),
            None => tuple.id.clone(),
        })
        .collect()
}

/// The document of a NOTIFY, read back.
#[track_caller]
pub fn read(request: &OutgoingRequest) -> Presence {
    Presence::read(request.body()).expect("a document")
}

#[track_caller]
pub fn shown(request: &OutgoingRequest) -> Vec<String> {
    told_of(&read(request))
}

/// State and reason, without parameters that count down.
pub fn state(request: &OutgoingRequest) -> String {
    let parts = state_of(request).split(';').map(str::trim);
    let parts = parts.filter(|part| !part.starts_with("expires"));
    parts.collect::<Vec<_>>().join(";")
}
