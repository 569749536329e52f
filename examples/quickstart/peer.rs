//! The scripted ends: SIP as text, with nothing more than this script needs.

use std::cell::RefCell;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::Outcome;

/// The messages that passed.
#[derive(Default)]
pub(crate) struct Ladder {
    rungs: Vec<Rung>,
}

struct Rung {
    peer: &'static str,
    to_server: bool,
    what: String,
}

impl Ladder {
    fn add(&mut self, peer: &'static str, to_server: bool, text: &str) {
        let start = text.lines().next().unwrap_or_default();
        let what = match start.strip_prefix("SIP/2.0 ") {
            Some(status) => status.to_owned(),
            None => start.split(' ').next().unwrap_or_default().to_owned(),
        };
        let (from, to) = if to_server {
            (peer, "server")
        } else {
            ("server", peer)
        };
        println!("F{}  {from} -> {to}: {what}\n", self.rungs.len() + 1);
        for line in text.lines() {
            println!("{}", format!("    {line}").trim_end());
        }
        println!();
        self.rungs.push(Rung {
            peer,
            to_server,
            what,
        });
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.rungs.iter().enumerate();
        let labels = labels.map(|(index, rung)| format!("F{} {}", index + 1, rung.what).len());
        let width = labels.chain([21]).max().unwrap_or_default() + 1;
        let (line, gap) = ("-".repeat(width - 1), " ".repeat(width));
        writeln!(f, "    nora{0:1$}server{0:2$}ivo", "", width - 5, width - 4)?;
        for (
            index,
            Rung {
                peer,
                to_server,
                what,
            },
        ) in self.rungs.iter().enumerate()
        {
            let label = format!("F{} {what}", index + 1);
            let label = format!(" {label:<0$}", width - 1);
            // The watcher stands to the left of the server.
            let left = *peer == "nora";
            let arrow = if left == *to_server {
                format!("{line}>")
            } else {
                format!("<{line}")
            };
            if left {
                writeln!(f, "      |{label}|{gap}|\n      |{arrow}|{gap}|")?;
            } else {
                writeln!(f, "      |{gap}|{label}|\n      |{gap}|{arrow}|")?;
            }
        }
        Ok(())
    }
}

/// A message that came in.
pub(crate) struct Message {
    start: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    fn parse(octets: &[u8]) -> Outcome<Self> {
        let end = find_end(octets).ok_or("a message without end of header")?;
        let (head, body) = octets.split_at(end);
        let mut lines = std::str::from_utf8(head)?.lines();
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self {
            start,
            fields,
            body: body.to_vec(),
        })
    }

    /// The value of the first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut named = self.fields.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// A watcher or publisher.
pub(crate) struct Peer {
    name: &'static str,
    uri: &'static str,
    socket: Socket,
    local: SocketAddr,
    /// Field To of its requests, with a tag inside a dialog.
    to: Option<String>,
    /// The server's Contact, once in a dialog.
    pub(crate) remote_target: String,
    /// Counts what is in a Call-ID.
    call: u32,
    cseq: u32,
    ladder: Rc<RefCell<Ladder>>,
    /// What came while something else was waited for.
    early: Vec<Message>,
}

impl Peer {
    pub(crate) async fn over_tcp(
        name: &'static str,
        uri: &'static str,
        server: SocketAddr,
        ladder: Rc<RefCell<Ladder>>,
    ) -> Outcome<Self> {
        let stream = TcpStream::connect(server).await?;
        let local = stream.local_addr()?;
        Ok(Self::new(
            name,
            uri,
            Socket::Tcp(stream, Vec::new()),
            local,
            ladder,
        ))
    }

