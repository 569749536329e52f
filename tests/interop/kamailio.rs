//! Kamailio as a proxy between clients and the server, where it stays in the path of every dialog; and as
//! a presence server.

use crate::process::Process;
use crate::server::{PASSWORD, Server};
use crate::sipp::{GO_ON, ONCE, Run};
use crate::{Folder, Hop, Transport, asked_for, baresip, file_here, free_port, pjsua2};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(8);
/// Tables without rows.
const TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";
/// Each worker sends the NOTIFYs for what it takes, and knows all by heart.
const AT_ONCE: &str = r#"modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "notifier_processes", 0)"#;
/// Beside what it knows by heart it writes down who watches, without which it cannot tell of it.
const OF_WATCHERS: &str = r#"modparam("presence|presence_xml", "db_url", "text://@TABLES@")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 0)
modparam("presence", "notifier_processes", 0)"#;
const PACED: &str = r#"modparam("presence|presence_xml", "db_url", "text://@TABLES@")
modparam("presence", "subs_db_mode", 3)
modparam("presence", "publ_cache", 0)
modparam("presence", "notifier_processes", 1)
modparam("presence", "notifier_poll_rate", 2)
modparam("presence", "waitn_time", 1)"#;
/// It ends itself after so many seconds when the test could not do so.
const AT_LAST: &str = "120";

pub(crate) struct Proxy {
    process: Process,
    port: u16,
    server: u16,
}

impl Proxy {
    pub(crate) fn start(server: &Server, folder: &Folder) -> Self {
        let port = free_port(0);
        let config = folder.path().join("kamailio.cfg");
        let text = file_here("kamailio.cfg")
            .replace("@PROXY@", &port.to_string())
            .replace("@SERVER@", &server.port.to_string());
        fs::write(&config, text).unwrap();
        let process = run(&config, port, folder);
        Self {
            process,
            port,
            server: server.port,
        }
    }

    pub(crate) fn hop(&self, transport: Transport) -> Hop {
        Hop {
            port: self.port,
            transport,
        }
    }

    /// Whether the server has sent it a NOTIFY on this transport.
    pub(crate) fn has_got_notify_by(&self, transport: Transport) -> bool {
        let mark = format!("NOTIFY by {} from 127.0.0.1:", transport.name());
        self.process.output().contains(&mark)
    }

    /// The values of Route in each NOTIFY that the server has sent to it.
    fn routes_of_notifies(&self) -> Vec<String> {
        let mark = format!("NOTIFY by udp from 127.0.0.1:{}, Route ", self.server);
        let output = self.process.output();
        let routes = output
            .lines()
            .filter_map(|line| line.split_once(&mark))
            .map(|(_, routes)| routes.replace(' ', ""));
        routes.collect()
    }

    /// Checks that every NOTIFY to watchers on this transport had to pass here, by way of the sockets
    /// for both sides.
    fn assert_passed_by(&self, transport: Transport, at_least: usize) {
        let port = self.port;
        let expected = match transport {
            Transport::Udp => format!("<sip:127.0.0.1:{port};lr>"),
            Transport::Tcp => format!(
                "<sip:127.0.0.1:{port};r2=on;lr>,<sip:127.0.0.1:{port};transport=tcp;r2=on;lr>"
            ),
        };
        let routes = self.routes_of_notifies();
        assert!(
            routes.len() >= at_least && routes.iter().all(|route| *route == expected),
            "not {expected} in {at_least} NOTIFYs or more: {routes:#?}"
        );
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        end(&mut self.process);
        if thread::panicking() {
            println!("--- kamailio said\n{}", self.process.output());
        }
    }
}

/// Starts it and waits until it listens.
fn run(config: &Path, port: u16, folder: &Folder) -> Process {
    // It has processes of its own; `timeout` passes a signal on to all of them.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=3", AT_LAST, "kamailio", "-DD", "-E"]);
    command.arg("-f").arg(config);
    command.arg("-w").arg(folder.path());
    command.arg("-Y").arg(folder.path());
    // MiB of memory, shared and for each process.
    command.args(["-m", "16", "-M", "4"]);
    let mut process = Process::start("kamailio", &mut command);
    let deadline = Instant::now() + SOON;
    // The sockets are bound before it serves them.
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            !process.has_ended() && Instant::now() < deadline,
            "kamailio does not listen on {port}:\n{}",
            process.output()
        );
        thread::sleep(Duration::from_millis(50));
    }
    process
}

fn end(process: &mut Process) {
    process.terminate();
    let deadline = Instant::now() + SOON;
    while !process.has_ended() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Its presence server, which knows everything by heart and everybody by a password.
pub(crate) struct PresenceServer<'a> {
    process: Process,
    config: PathBuf,
    port: u16,
    folder: &'a Folder,
}

impl<'a> PresenceServer<'a> {
    /// `algorithm` is that of the challenges.
    pub(crate) fn start(folder: &'a Folder, algorithm: &str) -> Self {
        Self::with(folder, algorithm, "", AT_ONCE)
    }

    /// One that sends its NOTIFYs from a process of their own, which looks for them from time to time:
    /// some come late, and what was overtaken meanwhile never does.
    pub(crate) fn paced(folder: &'a Folder, algorithm: &str) -> Self {
        Self::with_tables(folder, algorithm, PACED)
    }

    /// One that tells who watches.
    pub(crate) fn of_watchers(folder: &'a Folder, algorithm: &str) -> Self {
        Self::with_tables(folder, algorithm, OF_WATCHERS)
    }

