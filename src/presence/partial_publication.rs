//! Publications that say what has changed (RFC 5264).

use bytes::Bytes;

use super::package::read_published;
use crate::event::{PartialFormat, PublishedBody, Unreadable};
use crate::pidf::partial::{MEDIA_TYPE, Numbered, PartialError, Reconstruction};
use crate::pidf::{Presence, ReadOptions};
use crate::xml::patch::{PatchErrorDocument, PatchErrorKind};
use crate::xml::{Layout, XmlLimits};

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
/// A body that is wrong is 400, a whole document too: section 4.3.1 has 500 for any error there, but then
/// its publisher would send it again and again.
pub(super) fn read(
    body: &PublishedBody<'_>,
    before: Option<&Bytes>,
) -> Result<Patched, Unreadable> {
    let mut held = Reconstruction::new();
    if let Some(before) = before {
        let taken = held.take_presence(before);
        taken.map_err(|error| Unreadable::fault(error.to_string()))?;
    }
    let taken = held.take_unversioned(body.octets);
    taken.map_err(|error| refused(&error, body.octets))?;
    // Not compact: white space and comments have their places, too.
    let written = held.root().map(|root| root.write_as(Layout::Kept));
    let written = written.ok_or_else(|| Unreadable::fault("nothing was taken"))?;
    let written = written.map_err(|error| Unreadable::new(error.to_string()))?;
    let document = read_published(&written, &ReadOptions::default())?;
    Ok(Patched {
        document,
        // In no more room than it needs: there are many, and they stay.
        written: Bytes::copy_from_slice(&written),
    })
}

/// How a body that does not fit is answered (RFC 5264 section 4.3.2, RFC 5261 section 5).
fn refused(error: &PartialError, body: &[u8]) -> Unreadable {
    let reason = error.to_string();
    match (error.condition(), error.status()) {
        // It may be right, and is more than is done for one request.
        (Some(PatchErrorKind::TooManySteps), _) | (_, 500..) => Unreadable::fault(reason),
        (Some(PatchErrorKind::TooLarge), _) | (_, 413) => Unreadable::too_large(reason),
        _ => match diagnosis(error, body) {
            Some(octets) => {
                Unreadable::new(reason).with_body(PatchErrorDocument::MEDIA_TYPE, octets)
            }
            None => Unreadable::new(reason),
        },
    }
}

/// The body of the response, in no more octets than the request may cost its sender in return.
fn diagnosis(error: &PartialError, body: &[u8]) -> Option<Bytes> {
    let fits = |octets: &Bytes| octets.len() <= LONGEST_ERROR;
    let octets = error.to_document(body, &XmlLimits::default())?;
    if fits(&octets) {
        return Some(octets);
    }
    let mut document = PatchErrorDocument::read(&octets).ok()?;
    document.operation = None;
    document.write().ok().filter(fits)
}

/// How a publisher tells what has changed.
#[derive(Debug)]
pub(super) struct Differences;

impl PartialFormat for Differences {
    fn media_type(&self) -> &str {
        MEDIA_TYPE
    }

    fn full(&self, state: &Bytes) -> Option<Bytes> {
        Some(Numbered::full(state).ok()?.without_version())
    }

    fn difference(&self, before: &Bytes, after: &Bytes) -> Option<Bytes> {
        let difference = Numbered::difference(before, after).ok()?;
        Some(difference.without_version())
    }
}
