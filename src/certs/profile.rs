//! The constants of the event package `certificate` (RFC 6072 section 6).

use crate::event::Profile;

/// The name of the event package.
pub const EVENT_TYPE: &str = "certificate";

/// One certificate in DER (RFC 2585), the body of the package.
pub const PKIX_CERT: &str = "application/pkix-cert";

/// Seconds of a subscription whose SUBSCRIBE has no Expires: a day (RFC 6072 section 6.3).
pub const DEFAULT_EXPIRES: u32 = 86_400;

const MEDIA_TYPES: &[&str] = &[PKIX_CERT];

/// The package, to those who subscribe and those who notify: a day, one certificate in DER, no
/// publication, and one notifier for each subscription (RFC 6072 sections 6.1 to 6.11). It has no body
/// for SUBSCRIBE and no resource lists.
pub const fn profile() -> Profile {
    let mut profile = Profile::new(EVENT_TYPE, MEDIA_TYPES);
    profile.default_expires = DEFAULT_EXPIRES;
    profile
}
