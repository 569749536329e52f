//! A watcher that asks once (RFC 6665 section 4.4.3), in datagrams, with the Digest of the examples.

use crate::client_digest::{Challenged, Credentials};
use crate::free_port;
use crate::server::PASSWORD;
use std::net::UdpSocket;
use std::time::Duration;

/// What a server tells about somebody.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The document; empty for none.
    pub(crate) body: String,
}

/// Asks the server on this port, as one user of example.org about another.
pub(crate) fn fetch(server: u16, watcher: &str, presentity: &str) -> Fetched {
    let what = ("presence", "application/pidf+xml");
    fetch_what(what, server, watcher, presentity)
}

/// The same for this event package and type of document.
pub(crate) fn fetch_what(
    (package, media_type): (&str, &str),
    server: u16,
    watcher: &str,
    presentity: &str,
) -> Fetched {
    let port = free_port(0);
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.connect(("127.0.0.1", server)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(4)))
        .unwrap();
    let uri = format!("sip:{presentity}@example.org");
    let mut credentials = Credentials::parse(&format!("{watcher}:{PASSWORD}")).unwrap();
    let mut authorization = String::new();
    for number in 1..=3 {
        let request = format!(
            "SUBSCRIBE {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKfetch{port}x{number}\r\n\
             From: <sip:{watcher}@example.org>;tag=f{port}\r\nTo: <{uri}>\r\n\
             Call-ID: fetch-{port}-{}\r\nCSeq: {number} SUBSCRIBE\r\nMax-Forwards: 70\r\n\
             Contact: <sip:{watcher}@127.0.0.1:{port}>\r\nEvent: {package}\r\n\
             Accept: {media_type}\r\nExpires: 0\r\n{authorization}Content-Length: 0\r\n\r\n",
            std::process::id(),
        );
        socket.send(request.as_bytes()).unwrap();
        let response = receive(&socket, |message| message.starts_with("SIP/2.0 "));
        match status(&response) {
            401 => {
                let challenged = Challenged {
                    status: 401,
                    method: "SUBSCRIBE",
                    uri: &uri,
                };
                let challenges = response
                    .lines()
                    .filter_map(|line| line.strip_prefix("WWW-Authenticate: "));
                let answer = credentials.answer(challenged, challenges).unwrap();
                authorization = format!("Authorization: {answer}\r\n");
            }
            200..300 => {
                let notify = receive(&socket, |message| message.starts_with("NOTIFY "));
                socket.send(answer_to(&notify).as_bytes()).unwrap();
                let (_, body) = notify.split_once("\r\n\r\n").unwrap();
                let body = body.to_owned();
                return Fetched { body };
            }
            _ => panic!("{response}"),
        }
    }
    panic!("challenged again and again");
}

pub(crate) fn receive(socket: &UdpSocket, fits: impl Fn(&str) -> bool) -> String {
    let mut buffer = vec![0; 65_535];
    loop {
        let len = socket.recv(&mut buffer).expect("nothing came");
        let message = String::from_utf8_lossy(&buffer[..len]).into_owned();
        if fits(&message) && !message.starts_with("SIP/2.0 1") {
            return message;
        }
    }
}

pub(crate) fn status(response: &str) -> u16 {
    let status = response.split(' ').nth(1).unwrap();
    status.parse().unwrap()
}

pub(crate) fn answer_to(request: &str) -> String {
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let fields = request.lines().filter(|line| {
        let mut names = copied.iter();
        names.any(|name| line.starts_with(name))
    });
    let fields: String = fields.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 200 OK\r\n{fields}Content-Length: 0\r\n\r\n")
}
