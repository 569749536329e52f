//! The example server signs, and encrypts, with keys that the program openssl has made, and the example
//! watcher believes it, or does not; and the server opens what that program has signed and encrypted.

use crate::certificates::{Authority, split};
use crate::server::Server;
use crate::watch::Watcher;
use crate::{Transport, asked_for, free_port};
use std::net::UdpSocket;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);
/// Until a watcher asks again after a failure, by the settings of the library.
const SOME_TIME: Duration = Duration::from_secs(25);

const ANNA: &str = "sip:anna@example.com";
const DOMAIN: &str = "sip:example.com";

/// What every server here is told.
const OPEN_TO_ALL: [&str; 5] = [
    "--no-auth",
    "--domain",
    "example.com",
    "--notify-interval",
    "1",
];

/// A server for everybody, at this port, whose anna is at sea.
fn serve(port: u16, arguments: &[&str]) -> Server {
    let mut server = Server::on(port, &[&OPEN_TO_ALL, arguments].concat());
    server.tell("set anna@example.com open at sea");
    server.wait_for(0, &["set"]);
    server
}

/// Somebody who watches anna, by way of this port.
fn watch(port: u16, transport: Transport, who: &str, arguments: &[&str]) -> Watcher {
    let proxy = format!("127.0.0.1:{port};transport={}", transport.name());
    let from = format!("sip:{who}@example.com");
    let first = [ANNA, "--proxy", &proxy, "--from", &from];
    Watcher::start(&[&first[..], arguments].concat())
}

/// What a watcher hears who asks once and demands a signature.
fn fetch(port: u16, trust: &str, expected: &[&str], exit: i32) {
    let demand = ["--trust", trust, "--require-signed", "--fetch"];
    let mut watcher = watch(port, Transport::Udp, "bjarne", &demand);
    watcher.hears(expected, SOON);
    watcher.hears(&[ANNA, "[over] over: answered"], SOON);
    let status = watcher.process.wait_for_end(SOON);
    assert_eq!(status.code(), Some(exit), "{expected:?}");
}

fn believed(transport: Transport) {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new(&format!("signed-{}", transport.name()));
    authority.certify_from_below("domain", DOMAIN);
    let port = free_port(0);
    let mut server = serve(port, &["--sign-with", &authority.pair("domain")]);
    server.wait_for(0, &["signing as sip:example.com until 20"]);
    let trust = authority.named("ca.pem");
    let demand = ["--trust", &trust, "--require-signed"];
    let mut watcher = watch(port, transport, "bjarne", &demand);
    let for_programs = [&demand[..], &["--json"]].concat();
    let mut for_programs = watch(port, transport, "cora", &for_programs);
    // Who does not take signatures gets none.
    let mut plain = watch(port, transport, "dag", &[]);
    let signed = "open, signed by sip:example.com: added";
    watcher.hears(&[ANNA, "[active]", signed, "\"at sea\""], SOON);
    plain.hears(&[ANNA, "[active] open: added", "\"at sea\""], SOON);
    let signers = "\"signed_by\":[{\"names\":[\"sip:example.com\"],\"trusted\":true}],\"authority\":\"domain\"";
    for_programs.hears(
        &["\"basic\":\"open\"", signers, "\"encrypted\":false"],
        SOON,
    );
    fetch(port, &trust, &[signed, "\"at sea\""], 0);

    // That nothing is known is something to believe, too.
    let proxy = format!("127.0.0.1:{port}");
    let about_berit = ["sip:berit@example.com", "--proxy", &proxy, "--fetch"];
    let mut of_berit = Watcher::start(&[&about_berit[..], &demand].concat());
    of_berit.hears(&["[over] unknown, signed by sip:example.com"], SOON);
    assert_eq!(of_berit.process.wait_for_end(SOON).code(), Some(0));

    server.tell("set anna@example.com closed ashore");
    let signed = "closed, signed by sip:example.com: changed";
    watcher.hears(&[ANNA, "[active]", signed, "\"ashore\""], SOON);
    plain.hears(&[ANNA, "[active] closed: changed", "\"ashore\""], SOON);
    for mut watcher in [watcher, for_programs, plain] {
        watcher.stop();
    }
    server.wait_until_gone(&["bjarne", "cora", "dag"]);
}

#[test]
fn what_the_domain_signs_is_believed_by_udp() {
    believed(Transport::Udp);
}

