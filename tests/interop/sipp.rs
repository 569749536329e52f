//! SIPp as watcher and publisher, with the scenarios of this folder.

use crate::process::Process;
use crate::server::Server;
use crate::{Folder, Transport, asked_for, file_here, free_port};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A scenario as it is to be run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) transport: Transport,
    pub(crate) watcher: &'a str,
    pub(crate) presentity: &'a str,
    pub(crate) password: &'a str,
    /// What takes the place of `@EXPECTED@` in the scenario: a regular expression.
    pub(crate) expected: &'a str,
    pub(crate) calls: u32,
    /// Further options of SIPp's.
    pub(crate) options: &'a [&'a str],
}

pub(crate) const ONCE: Run<'_> = Run {
    scenario: "",
    transport: Transport::Udp,
    watcher: "ingrid",
    presentity: "tomas",
    password: "",
    expected: "",
    calls: 1,
    options: &[],
};

/// Options by which it goes on in spite of requests that the scenario does not expect.
pub(crate) const GO_ON: &[&str] = &["-default_behaviors", "none"];

/// A running SIPp; [`Sipp::finish`] must be called.
#[must_use]
pub(crate) struct Sipp {
    process: Process,
    scenario: String,
    errors: PathBuf,
    messages: PathBuf,
}

impl Run<'_> {
    /// Sends everything to this port of 127.0.0.1.
    pub(crate) fn start(&self, to: u16, folder: &Folder) -> Sipp {
        let text = file_here(&format!("{}.xml", self.scenario));
        let port = free_port(0);
        let file = |kind: &str| {
            folder
                .path()
                .join(format!("{}-{port}.{kind}", self.scenario))
        };
        let (scenario, errors, messages) = (file("xml"), file("errors"), file("messages"));
        fs::write(
            &scenario,
            text.replace("@EXPECTED@", &xml_escaped(self.expected)),
        )
        .unwrap();
        // One socket for all calls.
        let transport = match self.transport {
            Transport::Udp => "u1",
            Transport::Tcp => "t1",
        };
        let mut command = Command::new("sipp");
        command
            .current_dir(folder.path())
            .arg(format!("127.0.0.1:{to}"))
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            .args(["-t", transport])
            .arg("-sf")
            .arg(&scenario)
            .args(["-s", self.presentity])
            .args(["-key", "watcher", self.watcher])
            .args(["-au", self.watcher, "-ap", self.password])
            .args(["-m", &self.calls.to_string(), "-r", "100"])
            .args(["-l", &self.calls.max(100).to_string()])
            // Nothing gets lost on the way, and SIPp mistakes the answers to its repetitions.
            .arg("-nr")
            .args(["-nostdin", "-recv_timeout", "8000"])
            .args(["-timeout", "70s", "-timeout_error"])
            .args(self.options)
            .arg("-trace_err")
            .arg("-error_file")
            .arg(&errors)
            .arg("-trace_msg")
            .arg("-message_file")
            .arg(&messages);
        Sipp {
            process: Process::start("sipp (Debian: sip-tester)", &mut command),
            scenario: self.scenario.to_owned(),
            errors,
            messages,
        }
    }

    pub(crate) fn run(&self, to: u16, folder: &Folder) {
        self.start(to, folder).finish();
    }
}

