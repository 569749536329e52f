//! Requests that are answered by an error, and the count of them.

use core::fmt;
use std::borrow::Cow;

use bytes::Bytes;

use super::authorization::Signature;
use super::package::Unreadable;
use crate::engine::{Entropy, ServerTransaction};
use crate::sip::{HeaderError, HeaderName, NameAddr, RequestRef, Response, Tag};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// 400: a header field is missing, repeated or malformed, or the body is unreadable.
    Malformed,
    /// 413, 414 or 513: the body, the Request-URI, or the message is too large.
    TooLarge,
    /// 405.
    Method,
    /// 481: no such dialog or subscription.
    UnknownDialog,
    /// 500: CSeq not higher than the last one of the dialog.
    OutOfOrder,
    /// 482: the same request came by another path.
    Merged,
    /// 420: an option in Require is not known.
    Extension,
    /// 489: no Event, or a package that is not known.
    UnknownEvent,
    /// 400, 403 or 493: the body of a SUBSCRIBE cannot be read, contradicts the request, or is not from
    /// whom it says; or a protected body cannot be opened.
    Body,
    /// 415: the type of the body, or its encoding, is not known.
    UnknownBody,
    /// 488: the filter cannot be read, or contradicts another (RFC 4660 section 5.4).
    BadFilter,
    /// 500: nothing could be made of a published body that may be right.
    Unprocessed,
    /// 406: no document type is acceptable that there is.
    NotAcceptable,
    /// 423: the duration is too short.
    TooBrief,
    /// 416: the scheme of the Request-URI is not known.
    Scheme,
    /// 404: not the business of this server.
    NotHere,
    /// 401: proof of identity is asked for.
    Challenged,
    /// 403: refused by the policy.
    Forbidden,
    /// 603: refused by the policy for good.
    Declined,
    /// 403: the policy wants a signature over the request, or a better one.
    SignatureRequired,
    /// 403: the dialog belongs to somebody else, or the request is not from whom it says.
    WrongIdentity,
    /// 403: a second subscription in one dialog.
    DialogShared,
    /// 412: the entity-tag is not known, or no more.
    UnknownEntityTag,
    /// 504: a deferred publication failed, no verdict on a signature came in time, or a body was not
    /// opened in time.
    JobFailed,
    /// 503: one of the limits is reached.
    Limit,
    /// 500: the host gave no usable Contact of its own with the request.
    LocalContact,
}

impl RefusalReason {
    const ALL: [Self; 26] = [
        Self::Malformed,
        Self::TooLarge,
        Self::Method,
        Self::UnknownDialog,
        Self::OutOfOrder,
        Self::Merged,
        Self::Extension,
        Self::UnknownEvent,
        Self::Body,
        Self::UnknownBody,
        Self::BadFilter,
        Self::Unprocessed,
        Self::NotAcceptable,
        Self::TooBrief,
        Self::Scheme,
        Self::NotHere,
        Self::Challenged,
        Self::Forbidden,
        Self::Declined,
        Self::SignatureRequired,
        Self::WrongIdentity,
        Self::DialogShared,
        Self::UnknownEntityTag,
        Self::JobFailed,
        Self::Limit,
        Self::LocalContact,
    ];
}

/// A response other than 2xx in the making.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: RefusalReason,
    /// What would do, where a signature is asked for.
    pub(super) signature: Signature,
    pub(super) fields: Vec<(HeaderName, Cow<'static, str>)>,
    /// Its media type, and what it tells.
    pub(super) body: Option<Box<(String, Bytes)>>,
}

