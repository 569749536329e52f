//! SIP watchers, a gateway, and a service whose requests are documents; orders and notifications between
//! these two are carried here.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Delivery, EndReason, Identity, Output as AgentOutput, Reason, RequestContext as SipContext,
};
use presentity::mime::Verify;
use presentity::pidf::Presence;
use presentity::presence::AgentConfig;
use presentity::sdf::gateway::{FromSip, FromSipConfig, FromSipOutput, Order, OrderRefused};
use presentity::sdf::{Failure, Granted, Output, RequestContext, Service};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

use crate::common::{Message, seeded, state_of};
use crate::rules::{BEGIN, EMIL, Rules, authority, clock, is_quiet, known, milliseconds, service};
use crate::scene::{Far, FarOutput, note};

/// What came out on the SIP side.
#[derive(Debug, Default)]
pub struct Sips {
    pub responses: Vec<Response>,
    pub notifies: Vec<OutgoingRequest>,
}

impl Sips {
    #[track_caller]
    pub fn status(&self) -> u16 {
        assert_eq!(self.responses.len(), 1, "{self:?}");
        self.responses[0].status()
    }

    #[track_caller]
    pub fn notify(&self) -> &OutgoingRequest {
        assert_eq!(self.notifies.len(), 1, "{self:?}");
        &self.notifies[0]
    }

    /// States and notes.
    pub fn story(&self) -> Vec<String> {
        let word = |notify: &OutgoingRequest| {
            let state = state_of(notify);
            let state = match state.split_once(";expires") {
                Some((state, _)) => state,
                None => state,
            };
            match notify.body().is_empty() {
                true => state.to_owned(),
                false => format!("{state}: {}", note(notify.body())),
            }
        };
        self.notifies.iter().map(word).collect()
    }
}

pub struct Gate {
    pub now: Timestamp,
    pub gateway: FromSip,
    pub service: Service<Rules>,
    /// Orders reach the service at once; else the test carries them.
    pub carries: bool,
    pub tells: bool,
    pub orders: Vec<Order>,
    pub waiting: VecDeque<Order>,
    pub results: Vec<Result<Granted, Failure>>,
    /// Who the service takes the gateway for; nothing: whom the order names.
    pub sender: Option<Identity>,
    pub verifies: bool,
    pub verifications: Vec<presentity::event::VerificationKey>,
    /// Bodies that the test opens.
    pub openings: Vec<presentity::event::Opening>,
    transactions: u64,
    carried: BTreeMap<ServerTransaction, Order>,
}

/// One thing that came out, when it is of the SIP side.
enum Step {
    Sip(FarOutput),
    Other,
}

impl Gate {
    pub fn new() -> Self {
        Self::with(FromSipConfig::default(), |_| ())
    }

    pub fn with(config: FromSipConfig, change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut gateway = FromSip::new(config, seeded(8));
        gateway.set_wall_clock(BEGIN, clock(BEGIN));
        Self {
            now: BEGIN,
            gateway,
            service: service(change),
            carries: true,
            tells: true,
            orders: Vec::new(),
            waiting: VecDeque::new(),
            results: Vec::new(),
            sender: None,
            verifies: true,
            verifications: Vec::new(),
            openings: Vec::new(),
            transactions: 1_000_000,
            carried: BTreeMap::new(),
        }
    }

    pub fn set(&mut self, document: Presence) -> Sips {
        self.now = self.now + milliseconds(1);
        let entity = document.entity.to_string();
        let agent = self.service.agent_mut();
        agent.set_presence(self.now, &entity, document).unwrap();
        self.settle()
    }

    /// A request of the user in From, a millisecond after the last.
    pub fn send(&mut self, message: &Message) -> Sips {
        let from = message.field("From").to_owned();
        let user = from.split(['<', '>']).nth(1).unwrap();
        self.send_as(message, &known(user))
    }

    pub fn send_as(&mut self, message: &Message, sender: &Identity) -> Sips {
        self.now = self.now + milliseconds(1);
        self.send_at_once(message, sender)
    }

