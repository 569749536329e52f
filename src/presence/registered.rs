//! Presence from registrations (RFC 3856 section 7.2).

use core::hash::{Hash, Hasher};
use std::collections::{HashMap, HashSet};
use std::hash::DefaultHasher;

use crate::engine::Timestamp;
use crate::pidf::caps::{Devcaps, EventPackage, Method, Servcaps, from_feature_parameters};
use crate::pidf::{Contact, Device, DeviceId, Presence, Priority, Tuple, ValueError, WriteError};
use crate::sip::{NameAddr, Uri, UriError};

/// A contact that is registered for an address of record, as the registrar knows it: one point of
/// communication of the presentity.
///
/// ```
/// use presentity::engine::Timestamp;
/// use presentity::presence::RegisteredContact;
/// use presentity::sip::NameAddr;
///
/// let contact = NameAddr::parse(
///     "<sip:ana@192.0.2.7>;q=0.8;methods=\"MESSAGE,SUBSCRIBE\";events=\"presence\"\
///      ;+sip.instance=\"<urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b9c11>\"",
/// )?;
/// let contact = RegisteredContact::read(&contact, Timestamp::from_secs(3600))?;
/// assert_eq!(contact.q.map(|q| q.thousandths()), Some(800));
/// assert!(contact.instance.is_some());
/// assert!(contact.declares_presence_agent());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RegisteredContact {
    /// The URI that was registered.
    pub uri: String,
    /// How much it is preferred to others; none where the Contact does not say.
    pub q: Option<Priority>,
    /// What the user agent says that it can do (RFC 3840).
    pub service: Servcaps,
    /// What it says of its device, likewise.
    pub device: Devcaps,
    /// The device, by the user agent's instance identifier (`+sip.instance`, RFC 5626 section 4.1).
    pub instance: Option<DeviceId>,
    /// Which of the instance's flows it is (`reg-id`, RFC 5626 section 4.2).
    pub flow: Option<u32>,
    /// When the registration runs out, on the host's clock.
    pub expires_at: Timestamp,
}

impl RegisteredContact {
    /// A contact of which nothing but the URI is known.
    pub fn new(uri: impl Into<String>, expires_at: Timestamp) -> Self {
        Self {
            uri: uri.into(),
            q: None,
            service: Servcaps::new(),
            device: Devcaps::new(),
            instance: None,
            flow: None,
            expires_at,
        }
    }

    /// What a Contact of a REGISTER says. Parameters that are malformed say nothing.
    ///
    /// # Errors
    /// Its URI is none.
    pub fn read(contact: &NameAddr<'_>, expires_at: Timestamp) -> Result<Self, UriError> {
        Uri::parse(contact.uri())?;
        let params = contact.params();
        let (service, device) = from_feature_parameters(params);
        let instance = params.unquoted("+sip.instance");
        let instance = instance.as_deref().and_then(|text| {
            let urn = text.strip_prefix('<')?.strip_suffix('>')?;
            DeviceId::new(urn).ok()
        });
        let flow = params.get("reg-id").flatten();
        Ok(Self {
            uri: contact.uri().to_owned(),
            q: params.get("q").flatten().and_then(Priority::parse),
            service,
            device,
            instance,
            flow: flow.and_then(|text| text.parse().ok()),
            expires_at,
        })
    }

    /// Whether the user agent says that it is a presence agent itself, by naming the method SUBSCRIBE
    /// and the event package `presence` (RFC 3856 section 6.11.2): state can be had from it by a
    /// subscription, and subscriptions can be sent there. It obliges nobody to do so.
    pub fn declares_presence_agent(&self) -> bool {
        let methods = self.service.methods.supports(&Method::Subscribe);
        let events = &self.service.event_packages;
        methods == Some(true) && events.supports(&EventPackage::Presence) == Some(true)
    }

    /// Whether it says that it is none: it names methods without SUBSCRIBE, or event packages without
    /// `presence`.
    pub fn denies_presence_agent(&self) -> bool {
        fn denies<V>(says: Option<bool>, supported: &[V]) -> bool {
            says.map_or(!supported.is_empty(), |says| !says)
        }
        let (methods, events) = (&self.service.methods, &self.service.event_packages);
        denies(methods.supports(&Method::Subscribe), &methods.supported)
            || denies(events.supports(&EventPackage::Presence), &events.supported)
    }
}

/// Which address the tuples of registered contacts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ContactShown {
    /// The address of record: what watchers send then passes the presentity's proxies and their
    /// policy, and nobody learns where its devices are (RFC 3856 section 7.2).
    #[default]
    AddressOfRecord,
    /// The contact that was registered.
    Registered,
}

