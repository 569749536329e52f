//! The example server by TLS, with the program openssl as the other end: what is written here goes out by
//! `openssl s_client`, which looks at the server's certificate first.

use crate::process::Process;
use crate::publish::SOON;
use crate::server::{Server, program};
use crate::{Folder, asked_for, free_port};
use std::cell::Cell;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Handshakes that the server has under way at once, and how long it waits for the end of one.
const HANDSHAKES: usize = 256;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// An authority, `ca.pem`, and what an authority below it has certified to be 127.0.0.1: `server.key`, and
/// `server.pem` with both certificates.
fn certified(test: &str) -> Folder {
    let folder = Folder::new(test);
    let authority = "basicConstraints=critical,CA:TRUE";
    fs::write(folder.path().join("authority"), authority).unwrap();
    fs::write(folder.path().join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    let new = |name: &str| {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        format!("req {key} -keyout {name}.key -subj /CN={name}")
    };
    let root = new("ca") + " -x509 -days 30 -out ca.pem";
    openssl(&folder, &root);
    for (name, by, extensions) in [
        ("below", "ca", "authority"),
        ("alone", "below", "names"),
        ("other", "ca", "names"),
    ] {
        openssl(&folder, &format!("{} -out {name}.csr", new(name)));
        let issuer = format!("-CA {by}.pem -CAkey {by}.key -CAcreateserial");
        openssl(
            &folder,
            &format!(
                "x509 -req -days 30 -in {name}.csr {issuer} -extfile {extensions} -out {name}.pem"
            ),
        );
    }
    let chain = ["alone.pem", "below.pem"].map(|file| folder.path().join(file));
    let chain = chain.map(|file| fs::read_to_string(file).unwrap());
    fs::write(folder.path().join("server.pem"), chain.concat()).unwrap();
    fs::rename(
        folder.path().join("alone.key"),
        folder.path().join("server.key"),
    )
    .unwrap();
    folder
}

fn openssl(folder: &Folder, words: &str) {
    let mut command = Command::new("openssl");
    command.args(words.split_ascii_whitespace());
    let output = command.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words}: {said}");
}

fn named(folder: &Folder, file: &str) -> String {
    folder.path().join(file).to_str().unwrap().to_owned()
}

/// A server that listens by TLS, too, at the port that is returned.
fn server(folder: &Folder) -> (Server, u16) {
    let port = free_port(0);
    let (certificate, key) = (named(folder, "server.pem"), named(folder, "server.key"));
    let server = Server::start(&[
        "--no-auth",
        "--domain=example.org",
        "--policy=allow",
        "--notify-interval=1",
        &format!("--tls=127.0.0.1:{port}"),
        &format!("--tls-cert={certificate}"),
        &format!("--tls-key={key}"),
    ]);
    server.wait_for(0, &[&format!("listening on 127.0.0.1:{port} with TLS")]);
    (server, port)
}

/// A connection by TLS, ended when dropped.
struct Peer {
    client: Child,
    input: ChildStdin,
    heard: Receiver<Message>,
    user: &'static str,
    /// Requests that were sent.
    sent: Cell<u32>,
}

/// A SIP message.
#[derive(Debug)]
struct Message {
    head: String,
    body: String,
}

