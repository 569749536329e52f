//! What a host has to do for the service: carry documents, tell the time, bring notifications.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use presentity::engine::{ClientTransaction, FlowId, ServerTransaction};
use presentity::event::{Assurance, Authorization, Decision, Delivery, Identity, Rejection};
use presentity::event::{SubscribeQuery, View};
use presentity::mime::VerifyError;
use presentity::presence::{AgentConfig, Policy};
use presentity::sdf::{Failure, Granted, Notification, Output, Request, Wish};
use presentity::sdf::{RequestContext, Service, ServiceConfig};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::carriage::{DURATION, NOTIFY_TO, PRESENTITY, TOKEN, WATCHER, encoded, value};
use crate::clock::{Clock, utc};
use crate::documents::plain;
use crate::http::{Endpoint, Inbox, MAX_BODY, Posted, Reply, field};
use crate::states::{Line, States};
use crate::terminal::say;

/// Notifications on their way: those of subscriptions that are awaited, and all together.
const WINDOW: usize = 64;
const MAX_DELIVERIES: usize = 256;
/// URLs of watchers that are known.
const MAX_WATCHERS: usize = 1_024;

/// Who may watch.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) everybody: bool,
    /// Canonical names.
    pub(crate) these: BTreeSet<String>,
}

impl Policy for Allowed {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let is_one = |watcher: &str| self.these.contains(watcher);
        if self.everybody || query.watcher().is_some_and(is_one) {
            Decision::Allow(View::full()).into()
        } else {
            Decision::Reject(Rejection::Forbidden).into()
        }
    }
}

/// What was answered to a notification, or why nothing was.
#[derive(Debug)]
struct Delivered {
    transaction: Option<ClientTransaction>,
    watcher: String,
    result: Result<Reply, String>,
}

/// The service with all that it needs from outside.
#[derive(Debug)]
pub(crate) struct Host {
    service: Service<Allowed>,
    clock: Clock,
    states: States,
    /// The flow of a request is where its notifications go.
    watchers: BTreeMap<FlowId, Endpoint>,
    answers: BTreeMap<ServerTransaction, oneshot::Sender<Reply>>,
    deliveries: JoinSet<Delivered>,
    /// The number of the next request, and of its flow if it is the first one of that URL.
    next: u64,
    quiet: bool,
}

impl Host {
    /// A host for such watchers, which tells of a change at once or after this time. It says what it
    /// does unless it is to be quiet.
    pub(crate) fn new(
        allowed: Allowed,
        states: States,
        notify_interval: Duration,
        quiet: bool,
    ) -> Result<Self, String> {
        let mut agent = AgentConfig::default();
        agent.server.notify_interval = notify_interval;
        agent.server.window = WINDOW;
        let mut config = ServiceConfig::default();
        config.intake.body = MAX_BODY;
        getrandom::fill(&mut [0; 8]).map_err(|error| error.to_string())?;
        let entropy = |buffer: &mut [u8]| {
            if getrandom::fill(buffer).is_err() {
                std::process::abort();
            }
        };
        let mut host = Self {
            service: Service::new(agent, config, allowed, entropy),
            clock: Clock::start(),
            states,
            watchers: BTreeMap::new(),
            answers: BTreeMap::new(),
            deliveries: JoinSet::new(),
            next: 0,
            quiet,
        };
        let now = host.clock.now();
        for (uri, presence) in host.states.iter() {
            let set = host
                .service
                .agent_mut()
                .set_presence(now, &uri, presence.clone());
            set.map_err(|error| format!("{uri}: {error}"))?;
        }
        Ok(host)
    }

