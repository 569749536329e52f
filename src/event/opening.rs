//! Bodies that are signed or encrypted, and are opened by the host before a request goes on.

use core::time::Duration;

use bytes::Bytes;

use super::authorization::Signature;
use super::identity::{Identity, RequestContext};
use super::output::Output;
use super::package::Package;
use super::refusal::{Refusal, RefusalReason};
use super::server::{Server, Timer};
use super::tunnel::{Outer, emerge};
use super::waiting::Waited;
use crate::engine::slab::Key;
use crate::engine::{ServerTransaction, Timestamp};
use crate::mime::{OpenError, Opened, PKCS7_MIME, Signer, is_protected};
use crate::sip::{ContentDisposition, HeaderName, MediaType, RequestRef, Uri};

/// The client gives up after 32 s.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The types of protected bodies, for Accept.
const PROTECTED_TYPES: [&str; 2] = ["multipart/signed", PKCS7_MIME];

/// Names the opening of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpeningKey(pub(super) Key);

/// A signed or encrypted body that is to be opened before its request is answered: that takes long, so
/// it is the host's, who may do it elsewhere, with [`Opener::open`](crate::mime::Opener::open) or by
/// other means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// Names it in `complete_opening`.
    pub key: OpeningKey,
    /// The value of Content-Type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// Types that the request may have as they are: what is within is left as it is where it is of one
    /// of these, see [`Opener::leaving`](crate::mime::Opener::leaving). A signed subscription request
    /// in an envelope is such a thing, whose signature is looked at later.
    pub taken: Vec<&'static str>,
    /// When the request is answered without it.
    pub deadline: Timestamp,
}

/// What became of it.
pub type OpeningOutcome = Result<Opened, OpenError>;

