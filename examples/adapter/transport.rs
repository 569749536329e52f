//! Sockets of the stack, and the names under which the agent knows the ways back.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use presentity::engine::FlowId;
use presentity::sip::Uri;
use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::uri::{Domain, Host, HostWithPort};
use rsipstack::sip::{Header, Method, SipMessage, Transport};
use rsipstack::transaction::endpoint::{EndpointInnerRef, TransportEventInspector};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::{Transaction, TransactionReceiver};
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent, TransportLayer};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::bind::{bind, bind_stream, reachable};
use super::message;
use super::outgoing::Outgoing;
use super::tls::Tls;
use super::transactions::{ClientRequest as _, Route};
use super::udp::{Listeners, Received, Udp};

/// Connections that may be open at once; more are closed as they come. The stack takes 64 KiB for
/// each.
const MAX_CONNECTIONS: usize = 1024;
/// Responses that a connection may have waiting to be sent; while it has them its requests are
/// dropped. A peer that asks and never reads would fill the memory otherwise.
const MAX_UNREAD: usize = 256;
/// Connections that bring nothing for so long are closed: above the longest subscription, so that
/// a watcher that refreshes and does nothing else keeps its own.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(2 * 3600);
/// How long a peer may leave what it is sent unread before the system closes the connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNREAD_LIMIT: Duration = Duration::from_secs(10);
/// Above this a request goes by TCP where the peer takes it (RFC 3261 section 18.1.1).
pub(crate) const MAX_DATAGRAM: usize = 1300;
/// How long to wait for that connection.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// More than a Via field of the stack's takes.
pub(crate) const VIA_LEN: usize = 120;
/// Set in the names of connections, not in those of UDP paths.
const CONNECTION: u64 = 1 << 63;

/// The stack with its connections, and UDP, which goes past it.
pub(crate) struct Stack {
    pub(crate) udp: Udp,
    endpoint: EndpointInnerRef,
    token: CancellationToken,
    connections: HashMap<FlowId, Connection>,
    names: Names,
    closed: mpsc::UnboundedReceiver<SipConnection>,
}

struct Connection {
    connection: SipConnection,
    unread: Arc<Semaphore>,
}

/// The names of connections.
///
/// What the stack shows of every kind of connection and of no two is the token that it cancels at the end
/// of one, which compares by identity.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<CancellationToken, FlowId>,
    given: u64,
}

