//! Documents that leave signed, encrypted or both: who gets which, and the work that it takes.
//!
//! A document is signed once for all who see the same of a state, and encrypted once for each watcher.
//! Both take long, so both are jobs of the host's; NOTIFYs that need one wait for it, and nobody else
//! does.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::document::Document;
use super::identity::Identity;
use super::output::{Output, ServerEvent};
use super::package::Package;
use super::resource::Round;
use super::server::{Server, Timer};
use super::subscription::{Subscription, Variant};
use super::tunnel::immerse;
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::mime::{EncryptError, Part, SignError, Written};
use crate::sip::{Content, HeaderName, MediaType, OutgoingRequest};

/// How the documents for a watcher are protected (RFC 3856 sections 6.7 and 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Protection {
    /// Not by themselves; the connection may be.
    #[default]
    None,
    /// Signed, by the authority for the resource's domain (section 6.7). One signature serves all who are
    /// shown the same.
    Signed,
    /// Signed together with the header fields of its NOTIFY (RFC 3261 section 23.4), be there a document or
    /// not. It takes a signature for each NOTIFY.
    SignedMessage,
    /// Encrypted for the watcher.
    Encrypted,
    /// Signed, and then encrypted for the watcher.
    SignedAndEncrypted,
    /// As its publisher has signed it, for watchers who take that, where the document is the one of a signed
    /// publication; otherwise not protected (RFC 3903 section 14.4).
    AsPublished,
}

impl Protection {
    /// Whether there is a signature.
    pub fn is_signed(self) -> bool {
        matches!(
            self,
            Self::Signed | Self::SignedMessage | Self::SignedAndEncrypted
        )
    }

    /// Whether a document has to be made before its NOTIFYs are.
    pub(super) fn is_of_document(self) -> bool {
        matches!(
            self,
            Self::Signed | Self::Encrypted | Self::SignedAndEncrypted
        )
    }

    /// Whether only the watcher can read it.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Encrypted | Self::SignedAndEncrypted)
    }
}

/// A watcher whose SUBSCRIBE is accepted, and for whose documents a protection is asked for. What is
/// decided of the subscription is no part of it: that may be another thing before it is asked for again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProtectionQuery<'a> {
    /// Who watches.
    pub identity: &'a Identity,
    /// The canonical name of the resource.
    pub resource: &'a str,
    /// Whether the watcher's Accept has `multipart/signed`.
    pub accepts_signed: bool,
    /// Whether the watcher's Accept has `application/pkcs7-mime`.
    pub accepts_encrypted: bool,
}

impl ProtectionQuery<'_> {
    /// The canonical address of record of the watcher; nothing for nobody.
    pub fn watcher(&self) -> Option<&str> {
        self.identity.primary()
    }

    /// Whether a watcher takes documents that are protected so.
    pub fn accepts(&self, protection: Protection) -> bool {
        let is_signed = protection.is_signed() || protection == Protection::AsPublished;
        (self.accepts_signed || !is_signed)
            && (self.accepts_encrypted || !protection.is_encrypted())
    }
}

/// Names the protection of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtectionKey(pub(super) Key);

/// A document to be signed or encrypted before it can leave.
///
/// ```
/// use presentity::engine::Entropy;
/// use presentity::event::{ProtectError, ProtectionJob, ProtectionKind};
/// use presentity::mime::{Encrypt, Enveloped, Sign, SignError, Signed, Written};
///
/// # use bytes::Bytes;
/// # fn certificates_of(watcher: &str) -> Vec<Bytes> { Vec::new() }
/// /// To be run where nobody waits for it; the result goes to `complete_protection`.
/// fn protect(
///     job: &ProtectionJob,
///     signer: &dyn Sign,
///     encrypter: &dyn Encrypt,
///     entropy: &mut dyn Entropy,
/// ) -> Result<Written, ProtectError> {
///     let content = job.content.octets();
///     match &job.kind {
///         ProtectionKind::Sign => Ok(Signed::write(content, &signer.sign(content)?, entropy)),
///         ProtectionKind::Encrypt { watcher } => {
///             let enveloped = encrypter.encrypt(content, &certificates_of(watcher))?;
///             Ok(Enveloped::write(enveloped))
///         }
///         other => Err(SignError::Failed(format!("{other:?} is not known here")).into()),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtectionJob {
    /// Names it in `complete_protection`.
    pub key: ProtectionKey,
    /// The canonical name of the resource, by whose domain a signature is made.
    pub resource: Arc<str>,
    /// What is to be done.
    pub kind: ProtectionKind,
    /// What is protected: the document with its header, or what was signed already.
    pub content: Part,
    /// Without a result by then it counts as failed.
    pub deadline: Timestamp,
}

