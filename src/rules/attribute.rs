//! Presence attributes: the parts of persons, devices and services that are granted one by one.

/// A presence attribute whose permission is granted or not (RFC 5025 sections 3.3.2.1 to 3.3.2.13).
///
/// It governs the element of that name wherever in a person, device or service it stands; that of notes
/// governs those of the document as well, which speak of its person (RFC 4479 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PresenceAttribute {
    /// What somebody does.
    Activities,
    /// The label of a person, device or service.
    Class,
    /// The device that a service runs on. A device always shows its own.
    DeviceId,
    /// How somebody feels.
    Mood,
    /// What a place is like.
    PlaceIs,
    /// What kind of place it is.
    PlaceType,
    /// Which communication others may overhear.
    Privacy,
    /// What somebody is to the presentity.
    Relationship,
    /// The role that somebody plays.
    Sphere,
    /// A picture.
    StatusIcon,
    /// The time zone.
    TimeOffset,
    /// Comments; not those inside of other attributes, which go with these.
    Note,
}

impl PresenceAttribute {
    /// All of them, in the order of the standard.
    pub const NAMED: &'static [Self] = &[
        Self::Activities,
        Self::Class,
        Self::DeviceId,
        Self::Mood,
        Self::PlaceIs,
        Self::PlaceType,
        Self::Privacy,
        Self::Relationship,
        Self::Sphere,
        Self::StatusIcon,
        Self::TimeOffset,
        Self::Note,
    ];

    /// The one whose element has that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().copied().find(|it| it.as_str() == name)
    }

    /// The name of its element in a presence document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Class => "class",
            Self::DeviceId => "deviceID",
            Self::Mood => "mood",
            Self::PlaceIs => "place-is",
            Self::PlaceType => "place-type",
            Self::Privacy => "privacy",
            Self::Relationship => "relationship",
            Self::Sphere => "sphere",
            Self::StatusIcon => "status-icon",
            Self::TimeOffset => "time-offset",
            Self::Note => "note",
        }
    }

    const fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// How much of `user-input` is told (RFC 5025 section 3.3.2.12). Of several the highest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the schema may not be changed, RFC 5025 section 8"
)]
pub enum InputDetail {
    /// Nothing, value 0.
    #[default]
    Nothing,
    /// Whether there was input of late, value 10.
    Bare,
    /// After how long somebody counts as idle as well, value 20.
    Thresholds,
    /// When the last input was as well, and whatever else is there, value 30. (The standard calls that
    /// attribute `since`; RFC 4480 calls it `last-input`.)
    Full,
}

impl InputDetail {
    /// All of them, the lowest first.
    pub const NAMED: &'static [Self] = &[Self::Nothing, Self::Bare, Self::Thresholds, Self::Full];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().copied().find(|it| it.as_str() == name)
    }

    /// As it is written in a document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "false",
            Self::Bare => "bare",
            Self::Thresholds => "thresholds",
            Self::Full => "full",
        }
    }
}

/// A set of presence attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct AttributeSet(u16);

impl AttributeSet {
    pub(super) fn insert(&mut self, attribute: PresenceAttribute) {
        self.0 |= attribute.bit();
    }

    pub(super) const fn contains(self, attribute: PresenceAttribute) -> bool {
        self.0 & attribute.bit() != 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = PresenceAttribute> {
        let all = PresenceAttribute::NAMED.iter().copied();
        all.filter(move |attribute| self.contains(*attribute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_are_distinct() {
        let mut set = AttributeSet::default();
        for (at, one) in PresenceAttribute::NAMED.iter().enumerate() {
            assert!(!set.contains(*one));
            set.insert(*one);
            assert!(set.contains(*one));
            assert_eq!(set.iter().count(), at + 1);
            assert_eq!(PresenceAttribute::from_name(one.as_str()), Some(*one));
        }
        for two in InputDetail::NAMED.windows(2) {
            assert!(two[0] < two[1]);
        }
        for one in InputDetail::NAMED {
            assert_eq!(InputDetail::from_name(one.as_str()), Some(*one));
        }
    }
}
