//! Requests of ours whose outcome is awaited, and the challenges to them (RFC 3261 section 22).

use core::time::Duration;

use super::credentials::{CHALLENGES_ANSWERED, NeedCredentials, credentials_field};
use crate::engine::slab::Key;
use crate::engine::window::Window;
use crate::engine::{ClientTransaction, Timestamp};
use crate::sip::{HeaderName, ResponseRef};

/// A CSeq above this would leave no room to count up (RFC 3261 section 8.1.1.5).
pub(super) const HIGHEST_CSEQ: u32 = (1 << 31) - (1 << 24);
/// How far a CSeq counts from there before its dialog, or Call-ID, is given up for another.
pub(super) const LAST_CSEQ: u32 = HIGHEST_CSEQ + (1 << 23);
/// How long a request holds its place in the window.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(2);

/// Fields that answer challenges.
pub(super) type Credentials = Vec<(HeaderName, String)>;

/// A bounded number of open requests. A challenged one stays open until the host has answered.
#[derive(Debug)]
pub(super) struct OpenRequests<T> {
    role: u8,
    window: Window<OpenRequest<T>>,
    strays: u64,
}

#[derive(Debug)]
pub(super) struct OpenRequest<T> {
    about: T,
    /// The field that credentials are waited for, if it was challenged.
    awaited: Option<HeaderName>,
    /// What it was sent with.
    credentials: Credentials,
}

/// Challenges in a row: by the server, and by proxies.
pub(super) type Challenges = [u8; 2];

impl<T> OpenRequests<T> {
    pub(super) fn new(role: u8, window: Window<OpenRequest<T>>) -> Self {
        Self {
            role,
            window,
            strays: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.window.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.window.has_room()
    }

    /// Outcomes of transactions that were not open.
    pub(super) fn strays(&self) -> u64 {
        self.strays
    }

    /// See [`Window::age`].
    pub(super) fn age(&mut self, now: Timestamp, budget: &mut u32) {
        self.window.age(now, budget);
    }

    /// When something is to be done by [`age`](Self::age) or [`abandoned`](Self::abandoned).
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.window.next()
    }

    pub(super) fn open(&mut self, now: Timestamp, about: T, credentials: Credentials) -> Key {
        let request = OpenRequest {
            about,
            awaited: None,
            credentials,
        };
        self.window.open(now, request)
    }

    pub(super) fn transaction(&self, place: Key) -> ClientTransaction {
        ClientTransaction::of(self.role, place)
    }

    fn place(&self, transaction: ClientTransaction) -> Option<Key> {
        let place = self.window.key_at(transaction.index())?;
        (self.transaction(place) == transaction).then_some(place)
    }

    /// The open request that an outcome is about.
    pub(super) fn outcome(&mut self, transaction: ClientTransaction) -> Option<Key> {
        let unanswered =
            |place: &Key| (self.window.get(*place)).is_some_and(|it| it.awaited.is_none());
        let place = self.place(transaction).filter(unanswered);
        if place.is_none() {
            self.strays += 1;
        }
        place
    }

    pub(super) fn about(&self, place: Key) -> Option<&T> {
        self.window.get(place).map(|request| &request.about)
    }

    pub(super) fn close(&mut self, place: Key) -> Option<T> {
        self.window.close(place).map(|request| request.about)
    }

    /// Closes one that the host will not report on any more, with the field that credentials were
    /// waited for.
    pub(super) fn abandoned(&mut self, now: Timestamp) -> Option<(T, Option<HeaderName>)> {
        let place = self.window.abandoned(now)?;
        let request = self.window.close(place)?;
        Some((request.about, request.awaited))
    }

    /// What the host is to be asked for, when a 401 or 407 is worth an answer. The URIs are those of the
    /// request and of From.
    pub(super) fn challenge(
        &mut self,
        place: Key,
        method: &'static str,
        [uri, from]: [&str; 2],
        response: &ResponseRef<'_>,
        in_a_row: &mut Challenges,
    ) -> Option<NeedCredentials> {
        let [by_server, by_proxies] = in_a_row;
        let challenges = match response.status() {
            401 => by_server,
            407 => by_proxies,
            _ => return None,
        };
        if *challenges >= CHALLENGES_ANSWERED {
            return None;
        }
        let transaction = self.transaction(place);
        let need = NeedCredentials::of(transaction, method, uri, from, response)?;
        self.window.get_mut(place)?.awaited = Some(credentials_field(response.status()));
        *challenges += 1;
        Some(need)
    }

    /// Closes a challenged request; what it is to be repeated with.
    pub(super) fn answered(
        &mut self,
        transaction: ClientTransaction,
        value: &str,
    ) -> Option<(T, Credentials)> {
        if value.contains(char::is_control) {
            return None;
        }
        let place = self.place(transaction)?;
        let name = self.window.get(place)?.awaited?;
        let request = self.window.close(place)?;
        // What another one on the way has asked for goes with it (RFC 3261 section 22.3).
        let mut credentials = request.credentials;
        credentials.retain(|(other, _)| *other != name);
        credentials.push((name, value.to_owned()));
        Some((request.about, credentials))
    }

    /// Closes a challenged request for which there are no credentials; tells which.
    pub(super) fn declined(&mut self, transaction: ClientTransaction) -> Option<(T, HeaderName)> {
        let place = self.place(transaction)?;
        let name = self.window.get(place)?.awaited?;
        let request = self.window.close(place)?;
        Some((request.about, name))
    }
}

/// The status of a challenge that this field would have answered.
pub(super) fn challenge_status(field: HeaderName) -> u16 {
    match field == HeaderName::ProxyAuthorization {
        true => 407,
        false => 401,
    }
}
