//! UDP with its transactions: datagrams go straight from the agent's request to the socket and from
//! the socket to the agent's view, without a task for each.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use presentity::engine::ClientTransaction;
use presentity::sip::OutgoingRequest;
use rsipstack::transport::SipConnection;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::transactions::{ClientTransactions, Due, Route, ServerTransactions};

/// The largest datagram.
pub(crate) const MAX_LEN: usize = 65_535;
/// Asked of the system for each socket: the answers to a few thousand NOTIFYs.
const SOCKET_BUFFER: usize = 4 << 20;
/// Datagrams that wait for the system to take them; more are lost, as they may be on any way.
const MAX_WAITING: usize = 1 << 13;
/// With the cookie of RFC 3261 section 8.1.1.7.
const BRANCH: &str = "z9hG4bK";

/// The sockets.
pub(crate) struct Udp {
    sockets: Vec<Socket>,
    pub(crate) servers: ServerTransactions,
    pub(crate) clients: ClientTransactions,
    via: String,
    octets: Vec<u8>,
}

struct Socket {
    socket: UdpSocket,
    /// As others reach it: never the unspecified address.
    local: SocketAddr,
    waiting: VecDeque<(SocketAddr, Box<[u8]>)>,
}

/// A datagram that came.
pub(crate) struct Received {
    pub(crate) listener: usize,
    pub(crate) len: usize,
    pub(crate) source: SocketAddr,
}

impl Received {
    /// The way back to the sender.
    pub(crate) fn route(&self) -> Route {
        Route {
            listener: self.listener,
            destination: self.source,
        }
    }
}

impl Udp {
    pub(crate) fn new(sockets: Vec<UdpSocket>) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(|socket| {
            let local = SipConnection::resolve_bind_address(socket.local_addr()?);
            // The system may give less.
            let reference = socket2::SockRef::from(&socket);
            let _ = reference.set_recv_buffer_size(SOCKET_BUFFER);
            let _ = reference.set_send_buffer_size(SOCKET_BUFFER);
            Ok(Socket {
                socket,
                local,
                waiting: VecDeque::new(),
            })
        });
        Ok(Self {
            sockets: sockets.collect::<io::Result<_>>()?,
            servers: ServerTransactions::default(),
            clients: ClientTransactions::default(),
            via: String::new(),
            octets: Vec::new(),
        })
    }

    /// The address of a socket.
    pub(crate) fn local(&self, listener: usize) -> Option<SocketAddr> {
        self.sockets.get(listener).map(|socket| socket.local)
    }

    /// A socket that reaches addresses of this kind.
    pub(crate) fn listener_for(&self, destination: SocketAddr) -> Option<usize> {
        self.sockets
            .iter()
            .position(|socket| socket.local.is_ipv4() == destination.is_ipv4())
    }

    /// Waits until something has come, or what waits may go.
    pub(crate) async fn ready(&self) {
        poll_fn(|context| {
            for socket in &self.sockets {
                if socket.socket.poll_recv_ready(context).is_ready()
                    || !socket.waiting.is_empty()
                        && socket.socket.poll_send_ready(context).is_ready()
                {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Takes a datagram that has come.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<Received> {
        for (listener, socket) in self.sockets.iter().enumerate() {
            // Errors tell of earlier sendings, which time out by themselves.
            if let Ok((len, source)) = socket.socket.try_recv_from(buffer) {
                return Some(Received {
                    listener,
                    len,
                    source,
                });
            }
        }
        None
    }

    /// Sends what waited.
    pub(crate) fn flush(&mut self) {
        for socket in &mut self.sockets {
            while let Some((destination, octets)) = socket.waiting.front() {
                if is_full(&socket.socket.try_send_to(octets, *destination)) {
                    break;
                }
                socket.waiting.pop_front();
            }
        }
    }

    /// Sends a datagram, now or when the system takes it.
    pub(crate) fn send(&mut self, route: Route, octets: &[u8]) -> io::Result<()> {
        let Some(socket) = self.sockets.get_mut(route.listener) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if socket.waiting.is_empty() {
            let sent = socket.socket.try_send_to(octets, route.destination);
            if !is_full(&sent) {
                return sent.map(drop);
            }
        }
        if socket.waiting.len() < MAX_WAITING {
            socket.waiting.push_back((route.destination, octets.into()));
        }
        Ok(())
    }

    /// Opens a client transaction.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        request: OutgoingRequest,
        route: Route,
    ) -> Result<(), ClientTransaction> {
        let id = request.transaction();
        let branch = self.clients.open(now, request, route);
        match self.send_open(branch) {
            Some(Ok(())) => Ok(()),
            _ => {
                self.clients.forget(branch);
                Err(id)
            }
        }
    }

    fn send_open(&mut self, branch: u64) -> Option<io::Result<()>> {
        let open = self.clients.opened(branch)?;
        let local = self.sockets.get(open.route.listener)?.local;
        self.via.clear();
        let _ = write!(
            self.via,
            "Via: SIP/2.0/UDP {local};rport;branch={BRANCH}{branch:016x}\r\n"
        );
        let mut octets = std::mem::take(&mut self.octets);
        octets.clear();
        open.request.write_to(&self.via, &mut octets);
        let route = open.route;
        let sent = self.send(route, &octets);
        self.octets = octets;
        Some(sent)
    }

    /// Repeats what was not answered; returns a request that is given up, until there is none.
    pub(crate) fn timed_out(&mut self, now: Instant) -> Option<ClientTransaction> {
        loop {
            match self.clients.poll(now)? {
                Due::Repeat(branch) => drop(self.send_open(branch)),
                Due::Timeout(transaction) => return Some(transaction),
            }
        }
    }
}

/// The branch of ours that stands in a Via.
pub(crate) fn branch_of_ours(branch: &str) -> Option<u64> {
    let digits = branch.strip_prefix(BRANCH)?;
    u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 16)
}

fn is_full<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