    /// Serves until a line says to quit, or whoever sends requests or lines is gone.
    pub(crate) async fn run(mut self, mut inbox: Inbox, mut lines: mpsc::Receiver<Line>) {
        loop {
            self.drain();
            let deadline = self.service.poll_timeout();
            let wake = self.clock.instant(deadline.unwrap_or(self.clock.now()));
            tokio::select! {
                posted = inbox.recv() => match posted {
                    Some(posted) => self.take(posted),
                    None => return,
                },
                line = lines.recv() => match line {
                    None | Some(Line::Quit) => return,
                    Some(line) => self.change(&line),
                },
                Some(done) = self.deliveries.join_next() => {
                    if let Ok(delivered) = done {
                        self.delivered(delivered);
                    }
                }
                () = sleep_until(wake), if deadline.is_some() => {
                    self.service.handle_timeout(self.clock.now());
                }
            }
        }
    }

    fn say(&self, line: impl Display) {
        if !self.quiet {
            say(plain(&line.to_string()));
        }
    }

    fn change(&mut self, line: &Line) {
        let (Line::Basic(uri, _) | Line::Note(uri, _)) = line else {
            return;
        };
        let now = self.clock.now();
        let changed = self.states.change(uri, line).and_then(|presence| {
            let set = self.service.agent_mut().set_presence(now, uri, presence);
            set.map_err(|error| error.to_string())
        });
        match changed {
            Ok(()) => self.say(format_args!("changed {uri}")),
            Err(error) => self.say(format_args!("error: {error}")),
        }
    }

    fn take(&mut self, posted: Posted) {
        let flow = match self.way_back(&posted) {
            Ok(flow) => flow,
            Err(refused) => return self.answer(posted.answer, *refused),
        };
        let identity = claimed(&posted);
        let mut context = RequestContext::new(&identity).with_source(posted.source);
        if let Some(flow) = flow {
            context = context.with_flow(flow);
        }
        let transaction = ServerTransaction(self.next);
        self.next = self.next.saturating_add(1);
        let now = self.clock.now();
        // Said each time, as the clock may have been set.
        self.service.set_wall_clock(now, utc());
        let content_type = field(&posted.headers, &CONTENT_TYPE).unwrap_or_default();
        let taken =
            self.service
                .handle_request(now, transaction, content_type, &posted.body, &context);
        match taken {
            Ok(()) => {
                self.answers.insert(transaction, posted.answer);
            }
            Err(backlog) => {
                self.answer(posted.answer, refusal(&Failure::Busy(backlog.retry_after)))
            }
        }
    }

    /// The flow that stands for the URL of the watcher. What asks for notifications must have one.
    fn way_back(&mut self, posted: &Posted) -> Result<Option<FlowId>, Box<Reply>> {
        let refused = |why: &str| {
            let reply = Reply::new(StatusCode::BAD_REQUEST, format!("Notify-To: {why}"));
            Box::new(reply)
        };
        let Some(url) = field(&posted.headers, &NOTIFY_TO) else {
            if posted.headers.contains_key(NOTIFY_TO) {
                return Err(refused("not one URL"));
            }
            let request = Request::read(&posted.body);
            let notifies = request.is_ok_and(|it| !matches!(it.wish(), Wish::Cancel { .. }));
            return if notifies {
                Err(refused("missing"))
            } else {
                Ok(None)
            };
        };
        let endpoint = Endpoint::parse(url).map_err(refused)?;
        if let Some((flow, _)) = self.watchers.iter().find(|(_, known)| **known == endpoint) {
            return Ok(Some(*flow));
        }
        if self.watchers.len() >= MAX_WATCHERS {
            let used = self
                .service
                .agent()
                .subscriptions()
                .filter_map(|it| it.flow);
            let used: BTreeSet<FlowId> = used.collect();
            self.watchers.retain(|flow, _| used.contains(flow));
        }
        if self.watchers.len() >= MAX_WATCHERS {
            return Err(refusal(&Failure::Busy(10)).into());
        }
        let flow = FlowId(self.next);
        self.watchers.insert(flow, endpoint);
        Ok(Some(flow))
    }