/// How a request came in.
pub(crate) struct Arrival {
    /// The URI for the agent's Contact on this transport.
    pub(crate) local_contact: String,
    /// The way back.
    pub(crate) flow: Option<FlowId>,
    /// The peer's address.
    pub(crate) source: Option<IpAddr>,
    /// To be kept until the response has been sent.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// The peer does not read what it is sent.
pub(crate) struct Unread;

/// How a request goes out.
pub(crate) enum Way {
    /// In a datagram.
    Datagram(Route),
    /// A name must be resolved first or a connection made, or there is a connection.
    Path(Box<Path>),
}

/// A way that has to be opened.
pub(crate) struct Path {
    endpoint: EndpointInnerRef,
    /// The way back that the agent asked for, while it is there.
    connection: Option<SipConnection>,
    /// The address, where the connection does not tell it.
    destination: Option<SipAddr>,
    /// The way of a datagram there, where no name must be resolved for it.
    route: Option<Route>,
    listeners: Listeners,
    /// The host and port for Via when the connection is a new one.
    local: SipAddr,
}

/// An open way.
pub(crate) enum Opened {
    /// By a connection.
    Transaction(Box<Transaction>),
    /// In a datagram, after all.
    Datagram(Route),
}

impl Stack {
    /// Binds UDP and TCP on each address and starts the stack; returns the bound addresses too.
    ///
    /// The stack would bind TCP itself, but only later, with no word when that fails, not on a port
    /// of the system's choice, and without a bound on connections.
    pub(crate) async fn start(
        addresses: &[SocketAddr],
    ) -> Result<(Self, TransactionReceiver, Vec<SocketAddr>), rsipstack::Error> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        layer.set_stream_idle_timeout(IDLE_LIMIT);
        let mut sockets = Vec::new();
        let mut listeners = Vec::new();
        for address in addresses {
            let (udp, tcp) = bind(*address)?;
            sockets.push(udp);
            listeners.push(tcp);
        }
        let udp = Udp::new(sockets)?;
        let (lost, closed) = mpsc::unbounded_channel();
        let watch = Connections::new(lost);
        let endpoint = EndpointBuilder::new()
            .with_user_agent(concat!("presentity-example/", env!("CARGO_PKG_VERSION")))
            .with_cancel_token(token.clone())
            .with_transport_layer(layer)
            .with_inspector(Box::new(message::MarkLocal))
            .with_transport_inspector(Box::new(WatchConnections(watch.clone())))
            .build();
        watch.begin(&endpoint.inner);
        let requests = endpoint.incoming_transactions()?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move { endpoint.serve().await });
        let mut bound = Vec::new();
        for tcp in listeners {
            bound.push(tcp.local_addr()?);
            let local = reachable(tcp.local_addr()?);
            let local = SipAddr {
                r#type: Some(Transport::Tcp),
                addr: local.into(),
            };
            tokio::spawn(accept(tcp, local, inner.clone(), token.clone()));
        }
        let stack = Self {
            udp,
            endpoint: inner,
            token,
            connections: HashMap::new(),
            names: Names::default(),
            closed,
        };
        Ok((stack, requests, bound))
    }

    /// Listens at one more address, for TLS; returns the bound address.
    pub(crate) fn listen_tls(&self, address: SocketAddr, tls: &Tls) -> io::Result<SocketAddr> {
        let listener = bind_stream(address)?;
        let bound = listener.local_addr()?;
        let local = SipAddr {
            r#type: Some(Transport::Tls),
            addr: reachable(bound).into(),
        };
        let (endpoint, token) = (self.endpoint.clone(), self.token.clone());
        tokio::spawn(tls.clone().accept(listener, local, endpoint, token));
        Ok(bound)
    }

    /// Closes every socket.
    pub(crate) fn close(&self) {
        self.token.cancel();
    }

    /// How the request came in, with a name for the way back.
    ///
    /// A peer that is heard directly is answered by the path that it used: behind an address
    /// translator and on a connection there is no other. What came over proxies goes back by the
    /// route set.
    pub(crate) fn arrival(&mut self, transaction: &Transaction) -> Result<Arrival, Unread> {
        let connection = transaction.connection.as_ref();
        let local = connection.map(|connection| connection.get_addr().addr.clone());
        let local = local.unwrap_or_default();
        let peer = connection.and_then(SipConnection::get_remote_addr);
        let peer = peer.and_then(|peer| peer.get_socketaddr().ok());
        let (flow, permit) = match connection {
            Some(connection) => self.flow(connection)?,
            None => (None, None),
        };
        let local_contact = match connection.map(SipConnection::transport) {
            Some(Transport::Tls) if message::demands_sips(&transaction.original) => {
                format!("sips:{local}")
            }
            Some(Transport::Tls) => format!("sip:{local};transport=tls"),
            _ => format!("sip:{local};transport=tcp"),
        };
        Ok(Arrival {
            local_contact,
            flow: flow.filter(|_| !transaction.original.has_multiple_vias()),
            source: peer.map(|peer| peer.ip()),
            permit,
        })
    }

    /// The same for a datagram.
    pub(crate) fn datagram_arrival(&self, received: &Received, over_proxies: bool) -> Arrival {
        let local = self.udp.local(received.listener);
        let flow = self.udp.flow(received.route());
        Arrival {
            local_contact: local.map_or_else(String::new, |local| format!("sip:{local}")),
            flow: flow.filter(|_| !over_proxies),
            source: Some(received.source.ip()),
            permit: None,
        }
    }

    /// The name of a connection, and leave to have one more response wait there.
    fn flow(
        &mut self,
        connection: &SipConnection,
    ) -> Result<(Option<FlowId>, Option<OwnedSemaphorePermit>), Unread> {
        // Closed already: its end was reported or will be, and it must not come back here.
        let token = connection.cancel_token();
        let Some(token) = token.filter(|token| !token.is_cancelled()) else {
            return Ok((None, None));
        };
        let flow = self.names.of(token);
        let known = self.connections.entry(flow).or_insert_with(|| Connection {
            connection: connection.clone(),
            unread: Arc::new(Semaphore::new(MAX_UNREAD)),
        });
        let permit = known
            .unread
            .clone()
            .try_acquire_owned()
            .map_err(|_| Unread)?;
        Ok((Some(flow), Some(permit)))
    }

    /// Waits for a connection to end, which is returned, or for datagrams.
    pub(crate) async fn changed(&mut self) -> Option<SipConnection> {
        tokio::select! {
            Some(connection) = self.closed.recv() => Some(connection),
            () = self.udp.ready() => None,
        }
    }

    /// Forgets a connection that ended; returns its name if the agent was told it.
    pub(crate) fn forget(&mut self, connection: &SipConnection) -> Option<FlowId> {
        let flow = self.names.forget(&connection.cancel_token()?)?;
        self.connections.remove(&flow).map(|_| flow)
    }

    /// The way for a request.
    pub(crate) fn way(&self, request: &Outgoing) -> Way {
        let flow = request.flow();
        let connection = flow
            .and_then(|flow| self.connections.get(&flow))
            .map(|known| known.connection.clone());
        let listeners = self.udp.listeners();
        let mut destination = None;
        let mut route = None;
        if connection.is_none() {
            route = flow.and_then(|flow| self.udp.way_back(flow));
            destination = match route {
                Some(route) => Some(SipAddr {
                    r#type: Some(Transport::Udp),
                    addr: route.destination.into(),
                }),
                None => next_hop(request.next_hop(), Transport::Udp),
            };
            if route.is_none()
                && let Some(hop) = &destination
                && hop.r#type == Some(Transport::Udp)
                && let Ok(address) = hop.get_socketaddr()
            {
                route = listeners.route(address);
            }
            if let Some(route) = route
                && request.encoded_len(VIA_LEN) <= MAX_DATAGRAM
            {
                return Way::Datagram(route);
            }
        }
        let listener = route.map_or(0, |route| route.listener);
        let local = connection.as_ref().map_or_else(
            || {
                self.udp
                    .local(listener)
                    .map(SipAddr::from)
                    .unwrap_or_default()
            },
            |connection| connection.get_addr().clone(),
        );
        Way::Path(Box::new(Path {
            endpoint: self.endpoint.clone(),
            connection,
            destination,
            route,
            listeners,
            local,
        }))
    }
}

