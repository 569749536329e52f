//! The stack with its sockets: sends requests of a role, reports what becomes of them, and answers those
//! of others.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use presentity::engine::ClientTransaction;
use presentity::event::Failure;
use presentity::sip::{self, OutgoingRequest};
use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::{Header, Request, Response, Transport};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::{Transaction, TransactionReceiver};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportLayer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::adapter::bind::{bind, reachable, source_towards};
use crate::adapter::transport::{
    CONNECT_LIMIT, Connections, IDLE_LIMIT, MAX_DATAGRAM, VIA_LEN, WatchConnections, accept,
    addresses, next_hop,
};
use crate::adapter::{REQUEST_LIMIT, Reply, final_response, message, send_response};

/// Responses that may wait to be sent; further ones are as good as lost. Only peers that do not read
/// their connection let it come to that.
const MAX_UNREAD: usize = 256;
/// How long the last ones may take.
const LAST_RESPONSES: Duration = Duration::from_millis(200);

/// What became of a request: the final response, or why there is none.
pub(crate) type Outcome = Result<Response, Failure>;

type Outcomes = (
    mpsc::UnboundedSender<(ClientTransaction, Outcome)>,
    mpsc::UnboundedReceiver<(ClientTransaction, Outcome)>,
);

/// A running stack, and the requests of others.
type Started = Result<(Endpoint, TransactionReceiver), Box<dyn Error>>;

/// A UDP socket, and perhaps a TCP one on the same port.
type Bound = (UdpConnection, Option<TcpListener>);

/// The stack of a client.
pub(crate) struct Endpoint {
    stack: Sockets,
    token: CancellationToken,
    outcomes: Outcomes,
    unread: Arc<Semaphore>,
}

/// What a request needs to find its way.
#[derive(Clone)]
struct Sockets {
    endpoint: EndpointInnerRef,
    ipv4: Option<UdpConnection>,
    ipv6: Option<UdpConnection>,
    /// Where a URI names no transport.
    unnamed: Transport,
}

impl Endpoint {
    /// Binds UDP on ports of the system's choice and starts the stack; the requests of others come by
    /// the receiver.
    ///
    /// Where a URI names no transport it is `unnamed`, UDP or TCP.
    pub(crate) async fn start(unnamed: Transport) -> Started {
        let token = CancellationToken::new();
        let socket = async |ip: IpAddr| {
            let token = Some(token.child_token());
            let socket = UdpConnection::create_connection((ip, 0).into(), None, token).await?;
            Ok((socket, None))
        };
        let ipv4 = socket(Ipv4Addr::UNSPECIFIED.into()).await;
        let ipv6 = socket(Ipv6Addr::UNSPECIFIED.into()).await;
        Self::on(ipv4, ipv6, unnamed, token)
    }

    /// The same with TCP on the ports of UDP, for those whose Contact is to be reached by both.
    pub(crate) async fn listen(unnamed: Transport) -> Started {
        let token = CancellationToken::new();
        let sockets = async |ip: IpAddr| {
            let token = Some(token.child_token());
            let (udp, tcp) = bind((ip, 0).into())?;
            let udp = UdpConnection::from_socket(Arc::new(udp), None, token).await?;
            Ok((udp, Some(tcp)))
        };
        let ipv4 = sockets(Ipv4Addr::UNSPECIFIED.into()).await;
        let ipv6 = sockets(Ipv6Addr::UNSPECIFIED.into()).await;
        Self::on(ipv4, ipv6, unnamed, token)
    }

    /// The same on 127.0.0.1 alone, for what stays on this machine.
    pub(crate) async fn on_loopback(unnamed: Transport) -> Started {
        let token = CancellationToken::new();
        let (udp, tcp) = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let child = Some(token.child_token());
        let udp = UdpConnection::from_socket(Arc::new(udp), None, child).await?;
        let unasked = Err("not asked for".into());
        Self::on(Ok((udp, Some(tcp))), unasked, unnamed, token)
    }

