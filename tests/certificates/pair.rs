//! A retriever and a service in one memory, with a network that may lose what it carries.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use presentity::certs::{
    Anybody, CertificateServer, CertificateServerConfig, FollowKey, RetrieverConfig,
    RetrieverEvent, RetrieverOutput,
};
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{Failure, Identity, Output, RequestContext};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

use super::scene::{Reader, Scene, own_domain, seeded};

/// Both sides on one virtual time.
pub struct Pair {
    pub scene: Scene,
    pub server: CertificateServer<Anybody>,
    /// Requests that wait for an answer: by the server transaction they were given.
    from_retriever: Vec<(ServerTransaction, OutgoingRequest)>,
    from_server: Vec<(ServerTransaction, OutgoingRequest)>,
    transactions: u64,
    /// Which of the next NOTIFYs are lost.
    pub losses: VecDeque<bool>,
    pub notifies: Vec<OutgoingRequest>,
    pub subscribes: usize,
}

impl Pair {
    pub fn new(config: CertificateServerConfig) -> Self {
        Self::with(RetrieverConfig::default(), config)
    }

    pub fn with(retriever: RetrieverConfig, server: CertificateServerConfig) -> Self {
        Self {
            scene: Scene::with(retriever),
            server: CertificateServer::new(server, Anybody, seeded(9)),
            from_retriever: Vec::new(),
            from_server: Vec::new(),
            transactions: 0,
            losses: VecDeque::new(),
            notifies: Vec::new(),
            subscribes: 0,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.scene.now
    }

    pub fn set(&mut self, uri: &str, certificate: Option<&Bytes>) {
        let now = self.now();
        assert!(self.server.set_certificate(now, uri, certificate.cloned()));
        self.run();
    }

    pub fn follow(&mut self, uri: &str) -> FollowKey {
        let key = self
            .scene
            .retriever
            .follow_address(self.now(), uri)
            .unwrap();
        self.run();
        key
    }

    pub fn told(&mut self) -> Vec<RetrieverEvent> {
        self.scene.told()
    }

    fn view<R>(request: &OutgoingRequest, look: impl FnOnce(&RequestRef<'_>) -> R) -> R {
        let fields: Vec<(&str, &str)> = request.fields().collect();
        look(&RequestRef::new(
            request.method(),
            request.uri(),
            fields,
            request.body(),
        ))
    }

    /// What a response says, with what its sender leaves to the host.
    fn fields(request: &OutgoingRequest, response: &Response) -> Vec<(String, String)> {
        let own = response.fields();
        let mut fields: Vec<(String, String)> = own
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let to = super::scene::field(request, "To").unwrap();
        let to = match response.to_tag() {
            Some(tag) if !to.contains(";tag=") => format!("{to};tag={tag}"),
            _ => to.to_owned(),
        };
        fields.push(("To".into(), to));
        fields
    }

    /// Carries everything until both are quiet.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            let now = self.now();
            match self.scene.retriever.poll_output() {
                Some(RetrieverOutput::Send(request)) => {
                    self.subscribes += 1;
                    self.transactions += 1;
                    let transaction = ServerTransaction(self.transactions);
                    let nobody = Identity::nobody();
                    let context = RequestContext::new(&nobody, "sip:service@192.0.2.99");
                    Self::view(&request, |view| {
                        assert!(self.server.accepts(view));
                        self.server.handle_request(now, transaction, view, &context)
                    })
                    .expect("no backlog");
                    self.from_retriever.push((transaction, request));
                    continue;
                }
                Some(RetrieverOutput::Respond(response)) => {
                    let is_it = |(it, _): &(ServerTransaction, _)| *it == response.transaction();
                    let at = self.from_server.iter().position(is_it).expect("a request");
                    let (_, request) = self.from_server.remove(at);
                    let body = Bytes::new();
                    let response = ResponseRef::new(response.status(), [], &body);
                    let transaction = request.transaction();
                    self.server.handle_response(now, transaction, &response);
                    continue;
                }
                Some(RetrieverOutput::Inspect(inspection)) => {
                    let result = inspection.read_with(&Reader);
                    let key = inspection.key;
                    self.scene.retriever.complete_inspection(now, key, result);
                    continue;
                }
                Some(RetrieverOutput::Event(event)) => {
                    self.scene.events.push(event);
                    continue;
                }
                Some(other) => panic!("{other:?}"),
                None => {}
            }
            match self.server.poll_output() {
                None => return,
                Some(Output::Respond(response)) => {
                    let is_it = |(it, _): &(ServerTransaction, _)| *it == response.transaction();
                    let at = self
                        .from_retriever
                        .iter()
                        .position(is_it)
                        .expect("a request");
                    let (_, request) = self.from_retriever.remove(at);
                    let fields = Self::fields(&request, &response);
                    let fields = fields.iter().map(|(name, value)| (&**name, &**value));
                    let body = Bytes::new();
                    let response = ResponseRef::new(response.status(), fields, &body);
                    let transaction = request.transaction();
                    (self.scene.retriever).handle_response(now, transaction, &response);
                }
                Some(Output::Send(notify)) => {
                    self.notifies.push(notify.clone());
                    if self.losses.pop_front().unwrap_or_default() {
                        let transaction = notify.transaction();
                        self.server
                            .handle_failure(now, transaction, Failure::Timeout);
                        continue;
                    }
                    self.transactions += 1;
                    let transaction = ServerTransaction(self.transactions);
                    let sender = own_domain();
                    let context = RequestContext::new(&sender, "sip:ana@192.0.2.7");
                    Self::view(&notify, |view| {
                        (self.scene.retriever).handle_request(now, transaction, view, &context)
                    })
                    .expect("no backlog");
                    self.from_server.push((transaction, notify));
                }
                Some(_) => {}
            }
        }
        panic!("it never ends");
    }

    pub fn pass(&mut self, seconds: f64) {
        let end = self.now() + Duration::from_secs_f64(seconds);
        loop {
            let deadlines = [
                self.scene.retriever.poll_timeout(),
                self.server.poll_timeout(),
            ];
            let next = deadlines.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.scene.now = self.now().max(next);
            self.tick();
        }
        self.scene.now = end;
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now();
        self.scene.retriever.handle_timeout(now);
        self.server.handle_timeout(now);
        self.run();
    }

    /// Ends everything and checks that nothing is left on either side.
    pub fn close(&mut self) {
        self.losses.clear();
        self.scene.retriever.end_all(self.now());
        self.run();
        self.pass(700_000.0);
        self.scene.events.clear();
        assert_eq!(self.scene.retriever.occupancy(), Default::default());
        let left = self.server.server().occupancy();
        assert_eq!((left.subscriptions, left.timers, left.outputs), (0, 0, 0));
    }
}
