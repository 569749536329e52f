//! The example publisher at a server that answers wrong, late, several times or not at all.
//!
//! What each request has to look like whatever was answered is said in
//! [`check_requests`](crate::hostile_server::check_requests).

mod detours;
mod refusals;

use crate::hostile_server::{HostileServer, Message, check_requests};
use crate::publish::{AT_ONCE, Publisher, SOON};
use crate::{Folder, Transport, asked_for, free_port};
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What is asked for.
const ASKED: u32 = 12;
/// A right answer; the tag is another one each time.
const TAKEN: &str = "200 OK\nSIP-ETag: e[last_cseq_number]\nExpires: 60";
/// One that has it refreshed after two seconds.
const TAKEN_BRIEFLY: &str = "200 OK\nSIP-ETag: e[last_cseq_number]\nExpires: 4";
/// One after which the next request comes within 2.1 s.
const A_REFRESH: Duration = Duration::from_millis(4_500);
const REMOVED: &str = "removed";
const NOT_REMOVED: &str = "not removed: the server has not confirmed";

fn asked_for_both() -> bool {
    asked_for("publish") && asked_for("sipp")
}

/// A publisher at a hostile server of its own.
struct Pair {
    server: HostileServer,
    publisher: Publisher,
}

impl Pair {
    fn start(folder: &Folder, scenario: &str, answers: &[&str]) -> Self {
        Self::with(folder, scenario, answers, &["--watch-stdin"])
    }

    fn with(folder: &Folder, scenario: &str, answers: &[&str], options: &[&str]) -> Self {
        let server = HostileServer::start(folder, scenario, answers);
        let asked = ASKED.to_string();
        let arguments = [&["open", "--expires", &asked], options].concat();
        let publisher = Publisher::start(server.port, Transport::Udp, &arguments);
        Self { server, publisher }
    }

    /// Ends it as a service manager does, and returns the requests that there were.
    fn stop(mut self, last_words: &str) -> Vec<Message> {
        stop(&mut self.publisher, last_words);
        self.finish()
    }

    /// It has to end by itself, and with a failure.
    fn gives_up(mut self, reason: &str) -> Vec<Message> {
        gives_up(&mut self.publisher, reason);
        self.finish()
    }

    fn finish(self) -> Vec<Message> {
        check_requests(&self.server.messages());
        self.server.requests()
    }
}

fn stop(publisher: &mut Publisher, last_words: &str) {
    publisher.process.terminate();
    let status = publisher.process.wait_for_end(AT_ONCE);
    assert!(status.success(), "{status}");
    publisher.hears(last_words, SOON);
}

fn gives_up(publisher: &mut Publisher, reason: &str) {
    let status = publisher.process.wait_for_end(SOON);
    assert_eq!(status.code(), Some(1), "{reason}: {status}");
    publisher.hears(&format!("failed: PUBLISH answered {reason}"), SOON);
}

fn status_of(answer: &str) -> &str {
    answer.split(' ').next().unwrap()
}

/// A request with a state and without a tag.
fn assert_anew(request: &Message) {
    assert_eq!(request.field("SIP-If-Match"), None, "{request:?}");
    assert!(request.body().contains("<basic>"), "{request:?}");
}