impl Path {
    /// Finds or makes the connection, and opens a client transaction on it.
    pub(crate) async fn open(mut self, request: &Outgoing) -> Option<Opened> {
        let layer = &self.endpoint.transport_layer;
        let connection = match (self.connection.take(), self.destination) {
            (Some(connection), _) => connection,
            (None, Some(hop)) if hop.r#type == Some(Transport::Udp) => {
                let tcp = SipAddr {
                    r#type: Some(Transport::Tcp),
                    ..hop.clone()
                };
                let fits = request.encoded_len(VIA_LEN) <= MAX_DATAGRAM;
                let found = match fits {
                    true => None,
                    false => timeout(CONNECT_LIMIT, layer.lookup(&tcp, None)).await.ok(),
                };
                match found {
                    Some(Ok((connection, _))) => connection,
                    // Refused or silent: then in fragments after all.
                    _ => {
                        let route = match self.route {
                            Some(route) => Some(route),
                            None => resolve(&hop, self.listeners).await,
                        };
                        return route.map(Opened::Datagram);
                    }
                }
            }
            (None, Some(hop)) => layer.lookup(&hop, None).await.ok()?.0,
            (None, None) => return None,
        };
        let local = SipAddr {
            r#type: Some(connection.transport()),
            ..self.local
        };
        let via = self.endpoint.get_via(Some(local), None).ok()?;
        let line = (request.method(), request.uri());
        let via = Header::Via(via.into());
        let message = message::request(line, via, request.fields(), request.body())?;
        let key = TransactionKey::from_request(&message, TransactionRole::Client).ok()?;
        let transaction =
            Transaction::new_client(key, message, self.endpoint.clone(), Some(connection));
        Some(Opened::Transaction(Box::new(transaction)))
    }
}

async fn resolve(hop: &SipAddr, listeners: Listeners) -> Option<Route> {
    addresses(hop)
        .await?
        .find_map(|address| listeners.route(address))
}

/// Looks up a host name: A and AAAA alone, without NAPTR and SRV (RFC 3263), for which the examples
/// have no resolver.
pub(crate) async fn addresses(hop: &SipAddr) -> Option<impl Iterator<Item = SocketAddr>> {
    let port = hop.addr.port.as_ref().map_or(5060, |port| port.value());
    let host = match &hop.addr.host {
        // Written with brackets, which the system does not take.
        Host::IpAddr(address) => address.to_string(),
        Host::Domain(name) => name.to_string(),
    };
    lookup_host((host, port)).await.ok()
}

impl Names {
    /// The name of the connection with this token, which no other had before.
    pub(crate) fn of(&mut self, token: CancellationToken) -> FlowId {
        *self.known.entry(token).or_insert_with(|| {
            self.given += 1;
            FlowId(CONNECTION | self.given)
        })
    }

