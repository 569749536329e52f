//! The sphere that a presentity is in.

use time::OffsetDateTime;

use crate::pidf::Presence;
use crate::pidf::rpid::Sphere;

/// The sphere that all of a presentity's published documents agree on (RFC 5025 section 3.1.2): the name
/// of the role in the persons' `sphere` elements. Undefined when there is none, or there are different
/// ones. Those that say from when until when they are so count while they are; when the time is not known
/// they do not.
///
/// ```
/// use presentity::pidf::rpid::{Sphere, SphereKind};
/// use presentity::pidf::{Person, Presence};
/// use presentity::rules::sphere_of;
///
/// let person = Person::new("dora").with(&Sphere::new(SphereKind::Work))?;
/// let one = Presence::new("sip:dora@example.com").with_person(person);
/// let other = Presence::new("sip:dora@example.com");
/// assert_eq!(sphere_of([&one, &other], None).as_deref(), Some("work"));
/// # Ok::<(), presentity::pidf::ValueError>(())
/// ```
pub fn sphere_of<'d>(
    documents: impl IntoIterator<Item = &'d Presence>,
    utc: Option<OffsetDateTime>,
) -> Option<String> {
    let mut agreed: Option<String> = None;
    let persons = documents.into_iter().flat_map(|it| &it.persons);
    for sphere in persons.flat_map(|person| person.all::<Sphere>()) {
        let counts = match utc {
            Some(utc) => sphere.is_in_force(utc),
            None => sphere.from.is_none() && sphere.until.is_none(),
        };
        let name = sphere.kind.as_str();
        match &agreed {
            _ if !counts => {}
            Some(agreed) if !agreed.eq_ignore_ascii_case(name) => return None,
            Some(_) => {}
            None => agreed = Some(name.to_owned()),
        }
    }
    agreed
}
