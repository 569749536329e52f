//! A retriever on virtual time, with a host that reads made-up certificates, and services by hand.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use presentity::certs::{
    Fetch, FetchFailure, FetchResponse, FollowKey, Inspection, Loss, Objection, RetrieveFailure,
    Retriever, RetrieverConfig, RetrieverEvent, RetrieverOutput,
};
use presentity::engine::{Entropy, ServerTransaction, Timestamp};
use presentity::event::{Account, Assurance, Failure, Identity, RequestContext};
use presentity::mime::{CertificateError, CertificateInfo, Chain, ReadCertificate};
use presentity::pidf::caps::Servcaps;
use presentity::pidf::certs::{CertificateSource, Certs};
use presentity::pidf::{Presence, Tuple};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use time::OffsetDateTime;

pub const DAY: f64 = 86_400.0;
pub const MIRA: &str = "sip:mira@example.com";

pub fn today() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap()
}

/// The same bytes for the same seed.
pub fn seeded(seed: u64) -> impl Entropy + Send + 'static {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |buffer: &mut [u8]| {
        for byte in buffer {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    }
}

/// A certificate of a made-up kind: words with semicolons between. `trusted`, `revoked` and `sign-only`
/// are what they say, `days=` until it ends, `from=` the days until it begins, others are its names.
pub fn certificate(words: &str) -> Bytes {
    Bytes::from(format!("certificate;{words}"))
}

/// Reads such certificates.
#[derive(Debug)]
pub struct Reader;

impl ReadCertificate for Reader {
    fn read_certificate(
        &self,
        certificate: &Bytes,
        _: &[Bytes],
    ) -> Result<CertificateInfo, CertificateError> {
        let unreadable = || CertificateError::Unreadable("nonsense".into());
        let text = std::str::from_utf8(certificate).map_err(|_| unreadable())?;
        let words = text.strip_prefix("certificate;").ok_or_else(unreadable)?;
        let days = |name: &str, usual: i64| {
            let mut values = words.split(';').filter_map(|word| word.strip_prefix(name));
            let value = values.next().and_then(|days| days.parse().ok());
            time::Duration::days(value.unwrap_or(usual))
        };
        let validity = today() + days("from=", -30)..=today() + days("days=", 300);
        let has = |name: &str| words.split(';').any(|word| word == name);
        let chain = match has("trusted") {
            true => Chain::Trusted,
            false => Chain::Untrusted("signed by its own key".into()),
        };
        let names = words.split(';').filter(|word| word.contains(':'));
        let mut info = CertificateInfo::new(certificate.clone(), validity, chain).with_names(names);
        info.is_revoked = has("revoked");
        info.may_encrypt = !has("sign-only");
        Ok(info)
    }
}

