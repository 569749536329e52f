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
    /// From, To, DateTime and Token, one behind the other.
    texts: String,
    /// Where each of the first three ends.
    ends: [usize; 3],
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
        for (field, uri) in [(Field::From, from), (Field::To, to)] {
            if !is_pres(uri) {
                return Err(InvalidRequest::Uri {
                    field,
                    found: excerpt(uri),
                });
            }
        }
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
            [from, to, &date_time, token],
            moment,
            duration,
        ))
    }

    /// Of values that were checked: From, To, DateTime and Token, the last one empty if there is none.
    pub(super) fn of(
        octets: Bytes,
        texts: [&str; 4],
        date_time: OffsetDateTime,
        duration: u32,
    ) -> Self {
        let [from, to, at, _] = texts;
        let to_end = from.len().saturating_add(to.len());
        Self {
            octets,
            texts: texts.concat(),
            ends: [from.len(), to_end, to_end.saturating_add(at.len())],
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
        self.texts.get(..end).unwrap_or_default()
    }

    /// The pres URI of the presentity, as written.
    pub fn to(&self) -> &str {
        let [start, end, _] = self.ends;
        self.texts.get(start..end).unwrap_or_default()
    }

    /// When the request was made, as written.
    pub fn date_time_text(&self) -> &str {
        let [_, start, end] = self.ends;
        self.texts.get(start..end).unwrap_or_default()
    }

    /// When the request was made, with the offset that is written. A leap second reads as the last
    /// nanosecond of its minute, and decimals beyond the ninth are dropped.
    pub fn date_time(&self) -> OffsetDateTime {
        self.date_time
    }

    /// The token, if there is one. It has 1 to [`MAX_TOKEN_LEN`](super::MAX_TOKEN_LEN) characters and is
    /// compared as it is.
    pub fn token(&self) -> Option<&str> {
        let [.., start] = self.ends;
        self.texts.get(start..).filter(|token| !token.is_empty())
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
    pub fn watcher(&self) -> String {
        address_of_record(self.from())
    }

    /// Who is asked for: likewise the key of the presentity.
    pub fn presentity(&self) -> String {
        address_of_record(self.to())
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

/// Whether the text is a pres URI that names somebody.
pub(super) fn is_pres(text: &str) -> bool {
    matches!(Uri::parse(text), Ok(Uri::Pres(_)))
}

fn address_of_record(uri: &str) -> String {
    let uri = Uri::parse(uri).ok();
    uri.and_then(|uri| uri.address_of_record())
        .unwrap_or_default()
}
