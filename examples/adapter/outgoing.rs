//! What is sent as a client: the requests of the agent, and those of others that it has forwarded.

use bytes::Bytes;
use presentity::engine::{ClientTransaction, FlowId};
use presentity::sip::OutgoingRequest;

use super::forward::ForwardedRequest;
use super::transactions::ClientRequest;

/// Until the next try is up to somebody else, in T1: eight seconds. Whoever has sent the request waits for
/// 32, so that there is time to answer it here.
const PATIENCE: u8 = 16;

/// A request to send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Own(OutgoingRequest),
    Forwarded(Box<ForwardedRequest>),
}

/// Who hears what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The agent.
    Agent(ClientTransaction),
    /// The server transaction with this name, whose request was forwarded.
    Forwarder(u64),
}

impl ClientRequest for Outgoing {
    type Id = Sender;

    fn id(&self) -> Sender {
        match self {
            Self::Own(request) => Sender::Agent(request.transaction()),
            Self::Forwarded(request) => Sender::Forwarder(request.id),
        }
    }

    fn method(&self) -> &str {
        match self {
            Self::Own(request) => request.method(),
            Self::Forwarded(request) => &request.method,
        }
    }

    fn patience(&self) -> u8 {
        match self {
            Self::Own(request) => request.patience(),
            Self::Forwarded(_) => PATIENCE,
        }
    }
}

impl Outgoing {
    pub(crate) fn is_forwarded(&self) -> bool {
        matches!(self, Self::Forwarded(_))
    }

    pub(crate) fn uri(&self) -> &str {
        match self {
            Self::Own(request) => request.uri(),
            Self::Forwarded(request) => &request.uri,
        }
    }

    pub(crate) fn flow(&self) -> Option<FlowId> {
        match self {
            Self::Own(request) => request.flow(),
            Self::Forwarded(_) => None,
        }
    }

    pub(crate) fn next_hop(&self) -> &str {
        match self {
            Self::Own(request) => request.next_hop(),
            Self::Forwarded(request) => &request.next_hop,
        }
    }

    /// All header fields but the Via of this hop.
    pub(crate) fn fields(&self) -> Box<dyn Iterator<Item = (&str, &str)> + '_> {
        match self {
            Self::Own(request) => Box::new(request.fields()),
            Self::Forwarded(request) => Box::new(request.fields()),
        }
    }

    pub(crate) fn body(&self) -> &Bytes {
        match self {
            Self::Own(request) => request.body(),
            Self::Forwarded(request) => &request.body,
        }
    }

    /// How long it is with a Via of so many octets.
    pub(crate) fn encoded_len(&self, via_len: usize) -> usize {
        match self {
            Self::Own(request) => request.encoded_len(via_len),
            Self::Forwarded(request) => {
                let mut octets = Vec::new();
                request.write_to("", &mut octets);
                octets.len() + via_len
            }
        }
    }

    /// Writes it with this line, a Via, as the first of its header.
    pub(crate) fn write_to(&self, via: &str, out: &mut Vec<u8>) {
        match self {
            Self::Own(request) => request.write_to(via, out),
            Self::Forwarded(request) => request.write_to(via, out),
        }
    }
}
