//! Bodies of SUBSCRIBE requests that say something of the subscription, and whom they come from.

use bytes::Bytes;

use super::authorization::Signature;
use super::identity::{Identity, RequestContext};
use super::opening::is_encoded;
use super::output::{Output, Verification, VerificationKey};
use super::package::Package;
use super::refusal::{Refusal, RefusalReason};
use super::server::{Server, Timer};
use super::waiting::Waited;
use crate::engine::slab::Key;
use crate::engine::{ServerTransaction, Timestamp};
use crate::mime::{Signed, Signer, VerifyError};
use crate::sip::{ContentDisposition, HeaderName, MediaType, RequestRef};

/// What became of the verification of a signature: who signed, or why it says nothing.
pub type Verdict = Result<Vec<Signer>, VerifyError>;

/// Reads bodies of SUBSCRIBE requests that the notifier itself has no use for.
///
/// Without it every body is refused with 415, unless it says that it may be ignored.
pub trait SubscribeBodies: core::fmt::Debug {
    /// The media types that are read.
    fn media_types(&self) -> &[&'static str];

    /// Reads a body of one of these types, before any policy is asked. Called twice for a body whose
    /// signature is to be verified.
    fn read(&mut self, query: &BodyQuery<'_>) -> BodyReading;

    /// The request whose body was read last is accepted. What is refused, or challenged, may come
    /// again.
    fn accepted(&mut self, now: Timestamp);
}

/// Reads no body at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoBodies;

impl SubscribeBodies for NoBodies {
    fn media_types(&self) -> &[&'static str] {
        &[]
    }

    fn read(&mut self, _: &BodyQuery<'_>) -> BodyReading {
        BodyReading::Refused(BodyRefusal::new(415, "unknown type"))
    }

    fn accepted(&mut self, _: Timestamp) {}
}

/// A body with the request that it came in.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BodyQuery<'a> {
    /// The current time.
    pub now: Timestamp,
    /// The value of Content-Type.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a Bytes,
    /// The resource as the watcher named it, in the Request-URI of the first SUBSCRIBE.
    pub uri: &'a str,
    /// Its canonical name.
    pub resource: &'a str,
    /// The seconds that the request asks for, by Expires or the package's default.
    pub expires: u32,
    /// What was said of the dialog's first request as its mark, when this is a refresh.
    pub dialog: Option<&'a str>,
    /// Who sent the request, as far as the host has established it.
    pub identity: &'a Identity,
    /// What became of the verification that was asked for.
    pub verdict: Option<&'a Verdict>,
    /// Who signed the body, where it was signed and the host has opened it on the way.
    pub signers: &'a [Signer],
    /// Whether it was encrypted, and the host has opened it.
    pub is_encrypted: bool,
}

/// What a body says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BodyReading {
    /// It has been read, and agrees with the request.
    Taken {
        /// Who asks, when the body tells it: takes the place of who sent the request.
        identity: Option<Identity>,
        /// What its signature is worth.
        signature: Signature,
        /// What is to be known of it when a refresh has a body, too. That of the dialog's first
        /// request is kept.
        mark: String,
    },
    /// The signature is to be verified first.
    Verify(Signed),
    /// It cannot be taken, and the request is refused with it.
    Refused(BodyRefusal),
}

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRefusal {
    status: u16,
    why: &'static str,
}

impl BodyRefusal {
    /// A status code of 400 to 599, others count as 400; and what is told in Warning, without
    /// quotation marks, backslashes and control characters.
    pub const fn new(status: u16, why: &'static str) -> Self {
        let status = if status >= 400 && status <= 599 {
            status
        } else {
            400
        };
        Self { status, why }
    }

    /// The status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What stood in the way.
    pub const fn why(&self) -> &'static str {
        self.why
    }

    pub(super) fn refusal(self) -> Refusal {
        let reason = match self.status {
            401 => RefusalReason::Challenged,
            413 => RefusalReason::TooLarge,
            415 => RefusalReason::UnknownBody,
            503 => RefusalReason::Limit,
            _ => RefusalReason::Body,
        };
        warned(self.status, reason, self.why)
    }
}

/// A refusal that tells why (RFC 3261 section 20.43).
pub(super) fn warned(status: u16, reason: RefusalReason, why: &str) -> Refusal {
    let plain = |c: &char| !c.is_control() && *c != '"' && *c != '\\';
    let why: String = why.chars().filter(plain).take(LONGEST_WARNING).collect();
    // The name stands for the host, which knows its own.
    let warning = format!("399 presentity \"{why}\"");
    Refusal::new(status, reason).with(HeaderName::Warning, warning)
}

/// Characters that a Warning tells at most.
const LONGEST_WARNING: usize = 200;

/// What a SUBSCRIBE has for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    /// None, or one that need not be understood.
    Nothing,
    /// One that is to be read.
    Body,
    /// One that says what of the documents is to be shown, and when.
    Filter,
    /// One that is to be opened first.
    Protected,
}

/// A body that was taken.
#[derive(Debug, Default)]
pub(super) struct Vouched {
    /// Who asks in place of who sent it.
    pub(super) identity: Option<Identity>,
    pub(super) signature: Signature,
    pub(super) mark: String,
}

/// How the first request of a dialog came whose body told something of it.
#[derive(Debug)]
pub(super) struct Carrier {
    /// Who has sent it, where the body told that somebody else asks.
    pub(super) sender: Option<Identity>,
    /// Who asks, as the body told: the sender may refresh for it without a body.
    pub(super) watcher: Option<Identity>,
    pub(super) mark: String,
}