#[test]
fn what_the_domain_signs_is_believed_by_tcp() {
    believed(Transport::Tcp);
}

// SEC-19
#[test]
fn what_others_sign_is_refused() {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new("signed-by-others");
    authority.certify("other", "sip:example.org");
    authority.certify("parent", "sip:com");
    authority.certify("user", "sip:anybody@example.com");
    authority.certify_in_the_past("late", DOMAIN);
    authority.sign_itself("itself", DOMAIN);
    let trust = authority.named("ca.pem");
    for (name, reason) in [
        ("other", "refused: signed by [\"sip:example.org\"]"),
        ("parent", "refused: signed by [\"sip:com\"]"),
        ("user", "refused: signed by [\"sip:anybody@example.com\"]"),
        (
            "late",
            "refused: certificate not trusted: certificate has expired",
        ),
        (
            "itself",
            "refused: certificate not trusted: self-signed certificate",
        ),
    ] {
        let port = free_port(0);
        let server = serve(port, &["--sign-with", &authority.pair(name)]);
        if name == "late" {
            server.wait_for(0, &["WARNING", "has run out"]);
        }
        fetch(port, &trust, &[ANNA, reason], 1);
        // Who demands nothing is told whom not to believe.
        let arguments = ["--trust", &trust, "--fetch"];
        let mut watcher = watch(port, Transport::Udp, "bjarne", &arguments);
        let doubt = match name {
            "late" | "itself" => " (not trusted)",
            _ => " (of no account)",
        };
        watcher.hears(&[&format!("{doubt}: added console open")], SOON);
        assert_eq!(watcher.process.wait_for_end(SOON).code(), Some(0));
    }
    let port = free_port(0);
    let _server = serve(port, &[]);
    fetch(port, &trust, &[ANNA, "refused: not signed"], 1);
    // The authority that is trusted is another one with the same name.
    let port = free_port(0);
    authority.certify("domain", DOMAIN);
    let _server = serve(port, &["--sign-with", &authority.pair("domain")]);
    let other = Authority::new("signed-by-others-still");
    fetch(
        port,
        &other.named("ca.pem"),
        &[ANNA, "refused: certificate not trusted"],
        1,
    );
    fetch(port, &trust, &[ANNA, "signed by sip:example.com"], 0);
}

#[test]
fn what_was_known_stays_when_the_server_becomes_another() {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new("signed-then-not");
    authority.certify("domain", DOMAIN);
    authority.certify("other", "sip:example.org");
    let trust = authority.named("ca.pem");
    let port = free_port(0);
    let mut server = serve(port, &["--sign-with", &authority.pair("domain")]);
    let arguments = ["--trust", &trust, "--require-signed", "--json"];
    let mut watcher = watch(port, Transport::Udp, "bjarne", &arguments);
    watcher.hears(&["\"basic\":\"open\"", "\"at sea\""], SOON);
    for (arguments, reason) in [
        (
            &["--sign-with", &authority.pair("other")][..],
            "signed by [\\\"sip:example.org\\\"]",
        ),
        (&[], "not signed"),
    ] {
        server.terminate();
        server.wait_for_end();
        server = Server::on(port, &[&OPEN_TO_ALL, arguments].concat());
        server.tell("set anna@example.com closed on the rocks");
        let refused = format!("\"event\":\"refused\",\"state\":\"active\",\"reason\":\"{reason}\"");
        watcher.hears(&[&refused, "\"basic\":\"open\"", "\"at sea\""], SOME_TIME);
    }
    assert!(!watcher.process.output().contains("rocks"));
    watcher.stop();
}

