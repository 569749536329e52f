//! The sockets of the examples: names of ways back, next hops, IPv6 beside IPv4, what TLS asks of Contact.
#![allow(clippy::unwrap_used, reason = "test code may fail loudly")]

#[path = "../examples/adapter/mod.rs"]
#[allow(dead_code, reason = "not all of it is reached from here")]
mod adapter;

use adapter::bind::{bind, reachable};
use adapter::message::demands_sips;
use adapter::transactions::Route;
use adapter::transport::{Names, next_hop};
use adapter::udp::{Received, Udp};
use rsipstack::platform::CancellationToken;
use rsipstack::sip::{Request, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::time::timeout;

const V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

/// Whether this machine has it; says so when not.
fn has_ipv6() -> bool {
    let has = UdpSocket::bind(V6).is_ok();
    if !has {
        println!("there is no ::1 here, so that this was not tested");
    }
    has
}

/// The sockets, listening at these addresses.
fn listening(addresses: &[SocketAddr]) -> (Udp, Vec<SocketAddr>) {
    let sockets = addresses.iter().map(|address| bind(*address).unwrap().0);
    let udp = Udp::new(sockets.collect()).unwrap();
    let local = (0..addresses.len()).map(|listener| udp.local(listener).unwrap());
    let local = local.collect();
    (udp, local)
}

async fn receive(udp: &mut Udp, buffer: &mut [u8]) -> Received {
    for _ in 0..1000 {
        if let Some(received) = udp.receive(buffer) {
            return received;
        }
        timeout(Duration::from_secs(5), udp.ready()).await.unwrap();
    }
    unreachable!("no socket has what one said that it had");
}

#[tokio::test]
async fn ipv4_paths_are_found_again_by_their_names() {
    let (udp, _) = listening(&[V4, V4]);
    for listener in [0, 1] {
        let destination = "192.0.2.9:65535".parse().unwrap();
        let route = Route {
            listener,
            destination,
        };
        let flow = udp.flow(route).unwrap();
        assert_eq!(udp.way_back(flow), Some(route));
    }
    let destination = V4;
    let nowhere = udp
        .flow(Route {
            listener: 2,
            destination,
        })
        .unwrap();
    assert_eq!(udp.way_back(nowhere), None);
}

#[tokio::test]
async fn ipv6_paths_have_names_of_their_own_but_no_address_in_them() {
    let (udp, _) = listening(&[V4]);
    let flow = |peer: &str| {
        let destination = peer.parse().unwrap();
        udp.flow(Route {
            listener: 0,
            destination,
        })
        .unwrap()
    };
    let one = flow("[2001:db8::9]:5060");
    assert_eq!(flow("[2001:db8::9]:5060"), one);
    assert_ne!(flow("[2001:db8::9]:5061"), one);
    assert_ne!(flow("[2001:db8::a]:5060"), one);
    assert_eq!(udp.way_back(one), None);
}

#[tokio::test]
async fn datagrams_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let (mut udp, local) = listening(&[V4, V6]);
    let peer = UdpSocket::bind(V6).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    peer.send_to(b"there", local.last().unwrap()).unwrap();
    let mut buffer = [0; 64];
    let received = receive(&mut udp, &mut buffer).await;
    assert_eq!((received.listener, received.len), (1, 5));
    assert_eq!(received.source, peer.local_addr().unwrap());
    let route = udp.listeners().route(received.source).unwrap();
    assert_eq!(route, received.route());
    udp.send(route, b"back").unwrap();
    let (len, source) = peer.recv_from(&mut buffer).unwrap();
    assert_eq!((len, source), (4, *local.last().unwrap()));
}

#[tokio::test]
async fn ipv4_and_ipv6_share_a_port_and_nothing_else() {
    if !has_ipv6() {
        return;
    }
    let (first, _tcp) = bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
    assert!(socket2::SockRef::from(&first).only_v6().unwrap());
    let port = first.local_addr().unwrap().port();
    // Somebody else may have that port in the other kind.
    let Ok((second, _tcp)) = bind((Ipv4Addr::UNSPECIFIED, port).into()) else {
        return;
    };
    let udp = Udp::new(vec![first, second]).unwrap();
    let listeners = udp.listeners();
    let listener = |peer: &str| listeners.route(peer.parse().unwrap()).unwrap().listener;
    assert_eq!(listener("[::1]:5060"), 0);
    assert_eq!(listener("127.0.0.1:5060"), 1);
}

