//! A subscription request as a value.

use core::fmt;

use bytes::Bytes;
use time::{OffsetDateTime, UtcOffset};

use super::error::{InvalidRequest, ReadError, Tolerated};
use super::field::Field;
use super::options::ReadOptions;
use super::token::Token;
use super::{MAX_DURATION, MAX_REQUEST_LEN, reader, writer};
use crate::pidf::timestamp;
use crate::sip::Uri;
use crate::xml::excerpt;

/// A subscription request.
///
/// It keeps its octets, so that signatures hold and a gateway passes on what it got: two requests that
/// ask for the same are equal only if they are written alike. Clones share the octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    octets: Bytes,
    /// From, To, DateTime and Token, and whom From and To mean, one behind the other.
    texts: String,
    /// Where each of them ends but the last.
    ends: [usize; 5],
    date_time: OffsetDateTime,
    duration: u32,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wish<'r> {
    /// To hold a subscription: to make it, or to extend the one that the watcher has by this token.
    Hold {
        /// What names it.
        token: &'r str,
        /// For how many seconds from now on; never zero.
        duration: u32,
    },
    /// To learn the state once. Subscriptions stay as they are.
    Fetch,
    /// To end a subscription.
    Cancel {
        /// What names it.
        token: &'r str,
    },
}

impl Request {
    /// Reads a request strictly, of [`MAX_REQUEST_LEN`] octets at most.
    ///
    /// # Errors
    ///
    /// [`ReadError`], the first fault there is.
    pub fn read(octets: &Bytes) -> Result<Self, ReadError> {
        Self::read_with(octets, &ReadOptions::default()).map(|(request, _)| request)
    }

    /// Reads a request as the options say; gives the faults that were put up with, too.
    ///
    /// # Errors
    ///
    /// [`ReadError`], the first fault that is not put up with.
    pub fn read_with(
        octets: &Bytes,
        options: &ReadOptions,
    ) -> Result<(Self, Vec<Tolerated>), ReadError> {
        reader::read(octets, options)
    }

    /// A request to make or extend a subscription: `from` and `to` are pres URIs, `at` is the time
    /// of the request, and the duration is in seconds.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`]; the duration is of 1 to [`MAX_DURATION`].
    pub fn subscribe(
        from: &str,
        to: &str,
        at: OffsetDateTime,
        token: &Token,
        duration: u32,
    ) -> Result<Self, InvalidRequest> {
        if !(1..=MAX_DURATION).contains(&duration) {
            return Err(InvalidRequest::Duration { found: duration });
        }
        Self::build(from, to, at, Some(token), duration)
    }

    /// A request for the present state.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`].
    pub fn fetch(from: &str, to: &str, at: OffsetDateTime) -> Result<Self, InvalidRequest> {
        Self::build(from, to, at, None, 0)
    }

    /// A request to end the subscription that `token` names.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`].
    pub fn cancel(
        from: &str,
        to: &str,
        at: OffsetDateTime,
        token: &Token,
    ) -> Result<Self, InvalidRequest> {
        Self::build(from, to, at, Some(token), 0)
    }

    fn build(
        from: &str,
        to: &str,
        at: OffsetDateTime,
        token: Option<&Token>,
        duration: u32,
    ) -> Result<Self, InvalidRequest> {
        let named = |field, uri: &str| {
            meant(uri).ok_or_else(|| InvalidRequest::Uri {
                field,
                found: excerpt(uri),
            })
        };
        let (watcher, presentity) = (named(Field::From, from)?, named(Field::To, to)?);
        let utc = at.checked_to_offset(UtcOffset::UTC);
        let (Some(moment), Some(date_time)) = (utc, timestamp::format(at)) else {
            let found = at.to_string();
            return Err(InvalidRequest::DateTime { found });
        };
        let seconds = duration.to_string();
        let token = token.map_or("", Token::as_str);
        let values = [
            (Field::From, from),
            (Field::To, to),
            (Field::DateTime, &date_time),
            (Field::Token, token),
            (Field::Duration, &seconds),
        ];
        // Everything was checked, so that XML can carry it: all that is left is to be too long.
        let octets = writer::write(&values).map_err(|_| InvalidRequest::TooLong)?;
        if octets.len() > MAX_REQUEST_LEN {
            return Err(InvalidRequest::TooLong);
        }
        Ok(Self::of(
            octets,
            [from, to, &date_time, token, &watcher, &presentity],
            moment,
            duration,
        ))
    }

