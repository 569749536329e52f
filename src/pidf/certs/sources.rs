//! The stanzas of a document, and whom they say to ask.

use core::net::Ipv4Addr;
use std::collections::HashSet;

use super::{Certs, CertsFault};
use crate::pidf::caps::{self, is_caps};
use crate::pidf::device::{Device, DeviceId};
use crate::pidf::device_index::DeviceIndex;
use crate::pidf::extension::Extension;
use crate::pidf::must_understand::Understood;
use crate::pidf::presence::Presence;
use crate::pidf::tuple::Tuple;
use crate::sip::{SipUri, Uri};
use crate::xml::{Element, trim};

/// Whom to ask for a certificate.
///
/// What is got there is bound to this URI and not yet to the presentity: see
/// [What may be believed](super#what-may-be-believed).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateSource {
    /// Subscribe to the event package `certificate` of this sip or sips URI (RFC 6072, 6).
    Subscribe {
        /// The URI: an address of record, or what `src` says, which may be a GRUU.
        uri: String,
    },
    /// Fetch from this http or https URL.
    Fetch {
        /// The URL, as `src` says.
        url: String,
    },
}

impl CertificateSource {
    /// The URI that is asked.
    pub fn uri(&self) -> &str {
        match self {
            Self::Subscribe { uri } => uri,
            Self::Fetch { url } => url,
        }
    }
}

impl core::fmt::Display for CertificateSource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.uri())
    }
}

type Stanza = Result<Certs, CertsFault>;

/// The stanzas among the elements and directly in those that hold capabilities.
fn stanzas(elements: &[Element]) -> impl Iterator<Item = Stanza> {
    elements.iter().flat_map(|element| {
        let own = Certs::is_named(element).then(|| Certs::parse(element));
        let inner = holds_capabilities(element).then(|| stanzas_in(element));
        own.into_iter().chain(inner.into_iter().flatten())
    })
}

fn stanzas_in(container: &Element) -> impl Iterator<Item = Stanza> {
    let understands = |namespace: &str, local: &str| {
        // Of drafts it is not known what they had.
        let is_draft = namespace == container.namespace() && !is_caps(namespace);
        is_draft || caps::understands(namespace, local) || Certs::understands(namespace, local)
    };
    let usable = Understood::may_use_by(container, &understands);
    let found = container.elements().filter(|child| Certs::is_named(child));
    found.map(move |child| {
        if usable {
            Certs::parse(child)
        } else {
            Err(CertsFault::NotUnderstood)
        }
    })
}

/// The elements of RFC 5196 and those that its drafts had in their place.
fn holds_capabilities(element: &Element) -> bool {
    element
        .namespace()
        .starts_with("urn:ietf:params:xml:ns:pidf:")
        && matches!(
            element.local(),
            "servcaps" | "devcaps" | "prescaps" | "caps"
        )
}

impl Tuple {
    /// The usable `certs` stanzas of the service in their order: where they belong, at the end of
    /// `servcaps`, as well as directly in the tuple, in its status, or in what drafts of RFC 5196
    /// had instead.
    ///
    /// For those of its device ask [`Presence::certs_of`].
    pub fn certs(&self) -> impl Iterator<Item = Certs> {
        self.stanzas().filter_map(Result::ok)
    }

    /// Why other stanzas are not usable; they are to be ignored, each as a whole.
    pub fn faulty_certs(&self) -> impl Iterator<Item = CertsFault> {
        self.stanzas().filter_map(Result::err)
    }

    /// Whether the service says that signalling with it can be secured by S/MIME, which may be
    /// shown to watchers. `false` is no statement: the service may be able to all the same.
    pub fn secure_signalling(&self) -> bool {
        self.certs().next().is_some()
    }

    fn stanzas(&self) -> impl Iterator<Item = Stanza> {
        stanzas(&self.extensions).chain(stanzas(&self.status.extensions))
    }
}

