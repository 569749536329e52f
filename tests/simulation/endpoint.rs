//! One end of the network: messages, transactions (RFC 3261 section 17), and the way to the others.

use bytes::Bytes;
use sipx_sip::transaction::{Dispatch, Output, Timer, TransactionKey, TransactionLayer, TuEvent};
use sipx_sip::transaction::{Reliability, Timers};
use sipx_sip::{Headers, Limits, Message, Request, Response, parse_datagram};

use crate::network::Network;

/// What a transaction has to tell.
#[derive(Debug)]
pub enum Incoming {
    Request(TransactionKey, Request),
    Response(TransactionKey, Response),
    Timeout(TransactionKey),
    /// It could not be sent.
    Failure(TransactionKey),
}

#[derive(Debug)]
pub struct Endpoint {
    address: usize,
    layer: TransactionLayer,
    branches: u64,
}

impl Endpoint {
    pub fn new(address: usize) -> Self {
        Self {
            address,
            layer: TransactionLayer::new(Timers::default()),
            branches: 0,
        }
    }

    /// What is there after a restart: it knows of no transaction, and no branch comes again.
    #[allow(
        dead_code,
        reason = "only the server of the test simulated_clients restarts"
    )]
    pub fn restarted(&self) -> Self {
        Self {
            branches: self.branches,
            ..Self::new(self.address)
        }
    }

    pub fn is_idle(&self) -> bool {
        self.layer.is_empty()
    }

    /// A Via line for the next request.
    pub fn via(&mut self, transport: Reliability) -> String {
        self.branches += 1;
        let (address, branch) = (self.address, self.branches);
        let transport = if transport.is_reliable() {
            "TCP"
        } else {
            "UDP"
        };
        format!(
            "Via: SIP/2.0/{transport} h{address}.example.net;branch=z9hG4bK-{address}-{branch}\r\n"
        )
    }

    /// What carries messages between here and an address.
    pub fn transport(&self, network: &Network, peer: usize) -> Reliability {
        if network.is_stream(self.address.max(peer)) {
            Reliability::Reliable
        } else {
            Reliability::Unreliable
        }
    }

    pub fn request(&mut self, network: &mut Network, text: Vec<u8>) -> TransactionKey {
        network.say(|| shown(self.address, &text));
        let message = parse(text.into());
        let transport = self.transport(network, destination(&message));
        let Message::Request(request) = message else {
            panic!("no request");
        };
        let sent = self.layer.send_request(request, transport);
        let (key, outputs) = sent.expect("a Via");
        assert!(self.perform(network, &key, outputs).is_none());
        key
    }

    pub fn respond(&mut self, network: &mut Network, key: &TransactionKey, text: Vec<u8>) {
        network.say(|| shown(self.address, &text));
        let Message::Response(response) = parse(text.into()) else {
            panic!("no response");
        };
        let outputs = self.layer.send_response(key, response);
        assert!(!outputs.is_empty(), "a second response");
        assert!(self.perform(network, key, outputs).is_none());
    }

    pub fn message(
        &mut self,
        network: &mut Network,
        from: usize,
        bytes: Bytes,
    ) -> Option<Incoming> {
        let transport = self.transport(network, from);
        match self.layer.receive(parse(bytes), transport) {
            Dispatch::Matched { key, outputs } | Dispatch::Created { key, outputs } => {
                self.perform(network, &key, outputs)
            }
            Dispatch::Unmatched(_) => None,
        }
    }

    pub fn timer(
        &mut self,
        network: &mut Network,
        key: &TransactionKey,
        timer: Timer,
    ) -> Option<Incoming> {
        let outputs = self.layer.on_timer(key, timer);
        self.perform(network, key, outputs)
    }

    /// What carries a request has failed.
    pub fn fail(&mut self, network: &mut Network, key: &TransactionKey) -> Option<Incoming> {
        let outputs = self.layer.on_transport_error(key);
        self.perform(network, key, outputs)
    }

    fn perform(
        &mut self,
        network: &mut Network,
        key: &TransactionKey,
        outputs: Vec<Output>,
    ) -> Option<Incoming> {
        let mut incoming = None;
        for output in outputs {
            match output {
                Output::Send(message) => {
                    network.send(self.address, destination(&message), message.to_bytes());
                }
                Output::SetTimer { timer, after } => {
                    let after = u64::try_from(after.as_nanos()).expect("a short time");
                    network.set_timer(after, self.address, key.clone(), timer);
                }
                Output::ToTu(event) => {
                    let told = match *event {
                        TuEvent::Request(request) => Incoming::Request(key.clone(), *request),
                        TuEvent::Response(response) => Incoming::Response(key.clone(), *response),
                        TuEvent::Timeout => Incoming::Timeout(key.clone()),
                        TuEvent::TransportError => Incoming::Failure(key.clone()),
                        other => panic!("{other:?}"),
                    };
                    assert!(incoming.replace(told).is_none());
                }
                // A transaction takes no harm from a timer that it cleared.
                Output::ClearTimer(_) | Output::Terminated(_) => {}
                other => panic!("{other:?}"),
            }
        }
        incoming
    }
}

