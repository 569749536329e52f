//! A phone in datagrams that registers, and answers SUBSCRIBEs as a presence agent or as something else.

use crate::fetch::{answer_to, receive, status};
use crate::free_port;
use presentity::pidf::{Presence, Tuple};
use std::net::UdpSocket;
use std::time::Duration;

/// What it registers that is a presence agent.
pub(crate) const AGENT: &str = ";methods=\"SUBSCRIBE,MESSAGE\";events=\"presence\"";

pub(crate) struct Phone {
    socket: UdpSocket,
    pub(crate) port: u16,
    user: &'static str,
    requests: u32,
}

/// A SUBSCRIBE that came to it.
pub(crate) struct Asked {
    pub(crate) text: String,
}

impl Phone {
    pub(crate) fn of(user: &'static str) -> Self {
        let port = free_port(0);
        let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(8)))
            .unwrap();
        Self {
            socket,
            port,
            user,
            requests: 0,
        }
    }

    pub(crate) fn contact(&self) -> String {
        format!("sip:{}@127.0.0.1:{}", self.user, self.port)
    }

    /// Registers with these parameters of its Contact for so many seconds.
    pub(crate) fn register(&mut self, server: u16, params: &str, seconds: u32) {
        self.requests += 1;
        let (port, user, number) = (self.port, self.user, self.requests);
        let request = format!(
            "REGISTER sip:example.org SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKregister{port}x{number}\r\n\
             From: <sip:{user}@example.org>;tag=r{port}\r\nTo: <sip:{user}@example.org>\r\n\
             Call-ID: register-{port}\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n\
             Contact: <{}>{params};expires={seconds}\r\nContent-Length: 0\r\n\r\n",
            self.contact(),
        );
        let server = ("127.0.0.1", server);
        self.socket.send_to(request.as_bytes(), server).unwrap();
        let response = receive(&self.socket, |text| text.starts_with("SIP/2.0 "));
        assert_eq!(status(&response), 200, "{response}");
    }

    /// The next SUBSCRIBE, and who has sent it.
    pub(crate) fn is_asked(&self) -> (Asked, u16) {
        let mut buffer = vec![0; 65_535];
        loop {
            let (len, peer) = self.socket.recv_from(&mut buffer).expect("nobody asks");
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with("SUBSCRIBE ") {
                return (Asked { text }, peer.port());
            }
        }
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_left_alone(&self) -> bool {
        let pause = Duration::from_millis(1_500);
        self.socket.set_read_timeout(Some(pause)).unwrap();
        self.socket.recv(&mut [0; 2_000]).is_err()
    }

    fn answer(&self, asked: &Asked, line: &str, fields: &str, to: u16) {
        let ok = answer_to(&asked.text);
        let tagged = format!(";tag=phone{}", self.port);
        let lines = ok.lines().skip(1).map(|line| match line {
            line if line.starts_with("To:") => format!("{line}{tagged}\r\n"),
            line if line.starts_with("Content-Length") => format!("{fields}{line}\r\n"),
            line => format!("{line}\r\n"),
        });
        let response = format!("SIP/2.0 {line}\r\n{}", lines.collect::<String>());
        let to = ("127.0.0.1", to);
        self.socket.send_to(response.as_bytes(), to).unwrap();
    }

    pub(crate) fn refuses(&self, asked: &Asked, line: &str, to: u16) {
        self.answer(asked, line, "", to);
    }

    /// Accepts and tells its own state, in a NOTIFY straight to whoever has asked.
    pub(crate) fn accepts(&self, asked: &Asked, note: &str, to: u16) {
        let contact = format!("Contact: <{}>\r\nExpires: 600\r\n", self.contact());
        self.answer(asked, "200 OK", &contact, to);
        let watcher = asked.uri_in("Contact");
        let tuple = Tuple::open("phone").with_note(note);
        let document = Presence::new("sip:anna@example.org").with_tuple(tuple);
        let body = document.write().unwrap();
        let body = String::from_utf8_lossy(&body);
        let (port, from, length) = (self.port, asked.field("From"), body.len());
        let request = format!(
            "NOTIFY {watcher} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKnotify{port}\r\n\
             From: {};tag=phone{port}\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: 1 NOTIFY\r\n\
             Max-Forwards: 70\r\nContact: <{}>\r\nEvent: presence\r\n\
             Subscription-State: active;expires=600\r\n\
             Content-Type: application/pidf+xml\r\nContent-Length: {length}\r\n\r\n{body}",
            asked.field("To"),
            asked.field("Call-ID"),
            self.contact(),
        );
        let (_, address) = watcher
            .split_once('@')
            .unwrap_or(("", watcher.trim_start_matches("sip:")));
        let address = address.split(';').next().unwrap();
        self.socket.send_to(request.as_bytes(), address).unwrap();
        let response = receive(&self.socket, |text| text.starts_with("SIP/2.0 "));
        assert_eq!(status(&response), 200, "{response}");
    }
}

impl Asked {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields(name).first().copied().unwrap_or_default()
    }

    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.text.lines();
        let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.map(str::trim).collect()
    }

    fn uri_in(&self, name: &str) -> String {
        let value = self.field(name);
        let (_, rest) = value.split_once('<').unwrap_or(("", value));
        rest.split('>').next().unwrap().to_owned()
    }
}
