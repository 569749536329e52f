//! An agent that subscribes to devices which are agents themselves: several real ones, and a host between.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Authorization, Decision, Failure, Identity, NeedCredentials, Output,
    Reason, Rejection, RequestContext, SubscribeQuery, Termination, View,
};
use presentity::presence::{
    Agent, AgentConfig, FollowError, Migration, Policy, RoleTaken, Watcher, WatcherConfig,
};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

use crate::common::{Message, field, seeded};
use crate::scene::{AGENT, ANA, At, BOB, CARLA, Scene, Told, document_of, shown, state};

const DESK: &str = "sip:bob@192.0.2.10:5062";
const POCKET: &str = "sip:bob@192.0.2.20";

/// How a device registers that is an agent.
fn as_agent(uri: &str) -> String {
    format!("<{uri}>;methods=\"INVITE,SUBSCRIBE\";events=\"presence\"")
}

/// A device lets everybody in, or only who has proved who he is.
struct Door {
    asks: bool,
    answer: Decision,
}

impl Policy for Door {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match self.asks && query.identity().is_nobody() {
            true => Authorization::Challenge,
            false => self.answer.clone().into(),
        }
    }
}

struct Device {
    uri: String,
    agent: Agent<Door>,
    is_there: bool,
    /// The server's transactions with it.
    open: HashMap<u64, (ClientTransaction, String)>,
    /// Its own with the server.
    told: HashMap<u64, ClientTransaction>,
}

struct World {
    scene: Scene,
    devices: Vec<Device>,
    transactions: u64,
    wishes: Vec<NeedCredentials>,
    asked: usize,
}

fn door(seed: u64) -> Agent<Door> {
    let answer = Decision::Allow(View::full());
    let door = Door {
        asks: false,
        answer,
    };
    Agent::new(AgentConfig::default(), door, seeded(seed))
}

fn account() -> Account {
    let account = Account::new("sip:presence@example.com").unwrap();
    account.with_contact(AGENT).unwrap()
}

fn watcher(role: u8) -> Watcher {
    let mut config = WatcherConfig::default();
    config.subscriber.role = role;
    Watcher::new(config, seeded(77 + u64::from(role)))
}

/// The answer as the one who asked gets it.
fn carried(response: &Response, to: &str) -> Vec<(String, String)> {
    let mut fields = vec![(
        "To".to_owned(),
        match response.to_tag() {
            Some(tag) if !to.contains(";tag=") => format!("{to};tag={tag}"),
            _ => to.to_owned(),
        },
    )];
    let own = response.fields();
    fields.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if response.status() == 401 {
        let challenge = "Digest realm=\"bob\", nonce=\"n\"".to_owned();
        fields.push(("WWW-Authenticate".to_owned(), challenge));
    }
    fields
}