    fn on(
        ipv4: Result<Bound, Box<dyn Error>>,
        ipv6: Result<Bound, Box<dyn Error>>,
        unnamed: Transport,
        token: CancellationToken,
    ) -> Started {
        let (ipv4, ipv6) = match (ipv4, ipv6) {
            (Err(error), Err(_)) => return Err(error),
            // Machines without one of the two are common.
            (ipv4, ipv6) => (ipv4.ok(), ipv6.ok()),
        };
        let layer = TransportLayer::new(token.clone());
        layer.set_stream_idle_timeout(IDLE_LIMIT);
        let mut listeners = Vec::new();
        let mut add = |(socket, listener): Bound| {
            layer.add_transport(socket.clone().into());
            listeners.extend(listener);
            socket
        };
        let (ipv4, ipv6) = (ipv4.map(&mut add), ipv6.map(&mut add));
        // Nobody wants to know which ones end.
        let (lost, _) = mpsc::unbounded_channel();
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
        for listener in listeners {
            let local = sip_address(Transport::Tcp, reachable(listener.local_addr()?));
            let stack = endpoint.inner.clone();
            tokio::spawn(accept(listener, local, stack, token.clone()));
        }
        let stack = Sockets {
            endpoint: endpoint.inner.clone(),
            ipv4,
            ipv6,
            unnamed,
        };
        tokio::spawn(async move { endpoint.serve().await });
        let endpoint = Self {
            stack,
            token,
            outcomes: mpsc::unbounded_channel(),
            unread: Arc::new(Semaphore::new(MAX_UNREAD)),
        };
        Ok((endpoint, requests))
    }

    /// The URI by which the peer that a URI leads to reaches a user here. Where that peer is not known
    /// yet it names some address of this machine.
    pub(crate) async fn contact(&self, user: &str, towards: &str) -> Option<String> {
        let hop = next_hop(towards, self.stack.unnamed);
        let peer = match &hop {
            Some(hop) => addresses(hop).await.and_then(|mut all| all.next()),
            None => None,
        };
        let sockets = &self.stack;
        let socket = match peer {
            Some(peer) => sockets.udp(peer),
            None => sockets.ipv4.as_ref().or(sockets.ipv6.as_ref()),
        };
        let mut local = socket?.get_addr().get_socketaddr().ok()?;
        if let Some(source) = peer.and_then(|peer| source_towards(peer).ok()) {
            local.set_ip(source);
        }
        let by_tcp = hop.is_some_and(|hop| hop.r#type == Some(Transport::Tcp));
        let transport = if by_tcp { ";transport=tcp" } else { "" };
        Some(format!("sip:{user}@{local}{transport}"))
    }

    /// Answers a request.
    pub(crate) fn respond(&self, transaction: Transaction, response: &sip::Response) {
        let message = message::response(response, &transaction);
        self.answer(transaction, message);
    }

    /// Answers a request without the help of a role.
    pub(crate) fn reply(&self, transaction: Transaction, reply: &Reply) {
        let message = message::reply(reply, &transaction);
        self.answer(transaction, message);
    }

    fn answer(&self, transaction: Transaction, message: Response) {
        if let Ok(permit) = self.unread.clone().try_acquire_owned() {
            send_response(transaction, Some(permit), message);
        }
    }

    /// Sends a request; what becomes of it comes out of [`outcome`](Self::outcome).
    pub(crate) fn send(&self, request: OutgoingRequest) {
        let stack = self.stack.clone();
        let outcomes = self.outcomes.0.clone();
        tokio::spawn(async move {
            let sent = timeout(REQUEST_LIMIT, stack.send(&request)).await;
            let outcome = sent.unwrap_or(Err(Failure::Timeout));
            // The receiver is gone only after the client has ended.
            let _ = outcomes.send((request.transaction(), outcome));
        });
    }

    /// Sends a request of the application's own, which has no Via yet, towards a URI: what becomes of it.
    pub(crate) fn ask(
        &self,
        request: Request,
        next_hop: String,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let stack = self.stack.clone();
        let len = request.to_bytes().len() + VIA_LEN;
        let message = move |via| {
            let mut request = request.clone();
            request.headers.push_front(via);
            Some(request)
        };
        async move {
            let sent = stack.exchange(&next_hop, len > MAX_DATAGRAM, message);
            let sent = timeout(REQUEST_LIMIT, sent).await;
            sent.unwrap_or(Err(Failure::Timeout))
        }
    }

    /// Waits for what became of a request.
    pub(crate) async fn outcome(&mut self) -> (ClientTransaction, Outcome) {
        match self.outcomes.1.recv().await {
            Some(outcome) => outcome,
            // It has a sender itself.
            None => std::future::pending().await,
        }
    }

    /// Closes every socket, once the responses have left.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(MAX_UNREAD).unwrap_or(u32::MAX);
        let _ = timeout(LAST_RESPONSES, self.unread.acquire_many(all)).await;
        self.token.cancel();
    }
}

