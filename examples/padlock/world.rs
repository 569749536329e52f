//! The people, their keys, and the services of example.com.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use presentity::certs::{
    Anybody, CertificateServer, CertificateServerConfig, DocumentIntegrity, LiteralAddresses,
    Retriever, RetrieverConfig, RetrieverEvent, Verdict,
};
use presentity::engine::Timestamp;
use presentity::event::{
    Account, OwnPublicationKey, OwnSubscriptionKey, PublisherConfig, PublisherEvent, RefusedBody,
};
use presentity::mime::smime::{Credential, Trust};
use presentity::pidf::caps::Servcaps;
use presentity::pidf::certs::{CertificateSource, Certs};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{
    Agent, AgentConfig, PresenceChange, Protection, Publisher, WatchOrder, Watcher, WatcherConfig,
    WatcherEvent,
};
use time::OffsetDateTime;

use crate::Outcome;
use crate::adapter::entropy;
use crate::party::Party;
use crate::people::Holder;
use crate::phone::Phone;
use crate::roles::{CertificateService, House, PresenceService, Publishing, Retrieving, Watching};
use crate::steps::reason;
use crate::web::Shelf;

pub(crate) const ANA: &str = "sip:ana@example.com";
pub(crate) const BOB: &str = "sip:bob@example.com";
pub(crate) const DOMAIN: &str = "sip:example.com";

/// Everybody and everything but Ana and Mallory.
pub(crate) struct World {
    pub(crate) authority: Holder,
    pub(crate) trust: Arc<Trust>,
    /// Where the presence of example.com is served, to route by.
    pub(crate) presence: String,
    /// The same of its certificates.
    pub(crate) certificates: String,
    pub(crate) shelf: Shelf,
    /// Bob's certificate on the shelf.
    pub(crate) url: String,
    pub(crate) phone: Phone,
    pub(crate) bob: Party<Publishing>,
    publication: Option<OwnPublicationKey>,
}

impl World {
    pub(crate) async fn begin() -> Outcome<Self> {
        let authority = Holder::authority("Example Authority")?;
        let trust = Arc::new(authority.trust()?);
        let domain = authority.certify(DOMAIN)?.credential()?;
        let bob = authority.certify(BOB)?;
        let presence = presence_service(domain).await?;
        let certificates = certificate_service(BOB, bob.certificate()?).await?;
        let shelf = Shelf::open().await?;
        let url = shelf.put("bob", bob.certificate()?);
        let phone = Phone::start(bob.credential()?).await?;
        let publisher = Party::new("bob", |_| {
            let mut publisher = Publisher::new(PublisherConfig::default(), entropy()?);
            publisher.set_wall_clock(Timestamp::ZERO, wall_clock());
            Ok(Publishing { publisher })
        });
        Ok(Self {
            authority,
            trust,
            presence,
            certificates,
            shelf,
            url,
            phone,
            bob: publisher.await?,
            publication: None,
        })
    }

    /// Bob says how it is, and where his certificate is.
    pub(crate) async fn publish(&mut self, note: &str, source: &str) -> Outcome<()> {
        let certs = Certs::new().with_source(source);
        let caps = Servcaps::new().with_message(true).with_certs(certs);
        let tuple = Tuple::open("phone").with_contact(self.phone.contact.as_str());
        let tuple = tuple.with_note(note).with(&caps)?;
        let document = Presence::new(BOB).with_tuple(tuple);
        let now = self.bob.now();
        let publisher = &mut self.bob.role.publisher;
        match self.publication {
            Some(key) => publisher.update(now, key, document)?,
            None => {
                let account = Account::new(BOB)?.with_route(&self.presence)?;
                self.publication = Some(publisher.publish(now, &account, document)?);
            }
        }
        let accepted = self.bob.until("Bob's PUBLISH", |event| match event {
            PublisherEvent::Published { .. } => Some(Ok(())),
            PublisherEvent::Failed { failure, .. } => Some(Err(failure.to_string().into())),
            _ => None,
        });
        accepted.await
    }

    /// Bob takes back what he has said.
    pub(crate) async fn leave(&mut self) -> Outcome<()> {
        let now = self.bob.now();
        let key = self.publication.take().ok_or("nothing is published")?;
        self.bob.role.publisher.remove(now, key)?;
        let removed = self.bob.until("Bob's removal", |event| match event {
            PublisherEvent::Removed { confirmed, .. } => Some(match confirmed {
                true => Ok(()),
                false => Err("the removal is not confirmed".into()),
            }),
            _ => None,
        });
        removed.await
    }

    /// Ana, who believes what is signed by example.com or by Bob, or whatever comes.
    pub(crate) async fn watcher(&self, protection: Protection) -> Outcome<Party<Watching>> {
        let trust = Arc::clone(&self.trust);
        let watching = Party::new("ana", |_| {
            let mut config = WatcherConfig::default();
            config.protection = protection;
            let mut watcher = Watcher::new(config, entropy()?);
            watcher.set_wall_clock(Timestamp::ZERO, wall_clock());
            Ok(Watching { watcher, trust })
        });
        watching.await
    }

    /// Ana, who looks for certificates. By default the library asks neither addresses of this machine nor
    /// ports that are not those of http and https; what is here is on loopback, at any port.
    pub(crate) async fn retriever(&self, is_on_loopback: bool) -> Outcome<Party<Retrieving>> {
        let trust = Arc::clone(&self.trust);
        let port = self.shelf.port();
        let retrieving = Party::new("ana", |contact| {
            let mut config = RetrieverConfig::default();
            if is_on_loopback {
                config.web.literal_addresses = LiteralAddresses::Any;
                config.web.ports = vec![port];
            }
            let account = Account::new(ANA)?.with_contact(contact)?;
            let account = account.with_route(&self.certificates)?;
            let mut retriever = Retriever::new(config, &account, entropy()?);
            retriever.set_wall_clock(Timestamp::ZERO, wall_clock());
            Ok(Retrieving { retriever, trust })
        });
        retrieving.await
    }
}

