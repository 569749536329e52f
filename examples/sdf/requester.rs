//! The side of the watcher: posts documents, and takes the notifications that follow.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use presentity::pidf::{Note, Presence};
use presentity::sdf::{self, Request, Wish};
use presentity::sip::MediaType;
use tokio::time::Instant;

use crate::carriage::{DURATION, NOTIFY_TO, PRESENTITY, TOKEN, WATCHER, decoded};
use crate::documents::plain;
use crate::http::{Endpoint, Inbox, Posted, Reply, field};

/// Notifications that wait to be looked at.
const MAX_HEARD: usize = 1_024;

/// A watcher with the subscriptions that it holds.
#[derive(Debug)]
pub(crate) struct Requester {
    service: Endpoint,
    inbox: Option<(HeaderValue, Inbox)>,
    /// When they run out; nothing while the request is under way.
    held: BTreeMap<Name, Option<Instant>>,
    /// Fetched states that have not come.
    pub(crate) fetching: usize,
    pub(crate) heard: VecDeque<Notified>,
}

/// What names a subscription: watcher, presentity and token, as written.
type Name = (String, String, String);

/// What was answered to a request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) operation: String,
    pub(crate) duration: u32,
}

/// Why a request was not carried out: the status, if there was an answer, and what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotDone {
    pub(crate) status: Option<u16>,
    pub(crate) why: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "200 {}, {} s", plain(&self.operation), self.duration)
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status} {}", plain(&self.why)),
            None => write!(f, "error: {}", plain(&self.why)),
        }
    }
}

impl Requester {
    /// Without an address to be notified at, nothing can be asked for but cancellations.
    pub(crate) fn new(service: Endpoint, inbox: Option<(std::net::SocketAddr, Inbox)>) -> Self {
        let inbox = inbox.and_then(|(at, inbox)| {
            let url = HeaderValue::try_from(format!("http://{at}/")).ok()?;
            Some((url, inbox))
        });
        Self {
            service,
            inbox,
            held: BTreeMap::new(),
            fetching: 0,
            heard: VecDeque::new(),
        }
    }

    /// Posts a document, which need not be a good one, and waits for the answer.
    pub(crate) async fn send(&mut self, document: &Bytes) -> Result<Done, NotDone> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(sdf::MEDIA_TYPE));
        if let Some((url, _)) = &self.inbox {
            headers.insert(NOTIFY_TO, url.clone());
        }
        let request = Request::read(document).ok();
        let wish = request.as_ref().map(Request::wish);
        let name = |token: &str| {
            let request = request.as_ref()?;
            Some((
                request.from().to_owned(),
                request.to().to_owned(),
                token.to_owned(),
            ))
        };
        let name = match wish {
            Some(Wish::Hold { token, .. } | Wish::Cancel { token }) => name(token),
            _ => None,
        };
        // A notification may be here before the answer is.
        let mut is_new = false;
        if let (Some(Wish::Hold { .. }), Some(name)) = (wish, &name) {
            is_new = !self.held.contains_key(name);
            self.held.entry(name.clone()).or_default();
        }
        self.fetching += usize::from(wish == Some(Wish::Fetch));

        let service = self.service.clone();
        let answer = service.post(headers, document.clone());
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                posted = next(&mut self.inbox) => self.hear(posted),
            }
        };

        let done = outcome(answer);
        match (&done, wish, name) {
            (Ok(done), Some(Wish::Hold { .. }), Some(name)) => {
                let lasting = Duration::from_secs(done.duration.into());
                self.held.insert(name, Instant::now().checked_add(lasting));
            }
            (Ok(_), Some(Wish::Cancel { .. }), Some(name)) => {
                self.held.remove(&name);
            }
            (Err(_), Some(Wish::Hold { .. }), Some(name)) if is_new => {
                self.held.remove(&name);
            }
            (Err(_), Some(Wish::Fetch), _) => self.fetching = self.fetching.saturating_sub(1),
            _ => {}
        }
        done
    }

    /// Waits for the next notification.
    pub(crate) async fn notified(&mut self) -> Notified {
        loop {
            if let Some(notified) = self.heard.pop_front() {
                return notified;
            }
            let posted = next(&mut self.inbox).await;
            self.hear(posted);
        }
    }

    /// When the last subscription will have run out; nothing when there is none.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.held.values().flatten().max().copied()
    }

    fn hear(&mut self, posted: Posted) {
        let reply = match Notified::read(&posted) {
            Err((status, why)) => Reply::new(status, why),
            Ok(_) if self.heard.len() >= MAX_HEARD => {
                Reply::new(StatusCode::SERVICE_UNAVAILABLE, "too many notifications")
            }
            Ok(notified) if !self.is_awaited(&notified) => {
                Reply::new(StatusCode::GONE, "no such subscription")
            }
            Ok(notified) => {
                if notified.token.is_none() {
                    self.fetching = self.fetching.saturating_sub(1);
                }
                self.heard.push_back(notified);
                Reply::new(StatusCode::OK, "thank you")
            }
        };
        // The service may have gone.
        let _ = posted.answer.send(reply);
    }

    fn is_awaited(&self, notified: &Notified) -> bool {
        let Some(token) = &notified.token else {
            return self.fetching > 0;
        };
        let mut held = self.held.keys();
        // The presentity may be named otherwise by a later request for the same.
        held.any(|(watcher, presentity, known)| {
            known == token
                && same(watcher, &notified.watcher)
                && same(presentity, &notified.presentity)
        })
    }
}