#[test]
fn addresses_that_others_reach_are_of_the_same_kind_and_not_unspecified() {
    for bound in ["0.0.0.0:5060", "[::]:5060", "127.0.0.1:5060", "[::1]:5060"] {
        let bound: SocketAddr = bound.parse().unwrap();
        let local = reachable(bound);
        assert_eq!(local.is_ipv4(), bound.is_ipv4());
        assert_eq!(local.port(), 5060);
        assert!(!local.ip().is_unspecified());
        assert!(bound.ip().is_unspecified() || local == bound);
    }
}

#[tokio::test]
async fn a_busy_socket_does_not_silence_another() {
    let (mut udp, local) = listening(&[V4, V4]);
    let peer = UdpSocket::bind(V4).unwrap();
    for to in [0, 0, 0, 1].map(|listener| local.get(listener).unwrap()) {
        peer.send_to(b"x", to).unwrap();
    }
    let mut buffer = [0; 8];
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(receive(&mut udp, &mut buffer).await.listener);
    }
    assert!(order.starts_with(&[0, 1]), "{order:?}");
}

#[test]
fn next_hops() {
    let cases = [
        ("sip:ivo@192.0.2.9", Some("UDP 192.0.2.9")),
        (
            "sip:192.0.2.9:5070;lr;transport=UDP",
            Some("UDP 192.0.2.9:5070"),
        ),
        ("sip:ivo@[2001:db8::9]:5070", Some("UDP [2001:db8::9]:5070")),
        ("sip:ivo@example.com;transport=tcp", Some("TCP example.com")),
        ("sip:ivo@example.com;maddr=192.0.2.8", Some("UDP 192.0.2.8")),
        (
            "sip:ivo@h:5070;maddr=[2001:db8::8]",
            Some("UDP [2001:db8::8]:5070"),
        ),
        ("sips:ivo@192.0.2.9", None),
        ("sips:ivo@192.0.2.9;transport=tcp", None),
        ("sip:ivo@192.0.2.9;transport=tls", None),
        ("sip:ivo@192.0.2.9;transport=ws", None),
        ("pres:ivo@example.com", None),
        ("tel:+1", None),
    ];
    for (uri, expected) in cases {
        let hop = next_hop(uri, Transport::Udp);
        let hop = hop.map(|hop| format!("{} {}", hop.r#type.unwrap(), hop.addr));
        assert_eq!(hop.as_deref(), expected, "{uri}");
    }
    for (uri, expected) in [
        ("sip:ivo@192.0.2.9", Transport::Tcp),
        ("sip:ivo@192.0.2.9;transport=udp", Transport::Udp),
    ] {
        let hop = next_hop(uri, Transport::Tcp).unwrap();
        assert_eq!(hop.r#type, Some(expected), "{uri}");
    }
}

#[test]
fn no_two_connections_have_the_same_name() {
    let mut names = Names::default();
    let whole = CancellationToken::new();
    let (first, second) = (whole.child_token(), whole.child_token());
    let (a, b) = (names.of(first.clone()), names.of(second.clone()));
    assert_ne!(a, b);
    assert_eq!((names.of(first.clone()), names.of(second)), (a, b));
    assert_eq!(names.forget(&whole), None);
    assert_eq!(names.forget(&first), Some(a));
    assert_eq!(names.forget(&first), None);
    let third = whole.child_token();
    assert!(![a, b].contains(&names.of(third)));
}

#[test]
fn a_sips_contact_answers_a_sips_uri() {
    let demanded = |uri: &str, fields: &str| {
        let text = format!("SUBSCRIBE {uri} SIP/2.0\r\n{fields}Content-Length: 0\r\n\r\n");
        demands_sips(&Request::try_from(text.as_bytes()).unwrap())
    };
    let (plain, secure) = ("sip:anna@example.org", "sips:anna@example.org");
    assert!(!demanded(plain, "") && demanded(secure, ""));
    assert!(!demanded(
        plain,
        "Contact: <sip:b@192.0.2.1;transport=tls>\r\n"
    ));
    assert!(demanded(
        plain,
        "Contact: \"<sip:a, b>\" <SIPS:b@192.0.2.1>\r\n"
    ));
    assert!(demanded(plain, "m: sips:b@192.0.2.1\r\n"));
    let routes = "Record-Route: <sips:p.example.org;lr>, <sip:q.example.org;lr>\r\n";
    assert!(demanded(plain, routes));
    let routes = "Record-Route: <sip:p.example.org;lr>, <sips:q.example.org;lr>\r\n";
    let contact = "Contact: <sips:b@192.0.2.1>\r\n";
    assert!(!demanded(plain, &[routes, contact].concat()));
    assert!(!demanded(plain, "Contact: nobody\r\nRecord-Route: \r\n"));
}
