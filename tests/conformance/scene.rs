//! A presence agent whose policy the tests steer, and what they do with it again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use presentity::engine::Timestamp;
use presentity::event::{
    Assurance, Authorization, Decision, EndReason, Identity, Output, Protection, ProtectionQuery,
    PublishDecision, PublishKind, PublishQuery, Reason, Rejection, ServerEvent, SubscribeQuery,
    SubscriptionKey, Termination, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::OutgoingRequest;

use crate::common::{Driver, Message, Outputs, response_field, seeded, state_of};

pub const ANA: &str = "sip:ana@example.com";
pub const BOB: &str = "sip:bob@example.com";
pub const CARLA: &str = "sip:carla@example.com";
pub const MALLORY: &str = "sip:mallory@example.org";

/// Where the agent is reached, as the driver tells it.
pub const AGENT: &str = "sip:agent.example.com";

/// A question that the policy was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub watcher: Option<String>,
    pub resource: String,
    pub uri: String,
    pub current: Option<Decision>,
    pub expires: u32,
    pub claims: Vec<(String, Assurance)>,
}

/// Nobody has to prove who he is; all others get the same answer, but for those with their own.
/// A presentity alone publishes for itself.
#[derive(Debug)]
pub struct Rules {
    pub everybody: Authorization,
    pub each: BTreeMap<String, Authorization>,
    pub nobody: Authorization,
    pub publish: PublishDecision,
    /// How documents are protected, for everybody but those with their own.
    pub protection: Protection,
    pub protections: BTreeMap<String, Protection>,
    /// Whether the view `switch` has no tuples.
    pub hidden: bool,
    pub asked: Vec<Asked>,
    pub published: Vec<PublishKind>,
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        self.asked.push(Asked {
            watcher: query.watcher().map(str::to_owned),
            resource: query.resource().to_owned(),
            uri: query.uri().to_owned(),
            current: query.current().cloned(),
            expires: query.expires(),
            claims: query
                .identity()
                .claims()
                .map(|(name, assurance)| (name.to_owned(), assurance))
                .collect(),
        });
        let Some(watcher) = query.watcher() else {
            return self.nobody.clone();
        };
        self.each.get(watcher).unwrap_or(&self.everybody).clone()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        self.published.push(query.kind());
        match query.identity().primary() {
            None => PublishDecision::Challenge,
            Some(publisher) if publisher == query.resource() => self.publish,
            Some(_) => PublishDecision::Forbid,
        }
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        let own = query.watcher().and_then(|name| self.protections.get(name));
        *own.unwrap_or(&self.protection)
    }

    /// The view `notes` has no tuples, the view `tuples` no notes, the view `switch` what it is
    /// told to have; others show nothing.
    fn apply_view(&self, view: &View, presentity: &str, document: &mut Presence) {
        assert!(presentity.contains('@'));
        match view.name() {
            Some("notes") => document.tuples.clear(),
            Some("switch") if self.hidden => document.tuples.clear(),
            Some("switch") => {}
            Some("tuples") => {
                document.notes.clear();
                document
                    .tuples
                    .iter_mut()
                    .for_each(|tuple| tuple.notes.clear());
            }
            _ => *document = Presence::default(),
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

/// An agent on virtual time. Each test ends with [`Scene::empty`] or [`Scene::close`].
pub struct Scene {
    driver: Driver<Agent<Rules>>,
    calls: u32,
    set: BTreeSet<String>,
    closed: bool,
}

impl Deref for Scene {
    type Target = Driver<Agent<Rules>>;

    fn deref(&self) -> &Self::Target {
        &self.driver
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.driver
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            panic!("a test must end with empty() or close()");
        }
    }
}

impl Scene {
    /// Everybody with a name may watch.
    pub fn new() -> Self {
        Self::with(AgentConfig::default(), allowed())
    }

    pub fn deciding(everybody: impl Into<Authorization>) -> Self {
        Self::with(AgentConfig::default(), everybody)
    }

    pub fn configured(change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut config = AgentConfig::default();
        change(&mut config);
        Self::with(config, allowed())
    }

    pub fn with(config: AgentConfig, everybody: impl Into<Authorization>) -> Self {
        Self::seeded(config, everybody, 7)
    }

    pub fn seeded(config: AgentConfig, everybody: impl Into<Authorization>, seed: u64) -> Self {
        let rules = Rules {
            everybody: everybody.into(),
            each: BTreeMap::new(),
            nobody: Authorization::Challenge,
            publish: PublishDecision::Allow,
            protection: Protection::None,
            protections: BTreeMap::new(),
            hidden: false,
            asked: Vec::new(),
            published: Vec::new(),
        };
        Self {
            driver: Driver::new(Agent::new(config, rules, seeded(seed))),
            calls: 0,
            set: BTreeSet::new(),
            closed: false,
        }
    }

    pub fn rules(&mut self) -> &mut Rules {
        self.driver.role.policy_mut()
    }

    // ---- watchers ---------------------------------------------------------------------------

    /// A Call-ID that was not used before.
    pub fn call(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }

    /// A SUBSCRIBE of a new call, not sent yet.
    pub fn subscribe(&mut self, from: &str, uri: &str) -> Message {
        let call = self.call();
        Message::subscribe(from, uri, &call)
    }

    /// Ana subscribes to Bob, and answers the NOTIFY.
    pub fn watch(&mut self) -> Watch {
        self.watch_as(ANA)
    }

    pub fn watch_as(&mut self, from: &str) -> Watch {
        let message = self.subscribe(from, BOB);
        self.watch_by(message)
    }

    pub fn watch_by(&mut self, message: Message) -> Watch {
        let outputs = self.send(&message);
        let watch = Watch::begun(message, &outputs);
        self.answer_all(&outputs);
        watch
    }

    /// Hands a request in as coming from a user, whatever its From says.
    pub fn send_from(&mut self, message: &Message, user: &str) -> Outputs {
        let identity = Identity::of(user, Assurance::Digest).expect("a user");
        self.send_as(message, &identity)
    }

    pub fn send_from_nobody(&mut self, message: &Message) -> Outputs {
        self.send_as(message, &Identity::nobody())
    }

    /// The only subscription there is.
    pub fn key(&self) -> SubscriptionKey {
        let keys: Vec<_> = self.role.subscriptions().map(|one| one.key).collect();
        assert_eq!(keys.len(), 1, "one subscription");
        keys[0]
    }

    /// How many live subscriptions there are.
    pub fn live(&self) -> usize {
        self.role.subscriptions().count()
    }

    /// Decides about the only subscription.
    pub fn decide(&mut self, decision: Decision) -> Outputs {
        let (key, now) = (self.key(), self.now);
        self.role.decide(now, key, decision).expect("it lives");
        self.drain()
    }

    pub fn terminate(&mut self, reason: Reason) -> Outputs {
        let (key, now) = (self.key(), self.now);
        self.role
            .terminate(now, key, Termination::new(reason))
            .expect("it lives");
        self.drain()
    }

    // ---- presentities -----------------------------------------------------------------------

    /// The application sets a state for Bob: one tuple and a note.
    pub fn set(&mut self, note: &str) -> Outputs {
        self.set_for(BOB, note)
    }

    pub fn set_for(&mut self, presentity: &str, note: &str) -> Outputs {
        self.set_document(presentity, state(note))
    }

    pub fn set_document(&mut self, presentity: &str, document: Presence) -> Outputs {
        let now = self.now;
        self.role
            .set_presence(now, presentity, document)
            .expect("a presentity");
        self.set.insert(presentity.to_owned());
        self.drain()
    }

    pub fn clear(&mut self) -> Outputs {
        let now = self.now;
        self.role.clear_presence(now, BOB).expect("a presentity");
        self.set.remove(BOB);
        self.drain()
    }

    /// A PUBLISH of a new call, not sent yet.
    pub fn publish(&mut self, from: &str, body: &str) -> Message {
        let call = self.call();
        Message::publish(from, &call, body)
    }

    /// Publishes for the publisher himself; the entity-tag.
    pub fn published(&mut self, from: &str, body: &str) -> String {
        let message = self.publish(from, body);
        let outputs = self.send(&message);
        let tag = etag(&outputs);
        self.answer_all(&outputs);
        tag
    }

    // ---- the end ----------------------------------------------------------------------------

    /// Whatever a test did left nothing behind, but for the states it had set.
    pub fn empty(mut self) {
        let now = self.now;
        for presentity in std::mem::take(&mut self.set) {
            self.role.clear_presence(now, &presentity).expect("one");
        }
        let left = self.drain();
        assert!(left.all.is_empty(), "{left:?}");
        self.closed = true;
        assert_eq!(self.role.occupancy(), Default::default());
        assert_eq!(self.role.poll_timeout(), None);
    }

    /// Ends whatever still is; then nothing is left behind.
    pub fn close(mut self) {
        let now = self.now;
        self.role
            .terminate_all(now, Termination::new(Reason::Deactivated));
        let mut outputs = self.drain();
        while !outputs.requests().is_empty() {
            outputs = self.answer_all(&outputs);
        }
        // Longer than any publication, held NOTIFY or forgotten transaction of these tests.
        let outputs = self.pass(4000.0);
        self.answer_all(&outputs);
        self.empty();
    }
}

/// A subscription from its watcher's side.
#[derive(Debug, Clone)]
pub struct Watch {
    pub message: Message,
    pub tag: String,
    pub cseq: u32,
    /// The first NOTIFY.
    pub notify: OutgoingRequest,
}

impl Watch {
    /// From the answer to its SUBSCRIBE.
    pub fn begun(message: Message, outputs: &Outputs) -> Self {
        assert_eq!(outputs.status(), 200, "{outputs:?}");
        let tag = outputs.response().to_tag().expect("a tag").to_owned();
        Self {
            message,
            tag,
            cseq: 1,
            notify: outputs.notify().clone(),
        }
    }

    /// The next SUBSCRIBE of the dialog.
    pub fn refresh(&mut self) -> Message {
        self.cseq += 1;
        let mut message = self.message.clone().in_dialog(&self.tag, self.cseq);
        message.uri = AGENT.into();
        message
    }

    pub fn unsubscribe(&mut self) -> Message {
        self.refresh().with("Expires", "0")
    }
}

/// One tuple and a note.
pub fn state(note: &str) -> Presence {
    Presence::new(BOB).with_tuple(
        Tuple::open("desk")
            .with_contact("sip:bob@desk.example.com")
            .with_note(note),
    )
}

/// What a publisher sends: one tuple with a note.
pub fn document(id: &str, note: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:bob@example.com\">\
         <tuple id=\"{id}\"><status><basic>open</basic></status><note>{note}</note></tuple>\
         </presence>"
    )
}