/// What is to be done with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtectionKind {
    /// To be signed for the domain of the resource (RFC 3856 section 6.7).
    Sign,
    /// To be encrypted, with the key of this watcher alone.
    Encrypt {
        /// The canonical address of record of the watcher.
        watcher: Arc<str>,
    },
}

/// Why a document could not be protected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectError {
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It could not be encrypted.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    /// The host gave no result in time.
    #[error("not protected in time")]
    Timeout,
    /// What the host gave is no body with a type.
    #[error("the protected document has no media type")]
    Malformed,
}

/// How far the protection of a variant's document is.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    /// The fingerprint of the document that the variant's content was made from; 0 is none.
    pub(super) made_for: u64,
    /// The type of that content.
    pub(super) content_type: String,
    /// It is being made.
    pub(super) job: Option<Key>,
    /// The fingerprint of the one that it could not be made from, which is not tried again by itself.
    pub(super) failed_for: u64,
    /// Since one could not be made there are those who have none.
    pub(super) leaves_behind: bool,
    /// Subscriptions whose NOTIFY waits for it.
    pub(super) waiters: Vec<Key>,
    /// The variant whose signed content is encrypted here.
    pub(super) signed: Option<Key>,
}

/// Whether the NOTIFY that a subscription is owed waits for its document to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Waits {
    #[default]
    No,
    Still,
    /// It has waited, and there is none.
    InVain,
}

/// What a job is for.
#[derive(Debug)]
pub(super) enum ProtectionTask {
    Document(DocumentTask),
    /// A NOTIFY that leaves when it is signed, of this subscription.
    Message(MessageTask),
}

#[derive(Debug)]
pub(super) struct MessageTask {
    subscription: Key,
    /// The one whose document is in it, while the subscription has not ended where that is so.
    variant: Key,
    is_live: bool,
    resource: Arc<str>,
    notify: Box<OutgoingRequest>,
}

#[derive(Debug)]
pub(super) struct DocumentTask {
    variant: Key,
    resource: Key,
    /// The resource's version that the document was made for.
    version: u64,
    /// The document's.
    fingerprint: u64,
    watcher: Option<Arc<str>>,
}

/// Whose turn it is when there is room for another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stalled {
    Round(Key),
    Owed(Key),
}

/// What stands between a variant and its document.
#[derive(Debug)]
pub(super) enum Wait {
    /// A job, of this variant, which may have begun just now.
    For(Key, Option<Box<ProtectionJob>>),
    /// Room for a job.
    ForRoom,
    /// Its protection has failed; this variant's.
    InVain(Key),
}

impl<P: Package> Server<P> {
    /// A document was signed or encrypted, or could not be. NOTIFYs that waited for it leave; without
    /// it they leave with no document, since it is shown to nobody unprotected, and it is tried again
    /// with the next change or the next SUBSCRIBE of one who is shown it, and then all get it. False when nothing waits for it any more.
    pub fn complete_protection(
        &mut self,
        now: Timestamp,
        key: ProtectionKey,
        result: Result<Written, ProtectError>,
    ) -> bool {
        self.advance(now);
        self.end_protection(key.0, result)
    }

