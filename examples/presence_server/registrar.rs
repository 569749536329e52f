//! Just enough of a registrar that ordinary phones are content (RFC 3261 section 10).
//!
//! Nothing is ever routed by these bindings. They are kept so that a phone reads back what it
//! registered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use presentity::sip::{HeaderName, NameAddr, RequestRef, parse_delta_seconds, split_list};
use tokio::time::Instant;

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
    until: Instant,
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

    /// Answers a REGISTER for an address of record that the caller may bind.
    pub(crate) fn register(
        &mut self,
        address: &str,
        request: &RequestRef<'_>,
        max_expires: u32,
    ) -> Reply {
        let now = Instant::now();
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
            if let Some(until) = now.checked_add(Duration::from_secs(seconds.into())) {
                bindings.push(Binding { uri, params, until });
            }
        }
        let mut reply = Reply::new(200);
        for Binding { uri, params, until } in &bindings {
            // To the next full second: one registered just now is listed with all its time.
            let left = until.saturating_duration_since(now).as_secs_f64().ceil();
            reply = reply.with("Contact", format!("<{uri}>{params};expires={left}"));
        }
        if self.keep(address, bindings, now) {
            reply
        } else {
            Reply::new(503).with("Retry-After", "60")
        }
    }

    /// Whether there was room.
    fn keep(&mut self, address: &str, bindings: Vec<Binding>, now: Instant) -> bool {
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