/// The next PUBLISH of Bob's for a publication, not sent yet.
pub fn follow(scene: &mut Scene, tag: &str, body: &str) -> Message {
    scene.publish(BOB, body).with("SIP-If-Match", tag)
}

/// The entity-tag of a 200 to a PUBLISH.
pub fn etag(outputs: &Outputs) -> String {
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    response_field(outputs.response(), "SIP-ETag")
        .expect("an entity-tag")
        .to_owned()
}

/// The document of a NOTIFY, read back.
pub fn read(request: &OutgoingRequest) -> Presence {
    Presence::read(request.body()).expect("a document")
}

/// The notes of a document's tuples.
pub fn notes(request: &OutgoingRequest) -> Vec<String> {
    let document = read(request);
    let tuples = document.tuples.iter();
    tuples
        .flat_map(|tuple| tuple.notes.iter().map(|note| note.text.clone()))
        .collect()
}

/// The ids of a document's tuples.
pub fn ids(request: &OutgoingRequest) -> Vec<String> {
    let document = read(request);
    document
        .tuples
        .iter()
        .map(|tuple| tuple.id.clone())
        .collect()
}

/// The outputs in a few words each, in order.
pub fn story(outputs: &Outputs) -> Vec<String> {
    outputs.all.iter().map(describe).collect()
}

