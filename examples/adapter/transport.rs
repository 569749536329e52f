//! Sockets of the stack, and the names under which the agent knows the ways back.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use presentity::engine::FlowId;
use presentity::sip::OutgoingRequest;
use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, SipMessage, Transport, Uri};
use rsipstack::transaction::endpoint::{EndpointInnerRef, TransportEventInspector};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::{Transaction, TransactionReceiver};
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent, TransportLayer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::message;

/// Connections that may be open at once; more are closed as they come. The stack takes 64 KiB for
/// each.
const MAX_CONNECTIONS: usize = 1024;
/// Responses that a connection may have waiting to be sent; while it has them its requests are
/// dropped. A peer that asks and never reads would fill the memory otherwise.
const MAX_UNREAD: usize = 256;
/// Connections that bring nothing for so long are closed: above the longest subscription, so that
/// a watcher that refreshes and does nothing else keeps its own.
const IDLE_LIMIT: Duration = Duration::from_secs(2 * 3600);
/// How long a peer may leave what it is sent unread before the system closes the connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNREAD_LIMIT: Duration = Duration::from_secs(10);
/// Above this a request goes by TCP where the peer takes it (RFC 3261 section 18.1.1).
const MAX_DATAGRAM: usize = 1300;
/// How long to wait for that connection.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// More than a Via field of the stack's takes.
const VIA_LEN: usize = 120;
/// Set in the names of connections; names of UDP paths hold listener, address and port below it.
const CONNECTION: u64 = 1 << 63;

/// The stack with its sockets.
pub(crate) struct Stack {
    endpoint: EndpointInnerRef,
    token: CancellationToken,
    listeners: Vec<UdpConnection>,
    connections: HashMap<u64, Connection>,
    closed: mpsc::UnboundedReceiver<SipConnection>,
}

struct Connection {
    connection: SipConnection,
    unread: Arc<Semaphore>,
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
pub(crate) struct Path {
    endpoint: EndpointInnerRef,
    /// The way back that the agent asked for, while it is there.
    connection: Option<SipConnection>,
    /// The address, where the connection does not tell it.
    destination: Option<SipAddr>,
    /// The host and port for Via when the connection is a new one.
    local: SipAddr,
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
        let mut listeners = Vec::new();
        let mut acceptors = Vec::new();
        for address in addresses {
            let (udp, tcp) = bind(*address, &token).await?;
            layer.add_transport(udp.clone().into());
            acceptors.push((
                tcp,
                SipAddr {
                    r#type: Some(Transport::Tcp),
                    ..udp.get_addr().clone()
                },
            ));
            listeners.push(udp);
        }
        let (lost, closed) = mpsc::unbounded_channel();
        let watch = Arc::new(Connections {
            lost,
            endpoint: std::sync::OnceLock::new(),
        });
        let endpoint = EndpointBuilder::new()
            .with_user_agent(concat!("presentity-example/", env!("CARGO_PKG_VERSION")))
            .with_cancel_token(token.clone())
            .with_transport_layer(layer)
            .with_inspector(Box::new(message::MarkLocal))
            .with_transport_inspector(Box::new(WatchConnections(watch.clone())))
            .build();
        let _ = watch.endpoint.set(Arc::downgrade(&endpoint.inner));
        let requests = endpoint.incoming_transactions()?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move { endpoint.serve().await });
        let mut bound = Vec::new();
        for (tcp, local) in acceptors {
            bound.push(tcp.local_addr()?);
            tokio::spawn(accept(tcp, local, inner.clone(), token.clone()));
        }
        let connections = HashMap::new();
        let stack = Self {
            endpoint: inner,
            token,
            listeners,
            connections,
            closed,
        };
        Ok((stack, requests, bound))
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
            Some(SipConnection::Udp(udp)) => (self.udp_flow(udp, peer), None),
            Some(SipConnection::Tcp(tcp)) => self.tcp_flow(tcp)?,
            _ => (None, None),
        };
        let transport = match connection {
            Some(SipConnection::Tcp(_)) => ";transport=tcp",
            _ => "",
        };
        Ok(Arrival {
            local_contact: format!("sip:{local}{transport}"),
            flow: flow.filter(|_| !transaction.original.has_multiple_vias()),
            source: peer.map(|peer| peer.ip()),
            permit,
        })
    }

    /// Names a UDP path by listener and address of the peer; there is no table that strangers
    /// could fill. For IPv6 the name is that of the listener alone, and the agent's next hop tells
    /// the address.
    fn udp_flow(&self, udp: &UdpConnection, peer: Option<SocketAddr>) -> Option<FlowId> {
        let index = self
            .listeners
            .iter()
            .position(|known| known.get_addr() == udp.get_addr())?;
        let listener = u64::try_from(index).ok().filter(|index| *index < 1 << 15)? << 48;
        match peer? {
            SocketAddr::V4(peer) => {
                let address = u64::from(peer.ip().to_bits()) << 16;
                Some(FlowId(listener | address | u64::from(peer.port())))
            }
            SocketAddr::V6(_) => Some(FlowId(listener)),
        }
    }

    /// Names a connection by its place in memory, which nobody else takes while it is kept here.
    fn tcp_flow(
        &mut self,
        tcp: &TcpConnection,
    ) -> Result<(Option<FlowId>, Option<OwnedSemaphorePermit>), Unread> {
        // Closed already: its end was reported or will be, and it must not come back here.
        if tcp.cancel_token().is_none_or(|token| token.is_cancelled()) {
            return Ok((None, None));
        }
        let flow = connection_name(tcp);
        let known = self
            .connections
            .entry(flow.0)
            .or_insert_with(|| Connection {
                connection: tcp.clone().into(),
                unread: Arc::new(Semaphore::new(MAX_UNREAD)),
            });
        let permit = known
            .unread
            .clone()
            .try_acquire_owned()
            .map_err(|_| Unread)?;
        Ok((Some(flow), Some(permit)))
    }

    /// Waits for a connection to end.
    pub(crate) async fn closed(&mut self) -> Option<SipConnection> {
        self.closed.recv().await
    }

    /// Forgets a connection that ended; returns its name if the agent was told it.
    pub(crate) fn forget(&mut self, connection: &SipConnection) -> Option<FlowId> {
        let SipConnection::Tcp(tcp) = connection else {
            return None;
        };
        let flow = connection_name(tcp);
        self.connections.remove(&flow.0).map(|_| flow)
    }

    /// The way for a request.
    pub(crate) fn path(&self, request: &OutgoingRequest) -> Path {
        let flow = request.flow().map(|flow| flow.0);
        let mut path = Path {
            endpoint: self.endpoint.clone(),
            connection: None,
            destination: None,
            local: self
                .listeners
                .first()
                .map(|udp| udp.get_addr().clone())
                .unwrap_or_default(),
        };
        match flow {
            Some(flow) if flow & CONNECTION != 0 => {
                path.connection = self
                    .connections
                    .get(&flow)
                    .map(|known| known.connection.clone());
            }
            Some(flow) => {
                let listener = usize::try_from(flow >> 48).ok();
                path.connection = listener
                    .and_then(|index| self.listeners.get(index))
                    .map(|udp| udp.clone().into());
                path.destination = udp_peer(flow);
            }
            None => {}
        }
        if let Some(connection) = &path.connection {
            path.local = connection.get_addr().clone();
        }
        if path.destination.is_none()
            && !path
                .connection
                .as_ref()
                .is_some_and(SipConnection::is_reliable)
        {
            path.destination = next_hop(request);
        }
        path
    }
}