    pub(crate) async fn over_udp(
        name: &'static str,
        uri: &'static str,
        server: SocketAddr,
        ladder: Rc<RefCell<Ladder>>,
    ) -> Outcome<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(server).await?;
        let local = socket.local_addr()?;
        Ok(Self::new(name, uri, Socket::Udp(socket), local, ladder))
    }

    fn new(
        name: &'static str,
        uri: &'static str,
        socket: Socket,
        local: SocketAddr,
        ladder: Rc<RefCell<Ladder>>,
    ) -> Self {
        let remote_target = String::new();
        Self {
            name,
            uri,
            socket,
            local,
            to: None,
            remote_target,
            call: 1,
            cseq: 0,
            ladder,
            early: Vec::new(),
        }
    }

    /// Sends a request, in the dialog if there is one.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        uri: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Outcome<()> {
        self.cseq += 1;
        let Self {
            name,
            uri: own,
            local,
            call,
            cseq,
            ..
        } = self;
        let (transport, param) = match self.socket {
            Socket::Udp(_) => ("UDP", ""),
            Socket::Tcp(..) => ("TCP", ";transport=tcp"),
        };
        let to = self.to.clone().unwrap_or_else(|| format!("<{uri}>"));
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch=z9hG4bK-{name}-{cseq};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <{own}>;tag={name}-{call}\r\n\
             To: {to}\r\n\
             Call-ID: {name}-{call}@{local}\r\n\
             CSeq: {cseq} {method}\r\n"
        );
        if method == "SUBSCRIBE" {
            text.push_str(&format!("Contact: <sip:{name}@{local}{param}>\r\n"));
        }
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.send(&text).await
    }

    /// Waits for the response to the last request.
    pub(crate) async fn response(&mut self, status: u16) -> Outcome<Message> {
        let response = self.next(true).await?;
        if !response.start.starts_with(&format!("SIP/2.0 {status} ")) {
            return Err(format!("expected: {status}, not {}", response.start).into());
        }
        Ok(response)
    }

    /// Takes over To and Contact of the response that made a dialog.
    pub(crate) fn enter_dialog(&mut self, response: &Message) -> Outcome<()> {
        self.to = response.field("To").map(str::to_owned);
        let contact = response
            .field("Contact")
            .and_then(|contact| contact.strip_prefix('<'));
        let contact = contact.and_then(|contact| contact.strip_suffix('>'));
        self.remote_target = contact.ok_or("the response has no Contact")?.to_owned();
        Ok(())
    }

    /// The next request begins anew.
    pub(crate) fn leave_dialog(&mut self) {
        self.to = None;
        self.call += 1;
    }

    /// Waits for a NOTIFY and answers it.
    pub(crate) async fn notify(&mut self) -> Outcome<Message> {
        let notify = self.next(false).await?;
        if !notify.start.starts_with("NOTIFY ") {
            return Err(format!("expected: NOTIFY, not {}", notify.start).into());
        }
        let mut text = String::from("SIP/2.0 200 OK\r\n");
        for (name, value) in &notify.fields {
            if matches!(name.as_str(), "Via" | "From" | "To" | "Call-ID" | "CSeq") {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        self.send(&text).await?;
        Ok(notify)
    }

    /// The next response or request. A NOTIFY may overtake the response to its SUBSCRIBE.
    async fn next(&mut self, response: bool) -> Outcome<Message> {
        let is_wanted = |message: &Message| message.start.starts_with("SIP/2.0 ") == response;
        if let Some(index) = self.early.iter().position(is_wanted) {
            return Ok(self.early.remove(index));
        }
        loop {
            let octets = self.receive().await?;
            let message = Message::parse(&octets)?;
            self.ladder
                .borrow_mut()
                .add(self.name, false, &String::from_utf8_lossy(&octets));
            if is_wanted(&message) {
                return Ok(message);
            }
            self.early.push(message);
        }
    }

    async fn send(&mut self, text: &str) -> Outcome<()> {
        self.ladder.borrow_mut().add(self.name, true, text);
        match &mut self.socket {
            Socket::Udp(socket) => drop(socket.send(text.as_bytes()).await?),
            Socket::Tcp(stream, _) => stream.write_all(text.as_bytes()).await?,
        }
        Ok(())
    }

    async fn receive(&mut self) -> Outcome<Vec<u8>> {
        match &mut self.socket {
            Socket::Udp(socket) => {
                let mut buffer = vec![0; 65_536];
                let length = socket.recv(&mut buffer).await?;
                buffer.truncate(length);
                Ok(buffer)
            }
            Socket::Tcp(stream, buffer) => loop {
                if let Some(length) = message_len(buffer) {
                    let rest = buffer.split_off(length);
                    return Ok(std::mem::replace(buffer, rest));
                }
                if stream.read_buf(buffer).await? == 0 {
                    return Err("the server closed the connection".into());
                }
            },
        }
    }
}

/// The length of the message that the buffer begins with, once all of it is there.
fn message_len(buffer: &[u8]) -> Option<usize> {
    let end = find_end(buffer)?;
    let head = std::str::from_utf8(buffer.get(..end)?).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let length = end
        + length
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or(0);
    (buffer.len() >= length).then_some(length)
}

/// Where the body begins.
fn find_end(octets: &[u8]) -> Option<usize> {
    octets
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}