impl Refusal {
    pub(super) fn new(status: u16, reason: RefusalReason) -> Self {
        Self {
            status,
            reason,
            signature: Signature::None,
            fields: Vec::new(),
            body: None,
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The policy has not refused: the same with a proof of identity may pass.
    pub(super) fn may_be_mended(&self) -> bool {
        matches!(
            self.reason,
            RefusalReason::Challenged | RefusalReason::SignatureRequired
        )
    }

    pub(super) fn malformed() -> Self {
        Self::new(400, RefusalReason::Malformed)
    }

    /// A published body that could not be read.
    pub(super) fn unreadable(why: Unreadable) -> Self {
        let reason = match why.status() {
            413 => RefusalReason::TooLarge,
            500 => RefusalReason::Unprocessed,
            _ => RefusalReason::Malformed,
        };
        let mut refusal = Self::new(why.status(), reason);
        refusal.body = why.into_body();
        refusal
    }

    /// Puts its fields and its body into a response.
    pub(super) fn fill(self, response: Response) -> Response {
        let fields = self.fields.into_iter();
        let response = fields.fold(response, |response, (name, value)| {
            response.with(name, &value)
        });
        match self.body {
            Some(body) => response.with_body(&body.0, body.1),
            None => response,
        }
    }

    pub(super) fn into_response(
        self,
        entropy: &mut dyn Entropy,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
    ) -> Response {
        let response = response_to(entropy, transaction, request, self.status);
        self.fill(response)
    }
}

/// A response in the making, with a To tag where the request has none.
pub(super) fn response_to(
    entropy: &mut dyn Entropy,
    transaction: ServerTransaction,
    request: &RequestRef<'_>,
    status: u16,
) -> Response {
    let has_tag = request.first(HeaderName::To).is_none() || in_dialog(request);
    let tag = (!has_tag).then(|| Tag::random(entropy));
    Response::new(transaction, status, tag)
}

/// Whether To has a tag, or cannot be read, so that none may be added.
pub(super) fn in_dialog(request: &RequestRef<'_>) -> bool {
    request
        .first(HeaderName::To)
        .is_some_and(|to| NameAddr::parse(to).map_or(true, |to| to.tag().is_some()))
}

impl From<HeaderError> for Refusal {
    fn from(_: HeaderError) -> Self {
        Self::malformed()
    }
}

/// What happened so far, in numbers that only rise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    pub(super) subscriptions_started: u64,
    pub(super) subscriptions_ended: u64,
    pub(super) notifies_sent: u64,
    pub(super) notifies_failed: u64,
    pub(super) publications_taken: u64,
    pub(super) backlogs: u64,
    pub(super) stray_outcomes: u64,
    pub(super) protections: u64,
    pub(super) protections_failed: u64,
    refused: [u64; RefusalReason::ALL.len()],
}

impl Counters {
    /// Subscriptions that began, fetches included.
    pub fn subscriptions_started(&self) -> u64 {
        self.subscriptions_started
    }

    /// Subscriptions that are over, for whatever reason.
    pub fn subscriptions_ended(&self) -> u64 {
        self.subscriptions_ended
    }

    /// NOTIFYs handed to the host.
    pub fn notifies_sent(&self) -> u64 {
        self.notifies_sent
    }

    /// NOTIFYs that got no 2xx.
    pub fn notifies_failed(&self) -> u64 {
        self.notifies_failed
    }

    /// PUBLISH requests answered 200.
    pub fn publications_taken(&self) -> u64 {
        self.publications_taken
    }

    /// Requests that were not taken at all since too much output was waiting.
    pub fn backlogs(&self) -> u64 {
        self.backlogs
    }

    /// Documents handed to the host to be signed or encrypted.
    pub fn protections(&self) -> u64 {
        self.protections
    }

    /// Those of them that could not be.
    pub fn protections_failed(&self) -> u64 {
        self.protections_failed
    }

    /// Outcomes reported for transactions that are not open: late, repeated, or not of this role.
    pub fn stray_outcomes(&self) -> u64 {
        self.stray_outcomes
    }

    /// Requests refused for one reason.
    pub fn refused(&self, reason: RefusalReason) -> u64 {
        RefusalReason::ALL
            .iter()
            .zip(&self.refused)
            .find(|(candidate, _)| **candidate == reason)
            .map_or(0, |(_, count)| *count)
    }

    /// Requests refused, by reason, in a fixed order.
    pub fn refusals(&self) -> impl Iterator<Item = (RefusalReason, u64)> {
        RefusalReason::ALL.into_iter().zip(self.refused)
    }

    pub(super) fn count_refusal(&mut self, reason: RefusalReason) {
        let mut pairs = RefusalReason::ALL.iter().zip(&mut self.refused);
        if let Some((_, count)) = pairs.find(|(candidate, _)| **candidate == reason) {
            *count += 1;
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