impl Path {
    /// Opens a client transaction for the request.
    pub(crate) async fn open(mut self, request: &OutgoingRequest) -> Option<Transaction> {
        let layer = &self.endpoint.transport_layer;
        if self.connection.is_none() {
            let (connection, address) =
                layer.lookup(self.destination.as_ref()?, None).await.ok()?;
            self.connection = Some(connection);
            self.destination = Some(address);
        }
        let datagram = !self.connection.as_ref()?.is_reliable();
        if datagram && request.encoded_len(VIA_LEN) > MAX_DATAGRAM {
            let tcp = SipAddr {
                r#type: Some(Transport::Tcp),
                ..self.destination.clone()?
            };
            // Refused or silent: then in fragments after all.
            if let Ok(Ok((connection, _))) = timeout(CONNECT_LIMIT, layer.lookup(&tcp, None)).await
            {
                self.connection = Some(connection);
                self.destination = None;
            }
        }
        let connection = self.connection?;
        let local = SipAddr {
            r#type: Some(connection.transport()),
            ..self.local
        };
        let via = self.endpoint.get_via(Some(local), None).ok()?;
        let message = message::request(request, Header::Via(via.into()))?;
        let key = TransactionKey::from_request(&message, TransactionRole::Client).ok()?;
        let mut transaction =
            Transaction::new_client(key, message, self.endpoint.clone(), Some(connection));
        transaction.destination = self.destination;
        Some(transaction)
    }
}

fn connection_name(tcp: &TcpConnection) -> FlowId {
    let place = u64::try_from(Arc::as_ptr(&tcp.inner).addr()).unwrap_or(u64::MAX);
    FlowId(CONNECTION | place)
}

fn udp_peer(flow: u64) -> Option<SipAddr> {
    let address = u32::try_from((flow >> 16) & u64::from(u32::MAX)).ok()?;
    let port = u16::try_from(flow & u64::from(u16::MAX)).ok()?;
    if address == 0 {
        return None;
    }
    let peer = SocketAddr::from((Ipv4Addr::from_bits(address), port));
    Some(SipAddr {
        r#type: Some(Transport::Udp),
        addr: peer.into(),
    })
}

fn next_hop(request: &OutgoingRequest) -> Option<SipAddr> {
    let uri = Uri::try_from(request.next_hop()).ok()?;
    let mut address = SipAddr::try_from(&uri).ok()?;
    address.r#type.get_or_insert(Transport::Udp);
    Some(address)
}

/// Binds UDP and TCP on the same port; a port of the system's choice may be taken for the one and
/// not for the other, so there are a few tries.
async fn bind(
    address: SocketAddr,
    token: &CancellationToken,
) -> Result<(UdpConnection, TcpListener), rsipstack::Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let udp =
            UdpConnection::create_connection(address, None, Some(token.child_token())).await?;
        let port = udp.get_addr().get_socketaddr()?.port();
        match TcpListener::bind(SocketAddr::new(address.ip(), port)).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tries < 16 => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn accept(
    listener: TcpListener,
    local: SipAddr,
    endpoint: EndpointInnerRef,
    token: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: it does not help to ask again at once.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if endpoint.transport_layer.connections_count() >= MAX_CONNECTIONS {
            continue;
        }
        let _ = limit_unread(&stream);
        let token = Some(token.child_token());
        if let Ok(connection) = TcpConnection::from_stream(stream, local.clone(), token) {
            endpoint.transport_layer.add_connection(connection.into());
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unread(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_LIMIT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn limit_unread(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Reports connections that end, and keeps from the stack what would make it wait for a peer.
struct Connections {
    lost: mpsc::UnboundedSender<SipConnection>,
    endpoint: std::sync::OnceLock<std::sync::Weak<rsipstack::transaction::endpoint::EndpointInner>>,
}

struct WatchConnections(Arc<Connections>);

impl Connections {
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
