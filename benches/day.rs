//! What a day of one watcher takes on the wire: octets and messages, with and without partial notification
//! (RFC 5263), conditions (RFC 5839), a rate (RFC 6446) and a filter (RFC 4660).
//!
//! `cargo bench --bench day` prints a table, the same in each run. The presentity has twenty tuples, a document
//! of some 6 KB. From eight o'clock to midnight one of them changes every 200 s, in turn: whether it is open,
//! its note and its timestamp. The subscription lasts for an hour and is kept up from midnight to midnight.
//! Counted is all that the watcher sends and gets, requests and responses with a Via field each; nothing gets
//! lost, and what TCP adds is left out. At the end of each day the watcher has to know what it should.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "no part of the library; prints its findings"
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use common::{Open, entropy};
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{Account, Assurance, Identity, Output, OwnSubscriptionKey, RequestContext};
use presentity::filter::{self, Filter, FilterSet};
use presentity::pidf::{Note, Presence, Tuple};
use presentity::presence::{
    Agent, AgentConfig, WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput,
};
use presentity::sip::{OutgoingRequest, Rate, Rates, RequestRef, ResponseRef};
use time::OffsetDateTime;

const PRESENTITY: &str = "sip:dora@example.com";
const WATCHER: &str = "sip:emil@example.net";
const AGENT_CONTACT: &str = "sip:192.0.2.1:5060;transport=tcp";
const WATCHER_CONTACT: &str = "sip:emil@192.0.2.9:5062;transport=tcp";
/// Longer than a datagram should be, so that all goes by TCP.
const AGENT_VIA: &str = "Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK7f3a19c2d45be608;rport\r\n";
const WATCHER_VIA: &str =
    "Via: SIP/2.0/TCP 192.0.2.9:5062;branch=z9hG4bK05e1c7749ab3f62d;rport\r\n";

const TUPLES: usize = 20;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const MORNING: Duration = Duration::from_secs(8 * 3_600);
const CHANGES: u32 = 288;

/// How the watcher watches.
#[derive(Debug, Clone, Copy)]
struct Manner {
    name: &'static str,
    partial: bool,
    conditional: bool,
    /// The time between two NOTIFYs of changes.
    interval: Option<Duration>,
    /// Nothing but what is open and closed.
    basic_only: bool,
}

const WHOLE: Manner = Manner {
    name: "whole documents",
    partial: false,
    conditional: false,
    interval: None,
    basic_only: false,
};

const CONDITIONAL: Manner = Manner {
    name: "whole, conditional",
    conditional: true,
    ..WHOLE
};

const PARTIAL: Manner = Manner {
    name: "partial",
    partial: true,
    ..WHOLE
};

const BOTH: Manner = Manner {
    name: "partial, conditional",
    partial: true,
    ..CONDITIONAL
};

const HALF_HOUR: Option<Duration> = Some(Duration::from_secs(1_800));

const MANNERS: [Manner; 9] = [
    WHOLE,
    CONDITIONAL,
    PARTIAL,
    BOTH,
    Manner {
        name: "whole, conditional, one in 30 min",
        interval: HALF_HOUR,
        ..CONDITIONAL
    },
    Manner {
        name: "partial, conditional, one in 30 min",
        interval: HALF_HOUR,
        ..BOTH
    },
    Manner {
        name: "basic only",
        basic_only: true,
        ..WHOLE
    },
    Manner {
        name: "basic only, conditional",
        basic_only: true,
        ..CONDITIONAL
    },
    Manner {
        name: "basic only, partial, conditional",
        basic_only: true,
        ..BOTH
    },
];

/// What passed.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    messages: u32,
    octets: usize,
    notifies: u32,
    /// Bodies of NOTIFYs.
    state: usize,
}

/// A message as a host's parser would hold it.
#[derive(Debug)]
struct Message {
    start: String,
    fields: Vec<(String, String)>,
    body: Bytes,
}

