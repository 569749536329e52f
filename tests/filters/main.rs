//! Filters of notifications: as documents, and what they do to others (RFC 4660, RFC 4661).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod documents;
mod expressions;
mod hostile;
mod naive;
mod published;
mod random;
mod refreshes;
mod resources;
#[path = "../schemas/mod.rs"]
mod schemas;
mod shown;
mod triggers;

use presentity::filter::{
    Filter, FilterError, FilterLimits, FilterSet, Narrowing, PresenceSchema, Required, Trigger,
};
use presentity::pidf::{Presence, ReadOptions};
use presentity::xml::{Element, Name, XmlLimits, namespace};

const BUDGET: usize = FilterLimits::BUDGET;

/// A document of filters, where `s` is their namespace and `x` another one.
fn document(inside: &str) -> String {
    format!(
        "<s:filter-set xmlns:s='urn:ietf:params:xml:ns:simple-filter' \
         xmlns:x='urn:example:x'>{inside}</s:filter-set>"
    )
}

fn read(inside: &str) -> Result<FilterSet, FilterError> {
    FilterSet::read(document(inside).as_bytes(), &FilterLimits::default())
}

fn tree(text: &str) -> Element {
    Element::read(text.as_bytes(), &XmlLimits::default()).unwrap()
}

/// A presence document of Dora's, where the customary prefixes are declared, and `x`.
fn presence(inside: &str) -> Element {
    tree(&format!(
        "<presence xmlns='{}' xmlns:pidf='{}' xmlns:dm='{}' xmlns:rpid='{}' xmlns:caps='{}' \
         xmlns:x='urn:example:x' entity='sip:dora@example.com'>{inside}</presence>",
        namespace::PIDF,
        namespace::PIDF,
        namespace::DATA_MODEL,
        namespace::RPID,
        namespace::CAPS,
    ))
}

/// What these filters make of notifications about the resource they are for.
fn narrowing(filters: impl IntoIterator<Item = Filter>) -> Option<Narrowing> {
    let set = filters
        .into_iter()
        .fold(FilterSet::of_presence(), FilterSet::with);
    let set = set.bind("x", "urn:example:x");
    set.write().expect("filters are in order");
    set.for_resource(|_| true)
}

fn one(filter: Filter) -> Narrowing {
    narrowing([filter]).expect("it narrows")
}

/// A narrowing by one trigger.
fn when(trigger: Trigger) -> Narrowing {
    one(Filter::new("1").when(trigger))
}

/// What of a presence document a filter shows, which stays valid if it was.
fn shown(filter: Filter, document: &Element) -> Option<Element> {
    let shown = one(filter)
        .apply(document, &PresenceSchema::new(), BUDGET)
        .unwrap();
    if let Some(shown) = &shown
        && is_valid(document)
    {
        assert!(is_valid(shown), "{shown:?}");
    }
    shown
}

/// Whether strict reading has nothing against a presence document.
fn is_valid(document: &Element) -> bool {
    let octets = document.write().unwrap();
    Presence::read_with(&octets, &ReadOptions::strict()).is_ok()
}

/// What is mandatory in watcher information (RFC 3858).
struct WatcherInfo;

impl Required for WatcherInfo {
    fn attribute(&self, path: &[&Element], name: &Name) -> bool {
        let names: &[&str] = match path.last().map(|element| element.local()) {
            Some("watcherinfo") => &["version", "state"],
            Some("watcher-list") => &["resource", "package"],
            Some("watcher") => &["id", "status", "event"],
            _ => &[],
        };
        name.namespace().is_empty() && names.contains(&name.local())
    }

    fn children(&self, _: &[&Element], _: &[bool]) -> Vec<usize> {
        Vec::new()
    }
}
