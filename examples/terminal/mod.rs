//! What the examples have of the terminal: lines out, lines in, and the wish to stop.

use std::fmt::Display;
use std::io::{self, BufRead as _, Read as _, Write as _};

/// Octets of a line that is read; what is above is another line.
const MAX_LINE: u64 = 4096;

/// Writes a line, without the control characters that a stranger may have put into it. That nobody
/// reads it any more is no reason to stop.
pub(crate) fn say(line: impl Display) {
    let line: String = line
        .to_string()
        .chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .collect();
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Reads lines of standard input in a thread of its own, until input ends or `take` has enough.
pub(crate) fn read_lines(mut take: impl FnMut(&str) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if !take(String::from_utf8_lossy(&line).trim()) {
                return;
            }
        }
    });
}

/// Waits for SIGINT or SIGTERM; both are caught from this call on.
#[cfg(unix)]
pub(crate) fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
