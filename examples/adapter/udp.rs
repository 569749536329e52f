//! UDP with its transactions: datagrams go straight from the agent's request to the socket and from
//! the socket to the agent's view, without a task for each.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::Poll;

use presentity::engine::FlowId;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::bind::reachable;
use super::outgoing::{Outgoing, Sender};
use super::transactions::{ClientRequest as _, ClientTransactions, Due, Route, ServerTransactions};

/// The largest datagram.
pub(crate) const MAX_LEN: usize = 65_535;
/// Asked of the system for each socket: the answers to a few thousand NOTIFYs.
const SOCKET_BUFFER: usize = 4 << 20;
/// Datagrams that wait for the system to take them; more are lost, as they may be on any way.
const MAX_WAITING: usize = 1 << 13;
/// With the cookie of RFC 3261 section 8.1.1.7.
const BRANCH: &str = "z9hG4bK";
/// Set in the names of IPv6 paths.
const IPV6: u64 = 1 << 62;

/// The sockets.
pub(crate) struct Udp {
    sockets: Vec<Socket>,
    /// Where to look first for what has come, so that no socket starves another.
    turn: usize,
    paths: RandomState,
    pub(crate) servers: ServerTransactions,
    pub(crate) clients: ClientTransactions<Outgoing>,
    via: String,
    octets: Vec<u8>,
}

struct Socket {
    socket: UdpSocket,
    /// As others reach it: never the unspecified address.
    local: SocketAddr,
    waiting: VecDeque<(SocketAddr, Box<[u8]>)>,
}

/// The sockets for what was not asked for at one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listeners {
    ipv4: Option<usize>,
    ipv6: Option<usize>,
}

impl Listeners {
    /// The way to an address; nothing when no socket reaches addresses of its kind.
    pub(crate) fn route(self, destination: SocketAddr) -> Option<Route> {
        let listener = match destination {
            SocketAddr::V4(_) => self.ipv4,
            SocketAddr::V6(_) => self.ipv6,
        };
        listener.map(|listener| Route {
            listener,
            destination,
        })
    }
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
            let local = reachable(socket.local_addr()?);
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
            turn: 0,
            paths: RandomState::new(),
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

    /// Whether a peer that sends there reaches this program.
    pub(crate) fn is_here(&self, destination: SocketAddr) -> bool {
        let mut sockets = self.sockets.iter();
        sockets.any(|socket| socket.local == destination)
    }

    /// The first socket of each kind.
    pub(crate) fn listeners(&self) -> Listeners {
        let first = |ipv4| {
            let mut sockets = self.sockets.iter();
            sockets.position(|socket| socket.local.is_ipv4() == ipv4)
        };
        Listeners {
            ipv4: first(true),
            ipv6: first(false),
        }
    }

    /// Names a path by listener and address of the peer; there is no table that strangers could fill.
    /// An IPv6 address does not fit, so that its path has only a name, and the agent's next hop tells
    /// the address: no address translator stands in its way.
    pub(crate) fn flow(&self, route: Route) -> Option<FlowId> {
        let listener = u64::try_from(route.listener)
            .ok()
            .filter(|l| *l < 1 << 14)?
            << 48;
        Some(match route.destination {
            SocketAddr::V4(peer) => {
                let address = u64::from(peer.ip().to_bits()) << 16;
                FlowId(listener | address | u64::from(peer.port()))
            }
            SocketAddr::V6(_) => FlowId(IPV6 | self.paths.hash_one(route) >> 2),
        })
    }

    /// The way back that has this name.
    pub(crate) fn way_back(&self, flow: FlowId) -> Option<Route> {
        let listener = usize::try_from(flow.0 >> 48).ok();
        let listener = listener.filter(|listener| *listener < self.sockets.len())?;
        let address = u32::try_from((flow.0 >> 16) & u64::from(u32::MAX)).ok()?;
        let port = u16::try_from(flow.0 & u64::from(u16::MAX)).ok()?;
        let destination = SocketAddr::from((Ipv4Addr::from_bits(address), port));
        Some(Route {
            listener,
            destination,
        })
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
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        for _ in 0..self.sockets.len() {
            let listener = self.turn % self.sockets.len();
            self.turn = listener + 1;
            let socket = &self.sockets.get(listener)?.socket;
            // Errors tell of earlier sendings, which time out by themselves.
            if let Ok((len, source)) = socket.try_recv_from(buffer) {
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
        request: Outgoing,
        route: Route,
    ) -> Result<(), Sender> {
        let id = request.id();
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
    pub(crate) fn timed_out(&mut self, now: Instant) -> Option<Sender> {
        loop {
            match self.clients.poll(now)? {
                Due::Repeat(branch) => drop(self.send_open(branch)),
                Due::Timeout(sender) => return Some(sender),
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
