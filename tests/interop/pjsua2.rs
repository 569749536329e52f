//! pjsua2, the library below many softphones, by way of `pjsua2_client.py`.

use crate::process::Process;
use crate::server::{PASSWORD, Server};
use crate::sipp::{ONCE, Run};
use crate::{Folder, Hop, Transport, asked_for, free_port};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
/// Above the interval between two NOTIFYs about one presentity.
const PACE: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(crate) struct Client {
    process: Process,
    address: String,
}

impl Client {
    /// Starts a client that watches these contacts; `address` is `user@domain`.
    pub(crate) fn start(hop: Hop, folder: &Folder, address: &str, contacts: &[&str]) -> Self {
        let (user, domain) = address.split_once('@').unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/pjsua2_client.py");
        let python = std::env::var_os("PRESENTITY_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        // Nothing is written beside the script.
        command.arg("-B").arg(script);
        command.args(["--user", user, "--domain", domain, "--password", PASSWORD]);
        command.args(["--port", &free_port(0).to_string()]);
        command.args(["--proxy", &hop.port.to_string()]);
        command.args(["--transport", hop.transport.name()]);
        command
            .arg("--log")
            .arg(folder.path().join(format!("{user}.log")));
        command.args(contacts.iter().map(|contact| format!("sip:{contact}")));
        let process = Process::start("pjsua2 (PyPI: pjsua2-python)", &mut command);
        let client = Self {
            process,
            address: address.to_owned(),
        };
        client.wait_for(0, "registered: 200");
        client
    }

    pub(crate) fn said(&self) -> usize {
        self.process.said()
    }

    fn wait_for(&self, from: usize, start: &str) {
        self.process
            .wait_for(from, SOON, start, |line| line.starts_with(start));
    }

    /// Waits until it says this of its contact, in words of its own.
    pub(crate) fn wait_until_contact_is(&self, from: usize, contact: &str, status: &str) {
        self.wait_for(from, &format!("contact sip:{contact}: {status}"));
    }

    /// Publishes: `online`, `busy`, `away` or `offline`, and a note.
    pub(crate) fn publish(&mut self, status: &str) {
        self.process.tell(status);
    }

    /// Lets it go, which it does in an orderly way.
    pub(crate) fn leave(mut self, server: &Server, publishes: bool) {
        let from = server.said();
        self.process.tell("quit");
        self.wait_for(0, "left");
        let status = self.process.wait_for_end(SOON);
        assert!(status.success(), "{status}\n{}", self.process.output());
        if publishes {
            server.wait_for(from, &["publication", &self.address, "removed"]);
        }
    }
}

/// Two clients watch each other: both learn that the other is there, changes and goes.
pub(crate) fn two_clients(server: &mut Server, hop: Hop, folder: &Folder) {
    const ANNA: &str = "anna@example.org";
    const BJARNE: &str = "bjarne@example.org";
    let mut anna = Client::start(hop, folder, ANNA, &[BJARNE]);
    server.wait_for(0, &[ANNA, BJARNE, "started: active"]);
    anna.wait_until_contact_is(0, BJARNE, "unknown");
    anna.publish("online at the loom");
    let mut bjarne = Client::start(hop, folder, BJARNE, &[ANNA]);
    bjarne.wait_until_contact_is(0, ANNA, "online at the loom");

    let mut before = anna.said();
    for (published, seen) in [
        ("busy mending nets", "online busy mending nets"),
        ("away in the woods", "online away in the woods"),
        ("offline", "offline"),
        ("online back", "online back"),
    ] {
        bjarne.publish(published);
        anna.wait_until_contact_is(before, BJARNE, seen);
        before = anna.said();
    }
    let from = bjarne.said();
    anna.publish("away på fjellet");
    bjarne.wait_until_contact_is(from, ANNA, "online away på fjellet");

    bjarne.leave(server, true);
    server.wait_for(0, &[BJARNE, ANNA, "ended: unsubscribed"]);
    anna.wait_until_contact_is(before, BJARNE, "unknown");
    anna.leave(server, true);
    server.wait_for(0, &[ANNA, BJARNE, "ended: unsubscribed"]);
    server.wait_until_gone(&[ANNA, BJARNE]);
}

#[test]
fn two_clients_watch_each_other_over_udp() {
    if !asked_for("pjsua2") {
        return;
    }
    let folder = Folder::new("pjsua2-udp");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let hop = server.hop(Transport::Udp);
    two_clients(&mut server, hop, &folder);
}

#[test]
fn two_clients_watch_each_other_over_tcp() {
    if !asked_for("pjsua2") {
        return;
    }
    let folder = Folder::new("pjsua2-tcp");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let hop = server.hop(Transport::Tcp);
    two_clients(&mut server, hop, &folder);
}

#[test]
fn a_client_refreshes_and_comes_back_when_sent_away() {
    if !asked_for("pjsua2") {
        return;
    }
    const ANNA: &str = "anna@example.org";
    const TOMAS: &str = "tomas@example.com";
    let folder = Folder::new("pjsua2-refresh");
    let mut server = Server::start(&[
        "--no-auth",
        "--policy",
        "allow",
        "--notify-interval",
        "1",
        "--min-expires",
        "8",
        "--max-expires",
        "8",
    ]);
    server.tell("set sip:tomas@example.com open ashore");
    let anna = Client::start(server.hop(Transport::Udp), &folder, ANNA, &[TOMAS]);
    anna.wait_until_contact_is(0, TOMAS, "online ashore");
    let key = |line: String| line.split(':').next().unwrap().to_owned();
    let first = key(server.subscription(ANNA, TOMAS));
    thread::sleep(Duration::from_secs(12));
    let refreshed = key(server.subscription(ANNA, TOMAS));
    assert_eq!(first, refreshed, "{}", server.output());

    let (from, before) = (server.said(), anna.said());
    server.tell("end sip:tomas@example.com deactivated");
    server.wait_for(from, &[ANNA, TOMAS, "started: active"]);
    server.tell("set sip:tomas@example.com closed asleep");
    anna.wait_until_contact_is(before, TOMAS, "offline asleep");
    anna.leave(&server, false);
    server.wait_until_gone(&[ANNA]);
}

/// It writes notes into documents without escaping them.
#[test]
fn a_document_that_is_not_well_formed_is_refused_and_changes_nothing() {
    if !asked_for("pjsua2") {
        return;
    }
    const ANNA: &str = "anna@example.org";
    let folder = Folder::new("pjsua2-malformed");
    let mut server = Server::open_to_all();
    let hop = server.hop(Transport::Udp);
    let bjarne = Client::start(hop, &folder, "bjarne@example.org", &[ANNA]);
    let mut anna = Client::start(hop, &folder, ANNA, &[]);
    anna.publish("online at the loom");
    bjarne.wait_until_contact_is(0, ANNA, "online at the loom");

    let before = bjarne.said();
    anna.publish("busy <mending> nets & lines");
    server.wait_until_it_answers("stats", &["refused, "], SOON);
    thread::sleep(PACE);
    assert_eq!(bjarne.said(), before, "{}", bjarne.process.output());
    assert_eq!(server.publications(), 1, "{}", server.output());

    // Once refused, it publishes no more.
    anna.leave(&server, false);
    bjarne.leave(&server, false);
    server.wait_for(0, &["bjarne@example.org", "ended: unsubscribed"]);
}

#[test]
fn a_client_watches_what_sipp_publishes() {
    if !(asked_for("pjsua2") && asked_for("sipp")) {
        return;
    }
    let folder = Folder::new("pjsua2-watcher");
    for transport in Transport::BOTH {
        let mut server = Server::open_to_all();
        let anna = Client::start(
            server.hop(transport),
            &folder,
            "anna@example.org",
            &["tomas@example.com"],
        );
        anna.wait_until_contact_is(0, "tomas@example.com", "unknown");
        let publisher = Run {
            scenario: "publish",
            ..ONCE
        };
        let before = anna.said();
        publisher.run(server.port, &folder);
        for status in ["online ashore", "offline rowing", "unknown"] {
            anna.wait_until_contact_is(before, "tomas@example.com", status);
        }
        anna.leave(&server, false);
        server.wait_for(0, &["anna@example.org", "ended: unsubscribed"]);
        server.wait_until_gone(&["anna", "tomas"]);
    }
}

#[test]
fn sipp_watches_what_a_client_publishes() {
    if !(asked_for("pjsua2") && asked_for("sipp")) {
        return;
    }
    let folder = Folder::new("pjsua2-publisher");
    let mut server = Server::open_to_all();
    let watcher = Run {
        scenario: "watch",
        ..ONCE
    };
    let watcher = watcher.start(server.port, &folder);
    server.wait_for(0, &["ingrid@example.org", "tomas@example.com", "started"]);
    let hop = server.hop(Transport::Udp);
    let mut tomas = Client::start(hop, &folder, "tomas@example.com", &[]);
    tomas.publish("online ashore");
    server.wait_for(0, &["publication", "tomas@example.com", "made"]);
    thread::sleep(PACE);
    tomas.publish("offline");
    server.wait_for(0, &["publication", "tomas@example.com", "changed"]);
    thread::sleep(PACE);
    tomas.leave(&server, true);
    watcher.finish();
    server.wait_until_gone(&["ingrid", "tomas"]);
}
