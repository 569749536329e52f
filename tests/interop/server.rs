//! The example server as a process.

use crate::process::Process;
use crate::{Folder, Hop, Transport, example, free_port};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the server may take for anything that it is told.
const SOON: Duration = Duration::from_secs(8);

/// Of all users that have one.
pub(crate) const PASSWORD: &str = "fjord";

#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::on(free_port(0), arguments)
    }

    pub(crate) fn on(port: u16, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.args(arguments);
        let further = std::env::var("PRESENTITY_SERVER_OPTIONS").unwrap_or_default();
        command.args(further.split_whitespace());
        let process = Process::start("presence_server", &mut command);
        let ready = format!("listening on 127.0.0.1:{port}");
        process.wait_for(0, SOON, &ready, |line| line == ready);
        Self { process, port }
    }

    /// Without authentication, everybody allowed, and a NOTIFY for a change at most every second.
    pub(crate) fn open_to_all() -> Self {
        Self::start(&["--no-auth", "--policy", "allow", "--notify-interval", "1"])
    }

    /// For these users of the domain example.org, who have to prove who they are; subscriptions and
    /// publications may be as short as ten seconds.
    pub(crate) fn with_passwords(folder: &Folder, users: &[&str], digest: &str) -> Self {
        let accounts = folder.path().join("accounts");
        let lines: Vec<String> = users
            .iter()
            .map(|user| format!("{user}:{PASSWORD}\n"))
            .collect();
        fs::write(&accounts, lines.concat()).unwrap();
        Self::start(&with_accounts(&accounts, digest))
    }

    /// Ends a server [with passwords](Self::with_passwords) in an orderly way, and starts it again
    /// without what it knew.
    pub(crate) fn restart(&mut self, folder: &Folder, digest: &str) {
        self.terminate();
        self.wait_for_end();
        let accounts = folder.path().join("accounts");
        *self = Self::on(self.port, &with_accounts(&accounts, digest));
    }

    pub(crate) fn hop(&self, transport: Transport) -> Hop {
        Hop {
            port: self.port,
            transport,
        }
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

    /// Asks with this command until the answer has a line with all these words.
    pub(crate) fn wait_until_it_answers(
        &mut self,
        command: &str,
        words: &[&str],
        within: Duration,
    ) {
        let deadline = Instant::now() + within;
        let from = self.said();
        loop {
            self.tell(command);
            std::thread::sleep(Duration::from_millis(300));
            let output = self.output();
            let fits = |line: &str| words.iter().all(|word| line.contains(word));
            if output.lines().skip(from).any(fits) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{command} was not answered with {words:?} within {within:?}"
            );
        }
    }

    /// The line of `list` about the subscription of one to the other.
    pub(crate) fn subscription(&mut self, watcher: &str, presentity: &str) -> String {
        let list = self.list();
        let names = format!("{watcher} to {presentity},");
        let found = list.iter().find(|line| line.contains(&names));
        found
            .unwrap_or_else(|| panic!("{names} is not among {list:#?}"))
            .clone()
    }

    /// How many publications `list` names.
    pub(crate) fn publications(&mut self) -> usize {
        let list = self.list();
        let publication =
            |line: &&String| line.starts_with("publication") && line.contains(" left");
        list.iter().filter(publication).count()
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
    pub(crate) fn terminate(&mut self) {
        self.process.terminate();
    }

    /// Sends the signal by which a service is told to read its configuration again.
    pub(crate) fn hang_up(&mut self) {
        self.process.signal("HUP");
    }

    /// Waits for the server's end, which must come within the three seconds that it promises.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        self.process.wait_for_end(Duration::from_millis(3_500))
    }
}

fn with_accounts<'a>(accounts: &'a Path, digest: &'a str) -> [&'a str; 12] {
    [
        "--accounts",
        accounts.to_str().unwrap(),
        "--digest",
        digest,
        "--domain",
        "example.org",
        "--policy",
        "allow",
        "--notify-interval",
        "1",
        "--min-expires",
        "10",
    ]
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- presence_server said\n{}", self.output());
        }
    }
}

/// The server to test: `PRESENTITY_SERVER`, or the example, built when it is not up to date.
pub(crate) fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("PRESENTITY_SERVER") {
            return path.into();
        }
        example::built("presence_server")
    })
}