impl Sipp {
    pub(crate) fn finish(mut self) {
        let status = self.process.wait_for_end(Duration::from_secs(75));
        if status.code() == Some(0) {
            return;
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let messages = read(&self.messages);
        let messages: Vec<&str> = messages.lines().collect();
        let last = messages.len().saturating_sub(120);
        let errors = read(&self.errors);
        let errors: String = errors.chars().take(8_000).collect();
        panic!(
            "scenario {}: {status}\n{errors}\n--- messages\n{}",
            self.scenario,
            messages[last..].join("\n"),
        );
    }
}

fn xml_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[test]
fn subscriptions_over_udp_and_tcp() {
    if !asked_for("sipp") {
        return;
    }
    let (mut server, folder) = (Server::open_to_all(), Folder::new("subscribe"));
    for transport in Transport::BOTH {
        let run = Run {
            scenario: "subscribe",
            transport,
            ..ONCE
        };
        run.run(server.port, &folder);
    }
    server.wait_until_gone(&["ingrid"]);
}

#[test]
fn many_subscriptions_at_once() {
    if !asked_for("sipp") {
        return;
    }
    let (mut server, folder) = (Server::open_to_all(), Folder::new("many"));
    let run = Run {
        scenario: "subscribe",
        calls: 300,
        ..ONCE
    };
    run.run(server.port, &folder);
    server.wait_until_gone(&["ingrid"]);
}

#[test]
fn a_watcher_sees_a_publication_come_change_and_go() {
    if !asked_for("sipp") {
        return;
    }
    for transport in Transport::BOTH {
        let (mut server, folder) = (Server::open_to_all(), Folder::new("publish"));
        let watcher = Run {
            scenario: "watch",
            transport,
            ..ONCE
        };
        let publisher = Run {
            scenario: "publish",
            transport,
            ..ONCE
        };
        let watcher = watcher.start(server.port, &folder);
        server.wait_for(0, &["ingrid@example.org", "tomas@example.com"]);
        publisher.run(server.port, &folder);
        watcher.finish();
        server.wait_until_gone(&["ingrid", "tomas"]);
    }
}

#[test]
fn a_fetch_gets_what_is_known() {
    if !asked_for("sipp") {
        return;
    }
    let (mut server, folder) = (Server::open_to_all(), Folder::new("fetch"));
    let fetch = Run {
        scenario: "fetch",
        ..ONCE
    };
    let nothing_yet = Run {
        expected: "<presence [^>]*entity=.sip:tomas@example.com",
        ..fetch
    };
    nothing_yet.run(server.port, &folder);

    let publisher = Run {
        scenario: "publish_and_leave",
        ..ONCE
    };
    publisher.run(server.port, &folder);
    let published = Run {
        expected: "<basic>open</basic>",
        ..fetch
    };
    published.run(server.port, &folder);

    server.tell("set sip:desk@example.com closed gone home");
    let set = Run {
        presentity: "desk",
        expected: "<basic>closed</basic>.*gone home",
        ..fetch
    };
    set.run(server.port, &folder);
    server.wait_until_gone(&["ingrid"]);
}

#[test]
fn wrong_requests_are_refused() {
    if !asked_for("sipp") {
        return;
    }
    let server = Server::start(&["--no-auth", "--policy", "allow", "--min-expires", "60"]);
    let folder = Folder::new("refused");
    for transport in Transport::BOTH {
        let run = Run {
            scenario: "refused",
            transport,
            ..ONCE
        };
        run.run(server.port, &folder);
    }
}

#[test]
fn a_client_can_register() {
    if !asked_for("sipp") {
        return;
    }
    let (server, folder) = (Server::open_to_all(), Folder::new("register"));
    let run = Run {
        scenario: "register",
        ..ONCE
    };
    run.run(server.port, &folder);
}

#[test]
fn a_pending_watcher_waits_for_the_decision() {
    if !asked_for("sipp") {
        return;
    }
    let folder = Folder::new("pending");
    for (scenario, decision) in [("pending_allowed", "allow"), ("pending_blocked", "block")] {
        let mut server = Server::start(&["--no-auth", "--policy", "confirm"]);
        server.tell("set sip:tomas@example.com open ashore");
        let watcher = Run { scenario, ..ONCE };
        let watcher = watcher.start(server.port, &folder);
        server.wait_for(0, &["ingrid@example.org", "tomas@example.com"]);
        server.tell(&format!(
            "decide sip:ingrid@example.org sip:tomas@example.com {decision}"
        ));
        watcher.finish();
        server.wait_until_gone(&["ingrid"]);
    }
}

#[test]
fn the_server_can_end_subscriptions() {
    if !asked_for("sipp") {
        return;
    }
    let folder = Folder::new("ended");
    let mut server = Server::open_to_all();
    let watcher = Run {
        scenario: "ended",
        expected: "noresource",
        ..ONCE
    };
    let ended = watcher.start(server.port, &folder);
    server.wait_for(0, &["ingrid@example.org", "tomas@example.com"]);
    server.tell("end sip:tomas@example.com noresource");
    ended.finish();
    server.wait_until_gone(&["ingrid"]);
}

#[test]
fn the_server_takes_leave_when_it_is_stopped() {
    if !asked_for("sipp") {
        return;
    }
    let folder = Folder::new("stopped");
    for by_signal in [true, false] {
        let mut server = Server::open_to_all();
        let watcher = Run {
            scenario: "ended",
            // A client comes back to a server that says so.
            expected: "deactivated",
            ..ONCE
        };
        let watcher = watcher.start(server.port, &folder);
        server.wait_for(0, &["ingrid@example.org", "tomas@example.com"]);
        if by_signal {
            server.terminate();
        } else {
            server.tell("quit");
        }
        let status = server.wait_for_end();
        assert!(status.success(), "{status}\n{}", server.output());
        watcher.finish();
    }
}

#[test]
fn a_client_proves_who_it_is() {
    if !asked_for("sipp") {
        return;
    }
    let folder = Folder::new("digest");
    let accounts = folder.path().join("accounts");
    fs::write(&accounts, "ingrid:kept secret\ntomas:other\n").unwrap();
    let server = Server::start(&[
        "--accounts",
        accounts.to_str().unwrap(),
        // SIPp 3.6 fails on a challenge for SHA-256.
        "--digest",
        "md5",
        "--domain",
        "example.com",
        "--policy",
        "allow",
    ]);
    let right = Run {
        scenario: "digest",
        password: "kept secret",
        ..ONCE
    };
    right.run(server.port, &folder);
    let wrong = Run {
        scenario: "digest_wrong",
        password: "guessed",
        ..ONCE
    };
    wrong.run(server.port, &folder);
}