impl Sockets {
    async fn send(&self, request: &OutgoingRequest) -> Outcome {
        let large = request.encoded_len(VIA_LEN) > MAX_DATAGRAM;
        let line = (request.method(), request.uri());
        let message = |via| message::request(line, via, request.fields(), request.body());
        self.exchange(request.next_hop(), large, message).await
    }

    async fn exchange(
        &self,
        next_hop: &str,
        large: bool,
        message: impl Fn(Header) -> Option<Request>,
    ) -> Outcome {
        let opened = self.open(next_hop, large, message).await;
        let transaction = opened.ok_or(Failure::Transport)?;
        let connection = match &transaction.connection {
            Some(SipConnection::Tcp(connection)) => connection.cancel_token(),
            _ => None,
        };
        // Without its connection the stack would wait for the response until its timer has run out.
        let closed = async {
            match connection {
                Some(connection) => connection.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            outcome = final_response(transaction) => outcome,
            () = closed => Err(Failure::Transport),
        }
    }

    /// Finds the way of a request and opens a client transaction on it.
    async fn open(
        &self,
        towards: &str,
        large: bool,
        message: impl Fn(Header) -> Option<Request>,
    ) -> Option<Transaction> {
        let hop = next_hop(towards, self.unnamed)?;
        let reliable = hop.r#type == Some(Transport::Tcp);
        for address in addresses(&hop).await? {
            let connection = if reliable {
                self.connect(address).await
            } else if large {
                // Refused or silent: then in fragments after all (RFC 3261 section 18.1.1).
                let connected = timeout(CONNECT_LIMIT, self.connect(address)).await;
                connected.ok().flatten().or_else(|| self.socket(address))
            } else {
                self.socket(address)
            };
            if let Some(connection) = connection
                && let Some(transaction) = self.transaction(&message, connection, address)
            {
                return Some(transaction);
            }
        }
        None
    }

    /// The connection to a peer, a new one if there is none.
    async fn connect(&self, peer: SocketAddr) -> Option<SipConnection> {
        let peer = sip_address(Transport::Tcp, peer);
        let found = self.endpoint.transport_layer.lookup(&peer, None).await;
        found.ok().map(|(connection, _)| connection)
    }

    /// The socket that reaches addresses of this kind.
    fn udp(&self, peer: SocketAddr) -> Option<&UdpConnection> {
        match peer {
            SocketAddr::V4(_) => self.ipv4.as_ref(),
            SocketAddr::V6(_) => self.ipv6.as_ref(),
        }
    }

    fn socket(&self, peer: SocketAddr) -> Option<SipConnection> {
        self.udp(peer).cloned().map(Into::into)
    }

    fn transaction(
        &self,
        message: impl Fn(Header) -> Option<Request>,
        connection: SipConnection,
        peer: SocketAddr,
    ) -> Option<Transaction> {
        let local = local_address(&connection, peer).ok()?;
        let via = self.endpoint.get_via(Some(local), None).ok()?;
        let message = message(Header::Via(via.into()))?;
        let key = TransactionKey::from_request(&message, TransactionRole::Client).ok()?;
        let destination = sip_address(connection.transport(), peer);
        let endpoint = self.endpoint.clone();
        let mut transaction = Transaction::new_client(key, message, endpoint, Some(connection));
        transaction.destination = Some(destination);
        Some(transaction)
    }
}

/// The address by which a peer reaches this connection.
fn local_address(connection: &SipConnection, peer: SocketAddr) -> io::Result<SipAddr> {
    let mut local = connection.get_addr().clone();
    local.r#type = Some(connection.transport());
    if !connection.is_reliable() {
        // The socket has all addresses of this machine; the stack takes any of them.
        local.addr.host = source_towards(peer)?.into();
    }
    Ok(local)
}

fn sip_address(transport: Transport, address: SocketAddr) -> SipAddr {
    SipAddr {
        r#type: Some(transport),
        addr: address.into(),
    }
}
