//! What a [`Compositor`](super::Compositor) is told.

use super::Source;

/// Which tuples are one service (RFC 4479 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Services {
    /// None: all stand side by side.
    #[default]
    SideBySide,
    /// Those with the same contact.
    ///
    /// SIP, tel and pres URIs compare by the rules of their schemes, with all parameters and header
    /// fields: a SIP URI with a parameter is not taken for one without (RFC 3261 section 19.1.4 does
    /// so for some, but then one URI could be the same as two that differ). What is no URI compares as
    /// text. Tuples without contact stay by themselves.
    ByContact,
    /// Those with the same contact on the same device. Tuples that name no device, or several, or no
    /// contact stay by themselves.
    ByDeviceAndContact,
}

/// Which devices are one (RFC 4479 section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Devices {
    /// None: all stand side by side.
    #[default]
    SideBySide,
    /// Those with the same identifier. The case of a UUID does not matter; services are given the
    /// spelling that their device has.
    ById,
}

/// Which persons are one (RFC 4479 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Persons {
    /// None: all stand side by side, as views of the presentity.
    #[default]
    SideBySide,
    /// All of them: whatever is said of the presentity is said of one person.
    Merged,
}

/// Who is right where parts say different things of the same service, device or person.
///
/// What decides is compared from part to part of the documents, not from document to document: a
/// source may be right about a device and wrong about the person. Where it does not decide, the
/// newest statement is right, and of equally new ones that of the source with the higher
/// [serial number](super::Part::serial). Within a document the first is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Conflicts {
    /// The newest: by its timestamp, or without one by [when the source began to say
    /// so](super::Part::since). As long as no time of day is known the two cannot be compared: then
    /// timestamps count where all have one, and else when the sources began to say so.
    #[default]
    Newest,
    /// The source that stands first in this list; the sources that are not in it come after those
    /// that are, publications first and the lasting state last.
    BySource(Vec<Source>),
    /// Whose user input was most recent (RFC 4480 section 3.14): active before idle, then by the time
    /// of the last input, one that is told before one that is not. What says nothing of it goes by
    /// what else its document says of it, and comes last when that is nothing.
    ByInput,
}

/// Which elements of rich presence are shown of those that say from when until when they are so
/// (RFC 4480 section 3.1).
///
/// In persons, devices and tuples, that is, not in their statuses. Without a time of day it is
/// [`All`](Self::All).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Periods {
    /// All.
    #[default]
    All,
    /// Those that are so and those that will be.
    NotOver,
    /// Those that are so.
    InForce,
}

/// What becomes of tuples that are too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Aged {
    /// They are left out.
    #[default]
    LeftOut,
    /// They are shown closed, since nobody can tell. Persons, who are not open or closed, are left
    /// out.
    Closed,
}

/// Which of the notes and extensions are kept that documents have beside tuples, persons and devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Remarks {
    /// All.
    #[default]
    All,
    /// Of notes those of one source, and of extensions for each name those of one: the source that is
    /// right by [`Conflicts`] and has any. A source is as new as
    /// [when it began to say so](super::Part::since).
    OfOneSource,
}