#[test]
fn who_gets_no_answer_goes_without_a_removal() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-silent");
    let silent = Pair::start(&folder, "hostile_silent", &[]);
    let trying = Pair::start(&folder, "hostile_in_turn", &["100 Trying"]);
    let mut falls_silent = Pair::start(&folder, "hostile_falls_silent", &[TAKEN]);
    let mut forgets_to_answer = Pair::start(&folder, "hostile_falls_silent", &[TAKEN]);

    falls_silent.publisher.hears("published", SOON);
    let requests = falls_silent.stop(NOT_REMOVED);
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_eq!(requests[1].field("SIP-If-Match"), Some("e1"));
    assert_eq!(requests[1].seconds(), 0);

    forgets_to_answer.publisher.hears("published", SOON);
    forgets_to_answer.publisher.process.tell("closed");
    forgets_to_answer.server.wait_for(2, SOON);
    let requests = forgets_to_answer.stop(NOT_REMOVED);
    assert_eq!(requests.len(), 2, "the change is open: {requests:#?}");
    assert!(requests[1].body().contains("closed"));

    let copies = silent.server.messages();
    let requests = silent.stop(NOT_REMOVED);
    assert_eq!(requests.len(), 1, "{requests:#?}");
    let copies = copies.iter().filter(|it| it.text.starts_with("PUBLISH"));
    assert!((2..=12).contains(&copies.count()));
    assert_eq!(trying.stop(NOT_REMOVED).len(), 1);
}

#[test]
fn nobody_is_there() {
    if !asked_for_both() {
        return;
    }
    let asked = ["open", "--expires", "12"];
    for transport in Transport::BOTH {
        let mut publisher = Publisher::start(free_port(0), transport, &asked);
        if transport == Transport::Tcp {
            publisher.hears("failed: PUBLISH could not be sent; again in", SOON);
        }
        // Nothing else tells that it has begun.
        sleep(Duration::from_secs(1));
        stop(&mut publisher, NOT_REMOVED);
    }
    // The connection is closed with a request on it.
    let folder = Folder::new("hostile-closes");
    let (port, scenario) = (free_port(0), "hostile_silent");
    let server = HostileServer::on(port, Transport::Tcp, &folder, scenario, &[]);
    let mut publisher = Publisher::start(port, Transport::Tcp, &asked);
    server.wait_for(1, SOON);
    drop(server);
    stop(&mut publisher, NOT_REMOVED);
}

#[test]
fn a_late_answer_is_taken() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-late");
    let mut patient = Pair::start(&folder, "hostile_late", &[TAKEN]);
    let mut hasty = Pair::start(&folder, "hostile_late", &[TAKEN]);
    // The answer comes when it is about to end.
    hasty.server.wait_for(1, SOON);
    hasty.publisher.process.terminate();
    hasty.publisher.hears("published", AT_ONCE);
    // The removal would be answered after that.
    hasty.publisher.hears(NOT_REMOVED, AT_ONCE);
    assert!(hasty.publisher.process.wait_for_end(SOON).success());
    let requests = hasty.finish();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_eq!(requests[1].seconds(), 0);

    patient.publisher.hears("published, expires in 12 s", SOON);
    assert_eq!(patient.server.requests().len(), 1);
    let requests = patient.stop(REMOVED);
    assert_eq!(requests.len(), 2, "{requests:#?}");
}

#[test]
fn only_the_first_final_answer_counts() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-repeated");
    let contradictions = [
        "403 Forbidden",
        "412 Conditional Request Failed",
        "200 OK\nSIP-ETag: other\nExpires: 0",
    ];
    let start = |contradiction| {
        let answers = [TAKEN_BRIEFLY, contradiction];
        Pair::start(&folder, "hostile_repeated", &answers)
    };
    let mut pairs = contradictions.map(start);
    for pair in &mut pairs {
        pair.publisher.hears("published, expires in 4 s", SOON);
        pair.publisher.hears("refreshed, expires in 4 s", A_REFRESH);
        assert_eq!(pair.publisher.process.said(), 2);
    }
    for pair in pairs {
        let requests = pair.stop(REMOVED);
        assert_eq!(requests.len(), 3, "{requests:#?}");
    }
}

