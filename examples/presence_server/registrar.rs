//! Just enough of a registrar that ordinary phones are content (RFC 3261 section 10).
//!
//! They are kept so that a phone reads back what it registered, and, where the server is told to, as a
//! source of presence. What routes by them is the agent, where it hands watchers over.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::presence::RegisteredContact;
use presentity::sip::{HeaderName, NameAddr, RequestRef, parse_delta_seconds, split_list};

use crate::adapter::Reply;

/// Addresses of record with bindings.
const MAX_ADDRESSES: usize = 10_000;
/// Bindings of one address of record.
const MAX_BINDINGS: usize = 16;
/// Octets of a contact.
const MAX_CONTACT: usize = 1024;

/// A contact that was registered.
#[derive(Debug, Clone)]
struct Binding {
    uri: String,
    /// Parameters but `expires`, each after a semicolon.
    params: String,
    until: Timestamp,
}

/// The bindings, by address of record.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    bindings: BTreeMap<String, Vec<Binding>>,
}

impl Registrar {
    /// Addresses of record with bindings, counting those that ran out and were not cleared away.
    pub(crate) fn len(&self) -> usize {
        self.bindings.len()
    }

    /// All contacts of an address of record, in the form in which they are presence.
    pub(crate) fn contacts(&self, address: &str) -> Vec<RegisteredContact> {
        let bindings = self.bindings.get(address).into_iter().flatten();
        let contacts = bindings.filter_map(|Binding { uri, params, until }| {
            let text = format!("<{uri}>{params}");
            let contact = NameAddr::parse(&text).ok()?;
            RegisteredContact::read(&contact, *until).ok()
        });
        contacts.collect()
    }

    /// Answers a REGISTER for an address of record that the caller may bind.
    pub(crate) fn register(
        &mut self,
        now: Timestamp,
        address: &str,
        request: &RequestRef<'_>,
        max_expires: u32,
    ) -> Reply {
        let mut bindings = self.bindings.get(address).cloned().unwrap_or_default();
        bindings.retain(|binding| binding.until > now);
        let asked = request.first(HeaderName::Expires);
        let asked = asked.and_then(|value| parse_delta_seconds(HeaderName::Expires, value).ok());
        for contact in request.values(HeaderName::Contact).flat_map(split_list) {
            if contact == "*" {
                bindings.clear();
                continue;
            }
            let Ok(contact) = NameAddr::parse(contact) else {
                return Reply::new(400);
            };
            let mut params = String::new();
            let mut expires = None;
            for (name, value) in contact.params().iter() {
                match value {
                    Some(value) if name.eq_ignore_ascii_case("expires") => {
                        expires = parse_delta_seconds(HeaderName::Expires, value).ok();
                    }
                    Some(value) => {
                        let _ = write!(params, ";{name}={value}");
                    }
                    None => {
                        let _ = write!(params, ";{name}");
                    }
                }
            }
            let uri = contact.uri().to_owned();
            bindings.retain(|binding| binding.uri != uri);
            let seconds = expires.or(asked).unwrap_or(max_expires).min(max_expires);
            if seconds == 0 {
                continue;
            }
            if bindings.len() >= MAX_BINDINGS || uri.len() + params.len() > MAX_CONTACT {
                return Reply::new(403);
            }
            let until = now + Duration::from_secs(seconds.into());
            bindings.push(Binding { uri, params, until });
        }
        let mut reply = Reply::new(200);
        for Binding { uri, params, until } in &bindings {
            // To the next full second: one registered just now is listed with all its time.
            let left = until.saturating_since(now).as_secs_f64().ceil();
            reply = reply.with("Contact", format!("<{uri}>{params};expires={left}"));
        }
        if self.keep(address, bindings, now) {
            reply
        } else {
            Reply::new(503).with("Retry-After", "60")
        }
    }

    /// Whether there was room.
    fn keep(&mut self, address: &str, bindings: Vec<Binding>, now: Timestamp) -> bool {
        if bindings.is_empty() {
            self.bindings.remove(address);
            return true;
        }
        if !self.bindings.contains_key(address) && self.bindings.len() >= MAX_ADDRESSES {
            self.bindings
                .retain(|_, bindings| bindings.iter().any(|binding| binding.until > now));
            if self.bindings.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        self.bindings.insert(address.to_owned(), bindings);
        true
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const ANNA: &str = "anna@example.org";

    fn register(registrar: &mut Registrar, second: u64, contact: &str) -> u16 {
        let fields = [("Contact", contact), ("Expires", "60")];
        let body = Bytes::new();
        let request = RequestRef::new("REGISTER", "sip:example.org", fields, &body);
        let now = Timestamp::from_secs(second);
        registrar.register(now, ANNA, &request, 3600).status
    }

    #[test]
    fn contacts_are_all_that_are_bound_with_what_they_said_and_their_ends() {
        let mut registrar = Registrar::default();
        let first = "<sip:anna@192.0.2.1>;q=0.5;methods=\"SUBSCRIBE\";events=\"presence\"";
        assert_eq!(register(&mut registrar, 0, first), 200);
        assert_eq!(
            register(&mut registrar, 10, "<sip:anna@192.0.2.2>;expires=5"),
            200
        );
        let contacts = registrar.contacts(ANNA);
        let uris: Vec<&str> = contacts.iter().map(|it| it.uri.as_str()).collect();
        assert_eq!(uris, ["sip:anna@192.0.2.1", "sip:anna@192.0.2.2"]);
        let ends: Vec<Timestamp> = contacts.iter().map(|it| it.expires_at).collect();
        assert_eq!(ends, [Timestamp::from_secs(60), Timestamp::from_secs(15)]);
        assert_eq!(contacts[0].q.map(|q| q.thousandths()), Some(500));
        assert!(contacts[0].declares_presence_agent());
        assert!(!contacts[1].declares_presence_agent());

        assert_eq!(
            register(&mut registrar, 20, "<sip:anna@192.0.2.1>;expires=0"),
            200
        );
        assert_eq!(registrar.contacts(ANNA), []);
    }

    #[test]
    fn a_registration_ends_at_its_time_on_both_sides() {
        let mut registrar = Registrar::default();
        assert_eq!(register(&mut registrar, 0, "<sip:anna@192.0.2.1>"), 200);
        assert_eq!(register(&mut registrar, 61, "<sip:anna@192.0.2.2>"), 200);
        let contacts = registrar.contacts(ANNA);
        assert_eq!(contacts.len(), 1);
        assert_eq!(contacts[0].uri, "sip:anna@192.0.2.2");
    }
}
