//! What is asked of rules, and what they answer.

use time::OffsetDateTime;

use super::handling::SubHandling;
use super::provided::Provided;

/// Who asks, and how things stand.
///
/// ```
/// use presentity::rules::Query;
/// use time::OffsetDateTime;
///
/// let query = Query::of("bob@example.com")
///     .in_sphere("work")
///     .at(OffsetDateTime::UNIX_EPOCH);
/// assert_eq!(query.watcher, Some("bob@example.com"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Query<'a> {
    /// The canonical [address of record](crate::sip::Uri::address_of_record) of the watcher; nothing for
    /// one that has not proved to be anybody.
    pub watcher: Option<&'a str>,
    /// Further ones that the watcher is proven to have: each rule that names one of them matches, and
    /// whoever leaves one of them out leaves the watcher out (RFC 5025 section 3.1.1.2).
    pub further: &'a [&'a str],
    /// The sphere that the presentity is in, if that is defined: see [`sphere_of`](super::sphere_of).
    pub sphere: Option<&'a str>,
    /// The time, if that is known.
    pub utc: Option<OffsetDateTime>,
}

impl<'a> Query<'a> {
    /// Asks for a watcher, named by its canonical address of record.
    pub fn of(watcher: &'a str) -> Self {
        Self {
            watcher: Some(watcher),
            ..Self::default()
        }
    }

    /// Asks for a watcher that has not proved to be anybody.
    pub fn of_nobody() -> Self {
        Self::default()
    }

    /// The same for a watcher that has further names.
    #[must_use]
    pub fn known_as(mut self, further: &'a [&'a str]) -> Self {
        self.further = further;
        self
    }

    /// The same while the presentity is in a sphere.
    #[must_use]
    pub fn in_sphere(mut self, sphere: &'a str) -> Self {
        self.sphere = Some(sphere);
        self
    }

    /// The same at a time.
    #[must_use]
    pub fn at(mut self, utc: OffsetDateTime) -> Self {
        self.utc = Some(utc);
        self
    }

    /// All names of the watcher.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.watcher.into_iter().chain(self.further.iter().copied())
    }
}

/// What rules give to one watcher (RFC 4745 section 10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Permissions {
    /// How its subscription is to be treated.
    pub handling: SubHandling,
    /// What it may see once it is accepted.
    pub provided: Provided,
    /// The next moment at which this may change by the passing of time alone. None when it does not, and
    /// when the time is not known.
    pub holds_until: Option<OffsetDateTime>,
}
