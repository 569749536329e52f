//! The example server against programs that others wrote: SIPp with the scenarios of this folder, and
//! baresip and Linphone as ordinary clients.
//!
//! These tests run only when `PRESENTITY_INTEROP` says so: `1` for all, or a list such as `sipp,baresip`.
//! They need the programs on the path (Debian: `sip-tester`, `baresip-core`, `linphone-cli`), use
//! 127.0.0.1 only, and end what they start. `PRESENTITY_SERVER` may name another program with the command
//! line of the example `presence_server`; without it that example is built and used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test code may fail loudly, and these tests run in real time"
)]

mod baresip;
mod linphone;
mod process;
mod server;
mod sipp;

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
