//! A package that somebody watches, those who watch its watchers, and the documents they get.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use presentity::engine::{Entropy, FlowId, ServerTransaction, Timestamp};
use presentity::event::{
    Authorization, Backlog, Decision, Output, Package, Profile, PublishedBody, Reason,
    RenderRequest, RequestContext, Server, ServerConfig, SubscribeQuery, SubscriptionKey,
    Termination, Unreadable, Unserved, View,
};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef, Uri};
use presentity::winfo::{
    InfoPolicy, RecommendedInfoPolicy, WatcherInfoConfig, WatcherInfoServer,
    WatcherInfoServerOutput,
};

use crate::common::{Driver, Message, Outputs, Role, seeded};

/// The resource of most tests.
pub const ROSA: &str = "rosa@example.com";

/// Doors that may be opened: whoever is not known waits.
pub struct Doors {
    profile: Profile,
    pub known: HashMap<String, Decision>,
    pub others: Decision,
}

impl Package for Doors {
    type State = ();
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        uri.address_of_record().ok_or(Unserved::NotHere)
    }

    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let known = query.watcher().and_then(|watcher| self.known.get(watcher));
        known.unwrap_or(&self.others).clone().into()
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new("nothing is published here"))
    }

    fn render(&mut self, _: &RenderRequest<'_>, (): &mut (), _: &[(u64, &())]) -> Option<Bytes> {
        Some("closed".into())
    }
}

/// The doors' server, and that of its watcher information.
pub struct House<I: InfoPolicy = RecommendedInfoPolicy> {
    pub doors: Server<Doors>,
    pub info: WatcherInfoServer<I>,
    pub now: Timestamp,
    /// Subscriptions to the doors that were given up.
    pub given_up: Vec<SubscriptionKey>,
    /// NOTIFYs of watcher information with their levels, that no test has looked at.
    pub sent: Vec<(u8, OutgoingRequest)>,
}

impl<I: InfoPolicy> Role for House<I> {
    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        self.now = now;
        if self.doors.owns(request) {
            return self
                .doors
                .handle_request(now, transaction, request, context);
        }
        self.info.handle_request(now, transaction, request, context)
    }

    fn response(&mut self, now: Timestamp, request: &OutgoingRequest, response: &ResponseRef<'_>) {
        self.now = now;
        let transaction = request.transaction();
        match self.info.owns_transaction(transaction) {
            true => self.info.handle_response(now, transaction, response),
            false => self.doors.handle_response(now, transaction, response),
        }
    }

    fn timeout(&mut self, now: Timestamp) {
        self.now = now;
        self.doors.handle_timeout(now);
        self.info.handle_timeout(now);
    }

    fn output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.doors.poll_output() {
                if let Output::Event(event) = &output {
                    self.info.observe(self.now, event);
                }
                return Some(output);
            }
            match self.info.poll_output(&self.doors)? {
                WatcherInfoServerOutput::Serve { level, output } => {
                    if let Output::Send(notify) = &output {
                        self.sent.push((level, notify.clone()));
                    }
                    return Some(output);
                }
                WatcherInfoServerOutput::GiveUp(key) => {
                    self.given_up.push(key);
                    let end = Termination::new(Reason::GiveUp);
                    self.doors.terminate(self.now, key, end).expect("it lives");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let both = [self.doors.poll_timeout(), self.info.poll_timeout()];
        both.into_iter().flatten().min()
    }
}

/// A house on virtual time.
pub struct Scene<I: InfoPolicy = RecommendedInfoPolicy> {
    driver: Driver<House<I>>,
    calls: u32,
}

impl<I: InfoPolicy> Deref for Scene<I> {
    type Target = Driver<House<I>>;

    fn deref(&self) -> &Self::Target {
        &self.driver
    }
}

impl<I: InfoPolicy> DerefMut for Scene<I> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.driver
    }
}

/// A subscription as its subscriber holds it.
#[derive(Debug, Clone)]
pub struct Held {
    pub first: Message,
    tag: String,
    cseq: u32,
}

impl Held {
    pub fn new(first: Message, tag: String) -> Self {
        Self {
            first,
            tag,
            cseq: 1,
        }
    }

    /// The next SUBSCRIBE in the dialog.
    pub fn next(&mut self, seconds: u32) -> Message {
        self.cseq += 1;
        let message = self.first.clone().in_dialog(&self.tag, self.cseq);
        message.with("Expires", &seconds.to_string())
    }
}