    pub(crate) fn forget(&mut self, token: &CancellationToken) -> Option<FlowId> {
        self.known.remove(token)
    }
}

/// What a URI says of the next hop, by this transport unless it names one; nothing for sips and for
/// transports that nobody is connected to from here, TLS among them.
pub(crate) fn next_hop(uri: &str, unnamed: Transport) -> Option<SipAddr> {
    let Ok(Uri::Sip(uri)) = Uri::parse(uri) else {
        return None;
    };
    let param = |name| uri.params().get(name).flatten();
    let transport = match param("transport") {
        _ if uri.is_sips() => return None,
        None => unnamed,
        Some(name) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
        Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
        Some(_) => return None,
    };
    let host = param("maddr").unwrap_or(uri.host());
    let host = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => Host::from(address),
        Err(_) => Host::from(Domain::from(host)),
    };
    let port = uri.port().map(Into::into);
    Some(SipAddr {
        r#type: Some(transport),
        addr: HostWithPort { host, port },
    })
}

/// Takes connections until the token is cancelled.
pub(crate) async fn accept(
    listener: TcpListener,
    local: SipAddr,
    endpoint: EndpointInnerRef,
    token: CancellationToken,
) {
    while let Some(stream) = next_connection(&listener, &token).await {
        if !has_room(&endpoint) {
            continue;
        }
        let _ = limit_unread(&stream);
        let token = Some(token.child_token());
        if let Ok(connection) = TcpConnection::from_stream(stream, local.clone(), token) {
            endpoint.transport_layer.add_connection(connection.into());
        }
    }
}

/// The next connection that somebody makes; nothing once the token is cancelled.
pub(super) async fn next_connection(
    listener: &TcpListener,
    token: &CancellationToken,
) -> Option<TcpStream> {
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => return Some(stream),
            // Out of file descriptors, most likely: it does not help to ask again at once.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether there may be one more connection.
pub(super) fn has_room(endpoint: &EndpointInnerRef) -> bool {
    endpoint.transport_layer.connections_count() < MAX_CONNECTIONS
}

/// Closes the connection when its peer leaves unread what it is sent.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn limit_unread(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_LIMIT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn limit_unread(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Reports connections that end, and keeps from the stack what would make it wait for a peer.
pub(crate) struct Connections {
    lost: mpsc::UnboundedSender<SipConnection>,
    endpoint: std::sync::OnceLock<std::sync::Weak<rsipstack::transaction::endpoint::EndpointInner>>,
}

pub(crate) struct WatchConnections(pub(crate) Arc<Connections>);

impl Connections {
    pub(crate) fn new(lost: mpsc::UnboundedSender<SipConnection>) -> Arc<Self> {
        Arc::new(Self {
            lost,
            endpoint: std::sync::OnceLock::new(),
        })
    }

    /// The stack that was built with it.
    pub(crate) fn begin(&self, endpoint: &EndpointInnerRef) {
        let _ = self.endpoint.set(Arc::downgrade(endpoint));
    }

    /// The stack answers a repeated request and a CANCEL inside the loop that serves all peers, so
    /// one that sends them on a connection and never reads it would stop everything. Nobody has a
    /// reason to: connections lose nothing, and no request here waits long enough to be cancelled.
    fn would_block(&self, message: &SipMessage, connection: &SipConnection) -> bool {
        let SipMessage::Request(request) = message else {
            return false;
        };
        if !connection.is_reliable() {
            return false;
        }
        if request.method == Method::Cancel {
            return true;
        }
        let endpoint = self.endpoint.get().and_then(std::sync::Weak::upgrade);
        match (
            endpoint,
            TransactionKey::from_request(request, TransactionRole::Server),
        ) {
            (Some(endpoint), Ok(key)) => endpoint.finished_transactions.contains_key(&key),
            _ => false,
        }
    }
}

impl TransportEventInspector for WatchConnections {
    // What `#[async_trait]` makes of `async fn handle(&self, event: TransportEvent)`.
    fn handle<'a, 'b>(
        &'a self,
        event: TransportEvent,
    ) -> Pin<Box<dyn Future<Output = Option<TransportEvent>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let event = match event {
            TransportEvent::Incoming(message, connection, _)
                if self.0.would_block(&message, &connection) =>
            {
                None
            }
            TransportEvent::Closed(connection) => {
                let _ = self.0.lost.send(connection.clone());
                Some(TransportEvent::Closed(connection))
            }
            event => Some(event),
        };
        Box::pin(std::future::ready(event))
    }
}
