//! The elements of a request.

use core::fmt;

/// An element of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Field {
    /// The watcher who asks, a pres URI.
    From,
    /// The presentity asked for, a pres URI.
    To,
    /// When the request was made, a time of RFC 3339.
    DateTime,
    /// What names the subscription among those of this watcher to this presentity.
    Token,
    /// For how many seconds.
    Duration,
}

impl Field {
    /// The element's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::From => "From",
            Self::To => "To",
            Self::DateTime => "DateTime",
            Self::Token => "Token",
            Self::Duration => "Duration",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "From" => Self::From,
            "To" => Self::To,
            "DateTime" => Self::DateTime,
            "Token" => Self::Token,
            "Duration" => Self::Duration,
            _ => return None,
        })
    }

    /// How errors name it where it is missing.
    pub(super) fn as_expected(self) -> &'static str {
        match self {
            Self::From => "the element From",
            Self::To => "the element To",
            Self::DateTime => "the element DateTime",
            Self::Token => "the element Token",
            Self::Duration => "the element Duration",
        }
    }

    /// What it has to hold.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::From | Self::To => "a pres URI",
            Self::DateTime => "a date and time with offset",
            Self::Token => "a token of 1 to 80 characters",
            Self::Duration => "a number of seconds from 0 to 2147483647",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