impl Presence {
    /// The usable `certs` stanzas of the whole document: of its tuples, its devices, and those
    /// that stand directly in it.
    pub fn certs(&self) -> impl Iterator<Item = Certs> {
        self.stanzas().filter_map(Result::ok)
    }

    /// Why other stanzas are not usable; they are to be ignored, each as a whole.
    pub fn faulty_certs(&self) -> impl Iterator<Item = CertsFault> {
        self.stanzas().filter_map(Result::err)
    }

    /// Whether the document says somewhere that signalling with the presentity can be secured by
    /// S/MIME. `false` is no statement: the presentity may be able to all the same.
    pub fn secure_signalling(&self) -> bool {
        self.certs().next().is_some()
    }

    /// The usable `certs` stanzas of a tuple and, behind them, of the devices its service runs on.
    ///
    /// This looks at every device of the document: whoever asks about many tuples asks a
    /// [`DeviceIndex`].
    pub fn certs_of(&self, tuple: &Tuple) -> impl Iterator<Item = Certs> {
        let ids: HashSet<DeviceId> = tuple.all::<DeviceId>().collect();
        let devices = self
            .devices
            .iter()
            .filter(move |device| device.device_id().is_some_and(|id| ids.contains(&id)));
        let of_devices = devices.flat_map(|device| stanzas(&device.extensions));
        tuple.certs().chain(of_devices.filter_map(Result::ok))
    }

    /// Whom to ask for the certificate of a tuple's service, each once, the first choice first.
    /// Nobody when no stanza says that there is one, or none that names a source and the
    /// presentity has no address of record to ask.
    ///
    /// The address of record, for a stanza without `src`, is the tuple's contact if that is a sip
    /// or sips URI with a user, not a GRUU and not at an IP address; else the entity if that is a
    /// sip or sips URI; else, of a pres entity, the sip URI with its local part and domain (RFC
    /// 3859; RFC 5509). Parameters are left out.
    ///
    /// This looks at every device of the document: whoever asks about many tuples asks a
    /// [`DeviceIndex`].
    pub fn certificate_sources(&self, tuple: &Tuple) -> Vec<CertificateSource> {
        let sources = self.certs_of(tuple).map(|certs| certs.source);
        self.sources_from(tuple, sources)
    }

    fn sources_from(
        &self,
        tuple: &Tuple,
        sources: impl Iterator<Item = Option<String>>,
    ) -> Vec<CertificateSource> {
        let mut known = HashSet::new();
        sources
            .filter_map(|source| match source {
                None => {
                    let uri = self.address_of_record(tuple)?;
                    Some(CertificateSource::Subscribe { uri })
                }
                Some(src) => match Uri::parse(&src) {
                    Ok(Uri::Sip(_)) => Some(CertificateSource::Subscribe { uri: src }),
                    _ => Some(CertificateSource::Fetch { url: src }),
                },
            })
            .filter(|source| known.insert(source.clone()))
            .collect()
    }

    fn address_of_record(&self, tuple: &Tuple) -> Option<String> {
        if let Some(contact) = &tuple.contact
            && let Ok(uri) = Uri::parse(trim(&contact.uri))
            && let Uri::Sip(sip) = &uri
            && may_be_address_of_record(sip)
        {
            return Some(uri.bare());
        }
        let uri = Uri::parse(trim(&self.entity)).ok()?;
        match &uri {
            Uri::Sip(_) => Some(uri.bare()),
            Uri::Pres(_) => Some(format!("sip:{}", uri.address_of_record()?)),
            _ => None,
        }
    }

    fn stanzas(&self) -> impl Iterator<Item = Stanza> {
        let tuples = self.tuples.iter().flat_map(Tuple::stanzas);
        let devices = self.devices.iter();
        tuples
            .chain(devices.flat_map(|device| stanzas(&device.extensions)))
            .chain(stanzas(&self.extensions))
    }
}