    pub(super) fn end_protection(
        &mut self,
        key: Key,
        result: Result<Written, ProtectError>,
    ) -> bool {
        let Some((task, timer)) = self.protections.finish(key) else {
            return false;
        };
        if let Some(timer) = timer {
            self.wheel.cancel(timer);
        }
        let result = result.and_then(|written| {
            let is_type = MediaType::parse(&written.content_type).is_ok()
                && !written.content_type.contains(char::is_control);
            match is_type && !written.body.is_empty() {
                true => Ok(written),
                false => Err(ProtectError::Malformed),
            }
        });
        let was_wanted = match task {
            ProtectionTask::Document(task) => {
                let was_wanted = self.seal(key, &task, result);
                self.resume_round(task.resource);
                was_wanted
            }
            ProtectionTask::Message(task) => self.send_signed(task, result),
        };
        self.unstall();
        was_wanted
    }

    /// A NOTIFY leaves with what was signed of it, or with nothing. False when it is not waited for any
    /// more.
    fn send_signed(&mut self, task: MessageTask, result: Result<Written, ProtectError>) -> bool {
        if !self.is_open(task.notify.transaction()) {
            return false;
        }
        let subscription = self.subscriptions.get(task.subscription);
        // What was decided meanwhile holds for what leaves now.
        let holds = subscription
            .is_some_and(|it| it.variant == task.variant && (it.is_live() || !task.is_live));
        let content = match result {
            Ok(written) if holds => {
                let mut fields = self.added_fields.clone();
                // What it tells of the document it told before that was signed.
                let name = HeaderName::SipEtag.as_str();
                if let Some((_, tag)) = task.notify.fields().find(|(field, _)| *field == name) {
                    fields.extend([name, ": ", tag, "\r\n"]);
                }
                Arc::new(Content::new(
                    &fields,
                    Some(&written.content_type),
                    written.body,
                ))
            }
            Ok(_) => Arc::clone(&self.no_content),
            Err(error) => {
                self.counters.protections_failed += 1;
                self.event(ServerEvent::ProtectionFailed {
                    resource: task.resource,
                    watcher: None,
                    error,
                });
                Arc::clone(&self.no_content)
            }
        };
        if content.body().is_empty()
            && let Some(subscription) = self.subscriptions.get_mut(task.subscription)
        {
            subscription.delivered = 0;
        }
        self.lanes
            .output(Output::Send(task.notify.with_content(content)));
        true
    }

    /// A NOTIFY is to be signed as a whole before it leaves.
    pub(super) fn sign_message(
        &mut self,
        key: Key,
        resource: Arc<str>,
        notify: OutgoingRequest,
    ) -> Output {
        let subscription = self.subscriptions.get(key);
        let is_live = subscription.is_some_and(Subscription::is_live);
        let variant = subscription.map_or(key, |it| it.variant);
        let Ok(content) = immerse(&notify) else {
            return Output::Send(notify.with_content(Arc::clone(&self.no_content)));
        };
        let deadline = self.now + self.config.job_deadline;
        let task = ProtectionTask::Message(MessageTask {
            subscription: key,
            variant,
            is_live,
            resource: Arc::clone(&resource),
            notify: Box::new(notify),
        });
        let wheel = &mut self.wheel;
        let job = self
            .protections
            .begin(task, |job| wheel.arm(deadline, Timer::Protection(job)));
        self.counters.protections += 1;
        Output::Protect(Box::new(ProtectionJob {
            key: ProtectionKey(job),
            resource,
            kind: ProtectionKind::Sign,
            content,
            deadline,
        }))
    }

