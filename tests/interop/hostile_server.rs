//! SIPp as a publication server that does as the scenarios `hostile_*.xml` say, and a look at what went
//! over its socket.

use crate::process::Process;
use crate::publish::SOON;
use crate::{Folder, Transport, file_here, free_port};
use std::fs;
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Names of what takes the place of `@FIRST@` and so on in a scenario: a status line from the status
/// code on, and lines of further fields.
const PLACES: [&str; 4] = ["@FIRST@", "@SECOND@", "@THIRD@", "@FOURTH@"];

/// A running SIPp, ended when dropped.
pub(crate) struct HostileServer {
    _process: Process,
    pub(crate) port: u16,
    messages: PathBuf,
}

/// A message that went over the socket.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Since midnight.
    pub(crate) at: Duration,
    pub(crate) received: bool,
    pub(crate) text: String,
}

impl HostileServer {
    /// The last answer stands for those that are left out.
    pub(crate) fn start(folder: &Folder, scenario: &str, answers: &[&str]) -> Self {
        Self::on(free_port(0), Transport::Udp, folder, scenario, answers)
    }

    pub(crate) fn on(
        port: u16,
        transport: Transport,
        folder: &Folder,
        scenario: &str,
        answers: &[&str],
    ) -> Self {
        let file = |kind: &str| folder.path().join(format!("{scenario}-{port}.{kind}"));
        let (written, messages) = (file("xml"), file("messages"));
        let mut text = file_here(&format!("{scenario}.xml"));
        for (number, place) in PLACES.iter().enumerate() {
            if let Some(answer) = answers.get(number).or(answers.last()) {
                text = text.replace(place, answer);
            }
        }
        fs::write(&written, text).unwrap();
        let mut command = Command::new("sipp");
        command
            .current_dir(folder.path())
            .arg("127.0.0.1:9")
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            .args([
                "-t",
                match transport {
                    Transport::Udp => "u1",
                    Transport::Tcp => "t1",
                },
            ])
            .arg("-sf")
            .arg(&written)
            .args(["-nostdin", "-timeout", "90s", "-default_behaviors", "none"])
            .arg("-trace_msg")
            .arg("-message_file")
            .arg(&messages);
        // Elsewhere it repeats its answers by itself.
        if ["hostile_late", "hostile_silent", "hostile_falls_silent"].contains(&scenario) {
            command.arg("-nr");
        }
        let mut process = Process::start("sipp (Debian: sip-tester)", &mut command);
        let deadline = Instant::now() + SOON;
        while !listens(port, transport) {
            assert!(!process.has_ended(), "SIPp: {}", process.output());
            assert!(Instant::now() < deadline, "SIPp does not listen");
        }
        Self {
            _process: process,
            port,
            messages,
        }
    }

    /// All that went over the socket.
    pub(crate) fn messages(&self) -> Vec<Message> {
        read_trace(&fs::read(&self.messages).unwrap_or_default())
    }

    /// The requests, without the repetitions of each.
    pub(crate) fn requests(&self) -> Vec<Message> {
        let mut requests: Vec<Message> = Vec::new();
        for message in self.messages() {
            let is_request = message.received && message.text.contains(" SIP/2.0\r\n");
            let is_known = |other: &Message| other.branch() == message.branch();
            if is_request && !requests.iter().any(is_known) {
                requests.push(message);
            }
        }
        requests
    }

