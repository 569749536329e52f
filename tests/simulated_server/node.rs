//! A host beside the server: an endpoint, and the library's roles in it.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{Assurance, Failure, Identity, RequestContext};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use sipx_sip::Request;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::endpoint::{Endpoint, Incoming, answer, fields, tag, uri};
use crate::network::Network;

pub fn at(network: &Network) -> Timestamp {
    Timestamp::ZERO + Duration::from_nanos(network.now)
}

/// What a role has to say.
#[derive(Debug)]
pub enum Word {
    Respond(Response),
    Send(OutgoingRequest),
    Event(String),
}

/// The roles of a host.
pub trait User {
    fn contact(&self) -> String;
    /// How the host itself answers a request that would begin a dialog, if it does.
    fn refuses(&self, method: &str) -> Option<u16> {
        let _ = method;
        None
    }
    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    );
    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    );
    fn failure(&mut self, now: Timestamp, transaction: ClientTransaction, failure: Failure);
    fn timeout(&mut self, now: Timestamp);
    fn deadline(&self) -> Option<Timestamp>;
    fn word(&mut self, now: Timestamp) -> Option<Word>;
    /// What is in its tables.
    fn holds(&self) -> usize;
}

pub struct Node<U> {
    pub address: usize,
    pub user: U,
    endpoint: Endpoint,
    pending: BTreeMap<u64, (TransactionKey, Request)>,
    requests: u64,
    sent: HashMap<TransactionKey, ClientTransaction>,
    /// By status.
    pub answers: BTreeMap<u16, u64>,
}

impl<U: User> Node<U> {
    pub fn new(address: usize, user: U) -> Self {
        Self {
            address,
            user,
            endpoint: Endpoint::new(address),
            pending: BTreeMap::new(),
            requests: 0,
            sent: HashMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// It knows of no transaction any more.
    pub fn forget(&mut self) {
        self.endpoint = self.endpoint.restarted();
        self.pending.clear();
        self.sent.clear();
    }

    pub fn wakes_at(&self) -> Option<u64> {
        Some(self.user.deadline()?.as_nanos())
    }

    pub fn wake(&mut self, network: &mut Network) {
        for _ in 0..1_000 {
            self.user.timeout(at(network));
            self.settle(network);
            if self.wakes_at().is_none_or(|next| next > network.now) {
                return;
            }
        }
        panic!("the deadline stays in the past: {}", self.address);
    }

    pub fn message(&mut self, network: &mut Network, from: usize, bytes: Bytes) {
        let incoming = self.endpoint.message(network, from, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        let now = at(network);
        match incoming {
            None => return,
            Some(Incoming::Request(key, request)) => self.request(network, key, request),
            Some(Incoming::Response(key, response)) => {
                if let Some(transaction) = self.sent.remove(&key) {
                    let status = response.status.code();
                    *self.answers.entry(status).or_default() += 1;
                    let body = Bytes::new();
                    let view = ResponseRef::new(status, fields(&response.headers), &body);
                    self.user.response(now, transaction, &view);
                }
            }
            Some(Incoming::Timeout(key)) => {
                if let Some(transaction) = self.sent.remove(&key) {
                    self.user.failure(now, transaction, Failure::Timeout);
                }
            }
            Some(Incoming::Failure(key)) => panic!("{key:?}"),
        }
        self.settle(network);
    }

    fn request(&mut self, network: &mut Network, key: TransactionKey, request: Request) {
        let method = String::from_utf8(request.method.as_bytes().to_vec()).expect("text");
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let is_new = tag(&request.headers, "To").is_none();
        if let Some(status) = self.user.refuses(&method).filter(|_| is_new) {
            let text = answer(&request, status, "");
            self.endpoint.respond(network, &key, text);
            return;
        }
        let from = uri(&request.headers, "From").expect("a URI");
        let identity = Identity::of(&from, Assurance::Digest).expect("a user");
        let contact = self.user.contact();
        let context = RequestContext::new(&identity, &contact);
        self.requests += 1;
        let transaction = ServerTransaction(self.requests);
        let view = RequestRef::new(&method, &target, fields(&request.headers), request.body());
        self.user.request(at(network), transaction, &view, &context);
        self.pending.insert(self.requests, (key, request));
    }

    /// Takes everything that there is to do.
    pub fn settle(&mut self, network: &mut Network) {
        while let Some(word) = self.user.word(at(network)) {
            match word {
                Word::Respond(response) => {
                    let pending = self.pending.remove(&response.transaction().0);
                    let (key, request) = pending.expect("one answer to one request");
                    let text = answer_text(&request, &response);
                    self.endpoint.respond(network, &key, text);
                }
                Word::Send(request) => {
                    let transport = self.endpoint.transport(network, peer(&request));
                    let via = self.endpoint.via(transport);
                    let mut text = Vec::new();
                    request.write_to(&via, &mut text);
                    let key = self.endpoint.request(network, text);
                    assert!(self.sent.insert(key, request.transaction()).is_none());
                }
                Word::Event(text) => network.say(|| format!("{}: {text}", self.address)),
            }
        }
        assert!(self.pending.is_empty(), "unanswered: {:?}", self.pending);
    }

    /// Nothing is left of anything.
    pub fn check_empty(&self) {
        assert_eq!(self.user.holds(), 0, "{}", self.address);
        assert_eq!(self.user.deadline(), None, "{}", self.address);
        assert!(self.sent.is_empty() && self.pending.is_empty());
        assert!(self.endpoint.is_idle(), "{}", self.address);
    }
}

/// A response of the library's, with what it leaves to the host.
pub fn answer_text(request: &Request, response: &Response) -> Vec<u8> {
    let method = String::from_utf8_lossy(request.method.as_bytes());
    let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
    let view = RequestRef::new(&method, &target, fields(&request.headers), request.body());
    let mut text = Vec::new();
    response.write_to(&view, "", &mut text);
    text
}

/// The address that a request goes to; whatever is not a host's leads to the server.
pub fn peer(request: &OutgoingRequest) -> usize {
    let hop = request.next_hop();
    let host = hop.split_once('@').map_or(hop, |(_, host)| host);
    let number = host.strip_prefix('h').and_then(|it| it.split('.').next());
    number.and_then(|it| it.parse().ok()).unwrap_or(0)
}
