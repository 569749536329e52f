//! What a request is held against before a policy is asked: its form, whom it comes from, whom it is
//! for, and its time.

use core::time::Duration;
use std::borrow::Cow;

use bytes::Bytes;
use time::OffsetDateTime;

use super::replays::{Receipt, Replays};
use super::{Failure, MEDIA_TYPE, ReadOptions, Request};
use crate::engine::Timestamp;
use crate::engine::wall_clock::WallClock;
use crate::event::{
    Assurance, BodyQuery, BodyReading, Identity, Signature, SubscribeBodies, Verdict,
};
use crate::mime::{Chain, MULTIPART_SIGNED, Signed, Signer};
use crate::sip::{MediaType, Uri};

/// A signed request is in one of these.
/// What a SIP request may carry.
const MEDIA_TYPES: &[&str] = &[MEDIA_TYPE, MULTIPART_SIGNED];
/// Seconds to wait when too much is remembered.
const BUSY: u32 = 10;

/// Settings of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChecksConfig {
    /// How requests are read. Default: strictly.
    pub read: ReadOptions,
    /// How far the time of a request may be from now, in either direction. Default 300 s; at most a
    /// day. A request from further ahead is refused and not remembered: a copy that comes when its time
    /// has come is taken for new. A watcher that sets its clock back by more uses new tokens.
    pub window: Duration,
    /// Whose time is looked at. Default: that of every request.
    pub freshness: Freshness,
    /// Whether a valid signature of a trusted signer whom the certificate does not name as the watcher
    /// passes, as [`Signature::Valid`], which says nothing of who asks. Default: no, it is refused.
    pub unbound_signatures: bool,
    /// Accepted requests that are remembered, each for two to four times the window. Default 1,048,576,
    /// some 40 MB, and twice that at worst; when as many were accepted lately, others get [`Failure::Busy`].
    pub remembered: usize,
}

impl Default for ChecksConfig {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            window: Duration::from_secs(300),
            freshness: Freshness::Every,
            unbound_signatures: false,
            remembered: 1 << 20,
        }
    }
}

/// Whose time is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Freshness {
    /// Every request must be fresh and newer than the last one.
    #[default]
    Every,
    /// Those with a signature must: where the others come by a way on which nobody can repeat them, or
    /// from machines whose clocks nobody keeps.
    Signed,
}

const LONGEST_WINDOW: Duration = Duration::from_secs(86_400);

/// Checks subscription requests, and remembers those that were accepted.
///
/// An [`Agent`](crate::presence::Agent) that is made with one reads such requests in the bodies of
/// SUBSCRIBE; a [`Service`](super::Service) uses the same one for those that come by other ways, so that
/// what was accepted here is not accepted there again.
#[derive(Debug)]
pub struct Checks {
    config: ChecksConfig,
    clock: WallClock,
    replays: Replays,
    /// Of the body read last, until its request is accepted.
    pending: Option<Receipt>,
}

/// A request that passed.
#[derive(Debug)]
pub(super) struct Passed<'a> {
    pub(super) request: Request,
    pub(super) identity: Cow<'a, Identity>,
    pub(super) signature: Signature,
    pub(super) receipt: Option<Receipt>,
}

/// A request that was read, and what is signed of it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) request: Request,
    signed: Option<Signed>,
}

#[derive(Debug)]
pub(super) enum Checked<'a> {
    Passed(Passed<'a>),
    /// It goes on when the signature is verified.
    Verify(Signed),
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'a> {
    pub(super) content_type: &'a str,
    pub(super) body: &'a Bytes,
    /// Whom the carrying request is for, as a URI, and as the canonical name of what it means.
    pub(super) addressed: Option<&'a str>,
    pub(super) resource: Option<&'a str>,
    pub(super) identity: &'a Identity,
    pub(super) verdict: Option<&'a Verdict>,
    /// Who signed it, where it came opened.
    pub(super) signers: &'a [Signer],
}

impl Checks {
    /// Checks with these settings. Without [`set_wall_clock`](Self::set_wall_clock) no request passes
    /// whose time is to be looked at.
    pub fn new(config: ChecksConfig) -> Self {
        let mut config = config;
        config.window = config.window.min(LONGEST_WINDOW);
        Self {
            clock: WallClock::default(),
            // A time may be as far ahead as the window, and then counts as fresh for as long again.
            replays: Replays::new(config.remembered.max(1), config.window * 2),
            pending: None,
            config,
        }
    }

