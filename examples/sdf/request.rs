//! Posts documents to a service, and prints what comes of them.

use std::net::SocketAddr;
use std::time::Duration;

use presentity::sdf::{Request, Wish};
use tokio::time::{Instant, sleep_until};

use crate::documents::File;
use crate::http::{Endpoint, PATIENCE, listen};
use crate::requester::{Notified, Requester};
use crate::terminal::{say, told_to_stop};

/// What to post, and where to.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) to: Endpoint,
    /// Where notifications are taken; a free port if any are awaited.
    pub(crate) listen: Option<SocketAddr>,
    /// How long.
    pub(crate) lasting: Option<Duration>,
    pub(crate) files: Vec<File>,
}

/// Whether every document did what it was for.
pub(crate) async fn run(args: &Args, anywhere: SocketAddr) -> Result<bool, String> {
    let stop = told_to_stop().map_err(|error| error.to_string())?;
    tokio::pin!(stop);
    let end = args
        .lasting
        .and_then(|lasting| Instant::now().checked_add(lasting));
    let mut good = true;
    let mut documents = Vec::new();
    for file in &args.files {
        match file.content() {
            Ok(document) => documents.push((file, document)),
            Err(error) => {
                good = false;
                say(error);
            }
        }
    }
    let notifies = documents.iter().any(|(_, document)| {
        Request::read(document).is_ok_and(|it| !matches!(it.wish(), Wish::Cancel { .. }))
    });
    let at = args.listen.or_else(|| notifies.then_some(anywhere));
    let inbox = match at {
        None => None,
        Some(at) => {
            let inbox = listen(at).await.map_err(|error| format!("{at}: {error}"))?;
            say(format_args!("listening on http://{}/", inbox.0));
            Some(inbox)
        }
    };
    let mut requester = Requester::new(args.to.clone(), inbox);
    for (file, document) in &documents {
        let done = tokio::select! {
            done = requester.send(document) => done,
            () = &mut stop => return Ok(good),
        };
        match done {
            Ok(done) => say(format_args!("{file}: {done}")),
            Err(failed) => {
                good = false;
                say(format_args!("{file}: {failed}"));
            }
        }
        requester.heard.drain(..).for_each(print);
    }
    let fetched_by = Instant::now() + PATIENCE;
    loop {
        let until = match requester.held_until() {
            Some(until) => Some(until),
            None if requester.fetching > 0 => Some(fetched_by),
            None => None,
        };
        let Some(until) = [until, end.filter(|_| until.is_some())]
            .into_iter()
            .flatten()
            .min()
        else {
            return Ok(good);
        };
        tokio::select! {
            notified = requester.notified() => print(notified),
            () = sleep_until(until) => break,
            () = &mut stop => break,
        }
    }
    if requester.fetching > 0 {
        say("error: no notification came for a fetch");
    }
    Ok(good && requester.fetching == 0)
}

fn print(notified: Notified) {
    say(notified);
}