/// What a retriever is driven with.
pub struct Scene {
    pub retriever: Retriever,
    pub now: Timestamp,
    /// Whether the host reads certificates at once.
    pub reads: bool,
    pub sent: VecDeque<OutgoingRequest>,
    pub fetches: VecDeque<Fetch>,
    pub inspections: VecDeque<Inspection>,
    pub responses: Vec<Response>,
    pub events: Vec<RetrieverEvent>,
    transactions: u64,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(RetrieverConfig::default())
    }

    pub fn with(config: RetrieverConfig) -> Self {
        let mut scene = Self::without_clock(config);
        let now = scene.now;
        scene.retriever.set_wall_clock(now, today());
        scene
    }

    pub fn without_clock(config: RetrieverConfig) -> Self {
        let account = Account::new("sip:ana@example.net").unwrap();
        let account = account.with_contact("sip:ana@192.0.2.7").unwrap();
        Self {
            retriever: Retriever::new(config, &account, seeded(5)),
            now: Timestamp::from_secs(1_000),
            reads: true,
            sent: VecDeque::new(),
            fetches: VecDeque::new(),
            inspections: VecDeque::new(),
            responses: Vec::new(),
            events: Vec::new(),
            transactions: 0,
        }
    }

    /// Follows the address of record of a user.
    pub fn follow(&mut self, uri: &str) -> FollowKey {
        let key = self.retriever.follow_address(self.now, uri).unwrap();
        self.run();
        key
    }

    /// Does what the retriever wants until it wants nothing more.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            match self.retriever.poll_output() {
                None => return,
                Some(RetrieverOutput::Send(request)) => self.sent.push_back(request),
                Some(RetrieverOutput::Respond(response)) => self.responses.push(response),
                Some(RetrieverOutput::Event(event)) => {
                    assert!(!event.to_string().is_empty());
                    self.events.push(event);
                }
                Some(RetrieverOutput::Fetch(fetch)) => self.fetches.push_back(fetch),
                Some(RetrieverOutput::Inspect(inspection)) if self.reads => {
                    let result = inspection.read_with(&Reader);
                    let key = inspection.key;
                    assert!(self.retriever.complete_inspection(self.now, key, result));
                }
                Some(RetrieverOutput::Inspect(inspection)) => {
                    self.inspections.push_back(inspection);
                }
                Some(other) => panic!("{other:?}"),
            }
        }
        panic!("it never ends");
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut rounds = 0;
        while let Some(deadline) = self.retriever.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.retriever.handle_timeout(self.now);
            self.run();
            rounds += 1;
            assert!(rounds < 100_000, "time stands still");
        }
        self.now = end;
        self.retriever.handle_timeout(self.now);
        self.run();
    }

    /// Lets time pass until a request is sent; gives back the seconds.
    pub fn pass_until_sent(&mut self) -> u64 {
        let start = self.now;
        while self.sent.is_empty() {
            self.now = self.retriever.poll_timeout().expect("a deadline");
            self.retriever.handle_timeout(self.now);
            self.run();
        }
        self.now.saturating_since(start).as_secs()
    }

    /// Takes the events so far.
    pub fn told(&mut self) -> Vec<RetrieverEvent> {
        std::mem::take(&mut self.events)
    }

    /// The next request that was sent.
    pub fn request(&mut self) -> OutgoingRequest {
        self.sent.pop_front().expect("a request")
    }

    pub fn answer(&mut self, request: &OutgoingRequest, status: u16, fields: &[(&str, &str)]) {
        let body = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &body);
        let transaction = request.transaction();
        (self.retriever).handle_response(self.now, transaction, &response);
        self.run();
    }

    pub fn fail(&mut self, request: &OutgoingRequest) {
        let transaction = request.transaction();
        (self.retriever).handle_failure(self.now, transaction, Failure::Timeout);
        self.run();
    }

    /// Accepts the next request, which asks for a subscription.
    pub fn accept(&mut self) -> Service {
        let request = self.request();
        let service = Service::of(&request);
        let to = format!("<{}>;tag={}", service.uri, service.tag);
        self.answer(&request, 200, &[("To", &to), ("Expires", "86400")]);
        service
    }

    /// Follows a user whose service gives this certificate, as `sender` has it vouched for.
    pub fn followed(&mut self, uri: &str, body: &Bytes, sender: &Identity) -> (FollowKey, Service) {
        let key = self.follow(uri);
        let mut service = self.accept();
        service.notify(self, "active;expires=86400", Some(body), sender);
        (key, service)
    }

    /// Has the next fetch answered.
    pub fn fetched(&mut self, response: FetchResponse) -> Fetch {
        let fetch = self.fetches.pop_front().expect("a fetch");
        assert!((self.retriever).complete_fetch(self.now, fetch.key, response));
        self.run();
        fetch
    }

    pub fn fetch_fails(&mut self, failure: FetchFailure) -> Fetch {
        let fetch = self.fetches.pop_front().expect("a fetch");
        assert!((self.retriever).fail_fetch(self.now, fetch.key, failure));
        self.run();
        fetch
    }

    /// Whether a certificate of somebody may be used now.
    pub fn is_usable(&self, key: FollowKey) -> bool {
        self.retriever.certificate(self.now, key).is_some()
    }

    /// Ends everything and checks that nothing is left.
    pub fn close(&mut self) {
        self.retriever.end_all(self.now);
        self.run();
        for _ in 0..10 {
            for request in std::mem::take(&mut self.sent) {
                self.answer(&request, 200, &[("Expires", "0")]);
            }
            self.pass(100.0);
        }
        self.run();
        self.events.clear();
        assert_eq!(self.retriever.occupancy(), Default::default());
    }
}

/// A service that somebody has subscribed to, driven by hand.
#[derive(Debug, Clone)]
pub struct Service {
    pub uri: String,
    call_id: String,
    /// Who watches: the From of the SUBSCRIBE.
    watcher: String,
    pub tag: String,
    cseq: u32,
    /// What it calls itself; the To of the SUBSCRIBE.
    pub from: String,
    pub content_type: &'static str,
    pub more: Vec<(&'static str, &'static str)>,
}

