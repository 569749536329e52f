//! Publications that say what has changed (RFC 5264).

use bytes::Bytes;

use super::package::fit;
use crate::event::{PartialFormat, PublishedBody, Unreadable};
use crate::pidf::{Presence, ReadOptions};
use crate::xml::namespace::{PIDF, PIDF_DIFF};
use crate::xml::patch::{
    PatchError, PatchErrorDocument, PatchErrorKind, SelectorStart, Steps, apply, difference,
    operation_element, read_operations, write_operations,
};
use crate::xml::{Element, Layout, Name, XmlLimits};

/// Their media type (RFC 5262).
pub(super) const MEDIA_TYPE: &str = "application/pidf-diff+xml";

/// Octets of the body of an error response; one that repeats a longer operation leaves it out.
const LONGEST_ERROR: usize = 1024;

/// What a partial publication comes to.
#[derive(Debug)]
pub(super) struct Patched {
    pub(super) document: Presence,
    /// The document as its publisher has it, but for the name of the root: what the next difference is
    /// about.
    pub(super) written: Bytes,
}

/// Reads the body of a partial publication beside what its publisher wrote before. Versions are not
/// looked at (RFC 5264 section 3.2).
///
/// Whatever is wrong with the body is 400, the whole document included: section 4.3.1 has 500 for that,
/// which is what publishers repeat.
pub(super) fn read(
    body: &PublishedBody<'_>,
    before: Option<&Bytes>,
) -> Result<Patched, Unreadable> {
    let limits = XmlLimits::default();
    let root = Element::read_whole(body.octets, &limits);
    let root = root.map_err(|error| Unreadable::new(error.to_string()))?;
    let whole = if root.is(PIDF_DIFF, "pidf-full") {
        as_presence(root)
    } else if root.is(PIDF_DIFF, "pidf-diff") {
        let before = before.ok_or_else(|| Unreadable::new("a difference to nothing known"))?;
        let held = Element::read_whole(before, &limits);
        let mut held = held.map_err(|error| Unreadable::fault(error.to_string()))?;
        patch(&mut held, &root).map_err(|error| unpatched(&error, &root))?;
        held
    } else {
        return Err(Unreadable::new("neither pidf-full nor pidf-diff"));
    };
    let written = whole.write_as(Layout::Kept);
    let written = written.map_err(|error| Unreadable::new(error.to_string()))?;
    let read = Presence::read_with(&written, &ReadOptions::default());
    let (mut document, _) = read.map_err(|error| Unreadable::new(error.to_string()))?;
    document.repair();
    fit(&mut document);
    Ok(Patched { document, written })
}

/// A presence document of what is in a `pidf-full`.
fn as_presence(mut full: Element) -> Element {
    let mut presence = Element::named(Name::new(PIDF, "presence"));
    for (prefix, namespace) in full.declarations() {
        presence.declare(prefix, namespace);
    }
    full.attributes.remove("", "version");
    presence.attributes = core::mem::take(&mut full.attributes);
    presence.children_mut().append(full.children_mut());
    presence
}

fn patch(held: &mut Element, diff: &Element) -> Result<(), PatchError> {
    let mut operations = read_operations(diff, PIDF_DIFF)?;
    for operation in &mut operations {
        // The root goes by the name of either document: the examples of RFC 5262 and 5264 say `presence`.
        let selector = &mut operation.selector;
        if let (SelectorStart::Document, Some(first)) =
            (&selector.start, selector.steps.first_mut())
            && let Some(name) = &first.name
            && (name.is(PIDF, "presence") || name.is(PIDF_DIFF, "pidf-full"))
        {
            first.name = None;
        }
    }
    apply(held, &operations, &mut Steps::default())
}

/// How a difference that does not fit is answered (RFC 5264 section 4.3.2, RFC 5261 section 5).
fn unpatched(error: &PatchError, diff: &Element) -> Unreadable {
    match error.kind() {
        PatchErrorKind::TooManySteps => return Unreadable::fault(error.to_string()),
        PatchErrorKind::TooLarge => return Unreadable::too_large(error.to_string()),
        _ => {}
    }
    let unreadable = Unreadable::new(error.to_string());
    let document = PatchErrorDocument::new(error.kind()).with_phrase(error.phrase(), Some("en"));
    let operation = error.operation();
    let operation = operation.and_then(|number| operation_element(diff, number));
    let detailed = operation.and_then(|it| document.clone().with_operation(it).write().ok());
    let detailed = detailed.filter(|octets| octets.len() <= LONGEST_ERROR);
    match detailed.or_else(|| document.write().ok()) {
        Some(octets) => unreadable.with_body(PatchErrorDocument::MEDIA_TYPE, octets),
        None => unreadable,
    }
}

/// How a publisher tells what has changed.
#[derive(Debug)]
pub(super) struct Differences;

impl PartialFormat for Differences {
    fn media_type(&self) -> &str {
        MEDIA_TYPE
    }

    fn full(&self, state: &Bytes) -> Option<Bytes> {
        let mut presence = Element::read(state, &XmlLimits::default()).ok()?;
        let mut full = Element::new(PIDF_DIFF, "pidf-full");
        for (prefix, namespace) in presence.declarations() {
            full.declare(prefix, namespace);
        }
        full.declare("", PIDF);
        full.attributes = core::mem::take(&mut presence.attributes);
        full.children_mut().append(presence.children_mut());
        full.write_as(Layout::Kept).ok()
    }

    fn difference(&self, before: &Bytes, after: &Bytes) -> Option<Bytes> {
        let read = |state| Element::read(state, &XmlLimits::default()).ok();
        let (before, after) = (read(before)?, read(after)?);
        let operations = difference(&before, &after)?;
        let entity = after.attribute("entity").unwrap_or_default();
        let mut diff = Element::new(PIDF_DIFF, "pidf-diff").with_attribute("entity", entity);
        diff.declare("", PIDF);
        write_operations(&mut diff, &operations).ok()?;
        diff.write_as(Layout::Kept).ok()
    }
}
