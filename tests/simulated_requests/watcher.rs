//! A watcher that subscribes by documents.

use std::collections::BTreeSet;

use bytes::Bytes;
use presentity::event::Delivery;
use presentity::sdf::{Failure, Granted, Operation, Request, Token};
use time::OffsetDateTime;

use crate::rules::PRESENTITIES;

/// Milliseconds until a request is sent again.
const PATIENCE: u64 = 4_000;

/// A request that is not answered yet.
#[derive(Debug)]
struct Pending {
    serial: u64,
    octets: Bytes,
    again_at: u64,
    tries: u32,
}

#[derive(Debug)]
pub struct Watcher {
    pub user: String,
    pub presentity: usize,
    /// What it wants; nothing when it wants nothing.
    pub token: Option<String>,
    /// What it does not want any more, and has not been told to be over.
    cancelling: Option<String>,
    pub expires: u32,
    /// Its clock is wrong by so many milliseconds.
    pub skew: i64,
    last: i64,
    pending: Option<Pending>,
    /// When to ask next.
    ask_at: u64,
    replayed: u32,
    pub silent_until: u64,
    /// Tokens of documents that it may have dated later than newer ones.
    pub set_back: BTreeSet<String>,
    tokens: u64,
    serials: u64,
    /// What it was shown last, with the number of the notification.
    pub held: Option<(u64, String)>,
}

impl Watcher {
    pub fn new(user: String, presentity: usize) -> Self {
        Self {
            user,
            presentity,
            token: None,
            cancelling: None,
            expires: 600,
            skew: 0,
            last: i64::MIN,
            pending: None,
            ask_at: 0,
            replayed: 0,
            silent_until: 0,
            set_back: BTreeSet::new(),
            tokens: 0,
            serials: 0,
            held: None,
        }
    }

    pub fn uri(&self) -> String {
        format!("pres:{}", self.user)
    }

    /// A subscription with a new token; what there was is forgotten.
    pub fn begin(&mut self) {
        self.tokens += 1;
        self.token = Some(format!("token-{}", self.tokens));
        self.cancelling = None;
        self.pending = None;
        self.held = None;
        self.ask_at = 0;
        self.replayed = 0;
    }

    pub fn leave(&mut self) {
        self.pending = None;
        self.cancelling = self.token.take();
        self.held = None;
        self.ask_at = 0;
    }

    /// Another length, told soon.
    pub fn prolong(&mut self, expires: u32) {
        self.expires = expires;
        self.ask_at = 0;
    }

    pub fn is_calm(&self) -> bool {
        self.pending.is_none() && self.cancelling.is_none()
    }

    /// What it sends now, if anything: the serial of the request and the document.
    pub fn wake(&mut self, now: u64, utc: i64, repeats: bool) -> Option<(u64, Bytes)> {
        if now < self.silent_until {
            return None;
        }
        let tries = match &mut self.pending {
            Some(pending) if now < pending.again_at => return None,
            // The same once more: if it has come already, it is refused as a repetition.
            Some(pending) if repeats => {
                pending.again_at = now + PATIENCE;
                return Some((pending.serial, pending.octets.clone()));
            }
            Some(pending) => pending.tries,
            None if now < self.ask_at => return None,
            None => 0,
        };
        let (token, expires) = match (&self.cancelling, &self.token) {
            (Some(token), _) => (token, 0),
            (None, Some(token)) => (token, self.expires),
            (None, None) => return None,
        };
        // Never twice the same, and never back.
        self.last = (utc + self.skew).max(self.last + 1);
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.last) * 1_000_000);
        let (from, to) = (
            self.uri(),
            format!("pres:{}", PRESENTITIES[self.presentity]),
        );
        let token = Token::new(token).unwrap();
        let request = match expires {
            0 => Request::cancel(&from, &to, at.unwrap(), &token),
            _ => Request::subscribe(&from, &to, at.unwrap(), &token, expires),
        };
        let octets = request.unwrap().octets().clone();
        self.serials += 1;
        self.pending = Some(Pending {
            serial: self.serials,
            octets: octets.clone(),
            again_at: now + PATIENCE,
            tries: tries + 1,
        });
        Some((self.serials, octets))
    }

    pub fn answered(&mut self, now: u64, serial: u64, result: &Result<Granted, Failure>) {
        if now < self.silent_until || self.pending.as_ref().is_none_or(|it| it.serial != serial) {
            return;
        }
        self.pending = None;
        match result {
            Ok(granted) if granted.operation == Operation::Cancel => self.cancelling = None,
            Ok(granted) => {
                self.replayed = 0;
                self.ask_at = now + u64::from(granted.duration) * 500;
            }
            Err(Failure::UnknownSubscription) => self.cancelling = None,
            Err(Failure::Stale) => {
                // Somebody sets its clock, maybe back: what is still on its way counts as newer.
                let tokens = self.token.iter().chain(&self.cancelling);
                self.set_back.extend(tokens.cloned());
                self.skew = 0;
                self.last = i64::MIN;
            }
            Err(Failure::Replayed) => {
                self.skew = 0;
                self.replayed += 1;
                if self.replayed > 2 && self.cancelling.is_none() {
                    self.begin();
                } else if self.replayed > 2 {
                    self.cancelling = None;
                }
            }
            Err(Failure::Rejected(_)) => {
                self.held = None;
                self.ask_at = now + 60_000;
            }
            Err(Failure::Busy(seconds)) => self.ask_at = now + u64::from(*seconds) * 1_000,
            Err(other) => panic!("{other} for {self:?}"),
        }
    }

    /// A notification; what it says to that, if it is there.
    pub fn notified(
        &mut self,
        now: u64,
        number: u64,
        name: (&str, &str),
        shown: &str,
    ) -> Option<Delivery> {
        if now < self.silent_until {
            return None;
        }
        let (presentity, token) = name;
        assert!(presentity.ends_with("example.com"));
        if self.token.as_deref() != Some(token) {
            return Some(Delivery::Unwanted);
        }
        // One that was late may come after a newer one.
        if self.held.as_ref().is_none_or(|(last, _)| *last < number) {
            self.held = Some((number, shown.to_owned()));
        }
        Some(Delivery::Done)
    }
}
