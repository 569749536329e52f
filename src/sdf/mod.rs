//! The CPIM Subscription Data Format (Internet-Draft, September 2002): a subscription request as a
//! document of its own, which can be signed, and carried through gateways unchanged.
//!
//! A document has one root and five elements at most, in this order:
//!
//! ```xml
//! <?xml version="1.0" encoding="UTF-8"?>
//! <Subscribe>
//!   <From>pres:nora@example.org</From>
//!   <To>pres:emil@example.com</To>
//!   <DateTime>2026-03-01T08:00:00Z</DateTime>
//!   <Token>balcony</Token>
//!   <Duration>3600</Duration>
//! </Subscribe>
//! ```
//!
//! A [`Request`] is read from octets, which it keeps as they came, or made anew, and then written at
//! once. What it asks for is its [`Wish`]: to hold a subscription, to fetch the state once, or to cancel.
//!
//! The DTD of the draft is lost. What it can have said is taken from the prose; documents have no
//! namespace and no document type declaration when they are written here, and may have any one
//! namespace when they are read.
//!
//! ```
//! use presentity::sdf::{Request, Token, Wish};
//! # use time::{Date, Month, OffsetDateTime, Time};
//!
//! # let now = OffsetDateTime::new_utc(Date::from_calendar_date(2026, Month::March, 1)?, Time::MIDNIGHT);
//! let token = Token::new("balcony")?;
//! let request = Request::subscribe("pres:nora@example.org", "pres:emil@example.com", now, &token, 3600)?;
//!
//! let received = Request::read(request.octets())?;
//! assert_eq!(received.watcher(), "nora@example.org");
//! assert_eq!(received.wish(), Wish::Hold { token: "balcony", duration: 3600 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checks;
mod error;
mod failure;
mod field;
pub mod gateway;
mod intake;
mod options;
mod reader;
mod replays;
mod request;
mod service;
mod token;
mod writer;

pub use checks::{Checks, ChecksConfig, Freshness};
pub use error::{Fault, InvalidRequest, InvalidToken, ReadError, Tolerated};
pub use failure::Failure;
pub use field::Field;
pub use intake::{IntakeConfig, RequestContext, Verification, VerificationKey};
pub use options::ReadOptions;
pub use request::{Request, Wish};
pub use service::{Ended, Granted, Notification, Operation, Output, Service, ServiceConfig};
pub use token::Token;

/// The media type of a subscription request.
pub const MEDIA_TYPE: &str = "application/cpim-subscription";

/// Octets of a request, at most, by default: 16 KiB.
///
/// A request has about 250 octets; the longest URIs that are read leave no room for two of them, and
/// nobody has one.
pub const MAX_REQUEST_LEN: usize = 16 * 1024;

/// Characters of a token, at most. They are Unicode scalar values, not octets.
pub const MAX_TOKEN_LEN: usize = 80;

/// The longest duration that can be asked for, in seconds.
pub const MAX_DURATION: u32 = 2_147_483_647;
