//! Authorization rules: who may see what of a presentity, as a document (RFC 4745 and RFC 5025).
//!
//! A [`Ruleset`] is such a document, read, made or written. Each [`Rule`] says for whom and when it holds
//! ([`Condition`]), how their subscriptions are to be treated ([`SubHandling`]) and what they may see
//! ([`Provided`]). Rules only ever give: those that match add up, their order means nothing, and whoever
//! no rule gives anything to is blocked.
//!
//! [`CompiledRules`] answer for one watcher at a time, at the cost of the rules that name it:
//!
//! ```
//! use presentity::pidf::{Presence, Tuple};
//! use presentity::rules::{CompiledRules, Provided, Query, Rule, Ruleset, SubHandling};
//!
//! let rules = Ruleset::new()
//!     .with_rule(Rule::new("friends").for_one("sip:bob@example.com").allow().with_everything())
//!     .with_rule(
//!         Rule::new("company")
//!             .for_domain("example.com")
//!             .in_sphere("work")
//!             .allow()
//!             .providing(Provided::nothing().with_all_services()),
//!     )
//!     .with_rule(Rule::new("others").handled(SubHandling::Confirm));
//! assert_eq!(Ruleset::read(&rules.write()?)?, rules);
//!
//! let compiled = CompiledRules::of(&rules);
//! let bob = compiled.evaluate(&Query::of("bob@example.com"));
//! assert_eq!(bob.handling, SubHandling::Allow);
//! assert!(bob.provided.is_everything());
//!
//! let carol = compiled.evaluate(&Query::of("carol@example.com").in_sphere("work"));
//! assert_eq!(carol.handling, SubHandling::Allow);
//! let mut document = Presence::new("sip:dora@example.com")
//!     .with_tuple(Tuple::open("phone").with_note("Only for friends"));
//! carol.provided.apply(&mut document);
//! assert_eq!(document.tuples.len(), 1);
//! assert!(document.tuples[0].notes.is_empty());
//!
//! assert_eq!(compiled.evaluate(&Query::of_nobody()).handling, SubHandling::Confirm);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is not understood
//!
//! Nothing that is not understood gives anything (RFC 4745 section 7). A condition that is not known, or
//! is known and malformed, never holds, so that its rule never matches; an action or transformation of
//! that kind does nothing. All of it is kept and written again, and
//! [`Ruleset::not_understood`] shows it to whoever wants to tell people.
//!
//! # Where the standards leave room
//!
//! - Watchers are told apart by their [address of record](crate::sip::Uri::address_of_record), as
//!   everywhere in this crate: sip, sips and pres URIs with the same one name the same watcher. A tel URI
//!   never names the same one as any of those (RFC 5025 section 3.1.1.2).
//! - Who has proved nothing matches only rules without an identity condition (RFC 4745 section 7.1.1).
//!   An identity condition that lists nobody holds for nobody.
//! - `except` that names nobody intelligible, and elements in `one` or `many` that are not known, may
//!   have been meant to leave somebody out: what they stand in matches nobody.
//! - A validity condition does not hold while nobody knows the time, nor where a bound of it has no
//!   offset from UTC.

mod applied;
mod attribute;
mod change;
mod compiled;
mod condition;
mod domain;
mod error;
mod handling;
mod limits;
mod lookup;
mod provided;
mod provided_name;
mod query;
mod reader;
mod rule;
mod ruleset;
mod selection;
mod sphere;
mod writer;

pub use attribute::{InputDetail, PresenceAttribute};
pub use change::Affected;
pub use compiled::CompiledRules;
pub use condition::{Condition, Except, Interval, Many, Who};
pub use error::{ReadError, RulesLimit, WriteError};
pub use handling::SubHandling;
pub use limits::RulesLimits;
pub use provided::Provided;
pub use query::{Permissions, Query};
pub use rule::Rule;
pub use ruleset::Ruleset;
pub use selection::{DeviceSelector, PersonSelector, Selection, ServiceSelector};
pub use sphere::sphere_of;

/// The media type of rule documents (RFC 4745 section 15.2).
pub const MEDIA_TYPE: &str = "application/auth-policy+xml";