fn same(one: &str, other: &str) -> bool {
    use presentity::sip::Uri;
    match (Uri::parse(one), Uri::parse(other)) {
        (Ok(one), Ok(other)) => one.address_of_record() == other.address_of_record(),
        _ => false,
    }
}

async fn next(inbox: &mut Option<(HeaderValue, Inbox)>) -> Posted {
    if let Some((_, inbox)) = inbox
        && let Some(posted) = inbox.recv().await
    {
        return posted;
    }
    // There will be none.
    std::future::pending().await
}

fn outcome(answer: Result<Reply, String>) -> Result<Done, NotDone> {
    let reply = answer.map_err(|why| NotDone { status: None, why })?;
    let failed = |why: String| NotDone {
        status: Some(reply.status.as_u16()),
        why,
    };
    if !reply.status.is_success() {
        return Err(failed(reply.text.clone()));
    }
    match field(&reply.headers, &DURATION).map(str::parse) {
        Some(Ok(duration)) => Ok(Done {
            operation: reply.text,
            duration,
        }),
        _ => Err(failed("does not say what duration is granted".to_owned())),
    }
}

/// A notification.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notified {
    pub(crate) watcher: String,
    pub(crate) presentity: String,
    /// Nothing for a fetch.
    pub(crate) token: Option<String>,
    /// The seconds that are left; nothing for a fetch.
    pub(crate) left: Option<u32>,
    /// Nothing if nothing may be seen.
    pub(crate) presence: Option<Presence>,
}

impl Notified {
    fn read(posted: &Posted) -> Result<Self, (StatusCode, &'static str)> {
        let wrong = |what| (StatusCode::BAD_REQUEST, what);
        let content_type = field(&posted.headers, &CONTENT_TYPE).unwrap_or_default();
        let is_pidf =
            MediaType::parse(content_type).is_ok_and(|it| it.essence_eq("application/pidf+xml"));
        if !is_pidf {
            return Err((
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not a presence document",
            ));
        }
        let presence = match &posted.body {
            body if body.is_empty() => None,
            body => Some(Presence::read(body).map_err(|_| wrong("the document cannot be read"))?),
        };
        let name = |field_name| field(&posted.headers, field_name).map(str::to_owned);
        let left = field(&posted.headers, &DURATION).map(str::parse);
        Ok(Self {
            watcher: name(&WATCHER).ok_or(wrong("Watcher is missing"))?,
            presentity: name(&PRESENTITY).ok_or(wrong("Presentity is missing"))?,
            token: field(&posted.headers, &TOKEN).map(decoded),
            left: left
                .transpose()
                .map_err(|_| wrong("Duration is no number"))?,
            presence,
        })
    }

    /// What the document says, in few words.
    pub(crate) fn summary(&self) -> String {
        let Some(presence) = &self.presence else {
            return "nothing to be seen".to_owned();
        };
        let mut parts: Vec<String> = Vec::new();
        let basics = presence
            .tuples
            .iter()
            .filter_map(|tuple| tuple.status.basic());
        parts.extend(basics.map(|basic| basic.as_str().to_owned()));
        if parts.is_empty() {
            parts.push("unknown".to_owned());
        }
        let of_tuples = presence.tuples.iter().flat_map(|tuple| &tuple.notes);
        let notes = presence.notes.iter().chain(of_tuples);
        parts.extend(notes.map(|Note { text, .. }| format!("{text:?}")));
        parts.join(" ")
    }
}

impl fmt::Display for Notified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (watcher, presentity) = (plain(&self.watcher), plain(&self.presentity));
        write!(f, "notified watcher={watcher} presentity={presentity}")?;
        match &self.token {
            Some(token) => write!(f, " token={token:?}")?,
            None => f.write_str(" fetched")?,
        }
        if let Some(left) = self.left {
            write!(f, " left={left}")?;
        }
        write!(f, ": {}", plain(&self.summary()))
    }
}
