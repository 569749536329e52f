//! The roles of the library, each with what its host does for it.

use std::sync::Arc;

use presentity::certs::{Anybody, CertificateServer, Retriever, RetrieverEvent, RetrieverOutput};
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Backlog, Decision, Failure, Identity, Opening, OpeningOutcome,
    Output, ProtectError, Protection, ProtectionJob, ProtectionKind, ProtectionQuery,
    PublishDecision, PublishQuery, PublisherEvent, PublisherOutput, RequestContext, ServerEvent,
    SubscribeQuery, View,
};
use presentity::mime::smime::{Credential, Trust};
use presentity::mime::{EncryptError, Opener, Sign as _, SignError, Signed, Written};
use presentity::presence::{Agent, Policy, Publisher, Watcher, WatcherEvent, WatcherOutput};
use presentity::sip::{HeaderName, NameAddr, RequestRef, ResponseRef};

use crate::party::{Done, Role, Step};
use crate::{adapter, web};

/// Who sent a request. From is no evidence; it does here, where nobody else can reach the sockets. The
/// example `presence_server` has Digest in its place.
pub(crate) fn identity(request: &RequestRef<'_>) -> Identity {
    let from = request.first(HeaderName::From);
    let from = from.and_then(|from| NameAddr::parse(from).ok());
    let identity = from.and_then(|from| Identity::of(from.uri(), Assurance::Claimed).ok());
    identity.unwrap_or_default()
}

/// Everybody may watch, and publishes for themselves. Whoever takes signed documents gets them signed.
pub(crate) struct House;

impl Policy for House {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.identity().includes(query.resource()) {
            true => PublishDecision::Allow,
            false => PublishDecision::Forbid,
        }
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        match query.accepts(Protection::Signed) {
            true => Protection::Signed,
            false => Protection::None,
        }
    }
}

/// The presence agent of a domain, and the key by which it signs.
pub(crate) struct PresenceService {
    pub(crate) agent: Agent<House>,
    pub(crate) domain: Arc<Credential>,
}

impl PresenceService {
    fn protect(&self, job: ProtectionJob) -> Step<Self> {
        let domain = Arc::clone(&self.domain);
        Step::Compute(Box::new(move || {
            let result = match job.kind {
                ProtectionKind::Sign => sign(&domain, job.content.octets()),
                // The policy asks for nothing else.
                _ => Err(EncryptError::NoCertificate.into()),
            };
            Box::new(move |service: &mut Self, now| {
                service.agent.complete_protection(now, job.key, result);
            })
        }))
    }
}

/// Signs an entity and writes both as a body.
pub(crate) fn sign(by: &Credential, entity: &[u8]) -> Result<Written, ProtectError> {
    let signature = by.sign(entity)?;
    let failed = |error: getrandom::Error| SignError::Failed(error.to_string());
    let mut entropy = adapter::entropy().map_err(failed)?;
    Ok(Signed::write(entity, &signature, &mut entropy))
}

/// What the outputs of both services have in common.
fn served<R: Role<Event = ServerEvent>>(output: Output) -> Step<R> {
    match output {
        Output::Respond(response) | Output::Challenge(response) => Step::Respond(response),
        Output::Send(request) => Step::Send(request),
        Output::Event(event) => Step::Event(event),
        _ => Step::Nothing,
    }
}

/// What all roles pass on in the same way.
macro_rules! pass_on {
    ($role:ident) => {
        fn handle_request(
            &mut self,
            now: Timestamp,
            transaction: ServerTransaction,
            request: &RequestRef<'_>,
            context: &RequestContext<'_>,
        ) -> Result<(), Backlog> {
            (self.$role).handle_request(now, transaction, request, context)
        }

        pass_on!(answers $role);
    };
    (answers $role:ident) => {
        fn handle_response(
            &mut self,
            now: Timestamp,
            transaction: ClientTransaction,
            response: &ResponseRef<'_>,
        ) {
            (self.$role).handle_response(now, transaction, response);
        }

        fn handle_failure(
            &mut self,
            now: Timestamp,
            transaction: ClientTransaction,
            failure: Failure,
        ) {
            (self.$role).handle_failure(now, transaction, failure);
        }

        fn handle_timeout(&mut self, now: Timestamp) {
            self.$role.handle_timeout(now);
        }

        fn poll_timeout(&self) -> Option<Timestamp> {
            self.$role.poll_timeout()
        }
    };
}

impl Role for PresenceService {
    type Event = ServerEvent;

    pass_on!(agent);

    fn poll(&mut self, _: Timestamp) -> Option<Step<Self>> {
        Some(match self.agent.poll_output()? {
            Output::Protect(job) => self.protect(*job),
            other => served(other),
        })
    }
}