pub fn scene() -> Scene {
    with(RecommendedInfoPolicy, |_| ())
}

pub fn scene_with(set: impl FnOnce(&mut WatcherInfoConfig)) -> Scene {
    with(RecommendedInfoPolicy, set)
}

pub fn with<I: InfoPolicy>(policy: I, set: impl FnOnce(&mut WatcherInfoConfig)) -> Scene<I> {
    let mut config = WatcherInfoConfig::default();
    config.server.role = 4;
    set(&mut config);
    let doors = Doors {
        profile: Profile::new("doors", &["text/plain"]),
        known: HashMap::new(),
        others: Decision::Pending,
    };
    let house = House {
        doors: Server::new(doors, ServerConfig::default(), seeded(1)),
        info: WatcherInfoServer::new("doors", policy, config, entropy()),
        now: Timestamp::ZERO,
        given_up: Vec::new(),
        sent: Vec::new(),
    };
    Scene {
        driver: Driver::new(house),
        calls: 0,
    }
}

fn entropy() -> impl Entropy + Send + 'static {
    seeded(2)
}

impl<I: InfoPolicy> Scene<I> {
    /// A SUBSCRIBE of a user of example.com, by its user part.
    pub fn message(&mut self, who: &str, event: &str, seconds: u32) -> Message {
        self.calls += 1;
        let from = format!("sip:{who}@example.com");
        Message::subscribe(&from, &format!("sip:{ROSA}"), &format!("c{}", self.calls))
            .with("Event", event)
            .with("Expires", &seconds.to_string())
    }

    /// A subscription, whose first NOTIFY is answered; and the rest of what comes of it.
    pub fn subscribed(&mut self, who: &str, event: &str, seconds: u32) -> (Held, Outputs) {
        let first = self.message(who, event, seconds);
        let outputs = self.driver.send(&first);
        let response = outputs.responses()[0];
        assert_eq!(response.status(), 200, "{outputs:?}");
        let tag = response.to_tag().expect("a tag").to_owned();
        let held = Held::new(first, tag);
        (held, self.answer(outputs))
    }

    /// One who wants to see.
    pub fn knocks(&mut self, who: &str) -> Held {
        self.subscribed(who, "doors", 600).0
    }

    /// The user herself, who watches; gives her first document.
    pub fn rosa_watches(&mut self) -> (Held, Document) {
        self.watches("rosa")
    }

    pub fn watches(&mut self, who: &str) -> (Held, Document) {
        self.role.sent.clear();
        let (held, _) = self.subscribed(who, "doors.winfo", 3600);
        let sent = &mut self.role.sent;
        let own = sent
            .iter()
            .position(|(level, _)| *level == 1)
            .expect("a NOTIFY");
        let (_, notify) = sent.remove(own);
        (held, read(crate::common::body_of(&notify)))
    }

    /// Another SUBSCRIBE of one who watches; gives the document that it gets.
    pub fn looks_again(&mut self, held: &mut Held, seconds: u32) -> Document {
        self.role.sent.clear();
        self.again(held, seconds);
        let sent = std::mem::take(&mut self.role.sent);
        assert_eq!(sent.len(), 1);
        read(crate::common::body_of(&sent[0].1))
    }

    /// Fetches watcher information.
    pub fn fetches(&mut self, who: &str) -> Document {
        self.role.sent.clear();
        self.subscribed(who, "doors.winfo", 0);
        let sent = std::mem::take(&mut self.role.sent);
        assert_eq!(sent.len(), 1);
        read(crate::common::body_of(&sent[0].1))
    }

    /// Another SUBSCRIBE in the dialog.
    pub fn again(&mut self, held: &mut Held, seconds: u32) -> Outputs {
        let message = held.next(seconds);
        let outputs = self.driver.send(&message);
        assert_eq!(outputs.responses()[0].status(), 200, "{outputs:?}");
        self.answer(outputs)
    }

    /// Answers all NOTIFYs, and those that come of it.
    pub fn answer(&mut self, outputs: Outputs) -> Outputs {
        let mut all = outputs;
        let mut answered = 0;
        while answered < all.all.len() {
            let new = Outputs {
                all: all.all[answered..].to_vec(),
            };
            answered = all.all.len();
            all.all.extend(self.driver.answer_all(&new).all);
        }
        all
    }