    /// Says what time of day it is. To be said again when the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.clock.set(now, utc);
    }

    /// Requests that are remembered.
    pub fn remembered(&self) -> usize {
        self.replays.len()
    }

    pub(super) fn check<'a>(
        &mut self,
        now: Timestamp,
        arrived: &Arrived<'a>,
    ) -> Result<Checked<'a>, Failure> {
        let opened = self.read_arrived(arrived)?;
        self.judge(now, arrived, opened)
    }

    /// The first half: what it says.
    pub(super) fn read_arrived(&self, arrived: &Arrived<'_>) -> Result<Opened, Failure> {
        let (document, signed) = open(arrived)?;
        let (request, _) = Request::read_with(&document, &self.config.read)?;
        check_target(arrived, request.presentity())?;
        Ok(Opened { request, signed })
    }

    /// The second half: whether that is to be believed.
    pub(super) fn judge<'a>(
        &mut self,
        now: Timestamp,
        arrived: &Arrived<'a>,
        opened: Opened,
    ) -> Result<Checked<'a>, Failure> {
        let Opened { request, signed } = opened;
        let is_signed = signed.is_some() || !arrived.signers.is_empty();
        let is_looked_at = is_signed || self.config.freshness == Freshness::Every;
        // Before a signature is verified it passes for right.
        let is_known = is_signed || !arrived.identity.is_nobody();
        let mut receipt = None;
        if is_looked_at {
            receipt = Some(self.check_time(now, &request, request.presentity(), is_known)?);
        }
        let signers = match (signed, arrived.verdict) {
            (Some(signed), None) => return Ok(Checked::Verify(signed)),
            (Some(_), Some(verdict)) => Some(verdict.as_deref().map_err(Clone::clone)?),
            (None, _) => is_signed.then_some(arrived.signers),
        };
        let signature = match signers {
            Some(signers) => self.worth(signers, request.from())?,
            None => Signature::None,
        };
        let identity = identify(&request, arrived.identity, signature)?;
        if is_looked_at && is_known && identity.is_nobody() {
            receipt = Some(self.check_time(now, &request, request.presentity(), false)?);
        }
        Ok(Checked::Passed(Passed {
            request,
            identity,
            signature,
            receipt,
        }))
    }

    /// The presentity in To has another name, by which all that are about it are remembered.
    pub(super) fn rename(
        &mut self,
        now: Timestamp,
        passed: &mut Passed<'_>,
        presentity: &str,
    ) -> Result<(), Failure> {
        if passed.receipt.is_some() && passed.request.presentity() != presentity {
            let is_known = !passed.identity.is_nobody();
            let receipt = self.check_time(now, &passed.request, presentity, is_known)?;
            passed.receipt = Some(receipt);
        }
        Ok(())
    }

    pub(super) fn record(&mut self, now: Timestamp, receipt: Option<Receipt>) {
        if let Some(receipt) = receipt {
            self.replays.record(now, receipt);
        }
    }

    fn check_time(
        &mut self,
        now: Timestamp,
        request: &Request,
        presentity: &str,
        is_known: bool,
    ) -> Result<Receipt, Failure> {
        let receipt = self.replays.receipt(request, presentity, is_known);
        let today = self.clock.at(now).ok_or(Failure::NoClock)?;
        let apart = (today - request.date_time()).abs().unsigned_abs();
        if apart > self.config.window || self.replays.is_forgotten(receipt) {
            return Err(Failure::Stale);
        }
        if self.replays.is_replay(receipt) {
            return Err(Failure::Replayed);
        }
        if !self.replays.has_room(now, receipt) {
            return Err(Failure::Busy(BUSY));
        }
        Ok(receipt)
    }

    /// What a right signature is worth for a request from this watcher.
    fn worth(&self, signers: &[Signer], from: &str) -> Result<Signature, Failure> {
        let mut trusted = signers
            .iter()
            .filter(|signer| signer.is_trusted())
            .peekable();
        if trusted.peek().is_none() {
            let why = signers.iter().find_map(|signer| match signer.chain() {
                Chain::Untrusted(why) => Some(why.clone()),
                Chain::Trusted => None,
            });
            return Err(Failure::Untrusted(why.unwrap_or_default()));
        }
        if trusted.any(|signer| binds(signer, from)) {
            Ok(Signature::Bound)
        } else if self.config.unbound_signatures {
            Ok(Signature::Valid)
        } else {
            Err(Failure::Misbound)
        }
    }

    /// What a SIP request has to agree with besides.
    fn check_carrier(request: &Request, query: &BodyQuery<'_>) -> Result<(), Failure> {
        let agrees = request.duration() == query.expires
            && match query.dialog {
                // A dialog is one subscription, and a fetch leaves subscriptions alone.
                Some(token) => request.token() == Some(token),
                // To cancel what is not there.
                None => request.duration() > 0 || request.token().is_none(),
            };
        agrees.then_some(()).ok_or(Failure::Contradiction)
    }

    fn read_carried(&mut self, query: &BodyQuery<'_>) -> Result<BodyReading, Failure> {
        let arrived = Arrived {
            content_type: query.content_type,
            body: query.body,
            addressed: Some(query.uri),
            resource: Some(query.resource),
            identity: query.identity,
            verdict: query.verdict,
            signers: query.signers,
        };
        let mut passed = match self.check(query.now, &arrived)? {
            Checked::Verify(signed) => return Ok(BodyReading::Verify(signed)),
            Checked::Passed(passed) => passed,
        };
        self.rename(query.now, &mut passed, query.resource)?;
        Self::check_carrier(&passed.request, query)?;
        if passed.identity.is_nobody() {
            // From alone is not evidence, and a dialog has no other place for it.
            return Err(Failure::Unidentified);
        }
        self.pending = passed.receipt;
        Ok(BodyReading::Taken {
            identity: Some(passed.identity.into_owned()),
            signature: passed.signature,
            mark: passed.request.token().unwrap_or_default().to_owned(),
        })
    }
}