/// Why there is no document of registered contacts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisteredError {
    /// More contacts than [`Registrations::max_contacts`].
    #[error("more than {limit} contacts")]
    TooManyContacts {
        /// How many there may be.
        limit: usize,
    },
    /// The address of record is no URI.
    #[error("address of record: {0}")]
    AddressOfRecord(UriError),
    /// The URI of a contact is none.
    #[error("contact {number}: {error}")]
    Contact {
        /// Which of the contacts, from 0 on.
        number: usize,
        /// What is wrong with it.
        error: UriError,
    },
    /// What a contact says that its user agent can do is nothing that a document can carry. What was
    /// [read](RegisteredContact::read) always is.
    #[error("contact {number}: {error}")]
    Value {
        /// Which of the contacts, from 0 on.
        number: usize,
        /// What is wrong with it.
        error: ValueError,
    },
    /// The document cannot be written, such as for a URI with a fragment.
    #[error(transparent)]
    Document(#[from] WriteError),
}

/// How registrations become presence (RFC 3856 section 7.2).
///
/// The host's registrar gives all contacts of an address of record each time one of them changes, so
/// that what is gone is not among them. It has to have authenticated those who registered them: what
/// they say is shown as the presentity's own.
///
/// Each contact is one tuple, open, with a [priority](Contact::priority) when any of the contacts has a
/// `q`, and with what the user agent can do. One whose instance is known runs on a device, which is
/// shown as well. Names of capabilities that no document can carry are left out.
///
/// The ids of tuples and devices stay the same as long as the same instance, or without one the same
/// URI, is registered; whoever reads them learns neither.
///
/// ```
/// use presentity::engine::Timestamp;
/// use presentity::pidf::Basic;
/// use presentity::presence::{RegisteredContact, Registrations};
///
/// let now = Timestamp::from_secs(100);
/// let contacts = [
///     RegisteredContact::new("sip:ana@192.0.2.7:5062", Timestamp::from_secs(3700)),
///     RegisteredContact::new("sip:ana@198.51.100.4", Timestamp::from_secs(700)),
/// ];
/// let registrations = Registrations::default();
/// let document = registrations.presence(now, "sip:ana@example.com", &contacts)?;
/// assert_eq!(document.tuples.len(), 2);
/// for tuple in &document.tuples {
///     assert_eq!(tuple.status.basic(), Some(Basic::Open));
///     let contact = tuple.contact.as_ref().map(|contact| contact.uri.as_str());
///     assert_eq!(contact, Some("sip:ana@example.com"));
/// }
/// assert_eq!(Registrations::next_expiry(now, &contacts), Some(Timestamp::from_secs(700)));
/// # Ok::<(), presentity::presence::RegisteredError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registrations {
    /// Which address the tuples show.
    pub shown: ContactShown,
    /// Contacts of one address of record at most. Default 100: nobody has that many devices.
    pub max_contacts: usize,
    /// Goes into the ids, so that nobody can try out which URI or instance one was made of. Default 0,
    /// with which they can; a number that nobody knows and that stays the same over restarts is better.
    pub secret: u64,
}

impl Default for Registrations {
    fn default() -> Self {
        Self {
            shown: ContactShown::default(),
            max_contacts: 100,
            secret: 0,
        }
    }
}

impl Registrations {
    /// The document about `address_of_record` that its contacts come to, without those that have run
    /// out. Where none is left, it has no tuple.
    ///
    /// # Errors
    /// See [`RegisteredError`]; then there is no document at all.
    pub fn presence(
        &self,
        now: Timestamp,
        address_of_record: &str,
        contacts: &[RegisteredContact],
    ) -> Result<Presence, RegisteredError> {
        let limit = self.max_contacts;
        if contacts.len() > limit {
            return Err(RegisteredError::TooManyContacts { limit });
        }
        Uri::parse(address_of_record).map_err(RegisteredError::AddressOfRecord)?;
        for (number, contact) in contacts.iter().enumerate() {
            Uri::parse(&contact.uri).map_err(|error| RegisteredError::Contact { number, error })?;
        }
        let mut document = Presence::new(address_of_record);
        let ids = self.ids(contacts);
        let has_q = contacts
            .iter()
            .any(|it| it.q.is_some() && it.expires_at > now);
        let mut devices: HashMap<&str, usize> = HashMap::new();
        let all = contacts.iter().zip(ids).enumerate();
        for (number, (contact, id)) in all.filter(|(_, (contact, _))| contact.expires_at > now) {
            let in_contact = |error| RegisteredError::Value { number, error };
            let mut tuple = self.tuple(id, address_of_record, contact, has_q);
            let service = contact.service.clone().without_unlisted();
            if service != Servcaps::new() {
                tuple.set(&service).map_err(in_contact)?;
            }
            if let Some(instance) = &contact.instance {
                tuple.add(instance).map_err(in_contact)?;
                let next = document.devices.len();
                let place = *devices.entry(instance.as_str()).or_insert(next);
                if place == next {
                    let id = self.id('d', |hasher| instance.as_str().hash(hasher));
                    let device = Device::new(id, instance.clone());
                    document.devices.push(device);
                }
                let caps = contact.device.clone().without_unlisted();
                if let Some(device) = document.devices.get_mut(place)
                    && caps != Devcaps::new()
                    && device.get::<Devcaps>().is_none()
                {
                    device.set(&caps).map_err(in_contact)?;
                }
            }
            document.tuples.push(tuple);
        }
        // Identifiers that two hashes have in common.
        document.repair();
        document.write()?;
        Ok(document)
    }