#[test]
fn garbage_is_not_taken_for_an_answer() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-garbage");
    let mut wrong = Pair::start(&folder, "hostile_garbage", &[TAKEN_BRIEFLY]);
    // One that leaves time for what a stranger says.
    let mut late = Pair::start(&folder, "hostile_late", &[TAKEN_BRIEFLY]);
    let request = late.server.wait_for(1, SOON).remove(0);
    let via = request.field("Via").unwrap();
    let sent_by = via.split([' ', ';']).nth(1).unwrap();
    let port: u16 = sent_by.rsplit(':').next().unwrap().parse().unwrap();
    let named = |name: &str| format!("{name}: {}\r\n", request.field(name).unwrap());
    let rest = ["From", "To", "Call-ID", "CSeq"].map(named).concat();
    let with_start = |start: &str| format!("{start}\r\nVia: {via}\r\n{rest}\r\n");
    let branch = request.branch();
    let endless = "x".repeat(30_000);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in [
        "",
        "\r\n\r\n",
        "\0\u{1}\u{7f}\u{fe}\r\n\r\n",
        "SIP/2.0 ",
        "SIP/2.0 403 Forbidden\r\n\r\n",
        "SIP/2.0 99999 OK\r\nVia\r\n\r\n",
        "PUBLISH sip:anna@example.org SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        &endless,
        &with_start("SIP/2.0 4o3 Forbidden"),
        &with_start("SIP/2.0 -403 Forbidden"),
        &with_start("SIP/2.0 65939 Forbidden"),
        &with_start("SIP/2.0"),
        &with_start("403 Forbidden"),
        &with_start("SIP/2.0 100 Trying"),
        &format!("SIP/2.0 403 No\r\nVia: {via}\r\nCSeq: x\r\n\r\n"),
        &format!("SIP/2.0 403 No\r\nVia: SIP/2.0/UDP ;branch={branch}\r\n\r\n"),
        &format!("SIP/2.0 403 No\r\n{endless}: {endless}\r\n"),
    ] {
        let sent = socket.send_to(datagram.as_bytes(), ("127.0.0.1", port));
        assert_eq!(sent.unwrap(), datagram.len());
    }
    // Octets that are no UTF-8 in a field that nobody needs.
    let mut octets = with_start("SIP/2.0 183 Progress\r\nSubject: ?").into_bytes();
    let place = octets.iter().position(|octet| *octet == b'?').unwrap();
    octets[place] = 0xff;
    socket.send_to(&octets, ("127.0.0.1", port)).unwrap();
    wrong.publisher.hears("published, expires in 4 s", SOON);
    wrong.publisher.hears("refreshed", A_REFRESH);
    assert_eq!(wrong.publisher.process.said(), 2);
    assert_eq!(wrong.stop(REMOVED).len(), 3);
    // After the 100 it repeats its request every 4 s only.
    late.publisher.hears("published, expires in 4 s", SOON);
    assert_eq!(late.publisher.process.said(), 1);
    assert_eq!(late.server.requests().len(), 1);
    late.publisher.hears("refreshed", SOON);
}

#[test]
fn without_a_tag_it_is_published_anew_when_it_has_run_out() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-untagged");
    let tags = [
        "Server: untold",
        "SIP-ETag:",
        "SIP-ETag: two words",
        "SIP-ETag: a\nSIP-ETag: b",
    ];
    let pairs = tags.map(|tag| {
        let answer = format!("200 OK\nExpires: 3\n{tag}");
        Pair::start(&folder, "hostile_in_turn", &[&answer])
    });
    let answers = [TAKEN_BRIEFLY, "200 OK\nExpires: 4"];
    let mut forgotten = Pair::start(&folder, "hostile_in_turn", &answers);
    for mut pair in pairs {
        pair.publisher.hears("published, expires in 3 s", SOON);
        pair.publisher.hears("published, expires in 3 s", SOON);
        let requests = pair.stop(NOT_REMOVED);
        assert_eq!(requests.len(), 2, "{requests:#?}");
        assert_anew(&requests[1]);
        assert!(requests[1].at - requests[0].at >= Duration::from_millis(2_950));
    }
    // A refresh that is answered without one: the one before may hold.
    forgotten.publisher.hears("refreshed", SOON);
    forgotten.publisher.hears("refreshed", SOON);
    let requests = forgotten.stop(REMOVED);
    let names = requests.iter().map(|it| it.field("SIP-If-Match"));
    let names: Vec<_> = names.collect();
    assert!(names.len() >= 4 && names[0].is_none(), "{names:?}");
    assert!(
        names[1..].iter().all(|name| *name == Some("e1")),
        "{names:?}"
    );
}

