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
    assert_eq!(head.answers(), Some(("q", "NOTIFY", true)));
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
    for via in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP h:port",
        ";;",
        "\"",
        "/ / ,",
        "SIP/2.0/UDP h;x=\"open",
        "SIP/2.0/h ;branch=z9hG4bKx",
        "SIP/2.0/UDP h\";branch=z9hG4bKx\"",
    ] {
        let text = subscribe(&format!("Via: {via}"));
        let head = Head::parse(&text).unwrap();
        assert!(head.echo("SUBSCRIBE", "sip:a", source()).is_none(), "{via}");
    }
}

#[test]
fn content_length_is_a_number_that_the_datagram_has_room_for() {
    let announced = |value: &str| {
        let text = subscribe(&format!("Via: SIP/2.0/UDP h\r\ncontent-LENGTH :{value}"));
        let head = Head::parse(&text).unwrap();
        head.announced(b"abcd").map(<[u8]>::to_vec)
    };
    assert_eq!(announced(" 3"), Some(b"abc".to_vec()));
    assert_eq!(announced("\r\n 0 "), Some(vec![]));
    for value in ["5", "+3", "-1", "", "3 3", "3,3", "99999999999999999999999"] {
        assert_eq!(announced(value), None, "{value}");
    }
}

#[test]
fn response_with_a_further_via_is_for_somebody_else() {
    let answers = |vias: &str| {
        let text = format!("SIP/2.0 200 OK\r\n{vias}\r\nCSeq: 7\r\n\tNOTIFY\r\n");
        let head = Head::parse(&text).unwrap();
        let own = head.answers().filter(|(.., is_last)| *is_last);
        own.map(|(branch, ..)| branch.to_owned())
    };
    let own = "v: SIP/2.0/UDP [2001:db8::1]:5060 ;x=\";branch=2,\"; Branch = z9hG4bKx";
    assert_eq!(answers(own).as_deref(), Some("z9hG4bKx"));
    assert_eq!(answers(&format!("{own}, SIP/2.0/UDP h")), None);
    assert_eq!(answers(&format!("{own}\r\nVia: SIP/2.0/UDP h")), None);
    assert_eq!(answers("Via: SIP/2.0/UDP h"), None);
}

#[test]
fn bad_requests_get_good_responses() {
    let respond = |text: &str| {
        let head = Head::parse(text).unwrap();
        let echo = head.echo("SUBSCRIBE", "sip:a", source()).unwrap();
        let fields = std::iter::empty();
        let octets = echo.write((400, "Bad Request"), Some("b"), fields, b"", true);
        String::from_utf8(octets).unwrap()
    };
    let via = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx";
    let twice = format!("{}f: <sip:q>\r\nt: <sip:r>\r\n", subscribe(via));
    assert_eq!(respond(&twice), respond(&subscribe(via)));
    let empty = subscribe(via).replace(
        "From: <sip:nora@example.org>;tag=a",
        "From:\r\nFrom: <sip:q>",
    );
    assert!(!respond(&empty).contains("sip:q"));
    let without = subscribe(via).replace("To:", "X:");
    assert!(!respond(&without).contains("tag=b"), "{without}");
    // A line break of its own makes no line of the response.
    let smuggled = subscribe(via).replace("ivo@example.com>\r", "a>\rX: y\r");
    assert!(respond(&smuggled).contains("\r\nTo: <sip:a> X: y;tag=b\r\n"));
}

#[test]
fn response_goes_to_nobody_but_the_sender() {
    let (text, destination) = answered(
        "Via: SIP/2.0/UDP 192.0.2.9;maddr=192.0.2.200;x=\";rport;received=1\";branch=z9hG4bKx",
    );
    assert_eq!(destination, "192.0.2.9:5060".parse().unwrap());
    assert!(text.contains(";x=\";rport;received=1\";branch"), "{text}");
}

#[test]
fn ipv6_senders() {
    let source: SocketAddr = "[2001:db8::9]:40000".parse().unwrap();
    let respond = |via: &str| {
        let text = subscribe(via);
        let head = Head::parse(&text).unwrap();
        let echo = head.echo("SUBSCRIBE", "sip:a", source).unwrap();
        let fields = std::iter::empty();
        let octets = echo.write((200, "OK"), None, fields, b"", false);
        (String::from_utf8(octets).unwrap(), echo.destination)
    };
    let (text, destination) = respond("Via: SIP/2.0/UDP [2001:DB8:0::9]:5062;branch=z9hG4bKx");
    assert_eq!(destination, "[2001:db8::9]:5062".parse().unwrap());
    assert!(!text.contains("received"), "{text}");
    let (text, destination) = respond("Via: SIP/2.0/UDP [fe80::1];rport;branch=z9hG4bKx");
    assert_eq!(destination, source);
    // Without brackets (RFC 3261 section 25.1, via-received).
    assert!(
        text.contains(";rport=40000;received=2001:db8::9\r\n"),
        "{text}"
    );
}

#[test]
fn cancel_finds_its_invite() {
    for branch in ["z9hG4bKx", "1"] {
        let invite = subscribe(&format!("Via: SIP/2.0/UDP h;branch={branch}"));
        let key = |method| {
            key_of(
                &invite.replace("4 SUBSCRIBE", &format!("4 {method}")),
                method,
            )
        };
        assert_eq!(key("CANCEL").replacen("CANCEL", "INVITE", 1), key("INVITE"));
    }
}

#[test]
fn what_is_no_message_is_none() {
    let stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42\n\n0123456789ab";
    for datagram in [&b"\r\n"[..], b"\r\n\r\n", b"\0\0\0\0", b"\n\n", stun] {
        let Some((text, _)) = datagram::split(datagram) else {
            continue;
        };
        assert!(Head::parse(&text).is_none_or(|head| head.start_line().is_none()));
    }
}
