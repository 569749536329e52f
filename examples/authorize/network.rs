//! A network in memory, on a clock of its own: what the agent and the clients send reaches the others at
//! once, and is noted as it passes. In its place a server has a SIP stack; the calls are the same.

use std::time::Duration;

use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{Assurance, Failure, Identity, Output, RequestContext};
use presentity::presence::{Agent, AgentConfig, RulesPolicy};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use presentity::winfo::WatcherInfoConfig;

use crate::party::{Party, Wish, in_short};
use crate::{AskFirst, Outcome, entropy};

/// Where the agent is reached.
const AGENT: &str = "sip:agent@192.0.2.1";
/// More than any step here takes; something goes round in circles.
const MOST_ROUNDS: usize = 10_000;

/// The agent, those who watch, and all that passes between them.
pub(crate) struct Network {
    pub(crate) agent: Agent<RulesPolicy<AskFirst>>,
    parties: Vec<Party>,
    now: Timestamp,
    /// The name of the next server transaction.
    next: u64,
    /// Those requests to the agent that it has not answered.
    open: Vec<(ServerTransaction, Sent)>,
    /// NOTIFYs that their receiver has not answered.
    notifies: Vec<(ServerTransaction, ClientTransaction)>,
    passed: Vec<String>,
}

/// A request that waits for its response.
struct Sent {
    /// Its place among the parties.
    by: usize,
    transaction: ClientTransaction,
    method: String,
    /// What a response repeats of it.
    fields: Vec<(String, String)>,
}

