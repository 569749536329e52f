//! Sockets to listen on, and the addresses that others know them by.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rsipstack::transport::SipConnection;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Connections that may wait to be accepted.
const MAX_ACCEPTABLE: i32 = 1024;

/// Binds UDP and TCP on the same port; a port of the system's choice may be taken for the one and
/// not for the other, so there are a few tries.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let udp = socket(address, Type::DGRAM)?;
        udp.bind(&address.into())?;
        let udp = UdpSocket::from_std(udp.into())?;
        let port = udp.local_addr()?.port();
        match bind_stream(SocketAddr::new(address.ip(), port)) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tries < 16 => {}
            Err(error) => return Err(error),
        }
    }
}

/// Binds TCP and listens.
pub(crate) fn bind_stream(address: SocketAddr) -> io::Result<TcpListener> {
    let tcp = socket(address, Type::STREAM)?;
    #[cfg(unix)]
    tcp.set_reuse_address(true)?;
    tcp.bind(&address.into())?;
    tcp.listen(MAX_ACCEPTABLE)?;
    TcpListener::from_std(tcp.into())
}

/// A socket for addresses of one kind: one for both would show IPv4 peers under IPv6 addresses, which
/// differ from those in their Via. Who wants both listens on both.
fn socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An address by which others reach a socket that is bound to this one. Who knows better, because of
/// several networks or a translator before them, writes it here.
pub(crate) fn reachable(bound: SocketAddr) -> SocketAddr {
    if bound != SocketAddr::from((Ipv6Addr::UNSPECIFIED, bound.port())) {
        return SipConnection::resolve_bind_address(bound);
    }
    // An address of documentation (RFC 3849).
    let anywhere = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let ip = source_towards(SocketAddr::from((anywhere, 9)));
    SocketAddr::new(ip.unwrap_or(Ipv6Addr::LOCALHOST.into()), bound.port())
}

/// The address of this machine that the system would send from to another one; nothing is sent.
pub(crate) fn source_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let unspecified: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = std::net::UdpSocket::bind((unspecified, 0))?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}