#[test]
fn the_newest_tag_is_named() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-tags");
    let brief = "200 OK\nSIP-ETag: e[last_cseq_number]\nExpires: 2";
    // As long as there is room for in a datagram.
    let long = format!("200 OK\nSIP-ETag: {}\nExpires: 2", "x".repeat(7_000));
    let odd = "200 OK\nSIP-ETag: %41.!~*'`_+-\nExpires: 2";
    for (answer, first) in [(brief, "e1"), (&long, "xxx"), (odd, "%41.!~*'`_+-")] {
        let mut pair = Pair::start(&folder, "hostile_in_turn", &[answer]);
        pair.publisher.hears("published", SOON);
        pair.publisher.process.tell("closed");
        pair.publisher.hears("changed", SOON);
        pair.publisher.hears("refreshed", A_REFRESH);
        pair.publisher.hears("refreshed", A_REFRESH);
        // That each is the newest, and the whole of it, is looked at there.
        let requests = pair.stop(REMOVED);
        assert!(requests.len() >= 5, "{requests:#?}");
        let named = requests[1].field("SIP-If-Match").unwrap();
        assert!(named.starts_with(first), "{named}");
    }
}

#[test]
fn a_strange_duration_is_not_believed() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-durations");
    let expires = ["99999999", "4294967296", "soon", "-1", "13", "12, 5"];
    let answer =
        |expires: &str| format!("200 OK\nSIP-ETag: e[last_cseq_number]\nExpires: {expires}");
    let pairs = expires.map(|it| Pair::start(&folder, "hostile_in_turn", &[&answer(it)]));
    let mut second = Pair::start(&folder, "hostile_in_turn", &[&answer("1")]);
    let answers = [TAKEN_BRIEFLY, &answer("0")];
    let mut dropped = Pair::start(&folder, "hostile_in_turn", &answers);
    for mut pair in pairs {
        pair.publisher.hears("published, expires in 12 s", SOON);
        assert_eq!(pair.stop(REMOVED).len(), 2);
    }
    second.publisher.hears("published, expires in 1 s", SOON);
    let begin = Instant::now();
    let before = second.server.requests().len();
    sleep(Duration::from_secs(3));
    let rate = (second.server.requests().len() - before) as f32 / begin.elapsed().as_secs_f32();
    assert!((0.5..=2.5).contains(&rate), "{rate} a second");
    second.stop(REMOVED);

    dropped.publisher.hears("published", SOON);
    dropped
        .publisher
        .hears("failed: PUBLISH answered 200", A_REFRESH);
    sleep(Duration::from_secs(3));
    let requests = dropped.stop(REMOVED);
    assert_eq!(requests.len(), 2, "{requests:#?}");
}

#[test]
fn a_tag_beyond_measure_is_none() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-long-tag");
    let answer = format!("200 OK\nSIP-ETag: {}\nExpires: 3", "x".repeat(9_000));
    let (port, scenario) = (free_port(0), "hostile_in_turn");
    let server = HostileServer::on(port, Transport::Tcp, &folder, scenario, &[&answer]);
    let mut publisher = Publisher::start(port, Transport::Tcp, &["--expires", "12"]);
    publisher.hears("published, expires in 3 s", SOON);
    publisher.hears("published, expires in 3 s", SOON);
    stop(&mut publisher, NOT_REMOVED);
    let requests = server.requests();
    check_requests(&server.messages());
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_anew(&requests[1]);
}