#[test]
fn what_is_encrypted_is_read_by_its_watcher() {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new("signed-and-encrypted");
    authority.certify("domain", DOMAIN);
    for who in ["bjarne", "cora"] {
        authority.certify(who, &format!("sip:{who}@example.com"));
    }
    std::fs::create_dir(authority.path("watchers")).unwrap();
    let certificate = authority.path("watchers/bjarne@example.com.pem");
    std::fs::copy(authority.path("bjarne.pem"), certificate).unwrap();
    let port = free_port(0);
    let folder = authority.named("watchers");
    let keys = [
        "--sign-with",
        &authority.pair("domain"),
        "--encrypt-for",
        &folder,
    ];
    let mut server = serve(port, &keys);
    let trust = authority.named("ca.pem");
    let start = |who: &str, key: &str| {
        let pair = authority.pair(key);
        let arguments = [
            "--trust",
            &trust,
            "--decrypt-with",
            &pair,
            "--require-encrypted",
        ];
        watch(port, Transport::Udp, who, &arguments)
    };
    let mut bjarne = start("bjarne", "bjarne");
    let words = "open, signed by sip:example.com, encrypted: added";
    bjarne.hears(&[ANNA, "[active]", words, "\"at sea\""], SOON);
    // There is no certificate of hers.
    let mut cora = start("cora", "cora");
    cora.hears(&[ANNA, "refused: not encrypted"], SOON);
    // His, with the wrong key.
    let mut thief = start("bjarne", "cora");
    thief.hears(&[ANNA, "refused: "], SOON);
    server.tell("set anna@example.com closed");
    let words = "closed, signed by sip:example.com, encrypted: changed";
    bjarne.hears(&[ANNA, "[active]", words], SOON);
    for watcher in [&mut bjarne, &mut cora, &mut thief] {
        watcher.stop();
    }
    for output in [cora.process.output(), thief.process.output()] {
        assert!(!output.contains("open"), "{output}");
    }
}

/// A NOTIFY for somebody who hears datagrams alone and takes these types: the value of Content-Type, and
/// the body.
fn notified(server: u16, accept: &str) -> (String, Vec<u8>) {
    let port = free_port(0);
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let subscribe = format!(
        "SUBSCRIBE {ANNA} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKsigned{port}\r\n\
         From: <sip:elin@example.com>;tag=s{port}\r\nTo: <{ANNA}>\r\n\
         Call-ID: signed-{port}\r\nCSeq: 1 SUBSCRIBE\r\nMax-Forwards: 70\r\n\
         Contact: <sip:elin@127.0.0.1:{port}>\r\nEvent: presence\r\n\
         Accept: {accept}\r\nExpires: 0\r\nContent-Length: 0\r\n\r\n"
    );
    let to_server = ("127.0.0.1", server);
    socket.send_to(subscribe.as_bytes(), to_server).unwrap();
    let mut buffer = vec![0; 65_535];
    loop {
        let len = socket.recv(&mut buffer).expect("nothing came");
        let (head, body) = split(&buffer[..len], b"\r\n\r\n");
        let head = String::from_utf8_lossy(head);
        if !head.starts_with("NOTIFY ") {
            assert!(head.starts_with("SIP/2.0 200 "), "{head}");
            continue;
        }
        let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let copied = |line: &&str| copied.iter().any(|name| line.starts_with(name));
        let fields: Vec<&str> = head.lines().filter(copied).collect();
        let fields = fields.join("\r\n");
        let response = format!("SIP/2.0 200 OK\r\n{fields}\r\nContent-Length: 0\r\n\r\n");
        socket.send_to(response.as_bytes(), to_server).unwrap();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("Content-Length: ").unwrap();
        assert_eq!(length.parse(), Ok(body.len()));
        let content_type = field("Content-Type: ").unwrap_or_default().to_owned();
        return (content_type, body.to_vec());
    }
}

#[test]
fn what_leaves_the_server_verifies_with_openssl() {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new("signed-on-the-wire");
    authority.certify_from_below("domain", DOMAIN);
    let port = free_port(0);
    let _server = serve(port, &["--sign-with", &authority.pair("domain")]);
    // With a note, and the certificates, it is more than what is sent in one datagram where there is TCP.
    let (content_type, body) = notified(port, "multipart/signed, application/pidf+xml");
    assert!(
        content_type.starts_with("multipart/signed;"),
        "{content_type}"
    );
    assert!(body.len() > 1300, "{}", body.len());
    let document = authority.verify(&content_type, &body);
    assert!(
        document.starts_with("Content-Type: application/pidf+xml\r\n"),
        "{document}"
    );
    for text in ["entity=\"sip:anna@example.com\"", "at sea", "timestamp>"] {
        assert!(document.contains(text), "{document}");
    }
    for accept in [
        "application/pidf+xml",
        "application/pidf+xml, application/pkcs7-mime",
    ] {
        let (content_type, body) = notified(port, accept);
        assert_eq!(content_type, "application/pidf+xml", "{accept}");
        assert!(String::from_utf8(body).unwrap().contains("at sea"));
    }
}

const SIGNED: &str = "application/pkcs7-mime;smime-type=signed-data";
const ENVELOPED: &str = "application/pkcs7-mime;smime-type=enveloped-data";

