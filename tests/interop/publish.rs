//! The example publisher: at the example server, and at the presence server of Kamailio.

use crate::fetch::{Fetched, fetch};
use crate::kamailio::PresenceServer;
use crate::process::Process;
use crate::server::{PASSWORD, Server};
use crate::{Folder, Transport, asked_for, example};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) const SOON: Duration = Duration::from_secs(8);
/// It promises three.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(3_500);
pub(crate) const ANNA: &str = "sip:anna@example.org";

pub(crate) struct Publisher {
    pub(crate) process: Process,
    /// Lines that were waited for already.
    heard: usize,
}

impl Publisher {
    /// Anna, by way of this port.
    pub(crate) fn start(port: u16, transport: Transport, arguments: &[&str]) -> Self {
        let proxy = format!("127.0.0.1:{port};transport={}", transport.name());
        Self::run(&[&[ANNA, "--proxy", &proxy], arguments].concat())
    }

    pub(crate) fn run(arguments: &[&str]) -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| example::built("publish"));
        let mut command = Command::new(program);
        command.args(arguments);
        Self {
            process: Process::start("publish", &mut command),
            heard: 0,
        }
    }

    /// Anna, with her password.
    pub(crate) fn of_anna(port: u16, transport: Transport, expires: &str) -> Self {
        let credentials = format!("anna:{PASSWORD}");
        let arguments = ["open", "--note", "at the desk", "--auth", &credentials];
        let others = ["--expires", expires, "--watch-stdin"];
        Self::start(port, transport, &[&arguments[..], &others].concat())
    }

    /// Waits for a line that begins like this, after those that were waited for before.
    pub(crate) fn hears(&mut self, begins: &str, within: Duration) {
        let output = |process: &Process| -> Vec<String> {
            process.output().lines().map(str::to_owned).collect()
        };
        let fits = |line: &str| line.starts_with(begins);
        self.process.wait_for(self.heard, within, begins, fits);
        let lines = output(&self.process);
        let place = lines.iter().skip(self.heard).position(|line| fits(line));
        self.heard += place.unwrap() + 1;
    }

    /// Ends it as a service manager does; it has to have removed what it published.
    pub(crate) fn end(mut self) {
        let begin = Instant::now();
        self.process.terminate();
        let status = self.process.wait_for_end(AT_ONCE);
        self.hears("removed", SOON);
        assert!(status.success(), "{status} after {:?}", begin.elapsed());
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- publish said\n{}", self.process.output());
        }
    }
}

/// Fetches until the document has all these texts.
fn wait_until_seen(port: u16, texts: &[&str]) -> Fetched {
    wait_until(port, |fetched| {
        texts.iter().all(|text| fetched.body.contains(text))
    })
}