fn describe(output: &Output) -> String {
    match output {
        Output::Respond(response) => response.status().to_string(),
        Output::Challenge(response) => format!("challenge {}", response.status()),
        Output::Send(request) => state_of(request).to_owned(),
        Output::NeedCredentials(need) => format!("credentials {}", need.status()),
        Output::Job(job) => format!("job {:?}", job.kind),
        Output::Event(event) => match event {
            ServerEvent::SubscriptionStarted { decision, .. } => {
                format!("started {}", name(decision))
            }
            ServerEvent::SubscriptionChanged { decision, .. } => {
                format!("changed {}", name(decision))
            }
            ServerEvent::SubscriptionEnded { reason, .. } => format!("ended: {reason}"),
            ServerEvent::Published { kind, .. } => format!("published {kind:?}"),
            ServerEvent::PublicationExpired { .. } => "publication expired".into(),
            ServerEvent::NotifyRefused { status, .. } => format!("refused {status}"),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow(_) => "allowed",
        Decision::Pending => "pending",
        Decision::PoliteBlock => "polite",
        Decision::Reject(_) => "rejected",
        _ => "other",
    }
}

/// Why the one subscription that ended did.
pub fn end_of(outputs: &Outputs) -> EndReason {
    let ends: Vec<EndReason> = outputs
        .events()
        .iter()
        .filter_map(|event| match event {
            ServerEvent::SubscriptionEnded { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(ends.len(), 1, "{outputs:?}");
    ends[0]
}

/// Seconds after the beginning of a scene.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_000 + seconds)
}