/// The header of an entity, and the entity.
fn entity(content_type: &str, body: &[u8]) -> Vec<u8> {
    [
        format!("Content-Type: {content_type}\r\n\r\n").as_bytes(),
        body,
    ]
    .concat()
}

/// A document of anna's with this note, as an entity.
fn document(note: &str) -> Vec<u8> {
    let document = format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{ANNA}\"><tuple id=\"phone\">\
         <status><basic>open</basic></status><note>{note}</note></tuple></presence>"
    );
    entity("application/pidf+xml", document.as_bytes())
}

/// The status of the response to anna's PUBLISH with such a body.
fn publish(server: u16, content_type: &str, body: &[u8]) -> String {
    let port = free_port(0);
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let head = format!(
        "PUBLISH {ANNA} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKsealed{port}\r\n\
         From: <{ANNA}>;tag=p{port}\r\nTo: <{ANNA}>\r\n\
         Call-ID: sealed-{port}\r\nCSeq: 1 PUBLISH\r\nMax-Forwards: 70\r\n\
         Event: presence\r\nExpires: 600\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let message = [head.as_bytes(), body].concat();
    socket.send_to(&message, ("127.0.0.1", server)).unwrap();
    let mut buffer = vec![0; 65_535];
    let len = socket.recv(&mut buffer).expect("nothing came");
    let response = String::from_utf8_lossy(&buffer[..len]).into_owned();
    response.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn what_clients_sign_and_encrypt_is_opened() {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new("signed-by-clients");
    authority.certify("domain", DOMAIN);
    authority.certify("anna", ANNA);
    let (trust, key) = (authority.named("ca.pem"), authority.pair("domain"));
    let port = free_port(0);
    let _server = serve(port, &["--trust", &trust, "--open-with", &key]);
    let seen = |note: &str| {
        let (_, body) = notified(port, "application/pidf+xml");
        String::from_utf8(body).unwrap().contains(note)
    };
    let signed = authority.sign("anna", &document("by the fire"));
    assert_eq!(publish(port, SIGNED, &signed), "200");
    assert!(seen("by the fire"));
    let encrypted = authority.encrypt("domain", &document("in the bath"));
    assert_eq!(publish(port, ENVELOPED, &encrypted), "200");
    assert!(seen("in the bath"));
    let signed = authority.sign("anna", &document("up the hill"));
    let both = authority.encrypt("domain", &entity(SIGNED, &signed));
    assert_eq!(publish(port, ENVELOPED, &both), "200");
    assert!(seen("up the hill"));

    let for_herself = authority.encrypt("anna", &document("behind the moon"));
    assert_eq!(publish(port, ENVELOPED, &for_herself), "493");
    let mut altered = authority.sign("anna", &document("behind the moon"));
    let place = altered.windows(4).position(|four| four == b"moon").unwrap();
    altered[place] = b'n';
    assert_eq!(publish(port, SIGNED, &altered), "403");
    assert!(!seen("behind the"));

    let port = free_port(0);
    let _server = serve(port, &["--sign-with", &key]);
    for (content_type, body) in [(SIGNED, &signed), (ENVELOPED, &both)] {
        assert_eq!(publish(port, content_type, body), "415");
    }
}

#[test]
fn keys_that_are_none_are_told_at_once() {
    if !asked_for("signed") {
        return;
    }
    let authority = Authority::new("signed-by-none");
    authority.certify("domain", DOMAIN);
    authority.certify("other", DOMAIN);
    let named = |file: &str| authority.named(file);
    let trust = named("ca.pem");
    for (arguments, problem) in [
        (
            vec!["--require-signed"],
            "whose signatures count? Give --trust FILE",
        ),
        (
            vec!["--trust", &trust, "--require-encrypted"],
            "give --decrypt-with KEY,CERT",
        ),
        (vec!["--trust", "nowhere.pem"], "nowhere.pem: No such file"),
        (vec!["--trust", &named("ca.key")], "there is none"),
        (vec!["--decrypt-with", &named("ca.key")], "it is KEY,CERT"),
        (
            vec![
                "--decrypt-with",
                &[named("other.key"), named("domain.pem")].join(","),
            ],
            "the certificate is not for this private key",
        ),
    ] {
        let mut watcher = Watcher::start(&[&[ANNA][..], &arguments].concat());
        let status = watcher.process.wait_for_end(SOON);
        watcher.hears(&["watch: ", problem], SOON);
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