    fn with_tables(folder: &'a Folder, algorithm: &str, pace: &str) -> Self {
        let tables = folder.path().join("tables");
        fs::create_dir_all(&tables).unwrap();
        for name in [
            "active_watchers",
            "presentity",
            "version",
            "watchers",
            "xcap",
        ] {
            fs::copy(Path::new(TABLES).join(name), tables.join(name))
                .unwrap_or_else(|error| panic!("{TABLES}/{name} (Debian: kamailio): {error}"));
        }
        let pace = pace.replace("@TABLES@", tables.to_str().unwrap());
        Self::with(folder, algorithm, "loadmodule \"db_text.so\"", &pace)
    }

    /// `database` is loaded first of all modules.
    fn with(folder: &'a Folder, algorithm: &str, database: &str, pace: &str) -> Self {
        let port = free_port(0);
        let config = folder.path().join("kamailio_presence.cfg");
        let text = file_here("kamailio_presence.cfg")
            .replace("@DATABASE@", database)
            .replace("@PACE@", pace)
            .replace("@PORT@", &port.to_string())
            .replace("@ALGORITHM@", algorithm)
            .replace("@PASSWORD@", PASSWORD);
        fs::write(&config, text).unwrap();
        let process = run(&config, port, folder);
        Self {
            process,
            config,
            port,
            folder,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// It forgets everything.
    pub(crate) fn restart(&mut self) {
        end(&mut self.process);
        self.process = run(&self.config, self.port, self.folder);
    }

    /// Whether it has taken a PUBLISH of anna's by this transport, proven by this algorithm.
    pub(crate) fn has_taken_publish_of_anna(&self, transport: Transport, algorithm: &str) -> bool {
        let name = transport.name();
        let mark = format!("PUBLISH by {name} from anna with {algorithm}");
        self.process.output().contains(&mark)
    }
}

impl Drop for PresenceServer<'_> {
    fn drop(&mut self) {
        end(&mut self.process);
        if thread::panicking() {
            println!("--- kamailio said\n{}", self.process.output());
        }
    }
}

/// A watcher sees a publication come, change and go, refreshes and ends its subscription.
fn through_the_proxy(transport: Transport) {
    let folder = Folder::new(&format!("kamailio-{}", transport.name()));
    let mut server = Server::open_to_all();
    let proxy = Proxy::start(&server, &folder);
    let via = format!(
        "SIP/2.0/{} 127.0.0.1:{};",
        transport.name().to_uppercase(),
        proxy.port
    );
    let watcher = Run {
        scenario: "proxied",
        transport,
        expected: &via,
        ..ONCE
    };
    let publisher = Run {
        scenario: "publish",
        transport,
        ..ONCE
    };
    let watcher = watcher.start(proxy.port, &folder);
    server.wait_for(0, &["ingrid@example.org", "tomas@example.com", "started"]);
    // Time for the refresh.
    thread::sleep(Duration::from_millis(1500));
    publisher.run(proxy.port, &folder);
    watcher.finish();
    server.wait_for(0, &["ingrid@example.org", "ended: unsubscribed"]);
    server.wait_until_gone(&["ingrid", "tomas"]);
    proxy.assert_passed_by(transport, 6);
}

#[test]
fn a_watcher_behind_a_proxy_over_udp() {
    if asked_for("kamailio") && asked_for("sipp") {
        through_the_proxy(Transport::Udp);
    }
}

#[test]
fn a_watcher_behind_a_proxy_over_tcp() {
    if asked_for("kamailio") && asked_for("sipp") {
        through_the_proxy(Transport::Tcp);
    }
}

/// The proxy stops waiting before the server does, and says so.
#[test]
fn watchers_behind_a_proxy_that_answer_nothing_are_forgotten() {
    if !(asked_for("kamailio") && asked_for("sipp")) {
        return;
    }
    let folder = Folder::new("kamailio-silent");
    let server = Server::open_to_all();
    let proxy = Proxy::start(&server, &folder);
    let silent = Transport::BOTH.map(|transport| {
        let run = Run {
            scenario: "silent",
            transport,
            watcher: transport.name(),
            options: GO_ON,
            ..ONCE
        };
        run.start(proxy.port, &folder)
    });
    for transport in Transport::BOTH {
        let watcher = transport.name();
        server.wait_for(0, &[watcher, "tomas@example.com", "started: active"]);
    }
    for transport in Transport::BOTH {
        server.wait_for(0, &[transport.name(), "ended: NOTIFY not answered"]);
    }
    // Nobody waits until it has nothing more to be silent about.
    drop(silent);
}

#[test]
fn two_pjsua2_clients_behind_a_proxy_over_tcp() {
    if !(asked_for("kamailio") && asked_for("pjsua2")) {
        return;
    }
    let folder = Folder::new("kamailio-pjsua2");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let proxy = Proxy::start(&server, &folder);
    pjsua2::two_clients(&mut server, proxy.hop(Transport::Tcp), &folder);
    proxy.assert_passed_by(Transport::Tcp, 8);
}

#[test]
fn two_baresip_clients_behind_a_proxy_over_tcp() {
    if !(asked_for("kamailio") && asked_for("baresip")) {
        return;
    }
    let folder = Folder::new("kamailio-baresip");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "md5");
    let proxy = Proxy::start(&server, &folder);
    baresip::two_clients(&mut server, proxy.hop(Transport::Tcp), &folder);
    proxy.assert_passed_by(Transport::Tcp, 8);
}