impl Peer {
    /// Connects, if the certificate is that of 127.0.0.1.
    fn connect(folder: &Folder, port: u16, user: &'static str, options: &[&str]) -> Self {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .args(["-CAfile", &named(folder, "ca.pem")])
            .args(["-verify_ip", "127.0.0.1", "-verify_return_error"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = client.stdin.take().unwrap();
        let output = client.stdout.take().unwrap();
        let (hearing, heard) = channel();
        thread::spawn(move || hear(output, &hearing));
        Self {
            client,
            input,
            heard,
            user,
            sent: Cell::new(0),
        }
    }

    fn say(&self, message: &str) {
        let mut input = &self.input;
        input.write_all(message.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Sends a request without a body, or one with a document. Nobody is where Contact says.
    fn ask(&self, method: &str, uri: &str, contact: &str, fields: &str, body: &str) {
        let number = self.sent.get() + 1;
        self.sent.set(number);
        let user = self.user;
        let length = body.len();
        self.say(&format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK-{user}-{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@example.org>;tag={user}\r\nTo: <{uri}>\r\n\
             Call-ID: {user}-{number}-{}\r\nCSeq: {number} {method}\r\nContact: <{contact}>\r\n\
             Event: presence\r\n{fields}Content-Length: {length}\r\n\r\n{body}",
            std::process::id()
        ));
    }

    fn subscribe(&self, uri: &str) {
        let contact = match uri.starts_with("sips:") {
            true => format!("sips:{}@127.0.0.1:9", self.user),
            false => format!("sip:{}@127.0.0.1:9;transport=tls", self.user),
        };
        self.ask("SUBSCRIBE", uri, &contact, "Expires: 600\r\n", "");
    }

    fn publish(&self, note: &str) {
        let uri = "sip:anna@example.org";
        let document = format!(
            "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{uri}\"><tuple id=\"desk\">\
             <status><basic>open</basic></status><note>{note}</note></tuple></presence>"
        );
        let fields = "Content-Type: application/pidf+xml\r\nExpires: 600\r\n";
        let contact = "sip:anna@127.0.0.1:9;transport=tls";
        self.ask("PUBLISH", uri, contact, fields, &document);
        let answer = self.hears("SIP/2.0 200 ");
        assert!(answer.field("SIP-ETag").is_some(), "{answer:?}");
    }

    /// The next message, which has to begin so.
    fn hears(&self, start: &str) -> Message {
        let heard = self.heard.recv_timeout(SOON);
        let message = heard.unwrap_or_else(|_| panic!("{}: no {start}", self.user));
        assert!(message.head.starts_with(start), "{start}: {message:?}");
        message
    }

    /// The NOTIFY that comes next, which is answered.
    fn hears_notify(&self) -> Message {
        let notify = self.hears("NOTIFY ");
        let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
        let copied = copied.map(|name| format!("{name}: {}\r\n", notify.field(name).unwrap()));
        let copied = copied.concat();
        self.say(&format!(
            "SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n"
        ));
        notify
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

impl Message {
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }
}

/// Takes messages out of what comes until nothing comes any more.
fn hear(mut from: impl Read, hearing: &Sender<Message>) {
    let mut octets = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        octets.extend_from_slice(&chunk[..read]);
        while let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            let mut message = Message {
                head: String::from_utf8(octets[..end].to_vec()).unwrap(),
                body: String::new(),
            };
            let length: usize = message.field("Content-Length").unwrap().parse().unwrap();
            let (start, end) = (end + 4, end + 4 + length);
            if octets.len() < end {
                break;
            }
            message.body = String::from_utf8(octets[start..end].to_vec()).unwrap();
            octets.drain(..end);
            if hearing.send(message).is_err() {
                return;
            }
        }
    }
}

/// Connects without a word.
fn silent(port: u16) -> TcpStream {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, SOON).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Waits until the server has closed the connection.
fn is_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0; 16]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn watchers_are_notified_on_the_connections_that_they_have_made() {
    if !asked_for("tls") {
        return;
    }
    let folder = certified("tls-watchers");
    let (mut server, port) = server(&folder);
    let bjarne = Peer::connect(&folder, port, "bjarne", &["-tls1_3"]);
    let carl = Peer::connect(&folder, port, "carl", &["-tls1_2"]);
    for watcher in [&bjarne, &carl] {
        watcher.subscribe("sip:anna@example.org;transport=tls");
        let answer = watcher.hears("SIP/2.0 200 ");
        let contact = format!("<sip:127.0.0.1:{port};transport=tls>");
        assert_eq!(answer.field("Contact"), Some(&*contact));
        let notify = watcher.hears_notify();
        let target = format!("NOTIFY sip:{}@127.0.0.1:9;", watcher.user);
        assert!(notify.head.starts_with(&target), "{notify:?}");
        let via = format!("SIP/2.0/TLS 127.0.0.1:{port};");
        assert!(notify.field("Via").unwrap().starts_with(&via), "{notify:?}");
        assert_eq!(notify.field("Contact"), Some(&*contact));
    }
    let anna = Peer::connect(&folder, port, "anna", &[]);
    anna.publish("at the desk");
    for watcher in [&bjarne, &carl] {
        let notify = watcher.hears_notify();
        assert!(notify.body.contains("at the desk"), "{notify:?}");
    }
    // Its connection was the only way to it; what was under way there would be waited for.
    let answered = ["carl@", "last NOTIFY answered 200"];
    server.wait_until_it_answers("list", &answered, SOON);
    drop(carl);
    anna.publish("at lunch");
    assert!(bjarne.hears_notify().body.contains("at lunch"));
    server.wait_until_gone(&["carl"]);
    server.subscription("bjarne@example.org", "anna@example.org");
    server.terminate();
    let last = bjarne.hears_notify();
    assert!(
        last.field("Subscription-State")
            .unwrap()
            .contains("deactivated")
    );
    assert!(server.wait_for_end().success());
}

#[test]
fn a_sips_uri_is_answered_with_one() {
    if !asked_for("tls") {
        return;
    }
    let folder = certified("tls-sips");
    let (_server, port) = server(&folder);
    let bjarne = Peer::connect(&folder, port, "bjarne", &[]);
    let contact = format!("<sips:127.0.0.1:{port}>");
    bjarne.subscribe("sips:anna@example.org");
    let answer = bjarne.hears("SIP/2.0 200 ");
    assert_eq!(answer.field("Contact"), Some(&*contact));
    let notify = bjarne.hears_notify();
    assert!(notify.head.starts_with("NOTIFY sips:bjarne@"), "{notify:?}");
    assert_eq!(notify.field("Contact"), Some(&*contact));
}

#[test]
fn handshakes_without_an_end_hold_up_nobody() {
    if !asked_for("tls") {
        return;
    }
    let folder = certified("tls-silent");
    let (_server, port) = server(&folder);
    let begun = Instant::now();
    let mut first = silent(port);
    let bjarne = Peer::connect(&folder, port, "bjarne", &[]);
    bjarne.subscribe("sip:anna@example.org");
    bjarne.hears("SIP/2.0 200 ");
    bjarne.hears_notify();
    assert!(begun.elapsed() < HANDSHAKE_LIMIT, "{:?}", begun.elapsed());

    let mut others: Vec<TcpStream> = (1..HANDSHAKES).map(|_| silent(port)).collect();
    is_closed(&mut silent(port));
    assert!(begun.elapsed() < HANDSHAKE_LIMIT, "{:?}", begun.elapsed());
    is_closed(&mut first);
    assert!(begun.elapsed() >= HANDSHAKE_LIMIT, "{:?}", begun.elapsed());
    others.iter_mut().for_each(is_closed);
    let carl = Peer::connect(&folder, port, "carl", &[]);
    carl.subscribe("sip:anna@example.org");
    carl.hears("SIP/2.0 200 ");
}

#[test]
fn who_does_not_speak_tls_is_turned_away() {
    if !asked_for("tls") {
        return;
    }
    let folder = certified("tls-plain");
    let (_server, port) = server(&folder);
    let mut plain = silent(port);
    plain
        .write_all(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n")
        .unwrap();
    // An alert first.
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(said.len() < 16 && !said.starts_with(b"SIP"), "{said:?}");
}

#[test]
fn files_that_are_no_use_are_told() {
    if !asked_for("tls") {
        return;
    }
    let folder = certified("tls-files");
    fs::write(folder.path().join("empty.pem"), "no certificate\n").unwrap();
    for (certificate, key, words) in [
        ("missing.pem", "server.key", &["missing.pem: "][..]),
        (
            "empty.pem",
            "server.key",
            &["empty.pem: there is no certificate"],
        ),
        (
            "server.key",
            "server.key",
            &["server.key: there is no certificate"],
        ),
        ("server.pem", "missing.key", &["missing.key: "]),
        (
            "server.pem",
            "server.pem",
            &["server.pem: there is no private key"],
        ),
        (
            "other.pem",
            "server.key",
            &["other.pem: it is not for the key in "],
        ),
    ] {
        let mut command = Command::new(program());
        command.args(["--no-auth", "--listen=127.0.0.1:0", "--tls=127.0.0.1:0"]);
        command
            .arg("--tls-cert")
            .arg(folder.path().join(certificate));
        command.arg("--tls-key").arg(folder.path().join(key));
        let mut server = Process::start("presence_server", &mut command);
        let status = server.wait_for_end(SOON);
        let said = server.output();
        assert_eq!(status.code(), Some(2), "{certificate}, {key}: {said}");
        for word in words {
            server.wait_for(0, SOON, word, |line| {
                line.starts_with("presence_server: ") && line.contains(word)
            });
        }
    }
}
