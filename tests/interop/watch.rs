//! The example watcher: at the example server, at the presence server of Kamailio, and at baresip as the
//! agent of its own user.

use crate::kamailio::PresenceServer;
use crate::process::Process;
use crate::publish::{ANNA, AT_ONCE, Publisher, SOON};
use crate::server::{PASSWORD, Server};
use crate::{Folder, Transport, asked_for, baresip, example, free_port};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Until it asks again after a failure, by the settings of the library, or refreshes what is to last 20 s.
const SOME_TIME: Duration = Duration::from_secs(25);

pub(crate) struct Watcher {
    pub(crate) process: Process,
    /// Lines that were waited for already.
    heard: usize,
}

impl Watcher {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| example::built("watch"));
        let mut command = Command::new(program);
        command.args(arguments);
        Self {
            process: Process::start("watch", &mut command),
            heard: 0,
        }
    }

    /// Bjarne, with his password, who watches somebody by way of this port.
    fn of_bjarne(port: u16, transport: Transport, watched: &str, arguments: &[&str]) -> Self {
        let proxy = format!("127.0.0.1:{port};transport={}", transport.name());
        let credentials = format!("bjarne:{PASSWORD}");
        let first = [watched, "--proxy", &proxy, "--auth", &credentials];
        Self::start(&[&first[..], arguments].concat())
    }

    /// Waits for a line with all these words, after those that were waited for before.
    pub(crate) fn hears(&mut self, words: &[&str], within: Duration) -> String {
        let what = words.join(" ... ");
        let fits = |line: &str| words.iter().all(|word| line.contains(word));
        let line = self.process.wait_for(self.heard, within, &what, fits);
        let output = self.process.output();
        let place = output.lines().skip(self.heard).position(fits);
        self.heard += place.unwrap() + 1;
        line
    }

    /// Ends it as a service manager does; returns how long that took.
    pub(crate) fn stop(&mut self) -> Duration {
        let begin = Instant::now();
        self.process.terminate();
        let status = self.process.wait_for_end(AT_ONCE);
        assert!(status.success(), "{status}");
        begin.elapsed()
    }

    /// Ends it; it has to have ended its subscription.
    pub(crate) fn end(mut self, watched: &str) {
        self.stop();
        self.hears(&[watched, "[over] over: ended"], SOON);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- watch said\n{}", self.process.output());
        }
    }
}

/// Whether somebody answers, and what is known of anna then.
fn fetch(port: u16, transport: Transport, expected: &[&str]) {
    let mut watcher = Watcher::of_bjarne(port, transport, ANNA, &["--fetch"]);
    let status = watcher.process.wait_for_end(SOON);
    watcher.hears(expected, SOON);
    watcher.hears(&[ANNA, "[over] over: answered"], SOON);
    assert_eq!(status.code(), Some(0));
}

fn at_the_example_server(transport: Transport, digest: &str) {
    if !asked_for("watch") {
        return;
    }
    let folder = Folder::new(&format!("watch-{}", transport.name()));
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], digest);
    let port = server.port;
    let several = ["pres:bjarne@example.org", "--expires", "20"];
    let mut watcher = Watcher::of_bjarne(port, transport, ANNA, &several);
    let mut for_programs = Watcher::of_bjarne(port, transport, ANNA, &["--json"]);
    watcher.hears(&[ANNA, "[active]"], SOON);
    for_programs.hears(&["\"event\":\"presence\"", "\"basic\":\"unknown\""], SOON);
    let mut publisher = Publisher::of_anna(port, Transport::Udp, "12");
    watcher.hears(&[ANNA, "[active] open: added", "\"at the desk\""], SOON);
    for_programs.hears(&["\"basic\":\"open\"", "\"what\":\"added\""], SOON);
    fetch(port, transport, &[ANNA, " open: added", "\"at the desk\""]);
    publisher.process.tell("closed at lunch");
    watcher.hears(&[ANNA, "closed: changed", "\"at lunch\""], SOON);
    server.subscription("bjarne@example.org", "bjarne@example.org");

    server.restart(&folder, digest);
    watcher.hears(
        &[ANNA, "ended by the notifier: deactivated; again at once"],
        SOON,
    );
    watcher.hears(&[ANNA, "[active]"], SOME_TIME);
    // The publisher finds out when it refreshes.
    publisher.hears("published", SOME_TIME);
    publisher.process.tell("open back again");
    watcher.hears(&[ANNA, "[active] open", "\"back again\""], SOME_TIME);
    for_programs.hears(
        &["\"basic\":\"open\"", "\"notes\":[\"back again\"]"],
        SOME_TIME,
    );
    publisher.end();
    watcher.hears(&[ANNA, "[active] unknown: removed"], SOON);
    watcher.end(ANNA);
    for_programs.stop();
    server.wait_until_gone(&["bjarne"]);
}

#[test]
fn at_the_example_server_by_udp() {
    at_the_example_server(Transport::Udp, "sha-256,md5");
}

#[test]
fn at_the_example_server_by_tcp() {
    at_the_example_server(Transport::Tcp, "md5");
}

#[test]
fn a_document_above_a_datagram_comes_by_tcp() {
    if !asked_for("watch") {
        return;
    }
    let mut server = Server::open_to_all();
    let port = server.port.to_string();
    let uri = format!("sip:anna@127.0.0.1:{port}");
    let mut watcher = Watcher::start(&[&uri, "--from", "sip:bjarne@example.org"]);
    watcher.hears(&["[active]"], SOON);
    let note = "gone fishing ".repeat(130) + "until dusk";
    server.tell(&format!("set {uri} open {note}"));
    watcher.hears(&["open: added", "changed notes", "until dusk"], SOON);
    watcher.end(&uri);
}