impl Message {
    fn parse(octets: &[u8]) -> Self {
        let mut ends = octets.windows(4);
        let end = ends.position(|four| four == b"\r\n\r\n");
        let (head, body) = octets.split_at(end.expect("an end of the header") + 4);
        let mut lines = std::str::from_utf8(head).expect("UTF-8").lines();
        let start = lines.next().expect("a first line").to_owned();
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            start,
            fields: fields.collect(),
            body: Bytes::copy_from_slice(body),
        }
    }

    fn request(&self) -> RequestRef<'_> {
        let mut words = self.start.split(' ');
        let method = words.next().expect("a method");
        let uri = words.next().expect("a URI");
        RequestRef::new(method, uri, self.views(), &self.body)
    }

    fn response(&self) -> ResponseRef<'_> {
        let status = self.start.split(' ').nth(1).expect("a status");
        let status = status.parse().expect("a number");
        ResponseRef::new(status, self.views(), &self.body)
    }

    fn views(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let fields = self.fields.iter();
        fields.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A watcher, an agent, and what passes between them, on virtual time.
struct Day {
    agent: Agent<Open>,
    watcher: Watcher,
    key: OwnSubscriptionKey,
    /// Who the agent takes the watcher for.
    identity: Identity,
    now: Timestamp,
    transactions: u64,
    /// Requests that are not answered yet, and what their sender calls them.
    open: BTreeMap<u64, (ClientTransaction, Message)>,
    count: Count,
    /// The watcher says that nothing more comes.
    is_over: bool,
}

impl Day {
    fn begin(manner: &Manner) -> Self {
        let now = Timestamp::from_secs(0);
        let agent = Agent::new(AgentConfig::default(), Open, entropy());
        let mut config = WatcherConfig::default();
        config.partial = manner.partial;
        config.subscriber.conditional = manner.conditional;
        let mut watcher = Watcher::new(config, entropy());
        let account = Account::new(WATCHER).expect("a user");
        let account = account.with_contact(WATCHER_CONTACT).expect("a contact");
        let mut order = WatchOrder::new(&account, PRESENTITY);
        order.expires = Some(3_600);
        if let Some(interval) = manner.interval {
            order.rates = Rates::at_most(Rate::per(interval));
        }
        if manner.basic_only {
            let basic = "/pidf:presence/pidf:tuple/pidf:status/pidf:basic";
            let set = FilterSet::new().bind("pidf", presentity::xml::namespace::PIDF);
            let set = set.with(Filter::new("basic").include(basic));
            order.body = Some((filter::MEDIA_TYPE, set.write().expect("a filter")));
        }
        let key = watcher.watch(now, order).expect("a right order");
        Self {
            agent,
            watcher,
            key,
            identity: Identity::of(WATCHER, Assurance::Digest).expect("a user"),
            now,
            transactions: 0,
            open: BTreeMap::new(),
            count: Count::default(),
            is_over: false,
        }
    }

    /// Lets everything happen that is due until then.
    fn pass(&mut self, until: Timestamp) {
        self.exchange();
        loop {
            let next = [self.agent.poll_timeout(), self.watcher.poll_timeout()];
            let next = next.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            self.agent.handle_timeout(self.now);
            self.watcher.handle_timeout(self.now);
            self.exchange();
        }
        self.now = until;
    }

    /// Carries messages to and fro until both are silent.
    fn exchange(&mut self) {
        let mut is_silent = false;
        while !is_silent {
            is_silent = true;
            while let Some(output) = self.watcher.poll_output() {
                is_silent = false;
                match output {
                    WatcherOutput::Send(request) => self.ask_agent(&request),
                    WatcherOutput::Respond(response) => {
                        let (transaction, answer) = self.answer(&response);
                        let view = answer.response();
                        self.agent.handle_response(self.now, transaction, &view);
                    }
                    WatcherOutput::Event(
                        WatcherEvent::Changed(_)
                        | WatcherEvent::Confirmed { .. }
                        | WatcherEvent::State { .. },
                    ) => {}
                    WatcherOutput::Event(WatcherEvent::Over { .. }) => self.is_over = true,
                    other => panic!("not on such a day: {other:?}"),
                }
            }
            while let Some(output) = self.agent.poll_output() {
                is_silent = false;
                match output {
                    Output::Send(request) => self.ask_watcher(&request),
                    Output::Respond(response) => {
                        let (transaction, answer) = self.answer(&response);
                        let view = answer.response();
                        self.watcher.handle_response(self.now, transaction, &view);
                    }
                    Output::Event(_) => {}
                    other => panic!("not on such a day: {other:?}"),
                }
            }
        }
    }

    fn ask_agent(&mut self, request: &OutgoingRequest) {
        let (transaction, message) = self.carried(request, WATCHER_VIA);
        let context = RequestContext::new(&self.identity, AGENT_CONTACT);
        let view = message.request();
        let taken = self
            .agent
            .handle_request(self.now, transaction, &view, &context);
        taken.expect("room");
        let open = (request.transaction(), message);
        self.open.insert(transaction.0, open);
    }

    fn ask_watcher(&mut self, request: &OutgoingRequest) {
        let (transaction, message) = self.carried(request, AGENT_VIA);
        self.count.notifies += 1;
        self.count.state += message.body.len();
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, WATCHER_CONTACT);
        let view = message.request();
        let taken = self
            .watcher
            .handle_request(self.now, transaction, &view, &context);
        taken.expect("room");
        let open = (request.transaction(), message);
        self.open.insert(transaction.0, open);
    }

    fn carried(&mut self, request: &OutgoingRequest, via: &str) -> (ServerTransaction, Message) {
        let mut octets = Vec::new();
        request.write_to(via, &mut octets);
        self.counted(&octets);
        self.transactions += 1;
        let message = Message::parse(&octets);
        (ServerTransaction(self.transactions), message)
    }

    /// The answer to a request as it comes to whoever sent that.
    fn answer(&mut self, response: &presentity::sip::Response) -> (ClientTransaction, Message) {
        let open = self.open.remove(&response.transaction().0);
        let (transaction, request) = open.expect("a request that is answered once");
        let mut octets = Vec::new();
        response.write_to(&request.request(), "", &mut octets);
        self.counted(&octets);
        let answer = Message::parse(&octets);
        assert!(answer.start.starts_with("SIP/2.0 20"), "{answer:?}");
        (transaction, answer)
    }

    fn counted(&mut self, octets: &[u8]) {
        self.count.messages += 1;
        self.count.octets += octets.len();
    }

    fn known(&self) -> &Presence {
        let info = self.watcher.presentity(self.key).expect("a subscription");
        info.presence.expect("a document")
    }
}

