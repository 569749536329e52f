//! The transport of the examples: how it reads datagrams, and its transactions.
#![allow(clippy::unwrap_used, reason = "test code may fail loudly")]

#[path = "../examples/adapter/datagram.rs"]
#[allow(dead_code, reason = "not all of it is reached from here")]
mod datagram;

use datagram::{Head, StartLine};
use std::net::SocketAddr;

const SOURCE: &str = "192.0.2.9:40000";

fn source() -> SocketAddr {
    SOURCE.parse().unwrap()
}

fn subscribe(via: &str) -> String {
    format!(
        "SUBSCRIBE sip:ivo@example.com SIP/2.0\r\n{via}\r\nFrom: <sip:nora@example.org>;tag=a\r\n\
         To: <sip:ivo@example.com>\r\nCall-ID: one\r\nCSeq: 4 SUBSCRIBE\r\n"
    )
}

/// The response to a request with this Via, and where it goes.
fn answered(via: &str) -> (String, SocketAddr) {
    let text = subscribe(via);
    let head = Head::parse(&text).unwrap();
    let echo = head
        .echo("SUBSCRIBE", "sip:ivo@example.com", source())
        .unwrap();
    let fields = [("Expires", "60")].into_iter();
    let octets = echo.write((200, "OK"), Some("b"), fields, b"", true);
    (String::from_utf8(octets).unwrap(), echo.destination)
}

fn key_of(text: &str, method: &str) -> String {
    let head = Head::parse(text).unwrap();
    let echo = head.echo(method, "sip:ivo@example.com", source()).unwrap();
    echo.key.to_string()
}

#[test]
fn response_goes_to_the_port_that_rport_asks_for() {
    let (text, destination) =
        answered("Via: SIP/2.0/UDP 10.0.0.1:5099;rport;branch=z9hG4bKx;ttl=1");
    assert_eq!(destination, source());
    assert_eq!(
        text,
        "SIP/2.0 200 OK\r\n\
         Via: SIP/2.0/UDP 10.0.0.1:5099;branch=z9hG4bKx;ttl=1;rport=40000;received=192.0.2.9\r\n\
         From: <sip:nora@example.org>;tag=a\r\nCall-ID: one\r\nCSeq: 4 SUBSCRIBE\r\n\
         To: <sip:ivo@example.com>;tag=b\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn response_without_rport_goes_to_the_port_of_sent_by() {
    let cases = [
        (
            "Via: SIP/2.0/UDP 192.0.2.9:5099;branch=z9hG4bKx",
            5099,
            false,
        ),
        (
            "v: SIP / 2.0 / UDP a.example.org : 5098 ;branch=z9hG4bKx",
            5098,
            true,
        ),
        ("Via: SIP/2.0/UDP a.example.org;branch=z9hG4bKx", 5060, true),
        (
            "Via: SIP/2.0/UDP [2001:db8::9]:5097;branch=z9hG4bKx",
            5097,
            true,
        ),
        ("Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKx", 5060, true),
    ];
    for (via, port, told) in cases {
        let (text, destination) = answered(via);
        assert_eq!(destination, SocketAddr::new(source().ip(), port), "{via}");
        assert_eq!(
            text.contains(";received=192.0.2.9\r\n"),
            told,
            "{via}: {text}"
        );
        assert!(!text.contains("rport"), "{via}: {text}");
    }
}

#[test]
fn a_claimed_received_is_replaced_and_further_vias_are_kept() {
    let (text, _) = answered(
        "Via: SIP/2.0/UDP p.example.org;received=10.9.9.9;branch=z9hG4bKx;x=\"a,b\", SIP/2.0/TCP q\r\n\
         Record-Route: <sip:p.example.org;lr>\r\nVia: SIP/2.0/UDP\r\n\tr.example.org",
    );
    let expected = "Via: SIP/2.0/UDP p.example.org;branch=z9hG4bKx;x=\"a,b\";received=192.0.2.9, SIP/2.0/TCP q\r\n\
                    Via: SIP/2.0/UDP  \tr.example.org\r\nFrom";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("\r\nRecord-Route: <sip:p.example.org;lr>\r\n"));
    assert!(!text.contains("10.9.9.9"));
}

#[test]
fn transactions_are_told_apart_by_branch_or_by_all_else() {
    let with = |via: &str, cseq: &str| subscribe(via).replace("4 SUB", cseq);
    let cookie = "Via: SIP/2.0/UDP h;branch=z9hG4bKx";
    let elsewhere = "Via: SIP/2.0/UDP i;branch=z9hG4bKx";
    let old = "Via: SIP/2.0/UDP h;branch=1";
    let key = |via, cseq| key_of(&with(via, cseq), "SUBSCRIBE");
    assert_eq!(key(cookie, "4 SUB"), key(cookie, "4 SUB"));
    assert_ne!(key(cookie, "4 SUB"), key(elsewhere, "4 SUB"));
    assert_ne!(
        key(cookie, "4 SUB"),
        key_of(&with(cookie, "4 SUB"), "CANCEL")
    );
    // As some do who use a branch again.
    assert_ne!(key(cookie, "4 SUB"), key(cookie, "5 SUB"));
    assert_eq!(key(old, "4 SUB"), key(old, "4 SUB"));
    assert_ne!(key(old, "4 SUB"), key(old, "5 SUB"));
}

#[test]
fn datagrams_that_are_cut_or_odd() {
    assert!(datagram::split(b"").is_none());
    assert!(datagram::split(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n").is_none());
    let (text, body) = datagram::split(
        b"SIP/2.0 200 Fine\nl: 2\nVia: SIP/2.0/UDP h;branch=q\nCSeq: 1  NOTIFY\n\nabc",
    )
    .unwrap();
    let head = Head::parse(&text).unwrap();
    assert!(matches!(
        head.start_line(),
        Some(StartLine::Response { status: 200 })
    ));
    assert_eq!(head.announced(body), Some(&b"ab"[..]));
    assert_eq!(head.announced(b"a"), None);
    assert_eq!(head.answers(), Some(("q", "NOTIFY")));
    for line in [
        "SIP/2.0 99 x",
        "SIP/2.0",
        "X",
        "",
        "OPTIONS sip:a SIP/3.0",
        "OPTIONS",
    ] {
        let text = format!("{line}\r\nVia: a\r\n");
        assert!(Head::parse(&text).unwrap().start_line().is_none(), "{line}");
    }
    for via in ["", "SIP/2.0/UDP", "SIP/2.0/UDP h:port", ";;", "\"", "/ / ,"] {
        let text = subscribe(&format!("Via: {via}"));
        let head = Head::parse(&text).unwrap();
        assert!(head.echo("SUBSCRIBE", "sip:a", source()).is_none(), "{via}");
    }
}
