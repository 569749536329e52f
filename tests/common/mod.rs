//! What the tests drive a role with: messages by hand, seeded entropy, virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

use bytes::Bytes;
use presentity::engine::{Entropy, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Backlog, Identity, Output, Package, RequestContext, Server, ServerEvent,
};
use presentity::presence::{Agent, Policy};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

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

/// A request as a host's parser would hold it.
#[derive(Debug, Clone)]
pub struct Message {
    pub method: String,
    pub uri: String,
    pub fields: Vec<(String, String)>,
    pub body: Bytes,
}

impl Message {
    /// A SUBSCRIBE for presence from `from` to `uri`; Call-ID and From tag come from `call`.
    pub fn subscribe(from: &str, uri: &str, call: &str) -> Self {
        Self::new("SUBSCRIBE", from, uri, call)
            .with("Contact", &format!("<{}>", contact_of(from)))
            .with("Event", "presence")
            .with("Expires", "600")
    }

    /// A PUBLISH of a presence document.
    pub fn publish(from: &str, call: &str, body: &str) -> Self {
        Self::new("PUBLISH", from, from, call)
            .with("Event", "presence")
            .with("Expires", "600")
            .with("Content-Type", "application/pidf+xml")
            .with_body(body)
    }

    pub fn new(method: &str, from: &str, uri: &str, call: &str) -> Self {
        Self {
            method: method.into(),
            uri: uri.into(),
            fields: Vec::new(),
            body: Bytes::new(),
        }
        .with(
            "Via",
            &format!("SIP/2.0/UDP client.example.net;branch=z9hG4bK{call}"),
        )
        .with("Max-Forwards", "70")
        .with("From", &format!("<{from}>;tag=tag-{call}"))
        .with("To", &format!("<{uri}>"))
        .with("Call-ID", call)
        .with("CSeq", &format!("1 {method}"))
    }

    /// The request with one more field.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The request with this field, in place of one of that name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(other, _)| other == name) {
            Some(field) => field.1 = value.into(),
            None => self.fields.push((name.into(), value.into())),
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| other != name);
        self
    }

    pub fn with_body(mut self, body: &str) -> Self {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    pub fn with_cseq(self, number: u32) -> Self {
        let value = format!("{number} {}", self.method);
        self.with("CSeq", &value)
    }

    /// The next request in the dialog that a response's tag made.
    pub fn in_dialog(self, to_tag: &str, cseq: u32) -> Self {
        let to = format!("{};tag={to_tag}", self.field("To"));
        self.with("To", &to).with_cseq(cseq)
    }

    pub fn field(&self, name: &str) -> &str {
        &self
            .fields
            .iter()
            .find(|(other, _)| other == name)
            .expect("a field")
            .1
    }

    pub fn view(&self) -> RequestRef<'_> {
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        RequestRef::new(&self.method, &self.uri, fields, &self.body)
    }
}

/// Where a user's phone is reached: never its address of record.
pub fn contact_of(uri: &str) -> String {
    let (scheme, rest) = uri.split_once(':').expect("a URI");
    let user = rest.split_once('@').map_or("phone", |(user, _)| user);
    let scheme = if scheme == "sips" { "sips" } else { "sip" };
    format!("{scheme}:{user}@phone.example.net:5062")
}

/// What the drivers below need of a role.
pub trait Role {
    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog>;
    fn response(&mut self, now: Timestamp, request: &OutgoingRequest, response: &ResponseRef<'_>);
    fn timeout(&mut self, now: Timestamp);
    fn output(&mut self) -> Option<Output>;
    fn deadline(&self) -> Option<Timestamp>;
}

macro_rules! role {
    ($type:ty, $parameter:ident: $bound:path) => {
        impl<$parameter: $bound> Role for $type {
            fn request(
                &mut self,
                now: Timestamp,
                transaction: ServerTransaction,
                request: &RequestRef<'_>,
                context: &RequestContext<'_>,
            ) -> Result<(), Backlog> {
                self.handle_request(now, transaction, request, context)
            }

            fn response(
                &mut self,
                now: Timestamp,
                request: &OutgoingRequest,
                response: &ResponseRef<'_>,
            ) {
                self.handle_response(now, request.transaction(), response);
            }

            fn timeout(&mut self, now: Timestamp) {
                self.handle_timeout(now);
            }

            fn output(&mut self) -> Option<Output> {
                self.poll_output()
            }

            fn deadline(&self) -> Option<Timestamp> {
                self.poll_timeout()
            }
        }
    };
}

role!(Agent<P>, P: Policy);
role!(Server<P>, P: Package);

/// What a role put out, by kind and in order.
#[derive(Debug, Default)]
pub struct Outputs {
    pub all: Vec<Output>,
}

impl Outputs {
    pub fn responses(&self) -> Vec<&Response> {
        let response = |output| match output {
            &Output::Respond(ref response) | &Output::Challenge(ref response) => Some(response),
            _ => None,
        };
        self.all.iter().filter_map(response).collect()
    }

