//! A program that a test started: what it says, what is said to it, and its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct Lines {
    all: Mutex<Vec<String>>,
    more: Condvar,
}

/// A child process whose output is collected line by line; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Arc<Lines>,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}: {command:?}"));
        let lines = Arc::new(Lines::default());
        collect(child.stdout.take().unwrap(), &lines);
        collect(child.stderr.take().unwrap(), &lines);
        Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            lines,
        }
    }

    /// How many lines it has said so far: where [`Process::wait_for`] may start.
    pub(crate) fn said(&self) -> usize {
        self.lines.all.lock().unwrap().len()
    }

    pub(crate) fn output(&self) -> String {
        self.lines.all.lock().unwrap().join("\n")
    }

    /// The first line from number `from` on that fits; fails the test when none comes in time.
    pub(crate) fn wait_for(
        &self,
        from: usize,
        within: Duration,
        what: &str,
        fits: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = Instant::now() + within;
        let mut all = self.lines.all.lock().unwrap();
        loop {
            if let Some(line) = all.iter().skip(from).find(|line| fits(line)) {
                return line.clone();
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                let said = all.join("\n");
                drop(all);
                panic!("{}: {what} not said within {within:?}:\n{said}", self.name);
            };
            all = self.lines.more.wait_timeout(all, left).unwrap().0;
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Sends the signal that a service manager sends.
    pub(crate) fn terminate(&mut self) {
        self.signal("TERM");
    }

    /// Sends a signal, by its short name.
    pub(crate) fn signal(&mut self, name: &str) {
        if self.has_ended() {
            return;
        }
        let kill = format!("kill -{name} {}", self.child.id());
        let _ = Command::new("sh").arg("-c").arg(&kill).status();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Its exit status; fails the test when it is still there after that time.
    pub(crate) fn wait_for_end(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "{} has not ended within {within:?}:\n{}",
            self.name,
            self.output()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, into: &Arc<Lines>) {
    let into = Arc::clone(into);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = without_colours(String::from_utf8_lossy(&line).trim_end());
            into.all.lock().unwrap().push(text);
            into.more.notify_all();
            line.clear();
        }
    });
}

/// The text without terminal colour sequences.
fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            out.push(c);
        }
    }
    out
}

#[test]
fn colours_are_removed() {
    assert_eq!(without_colours("a \u{1b}[31mb\u{1b}[;m c"), "a b c");
}