/// What a body is read for.
#[derive(Debug)]
pub(super) struct Carried<'a> {
    pub(super) transaction: ServerTransaction,
    pub(super) uri: &'a str,
    pub(super) resource: &'a str,
    pub(super) expires: u32,
    pub(super) dialog: Option<&'a str>,
    pub(super) waited: &'a Waited<'a>,
}

impl<P: Package> Server<P> {
    /// The signature over the body of a SUBSCRIBE has been verified, or not: the request goes on.
    /// False when nothing waits for it any more.
    pub fn complete_verification(
        &mut self,
        now: Timestamp,
        key: VerificationKey,
        verdict: &Verdict,
    ) -> bool {
        self.advance(now);
        let Some((waiting, timer)) = self.verifications.finish(key.0) else {
            return false;
        };
        if let Some(timer) = timer {
            self.wheel.cancel(timer);
        }
        self.go_on(&waiting, Some(verdict));
        true
    }

    /// No verdict came in time.
    pub(super) fn expire_verification(&mut self, key: Key) {
        if let Some((waiting, _)) = self.verifications.finish(key) {
            let refusal = Refusal::new(504, RefusalReason::JobFailed);
            self.refuse(waiting.transaction, &waiting.request(), refusal);
        }
    }

    /// What a SUBSCRIBE has for a body. One that must be understood and is not is refused (RFC 3261
    /// section 8.2.3).
    pub(super) fn content(
        &self,
        request: &RequestRef<'_>,
        waited: &Waited<'_>,
    ) -> Result<Brought, Refusal> {
        if request.body().is_empty() {
            return Ok(Brought::Nothing);
        }
        if request.body().len() > self.config.limits.body {
            return Err(Refusal::new(413, RefusalReason::TooLarge));
        }
        if self.is_to_be_opened(request, waited)? {
            return Ok(Brought::Protected);
        }
        let filters = self.package.filter_types();
        match self.body_type(request, &self.body_types(request.method())) {
            Ok(found) if filters.iter().any(|it| found.essence_eq(it)) => Ok(Brought::Filter),
            Ok(_) => Ok(Brought::Body),
            Err(refusal) if refusal.reason == RefusalReason::UnknownBody => {
                if let Some(disposition) = request.single(HeaderName::ContentDisposition)?
                    && ContentDisposition::parse(disposition)?.handling_optional()
                {
                    return Ok(Brought::Nothing);
                }
                Err(refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Reads a body; nothing when its signature is to be verified first, for which the request waits.
    pub(super) fn read_body(
        &mut self,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
        carried: &Carried<'_>,
    ) -> Result<Option<Vouched>, Refusal> {
        let query = BodyQuery {
            now: self.now,
            content_type: request.required(HeaderName::ContentType)?,
            body: request.body(),
            uri: carried.uri,
            resource: carried.resource,
            expires: carried.expires,
            dialog: carried.dialog,
            identity: context.identity,
            verdict: carried.waited.verdict,
            signers: carried.waited.signers(),
            is_encrypted: carried.waited.is_encrypted(),
        };
        let Some(bodies) = self.package.bodies_mut() else {
            return Err(Refusal::new(415, RefusalReason::UnknownBody));
        };
        match bodies.read(&query) {
            BodyReading::Taken {
                identity,
                signature,
                mark,
            } => Ok(Some(Vouched {
                identity,
                signature,
                mark,
            })),
            BodyReading::Refused(refusal) => Err(match refusal.status {
                // RFC 3261 section 21.4.13.
                415 => refusal.refusal().with(
                    HeaderName::Accept,
                    self.accepted_types(&self.body_types(request.method())),
                ),
                _ => refusal.refusal(),
            }),
            // Once is enough.
            BodyReading::Verify(_) if carried.waited.verdict.is_some() => {
                Err(Refusal::new(500, RefusalReason::JobFailed))
            }
            BodyReading::Verify(_) if !self.verifications.has_room() => Err(self.no_room()),
            BodyReading::Verify(signed) => {
                let (waiting, deadline) =
                    self.keep_waiting(carried.transaction, request, context, carried.waited);
                let wheel = &mut self.wheel;
                let key = self
                    .verifications
                    .begin(waiting, |key| wheel.arm(deadline, Timer::Verification(key)));
                self.lanes.output(Output::Verify(Box::new(Verification {
                    key: VerificationKey(key),
                    signed,
                    deadline,
                })));
                Ok(None)
            }
        }
    }

    pub(super) fn accept_body(&mut self) {
        if let Some(bodies) = self.package.bodies_mut() {
            bodies.accepted(self.now);
        }
    }
}

impl<P: Package> Server<P> {
    /// The type of a body, which must be one of `known` and not be encoded.
    pub(super) fn body_type<'a>(
        &self,
        request: &RequestRef<'a>,
        known: &[&'static str],
    ) -> Result<MediaType<'a>, Refusal> {
        let content_type = request
            .single(HeaderName::ContentType)?
            .ok_or_else(Refusal::malformed)?;
        let content_type = MediaType::parse(content_type)?;
        let is_encoded = is_encoded(request)?;
        if !is_encoded && known.iter().any(|known| content_type.essence_eq(known)) {
            return Ok(content_type);
        }
        let refusal = Refusal::new(415, RefusalReason::UnknownBody)
            .with(HeaderName::Accept, self.accepted_types(known));
        Err(match is_encoded {
            true => refusal.with(HeaderName::AcceptEncoding, "identity"),
            false => refusal,
        })
    }
}