/// The value of Accept of somebody who takes these types, and who may open protected bodies.
pub(super) fn accepted_types(known: &[&'static str], opens: bool) -> String {
    let protected = PROTECTED_TYPES.iter().filter(|_| opens);
    let protected = protected.filter(|protected| !known.contains(protected));
    let types: Vec<&str> = known.iter().chain(protected).copied().collect();
    types.join(", ")
}

/// A protected body is of no use. `accept` is the value of Accept.
///
/// The sender learns no more of why than the status tells anyway (RFC 8551 section 6).
pub(super) fn unopened(error: &OpenError, accept: String) -> Refusal {
    let status = error.status();
    let (reason, why) = match status {
        415 => (RefusalReason::UnknownBody, "cannot open such a body"),
        493 => (RefusalReason::Body, "no key for the body"),
        403 => (RefusalReason::Body, "signature not valid"),
        _ => (RefusalReason::Body, "protected body unreadable"),
    };
    // RFC 3261 section 20.43; the name stands for the host, which knows its own.
    let warning = format!("399 presentity \"{why}\"");
    let refusal = Refusal::new(status, reason).with(HeaderName::Warning, warning);
    match status {
        // RFC 3261 section 21.4.13.
        415 => refusal.with(HeaderName::Accept, accept),
        _ => refusal,
    }
}

impl<P: Package> Server<P> {
    /// The body of a SUBSCRIBE or PUBLISH has been opened, or could not be: the request goes on. False
    /// when nothing waits for it any more.
    pub fn complete_opening(
        &mut self,
        now: Timestamp,
        key: OpeningKey,
        outcome: OpeningOutcome,
    ) -> bool {
        self.advance(now);
        let Some((mut waiting, timer)) = self.openings.finish(key.0) else {
            return false;
        };
        if let Some(timer) = timer {
            self.wheel.cancel(timer);
        }
        let outer = Outer::of(&waiting.request());
        match outcome.and_then(|opened| emerge(opened, &outer)) {
            Ok((opened, covers_header)) => waiting.unwrap_body(opened, covers_header),
            Err(error) => {
                let request = waiting.request();
                let accept = self.accepted_types(&self.body_types(request.method()));
                let refusal = unopened(&error, accept);
                if refusal.reason != RefusalReason::UnknownBody || !is_optional(&request) {
                    self.refuse(waiting.transaction, &request, refusal);
                    return true;
                }
                waiting.leave_body();
            }
        }
        self.go_on(&waiting, None);
        true
    }

    /// It was not opened in time.
    pub(super) fn expire_opening(&mut self, key: Key) {
        if let Some((waiting, _)) = self.openings.finish(key) {
            let refusal = Refusal::new(504, RefusalReason::JobFailed);
            self.refuse(waiting.transaction, &waiting.request(), refusal);
        }
    }

    /// Whether a body is to be opened before anything is known of it.
    pub(super) fn is_to_be_opened(
        &self,
        request: &RequestRef<'_>,
        waited: &Waited<'_>,
    ) -> Result<bool, Refusal> {
        // Once is enough.
        if !self.config.opens_bodies || waited.wrapping.is_some() || request.body().is_empty() {
            return Ok(false);
        }
        let Some(content_type) = request.single(HeaderName::ContentType)? else {
            return Ok(false);
        };
        if !is_protected(content_type) || is_encoded(request)? {
            return Ok(false);
        }
        let known = self.body_types(request.method());
        let media = MediaType::parse(content_type)?;
        if known.iter().any(|known| media.essence_eq(known)) {
            return Ok(false);
        }
        if request.body().len() > self.config.limits.body {
            return Err(Refusal::new(413, RefusalReason::TooLarge));
        }
        Ok(true)
    }

    /// Has the host open the body of a request, which waits for it.
    pub(super) fn open_body(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Refusal> {
        if !self.openings.has_room() {
            return Err(self.no_room());
        }
        let just_come = Waited::default();
        let (waiting, deadline) = self.keep_waiting(transaction, request, context, &just_come);
        let wheel = &mut self.wheel;
        let key = self
            .openings
            .begin(waiting, |key| wheel.arm(deadline, Timer::Opening(key)));
        let content_type = request.first(HeaderName::ContentType).unwrap_or_default();
        self.lanes.output(Output::Open(Opening {
            key: OpeningKey(key),
            content_type: content_type.to_owned(),
            body: request.body().clone(),
            taken: self.body_types(request.method()),
            deadline,
        }));
        Ok(())
    }

    /// The types of bodies that requests of this method may have.
    pub(super) fn body_types(&self, method: &str) -> Vec<&'static str> {
        match method {
            "PUBLISH" => self.package.profile().publication_types.to_vec(),
            _ => [
                self.package.bodies().media_types(),
                self.package.filter_types(),
            ]
            .concat(),
        }
    }

    /// The value of Accept of who takes these types.
    pub(super) fn accepted_types(&self, known: &[&'static str]) -> String {
        accepted_types(known, self.config.opens_bodies)
    }
}

/// Whether a body need not be understood (RFC 3261 section 20.11).
pub(super) fn is_optional(request: &RequestRef<'_>) -> bool {
    let disposition = request
        .single(HeaderName::ContentDisposition)
        .ok()
        .flatten();
    let disposition = disposition.and_then(|it| ContentDisposition::parse(it).ok());
    disposition.is_some_and(|it| it.handling_optional())
}

/// Whether a body is encoded in a way that has to be undone.
pub(super) fn is_encoded(request: &RequestRef<'_>) -> Result<bool, Refusal> {
    let encoding = request.single(HeaderName::ContentEncoding)?;
    Ok(encoding.is_some_and(|it| !it.trim().eq_ignore_ascii_case("identity")))
}

/// What signatures over a body say of who sends it.
pub(super) fn worth(signers: &[Signer], sender: &Identity) -> Signature {
    let names_sender = |signer: &&Signer| {
        let names = signer.names().iter();
        let mut names = names.filter_map(|name| Uri::parse(name).ok()?.address_of_record());
        names.any(|name| sender.includes(&name))
    };
    let mut trusted = signers.iter().filter(|signer| signer.is_trusted());
    if trusted.any(|signer| names_sender(&signer)) {
        Signature::Bound
    } else if !signers.is_empty() && signers.iter().all(Signer::is_trusted) {
        Signature::Valid
    } else {
        Signature::None
    }
}