/// The service that gives out the certificates of users.
pub(crate) struct CertificateService {
    pub(crate) server: CertificateServer<Anybody>,
}

impl Role for CertificateService {
    type Event = ServerEvent;

    pass_on!(server);

    fn poll(&mut self, _: Timestamp) -> Option<Step<Self>> {
        self.server.poll_output().map(served)
    }
}

/// Whoever uploads his state.
pub(crate) struct Publishing {
    pub(crate) publisher: Publisher,
}

impl Role for Publishing {
    type Event = PublisherEvent;

    /// Nobody has a reason to ask a publisher for anything.
    fn handle_request(
        &mut self,
        _: Timestamp,
        _: ServerTransaction,
        _: &RequestRef<'_>,
        _: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        Ok(())
    }

    pass_on!(answers publisher);

    fn poll(&mut self, _: Timestamp) -> Option<Step<Self>> {
        Some(match self.publisher.poll_output()? {
            PublisherOutput::Send(request) => Step::Send(request),
            PublisherOutput::Event(event) => Step::Event(event),
            _ => Step::Nothing,
        })
    }
}

/// Whoever watches, and by whom documents have to be signed.
pub(crate) struct Watching {
    pub(crate) watcher: Watcher,
    pub(crate) trust: Arc<Trust>,
}

impl Role for Watching {
    type Event = WatcherEvent;

    pass_on!(watcher);

    fn poll(&mut self, now: Timestamp) -> Option<Step<Self>> {
        Some(match self.watcher.poll_output()? {
            WatcherOutput::Respond(response) => Step::Respond(response),
            WatcherOutput::Send(request) => Step::Send(request),
            WatcherOutput::Event(event) => Step::Event(event),
            WatcherOutput::Open(opening) => {
                let key = opening.key;
                open(
                    opening,
                    &self.trust,
                    move |role: &mut Self, now, outcome| {
                        role.watcher.complete_opening(now, key, outcome);
                    },
                )
            }
            WatcherOutput::NeedCredentials(need) => {
                (self.watcher).decline_credentials(now, need.transaction());
                Step::Nothing
            }
            _ => Step::Nothing,
        })
    }
}

/// Has a body opened, and tells the role what became of it.
fn open<R: Role>(
    opening: Opening,
    trust: &Arc<Trust>,
    tell: impl FnOnce(&mut R, Timestamp, OpeningOutcome) + Send + 'static,
) -> Step<R> {
    let trust = Arc::clone(trust);
    Step::Compute(Box::new(move || {
        let opener = Opener::new().with_verify(&*trust);
        let outcome = opener.open(&opening.content_type, &opening.body);
        Box::new(move |role: &mut R, now| tell(role, now, outcome))
    }))
}

/// Whoever looks for certificates, and whose word counts in them.
pub(crate) struct Retrieving {
    pub(crate) retriever: Retriever,
    pub(crate) trust: Arc<Trust>,
}

impl Role for Retrieving {
    type Event = RetrieverEvent;

    pass_on!(retriever);

    fn poll(&mut self, now: Timestamp) -> Option<Step<Self>> {
        Some(match self.retriever.poll_output()? {
            RetrieverOutput::Respond(response) => Step::Respond(response),
            RetrieverOutput::Send(request) => Step::Send(request),
            RetrieverOutput::Event(event) => Step::Event(event),
            RetrieverOutput::Inspect(inspection) => {
                let trust = Arc::clone(&self.trust);
                Step::Compute(Box::new(move || {
                    let read = inspection.read_with(&*trust);
                    Box::new(move |role: &mut Self, now| {
                        (role.retriever).complete_inspection(now, inspection.key, read);
                    })
                }))
            }
            RetrieverOutput::Fetch(fetch) => Step::Await(Box::pin(async move {
                let fetched = web::fetch(&fetch).await;
                let done: Done<Self> = Box::new(move |role, now| match fetched {
                    Ok(response) => {
                        role.retriever.complete_fetch(now, fetch.key, response);
                    }
                    Err(failure) => {
                        role.retriever.fail_fetch(now, fetch.key, failure);
                    }
                });
                done
            })),
            RetrieverOutput::Open(opening) => {
                let key = opening.key;
                open(
                    opening,
                    &self.trust,
                    move |role: &mut Self, now, outcome| {
                        role.retriever.complete_opening(now, key, outcome);
                    },
                )
            }
            RetrieverOutput::NeedCredentials(need) => {
                (self.retriever).decline_credentials(now, need.transaction());
                Step::Nothing
            }
            _ => Step::Nothing,
        })
    }
}