/// The document after so many changes.
fn document(changes: u32) -> Presence {
    let tuples = (0..TUPLES).map(|place| {
        // How often it was this one's turn.
        let turns = (changes as usize + TUPLES - 1 - place) / TUPLES;
        let (is_open, note) = match turns % 3 {
            0 => (true, "At work; the assistant in room 17 knows more"),
            1 => (true, "In a meeting until the top of the hour"),
            _ => (false, "Gone for today; please leave a message"),
        };
        let id = format!("service-{place:02}");
        let tuple = match is_open {
            true => Tuple::open(id),
            false => Tuple::closed(id),
        };
        let last = (turns > 0).then(|| (turns - 1) * TUPLES + place + 1);
        let since = last.map_or(Duration::ZERO, |change| moment(change as u32));
        let at = OffsetDateTime::UNIX_EPOCH + since;
        tuple
            .with_contact(
                format!("sip:dora@example.com;gr=urn:uuid:7c9e6679-7425-40de-944b-{place:012}")
                    .as_str(),
            )
            .with_note(Note::new(note).in_language("en"))
            .with_timestamp(at)
            .expect("a time that can be written")
    });
    tuples.fold(Presence::new(PRESENTITY), Presence::with_tuple)
}

/// When a change comes, from midnight on; the first is number 1.
fn moment(change: u32) -> Duration {
    MORNING + (DAY - MORNING) / CHANGES * (change - 1)
}

fn run(manner: &Manner) -> Count {
    let mut day = Day::begin(manner);
    day.agent
        .set_presence(day.now, PRESENTITY, document(0))
        .expect("a presentity");
    for change in 1..=CHANGES {
        day.pass(Timestamp::from_elapsed(moment(change)));
        let document = document(change);
        day.agent
            .set_presence(day.now, PRESENTITY, document)
            .expect("a presentity");
    }
    day.pass(Timestamp::from_elapsed(DAY));
    let last = document(CHANGES);
    match (manner.basic_only, manner.interval) {
        (true, _) => {
            let shown = |tuple: &Tuple| (tuple.id.clone(), tuple.status.basic());
            let known = day.known().tuples.iter();
            assert!(known.map(shown).eq(last.tuples.iter().map(shown)));
            assert!(day.known().tuples.iter().all(|it| it.notes.is_empty()));
        }
        (false, None) => assert_eq!(day.known().tuples, last.tuples),
        (false, Some(interval)) => {
            let all = DAY.as_secs() / interval.as_secs() + DAY.as_secs() / HOUR.as_secs();
            assert!(u64::from(day.count.notifies) <= all + 2);
        }
    }
    day.watcher.end(day.now, day.key).expect("a subscription");
    day.pass(Timestamp::from_elapsed(DAY + HOUR));
    assert!(day.is_over && day.open.is_empty());
    day.count
}

fn main() {
    // `cargo test` compiles benchmarks and runs them with this.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let octets = document(0).write().expect("a document").len();
    println!("a document of {octets} octets, {CHANGES} changes");
    println!(
        "                                      messages  NOTIFYs   of state     octets  of whole"
    );
    let mut whole = 0;
    for manner in &MANNERS {
        let count = run(manner);
        if whole == 0 {
            whole = count.octets;
        }
        println!(
            "{:<37} {:>9} {:>8} {:>10} {:>10} {:>7.1} %",
            manner.name,
            count.messages,
            count.notifies,
            count.state,
            count.octets,
            100.0 * count.octets as f64 / whole as f64
        );
    }
}