    /// Puts the result of a job where it belongs.
    fn seal(
        &mut self,
        job: Key,
        task: &DocumentTask,
        result: Result<Written, ProtectError>,
    ) -> bool {
        let version = self.resources.get(task.resource).map(|it| it.version);
        let fields = self.fields_with_tag(task.fingerprint).into_owned();
        let Some(variant) = self.variants.get_mut(task.variant) else {
            return false;
        };
        let Some(sealing) = variant.sealing.as_mut().filter(|it| it.job == Some(job)) else {
            return false;
        };
        sealing.job = None;
        let waiters = core::mem::take(&mut sealing.waiters);
        let has_failed = result.is_err();
        let mut error = None;
        let mut is_behind = false;
        match result {
            Ok(written) => {
                sealing.made_for = task.fingerprint;
                sealing.failed_for = 0;
                is_behind = core::mem::take(&mut sealing.leaves_behind);
                variant.content = Some(Arc::new(Content::new(
                    &fields,
                    Some(&written.content_type),
                    written.body,
                )));
                sealing.content_type = written.content_type;
            }
            Err(why) => {
                sealing.made_for = 0;
                sealing.failed_for = task.fingerprint;
                sealing.leaves_behind = true;
                variant.content = None;
                error = Some(why);
            }
        }
        // A state that changes faster than it can be signed would never be told.
        let is_overtaken = version.is_some_and(|version| version != task.version);
        if is_overtaken {
            variant.rendered = version.unwrap_or_default();
            self.round_after_this(task.resource);
        }
        if let Some(error) = error
            && let Some(resource) = self.resources.get(task.resource)
        {
            let (resource, watcher) = (Arc::clone(&resource.name), task.watcher.clone());
            self.counters.protections_failed += 1;
            self.event(ServerEvent::ProtectionFailed {
                resource,
                watcher,
                error,
            });
        }
        for waiter in waiters {
            if let Some(subscription) = self.subscriptions.get_mut(waiter)
                && subscription.waits == Waits::Still
            {
                subscription.waits = match has_failed {
                    true => Waits::InVain,
                    false => Waits::No,
                };
                if subscription.owed {
                    self.owe(waiter);
                }
            }
        }
        if is_behind {
            self.schedule_round(task.resource);
        }
        true
    }

    /// What was made just now is sent, be it of a state that is over; the newest follows at the pace of
    /// changes.
    fn round_after_this(&mut self, key: Key) {
        let Some(resource) = self.resources.get_mut(key) else {
            return;
        };
        resource.is_overtaken = true;
        match &mut resource.round {
            Round::Walking { again, .. } => *again = true,
            Round::Due { .. } => {}
            Round::Idle => {
                resource.last_round = Some(self.now);
                self.schedule_round(key);
            }
        }
    }

    /// A round that waited for a job goes on.
    pub(super) fn resume_round(&mut self, key: Key) {
        if let Some(resource) = self.resources.get_mut(key)
            && core::mem::take(&mut resource.is_paused)
        {
            self.lanes.enter_round(key);
        }
    }

    /// A job is over: whoever waits for room has its turn.
    fn unstall(&mut self) {
        while let Some(stalled) = self.stalled.pop_front() {
            if !self.is_stalled(stalled) {
                // It takes no turn from others.
                continue;
            }
            match stalled {
                Stalled::Round(key) => self.resume_round(key),
                Stalled::Owed(key) => {
                    if let Some(subscription) = self.subscriptions.get_mut(key) {
                        subscription.waits = Waits::No;
                        if subscription.owed {
                            self.owe(key);
                        }
                    }
                }
            }
            // It may not need a job any more; then nothing else would wake the others.
            if self.protections.len() > 0 {
                break;
            }
        }
    }

    /// Whether somebody in the queue for room waits still.
    fn is_stalled(&self, stalled: Stalled) -> bool {
        match stalled {
            Stalled::Round(key) => self.resources.get(key).is_some_and(|it| it.is_paused),
            Stalled::Owed(key) => {
                let subscription = self.subscriptions.get(key);
                subscription.is_some_and(|it| it.waits == Waits::Still)
            }
        }
    }

