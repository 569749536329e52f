//! Certificates of others: where a presence document says they are, how they are had, and whether they
//! may be used (draft-schubert-simple-pidf-cert-00; RFC 6072).
//!
//! A presentity whose document has the capability [`certs`](crate::pidf::certs) can be talked to with
//! S/MIME. A [`Retriever`] follows what such documents name: it subscribes to the event package
//! `certificate`, or has a URL fetched, has what comes read by the host, judges it, keeps it as long as
//! its service stands by it, and tells of each change. A [`CertificateServer`] is the other side: it
//! gives out the certificates of its users.
//!
//! There is no cryptography in here. To read a certificate, and to know whose authority is trusted, is
//! the host's: it is asked by [`RetrieverOutput::Inspect`] and answers with a
//! [`CertificateInfo`](crate::mime::CertificateInfo).
//!
//! ```
//! use bytes::Bytes;
//! use presentity::certs::{
//!     Anybody, CertificateServer, CertificateServerConfig, DocumentIntegrity, Inspection, Retriever,
//!     RetrieverConfig, RetrieverEvent, RetrieverOutput,
//! };
//! use presentity::engine::{ServerTransaction, Timestamp};
//! use presentity::event::{Account, Assurance, Identity, Output, RequestContext};
//! use presentity::mime::{CertificateInfo, Chain};
//! use presentity::pidf::caps::Servcaps;
//! use presentity::pidf::certs::Certs;
//! use presentity::pidf::{Presence, Tuple};
//! use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};
//! use time::{Duration, OffsetDateTime};
//!
//! # let mut counter = 0u8;
//! # let mut generator = move |buffer: &mut [u8]| {
//! #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
//! # };
//! # let mut counter = 1u8;
//! # let other = move |buffer: &mut [u8]| {
//! #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(89); *byte = counter });
//! # };
//! let now = Timestamp::from_secs(0);
//! // In earnest: the operating system's generator.
//! let mut server =
//!     CertificateServer::new(CertificateServerConfig::default(), Anybody, generator);
//! server.set_certificate(now, "sip:mira@example.com", Some(Bytes::from("her certificate, in DER")));
//!
//! let account = Account::new("sip:ana@example.com")?.with_contact("sip:ana@192.0.2.7")?;
//! let mut retriever = Retriever::new(RetrieverConfig::default(), &account, other);
//! let today = OffsetDateTime::from_unix_timestamp(1_900_000_000)?;
//! retriever.set_wall_clock(now, today);
//!
//! // Mira's presence document has come: it says that she has a certificate.
//! let caps = Servcaps::new().with_message(true).with_certs(Certs::new());
//! let phone = Tuple::open("phone").with_contact("sip:mira@example.com").with(&caps)?;
//! let document = Presence::new("pres:mira@example.com").with_tuple(phone);
//! let watched = ["sip:mira@example.com"];
//! let mira = retriever.follow(now, &watched, &document, DocumentIntegrity::Unprotected)?;
//!
//! // What the host does with what comes out of one side is to bring it to the other.
//! # let no_body = Bytes::new();
//! let nobody = Identity::nobody();
//! // The NOTIFY came by TLS from a server that has proved to be example.com.
//! let domain = Identity::of("sip:example.com", Assurance::Transport)?;
//! /// Stands for a library that reads X.509.
//! fn read(inspection: &Inspection, today: OffsetDateTime) -> CertificateInfo {
//!     let validity = today - Duration::weeks(10)..=today + Duration::weeks(40);
//!     let chain = Chain::Untrusted("signed by its own key".into());
//!     CertificateInfo::new(inspection.certificate.clone(), validity, chain)
//!         .with_names(["sip:mira@example.com"])
//! }
//! loop {
//!     match retriever.poll_output() {
//!         Some(RetrieverOutput::Send(request)) => {
//!             let fields: Vec<(&str, &str)> = request.fields().collect();
//!             let request = RequestRef::new("SUBSCRIBE", request.uri(), fields, request.body());
//!             let context = RequestContext::new(&nobody, "sip:192.0.2.1");
//!             server.handle_request(now, ServerTransaction(1), &request, &context)?;
//!         }
//!         Some(RetrieverOutput::Inspect(inspection)) => {
//!             retriever.complete_inspection(now, inspection.key, Ok(read(&inspection, today)));
//!         }
//!         // With https sources: RetrieverOutput::Fetch, answered by `complete_fetch`.
//!         Some(RetrieverOutput::Event(event)) => println!("{event}"),
//!         Some(_) => {}
//!         None => match server.poll_output() {
//!             Some(Output::Send(notify)) => {
//!                 let fields: Vec<(&str, &str)> = notify.fields().collect();
//!                 let notify = RequestRef::new("NOTIFY", notify.uri(), fields, notify.body());
//!                 let context = RequestContext::new(&domain, "sip:ana@192.0.2.7");
//!                 retriever.handle_request(now, ServerTransaction(2), &notify, &context)?;
//!             }
//!             Some(_) => {}
//!             None => break,
//!         },
//!     }
//! }
//!
//! let certificate = retriever.certificate(now, mira).expect("one that may be used");
//! assert_eq!(certificate.info.der, "her certificate, in DER");
//! assert_eq!(certificate.ground.name, "mira@example.com");
//! println!("{}", certificate.ground.proof);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What makes a certificate usable
//!
//! Two things have to be shown, and the [`Verdict`] names both or says what is missing.
//!
//! 1. *The certificate is that of the URI that was asked* ([`Proof`]). Either an authority that the host
//!    trusts says so; or whoever may speak for that URI has sent it, From agrees, and nobody could change
//!    it on its way. A certificate signed by its own key is the rule then, and no reason to refuse it.
//!    Identity by RFC 8224 alone does not count by default: RFC 6072 stands on RFC 4474, whose signature
//!    covered the body, and that of RFC 8224 does not. What does: TLS from the domain of the URI, or an
//!    S/MIME signature of the user or the domain over the body. [`TrustRules`] has more for hosts that
//!    know more.
//! 2. *The URI that was asked is the presentity's* ([`Binding`]). Whoever can alter a document can point
//!    `src`, or a contact, at a place of his own, and be sent what is encrypted for another. So the URI
//!    has to be one that the *watcher* knows the presentity by, a GRUU of it included; or the certificate
//!    names such a URI and its chain is trusted; or the presentity or its domain has protected the
//!    document ([`DocumentIntegrity`]). Else the verdict is [`Objection::NotBound`].
//!
//! What was fetched by http or https is used only where a trusted authority names the presentity in it,
//! unless [`TrustRules::https_of_domain`] says otherwise.
//!
//! An empty NOTIFY ends the use of a certificate whoever has sent it. A NOTIFY with another certificate
//! that nobody vouches for does not: it is told of and left aside.
//!
//! # How long it may be used
//!
//! Until its service tells of another or of none; until nothing was heard for
//! [`RetrieverConfig::cache_time`], a day, or until the subscription is over without another; and never
//! beyond its validity. Each end is an event, at its time. A request that was answered 437 is told by
//! [`Retriever::report_unusable`].

mod config;
mod fetching;
mod followed;
mod output;
mod package;
mod profile;
mod retriever;
mod server;
mod source;
mod verdict;
mod vouching;
mod web_address;

pub use config::{RetrieverConfig, RetrieverLimits, TrustRules};
pub use fetching::{
    CertificateForm, Fetch, FetchFailure, FetchKey, FetchResponse, Inspection, InspectionKey,
};
pub use output::{
    Certificate, FollowError, FollowKey, Loss, RetrieveFailure, RetrieverEvent, RetrieverOutput,
};
pub use package::{Anybody, CertificatePackage, CertificatePolicy, ServedCertificate};
pub use profile::{DEFAULT_EXPIRES, EVENT_TYPE, PKIX_CERT, profile};
pub use retriever::{Retriever, RetrieverOccupancy};
pub use server::{CertificateServer, CertificateServerConfig, ServiceDuration};
pub use verdict::{Binding, DocumentIntegrity, Ground, Objection, Proof, Verdict};
pub use vouching::Integrity;
pub use web_address::{AddressFault, LiteralAddresses, WebRules};