    pub fn send_at_once(&mut self, message: &Message, sender: &Identity) -> Sips {
        self.take_in(message, sender);
        self.settle()
    }

    /// Without looking at what comes of it.
    pub fn take_in(&mut self, message: &Message, sender: &Identity) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let context = SipContext::new(sender, "sip:192.0.2.9");
        self.gateway
            .handle_request(self.now, transaction, &message.view(), &context)
            .unwrap();
    }

    /// Subscribes; gives the dialog's tag and what else came.
    pub fn subscribe(&mut self, message: &Message) -> (String, Sips) {
        let sips = self.send(message);
        assert_eq!(sips.status(), 200, "{sips:?}");
        let tag = sips.responses[0].to_tag().unwrap().to_owned();
        (tag, sips)
    }

    pub fn live(&self) -> usize {
        self.service.agent().subscriptions().count()
    }

    /// Brings an order to the service.
    pub fn bring(&mut self, order: Order) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let sender = match &self.sender {
            Some(sender) => sender.clone(),
            None => known(&order.watcher),
        };
        let context = RequestContext::new(&sender).with_addressed(&order.presentity);
        let (content_type, body) = (order.content_type.clone(), order.body.clone());
        self.service
            .handle_request(self.now, transaction, &content_type, &body, &context)
            .unwrap();
        self.carried.insert(transaction, order);
    }

    pub fn release(&mut self) -> Sips {
        let order = self.waiting.pop_front().expect("an order that waits");
        self.bring(order);
        self.settle()
    }

    fn step(&mut self) -> Option<Step> {
        if let Some(output) = self.gateway.poll_output() {
            return Some(self.of_gateway(output));
        }
        let output = self.service.poll_output()?;
        match output {
            Output::Respond {
                transaction,
                result,
            } => {
                let order = self.carried.remove(&transaction).expect("an order");
                self.results.push(result.clone());
                let result = match result {
                    Ok(granted) => {
                        assert_eq!(granted.operation, order.operation);
                        Ok(granted.duration)
                    }
                    Err(Failure::Busy(_) | Failure::NotHere) => Err(OrderRefused::Failed),
                    Err(Failure::WrongSender | Failure::SignatureRequired(_)) => {
                        Err(OrderRefused::Unproven)
                    }
                    Err(_) => Err(OrderRefused::Rejected),
                };
                self.gateway.complete_order(self.now, order.key, result);
            }
            Output::Notify(told) => {
                if self.tells {
                    self.gateway.handle_notification(
                        self.now,
                        &told.watcher(),
                        told.presentity(),
                        told.token().expect("no fetch"),
                        told.media_type(),
                        told.body(),
                    );
                }
                if let Some(transaction) = told.transaction() {
                    self.service
                        .handle_delivery(self.now, transaction, Delivery::Done);
                }
            }
            Output::Verify(verification) => {
                let verdict = authority().verifier().verify(&verification.signed);
                let key = verification.key;
                assert!(self.service.complete_verification(self.now, key, &verdict));
            }
            Output::Ended(ended) => {
                let presentity = format!("pres:{}", ended.presentity);
                let reason = match ended.reason {
                    EndReason::Terminated(reason) => reason,
                    _ => Reason::Timeout,
                };
                let (watcher, token) = (&ended.watcher, &ended.token);
                self.gateway
                    .handle_end(self.now, watcher, &presentity, token, reason);
            }
            _ => {}
        }
        Some(Step::Other)
    }

    fn of_gateway(&mut self, output: FromSipOutput) -> Step {
        match output {
            FromSipOutput::Order(order) => {
                self.orders.push(order.clone());
                match self.carries {
                    true => self.bring(order),
                    false => self.waiting.push_back(order),
                }
            }
            FromSipOutput::Sip(AgentOutput::Respond(response)) => {
                return Step::Sip(FarOutput::Respond(response, false));
            }
            FromSipOutput::Sip(AgentOutput::Challenge(response)) => {
                return Step::Sip(FarOutput::Respond(response, true));
            }
            FromSipOutput::Sip(AgentOutput::Send(request)) => {
                return Step::Sip(FarOutput::Send(request));
            }
            FromSipOutput::Sip(AgentOutput::Verify(verification)) => {
                if !self.verifies {
                    self.verifications.push(verification.key);
                    return Step::Other;
                }
                let verdict = authority().verifier().verify(&verification.signed);
                let key = verification.key;
                assert!(self.gateway.complete_verification(self.now, key, &verdict));
            }
            FromSipOutput::Sip(AgentOutput::Open(opening)) => self.openings.push(opening),
            FromSipOutput::Sip(_) => {}
            other => panic!("{other:?}"),
        }
        Step::Other
    }

    /// Carries all there is; NOTIFYs are answered.
    pub fn settle(&mut self) -> Sips {
        let mut sips = Sips::default();
        while let Some(step) = self.step() {
            match step {
                Step::Sip(FarOutput::Respond(response, _)) => sips.responses.push(response),
                Step::Sip(FarOutput::Send(notify)) => {
                    let body = Bytes::new();
                    let ok = ResponseRef::new(200, [], &body);
                    self.gateway
                        .handle_response(self.now, notify.transaction(), &ok);
                    sips.notifies.push(notify);
                }
                Step::Sip(FarOutput::Other) | Step::Other => {}
            }
        }
        sips
    }

    /// The next NOTIFY, which stays unanswered.
    pub fn next_notify(&mut self) -> OutgoingRequest {
        loop {
            if let Step::Sip(FarOutput::Send(notify)) = self.step().expect("a NOTIFY") {
                return notify;
            }
        }
    }

    pub fn pass(&mut self, seconds: f64) -> Sips {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut all = Sips::default();
        for round in 0.. {
            assert!(round < 10_000, "time stands still");
            let next = Far::deadline(self).filter(|next| *next < end);
            self.now = self.now.max(next.unwrap_or(end));
            Far::timeout(self, self.now);
            let mut sips = self.settle();
            all.responses.append(&mut sips.responses);
            all.notifies.append(&mut sips.notifies);
            if self.now >= end {
                break;
            }
        }
        all
    }

    /// Nothing is left at the gateway.
    #[track_caller]
    pub fn nothing_is_left_here(&self) {
        assert_eq!(self.gateway.occupancy(), Default::default());
        assert!(self.gateway.is_empty());
        assert_eq!(self.gateway.poll_timeout(), None);
    }

    #[track_caller]
    pub fn nothing_is_left(&self) {
        self.nothing_is_left_here();
        assert!(is_quiet(&self.service));
    }

    /// The last operations with the tokens, in words.
    pub fn ordered(&self) -> Vec<String> {
        let orders = self.orders.iter();
        orders.map(|it| format!("{:?}", it.operation)).collect()
    }
}

impl Far for Gate {
    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &SipContext<'_>,
    ) {
        self.now = now;
        self.gateway
            .handle_request(now, transaction, request, context)
            .unwrap();
    }

    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.now = now;
        self.gateway.handle_response(now, transaction, response);
    }

    fn timeout(&mut self, now: Timestamp) {
        self.now = now;
        self.gateway.handle_timeout(now);
        self.service.handle_timeout(now);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let deadlines = [self.gateway.poll_timeout(), self.service.poll_timeout()];
        deadlines.into_iter().flatten().min()
    }

    fn poll(&mut self, now: Timestamp) -> Option<FarOutput> {
        self.now = now;
        Some(match self.step()? {
            Step::Sip(output) => output,
            Step::Other => FarOutput::Other,
        })
    }

    fn is_quiet(&self) -> bool {
        self.gateway.is_empty() && self.gateway.poll_timeout().is_none() && is_quiet(&self.service)
    }
}

/// A SUBSCRIBE for Emil.
pub fn watch(from: &str, call: &str) -> Message {
    let uri = EMIL.replace("pres:", "sip:");
    Message::subscribe(&from.replace("pres:", "sip:"), &uri, call)
}
