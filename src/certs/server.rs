//! A service that gives out the certificates of its users.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;

use super::package::{CertificatePackage, CertificatePolicy, ServedCertificate};
use crate::engine::{ClientTransaction, Entropy, FlowId, ServerTransaction, Timestamp};
use crate::event::{
    Backlog, Failure, NotifyResult, Output, Reason, RequestContext, Server, ServerConfig,
    ServerEvent, SubscriptionKey, Termination,
};
use crate::sip::{RequestRef, ResponseRef, Uri};

/// Settings of a [`CertificateServer`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateServerConfig {
    /// Durations, pace and bounds. Unlike elsewhere a subscription may last a week, a changed certificate
    /// is told of once a minute at most (RFC 6072 section 6.10), the role is 4, and each NOTIFY has
    /// `Content-Disposition: signal` (RFC 6072 section 6.4), which stays when others are added.
    pub server: ServerConfig,
    /// The domains whose users are served; a request for another one gets 404. Empty, the default: every
    /// domain.
    pub domains: Vec<String>,
    /// Whether subscriptions are kept.
    pub duration: ServiceDuration,
}

impl Default for CertificateServerConfig {
    fn default() -> Self {
        Self {
            server: ServerConfig {
                max_expires: 604_800,
                notify_interval: Duration::from_secs(60),
                role: 4,
                notify_fields: vec![("Content-Disposition".to_owned(), "signal".to_owned())],
                ..ServerConfig::default()
            },
            domains: Vec::new(),
            duration: ServiceDuration::Subscription,
        }
    }
}

/// Whether subscriptions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ServiceDuration {
    /// They last as long as they are granted, and changes are told.
    #[default]
    Subscription,
    /// Each gets the certificate and is ended at once with reason `probation`: whoever wants to know
    /// whether it is still good asks again (RFC 6072 section 4).
    Probation {
        /// The seconds to wait before that.
        retry_after: u32,
    },
}

/// Gives out the certificates of users to whoever subscribes to them: the state agent of RFC 6072
/// section 6. How a certificate gets here is the application's; there is no publication.
///
/// It is driven as the crate's front page shows. Its NOTIFYs have the From that the SUBSCRIBE had as To;
/// the host sends them by TLS, or signs them (RFC 8224) if it has the key of the domain.
#[derive(Debug)]
pub struct CertificateServer<P: CertificatePolicy> {
    server: Server<CertificatePackage<P>>,
    duration: ServiceDuration,
    /// Those that end when they have got their certificate.
    brief: VecDeque<SubscriptionKey>,
}

impl<P: CertificatePolicy> CertificateServer<P> {
    /// A service with the application's policy and source of unguessable bytes.
    pub fn new(
        config: CertificateServerConfig,
        policy: P,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let mut server = config.server;
        let is_disposition = |name: &str| name.eq_ignore_ascii_case("Content-Disposition");
        if !server
            .notify_fields
            .iter()
            .any(|(it, _)| is_disposition(it))
        {
            let field = ("Content-Disposition".to_owned(), "signal".to_owned());
            server.notify_fields.push(field);
        }
        let package = CertificatePackage::new(policy, &config.domains);
        Self {
            server: Server::new(package, server, entropy),
            duration: config.duration,
            brief: VecDeque::new(),
        }
    }

    /// The server beneath, for what is not here: decisions, ends, counters.
    pub fn server(&self) -> &Server<CertificatePackage<P>> {
        &self.server
    }

    /// The same. Its output is to be taken here.
    pub fn server_mut(&mut self) -> &mut Server<CertificatePackage<P>> {
        &mut self.server
    }

    /// Says what the certificate of a user is, in DER; nothing when there is none, or it was revoked.
    /// False when this is no URI of a user served here.
    pub fn set_certificate(
        &mut self,
        now: Timestamp,
        uri: &str,
        certificate: Option<Bytes>,
    ) -> bool {
        self.server.advance(now);
        let Ok(uri) = Uri::parse(uri) else {
            return false;
        };
        let package = self.server.package();
        let Ok(name) = crate::event::Package::resource(package, &uri) else {
            return false;
        };
        // An empty one would say that there is none.
        let state = ServedCertificate(certificate.filter(|it| !it.is_empty()));
        self.server.update_state(now, &name, |known| {
            let is_other = *known != state;
            *known = state;
            is_other
        });
        true
    }

    /// See [`Server::accepts`].
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        self.server.accepts(request)
    }

    /// See [`Server::owns`].
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.server.owns(request)
    }

    /// See [`Server::handle_request`].
    ///
    /// # Errors
    /// [`Backlog`] when nothing happened and the host answers 503 itself.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        self.server
            .handle_request(now, transaction, request, context)
    }

    /// See [`Server::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.server.handle_response(now, transaction, response);
    }

    /// See [`Server::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.server.handle_failure(now, transaction, failure);
    }

    /// See [`Server::handle_flow_lost`].
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.server.handle_flow_lost(now, flow);
    }

    /// See [`Server::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.server.handle_timeout(now);
    }

    /// See [`Server::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.server.poll_timeout()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let Some(output) = self.server.poll_output() else {
                if self.end_brief() {
                    continue;
                }
                return None;
            };
            if let Output::Event(ServerEvent::SubscriptionStarted { subject, .. }) = &output
                && self.duration != ServiceDuration::Subscription
            {
                self.brief.push_back(subject.key);
            }
            return Some(output);
        }
    }

    /// Ends those whose first NOTIFY has left; tells whether there were any.
    fn end_brief(&mut self) -> bool {
        let ServiceDuration::Probation { retry_after } = self.duration else {
            return false;
        };
        let end = Termination::new(Reason::Probation).with_retry_after(retry_after);
        let now = self.server.now();
        let mut has_ended = false;
        for _ in 0..self.brief.len() {
            let Some(key) = self.brief.pop_front() else {
                break;
            };
            match self.server.subscription(key).map(|it| it.last_result) {
                // Its turn has not come.
                Some(NotifyResult::None) => self.brief.push_back(key),
                Some(_) => has_ended |= self.server.terminate(now, key, end).is_ok(),
                None => {}
            }
        }
        has_ended
    }
}