async fn presence_service(domain: Credential) -> Outcome<String> {
    let service = Party::new("presence", |_| {
        let mut config = AgentConfig::default();
        config.domains = vec!["example.com".to_owned()];
        // Ana is not to wait for what Bob changes.
        config.server.notify_interval = Duration::ZERO;
        let mut agent = Agent::new(config, House, entropy()?);
        agent.set_wall_clock(Timestamp::ZERO, wall_clock());
        let domain = Arc::new(domain);
        Ok(PresenceService { agent, domain })
    });
    let service = service.await?;
    let route = service.route();
    service.serve();
    Ok(route)
}

/// A service that has one certificate: where it is, to route by.
pub(crate) async fn certificate_service(uri: &str, certificate: Bytes) -> Outcome<String> {
    let service = Party::new("certificates", |_| {
        let config = CertificateServerConfig::default();
        let mut server = CertificateServer::new(config, Anybody, entropy()?);
        match server.set_certificate(Timestamp::ZERO, uri, Some(certificate)) {
            true => Ok(CertificateService { server }),
            false => Err(format!("{uri} is no URI of a user").into()),
        }
    });
    let service = service.await?;
    let route = service.route();
    service.serve();
    Ok(route)
}

/// What becomes of a document.
pub(crate) enum Heard {
    Taken(Box<PresenceChange>),
    Refused(String),
}

impl Party<Watching> {
    /// Watches Bob by this way.
    pub(crate) fn watch(&mut self, route: &str) -> Outcome<OwnSubscriptionKey> {
        let account = Account::new(ANA)?.with_contact(&self.contact)?;
        let account = account.with_route(route)?;
        let now = self.now();
        let order = WatchOrder::new(&account, BOB);
        Ok(self.role.watcher.watch(now, order)?)
    }

    /// Waits for a document.
    pub(crate) async fn document(&mut self) -> Outcome<Heard> {
        let heard = self.until("a document of Bob's", |event| {
            Some(Ok(match event {
                WatcherEvent::Changed(change) => Heard::Taken(Box::new(change)),
                WatcherEvent::Unprotected { why, .. } => Heard::Refused(reason(&why, &why)),
                WatcherEvent::Outdated { outdated, .. } => {
                    Heard::Refused(reason(&outdated, &outdated))
                }
                WatcherEvent::BodyRefused {
                    body: RefusedBody::Unopened(error),
                    ..
                } => Heard::Refused(reason(&error, &error)),
                WatcherEvent::State { .. } | WatcherEvent::Ended { .. } => return None,
                other => return Some(Err(other.to_string().into())),
            }))
        });
        heard.await
    }

    /// Watches no more.
    pub(crate) async fn leave(&mut self, key: OwnSubscriptionKey) -> Outcome<()> {
        let now = self.now();
        self.role.watcher.end(now, key)?;
        let over = self.until("the end of Ana's subscription", |event| match event {
            WatcherEvent::Over { confirmed, .. } => Some(match confirmed {
                true => Ok(()),
                false => Err("the end is not confirmed".into()),
            }),
            _ => None,
        });
        over.await
    }
}

impl Party<Retrieving> {
    /// What a certificate from where a document says is worth for Bob, and the certificate.
    pub(crate) async fn judge(&mut self, change: &PresenceChange) -> Outcome<Found> {
        let document = change.after.as_deref().ok_or("there is no document")?;
        let integrity = DocumentIntegrity::of(&change.signed_by, BOB);
        let now = self.now();
        let retriever = &mut self.role.retriever;
        retriever.follow(now, &[BOB], document, integrity)?;
        let found = self.until("a certificate of Bob's", |event| {
            Some(Ok(match event {
                RetrieverEvent::Found { certificate, .. } => Found {
                    source: place(&certificate.source),
                    certificate: Some(certificate.info.der.clone()),
                    verdict: Ok(Verdict::Usable(certificate.ground)),
                },
                RetrieverEvent::Unusable {
                    source, objection, ..
                } => Found {
                    source: place(&source),
                    certificate: None,
                    verdict: Ok(Verdict::Unusable(objection)),
                },
                RetrieverEvent::Failed {
                    source, failure, ..
                } => Found {
                    source: place(&source),
                    certificate: None,
                    verdict: Err(reason(&failure, &failure)),
                },
                RetrieverEvent::Absent { source, .. } => {
                    let place = place(&source);
                    return Some(Err(format!("there is no certificate at {place}").into()));
                }
                _ => return None,
            }))
        });
        found.await
    }

    /// Has further requests leave by another way.
    pub(crate) fn route_by(&mut self, route: &str) -> Outcome<()> {
        let account = Account::new(ANA)?.with_contact(&self.contact)?;
        let account = account.with_route(route)?;
        let now = self.now();
        self.role.retriever.set_account(now, &account);
        Ok(())
    }
}

/// What came of the search for a certificate.
pub(crate) struct Found {
    pub(crate) source: String,
    /// One that may be used.
    pub(crate) certificate: Option<Bytes>,
    /// What it is worth, or why there is none.
    pub(crate) verdict: Result<Verdict, String>,
}

fn place(source: &CertificateSource) -> String {
    match source {
        CertificateSource::Subscribe { uri: place } | CertificateSource::Fetch { url: place } => {
            place.clone()
        }
        other => format!("{other:?}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read here so that the library need not"
)]
pub(crate) fn wall_clock() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
