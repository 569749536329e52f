//! The operations of section 4 of the draft, one after the other, over sockets.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use presentity::pidf::Basic;
use presentity::sdf::{InvalidRequest, Request, Token};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock::utc;
use crate::host::{Allowed, Host};
use crate::http::{Endpoint, listen};
use crate::requester::{Done, NotDone, Notified, Requester};
use crate::states::{Line, States};
use crate::terminal::say;

const WATCHER: &str = "pres:nora@example.org";
const PRESENTITY: &str = "pres:emil@example.com";

/// For the whole of it.
const AT_MOST: Duration = Duration::from_secs(30);
/// For a notification to come, and for one that must not come.
const SOON: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_millis(500);

/// Whether everything was as the draft says.
pub(crate) async fn run(anywhere: SocketAddr) -> Result<bool, String> {
    let mut states = States::default();
    states.change(PRESENTITY, &basic(Basic::Closed))?;
    let allowed = Allowed {
        everybody: true,
        ..Allowed::default()
    };
    let host = Host::new(allowed, states, Duration::from_millis(50), true)?;
    let (at, inbox) = listen(anywhere).await.map_err(|error| error.to_string())?;
    let listening = listen(anywhere).await.map_err(|error| error.to_string())?;
    say(format_args!(
        "service at http://{at}/, watcher at http://{}/",
        listening.0
    ));
    let (lines, taken) = mpsc::channel(1);
    let demo = Demo {
        requester: Requester::new(Endpoint::at(at)?, Some(listening)),
        lines,
        good: true,
    };
    tokio::select! {
        () = host.run(inbox, taken) => Err("the service has ended".to_owned()),
        good = timeout(AT_MOST, demo.run()) => good.map_err(|_| "it takes too long".to_owned())?,
    }
}

fn basic(basic: Basic) -> Line {
    Line::Basic(PRESENTITY.to_owned(), basic)
}

struct Demo {
    requester: Requester,
    lines: mpsc::Sender<Line>,
    good: bool,
}

impl Demo {
    async fn run(mut self) -> Result<bool, String> {
        let token = Token::new("99").map_err(|error| error.to_string())?;
        let subscribe = |seconds| Request::subscribe(WATCHER, PRESENTITY, utc(), &token, seconds);
        let cancel = || Request::cancel(WATCHER, PRESENTITY, utc(), &token);

        say("1. subscribe for an hour");
        let first = subscribe(3600);
        let done = self.send(first.clone()).await?;
        self.expect("subscribe", 3600, &done);
        self.expect_notification(Some("99"), 3600, "closed").await;

        say("2. the state changes");
        self.change(Basic::Open).await;
        self.expect_notification(Some("99"), 3600, "open").await;

        say("3. extend for half an hour");
        let done = self.send(subscribe(1800)).await?;
        self.expect("extend", 1800, &done);
        self.expect_notification(Some("99"), 1800, "open").await;

        say("4. fetch, while the subscription is held");
        let done = self
            .send(Request::fetch(WATCHER, PRESENTITY, utc()))
            .await?;
        self.expect("fetch", 0, &done);
        self.expect_notification(None, 0, "open").await;

        say("5. the first document once more");
        let done = self.send(first).await?;
        self.expect_refusal(403, &done);

        say("6. cancel, and change the state");
        let done = self.send(cancel()).await?;
        self.expect("cancel", 0, &done);
        self.change(Basic::Closed).await;
        match timeout(A_WHILE, self.requester.notified()).await {
            Err(_) => say("   no notification"),
            Ok(notified) => self.complain(format_args!("expected none: {notified}")),
        }

        say("7. cancel what is no more");
        let done = self.send(cancel()).await?;
        self.expect_refusal(404, &done);
        Ok(self.good)
    }

    async fn send(
        &mut self,
        request: Result<Request, InvalidRequest>,
    ) -> Result<Result<Done, NotDone>, String> {
        let request = request.map_err(|error| error.to_string())?;
        let done = self.requester.send(request.octets()).await;
        match &done {
            Ok(done) => say(format_args!("   {done}")),
            Err(failed) => say(format_args!("   {failed}")),
        }
        Ok(done)
    }

    async fn change(&mut self, to: Basic) {
        if self.lines.send(basic(to)).await.is_err() {
            self.complain("the service takes no change");
        }
    }

    fn complain(&mut self, what: impl Display) {
        self.good = false;
        say(format_args!("   WRONG: {what}"));
    }

    fn expect(&mut self, operation: &str, duration: u32, done: &Result<Done, NotDone>) {
        let expected = Done {
            operation: operation.to_owned(),
            duration,
        };
        if done.as_ref() != Ok(&expected) {
            self.complain(format_args!("expected {expected}"));
        }
    }

    fn expect_refusal(&mut self, status: u16, done: &Result<Done, NotDone>) {
        if done.as_ref().err().and_then(|failed| failed.status) != Some(status) {
            self.complain(format_args!("expected {status}"));
        }
    }

    /// One in which that much is left or little less.
    async fn expect_notification(&mut self, token: Option<&str>, left: u32, summary: &str) {
        let Ok(notified) = timeout(SOON, self.requester.notified()).await else {
            return self.complain("no notification");
        };
        say(format_args!("   {notified}"));
        let in_time = match notified.left {
            Some(seconds) => seconds <= left && seconds + 30 > left,
            None => token.is_none(),
        };
        let Notified {
            watcher,
            presentity,
            token: named,
            ..
        } = &notified;
        let names = (watcher.as_str(), presentity.as_str(), named.as_deref());
        if !in_time || names != (WATCHER, PRESENTITY, token) || notified.summary() != summary {
            self.complain(format_args!(
                "expected token {token:?}, {left} s left, {summary}"
            ));
        }
    }
}
