//! What the server does beside presence: tells who asks, registers phones, answers the rest.

use std::sync::Arc;

use presentity::engine::Timestamp;
use presentity::event::{Assurance, Identity, Opening, ProtectionJob, ServerEvent};
use presentity::mime::{OpenError, SignError};
use presentity::presence::{Agent, RulesPolicy};
use presentity::sip::{HeaderName, NameAddr, RequestRef, Uri};

use crate::adapter::{Caller, Host, Open, Protect, Reply};
use crate::digest::{Authenticator, Credentials};
use crate::policy::{ServerPolicy, without_port};
use crate::registrar::Registrar;
use crate::smime::Keys;
use crate::terminal::say;

/// The agent of this server.
pub(crate) type ServerAgent = Agent<RulesPolicy<ServerPolicy>>;

/// The server around the agent.
pub(crate) struct Server {
    /// Nothing: From is believed.
    pub(crate) authenticator: Option<Authenticator>,
    /// Canonical; empty for any.
    pub(crate) domains: Vec<String>,
    /// Those that the server listens on.
    pub(crate) ports: Vec<u16>,
    pub(crate) registrar: Registrar,
    pub(crate) max_expires: u32,
    /// Whether what is registered is presence.
    pub(crate) shows_registrations: bool,
    /// Whether watchers may have to be sent elsewhere: to devices, while [`migrates`](Self::migrates), or to
    /// another server, while this one is being emptied.
    pub(crate) migrates: bool,
    pub(crate) drains: bool,
    /// Presentities with rules.
    pub(crate) rules: usize,
    /// For documents that leave signed or encrypted.
    pub(crate) keys: Option<Arc<Keys>>,
    pub(crate) quiet: bool,
}

impl Server {
    /// The address of record in a field like From, without a port of ours.
    fn address_in(&self, value: Option<&str>) -> Option<String> {
        let address = NameAddr::parse(value?).ok()?;
        let address = Uri::parse(address.uri()).ok()?.address_of_record()?;
        Some(self.folded(address))
    }

    /// An address of record without a port of ours, as subscriptions are listed under.
    pub(crate) fn folded(&self, address: String) -> String {
        let folded = without_port(&address, &self.ports).map(str::to_owned);
        folded.unwrap_or(address)
    }

    fn serves(&self, domain: &str) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|known| known == domain)
    }

    /// The user as the presentity that it is in each of our domains. Where any domain is ours the
    /// user is in that of its From.
    fn identity_of(&self, user: &str, from: Option<&str>) -> Identity {
        let domain = from
            .and_then(|from| from.rsplit_once('@'))
            .map(|(_, domain)| domain);
        let own = domain.filter(|domain| self.serves(domain));
        let others = self
            .domains
            .iter()
            .map(String::as_str)
            .filter(|domain| own != Some(*domain));
        own.into_iter()
            .chain(others)
            .fold(Identity::nobody(), |identity, domain| {
                let uri = format!("sip:{user}@{domain}");
                identity
                    .clone()
                    .and(&uri, Assurance::Digest)
                    .unwrap_or(identity)
            })
    }

    fn register(
        &mut self,
        now: Timestamp,
        request: &RequestRef<'_>,
        caller: &Caller,
        agent: &mut ServerAgent,
    ) -> Reply {
        if caller.identity.is_nobody() {
            let values = self.challenge(caller);
            let reply = Reply::new(401);
            return values
                .into_iter()
                .fold(reply, |r, value| r.with("WWW-Authenticate", value));
        }
        let Some(address) = self.address_in(request.first(HeaderName::To)) else {
            return Reply::new(400);
        };
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        if !self.serves(domain) {
            return Reply::new(404);
        }
        if !caller.identity.includes(&address) {
            return Reply::new(403);
        }
        let reply = (self.registrar).register(now, &address, request, self.max_expires);
        if self.shows_registrations && reply.status == 200 {
            let contacts = self.registrar.contacts(&address);
            let told = agent.set_registration(now, &address, &caller.identity, &contacts);
            if let Err(problem) = told {
                say(format_args!("registration of {address}: {problem}"));
            }
        }
        reply
    }
}

impl Host<RulesPolicy<ServerPolicy>> for Server {
    fn identify(&mut self, request: &RequestRef<'_>) -> Caller {
        let from = self.address_in(request.first(HeaderName::From));
        let nobody = |stale| Caller {
            identity: Identity::nobody(),
            stale,
        };
        let Some(authenticator) = &mut self.authenticator else {
            let identity =
                from.and_then(|from| Identity::of(&format!("sip:{from}"), Assurance::Claimed).ok());
            return Caller {
                identity: identity.unwrap_or_default(),
                stale: false,
            };
        };
        for value in request.values(HeaderName::Authorization) {
            match authenticator.check(value, request.method()) {
                Credentials::Of(user) => {
                    let user = user.to_owned();
                    return Caller {
                        identity: self.identity_of(&user, from.as_deref()),
                        stale: false,
                    };
                }
                Credentials::Stale => return nobody(true),
                Credentials::None => {}
            }
        }
        nobody(false)
    }

    fn challenge(&mut self, caller: &Caller) -> Vec<String> {
        let challenges = self
            .authenticator
            .as_ref()
            .map(|a| a.challenges(caller.stale));
        challenges.and_then(Result::ok).unwrap_or_default()
    }

    fn answer(
        &mut self,
        now: Timestamp,
        request: &RequestRef<'_>,
        caller: &Caller,
        agent: &mut ServerAgent,
    ) -> Reply {
        let opens = self.keys.as_ref().is_some_and(|keys| keys.opens());
        let accept = match opens {
            true => "application/pidf+xml, multipart/signed, application/pkcs7-mime",
            false => "application/pidf+xml",
        };
        let allow = format!("{}, REGISTER, OPTIONS", agent.allow());
        match request.method() {
            "REGISTER" => self.register(now, request, caller, agent),
            "OPTIONS" => Reply::new(200)
                .with("Allow", allow)
                .with("Allow-Events", agent.allow_events())
                .with("Accept", accept),
            // No dialog of ours has these.
            "NOTIFY" | "BYE" | "PRACK" | "UPDATE" | "INFO" => Reply::new(481),
            _ => Reply::new(405).with("Allow", allow),
        }
    }

    fn event(&mut self, event: &ServerEvent) {
        if !self.quiet {
            say(event);
        }
    }

    fn forwards(&self) -> bool {
        self.migrates || self.drains
    }

    fn protect(&mut self, job: ProtectionJob) -> Protect {
        let keys = self.keys.clone();
        Box::new(move || keys.ok_or(SignError::NoKey)?.protect(&job))
    }

    fn open(&mut self, opening: Opening) -> Open {
        let keys = self.keys.clone();
        Box::new(move || keys.ok_or(OpenError::Unsupported)?.open(&opening))
    }
}
