//! Somebody with a program that watches others, or shows who watches its user.

use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Backlog, NotifiedState, OwnSubscriptionKey, OwnSubscriptionPhase, RequestContext,
    SubscribeFailure, SubscriptionEnd,
};
use presentity::pidf::{Basic, Presence};
use presentity::presence::{WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput};
use presentity::sip::{HeaderName, OutgoingRequest, RequestRef, Response, ResponseRef};
use presentity::winfo::{
    FollowOrder, WatcherEntry, WatcherInfo, WatcherInfoEvent, WatcherInfoOutput,
    WatcherInfoSubscriber, WatcherInfoSubscriberConfig,
};

use crate::{Outcome, entropy};

/// A user with a program.
pub(crate) struct Party {
    name: &'static str,
    uri: String,
    contact: String,
    client: Client,
    key: OwnSubscriptionKey,
    /// Switched off, it hears nothing.
    pub(crate) is_on: bool,
    /// By which status its SUBSCRIBE was refused.
    refused: Option<u16>,
    ended: Option<SubscriptionEnd>,
}

enum Client {
    Watcher(Box<Watcher>),
    Window(Box<WatcherInfoSubscriber>),
}

/// What a program wants carried.
pub(crate) enum Wish {
    Send(OutgoingRequest),
    Respond(Response),
}

impl Party {
    /// Begins to watch somebody.
    pub(crate) fn watching(
        name: &'static str,
        place: usize,
        now: Timestamp,
        whom: &str,
        expires: u32,
    ) -> Outcome<Self> {
        let (uri, contact, account) = account(name, place)?;
        let mut watcher = Watcher::new(WatcherConfig::default(), entropy);
        let mut order = WatchOrder::new(&account, whom);
        order.expires = Some(expires);
        let key = watcher.watch(now, order)?;
        let client = Client::Watcher(Box::new(watcher));
        Ok(Self::new(name, uri, contact, client, key))
    }

    /// Follows who watches its user.
    pub(crate) fn with_window(name: &'static str, place: usize, now: Timestamp) -> Outcome<Self> {
        let (uri, contact, account) = account(name, place)?;
        let config = WatcherInfoSubscriberConfig::default();
        let mut window = WatcherInfoSubscriber::new(config, entropy);
        let key = window.follow(now, FollowOrder::new(&account, &uri))?;
        let client = Client::Window(Box::new(window));
        Ok(Self::new(name, uri, contact, client, key))
    }

