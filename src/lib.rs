//! Presence for SIP, for SIP stacks to embed.
//!
//! A *presentity* has a state; *watchers* subscribe to it and are notified when it changes. This
//! crate decides what happens and does no I/O: the host stack feeds in parsed SIP messages, the
//! application's decisions and the passing of time; out come responses, requests and events.
//!
//! | room | what it holds |
//! | --- | --- |
//! | [`presence`] | the presence agent (RFC 3856): policy, views, sources, composition; watcher and publisher |
//! | [`rules`] | presence rules (RFC 5025): documents, and what they give to whom |
//! | [`filter`] | filters of notifications (RFC 4660, RFC 4661): documents, and what they leave of others |
//! | [`winfo`] | watcher information (RFC 3857): documents, the template package over any other, its watcher |
//! | [`sdf`] | the CPIM subscription data format: requests as documents, their service, and the gateway to SIP |
//! | [`certs`] | certificates of others: found by `certs`, retrieved, judged, kept; and their service (RFC 6072) |
//! | [`event`] | subscriptions (RFC 6665) and publications (RFC 3903) for any event package |
//! | [`pidf`] | the presence document (RFC 3863), the data model, rich presence, capabilities, `certs` |
//! | [`xml`] | the strict XML that documents stand on |
//! | [`mime`] | MIME entities, signed and encrypted ones, the traits of who has keys, and S/MIME itself by a feature |
//! | [`sip`] | views of messages, typed header fields, URIs |
//! | [`engine`] | time, names of transactions, entropy |
//!
//! # The run loop
//!
//! The library is a *transaction user* (RFC 3261 section 5). The host owns sockets, TLS, parsing,
//! Via, retransmission and transactions, and decides how a request travels. It calls
//!
//! - [`handle_request`](presence::Agent::handle_request) for a request that opened a server
//!   transaction, with the identity that it has established;
//! - [`handle_response`](presence::Agent::handle_response) or
//!   [`handle_failure`](presence::Agent::handle_failure) for the outcome of each request that it
//!   was given to send;
//! - [`handle_timeout`](presence::Agent::handle_timeout) when the deadline of
//!   [`poll_timeout`](presence::Agent::poll_timeout) has come;
//!
//! and takes what is to be done with [`poll_output`](presence::Agent::poll_output). One rule holds:
//! **before the host sleeps, `poll_output` must have returned `None`.** Polling more often, feeding
//! input between polls, and calling too early, too late or twice do no harm.
//!
//! ```
//! use bytes::Bytes;
//! use presentity::engine::{ServerTransaction, Timestamp};
//! use presentity::event::{
//!     Assurance, Authorization, Decision, Identity, Output, RequestContext, SubscribeQuery, View,
//! };
//! use presentity::pidf::{Presence, Tuple};
//! use presentity::presence::{Agent, AgentConfig, Policy};
//! use presentity::sip::{RequestRef, ResponseRef};
//!
//! /// Whoever proves who he is may watch.
//! struct Proven;
//!
//! impl Policy for Proven {
//!     fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
//!         match query.watcher() {
//!             Some(_) => Decision::Allow(View::full()).into(),
//!             None => Authorization::Challenge,
//!         }
//!     }
//! }
//!
//! # let mut counter = 0u8;
//! // In earnest: the operating system's generator.
//! let entropy = move |buffer: &mut [u8]| {
//! #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
//! };
//! let mut agent = Agent::new(AgentConfig::default(), Proven, entropy);
//! let now = Timestamp::from_secs(0);
//!
//! // The application knows that Bob is there.
//! let state = Presence::new("sip:bob@example.com").with_tuple(Tuple::open("desk"));
//! agent.set_presence(now, "sip:bob@example.com", state)?;
//!
//! // Ana's SUBSCRIBE comes in; the host has verified her digest.
//! let fields = [
//!     ("From", "<sip:ana@example.com>;tag=1928"),
//!     ("To", "<sip:bob@example.com>"),
//!     ("Call-ID", "3848276298220188511"),
//!     ("CSeq", "1 SUBSCRIBE"),
//!     ("Contact", "<sip:ana@192.0.2.7>"),
//!     ("Event", "presence"),
//!     ("Expires", "600"),
//! ];
//! let no_body = Bytes::new();
//! let request = RequestRef::new("SUBSCRIBE", "sip:bob@example.com", fields, &no_body);
//! let ana = Identity::of("sip:ana@example.com", Assurance::Digest)?;
//! let context = RequestContext::new(&ana, "sip:192.0.2.1:5060");
//! agent.handle_request(now, ServerTransaction(1), &request, &context)?;
//!
//! let mut sent = Vec::new();
//! while let Some(output) = agent.poll_output() {
//!     match output {
//!         Output::Respond(response) => assert_eq!(response.status(), 200),
//!         // With WWW-Authenticate added.
//!         Output::Challenge(response) => assert_eq!(response.status(), 401),
//!         Output::Send(notify) => {
//!             notify.write_to("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK77\r\n", &mut sent);
//!             // When the answer to it comes:
//!             let answer = ResponseRef::new(200, [], &no_body);
//!             agent.handle_response(now, notify.transaction(), &answer);
//!         }
//!         // Events are for the application to know; others answer wishes of special policies.
//!         other => println!("{other:?}"),
//!     }
//! }
//! assert!(sent.starts_with(b"NOTIFY sip:ana@192.0.2.7 SIP/2.0\r\n"));
//!
//! // Now the host may sleep: until input comes, or until this moment.
//! let deadline = agent.poll_timeout();
//! assert!(deadline <= Some(Timestamp::from_secs(601)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the host does
//!
//! - It filters retransmissions. One request that came by two branches is handed in twice, under
//!   two transactions.
//! - It routes requests to roles with [`accepts`](presence::Agent::accepts), and answers 481 to a
//!   request with a To tag, or a NOTIFY, that no role accepts, and 405 to methods of nobody.
//! - It authenticates. [`Output::Challenge`](event::Output::Challenge) is a 401 that lacks the
//!   host's WWW-Authenticate.
//! - It copies into a response what [`sip::Response`] says, or uses its `write_to`.
//! - It sends a request by [`flow`](sip::OutgoingRequest::flow) if it still has that, else to the
//!   next hop; above 1300 octets not over UDP. It tries its other hops before it reports
//!   [`Failure::Transport`](event::Failure::Transport).
//! - It signs, verifies, encrypts, decrypts and reads certificates where a policy or a demand asks for that:
//!   [`Output::Protect`](event::Output::Protect), [`Output::Open`](event::Output::Open),
//!   [`RetrieverOutput::Inspect`](certs::RetrieverOutput::Inspect) are jobs that it does where nobody waits.
//! - It forwards a SUBSCRIBE that somebody else is to answer ([`Output::Forward`](event::Output::Forward)), if it
//!   has the agent send watchers away.
//! - It looks up names: those of next hops by RFC 3263, and for a watcher of pres URIs the SRV records that
//!   [`WatcherOutput::Resolve`](presence::WatcherOutput::Resolve) names.
//! - It never repeats a challenged request by itself, since that takes a new CSeq: it gives the
//!   401 or 407 in, and answers [`Output::NeedCredentials`](event::Output::NeedCredentials).
//!
//! # Time
//!
//! Time is the caller's [`Timestamp`](engine::Timestamp); no clock is read. A step back counts as
//! standing still. After a suspend of the machine the deadlines that passed are dealt with at the
//! next `handle_timeout`: those subscriptions and publications end as if they had run out, which
//! they did for the peers. On a clock that stops in suspend they live on for as long as the machine
//! slept, and peers end them by 481 to the next NOTIFY. After a suspend `handle_timeout` comes before
//! `poll_output`, which does not know how late it is.
//!
//! # What is guaranteed
//!
//! - No input and no order of calls panics or loops for ever, and what peers send makes no table
//!   grow beyond the [`Limits`](event::Limits).
//! - The same calls with the same entropy give the same outputs, byte for byte.
//! - Outputs are made when they are taken: a NOTIFY carries the newest state, however long it had
//!   to wait, and a hundred thousand watchers share one document.
//! - Order is kept for each subscription; a watcher has one NOTIFY open at a time.
//! - Refusals tell a stranger nothing about who exists.
//!
//! # Conformance
//!
//! - [x] RFC 3856, the presence event package: presence agent, watcher, presence user agent
//! - [x] RFC 6665, the notifier and the subscriber
//! - [x] RFC 3861 and 5509: `pres` URIs, the host looking up what it is asked to
//! - [x] RFC 3903, the event state compositor and the event publication agent
//! - [x] RFC 3863, 4479, 4480, 4482, 5196: presence documents, read and written
//! - [x] RFC 3840, Contact parameters to and from capabilities in documents
//! - [x] RFC 1847 and 8551: signed and encrypted bodies both ways; keys are the host's, or the feature `smime`'s
//! - [x] RFC 6072 section 6, the `certificate` package, both sides, and draft-schubert-simple-pidf-cert-00
//! - [x] RFC 6072, the event package `certificate`: subscriber and state agent; reading certificates is the host's
//! - [x] the CPIM Subscription Data Format (Internet-Draft, September 2002), served and carried to SIP
//! - [x] RFC 3857 and 3858: watcher information, both sides, over any package and over itself
//! - [x] RFC 4745 and 5025: presence rules, read, written and applied
//! - [x] RFC 5261: XML patch operations, applied and found
//! - [x] RFC 5262, 5263, 5264: partial presence documents, notified and published, both sides
//! - [x] RFC 4660 and 4661: filters of notifications, both sides
//! - [x] RFC 6446: event rate control, both sides
//! - [x] RFC 5839: conditional notification, both sides
//!
//! `tests/conformance/table.txt` goes requirement by requirement.
//!
//! # Features
//!
//! - `tracing`: events about what the state machines decide, subscriptions named by their key and
//!   URIs left out.
//! - `smime`: signatures, encryption and certificates for [`mime`], on the OpenSSL of the system.

pub mod certs;
pub mod engine;
pub mod event;
pub mod filter;
pub mod mime;
pub mod pidf;
pub mod presence;
pub mod rules;
pub mod sdf;
pub mod sip;
pub mod winfo;
pub mod xml;

/// The examples of the README are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
