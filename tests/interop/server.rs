//! The example server as a process.

use crate::free_port;
use crate::process::Process;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the server may take for anything that it is told.
const SOON: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let port = free_port(0);
        let mut command = Command::new(program());
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.args(arguments);
        let process = Process::start("presence_server", &mut command);
        let ready = format!("listening on 127.0.0.1:{port}");
        process.wait_for(0, SOON, &ready, |line| line == ready);
        Self { process, port }
    }

    /// Without authentication, everybody allowed, and a NOTIFY for a change at most every second.
    pub(crate) fn open_to_all() -> Self {
        Self::start(&["--no-auth", "--policy", "allow", "--notify-interval", "1"])
    }

    pub(crate) fn tell(&mut self, command: &str) {
        self.process.tell(command);
    }

    pub(crate) fn said(&self) -> usize {
        self.process.said()
    }

    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// Waits until the server has said a line, from number `from` on, in which all these words stand.
    pub(crate) fn wait_for(&self, from: usize, words: &[&str]) {
        let what = words.join(" ... ");
        self.process.wait_for(from, SOON, &what, |line| {
            words.iter().all(|word| line.contains(word))
        });
    }

    /// What the server says to `list`, once it has been silent for a moment.
    pub(crate) fn list(&mut self) -> Vec<String> {
        let from = self.said();
        self.tell("list");
        let mut known = from;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.said();
            if now == known {
                break;
            }
            known = now;
        }
        let output = self.output();
        output.lines().skip(from).map(str::to_owned).collect()
    }

    /// Waits until `list` names none of these words any more.
    pub(crate) fn wait_until_gone(&mut self, words: &[&str]) {
        let deadline = Instant::now() + 2 * SOON;
        loop {
            let list = self.list();
            let left = |line: &&String| words.iter().any(|word| line.contains(word));
            let left: Vec<&String> = list.iter().filter(left).collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still listed: {left:#?}");
        }
    }

    /// Sends the signal that a service manager sends.
    pub(crate) fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.process.id());
        let status = Command::new("sh").arg("-c").arg(&kill).status().unwrap();
        assert!(status.success(), "{kill}: {status}");
    }

    /// Waits for the server's end, which must come within the three seconds that it promises.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        self.process.wait_for_end(Duration::from_millis(3_500))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- presence_server said\n{}", self.output());
        }
    }
}

/// The server to test: `PRESENTITY_SERVER`, or the example, built when it is not up to date.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("PRESENTITY_SERVER") {
            return path.into();
        }
        // This test is target/<profile>/deps/interop-<hash>.
        let deps = std::env::current_exe().unwrap();
        let profile = deps.parent().and_then(Path::parent).unwrap().to_owned();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--example", "presence_server"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().unwrap();
        assert!(
            status.success(),
            "the example presence_server does not build"
        );
        profile.join("examples/presence_server")
    })
}
