//! The gateway: between a service whose requests are documents and SIP, in both directions.
//!
//! Documents and bodies cross it octet for octet, so that what was signed on one side is verified on
//! the other. What SIP sends by itself, such as a refresh, has no document.
//!
//! [`ToSip`] has watchers by documents on its one side and presence agents on the other: each request
//! is checked, becomes the body of a SUBSCRIBE, and is answered when that was answered. [`FromSip`] has
//! SIP watchers on its one side and a service by documents on the other, whose answers decide. Both are
//! driven as every role is: calls in, [`poll_output`](ToSip::poll_output) until there is nothing,
//! [`poll_timeout`](ToSip::poll_timeout).
//!
//! ```
//! use presentity::engine::{ServerTransaction, Timestamp};
//! use presentity::event::{Account, Assurance, Identity, SubscriberOutput};
//! use presentity::sdf::gateway::{ToSip, ToSipConfig, ToSipOutput};
//! use presentity::sdf::{self, Request, RequestContext, Token};
//! # use time::OffsetDateTime;
//!
//! # let entropy = |bytes: &mut [u8]| bytes.fill(7);
//! # let (now, utc) = (Timestamp::ZERO, OffsetDateTime::UNIX_EPOCH);
//! let mut gateway = ToSip::new(ToSipConfig::default(), entropy);
//! gateway.set_wall_clock(now, utc);
//! // On whose behalf SUBSCRIBEs leave, and who the host knows to have sent the document.
//! let account = Account::new("sip:gateway@example.org")?.with_contact("sip:192.0.2.8")?;
//! let nora = Identity::of("pres:nora@example.org", Assurance::Transport)?;
//!
//! let token = Token::new("balcony")?;
//! let request = Request::subscribe("pres:nora@example.org", "pres:emil@example.com", utc, &token, 600)?;
//! let (transaction, context) = (ServerTransaction(1), RequestContext::new(&nora));
//! gateway.handle_request(now, transaction, sdf::MEDIA_TYPE, request.octets(), &context, &account)?;
//! while let Some(output) = gateway.poll_output() {
//!     match output {
//!         // What becomes of it goes to `gateway.sip_mut().handle_response` or `handle_failure`, and
//!         // NOTIFYs to `gateway.sip_mut().handle_request`.
//!         ToSipOutput::Sip(SubscriberOutput::Send(subscribe)) => {
//!             assert_eq!(subscribe.uri(), "sip:emil@example.com");
//!             assert_eq!(subscribe.body(), request.octets());
//!         }
//!         // Answer the document's sender, bring a state to the watcher.
//!         ToSipOutput::Respond { .. } | ToSipOutput::Notify(_) => unreachable!("nobody has answered yet"),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod from_sip;
mod relay;
mod to_sip;

pub use from_sip::{
    FromSip, FromSipConfig, FromSipOccupancy, FromSipOutput, Order, OrderKey, OrderRefused,
};
pub use to_sip::{RelayedState, ToSip, ToSipConfig, ToSipOutput};