    /// When the first of the contacts runs out that have not yet: the document is to be made anew then.
    pub fn next_expiry(now: Timestamp, contacts: &[RegisteredContact]) -> Option<Timestamp> {
        let ends = contacts.iter().map(|contact| contact.expires_at);
        ends.filter(|end| *end > now).min()
    }

    fn tuple(
        &self,
        id: String,
        address_of_record: &str,
        contact: &RegisteredContact,
        has_q: bool,
    ) -> Tuple {
        let mut shown = Contact::new(match self.shown {
            ContactShown::AddressOfRecord => address_of_record,
            ContactShown::Registered => &contact.uri,
        });
        if has_q {
            // One that does not say is preferred to none (RFC 3261 section 20.10), while a tuple that
            // does not say comes last (RFC 3863 section 4.1.5).
            shown.set_priority(Some(contact.q.unwrap_or(Priority::HIGHEST)));
        }
        Tuple::open(id).with_contact(shown)
    }

    /// One id for each contact, whatever their order.
    fn ids(&self, contacts: &[RegisteredContact]) -> Vec<String> {
        let mut ids: Vec<String> = contacts
            .iter()
            .map(|contact| match &contact.instance {
                Some(instance) => self.id('t', |hasher| {
                    (instance.as_str(), contact.flow).hash(hasher);
                }),
                None => self.id('t', |hasher| contact.uri.hash(hasher)),
            })
            .collect();
        // An instance may have registered several URIs by one flow: the first by its text keeps the id.
        let mut by_uri: Vec<(&str, &mut String)> = contacts
            .iter()
            .zip(&mut ids)
            .map(|(contact, id)| (contact.uri.as_str(), id))
            .collect();
        by_uri.sort_by_key(|(uri, _)| *uri);
        let mut taken = HashSet::new();
        for (uri, id) in by_uri {
            if taken.contains(id) {
                let first = core::mem::take(id);
                *id = self.id('t', |hasher| (first, uri).hash(hasher));
            }
            taken.insert(id.clone());
        }
        ids
    }

    fn id(&self, kind: char, what: impl FnOnce(&mut DefaultHasher)) -> String {
        let mut hasher = DefaultHasher::new();
        (self.secret, kind).hash(&mut hasher);
        what(&mut hasher);
        format!("{kind}{:016x}", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    const PARAMETERS: &[&str] = &[
        ";q=0.5",
        ";q=2",
        ";audio",
        ";video=\"FALSE\"",
        ";text=\"maybe\"",
        ";methods=\"INVITE,MESSAGE,BREW\"",
        ";events=\"presence,presence.winfo\"",
        ";schemes=\"sip,a<b&c,!x y\"",
        ";language=\"en,!d_e,*\"",
        ";class=\"personal,!odd\"",
        ";mobility=\"mobile,hovering\"",
        ";priority=\"#>=5,#1:99999999999999999999\"",
        ";type=\"<a/b>,<c\"",
        ";description=\"<a\\\u{1}b\u{fffe}>\"",
        ";description=\"<\\\"quoted\\\" & more>\"",
        ";extensions=\"100rel,gruu,\u{e9}\"",
        ";duplex=\"full\";actor=\"principal\";automata;isfocus",
        ";+sip.instance=\"<urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b9c11>\"",
        ";+sip.instance=\"<none>\"",
        ";+sip.instance=\"<urn:uuid:\u{e9}>\"",
        ";reg-id=1",
        ";reg-id=x",
        ";expires=3600",
    ];

    proptest! {
        // SRV-34
        #[test]
        fn whatever_a_contact_says_is_shown_or_left_out(
            parameters in subsequence(PARAMETERS, 0..PARAMETERS.len()),
        ) {
            let text = format!("<sip:ana@192.0.2.7>{}", parameters.concat());
            let Ok(contact) = NameAddr::parse(&text) else {
                return Ok(());
            };
            let contact = RegisteredContact::read(&contact, Timestamp::MAX).unwrap();
            let document = Registrations::default()
                .presence(Timestamp::ZERO, "sip:ana@example.com", &[contact])
                .unwrap();
            let written = document.write().unwrap();
            prop_assert_eq!(Presence::read(&written).unwrap(), document);
        }
    }
}
