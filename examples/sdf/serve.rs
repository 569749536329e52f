//! Serves subscriptions to watchers on this machine.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::host::{Allowed, Host};
use crate::http::listen;
use crate::states::{Line, States};
use crate::terminal::{read_lines, say, told_to_stop};

/// Between two notifications of changes of the same presentity.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);
/// Lines that were read and are not looked at yet.
const MAX_LINES: usize = 16;

/// What to serve, and to whom.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) listen: SocketAddr,
    /// Documents of presentities.
    pub(crate) states: Vec<PathBuf>,
    pub(crate) everybody: bool,
    /// Canonical names of those who may watch.
    pub(crate) allowed: BTreeSet<String>,
    /// How long.
    pub(crate) lasting: Option<Duration>,
}

/// Serves until it is told to stop.
pub(crate) async fn run(args: Args) -> Result<bool, String> {
    let stop = told_to_stop().map_err(|error| error.to_string())?;
    let mut states = States::default();
    for path in &args.states {
        states.read(path)?;
    }
    let allowed = Allowed {
        everybody: args.everybody,
        these: args.allowed,
    };
    let host = Host::new(allowed, states, NOTIFY_INTERVAL, false)?;
    let listening = listen(args.listen).await;
    let (at, inbox) = listening.map_err(|error| format!("{}: {error}", args.listen))?;
    say(format_args!("serving http://{at}/"));
    let (sender, lines) = mpsc::channel(MAX_LINES);
    // Kept, so that the end of input is not taken for the wish to quit.
    let _kept = sender.clone();
    read_lines(move |line| match Line::parse(line) {
        Ok(None) => true,
        Ok(Some(line)) => sender.blocking_send(line).is_ok(),
        Err(error) => {
            say(format_args!("error: {error}"));
            true
        }
    });
    let end = async {
        match args.lasting {
            Some(lasting) => tokio::time::sleep(lasting).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = host.run(inbox, lines) => {}
        () = stop => {}
        () = end => {}
    }
    Ok(true)
}
