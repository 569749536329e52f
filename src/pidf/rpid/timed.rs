//! From when until when something is so.

use time::OffsetDateTime;

use crate::pidf::{ValueError, timestamp};
use crate::xml::{Element, Name, namespace, trim};

/// Something that is so from one time until another (RFC 4480, 3.1).
///
/// What begins at no stated time was always so, what ends at none will be.
pub trait Timed {
    /// From when it is so.
    fn starts(&self) -> Option<OffsetDateTime>;

    /// Until when it is so, that moment itself excluded.
    fn ends(&self) -> Option<OffsetDateTime>;

    /// Whether it is so at that time.
    fn is_in_force(&self, at: OffsetDateTime) -> bool {
        self.starts().is_none_or(|from| from <= at) && self.ends().is_none_or(|until| at < until)
    }
}

/// The one of several that is in force at a time.
///
/// They should not overlap (RFC 4480, 3.1). Of those that do, the one that began last counts, as
/// it was likely meant to be an exception, and the first of equals.
///
/// ```
/// use presentity::pidf::Person;
/// use presentity::pidf::rpid::{Sphere, SphereKind, in_force};
/// use time::OffsetDateTime;
///
/// let [nine, noon, five] = [32_400, 43_200, 61_200]
///     .map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap());
/// let mut person = Person::new("dora");
/// person.add(&Sphere::new(SphereKind::Home))?;
/// person.add(&Sphere::new(SphereKind::Work).since(nine).until(five))?;
///
/// let sphere = in_force(person.all::<Sphere>(), noon);
/// assert_eq!(sphere.map(|sphere| sphere.kind), Some(SphereKind::Work));
/// # Ok::<(), presentity::pidf::ValueError>(())
/// ```
pub fn in_force<T: Timed>(values: impl Iterator<Item = T>, at: OffsetDateTime) -> Option<T> {
    let in_force = values.filter(|value| value.is_in_force(at));
    in_force.reduce(|best, next| {
        if next.starts() > best.starts() {
            next
        } else {
            best
        }
    })
}

/// The time in an attribute; none when it is no time. Without an offset, which the schema allows, it
/// counts as UTC: it may be some hours wrong then, but what has an end does not last for ever.
pub(super) fn read_time(element: &Element, attribute: &str) -> Option<OffsetDateTime> {
    let text = trim(element.attribute(attribute)?);
    timestamp::parse(text).or_else(|| timestamp::parse(&format!("{text}Z")))
}

/// From when until when an element of rich presence is so; none of one that is not of those that may
/// say so.
pub(crate) fn period_of(
    element: &Element,
) -> Option<(Option<OffsetDateTime>, Option<OffsetDateTime>)> {
    let may_say = element.namespace() == namespace::RPID && TIMED.contains(&element.local());
    may_say.then(|| (read_time(element, "from"), read_time(element, "until")))
}

/// Writes a time as an xs:dateTime, which knows no year 0.
pub(super) fn put_time(
    element: &mut Element,
    attribute: &'static str,
    time: Option<OffsetDateTime>,
) -> Result<(), ValueError> {
    let Some(time) = time else {
        return Ok(());
    };
    let text = timestamp::format(time);
    let Some(text) = text else {
        let expected = "a time of the years 1 to 9999";
        return Err(ValueError::new(attribute, &time.to_string(), expected));
    };
    element.attributes.set(Name::new("", attribute), text);
    Ok(())
}

/// Writes `from` and `until`.
pub(super) fn put_period(
    element: &mut Element,
    from: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
) -> Result<(), ValueError> {
    put_time(element, "from", from)?;
    put_time(element, "until", until)?;
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        let text = element.attribute("until").unwrap_or_default();
        return Err(ValueError::new("until", text, "`from` or later"));
    }
    Ok(())
}

/// Access to `id`, `from`, `until` and the other attributes of the types named.
macro_rules! timed {
    ($($owner:ty $(, $own:literal)?;)+) => {
        /// The elements that may say from when until when they are so.
        const TIMED: &[&str] = &[$(<$owner as $crate::pidf::Extension>::LOCAL),+];
    $(
        impl $owner {
            const OWN: &'static [&'static str] = &["id", "from", "until", $($own)?];

            /// The same with an id, which has to be an xs:ID and unique in the document.
            #[must_use]
            pub fn with_id(mut self, id: impl Into<String>) -> Self {
                self.id = Some(id.into());
                self
            }

            /// The same, said to be so from that time on.
            #[must_use]
            pub fn since(mut self, from: OffsetDateTime) -> Self {
                self.from = Some(from);
                self
            }

            /// The same, said to be so until that time.
            #[must_use]
            pub fn until(mut self, until: OffsetDateTime) -> Self {
                self.until = Some(until);
                self
            }

            /// Whether it is so at that time: `from` or later, and before `until`.
            pub fn is_in_force(&self, at: OffsetDateTime) -> bool {
                Timed::is_in_force(self, at)
            }

            /// One of which the attributes alone are read.
            pub(super) fn read_attributes(element: &Element) -> Self {
                Self {
                    id: $crate::pidf::rpid::frame::read_id(element),
                    from: read_time(element, "from"),
                    until: read_time(element, "until"),
                    attributes: $crate::pidf::rpid::frame::read_others(element, Self::OWN),
                    written: $crate::pidf::written::Written::of(element),
                    ..Self::default()
                }
            }

            /// Its element with the attributes alone.
            pub(super) fn with_attributes(&self) -> Result<Element, ValueError> {
                let mut element = <Self as $crate::pidf::Extension>::empty_element();
                $crate::pidf::rpid::frame::put_id(&mut element, self.id.as_deref())?;
                put_period(&mut element, self.from, self.until)?;
                $crate::pidf::rpid::frame::put_others(&mut element, &self.attributes, Self::OWN)?;
                Ok(element)
            }
        }

        impl Timed for $owner {
            fn starts(&self) -> Option<OffsetDateTime> {
                self.from
            }

            fn ends(&self) -> Option<OffsetDateTime> {
                self.until
            }
        }
    )+};
}