fn answer_with(
    fields: &[(String, String)],
    status: u16,
    body: &Bytes,
    to: impl FnOnce(&ResponseRef<'_>),
) {
    let fields = fields.iter().map(|(name, value)| (&**name, &**value));
    to(&ResponseRef::new(status, fields, body));
}

impl World {
    fn new(devices: &[&str]) -> Self {
        Self::with(devices, |_| {})
    }

    /// The server has a back end; Bob's devices are there.
    fn with(devices: &[&str], change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut scene = Scene::with(|config| {
            config.follows_agents = true;
            config.server.notify_interval = Duration::ZERO;
            change(config);
        });
        let now = scene.now;
        scene
            .agent
            .set_back_end(now, watcher(1), &account())
            .unwrap();
        let devices = devices.iter().zip(100..).map(|(uri, seed)| Device {
            uri: (*uri).to_owned(),
            agent: door(seed),
            is_there: true,
            open: HashMap::new(),
            told: HashMap::new(),
        });
        Self {
            scene,
            devices: devices.collect(),
            transactions: 1_000_000,
            wishes: Vec::new(),
            asked: 0,
        }
    }

    /// What a device says of itself.
    fn says(&mut self, device: usize, id: &str, note: &str) {
        let now = self.scene.now;
        let device = &mut self.devices[device];
        let document = document_of(&device.uri, id, note);
        device
            .agent
            .set_presence(now, &device.uri, document)
            .unwrap();
    }

    fn register(&mut self, devices: &[(usize, f64)]) {
        let contacts: Vec<(String, f64)> = devices
            .iter()
            .map(|(device, left)| (as_agent(&self.devices[*device].uri), *left))
            .collect();
        let contacts: Vec<(&str, f64)> = contacts.iter().map(|it| (&*it.0, it.1)).collect();
        self.scene.register(BOB, &contacts);
    }

    /// The server asks a device.
    fn ask(&mut self, request: &OutgoingRequest) {
        self.asked += 1;
        let now = self.scene.now;
        let uri = request.uri();
        let found = self
            .devices
            .iter_mut()
            .find(|it| it.uri == uri && it.is_there);
        let Some(device) = found else {
            let transaction = request.transaction();
            self.scene
                .agent
                .handle_failure(now, transaction, Failure::Timeout);
            return;
        };
        self.transactions += 1;
        let to = field(request, "To").unwrap().to_owned();
        device
            .open
            .insert(self.transactions, (request.transaction(), to));
        let identity = match field(request, "Authorization") {
            Some(_) => Identity::of("sip:presence@example.com", Assurance::Digest).unwrap(),
            None if device.agent.policy().asks => Identity::nobody(),
            None => Identity::of("sip:presence@example.com", Assurance::Claimed).unwrap(),
        };
        let context = RequestContext::new(&identity, &device.uri);
        let view = RequestRef::new(request.method(), uri, request.fields(), request.body());
        let transaction = ServerTransaction(self.transactions);
        device
            .agent
            .handle_request(now, transaction, &view, &context)
            .unwrap();
    }

    /// A device has something to say to the server.
    fn hear(&mut self, place: usize, output: Output) {
        let now = self.scene.now;
        match output {
            Output::Respond(response) | Output::Challenge(response) => {
                let open = &mut self.devices[place].open;
                let Some((transaction, to)) = open.remove(&response.transaction().0) else {
                    return;
                };
                let fields = carried(&response, &to);
                let agent = &mut self.scene.agent;
                answer_with(&fields, response.status(), response.body(), |response| {
                    agent.handle_response(now, transaction, response);
                });
            }
            Output::Send(request) => {
                self.transactions += 1;
                let told = &mut self.devices[place].told;
                told.insert(self.transactions, request.transaction());
                let identity = Identity::nobody();
                let context = RequestContext::new(&identity, AGENT);
                let view = RequestRef::new(
                    request.method(),
                    request.uri(),
                    request.fields(),
                    request.body(),
                );
                if !self.scene.agent.accepts(&view) {
                    // For nobody here: so the host says.
                    let fields = [("To", "<sip:x@y>;tag=z")];
                    let none = Bytes::new();
                    let gone = ResponseRef::new(481, fields, &none);
                    let agent = &mut self.devices[place].agent;
                    agent.handle_response(now, request.transaction(), &gone);
                    return;
                }
                let transaction = ServerTransaction(self.transactions);
                self.scene
                    .agent
                    .handle_request(now, transaction, &view, &context)
                    .unwrap();
            }
            _ => {}
        }
    }

    /// Whatever happens now; what the server has to say to watchers.
    fn settle(&mut self) -> Told {
        let mut told = Told::default();
        loop {
            let mut is_quiet = true;
            while let Some(output) = self.scene.agent.poll_output() {
                is_quiet = false;
                match &output {
                    Output::Send(request) if request.method() == "SUBSCRIBE" => self.ask(request),
                    Output::Send(request) => self.scene.answer(request, 200),
                    Output::NeedCredentials(need) => self.wishes.push(need.clone()),
                    Output::Respond(response) => self.answer_device(response),
                    _ => {}
                }
                let seconds = self.scene.now.saturating_since(self.scene.at(0.0));
                let seconds = (seconds.as_millis() / 100) as f64 / 10.0;
                told.0.push(At { seconds, output });
            }
            for place in 0..self.devices.len() {
                while let Some(output) = self.devices[place].agent.poll_output() {
                    is_quiet = false;
                    if self.devices[place].is_there {
                        self.hear(place, output);
                    }
                }
            }
            if is_quiet {
                return told;
            }
        }
    }

    fn answer_device(&mut self, response: &Response) {
        let now = self.scene.now;
        let number = response.transaction().0;
        for device in &mut self.devices {
            if let Some(transaction) = device.told.remove(&number) {
                let fields = carried(response, "<sip:x@y>;tag=z");
                answer_with(&fields, response.status(), response.body(), |response| {
                    device.agent.handle_response(now, transaction, response);
                });
            }
        }
    }

    fn pass(&mut self, seconds: f64) -> Told {
        let end = self.scene.now + Duration::from_secs_f64(seconds);
        let mut told = self.settle();
        let mut rounds = 0;
        loop {
            let devices = self.devices.iter().map(|it| it.agent.poll_timeout());
            let all = devices.chain([self.scene.agent.poll_timeout()]);
            let next: Option<Timestamp> = all.flatten().min().filter(|it| *it <= end);
            self.scene.now = self.scene.now.max(next.unwrap_or(end));
            let now = self.scene.now;
            self.scene.agent.handle_timeout(now);
            for device in &mut self.devices {
                device.agent.handle_timeout(now);
            }
            told.0.append(&mut self.settle().0);
            if next.is_none() {
                return told;
            }
            rounds += 1;
            assert!(rounds < 100_000, "time stands still");
        }
    }

    fn followed(&self, device: usize) -> usize {
        self.devices[device].agent.subscriptions().count()
    }

    fn published(&mut self, id: &str, note: &str) {
        let message = self.scene.publish(BOB, id, note);
        let bob = Identity::of(BOB, Assurance::Digest).unwrap();
        let context = RequestContext::new(&bob, AGENT);
        self.scene.hand_in(&message, &context);
        assert_eq!(self.settle().responses()[0].status(), 200);
    }

    /// The notes of what is known of Bob, sorted; his contacts have none.
    fn known(&mut self) -> Vec<String> {
        let document = self.scene.agent.presence(BOB).unwrap();
        let tuples = document.map(|it| it.tuples).unwrap_or_default();
        let notes = tuples.iter().flat_map(|it| &it.notes);
        let mut notes: Vec<String> = notes.map(|note| note.text.clone()).collect();
        notes.sort_unstable();
        notes
    }

    fn close(mut self) {
        let now = self.scene.now;
        self.scene.register(BOB, &[]);
        for uri in [DESK, POCKET] {
            self.scene.agent.unfollow_source(now, BOB, uri).unwrap();
        }
        self.pass(200.0);
        self.scene
            .agent
            .set_back_end(self.scene.now, watcher(1), &account())
            .unwrap();
        self.scene.close();
    }
}

// SRV-03, SRV-05, SRV-08, SRV-09
#[test]
fn what_devices_say_is_composed_with_what_is_published() {
    let mut world = World::new(&[DESK, POCKET]);
    world.says(0, "a", "at the desk");
    world.says(1, "a", "in the pocket");
    world.published("a", "published");
    world.scene.watch(ANA, BOB);
    world.register(&[(0, 1000.0), (1, 1000.0)]);
    world.settle();
    assert_eq!([world.followed(0), world.followed(1)], [1, 1]);
    let notes = ["at the desk", "in the pocket", "published"];
    assert_eq!(world.known(), notes);
    // The same again asks nobody again.
    let asked = world.asked;
    world.register(&[(0, 1000.0), (1, 1000.0)]);
    world.settle();
    assert_eq!(world.asked, asked);
    // A change at a device arrives at the watcher.
    world.says(0, "a", "away from the desk");
    let told = world.settle();
    let notify = told.notifies().into_iter().last().unwrap();
    assert!(
        shown(notify)
            .iter()
            .any(|it| it.ends_with("away from the desk"))
    );
    let notes = ["away from the desk", "in the pocket", "published"];
    assert_eq!(world.known(), notes);
    // One is not registered any more; its part goes and it is told so.
    world.register(&[(1, 1000.0)]);
    world.settle();
    assert_eq!([world.followed(0), world.followed(1)], [0, 1]);
    assert_eq!(world.known(), ["in the pocket", "published"]);
    // The other one's registration runs out.
    world.pass(1001.0);
    assert_eq!([world.followed(0), world.followed(1)], [0, 0]);
    assert_eq!(world.known(), ["published"]);
    let back_end = world.scene.agent.back_end().unwrap();
    assert_eq!(back_end.occupancy(), [0; 8]);
    world.close();
}

// SRV-08
#[test]
fn the_application_says_whom_to_follow_as_well() {
    let mut world = World::new(&[DESK]);
    world.says(0, "a", "at the desk");
    let now = world.scene.now;
    for _ in 0..2 {
        assert_eq!(world.scene.agent.follow_source(now, BOB, DESK), Ok(()));
    }
    world.settle();
    assert_eq!(world.asked, 1);
    assert_eq!(world.known(), ["at the desk"]);
    // A registration that comes and goes does not end it.
    world.register(&[(0, 100.0)]);
    world.settle();
    world.pass(150.0);
    assert_eq!(world.known(), ["at the desk"]);
    // It lives as long as it is followed.
    world.pass(10_000.0);
    assert_eq!(world.known(), ["at the desk"]);
    let now = world.scene.now;
    assert_eq!(world.scene.agent.unfollow_source(now, BOB, DESK), Ok(true));
    assert!(world.known().is_empty());
    // At once again, while the end is under way.
    assert_eq!(world.scene.agent.follow_source(now, BOB, DESK), Ok(()));
    world.settle();
    assert_eq!(world.known(), ["at the desk"]);
    assert_eq!(world.scene.agent.unfollow_source(now, BOB, DESK), Ok(true));
    assert_eq!(world.scene.agent.unfollow_source(now, BOB, DESK), Ok(false));
    world.settle();
    assert_eq!(world.followed(0), 0);
    world.close();
}

// SRV-08
#[test]
fn whoever_goes_takes_his_part_along_and_brings_it_back() {
    for way in 0..4 {
        let mut world = World::new(&[DESK, POCKET]);
        world.says(0, "a", "at the desk");
        world.says(1, "b", "in the pocket");
        world.scene.watch(ANA, BOB);
        world.register(&[(0, 50_000.0), (1, 50_000.0)]);
        world.settle();
        assert_eq!(world.known(), ["at the desk", "in the pocket"]);
        match way {
            // No answer any more.
            0 => world.devices[0].is_there = false,
            // It has forgotten everything, and says 481.
            1 => {
                world.devices[0].agent = door(200);
                world.devices[0].is_there = true;
            }
            // It ends the subscription, to be asked again later.
            2 => {
                let now = world.scene.now;
                let ending = Termination::new(Reason::Probation).with_retry_after(600);
                world.devices[0].agent.terminate_all(now, ending);
            }
            // It ends it for good.
            _ => {
                let now = world.scene.now;
                let ending = Termination::new(Reason::Rejected);
                world.devices[0].agent.terminate_all(now, ending);
            }
        }
        if way == 1 {
            // Asked anew it answers, and has nothing to say yet.
            world.pass(3_700.0);
            assert_eq!(world.known(), ["in the pocket"]);
        } else {
            world.pass(if way == 0 { 3_700.0 } else { 1.0 });
            assert_eq!(world.known(), ["in the pocket"], "{way}");
        }
        // It is back, and says what it said before.
        world.devices[0].is_there = true;
        world.says(0, "a", "at the desk");
        if way == 3 {
            world.pass(5_000.0);
            assert_eq!(world.known(), ["in the pocket"]);
            world.register(&[(0, 50_000.0), (1, 50_000.0)]);
        }
        let told = world.pass(4_000.0);
        assert_eq!(world.known(), ["at the desk", "in the pocket"], "{way}");
        assert_eq!(world.followed(0), 1, "{way}");
        assert!(
            told.notifies()
                .iter()
                .all(|it| state(it).starts_with("active") || state(it).contains("timeout"))
        );
        world.close();
    }
}

// SRV-08
#[test]
fn a_device_that_waits_or_blocks_has_no_part() {
    let mut world = World::new(&[DESK]);
    world.says(0, "a", "at the desk");
    world.devices[0].agent.policy_mut().answer = Decision::Pending;
    world.register(&[(0, 5_000.0)]);
    world.settle();
    assert!(world.known().iter().all(|it| it != "at the desk"));
    let decide = |world: &mut World, decision: Decision| {
        let now = world.scene.now;
        let key = world.devices[0].agent.subscriptions().next().unwrap().key;
        world.devices[0].agent.decide(now, key, decision).unwrap();
        world.settle();
    };
    decide(&mut world, Decision::Allow(View::full()));
    assert_eq!(world.known(), ["at the desk"]);
    decide(&mut world, Decision::PoliteBlock);
    assert!(world.known().is_empty());
    decide(&mut world, Decision::Allow(View::full()));
    assert_eq!(world.known(), ["at the desk"]);
    decide(&mut world, Decision::Reject(Rejection::Forbidden));
    assert!(world.known().is_empty());
    world.close();
}

// SRV-08, SRV-10
#[test]
fn a_device_may_ask_who_we_are() {
    for provides in [true, false] {
        let mut world = World::new(&[DESK]);
        world.says(0, "a", "at the desk");
        world.devices[0].agent.policy_mut().asks = true;
        world.register(&[(0, 1000.0)]);
        world.settle();
        assert!(world.known().is_empty());
        let need = world.wishes.pop().expect("to be asked");
        assert_eq!((need.method(), need.uri()), ("SUBSCRIBE", DESK));
        let now = world.scene.now;
        let agent = &mut world.scene.agent;
        if provides {
            assert!(agent.provide_credentials(now, need.transaction(), "Digest x"));
            assert!(!agent.provide_credentials(now, need.transaction(), "Digest x"));
        } else {
            assert!(agent.decline_credentials(now, need.transaction()));
            assert!(!agent.decline_credentials(now, need.transaction()));
        }
        world.settle();
        let expected: &[&str] = if provides { &["at the desk"] } else { &[] };
        assert_eq!(world.known(), expected);
        world.devices[0].agent.policy_mut().asks = false;
        world.close();
    }
}

// SRV-08
#[test]
fn numbers_of_roles_are_told_apart() {
    let mut scene = Scene::with(|config| config.server.role = 3);
    let now = scene.now;
    assert_eq!(
        scene.agent.follow_source(now, BOB, DESK),
        Err(FollowError::NoBackEnd)
    );
    assert_eq!(scene.agent.unfollow_source(now, BOB, DESK), Ok(false));
    let refused = scene.agent.set_back_end(now, watcher(3), &account());
    assert_eq!(refused, Err(RoleTaken));
    assert!(scene.agent.back_end().is_none());
    assert_eq!(
        scene.agent.set_back_end(now, watcher(0), &account()),
        Ok(())
    );
    // One that clashes leaves the one that is there.
    let refused = scene.agent.set_back_end(now, watcher(3), &account());
    assert_eq!(refused, Err(RoleTaken));
    assert!(scene.agent.back_end().is_some());
    scene.close();
}

// SRV-08
#[test]
fn what_leads_back_here_is_not_followed() {
    let mut world = World::with(&[DESK], |config| {
        config.domains = vec!["example.com".to_owned()];
    });
    let now = world.scene.now;
    for uri in [
        BOB,
        "sips:bob@EXAMPLE.com",
        "sip:bob@example.com;transport=tcp",
    ] {
        let refused = world.scene.agent.follow_source(now, BOB, uri);
        assert_eq!(refused, Err(FollowError::Itself), "{uri}");
    }
    for uri in ["", "tel:+1", "pres:bob@example.org", "https://example.com"] {
        let refused = world.scene.agent.follow_source(now, BOB, uri);
        assert!(matches!(refused, Err(FollowError::Uri(_))), "{uri}");
        assert!(
            world.scene.agent.follow_source(now, uri, DESK).is_err() || uri.starts_with("pres")
        );
    }
    // Two who register each other would have each other's state for ever.
    world
        .scene
        .register(BOB, &[(&as_agent(CARLA), 1000.0), (&as_agent(BOB), 1000.0)]);
    world.scene.register(CARLA, &[(&as_agent(BOB), 1000.0)]);
    world.settle();
    assert_eq!(world.asked, 0);
    world.close();
}

// SRV-08, SRV-22
#[test]
fn nobody_is_sent_to_where_he_came_from() {
    let mut scene = Scene::with(|config| config.migration = Migration::ToAny);
    for contact in [BOB, "sip:bob@example.com;transport=udp"] {
        scene.register(BOB, &[(&as_agent(contact), 1000.0)]);
        let message = scene.subscribe(ANA, BOB);
        let told = scene.send(&message);
        assert!(told.forwards().is_empty());
        assert_eq!(told.status(), 200);
    }
    scene.close();
    // Nor to one who sends them back.
    let mut scene = Scene::with(|config| {
        config.migration = Migration::ToAny;
        config.domains = vec!["example.com".to_owned()];
    });
    scene.register(BOB, &[(&as_agent(CARLA), 1000.0)]);
    scene.register(CARLA, &[(&as_agent(BOB), 1000.0)]);
    scene.watch(ANA, BOB);
    scene.close();
}

// SRV-08
#[test]
fn another_back_end_begins_anew() {
    let mut world = World::new(&[DESK, POCKET]);
    world.says(0, "a", "at the desk");
    world.says(1, "b", "in the pocket");
    world.register(&[(0, 10_000.0)]);
    let now = world.scene.now;
    world.scene.agent.follow_source(now, BOB, POCKET).unwrap();
    world.settle();
    assert_eq!(world.known(), ["at the desk", "in the pocket"]);
    let now = world.scene.now;
    world
        .scene
        .agent
        .set_back_end(now, watcher(2), &account())
        .unwrap();
    assert!(world.known().is_empty());
    // What is registered is followed again; the application says whom it wants to be.
    world.settle();
    assert_eq!(world.known(), ["at the desk"]);
    // The old dialogs are known to nobody: a NOTIFY in one of them is refused.
    world.says(1, "b", "on the way");
    world.pass(10.0);
    assert_eq!(world.followed(1), 0);
    assert_eq!(world.known(), ["at the desk"]);
    world.close();
}

// SRV-08, SRV-26
#[test]
fn a_device_that_watchers_go_to_is_not_followed_and_one_among_several_is() {
    let mut world = World::with(&[DESK], |config| config.migration = Migration::ToDeclared);
    world.says(0, "a", "at the desk");
    world.register(&[(0, 10_000.0)]);
    world.settle();
    assert_eq!((world.asked, world.followed(0)), (0, 0));
    // Two publications, and all is composed here.
    world.published("x", "one");
    world.published("y", "two");
    world.settle();
    assert_eq!(world.followed(0), 1);
    assert_eq!(world.known(), ["at the desk", "one", "two"]);
    let watch = world.scene.subscribe(ANA, BOB);
    let identity = Identity::of(ANA, Assurance::Digest).unwrap();
    world
        .scene
        .hand_in(&watch, &RequestContext::new(&identity, AGENT));
    let told = world.settle();
    assert!(told.forwards().is_empty());
    assert_eq!(told.notifies().len(), 1);
    // They run out: there is nothing to compose any more, and watchers go to the device.
    world.pass(3_700.0);
    assert_eq!(world.followed(0), 0);
    assert!(world.known().is_empty());
    let watch = world.scene.subscribe(ANA, BOB);
    world
        .scene
        .hand_in(&watch, &RequestContext::new(&identity, AGENT));
    assert_eq!(world.settle().forwards().len(), 1);
    world.close();
}

// SRV-08
#[test]
fn what_is_for_nobody_is_answered_as_ever() {
    let mut world = World::new(&[DESK]);
    world.says(0, "a", "at the desk");
    world.register(&[(0, 1000.0)]);
    world.settle();
    let stray = Message::new("NOTIFY", DESK, AGENT, "stray")
        .with("Event", "presence")
        .with("Subscription-State", "active")
        .with("Contact", "<sip:x@192.0.2.99>");
    let nobody = Identity::nobody();
    world
        .scene
        .hand_in(&stray, &RequestContext::new(&nobody, AGENT));
    let told = world.settle();
    assert_eq!(told.status(), 481);
    assert_eq!(world.known(), ["at the desk"]);
    // Outcomes of nothing, by either role.
    let now = world.scene.now;
    world.says(0, "a", "elsewhere");
    let _ = world.settle();
    let none = Bytes::new();
    for status in [200, 401, 481, 503] {
        let response = ResponseRef::new(status, [], &none);
        let watch = world.scene.subscribe(ANA, BOB);
        let told = world.scene.send(&watch);
        let transaction = told.notify().transaction();
        world
            .scene
            .agent
            .handle_response(now, transaction, &response);
        world
            .scene
            .agent
            .handle_failure(now, transaction, Failure::Timeout);
    }
    assert_eq!(world.known(), ["elsewhere"]);
    world.close();
}