#[test]
fn who_is_refused_is_told_so() {
    if !asked_for("watch") {
        return;
    }
    let folder = Folder::new("watch-refused");
    let server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let proxy = format!("127.0.0.1:{}", server.port);
    let elsewhere = "sip:anna@elsewhere.example";
    for (arguments, reasons) in [
        (
            &[ANNA][..],
            [
                "credentials are asked for",
                "[refused] failed: SUBSCRIBE answered 401",
            ],
        ),
        (
            &[ANNA, "--auth", "bjarne:glacier"],
            [
                "wrong user or password",
                "[refused] failed: SUBSCRIBE answered 401",
            ],
        ),
        (
            &[
                elsewhere,
                "--auth",
                "bjarne:fjord",
                "--from",
                "sip:bjarne@example.org",
            ],
            [elsewhere, "[refused] failed: SUBSCRIBE answered 404"],
        ),
    ] {
        let mut watcher = Watcher::start(&[arguments, &["--proxy", &proxy]].concat());
        let status = watcher.process.wait_for_end(SOON);
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        for reason in reasons {
            let said = |line: &str| line.contains(reason);
            watcher.process.wait_for(0, SOON, reason, said);
        }
    }
    // One of two is enough to go on.
    let both = [elsewhere, "--fetch"];
    let mut watcher = Watcher::of_bjarne(server.port, Transport::Udp, ANNA, &both);
    assert_eq!(watcher.process.wait_for_end(SOON).code(), Some(1));
    watcher.hears(&[ANNA, "over: answered"], SOON);
    for wrong in [
        &[][..],
        &["sips:anna@example.org"],
        &[ANNA, "--expires", "0"],
    ] {
        let mut watcher = Watcher::start(wrong);
        assert_eq!(
            watcher.process.wait_for_end(SOON).code(),
            Some(2),
            "{wrong:?}"
        );
    }
}

#[test]
fn nobody_is_there() {
    if !asked_for("watch") {
        return;
    }
    let port = free_port(0);
    let mut watcher = Watcher::of_bjarne(port, Transport::Tcp, ANNA, &[]);
    let said = "[waiting] failed: SUBSCRIBE could not be sent; again in";
    watcher.hears(&[said], SOON);
    watcher.end(ANNA);
    // Datagrams get lost without a word.
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut watcher = Watcher::of_bjarne(port, Transport::Udp, ANNA, &[]);
    socket.recv(&mut [0; 2_000]).unwrap();
    drop(socket);
    watcher.stop();
    watcher.hears(&["over: not confirmed in time"], SOON);
}

fn at_kamailio(transport: Transport, algorithm: &str, paced: bool) {
    if !(asked_for("watch") && asked_for("kamailio-presence")) {
        return;
    }
    let pace = if paced { "paced" } else { "at-once" };
    let folder = Folder::new(&format!("watch-kamailio-{}-{pace}", transport.name()));
    let mut kamailio = match paced {
        true => PresenceServer::paced(&folder, algorithm),
        false => PresenceServer::start(&folder, algorithm),
    };
    let port = kamailio.port();
    let mut watcher = Watcher::of_bjarne(port, transport, ANNA, &["--expires", "20"]);
    watcher.hears(&[ANNA, "[active]"], SOON);
    let mut publisher = Publisher::of_anna(port, Transport::Udp, "12");
    publisher.hears("published", SOON);
    watcher.hears(&[ANNA, "[active] open: added", "\"at the desk\""], SOON);
    publisher.process.tell("closed at lunch");
    watcher.hears(&[ANNA, "closed: changed", "\"at lunch\""], SOON);
    fetch(port, transport, &[ANNA, " closed: added", "\"at lunch\""]);

    if paced {
        // What comes and goes between two looks may never be told.
        publisher.process.tell("open for a moment");
        publisher.process.tell("closed again");
    } else {
        kamailio.restart();
        // The watcher finds out when it refreshes, and so does the publisher.
        watcher.hears(&[ANNA, "ended: refresh answered 481"], SOME_TIME);
        watcher.hears(&[ANNA, "[active]"], SOME_TIME);
        publisher.hears("lost", SOME_TIME);
    }
    publisher.process.tell("open back again");
    watcher.hears(&[ANNA, "[active] open", "\"back again\""], SOME_TIME);
    publisher.end();
    if !paced {
        // It tells what is over as closed and without notes; its notifier tells nothing.
        watcher.hears(&[ANNA, "[active] closed: changed"], SOON);
    }
    watcher.end(ANNA);
}

#[test]
fn at_kamailio_by_udp() {
    at_kamailio(Transport::Udp, "MD5", false);
}

#[test]
fn at_kamailio_by_tcp() {
    at_kamailio(Transport::Tcp, "SHA-256", false);
}

#[test]
fn at_kamailio_with_a_notifier_of_its_own_pace() {
    at_kamailio(Transport::Udp, "MD5", true);
}

#[test]
fn at_baresip_as_the_agent_of_its_user() {
    if !(asked_for("watch") && asked_for("baresip")) {
        return;
    }
    let folder = Folder::new("watch-baresip");
    let (anna, port) = baresip::Client::alone(&folder, "anna");
    let uri = format!("sip:anna@127.0.0.1:{port}");
    let mut watcher = Watcher::start(&[&uri, "--from", "sip:bjarne@127.0.0.1"]);
    watcher.hears(&[&uri, "[active] unknown: added"], SOON);
    anna.command("presence_online");
    watcher.hears(&[&uri, "[active] open"], SOON);
    anna.command("presence_offline");
    watcher.hears(&[&uri, "[active] closed"], SOON);
    anna.command("presence_online");
    watcher.hears(&[&uri, "[active] open"], SOON);
    watcher.end(&uri);
}
