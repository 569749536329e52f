//! The example server against programs that others wrote: SIPp with the scenarios of this folder,
//! baresip, Linphone and pjsua2 as ordinary clients, and Kamailio as a proxy before it; and the example
//! publisher and the example watcher, against the example server, the presence server of Kamailio, and SIPp
//! as a server that answers as none should and a notifier that does as none should; the watcher also against
//! baresip as the agent of its own user. And the example `sdf` as service and as watcher. With the feature
//! `smime`, S/MIME beside the program `openssl`, what the example server signs for the example watcher, and the
//! example `padlock`. And the example server by TLS, with the program `openssl` at the other end.
//!
//! These tests run only when `PRESENTITY_INTEROP` says so: `1` for all, or a list of `sipp`, `baresip`,
//! `linphone`, `pjsua2`, `kamailio`, `kamailio-presence`, `tls`, `smime`, `signed`, `publish`, `watch`, `rules`,
//! `devices`, `operations`, `winfo`, `extensions`, `sdf` and `padlock`, of which the last nine need no other program; a
//! test that needs two of them runs when both are named. They need the programs on the path (Debian:
//! `sip-tester`, `baresip-core`, `linphone-cli`, `kamailio`, `kamailio-presence-modules`, `openssl`), use
//! 127.0.0.1 only, and end what they start. These variables say where else to
//! look, and how:
//!
//! - `PRESENTITY_PYTHON`: a Python interpreter that finds the module `pjsua2` (PyPI: `pjsua2-python`);
//!   without it, `python3`;
//! - `PRESENTITY_SERVER`: another program with the command line of the example `presence_server`; without
//!   it that example is built and used;
//! - `PRESENTITY_SERVER_OPTIONS`: what every server is started with beside what its test says.
//!
//! They mostly wait, so that more of them may run at once than there are cores: `-- --test-threads 6`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test code may fail loudly, and these tests run in real time"
)]

#[path = "../../examples/digest/algorithm.rs"]
mod algorithm;
#[path = "../../examples/client/digest.rs"]
#[allow(dead_code, reason = "a watcher that asks once has little to remember")]
mod client_digest;

mod baresip;
#[cfg(feature = "smime")]
mod certificates;
mod devices;
mod example;
mod extensions;
mod fetch;
mod hostile_notifier;
mod hostile_publications;
mod hostile_server;
mod kamailio;
mod linphone;
mod mixed;
mod operations;
#[cfg(feature = "smime")]
mod padlock;
mod phone;
mod pjsua2;
mod presence_rules;
mod process;
mod publish;
mod sdf;
mod server;
#[cfg(feature = "smime")]
mod signed;
mod sipp;
mod sipp_crowds;
#[cfg(feature = "smime")]
mod smime;
#[cfg(feature = "smime")]
#[path = "../smime/authority.rs"]
mod smime_authority;
mod tap;
mod tls;
mod watch;
mod winfo;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// Whether the tests with this program were asked for; says so when not.
fn asked_for(program: &str) -> bool {
    let wanted = std::env::var("PRESENTITY_INTEROP").unwrap_or_default();
    let asked = wanted == "1" || wanted.split(',').any(|one| one.trim() == program);
    if !asked {
        println!("not asked for: set PRESENTITY_INTEROP=1 to run the tests with {program}");
    }
    asked
}

/// Where a client sends what it has to say, the server or a proxy before it.
#[derive(Debug, Clone, Copy)]
struct Hop {
    /// Of 127.0.0.1.
    port: u16,
    transport: Transport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    const BOTH: [Self; 2] = [Self::Udp, Self::Tcp];

    /// As it stands in a URI.
    fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// What stands in a file of this folder.
fn file_here(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A port of 127.0.0.1 that was free for UDP and TCP, with `following` more free ones after it.
fn free_port(following: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs at the same time start at different places below the range of ephemeral ports.
    let start = 10_000 + u16::try_from(std::process::id() % 200).unwrap() * 100;
    let is_free = |port: u16| {
        UdpSocket::bind(("127.0.0.1", port)).is_ok()
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
    };
    for _ in 0..500 {
        let port = start + NEXT.fetch_add(1 + following, Ordering::Relaxed) % 2_000;
        if (port..=port + following).all(is_free) {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

/// A folder for one test, removed at its end unless the test failed.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("interop-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
