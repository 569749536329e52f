//! Filters of event notifications, as documents and as what they do (RFC 4660 and RFC 4661).
//!
//! A [`FilterSet`] is what a watcher puts in the body of its SUBSCRIBE, read or made. Each [`Filter`] says
//! for which resource it is, what of the document it wants to see ([`What`]) and which changes it wants to
//! hear of ([`Trigger`]). Of what holds for one resource an agent makes a [`Narrowing`], and applies that to
//! documents.
//!
//! ```
//! use presentity::filter::{Filter, FilterLimits, FilterSet, FilterTarget, PresenceSchema};
//! use presentity::xml::{Element, XmlLimits};
//!
//! // What a watcher asks for.
//! let asked = FilterSet::new()
//!     .bind("pidf", "urn:ietf:params:xml:ns:pidf")
//!     .with(
//!         Filter::new("1")
//!             .for_uri("sip:dora@example.com")
//!             .include("/pidf:presence/pidf:tuple[pidf:status/pidf:basic=\"open\"]")
//!             .exclude("//pidf:note"),
//!     );
//! let body = asked.write()?;
//!
//! // What the agent makes of it.
//! let limits = FilterLimits::default();
//! let in_force = FilterSet::new().merged_with(&FilterSet::read(&body, &limits)?, &limits)?;
//! let narrowing = in_force.for_resource(|target| match target {
//!     FilterTarget::Subscribed => true,
//!     FilterTarget::Uri(uri) => uri == "sip:dora@example.com",
//!     _ => false,
//! });
//! let narrowing = narrowing.ok_or("there is a filter for Dora")?;
//!
//! let document = b"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'>\
//!     <tuple id='desk'><status><basic>open</basic></status><note>Busy</note></tuple>\
//!     <tuple id='car'><status><basic>closed</basic></status></tuple></presence>";
//! let document = Element::read(document, &XmlLimits::default())?;
//! let shown = narrowing.apply(&document, &PresenceSchema::new(), FilterLimits::BUDGET)?;
//! let shown = shown.ok_or("a tuple is open")?;
//! let tuples: Vec<&Element> = shown.elements().collect();
//! assert_eq!(tuples.len(), 1);
//! assert_eq!(tuples[0].elements().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Expressions
//!
//! The syntax is that of RFC 4661 section 5, as the examples there show that it is meant:
//!
//! - A path from the root: `/` leads to the elements in one, `//` to those at any depth; a name, or `*` for
//!   any. At the end `@` and a name for an attribute.
//! - A condition in brackets at any step: comparisons with `=`, `<` and `>`, joined by `and`, which binds
//!   more tightly, and `or`. What is compared is `.`, `..`, an attribute, or a path of elements, perhaps to
//!   an attribute; with `=` one of what it leads to is enough. Values stand in quotes, or alone. `<`, `>`
//!   and `=` with a number alone compare numbers; what is no number is neither less nor greater.
//! - Prefixes mean what the set binds them to. The RFC says that a name without prefix is in no namespace,
//!   and has examples where it is one of PIDF or watcher information. Documents of packages have no elements
//!   without namespace; so here such a name means that, or an element of the namespace of the document's
//!   root. An attribute without prefix is in no namespace.
//!
//! The expressions of triggers may have conditions as well; the RFC has none there.
//!
//! # Where the standards leave room
//!
//! - An expression that is not understood makes reading fail, as do faults against the schema: the
//!   SUBSCRIBE is refused with 488, and the watcher knows.
//! - Filters that are not in force may share their resource with another; to be put in force they must have
//!   it alone.
//! - The ends of a change, `from` and `to`, are compared without regard to case, since an example of RFC
//!   4661 (section 6.2) counts on that. Conditions are not.
//! - A namespace that is included shows its elements with their text and their attributes without namespace,
//!   of `xml:`, or of an included one; what is in them shows by itself.
//! - When nothing is left of what was selected, nothing is shown: what the schema demands is put back into
//!   elements that show, and is no reason to show them.
//! - What is put back is no more than the schema demands: of a status its `basic`.

mod budget;
mod changes;
mod check;
mod content;
mod decimal;
mod error;
mod evaluation;
mod expression;
mod filter_set;
mod limits;
mod merge;
mod narrowing;
mod nodes;
mod parser;
mod reader;
mod required;
mod single_filter;
mod trigger;
mod what;
mod writer;

pub use error::{EvaluationError, ExpressionFault, FilterError, FilterLimit};
pub use filter_set::{Binding, FilterSet};
pub use limits::FilterLimits;
pub use narrowing::Narrowing;
pub use required::{PresenceSchema, Required};
pub use single_filter::{Filter, FilterTarget};
pub use trigger::{Changed, Trigger};
pub use what::{Selector, What};

/// The media type of filters (RFC 4661 section 9.1).
pub const MEDIA_TYPE: &str = "application/simple-filter+xml";