    fn drain(&mut self) {
        while let Some(output) = self.service.poll_output() {
            match output {
                Output::Respond {
                    transaction,
                    result,
                } => {
                    if let Some(answer) = self.answers.remove(&transaction) {
                        self.answer(
                            answer,
                            result.map_or_else(|failure| refusal(&failure), granted),
                        );
                    }
                }
                Output::Notify(notification) => self.notify(&notification),
                Output::Ended(ended) => self.say(format_args!(
                    "ended: {} to {}, token {:?}: {}",
                    ended.watcher, ended.presentity, ended.token, ended.reason
                )),
                // There is nobody here who could.
                Output::Verify(verification) => {
                    let verdict = Err(VerifyError::Protocol);
                    let now = self.clock.now();
                    self.service
                        .complete_verification(now, verification.key, &verdict);
                }
                // Nobody watches over SIP, and the events tell what was said already.
                _ => {}
            }
        }
    }

    fn answer(&self, answer: oneshot::Sender<Reply>, reply: Reply) {
        self.say(format_args!(
            "answered {} {}",
            reply.status.as_u16(),
            reply.text
        ));
        // Who asked may have gone.
        let _ = answer.send(reply);
    }

    fn notify(&mut self, notification: &Notification) {
        let mut delivered = Delivered {
            transaction: notification.transaction(),
            watcher: notification.watcher().into_owned(),
            result: Err("there is no way to it".to_owned()),
        };
        let flow = notification.flow();
        let endpoint = flow.and_then(|flow| self.watchers.get(&flow)).cloned();
        let (Some(endpoint), Some(headers)) = (endpoint, fields(notification)) else {
            return self.delivered(delivered);
        };
        if self.deliveries.len() >= MAX_DELIVERIES {
            delivered.result = Err("too many notifications are under way".to_owned());
            return self.delivered(delivered);
        }
        let body = notification.body().clone();
        self.deliveries.spawn(async move {
            delivered.result = endpoint.post(headers, body).await;
            delivered
        });
    }

    fn delivered(&mut self, delivered: Delivered) {
        let (delivery, problem) = match delivered.result {
            Ok(reply) if reply.status.is_success() => (Delivery::Done, None),
            Ok(reply) => {
                let is_gone = reply.status == StatusCode::GONE;
                let problem = format!("{} {}", reply.status.as_u16(), reply.text);
                let delivery = if is_gone {
                    Delivery::Unwanted
                } else {
                    Delivery::Failed
                };
                (delivery, Some(problem))
            }
            Err(problem) => (Delivery::Failed, Some(problem)),
        };
        match problem {
            None => self.say(format_args!("notified: {}", delivered.watcher)),
            Some(problem) => self.say(format_args!(
                "not notified: {}: {problem}",
                delivered.watcher
            )),
        }
        if let Some(transaction) = delivered.transaction {
            self.service
                .handle_delivery(self.clock.now(), transaction, delivery);
        }
    }
}

/// Who the document says it is from: there is no authentication here, so anybody can be anybody.
fn claimed(posted: &Posted) -> Identity {
    let request = Request::read(&posted.body).ok();
    let identity = request.and_then(|it| Identity::of(it.from(), Assurance::Claimed).ok());
    identity.unwrap_or_default()
}

fn granted(granted: Granted) -> Reply {
    Reply::new(StatusCode::OK, granted.operation.as_str()).with(DURATION, granted.duration)
}

fn refusal(failure: &Failure) -> Reply {
    let status = StatusCode::from_u16(failure.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = Reply::new(status, failure.to_string());
    match failure {
        Failure::Busy(seconds) => reply.with(RETRY_AFTER, *seconds),
        _ => reply,
    }
}

/// Nothing if a name cannot be told in HTTP.
fn fields(notification: &Notification) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    fields.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(notification.media_type()),
    );
    fields.insert(WATCHER, value(&notification.watcher())?);
    fields.insert(PRESENTITY, value(notification.presentity())?);
    if let Some(token) = notification.token() {
        fields.insert(TOKEN, value(&encoded(token))?);
    }
    if let Some(seconds) = notification.duration() {
        fields.insert(DURATION, seconds.into());
    }
    Some(fields)
}