impl Service {
    pub fn of(request: &OutgoingRequest) -> Self {
        assert_eq!(request.method(), "SUBSCRIBE");
        let field = |name| field(request, name).unwrap().to_owned();
        let to = field("To");
        let uri = to.trim_start_matches('<').split('>').next().unwrap();
        Self {
            uri: uri.to_owned(),
            call_id: field("Call-ID"),
            watcher: field("From"),
            tag: "service".into(),
            cseq: 0,
            from: uri.to_owned(),
            content_type: "application/pkix-cert",
            more: Vec::new(),
        }
    }

    /// Sends a NOTIFY; gives back the status that it was answered by.
    pub fn notify(
        &mut self,
        scene: &mut Scene,
        state: &str,
        body: Option<&Bytes>,
        sender: &Identity,
    ) -> u16 {
        self.cseq += 1;
        self.notify_again(scene, state, body, sender)
    }

    /// The same with the CSeq of the one before.
    pub fn notify_again(
        &self,
        scene: &mut Scene,
        state: &str,
        body: Option<&Bytes>,
        sender: &Identity,
    ) -> u16 {
        scene.transactions += 1;
        let from = format!("<{}>;tag={}", self.from, self.tag);
        let cseq = format!("{} NOTIFY", self.cseq);
        let mut fields = vec![
            ("From", &*from),
            ("To", &self.watcher),
            ("Call-ID", &self.call_id),
            ("CSeq", &cseq),
            ("Event", "certificate"),
            ("Contact", "<sip:service@192.0.2.99>"),
            ("Subscription-State", state),
        ];
        if body.is_some() {
            fields.push(("Content-Type", self.content_type));
        }
        fields.extend(self.more.iter().copied());
        let none = Bytes::new();
        let body = body.unwrap_or(&none);
        let request = RequestRef::new("NOTIFY", "sip:ana@192.0.2.7", fields, body);
        let context = RequestContext::new(sender, "sip:ana@192.0.2.7");
        let transaction = ServerTransaction(scene.transactions);
        (scene.retriever)
            .handle_request(scene.now, transaction, &request, &context)
            .expect("no backlog");
        scene.run();
        let response = scene.responses.pop().expect("a response");
        assert_eq!(response.transaction(), transaction);
        response.status()
    }
}

pub fn field<'a>(request: &'a OutgoingRequest, name: &str) -> Option<&'a str> {
    let mut fields = request.fields();
    fields
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

/// The server of a domain, which has proved by TLS who it is.
pub fn domain(name: &str) -> Identity {
    Identity::of(&format!("sip:{name}"), Assurance::Transport).unwrap()
}

/// example.com, by TLS.
pub fn own_domain() -> Identity {
    domain("example.com")
}

/// A document of Mira's with these sources; an empty one stands for none.
pub fn document(sources: &[&str]) -> Presence {
    let mut document = Presence::new("pres:mira@example.com");
    for (at, source) in sources.iter().enumerate() {
        let certs = match source.is_empty() {
            true => Certs::new(),
            false => Certs::new().with_source(*source),
        };
        let caps = Servcaps::new().with_certs(certs);
        let tuple = Tuple::open(format!("t{at}")).with_contact(MIRA);
        document = document.with_tuple(tuple.with(&caps).unwrap());
    }
    document
}

pub fn fetched_from(url: &str) -> CertificateSource {
    CertificateSource::Fetch { url: url.into() }
}

pub fn found(events: &[RetrieverEvent]) -> usize {
    let is_found = |event: &&RetrieverEvent| matches!(event, RetrieverEvent::Found { .. });
    events.iter().filter(is_found).count()
}

/// Why certificates were lost.
pub fn losses(events: &[RetrieverEvent]) -> Vec<Loss> {
    let loss = |event: &RetrieverEvent| match event {
        RetrieverEvent::Lost { loss, .. } => Some(loss.clone()),
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

/// Why certificates are not used.
pub fn objections(events: &[RetrieverEvent]) -> Vec<Objection> {
    let objection = |event: &RetrieverEvent| match event {
        RetrieverEvent::Unusable { objection, .. } => Some(objection.clone()),
        _ => None,
    };
    events.iter().filter_map(objection).collect()
}

/// What failed, and in how many seconds it is tried again.
pub fn failures(events: &[RetrieverEvent]) -> Vec<(RetrieveFailure, Option<u64>)> {
    let failure = |event: &RetrieverEvent| match event {
        RetrieverEvent::Failed {
            failure, retry_in, ..
        } => Some((failure.clone(), retry_in.map(|wait| wait.as_secs()))),
        _ => None,
    };
    events.iter().filter_map(failure).collect()
}