impl Device {
    /// The usable `certs` stanzas of the device.
    pub(in crate::pidf) fn certs(&self) -> impl Iterator<Item = Certs> {
        stanzas(&self.extensions).filter_map(Result::ok)
    }
}

impl DeviceIndex<'_> {
    /// The usable `certs` stanzas of a tuple and, behind them, of the devices its service runs on, as
    /// [`Presence::certs_of`] tells them.
    pub fn certs_of(&self, tuple: &Tuple) -> impl Iterator<Item = Certs> {
        tuple.certs().chain(self.certs_of_devices(tuple))
    }

    /// Whom to ask for the certificate of a tuple's service, each once, the first choice first, as
    /// [`Presence::certificate_sources`] tells them.
    pub fn certificate_sources(&self, tuple: &Tuple) -> Vec<CertificateSource> {
        let own = tuple.certs().map(|certs| certs.source);
        let sources = own.chain(self.sources_of_devices(tuple));
        self.presence.sources_from(tuple, sources)
    }
}

fn may_be_address_of_record(contact: &SipUri<'_>) -> bool {
    let host = contact.host();
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    contact.user().is_some() && contact.params().get("gr").is_none() && !is_address
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::element;
    use super::*;
    use crate::pidf::caps::Servcaps;

    fn tuple(extensions: &[&str]) -> Tuple {
        let extensions = extensions.iter().map(|document| element(document));
        extensions.fold(Tuple::open("t"), Tuple::with_extension)
    }

    fn sources(certs: impl Iterator<Item = Certs>) -> Vec<String> {
        certs
            .map(|certs| certs.source.unwrap_or_default())
            .collect()
    }

    // CERT-03, CERT-10
    #[test]
    fn a_document_tells_it_before_any_session_and_stays_what_it_is() {
        let document = b"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:dora@example.com'>\
            <tuple id='t'><status><basic>open</basic></status>\
            <c:servcaps xmlns:c='urn:ietf:params:xml:ns:pidf:caps'><c:text>1</c:text>\
            <certs xmlns='urn:ietf:id:schubert-simple-pidf-cert-00' src='mailto:dora@example.com'/>\
            <certs xmlns='urn:ietf:id:schubert-simple-pidf-cert-00'/></c:servcaps></tuple></presence>";
        let document = Presence::read(document).unwrap();
        assert!(document.secure_signalling());
        let uri = "sip:dora@example.com".to_owned();
        assert_eq!(
            document.certificate_sources(&document.tuples[0]),
            [CertificateSource::Subscribe { uri }]
        );
        let caps = document.tuples[0].get::<Servcaps>().unwrap();
        assert_eq!(caps.text, Some(true));
        let again = Presence::read(&document.write().unwrap()).unwrap();
        assert_eq!(again, document);
        assert_eq!(again.faulty_certs().count(), 1);
    }

    // CERT-01, CERT-02, CERT-06
    #[test]
    fn stanzas_are_found_where_they_belong_and_elsewhere() {
        let mut tuple = tuple(&[
            "<g:certs src='sip:a@x'/>",
            "<c:servcaps><c:audio/><certs src='sip:b@x'/><certs src='mailto:b@x'/></c:servcaps>",
            "<x:servcaps><certs src='sip:no@x'/></x:servcaps>",
            "<x:other><certs src='sip:no@x'/></x:other>",
            "<s:servcaps xmlns:s='urn:ietf:params:xml:ns:pidf:servcaps'><certs src='sip:c@x'/></s:servcaps>",
            "<s:prescaps xmlns:s='urn:ietf:params:xml:ns:pidf:prescaps'><s:z/><certs src='sip:d@x'/></s:prescaps>",
        ]);
        tuple = tuple
            .with_status_extension(element("<certs src='sip:e@x'/>"))
            .with_status_extension(element("<c:servcaps><certs src='f'/></c:servcaps>"));
        let found = ["sip:a@x", "sip:b@x", "sip:c@x", "sip:d@x", "sip:e@x"];
        assert_eq!(sources(tuple.certs()), found);
        assert!(tuple.secure_signalling());
        let faults: Vec<CertsFault> = tuple.faulty_certs().collect();
        let src = "mailto:b@x".to_owned();
        let relative = "f".to_owned();
        assert_eq!(
            faults,
            [
                CertsFault::Scheme { src },
                CertsFault::Relative { src: relative }
            ]
        );
        let caps = tuple.get::<Servcaps>().unwrap();
        assert_eq!(sources(caps.certs.into_iter()), ["sip:b@x"]);
    }

    #[test]
    fn stanzas_of_devices_and_of_the_document_count_too() {
        let id = |n: u8| DeviceId::new(format!("urn:uuid:{n}")).unwrap();
        let devcaps = |src: &str| {
            let document = format!("<c:devcaps><certs src='{src}'/><certs src=''/></c:devcaps>");
            element(&document)
        };
        let phone = Tuple::open("p").with(&id(1)).unwrap();
        let document = Presence::new("sip:dora@example.com")
            .with_tuple(phone.clone().with_extension(element("<certs/>")))
            .with_tuple(Tuple::open("q"))
            .with_device(Device::new("d", id(2)).with_extension(devcaps("sip:two@x")))
            .with_device(Device::new("e", id(1)).with_extension(devcaps("sip:one@x")))
            .with_extension(element("<certs src='sip:doc@x'/>"));
        let all = ["", "sip:two@x", "sip:one@x", "sip:doc@x"];
        assert_eq!(sources(document.certs()), all);
        assert_eq!(document.faulty_certs().count(), 2);
        assert!(document.secure_signalling());
        assert_eq!(
            sources(document.certs_of(&document.tuples[0])),
            ["", "sip:one@x"]
        );
        assert_eq!(sources(document.certs_of(&phone)), ["sip:one@x"]);
        let index = document.device_index();
        for tuple in document.tuples.iter().chain([&phone]) {
            assert!(index.certs_of(tuple).eq(document.certs_of(tuple)));
            let sources = index.certificate_sources(tuple);
            assert_eq!(sources, document.certificate_sources(tuple));
        }
        assert_eq!(document.certs_of(&document.tuples[1]).count(), 0);
        assert!(!document.tuples[1].secure_signalling());
        assert!(!Presence::new("sip:dora@example.com").secure_signalling());
    }

    // CERT-06, CERT-14; PIDF-24
    #[test]
    fn what_has_to_be_understood_and_is_not_hides_a_stanza() {
        for document in [
            "<certs><x:y p:mustUnderstand='1'/></certs>",
            "<c:servcaps><certs><x:y p:mustUnderstand='1'/></certs></c:servcaps>",
            "<c:servcaps><certs/><x:y p:mustUnderstand='1'/></c:servcaps>",
        ] {
            let tuple = tuple(&[document]);
            assert!(!tuple.secure_signalling(), "{document}");
            let faults: Vec<CertsFault> = tuple.faulty_certs().collect();
            assert_eq!(faults, [CertsFault::NotUnderstood], "{document}");
        }
        let known = tuple(&["<certs><x:y p:mustUnderstand='0'/></certs>"]);
        assert!(known.secure_signalling());
        let caps = "<c:servcaps><certs p:mustUnderstand='1'/></c:servcaps>";
        assert!(tuple(&[caps]).secure_signalling());
        assert!(tuple(&[caps]).get::<Servcaps>().is_some());
    }

    fn asked(entity: &str, contact: Option<&str>, stanzas: &[&str]) -> Vec<String> {
        let mut tuple = tuple(stanzas);
        tuple.contact = contact.map(Into::into);
        let document = Presence::new(entity).with_tuple(tuple.clone());
        let sources = document.certificate_sources(&tuple);
        let text = |source: CertificateSource| match source {
            CertificateSource::Subscribe { uri } => format!("S {uri}"),
            CertificateSource::Fetch { url } => format!("F {url}"),
        };
        sources.into_iter().map(text).collect()
    }

    // CERT-07, CERT-09
    #[test]
    fn a_source_is_asked_by_its_scheme_in_the_order_of_the_document() {
        let stanzas = [
            "<certs src='https://example.com/dora.cer'/>",
            "<certs src='SIPS:dora@example.com;gr=urn:uuid:0f6a'/>",
            "<certs/>",
            "<certs src='https://example.com/dora.cer'/>",
            "<certs src='mailto:dora@example.com'/>",
            "<certs src='HTTP://example.com/dora.cer'/>",
        ];
        assert_eq!(
            asked("pres:dora@example.com", None, &stanzas),
            [
                "F https://example.com/dora.cer",
                "S SIPS:dora@example.com;gr=urn:uuid:0f6a",
                "S sip:dora@example.com",
                "F HTTP://example.com/dora.cer",
            ]
        );
        let entity = "sip:dora@example.com";
        assert!(asked(entity, Some(entity), &[]).is_empty());
        let faulty = ["<certs src='dora.cer'/>"];
        assert!(asked(entity, Some(entity), &faulty).is_empty());
    }

    // CERT-08
    #[test]
    fn without_source_the_address_of_record_is_asked() {
        let pres = "pres:dora@example.com";
        for (entity, contact, uri) in [
            (pres, Some("sip:dd@example.org"), Some("sip:dd@example.org")),
            (
                pres,
                Some("SIPS:dd:secret@Example.ORG:5071;transport=tcp?a=b"),
                Some("sips:dd@example.org:5071"),
            ),
            (
                pres,
                Some("sip:dd@example.org;gr=urn:uuid:1"),
                Some("sip:dora@example.com"),
            ),
            (
                pres,
                Some("sip:dd@example.org;GR"),
                Some("sip:dora@example.com"),
            ),
            (
                pres,
                Some("sip:dd@192.0.2.7:5062"),
                Some("sip:dora@example.com"),
            ),
            (
                pres,
                Some("sip:dd@192.0.2.7."),
                Some("sip:dora@example.com"),
            ),
            (
                pres,
                Some("sip:dd@[2001:db8::1]"),
                Some("sip:dora@example.com"),
            ),
            (pres, Some("sip:example.org"), Some("sip:dora@example.com")),
            (pres, Some("tel:+15550100"), Some("sip:dora@example.com")),
            (pres, Some(""), Some("sip:dora@example.com")),
            (pres, Some("sip:@"), Some("sip:dora@example.com")),
            (
                "sips:Dora@Example.com;x=y",
                None,
                Some("sips:Dora@example.com"),
            ),
            (
                "PRES:d%6Fra%3b@Example.com?subject=x",
                None,
                Some("sip:dora;@example.com"),
            ),
            ("xmpp:dora@example.com", Some("tel:+15550100"), None),
            ("dora", None, None),
        ] {
            let expected: Vec<String> = uri.map(|uri| format!("S {uri}")).into_iter().collect();
            let found = asked(entity, contact, &["<certs/>"]);
            assert_eq!(found, expected, "{entity} {contact:?}");
        }
    }

    #[test]
    fn many_stanzas_and_devices_take_one_pass() {
        let mut tuple = Tuple::open("t");
        let mut document = Presence::new("sip:dora@example.com");
        for n in 0..5_000 {
            let id = DeviceId::new(format!("urn:uuid:{n}")).unwrap();
            tuple.add(&id).unwrap();
            let source = format!("sip:d{n}@example.com");
            let certs = Certs::new().with_source(source).to_element().unwrap();
            tuple = tuple.with_extension(certs);
            document = document.with_device(Device::new(format!("d{n}"), id));
        }
        assert_eq!(document.certificate_sources(&tuple).len(), 5_000);
    }
}