    /// Puts somebody in the queue for room.
    fn stall(&mut self, stalled: Stalled) {
        self.stalled.push_back(stalled);
        // Those who do not wait any more, or wait twice, do not pile up while all places are taken.
        if self.stalled.len() > 2 * (self.subscriptions.len() + self.resources.len()) + 16 {
            let mut queue = core::mem::take(&mut self.stalled);
            let mut known = HashSet::new();
            queue.retain(|it| self.is_stalled(*it) && known.insert(*it));
            self.stalled = queue;
        }
    }

    /// Whether the protected document of a variant is there; if not, what it takes has begun, and what
    /// there is to wait for is told.
    pub(super) fn await_protection(&mut self, key: Key) -> Result<(), Wait> {
        let Some(variant) = self.variants.get(key) else {
            return Ok(());
        };
        if variant.name.protection == Protection::SignedMessage && !self.protections.has_room() {
            return Err(Wait::ForRoom);
        }
        let Some(sealing) = &variant.sealing else {
            return Ok(());
        };
        if sealing.job.is_some() {
            return Err(Wait::For(key, None));
        }
        let signed = sealing.signed;
        if let Some(signed) = signed {
            if self.passes_for_current(variant, sealing) {
                return Ok(());
            }
            self.await_protection(signed)?;
        }
        if self.is_sealed(key) {
            return Ok(());
        }
        let plain = match signed {
            Some(signed) => self.signed_content(key, signed),
            None => self.plain_content(key),
        };
        let Some(variant) = self.variants.get_mut(key) else {
            return Ok(());
        };
        let Some(sealing) = &mut variant.sealing else {
            return Ok(());
        };
        let Some((media_type, body)) = plain else {
            // Nothing is nothing, however it is protected; and it is a state.
            let fingerprint = variant.fingerprint;
            sealing.made_for = fingerprint;
            sealing.failed_for = 0;
            let nothing = self
                .tells_entity_tags()
                .then(|| self.without_body(fingerprint));
            if let Some(variant) = self.variants.get_mut(key) {
                variant.content = nothing;
            }
            return Ok(());
        };
        if sealing.made_for == variant.fingerprint {
            return Ok(());
        }
        if sealing.failed_for == variant.fingerprint {
            return Err(Wait::InVain(key));
        }
        if !self.protections.has_room() {
            return Err(Wait::ForRoom);
        }
        let Ok(content) = Part::new(&media_type, &body) else {
            sealing.failed_for = variant.fingerprint;
            return Err(Wait::InVain(key));
        };
        match self.begin_protection(key, content) {
            Some(job) => Err(Wait::For(key, Some(Box::new(job)))),
            None => Ok(()),
        }
    }

    /// Whether what a variant has is made from the state of now.
    fn is_sealed(&self, key: Key) -> bool {
        let Some(variant) = self.variants.get(key) else {
            return false;
        };
        let Some(sealing) = &variant.sealing else {
            return false;
        };
        match sealing.signed {
            Some(signed) => {
                let source = self.variants.get(signed).map(|it| it.fingerprint);
                sealing.made_for != 0 && source == Some(sealing.made_for)
            }
            None => self.passes_for_current(variant, sealing),
        }
    }

    /// Whether what a variant has goes for the state of now, be it of one that is over.
    fn passes_for_current(&self, variant: &Variant, sealing: &Sealing) -> bool {
        let resource = self.resources.get(variant.name.resource);
        resource.is_some_and(|it| it.version == variant.rendered)
            && sealing.made_for != 0
            && sealing.made_for == variant.fingerprint
    }

