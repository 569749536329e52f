//! Requests whose answer waits for the host: for an opened body, or a verdict on a signature.

use core::net::IpAddr;

use bytes::Bytes;

use super::body::Verdict;
use super::identity::{Identity, RequestContext};
use super::opening::LONGEST_WAIT;
use super::package::Package;
use super::refusal::Refusal;
use super::server::Server;
use crate::engine::{FlowId, ServerTransaction, Timestamp};
use crate::mime::{Opened, Signer};
use crate::sip::{HeaderName, RequestRef};

/// What a request has waited for already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waited<'a> {
    /// When it came; nothing when it has just come.
    pub(super) since: Option<Timestamp>,
    /// What was around its body, which is another one since.
    pub(super) wrapping: Option<&'a Wrapping>,
    /// That on the signature over its body.
    pub(super) verdict: Option<&'a Verdict>,
}

/// What was around a body that was opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Wrapping {
    pub(super) signers: Vec<Signer>,
    pub(super) is_encrypted: bool,
    /// The signers have signed the header with it.
    pub(super) covers_header: bool,
    /// The body as it came, and its type, if it was signed and nothing more.
    pub(super) as_signed: Option<(String, Bytes)>,
}

impl<'a> Waited<'a> {
    pub(super) fn signers(&self) -> &'a [Signer] {
        self.wrapping.map_or(&[], |wrapping| &wrapping.signers)
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.wrapping.is_some_and(|wrapping| wrapping.is_encrypted)
    }

    pub(super) fn as_signed(&self) -> Option<(&'a str, &'a Bytes)> {
        let (content_type, octets) = self.wrapping?.as_signed.as_ref()?;
        Some((content_type, octets))
    }

    pub(super) fn covers_header(&self) -> bool {
        self.wrapping.is_some_and(|wrapping| wrapping.covers_header)
    }
}

/// A SUBSCRIBE or PUBLISH that waits.
#[derive(Debug)]
pub(super) struct WaitingRequest {
    pub(super) transaction: ServerTransaction,
    method: &'static str,
    uri: String,
    fields: Vec<(HeaderName, String)>,
    body: Bytes,
    identity: Identity,
    local_contact: String,
    flow: Option<FlowId>,
    source: Option<IpAddr>,
    since: Timestamp,
    wrapping: Option<Wrapping>,
}

impl WaitingRequest {
    pub(super) fn request(&self) -> RequestRef<'_> {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
        RequestRef::new(self.method, &self.uri, fields, &self.body)
    }

    fn context(&self) -> RequestContext<'_> {
        RequestContext {
            identity: &self.identity,
            local_contact: &self.local_contact,
            flow: self.flow,
            source: self.source,
        }
    }

    /// It goes on as if it had come with what was within its body.
    pub(super) fn unwrap_body(&mut self, opened: Opened, covers_header: bool) {
        let is_signed_alone = !opened.signers.is_empty() && !opened.is_encrypted && !covers_header;
        let mut fields = self.fields.iter();
        let written_as = fields.find(|(name, _)| *name == HeaderName::ContentType);
        let as_signed = written_as
            .filter(|_| is_signed_alone)
            .map(|(_, value)| (value.clone(), self.body.clone()));
        self.fields
            .retain(|(name, _)| *name != HeaderName::ContentType);
        // A request within may have none.
        if !opened.content_type.is_empty() {
            self.fields
                .push((HeaderName::ContentType, opened.content_type));
        }
        self.body = opened.body;
        self.wrapping = Some(Wrapping {
            signers: opened.signers,
            is_encrypted: opened.is_encrypted,
            covers_header,
            as_signed,
        });
    }

    /// It goes on as if it had come without a body.
    pub(super) fn leave_body(&mut self) {
        self.body = Bytes::new();
        self.wrapping = Some(Wrapping::default());
    }
}

impl<P: Package> Server<P> {
    /// Keeps a request, until this time at the latest.
    pub(super) fn keep_waiting(
        &self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
        waited: &Waited<'_>,
    ) -> (WaitingRequest, Timestamp) {
        let owned = |(name, value): (HeaderName, &str)| (name, value.to_owned());
        let waiting = WaitingRequest {
            transaction,
            method: match request.method() {
                "PUBLISH" => "PUBLISH",
                _ => "SUBSCRIBE",
            },
            uri: request.uri().to_owned(),
            fields: request.fields().map(owned).collect(),
            body: request.body().clone(),
            identity: context.identity.clone(),
            local_contact: context.local_contact.to_owned(),
            flow: context.flow,
            source: context.source,
            since: waited.since.unwrap_or(self.now),
            wrapping: waited.wrapping.cloned(),
        };
        (waiting, self.deadline(waited))
    }

    /// When the host is to have done something for a request. One that has waited before has less time
    /// left, since its sender waits all the same.
    pub(super) fn deadline(&self, waited: &Waited<'_>) -> Timestamp {
        let latest = waited.since.unwrap_or(self.now) + LONGEST_WAIT;
        (self.now + self.config.job_deadline).min(latest)
    }

    /// What a request has waited for is there.
    pub(super) fn go_on(&mut self, waiting: &WaitingRequest, verdict: Option<&Verdict>) {
        let (request, context) = (waiting.request(), waiting.context());
        let waited = Waited {
            since: Some(waiting.since),
            wrapping: waiting.wrapping.as_ref(),
            verdict,
        };
        let transaction = waiting.transaction;
        let outcome = if request.is_overlong() || request.is_malformed() {
            // What the body says of its type.
            Err(Refusal::malformed())
        } else if waiting.method == "PUBLISH" {
            self.publish(transaction, &request, &context, &waited)
        } else {
            self.subscribe(transaction, &request, &context, &waited)
        };
        if let Err(refusal) = outcome {
            self.refuse(transaction, &request, refusal);
        }
    }
}