    /// Of values that were checked: From, To, DateTime and Token, the last one empty if there is none.
    pub(super) fn of(
        octets: Bytes,
        texts: [&str; 6],
        date_time: OffsetDateTime,
        duration: u32,
    ) -> Self {
        let mut end = 0_usize;
        let [from, to, at, token, watcher, _] = texts;
        Self {
            octets,
            texts: texts.concat(),
            ends: [from, to, at, token, watcher].map(|text| {
                end = end.saturating_add(text.len());
                end
            }),
            date_time,
            duration,
        }
    }

    /// The document: as it was read, or as it was written when the request was made.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The pres URI of the watcher, as written.
    pub fn from(&self) -> &str {
        let [end, ..] = self.ends;
        self.text(0, end)
    }

    /// The pres URI of the presentity, as written.
    pub fn to(&self) -> &str {
        let [start, end, ..] = self.ends;
        self.text(start, end)
    }

    /// When the request was made, as written.
    pub fn date_time_text(&self) -> &str {
        let [_, start, end, ..] = self.ends;
        self.text(start, end)
    }

    /// When the request was made, with the offset that is written. A leap second reads as the last
    /// nanosecond of its minute, and decimals beyond the ninth are dropped.
    pub fn date_time(&self) -> OffsetDateTime {
        self.date_time
    }

    /// The token, if there is one. It has 1 to [`MAX_TOKEN_LEN`](super::MAX_TOKEN_LEN) characters and is
    /// compared as it is.
    pub fn token(&self) -> Option<&str> {
        let [_, _, start, end, _] = self.ends;
        Some(self.text(start, end)).filter(|token| !token.is_empty())
    }

    /// The duration asked for, in seconds: 0 to [`MAX_DURATION`].
    pub fn duration(&self) -> u32 {
        self.duration
    }

    /// What the request asks for.
    pub fn wish(&self) -> Wish<'_> {
        match (self.token(), self.duration) {
            (Some(token), 0) => Wish::Cancel { token },
            (Some(token), duration) => Wish::Hold { token, duration },
            // Nothing else was let pass.
            (None, _) => Wish::Fetch,
        }
    }

    /// Who asks: the key that all URIs of this watcher have
    /// ([`address_of_record`](Uri::address_of_record)).
    ///
    /// It is what the document says, and no evidence.
    pub fn watcher(&self) -> &str {
        let [_, _, _, start, end] = self.ends;
        self.text(start, end)
    }

    /// Who is asked for: likewise the key of the presentity.
    pub fn presentity(&self) -> &str {
        let [.., start] = self.ends;
        self.text(start, self.texts.len())
    }

    fn text(&self, start: usize, end: usize) -> &str {
        self.texts.get(start..end).unwrap_or_default()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("from", &self.from())
            .field("to", &self.to())
            .field("date_time", &self.date_time_text())
            .field("token", &self.token())
            .field("duration", &self.duration)
            .field("octets", &self.octets.len())
            .finish_non_exhaustive()
    }
}

/// Whom a pres URI means: the canonical address of record; nothing for any other text.
pub(super) fn meant(text: &str) -> Option<String> {
    match Uri::parse(text) {
        Ok(uri @ Uri::Pres(_)) => uri.address_of_record(),
        Ok(_) | Err(_) => None,
    }
}