    fn new(
        name: &'static str,
        uri: String,
        contact: String,
        client: Client,
        key: OwnSubscriptionKey,
    ) -> Self {
        Self {
            name,
            uri,
            contact,
            client,
            key,
            is_on: true,
            refused: None,
            ended: None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn contact(&self) -> &str {
        &self.contact
    }

    /// How the subscription stands: `pending`, `active`, why it was refused or ended, or else `open`.
    pub(crate) fn state(&self) -> String {
        let phase = match &self.client {
            Client::Watcher(it) => it.presentity(self.key).map(|it| it.subscription.phase),
            Client::Window(it) => it.resource(self.key).map(|it| it.subscription.phase),
        };
        match (phase, self.refused, &self.ended) {
            (Some(OwnSubscriptionPhase::Held(NotifiedState::Active)), ..) => "active".to_owned(),
            (Some(OwnSubscriptionPhase::Held(NotifiedState::Pending)), ..) => "pending".to_owned(),
            (_, Some(status), _) => format!("refused by {status}"),
            (_, None, Some(end)) => end.to_string(),
            (_, None, None) => "open".to_owned(),
        }
    }

    /// What it knows of whom it watches, in short.
    pub(crate) fn sees(&self) -> String {
        match &self.client {
            Client::Watcher(watcher) => match watcher.presence(self.key) {
                Some(presence) => presence_in_short(presence),
                None => "nothing".to_owned(),
            },
            Client::Window(window) => {
                let rows = window.watchers(self.key);
                entries_in_short(rows.map(|row| row.entry))
            }
        }
    }

    /// Who waits for a word, as the window has it.
    pub(crate) fn is_asked_by(&self) -> Vec<&str> {
        match &self.client {
            Client::Watcher(_) => Vec::new(),
            Client::Window(window) => {
                let rows = window.undecided(self.key);
                rows.map(|row| row.entry.uri.as_str()).collect()
            }
        }
    }

    pub(crate) fn end(&mut self, now: Timestamp) -> Outcome<()> {
        match &mut self.client {
            Client::Watcher(watcher) => watcher.end(now, self.key)?,
            Client::Window(window) => window.end(now, self.key)?,
        }
        Ok(())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.client {
            Client::Watcher(watcher) => watcher.poll_timeout(),
            Client::Window(window) => window.poll_timeout(),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        match &mut self.client {
            Client::Watcher(watcher) => watcher.handle_timeout(now),
            Client::Window(window) => window.handle_timeout(now),
        }
    }

    pub(crate) fn handle_request(
        &mut self,
        now: Timestamp,
        id: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        match &mut self.client {
            Client::Watcher(watcher) => watcher.handle_request(now, id, request, context),
            Client::Window(window) => window.handle_request(now, id, request, context),
        }
    }

    pub(crate) fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        match &mut self.client {
            Client::Watcher(watcher) => watcher.handle_response(now, transaction, response),
            Client::Window(window) => window.handle_response(now, transaction, response),
        }
    }

    /// What it wants done next; what it has to tell is kept.
    pub(crate) fn poll(&mut self) -> Option<Wish> {
        loop {
            match &mut self.client {
                Client::Watcher(watcher) => match watcher.poll_output()? {
                    WatcherOutput::Send(request) => return Some(Wish::Send(request)),
                    WatcherOutput::Respond(response) => return Some(Wish::Respond(response)),
                    WatcherOutput::Event(WatcherEvent::Failed { failure, .. }) => {
                        self.failed(failure);
                    }
                    WatcherOutput::Event(WatcherEvent::Ended { end, .. }) => self.ended = Some(end),
                    _ => {}
                },
                Client::Window(window) => match window.poll_output()? {
                    WatcherInfoOutput::Send(request) => return Some(Wish::Send(request)),
                    WatcherInfoOutput::Respond(response) => return Some(Wish::Respond(response)),
                    WatcherInfoOutput::Event(WatcherInfoEvent::Failed { failure, .. }) => {
                        self.failed(failure);
                    }
                    WatcherInfoOutput::Event(WatcherInfoEvent::Ended { end, .. }) => {
                        self.ended = Some(end);
                    }
                    _ => {}
                },
            }
        }
    }

    fn failed(&mut self, failure: SubscribeFailure) {
        if let SubscribeFailure::Refused { status } = failure {
            self.refused = Some(status);
        }
    }
}

fn account(name: &str, place: usize) -> Outcome<(String, String, Account)> {
    let uri = format!("sip:{name}@example.com");
    // Who comes back has another address.
    let contact = format!("sip:{name}@192.0.2.{}", place + 10);
    let account = Account::new(&uri)?.with_contact(&contact)?;
    Ok((uri, contact, account))
}

/// What a NOTIFY says.
pub(crate) fn in_short(notify: &RequestRef<'_>) -> String {
    let state = notify.first(HeaderName::SubscriptionState);
    let state = state.unwrap_or_default();
    let mut words = state.split(';').next().unwrap_or_default().to_owned();
    let mut params = state.split(';').skip(1);
    if let Some(reason) = params.find_map(|param| param.strip_prefix("reason=")) {
        words.push_str(&format!(" ({reason})"));
    }
    if let Ok(presence) = Presence::read(notify.body()) {
        words.push_str(&format!(", {}", presence_in_short(&presence)));
    } else if let Ok(info) = WatcherInfo::read(notify.body()) {
        let entries = info.lists.iter().flat_map(|list| &list.watchers);
        words.push_str(&format!(", {}", entries_in_short(entries)));
    }
    words
}

fn presence_in_short(presence: &Presence) -> String {
    let basic = presence.tuples.iter().find_map(|it| it.status.basic());
    let mut words = basic.map_or("unknown", Basic::as_str).to_owned();
    let notes = presence.tuples.iter().flat_map(|tuple| &tuple.notes);
    for note in notes {
        words.push_str(&format!(" \"{}\"", note.text));
    }
    words
}

fn entries_in_short<'a>(entries: impl Iterator<Item = &'a WatcherEntry>) -> String {
    let mut all: Vec<String> = entries
        .map(|it| {
            let name = it.uri.trim_start_matches("sip:");
            let name = name.split('@').next().unwrap_or_default();
            format!("{name} {} ({})", it.status, it.event)
        })
        .collect();
    all.sort();
    match all.is_empty() {
        true => "nobody".to_owned(),
        false => all.join(", "),
    }
}