    /// The one response there is.
    pub fn response(&self) -> &Response {
        let responses = self.responses();
        assert_eq!(responses.len(), 1, "{self:?}");
        responses[0]
    }

    pub fn status(&self) -> u16 {
        self.response().status()
    }

    pub fn requests(&self) -> Vec<&OutgoingRequest> {
        self.all
            .iter()
            .filter_map(|output| match output {
                Output::Send(request) => Some(request),
                _ => None,
            })
            .collect()
    }

    /// The one NOTIFY there is.
    pub fn notify(&self) -> &OutgoingRequest {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{self:?}");
        requests[0]
    }

    pub fn events(&self) -> Vec<&ServerEvent> {
        self.all
            .iter()
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }
}

/// The value of a field of an outgoing request.
pub fn field<'a>(request: &'a OutgoingRequest, name: &str) -> Option<&'a str> {
    request
        .fields()
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

/// The value of a field of a response.
pub fn response_field<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .fields()
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

pub fn state_of(request: &OutgoingRequest) -> &str {
    field(request, "Subscription-State").expect("a NOTIFY")
}

pub fn body_of(request: &OutgoingRequest) -> &str {
    std::str::from_utf8(request.body()).expect("text")
}

/// A role on virtual time, with a host that answers NOTIFYs as it is told.
pub struct Driver<R> {
    pub role: R,
    pub now: Timestamp,
    next_transaction: u64,
}

impl<R: Role> Driver<R> {
    pub fn new(role: R) -> Self {
        Self {
            role,
            now: Timestamp::from_secs(1_000),
            next_transaction: 0,
        }
    }

    /// Hands a request in as coming from the user that its From names.
    pub fn send(&mut self, message: &Message) -> Outputs {
        let from = message
            .field("From")
            .split(['<', '>', ';'])
            .find(|part| part.contains(':'));
        let identity = Identity::of(from.expect("a URI"), Assurance::Digest).expect("a user");
        self.send_as(message, &identity)
    }

    pub fn send_as(&mut self, message: &Message, identity: &Identity) -> Outputs {
        let context = RequestContext::new(identity, "sip:agent.example.com");
        self.send_with(message, &context)
    }

    pub fn send_with(&mut self, message: &Message, context: &RequestContext<'_>) -> Outputs {
        self.next_transaction += 1;
        let transaction = ServerTransaction(self.next_transaction);
        self.role
            .request(self.now, transaction, &message.view(), context)
            .expect("no backlog");
        let outputs = self.drain();
        for response in outputs.responses() {
            assert_eq!(response.transaction(), transaction);
        }
        outputs
    }

    pub fn drain(&mut self) -> Outputs {
        Outputs {
            all: std::iter::from_fn(|| self.role.output()).collect(),
        }
    }

    /// Answers a NOTIFY and takes what comes of it.
    pub fn answer(&mut self, request: &OutgoingRequest, status: u16) -> Outputs {
        self.answer_with(request, status, &[])
    }

    pub fn answer_with(
        &mut self,
        request: &OutgoingRequest,
        status: u16,
        fields: &[(&str, &str)],
    ) -> Outputs {
        let body = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &body);
        self.role.response(self.now, request, &response);
        self.drain()
    }

    /// Answers every NOTIFY with 200.
    pub fn answer_all(&mut self, outputs: &Outputs) -> Outputs {
        let mut all = Outputs::default();
        for request in outputs.requests() {
            all.all.append(&mut self.answer(request, 200).all);
        }
        all
    }

    /// Lets time pass, from deadline to deadline; NOTIFYs stay unanswered.
    pub fn pass(&mut self, seconds: f64) -> Outputs {
        let end = self.now + std::time::Duration::from_secs_f64(seconds);
        let mut all = Outputs::default();
        let mut rounds = 0;
        while let Some(deadline) = self.role.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.role.timeout(self.now);
            all.all.append(&mut self.drain().all);
            rounds += 1;
            assert!(rounds < 1_000_000, "time stands still");
        }
        self.now = end;
        self.role.timeout(self.now);
        all.all.append(&mut self.drain().all);
        all
    }

    /// Subscribes; gives the dialog's tag back, with the first NOTIFY answered by 200.
    pub fn subscribed(&mut self, message: &Message) -> String {
        let outputs = self.send(message);
        assert_eq!(outputs.status(), 200, "{outputs:?}");
        let tag = outputs.response().to_tag().expect("a tag").to_owned();
        self.answer_all(&outputs);
        tag
    }
}