    /// Lets time pass with every NOTIFY answered as it comes.
    pub fn after(&mut self, seconds: f64) -> Outputs {
        let outputs = self.driver.drain();
        let mut all = self.answer(outputs);
        let end = self.now + std::time::Duration::from_secs_f64(seconds);
        while let Some(deadline) = self.role.deadline().filter(|it| *it <= end) {
            self.driver.now = self.now.max(deadline);
            let now = self.now;
            self.role.timeout(now);
            let outputs = self.driver.drain();
            all.all.extend(self.answer(outputs).all);
        }
        let left = end.saturating_since(self.now).as_secs_f64();
        let outputs = self.driver.pass(left);
        all.all.extend(self.answer(outputs).all);
        all
    }

    /// Lets so much time pass that the next change is told at once; gives the documents that were sent
    /// since the last look.
    pub fn news(&mut self) -> Vec<Document> {
        self.after(6.0);
        let sent = std::mem::take(&mut self.role.sent).into_iter();
        let bodies = sent.map(|(_, notify)| crate::common::body_of(&notify).to_owned());
        bodies.map(|body| read(&body)).collect()
    }

    /// The one document there is.
    pub fn one(&mut self) -> Document {
        let mut news = self.news();
        assert_eq!(news.len(), 1, "{news:#?}");
        news.remove(0)
    }

    pub fn decide(&mut self, who: &str, decision: Decision) {
        let (now, who) = (self.now, format!("{who}@example.com"));
        let house = &mut self.driver.role;
        house.doors.decide_watcher(now, &who, ROSA, &decision);
        house.info.decided(now, &who, ROSA, &decision);
        let known = &mut house.doors.package_mut().known;
        known.insert(who, decision);
    }

    /// Ends those of one watcher.
    pub fn end(&mut self, who: &str, reason: Reason) {
        let who = format!("{who}@example.com");
        let doors = &self.role.doors;
        let own = doors.subscriptions().filter(|it| it.watcher == Some(&who));
        let keys: Vec<SubscriptionKey> = own.map(|it| it.key).collect();
        assert!(!keys.is_empty());
        let now = self.now;
        for key in keys {
            let end = Termination::new(reason);
            self.role.doors.terminate(now, key, end).expect("it lives");
        }
    }

    /// Answers one NOTIFY.
    pub fn driver_answer(&mut self, notify: &OutgoingRequest, status: u16) {
        let outputs = self.driver.answer(notify, status);
        self.answer(outputs);
    }

    pub fn flow_lost(&mut self, flow: FlowId) {
        let now = self.now;
        self.role.info.handle_flow_lost(now, flow);
    }
}

pub fn allow() -> Decision {
    Decision::Allow(View::full())
}

/// A document of watcher information, read by another reader than ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub version: u32,
    pub state: String,
    pub resource: String,
    pub package: String,
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: String,
    pub uri: String,
    pub status: String,
    pub event: String,
    pub expiration: Option<u64>,
}

impl Document {
    /// Who stands how, and why.
    pub fn lines(&self) -> Vec<String> {
        self.entries
            .iter()
            .map(|it| {
                let user = it.uri.strip_prefix("sip:").unwrap_or(&it.uri);
                let user = user.strip_suffix("@example.com").unwrap_or(user);
                format!("{user} {} {}", it.status, it.event)
            })
            .collect()
    }

    pub fn is_full(&self) -> bool {
        assert!(self.state == "full" || self.state == "partial");
        self.state == "full"
    }
}

pub fn read(body: &str) -> Document {
    let namespace = "urn:ietf:params:xml:ns:watcherinfo";
    let tree = roxmltree::Document::parse(body).expect("well-formed");
    let root = tree.root_element();
    assert!(root.has_tag_name((namespace, "watcherinfo")), "{body}");
    let lists: Vec<_> = root.children().collect();
    let [list] = &lists[..] else {
        panic!("{body}");
    };
    assert!(list.has_tag_name((namespace, "watcher-list")));
    let text =
        |node: &roxmltree::Node<'_, '_>, name: &str| node.attribute(name).expect(name).to_owned();
    let entries = list.children().map(|node| {
        assert!(node.has_tag_name((namespace, "watcher")));
        Entry {
            id: text(&node, "id"),
            uri: node.text().expect("a URI").to_owned(),
            status: text(&node, "status"),
            event: text(&node, "event"),
            expiration: node.attribute("expiration").map(|it| it.parse().unwrap()),
        }
    });
    Document {
        version: text(&root, "version").parse().expect("a number"),
        state: text(&root, "state"),
        resource: text(list, "resource"),
        package: text(list, "package"),
        entries: entries.collect(),
    }
}