impl Network {
    pub(crate) fn new() -> Outcome<Self> {
        let mut config = AgentConfig::default();
        config.domains = vec!["example.com".into()];
        let mut agent = Agent::new(config, RulesPolicy::new(AskFirst), entropy);
        let mut info = WatcherInfoConfig::default();
        // The agent itself has 0.
        info.server.role = 1;
        agent.serve_watcher_info(info, entropy)?;
        Ok(Self {
            agent,
            parties: Vec::new(),
            now: Timestamp::ZERO,
            next: 0,
            open: Vec::new(),
            notifies: Vec::new(),
            passed: Vec::new(),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Somebody begins to watch, for so many seconds again and again.
    pub(crate) fn watch(&mut self, name: &'static str, whom: &str, expires: u32) -> Outcome<()> {
        let place = self.parties.len();
        (self.parties).push(Party::watching(name, place, self.now, whom, expires)?);
        Ok(())
    }

    /// Somebody opens a window that shows who watches them.
    pub(crate) fn open_window(&mut self, name: &'static str) -> Outcome<()> {
        let place = self.parties.len();
        (self.parties).push(Party::with_window(name, place, self.now)?);
        Ok(())
    }

    /// The newest program of this name.
    pub(crate) fn party(&self, name: &str) -> Outcome<&Party> {
        let mut named = self.parties.iter().rev().filter(|it| it.name() == name);
        Ok(named.next().ok_or("nobody has this name")?)
    }

    /// It hears and says nothing more.
    pub(crate) fn switch_off(&mut self, name: &str) {
        for party in self.parties.iter_mut().filter(|it| it.name() == name) {
            party.is_on = false;
        }
    }

    /// Everybody who is there ends their subscription.
    pub(crate) fn end_all(&mut self) -> Outcome<()> {
        for party in self.parties.iter_mut().filter(|party| party.is_on) {
            party.end(self.now)?;
        }
        Ok(())
    }

    /// What has passed since this was asked last.
    pub(crate) fn take_passed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.passed)
    }

    // ---- time -------------------------------------------------------------------------------

    /// Lets this time pass, and everything happen that happens meanwhile.
    pub(crate) fn pass(&mut self, time: Duration) -> Outcome<()> {
        let until = self.now + time;
        for _ in 0..MOST_ROUNDS {
            self.settle()?;
            let clients = self.parties.iter().filter(|party| party.is_on);
            let deadlines = clients.filter_map(Party::poll_timeout);
            let next = deadlines.chain(self.agent.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return Ok(());
            };
            self.now = self.now.max(next);
            self.agent.handle_timeout(self.now);
            for party in self.parties.iter_mut().filter(|party| party.is_on) {
                party.handle_timeout(self.now);
            }
        }
        Err("there is no end to it".into())
    }

    /// The drain rule: all are polled until none has anything to say.
    fn settle(&mut self) -> Outcome<()> {
        for _ in 0..MOST_ROUNDS {
            let mut is_quiet = true;
            while let Some(output) = self.agent.poll_output() {
                is_quiet = false;
                match output {
                    Output::Respond(response) | Output::Challenge(response) => {
                        self.carry_response(&response);
                    }
                    Output::Send(request) => self.carry_to_client(&request)?,
                    _ => {}
                }
            }
            for at in 0..self.parties.len() {
                while let Some(wish) = self.parties.get_mut(at).and_then(Party::poll) {
                    is_quiet = false;
                    match wish {
                        Wish::Send(request) => self.carry_to_agent(at, &request)?,
                        Wish::Respond(response) => self.carry_answer(&response),
                    }
                }
            }
            if is_quiet {
                return Ok(());
            }
        }
        Err("they never stop talking".into())
    }

    // ---- messages ---------------------------------------------------------------------------

    fn carry_to_agent(&mut self, by: usize, request: &OutgoingRequest) -> Outcome<()> {
        let Some(party) = self.parties.get(by) else {
            return Ok(());
        };
        // A server has it from Digest, or from a proxy that it trusts.
        let identity = Identity::of(party.uri(), Assurance::Asserted)?;
        let fields = request.fields();
        let repeated =
            fields.filter(|(name, _)| matches!(*name, "From" | "To" | "Call-ID" | "CSeq"));
        let sent = Sent {
            by,
            transaction: request.transaction(),
            method: request.method().to_owned(),
            fields: repeated
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        let id = ServerTransaction(self.next);
        self.next += 1;
        self.open.push((id, sent));
        let (method, uri, body) = (request.method(), request.uri(), request.body());
        let request = RequestRef::new(method, uri, request.fields(), body);
        let context = RequestContext::new(&identity, AGENT);
        self.agent
            .handle_request(self.now, id, &request, &context)?;
        Ok(())
    }

    fn carry_response(&mut self, response: &Response) {
        let id = response.transaction();
        let Some(place) = self.open.iter().position(|(open, _)| *open == id) else {
            return;
        };
        let (_, sent) = self.open.remove(place);
        let Some(party) = self.parties.get_mut(sent.by) else {
            return;
        };
        self.passed.push(format!(
            "{} {} {}",
            party.name(),
            sent.method,
            response.status()
        ));
        let tagged = |name: &str, value: &str| match (name, response.to_tag()) {
            ("To", Some(tag)) => format!("{value};tag={tag}"),
            _ => value.to_owned(),
        };
        let repeated = sent.fields.iter();
        let repeated = repeated.map(|(name, value)| (name.clone(), tagged(name, value)));
        let own = response.fields();
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields: Vec<(String, String)> = repeated.chain(own).collect();
        let lent = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let response = ResponseRef::new(response.status(), lent, response.body());
        if party.is_on {
            party.handle_response(self.now, sent.transaction, &response);
        }
    }

    /// To whom the NOTIFY is for, if they are there.
    fn carry_to_client(&mut self, request: &OutgoingRequest) -> Outcome<()> {
        let (method, uri, body) = (request.method(), request.uri(), request.body());
        let parties = self.parties.iter_mut();
        let Some(party) = parties.filter(|it| it.is_on).find(|it| it.contact() == uri) else {
            let transaction = request.transaction();
            self.passed.push(format!("{method} not answered"));
            (self.agent).handle_failure(self.now, transaction, Failure::Timeout);
            return Ok(());
        };
        let view = RequestRef::new(method, uri, request.fields(), body);
        let passed = format!("{method} to {}: {}", party.name(), in_short(&view));
        self.passed.push(passed);
        let id = ServerTransaction(self.next);
        self.next += 1;
        self.notifies.push((id, request.transaction()));
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, uri);
        party.handle_request(self.now, id, &view, &context)?;
        Ok(())
    }

    /// What somebody answers to a NOTIFY.
    fn carry_answer(&mut self, response: &Response) {
        let id = response.transaction();
        if let Some(place) = self.notifies.iter().position(|(open, _)| *open == id) {
            let (_, transaction) = self.notifies.remove(place);
            let response = ResponseRef::new(response.status(), response.fields(), response.body());
            self.agent.handle_response(self.now, transaction, &response);
        }
    }
}