    fn begin_protection(&mut self, key: Key, content: Part) -> Option<ProtectionJob> {
        let variant = self.variants.get(key)?;
        let watcher = variant
            .name
            .recipient
            .and_then(|key| self.watchers.get(key));
        let watcher = watcher.map(|watcher| Arc::clone(&watcher.name));
        if variant.name.protection.is_encrypted() && watcher.is_none() {
            // For nobody there is nothing.
            return None;
        }
        let kind = match &watcher {
            Some(watcher) => ProtectionKind::Encrypt {
                watcher: Arc::clone(watcher),
            },
            None => ProtectionKind::Sign,
        };
        let task = DocumentTask {
            variant: key,
            resource: variant.name.resource,
            version: variant.rendered,
            fingerprint: variant.fingerprint,
            watcher,
        };
        let resource = Arc::clone(&self.resources.get(task.resource)?.name);
        let deadline = self.now + self.config.job_deadline;
        let wheel = &mut self.wheel;
        let task = ProtectionTask::Document(task);
        let job = self
            .protections
            .begin(task, |job| wheel.arm(deadline, Timer::Protection(job)));
        if let Some(variant) = self.variants.get_mut(key)
            && let Some(sealing) = &mut variant.sealing
        {
            sealing.job = Some(job);
        }
        self.counters.protections += 1;
        Some(ProtectionJob {
            key: ProtectionKey(job),
            resource,
            kind,
            content,
            deadline,
        })
    }

    /// The document to be protected, and its type.
    fn plain_content(&mut self, key: Key) -> Option<(String, Bytes)> {
        let (media_type, body) = self.render(key)?;
        Some((media_type.to_owned(), body?))
    }

    /// What is signed already and now is to be encrypted. It goes by the fingerprint of what was signed.
    fn signed_content(&mut self, key: Key, signed: Key) -> Option<(String, Bytes)> {
        let source = self.variants.get(signed)?;
        let (fingerprint, rendered) = (source.fingerprint, source.rendered);
        let body = source.content.as_ref().map(|it| it.body().clone());
        let body = body.filter(|body| !body.is_empty());
        let content_type = source.sealing.as_ref().map(|it| it.content_type.clone());
        let variant = self.variants.get_mut(key)?;
        variant.fingerprint = fingerprint;
        variant.rendered = rendered;
        content_type.zip(body)
    }

    /// Whether the document of a variant has to be made before it can leave.
    pub(super) fn is_protected(&self, key: Key) -> bool {
        let variant = self.variants.get(key);
        variant.is_some_and(|variant| variant.sealing.is_some())
    }

    /// The protected document of a variant, if it is the one of now and ready.
    pub(super) fn protected_document(&mut self, key: Key) -> Option<Document> {
        self.is_sealed(key).then(|| self.document(key))?
    }

    /// Has a document signed anew for somebody who was shown another one: what was signed before that
    /// would be taken for an old one that is sent again (RFC 3856 section 9.4).
    pub(super) fn unseal(&mut self, key: Key) {
        let Some(variant) = self.variants.get_mut(key) else {
            return;
        };
        let is_signed = variant.name.protection.is_signed();
        if is_signed && let Some(sealing) = &mut variant.sealing {
            sealing.made_for = 0;
            if let Some(signed) = sealing.signed {
                self.unseal(signed);
            }
        }
    }

    /// Lets what has failed be tried again.
    pub(super) fn forgive(&mut self, key: Key) {
        if let Some(variant) = self.variants.get_mut(key)
            && let Some(sealing) = &mut variant.sealing
        {
            sealing.failed_for = 0;
        }
    }

    /// A NOTIFY of its own waits: for the job of this variant, or for room.
    pub(super) fn wait_for(&mut self, subscription: Key, variant: Option<Key>) {
        let Some(waiting) = self.subscriptions.get_mut(subscription) else {
            return;
        };
        waiting.owed = true;
        if core::mem::replace(&mut waiting.waits, Waits::Still) == Waits::Still {
            return;
        }
        let variant = variant.and_then(|key| self.variants.get_mut(key));
        match variant.and_then(|variant| variant.sealing.as_mut()) {
            Some(sealing) => sealing.waiters.push(subscription),
            None => self.stall(Stalled::Owed(subscription)),
        }
    }

    /// A round waits: for a job, or for room.
    pub(super) fn pause_round(&mut self, key: Key, is_stalled: bool) {
        if let Some(resource) = self.resources.get_mut(key) {
            resource.is_paused = true;
            if is_stalled {
                self.stall(Stalled::Round(key));
            }
        }
    }
}