fn wait_until(port: u16, fits: impl Fn(&Fetched) -> bool) -> Fetched {
    let deadline = Instant::now() + SOON;
    loop {
        let fetched = fetch(port, "bjarne", "anna");
        if fits(&fetched) {
            return fetched;
        }
        assert!(Instant::now() < deadline, "not as expected: {fetched:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn at_the_example_server(transport: Transport, digest: &str) {
    if !asked_for("publish") {
        return;
    }
    let folder = Folder::new(&format!("publish-{}", transport.name()));
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], digest);
    let port = server.port;
    let mut publisher = Publisher::of_anna(port, transport, "12");
    publisher.hears("published, expires in 12 s", SOON);
    let fetched = wait_until_seen(port, &[">open<", "at the desk", "<contact", ANNA]);
    assert!(fetched.body.contains("timestamp>"), "{fetched:?}");
    assert_eq!(server.publications(), 1);
    publisher.process.tell("closed at lunch");
    publisher.hears("changed", SOON);
    wait_until_seen(port, &[">closed<", "at lunch"]);
    publisher.process.tell("activity meal");
    publisher.hears("changed", SOON);
    wait_until_seen(port, &[">closed<", "at lunch", "meal"]);
    publisher.hears("refreshed, expires in 12 s", Duration::from_secs(13));
    publisher.end();
    wait_until(port, |fetched| !fetched.body.contains("at lunch"));
    assert_eq!(server.publications(), 0);
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
fn the_end_of_input_removes_what_was_published() {
    if !asked_for("publish") {
        return;
    }
    let folder = Folder::new("publish-input");
    let mut server = Server::with_passwords(&folder, &["anna"], "md5,sha-256");
    let mut publisher = Publisher::of_anna(server.port, Transport::Udp, "3600");
    publisher.hears("published", SOON);
    assert_eq!(server.publications(), 1);
    publisher.process.end_input();
    publisher.hears("removed", SOON);
    assert!(publisher.process.wait_for_end(AT_ONCE).success());
    assert_eq!(server.publications(), 0);
}

#[test]
fn who_is_refused_is_told_so() {
    if !asked_for("publish") {
        return;
    }
    let folder = Folder::new("publish-refused");
    let server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let for_another = format!("bjarne:{PASSWORD}");
    for (arguments, reasons) in [
        (&[][..], ["credentials are asked for", "401 Unauthorized"]),
        (
            &["--auth", "anna:glacier"],
            ["wrong user or password", "401 Unauthorized"],
        ),
        (
            &["--auth", &for_another],
            [
                "publish: PUBLISH answered 403",
                "failed: PUBLISH answered 403",
            ],
        ),
    ] {
        let mut publisher = Publisher::start(server.port, Transport::Udp, arguments);
        let status = publisher.process.wait_for_end(SOON);
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        for reason in reasons {
            let said = |line: &str| line.contains(reason);
            publisher.process.wait_for(0, SOON, reason, said);
        }
    }
    let mut publisher = Publisher::start(server.port, Transport::Udp, &["ajar"]);
    assert_eq!(publisher.process.wait_for_end(SOON).code(), Some(2));
}

/// What it published is lost with the memory of the server, and is there again after the next refresh.
fn at_kamailio(transport: Transport, algorithm: &str) {
    if !asked_for("kamailio-presence") {
        return;
    }
    let folder = Folder::new(&format!("publish-kamailio-{}", transport.name()));
    let mut kamailio = PresenceServer::start(&folder, algorithm);
    let port = kamailio.port();
    let mut publisher = Publisher::of_anna(port, transport, "12");
    let soon_refreshed = Duration::from_secs(13);
    publisher.hears("published, expires in 12 s", SOON);
    wait_until_seen(port, &[">open<", "at the desk"]);
    publisher.hears("refreshed, expires in 12 s", soon_refreshed);
    publisher.process.tell("closed at lunch");
    publisher.hears("changed", SOON);
    publisher.process.tell("activity meal");
    publisher.hears("changed", SOON);
    wait_until_seen(port, &[">closed<", "at lunch", "meal"]);

    kamailio.restart();
    wait_until(port, |fetched| !fetched.body.contains("at lunch"));
    publisher.hears("lost", soon_refreshed);
    publisher.hears("published", SOON);
    wait_until_seen(port, &[">closed<", "at lunch", "meal"]);
    publisher.process.tell("open");
    publisher.hears("changed", SOON);
    wait_until_seen(port, &[">open<", "meal"]);

    assert!(kamailio.has_taken_publish_of_anna(transport, algorithm));
    // What no datagram should carry goes by TCP.
    let long = "x".repeat(1_300);
    publisher.process.tell(&format!("closed {long}"));
    publisher.hears("changed", SOON);
    wait_until_seen(port, &[">closed<", "meal", &long]);
    assert!(kamailio.has_taken_publish_of_anna(Transport::Tcp, algorithm));

    publisher.end();
    wait_until(port, |fetched| !fetched.body.contains("meal"));
}

#[test]
fn at_kamailio_by_udp() {
    at_kamailio(Transport::Udp, "MD5");
}

#[test]
fn at_kamailio_by_tcp() {
    at_kamailio(Transport::Tcp, "SHA-256");
}