timed!(
    super::Activities;
    super::Mood;
    super::PlaceIs;
    super::PlaceType;
    super::Privacy;
    super::Sphere;
    super::StatusIcon;
    super::TimeOffset, "description";
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::Extension;
    use crate::pidf::rpid::frame::testing::{read, refuses, writes};
    use crate::pidf::rpid::{Activities, Activity};

    fn at(text: &str) -> OffsetDateTime {
        timestamp::parse(text).unwrap()
    }

    // PIDF-36
    #[test]
    fn times_are_read_and_written() {
        let busy: Activities = read(
            "<r:activities from=' 2026-03-01T09:00:00+01:00 ' until='2026-03-01T17:00:00Z'>\
             <r:busy/></r:activities>",
        )
        .unwrap();
        assert_eq!(busy.from, Some(at("2026-03-01T08:00:00Z")));
        writes(
            &busy,
            "<r:activities from=' 2026-03-01T09:00:00+01:00 ' until='2026-03-01T17:00:00Z'>\
             <r:busy/></r:activities>",
        );
        let other = at("2026-03-01T09:00:00+01:00");
        writes(
            &Activities::of([Activity::Busy]).since(other).until(other),
            "<r:activities from='2026-03-01T08:00:00Z' until='2026-03-01T08:00:00Z'>\
             <r:busy/></r:activities>",
        );
        let local: Activities =
            read("<r:activities until='2026-03-01T17:00:00'><r:busy/></r:activities>").unwrap();
        assert_eq!(local.until, Some(at("2026-03-01T17:00:00Z")));
        for bad in ["", "tomorrow", "2026-03-01"] {
            let document = format!("<r:activities from='{bad}'><r:busy/></r:activities>");
            let busy: Activities = read(&document).unwrap();
            assert_eq!(busy, Activities::of([Activity::Busy]), "{bad}");
        }
    }

    #[test]
    fn in_force_from_the_first_moment_and_not_at_the_last() {
        let [before, from, between, until] = [
            "2026-03-01T08:59:59.999Z",
            "2026-03-01T09:00:00Z",
            "2026-03-01T12:00:00Z",
            "2026-03-01T17:00:00Z",
        ]
        .map(at);
        let always = Activities::of([Activity::Busy]);
        assert!(always.is_in_force(before) && always.is_in_force(until));
        let since = always.clone().since(from);
        let ending = always.clone().until(until);
        let both = since.clone().until(until);
        for (moment, expected) in [
            (before, (false, true, false)),
            (from, (true, true, true)),
            (between, (true, true, true)),
            (until, (true, false, false)),
        ] {
            let found = (
                since.is_in_force(moment),
                ending.is_in_force(moment),
                both.is_in_force(moment),
            );
            assert_eq!(found, expected, "{moment}");
        }
    }

    #[test]
    fn the_one_that_began_last_counts() {
        let [one, two, three] = [
            "2026-03-01T09:00:00Z",
            "2026-03-01T12:00:00Z",
            "2026-03-01T17:00:00Z",
        ]
        .map(at);
        let away = Activities::of([Activity::Away]);
        let sleeping = Activities::of([Activity::Sleeping]);
        let working = Activities::of([Activity::Working]).since(one);
        let lunch = Activities::of([Activity::Meal]).since(two).until(three);
        let all = [&away, &sleeping, &lunch, &working];
        let at = |moment| in_force(all.into_iter().cloned(), moment);
        assert_eq!(at(one - time::Duration::SECOND), Some(away.clone()));
        assert_eq!(at(one), Some(working.clone()));
        assert_eq!(at(two), Some(lunch.clone()));
        assert_eq!(at(three), Some(working.clone()));
        assert_eq!(in_force([lunch.clone()].into_iter(), three), None);
    }

    #[test]
    fn times_that_may_not_be_written() {
        let [from, until] = ["2026-03-01T09:00:00Z", "2026-03-01T08:59:59Z"].map(at);
        let busy = Activities::of([Activity::Busy]);
        let never = busy.clone().since(from).until(from);
        assert!(never.to_element().is_ok() && !never.is_in_force(from));
        assert_eq!(
            refuses(&busy.clone().since(from).until(until)),
            "until: \"2026-03-01T08:59:59Z\" is not `from` or later"
        );
        assert!(refuses(&busy.clone().since(at("0000-12-31T23:59:59Z"))).starts_with("from"));
        assert!(refuses(&busy.until(at("9999-12-31T23:59:59-01:00"))).starts_with("until"));
    }
}