impl SubscribeBodies for Checks {
    fn media_types(&self) -> &[&'static str] {
        MEDIA_TYPES
    }

    fn read(&mut self, query: &BodyQuery<'_>) -> BodyReading {
        self.pending = None;
        self.read_carried(query)
            .unwrap_or_else(|failure| BodyReading::Refused(failure.body_refusal()))
    }

    fn accepted(&mut self, now: Timestamp) {
        let receipt = self.pending.take();
        self.record(now, receipt);
    }
}

/// The document, and what is signed when it is.
fn open(arrived: &Arrived<'_>) -> Result<(Bytes, Option<Signed>), Failure> {
    let foreign = |found: &str| Failure::MediaType {
        found: found.chars().take(80).collect(),
    };
    let is = |content_type: &str, essence: &str| {
        MediaType::parse(content_type).is_ok_and(|it| it.essence_eq(essence))
    };
    let outer = arrived.content_type;
    if outer == MEDIA_TYPE || is(outer, MEDIA_TYPE) {
        return Ok((arrived.body.clone(), None));
    }
    if !is(outer, MULTIPART_SIGNED) {
        return Err(foreign(outer));
    }
    let signed = Signed::read(outer, arrived.body)?;
    let part = signed.part()?;
    let inner = part.content_type().unwrap_or("text/plain");
    if !is(inner, MEDIA_TYPE) {
        return Err(foreign(inner));
    }
    let document = part.plain_body()?.clone();
    Ok((document, Some(signed)))
}

fn check_target(arrived: &Arrived<'_>, presentity: &str) -> Result<(), Failure> {
    let Some(addressed) = arrived.addressed else {
        return Ok(());
    };
    let addressed = Uri::parse(addressed)
        .ok()
        .and_then(|uri| uri.address_of_record());
    if addressed.as_deref() == Some(presentity) || arrived.resource == Some(presentity) {
        Ok(())
    } else {
        Err(Failure::WrongTarget)
    }
}

/// Whether From is among the names in the certificate (section 6 of the draft; RFC 5280
/// section 4.2.1.6).
fn binds(signer: &Signer, from: &str) -> bool {
    let Ok(from) = Uri::parse(from) else {
        return false;
    };
    let names = signer.names().iter();
    let mut names = names.filter_map(|name| Uri::parse(name).ok());
    names.any(|name| name.equivalent(&from))
}

/// Who asks: whom the signature names, or who sent it if that is the watcher; nobody when nobody is
/// known to have sent it.
fn identify<'a>(
    request: &Request,
    sender: &'a Identity,
    signature: Signature,
) -> Result<Cow<'a, Identity>, Failure> {
    let watcher = request.watcher();
    let is_sender = sender.includes(watcher);
    if signature == Signature::Bound {
        let signer = if is_sender {
            sender.clone()
        } else {
            Identity::nobody()
        };
        let signer = signer.and(request.from(), Assurance::Smime);
        let signer = signer.map_err(|_| Failure::NotHere)?;
        return Ok(Cow::Owned(signer.led_by(watcher)));
    }
    if !is_sender && !sender.is_nobody() {
        return Err(Failure::WrongSender);
    }
    if sender.primary().is_none_or(|first| first == watcher) {
        return Ok(Cow::Borrowed(sender));
    }
    Ok(Cow::Owned(sender.led_by(watcher)))
}