    /// Waits until there are so many requests.
    pub(crate) fn wait_for(&self, number: usize, within: Duration) -> Vec<Message> {
        let deadline = Instant::now() + within;
        loop {
            let requests = self.requests();
            if requests.len() >= number {
                return requests;
            }
            let seen = requests.len();
            assert!(
                Instant::now() < deadline,
                "{seen} of {number} requests: {requests:#?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether somebody is at this port.
fn listens(port: u16, transport: Transport) -> bool {
    let pause = Duration::from_millis(50);
    if transport == Transport::Tcp {
        std::thread::sleep(pause);
        return TcpStream::connect(("127.0.0.1", port)).is_ok();
    }
    let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
    probe.connect(("127.0.0.1", port)).unwrap();
    probe.set_read_timeout(Some(pause)).unwrap();
    // Refused by the system where nobody is; a keep-alive has no answer from SIPp.
    let refused = probe.send(b"\r\n\r\n").and_then(|_| probe.recv(&mut [0]));
    match refused {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            std::thread::sleep(pause);
            false
        }
        _ => true,
    }
}

impl Message {
    /// The values of a field, in its long form.
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.split("\r\n").skip(1);
        let named = lines.filter_map(|line| line.split_once(':'));
        named
            .filter(|(its, _)| its.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The value of a field that is there once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.fields(name);
        assert!(fields.len() <= 1, "{name} several times: {}", self.text);
        fields.first().copied()
    }

    pub(crate) fn seconds(&self) -> u32 {
        self.field("Expires").unwrap().parse().unwrap()
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |it| it.1)
    }

    pub(crate) fn branch(&self) -> String {
        let via = self.fields("Via").first().copied().unwrap_or_default();
        let branch = via.split(';').find_map(|it| it.strip_prefix("branch="));
        branch.unwrap_or_default().to_owned()
    }

    pub(crate) fn request_uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// Of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        let rest = self.text.strip_prefix("SIP/2.0 ")?;
        rest.split([' ', '\r']).next()?.parse().ok()
    }
}

/// What RFC 3903 section 4 asks of every request, whatever the server has answered.
pub(crate) fn check_requests(messages: &[Message]) {
    let mut branches: Vec<String> = Vec::new();
    let mut last_cseq = 0;
    let mut call_id = String::new();
    // The tag given last, and when it runs out.
    let mut tag: Option<(String, Duration)> = None;
    let mut open: Option<&Message> = None;
    for message in messages {
        let text = &message.text;
        if message.received && text.starts_with("PUBLISH ") {
            let branch = message.branch();
            if branches.contains(&branch) {
                continue;
            }
            branches.push(branch);
            assert!(open.is_none(), "two at once: {open:?}\n{text}");
            open = Some(message);
            let cseq = message.field("CSeq").unwrap();
            let cseq: u32 = cseq.strip_suffix(" PUBLISH").unwrap().parse().unwrap();
            let its_call_id = message.field("Call-ID").unwrap();
            if its_call_id != call_id {
                its_call_id.clone_into(&mut call_id);
                last_cseq = 0;
            }
            assert!(cseq > last_cseq, "CSeq after {last_cseq}: {text}");
            last_cseq = cseq;
            assert_eq!(message.field("Event"), Some("presence"), "{text}");
            let named = message.field("SIP-If-Match");
            match &tag {
                Some((tag, until)) if named.is_some() || message.at < *until => {
                    assert_eq!(named, Some(tag.as_str()), "not the newest tag: {text}");
                }
                _ => assert_eq!(named, None, "no tag was given or it is void: {text}"),
            }
            let has_body = !message.body().is_empty();
            let announced: usize = message.field("Content-Length").unwrap().parse().unwrap();
            assert_eq!(message.body().len(), announced, "{text}");
            let expected = has_body.then_some("application/pidf+xml");
            assert_eq!(message.field("Content-Type"), expected, "{text}");
            if message.seconds() == 0 {
                assert!(named.is_some() && !has_body, "no removal: {text}");
            }
            assert!(named.is_some() || has_body, "nothing to publish: {text}");
        } else if let Some(status) = message.status().filter(|status| *status >= 200) {
            let Some(request) = open.filter(|open| open.branch() == message.branch()) else {
                continue;
            };
            if message.field("CSeq") != request.field("CSeq") {
                continue;
            }
            open = None;
            let asked = request.seconds();
            let granted = message
                .fields("Expires")
                .first()
                .and_then(|it| it.parse().ok());
            let granted = granted.unwrap_or(asked).min(asked);
            let tags = message.fields("SIP-ETag");
            let given = match tags[..] {
                [one] if !one.is_empty() && one.len() < 8_000 && !one.contains(' ') => {
                    Some(one.to_owned())
                }
                _ => None,
            };
            let until = message.at + Duration::from_secs(granted.into());
            tag = match status {
                200..300 if granted == 0 => None,
                // Without another one it is the one before, if it was named.
                200..300 => {
                    let named = request.field("SIP-If-Match").map(str::to_owned);
                    given.or(named).map(|tag| (tag, until))
                }
                412 => None,
                _ => tag,
            };
        }
    }
}

/// What SIPp writes with `-trace_msg`.
fn read_trace(trace: &[u8]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut rest = trace;
    while let Some(line) = take_line(&mut rest) {
        let Some((_, stamp)) = line.split_once("--- ") else {
            continue;
        };
        let time = stamp.split(' ').nth(1).unwrap();
        let what = take_line(&mut rest).unwrap_or_default();
        let octets = what.split(' ').nth(3).unwrap_or_default();
        let Ok(octets) = octets.trim_matches(['[', ']', '(']).parse::<usize>() else {
            continue;
        };
        let _ = take_line(&mut rest);
        let Some((text, after)) = rest.split_at_checked(octets) else {
            // It is being written.
            break;
        };
        rest = after;
        let mut at = time_of_day(time);
        if messages.last().is_some_and(|before| before.at > at) {
            at += Duration::from_secs(24 * 3600);
        }
        messages.push(Message {
            at,
            received: what.contains("received"),
            text: String::from_utf8_lossy(text).into_owned(),
        });
    }
    messages
}

fn take_line(rest: &mut &[u8]) -> Option<String> {
    let end = rest.iter().position(|octet| *octet == b'\n')?;
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 1..];
    Some(line)
}

fn time_of_day(text: &str) -> Duration {
    let (clock, micros) = text.split_once('.').unwrap();
    let seconds = clock.split(':').fold(0, |seconds, part| {
        seconds * 60 + part.parse::<u64>().unwrap()
    });
    Duration::from_secs(seconds) + Duration::from_micros(micros.parse().unwrap())
}

#[test]
fn a_trace_is_read_as_long_as_it_is_whole() {
    let trace = b"---------- 2026-03-04 01:00:02.000500\n\
        UDP message received [4] bytes :\n\nab\r\n\n\
        ---------- 2026-03-04 01:00:03.000000\n\
        UDP message sent (3 bytes):\n\nxyz\n\
        ---------- 2026-03-04 01:00:04.000000\n\
        UDP message received [9] bytes :\n\nabc";
    let read = read_trace(trace);
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].at, Duration::from_micros(3_602_000_500));
    assert!(read[0].received && !read[1].received);
    assert_eq!([&*read[0].text, &*read[1].text], ["ab\r\n", "xyz"]);
}