fn parse(bytes: Bytes) -> Message {
    parse_datagram(bytes, &Limits::datagram()).expect("a message")
}

/// Hosts are called after their addresses; all others lead to the agent.
fn destination(message: &Message) -> usize {
    let host = match message {
        Message::Request(request) => {
            let uri = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
            uri.split_once('@').map(|(_, host)| host.to_owned())
        }
        Message::Response(response) => {
            let via = field(&response.headers, "Via").expect("a Via");
            let sent_by = via.split([' ', ';']).nth(1);
            sent_by.map(str::to_owned)
        }
    };
    host.as_deref().and_then(address_of).unwrap_or(0)
}

fn address_of(host: &str) -> Option<usize> {
    let name = host.strip_suffix(".example.net")?;
    name.strip_prefix('h')?.parse().ok()
}

pub fn field<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    fields(headers)
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

pub fn fields(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|header| {
        let name = str::from_utf8(header.name().canonical()).expect("text");
        (
            name,
            str::from_utf8(header.raw_value()).expect("text").trim(),
        )
    })
}

/// The tag of From or To.
pub fn tag(headers: &Headers, name: &str) -> Option<String> {
    let value = field(headers, name).expect("a field");
    value.split_once(";tag=").map(|(_, tag)| tag.to_owned())
}

/// The URI of From, To or Contact.
pub fn uri(headers: &Headers, name: &str) -> Option<String> {
    let value = field(headers, name)?;
    let (uri, _) = value.split_once('<')?.1.split_once('>')?;
    Some(uri.to_owned())
}

pub fn number(headers: &Headers, name: &str) -> Option<u32> {
    let value = field(headers, name)?;
    value.split([' ', ';']).next()?.parse().ok()
}

/// A response of a user's, with nothing but what it must have.
pub fn answer(request: &Request, status: u16, added: &str) -> Vec<u8> {
    let mut text = format!("SIP/2.0 {status} Said\r\n");
    for (name, value) in fields(&request.headers) {
        if let "Via" | "From" | "To" | "Call-ID" | "CSeq" = name {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text.push_str(added);
    text.push_str("Content-Length: 0\r\n\r\n");
    text.into_bytes()
}

/// A message in one line, for those who look on.
fn shown(address: usize, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut line = format!("{address}> {}", text.lines().next().unwrap_or_default());
    for name in [
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Expires",
        "Authorization",
        "Subscription-State",
        "SIP-If-Match",
        "SIP-ETag",
        "Retry-After",
    ] {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        if let Some(value) = value {
            line.push_str(&format!(" | {name}: {value}"));
        }
    }
    line
}
