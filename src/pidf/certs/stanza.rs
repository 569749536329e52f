//! The stanza itself.

use super::is_certs;
use crate::pidf::extension::{Extension, ValueError};
use crate::pidf::must_understand::Understood;
use crate::pidf::written::Written;
use crate::sip::Uri;
use crate::xml::{Attributes, Element, Name, excerpt, namespace, trim};

const SRC: &str = "src";

/// The stanza `certs`: signalling can be secured by S/MIME.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Certs {
    /// Where the certificate is (`src`): a URI of scheme sip or sips, to subscribe to, http or
    /// https, to fetch from. Without it the presentity's address of record is to be asked. Writing
    /// refuses others; a stanza with one is not read.
    pub source: Option<String>,
    /// Elements of other namespaces, in their order; writing refuses others.
    pub extensions: Vec<Element>,
    /// Attributes of other namespaces; writing refuses others.
    pub attributes: Attributes,
    written: Written,
}

/// Why a stanza is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertsFault {
    /// Its `src` does not begin with a scheme.
    #[error("expected a URI with its scheme as src of certs, found {src:?}")]
    Relative {
        /// What is there, shortened.
        src: String,
    },
    /// Its `src` has another scheme than sip, sips, http and https.
    #[error("expected a sip, sips, http or https URI as src of certs, found {src:?}")]
    Scheme {
        /// What is there, shortened.
        src: String,
    },
    /// Its `src` is not by the grammar of its scheme.
    #[error("src of certs is malformed: {src:?}")]
    Malformed {
        /// What is there, shortened.
        src: String,
    },
    /// Something in it or around it has to be understood and is not (RFC 3863, 4.2.3).
    #[error("something with certs has to be understood and is not")]
    NotUnderstood,
}

impl Certs {
    /// The certificate is had from the presentity's address of record.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the place where the certificate is.
    #[must_use]
    pub fn with_source(mut self, uri: impl Into<String>) -> Self {
        self.source = Some(uri.into());
        self
    }

    /// Reads a stanza.
    ///
    /// # Errors
    ///
    /// It is of no use and to be ignored as a whole.
    pub fn parse(element: &Element) -> Result<Self, CertsFault> {
        if !Understood::may_use_by(element, &Self::understands) {
            return Err(CertsFault::NotUnderstood);
        }
        let source = element.attribute(SRC).map(trim);
        if let Some(source) = source {
            check_source(source)?;
        }
        let is_foreign = |namespace: &str| !namespace.is_empty() && !is_certs(namespace);
        let attributes = element.attributes.iter();
        let extensions = element.elements();
        Ok(Self {
            source: source.map(str::to_owned),
            extensions: extensions
                .filter(|child| is_foreign(child.namespace()))
                .cloned()
                .collect(),
            attributes: attributes
                .filter(|attribute| is_foreign(attribute.name.namespace()))
                .cloned()
                .collect(),
            written: Written::of(element),
        })
    }
}

/// What may say where a certificate is. Case of the scheme does not matter (RFC 3986, 3.1).
pub(in crate::pidf) fn check_source(src: &str) -> Result<(), CertsFault> {
    let shortened = || excerpt(src);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    };
    let Some((scheme, rest)) = src.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err(CertsFault::Relative { src: shortened() });
    };
    let is = |known: &str| scheme.eq_ignore_ascii_case(known);
    let is_web = is("http") || is("https");
    if !is_web && !is("sip") && !is("sips") {
        return Err(CertsFault::Scheme { src: shortened() });
    }
    // The parser of URLs would do without the slashes.
    if Uri::parse(src).is_err() || (is_web && !rest.starts_with("//")) {
        return Err(CertsFault::Malformed { src: shortened() });
    }
    Ok(())
}

impl Certs {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let check = |name: &Name| {
            if name.namespace().is_empty() || is_certs(name.namespace()) {
                let expected = "a name of another namespace";
                return Err(ValueError::new("certs", &name.to_string(), expected));
            }
            Ok(())
        };
        let mut element = Self::empty_element();
        if let Some(source) = &self.source {
            if check_source(source).is_err() {
                let expected = "an absolute sip, sips, http or https URI";
                return Err(ValueError::new("src", source, expected));
            }
            element = element.with_attribute(SRC, source.as_str());
        }
        for attribute in &self.attributes {
            check(&attribute.name)?;
            let name = attribute.name.clone();
            element.attributes.set(name, attribute.value.as_str());
        }
        for extension in &self.extensions {
            check(extension.name())?;
            element.push_child(extension.clone());
        }
        Ok(element)
    }
}

impl Extension for Certs {
    const NAMESPACE: &'static str = namespace::CERTS;
    const LOCAL: &'static str = "certs";

    fn read(element: &Element) -> Option<Self> {
        Self::parse(element).ok()
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }

    fn understands(namespace: &str, local: &str) -> bool {
        is_certs(namespace) && local == Self::LOCAL
    }

    fn is_named(element: &Element) -> bool {
        is_certs(element.namespace()) && element.local() == Self::LOCAL
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::element;
    use super::*;
    use crate::pidf::Tuple;
    use crate::pidf::caps::Servcaps;

    // CERT-04, CERT-05, CERT-06
    #[test]
    fn a_source_is_an_absolute_uri_of_four_schemes() {
        for good in [
            "sip:dora@example.com",
            "SIPS:dora@example.com;gr=urn:uuid:0f6a",
            "sip:example.com",
            "https://example.com/dora.cer",
            "HTTP://example.com:8080/?of=dora",
            " https://example.com/ ",
        ] {
            let read = Certs::parse(&element("<certs/>").with_attribute("src", good)).unwrap();
            assert_eq!(read.source.as_deref(), Some(good.trim()));
            let again = read.to_element().unwrap();
            assert_eq!(Certs::read(&again), Some(read));
        }
        let relative = |src: String| CertsFault::Relative { src };
        let scheme = |src: String| CertsFault::Scheme { src };
        let malformed = |src: String| CertsFault::Malformed { src };
        for (bad, fault) in [
            ("", &relative as &dyn Fn(String) -> CertsFault),
            ("dora.cer", &relative),
            ("/dora.cer", &relative),
            ("//example.com/a:b", &relative),
            ("example.com/a:b", &relative),
            (":sip", &relative),
            ("mailto:dora@example.com", &scheme),
            ("pres:dora@example.com", &scheme),
            ("tel:+15550100", &scheme),
            ("javascript:alert(1)", &scheme),
            ("ftp://example.com/", &scheme),
            ("httpss://example.com/", &scheme),
            ("sip:", &malformed),
            ("sip:dora@", &malformed),
            ("sip:do ra@example.com", &malformed),
            ("sip:dora@example.com\r\nVia: x", &malformed),
            ("https:example.com", &malformed),
            ("https://", &malformed),
            ("http://exa mple.com/", &malformed),
        ] {
            let read = Certs::parse(&element("<certs/>").with_attribute("src", bad));
            assert_eq!(read, Err(fault(bad.to_owned())));
            let refused = Certs::new().with_source(bad).to_element().unwrap_err();
            assert_eq!(refused.element, "src");
        }
    }

    // CERT-11, CERT-12, CERT-14
    #[test]
    fn both_namespaces_are_read_and_unknown_content_is_ignored() {
        for document in [
            "<certs a='1' x:b='2'>text<x:y/><unknown/><c xmlns=''/></certs>",
            "<g:certs a='1' x:b='2'><x:y/><g:unknown g:a='1'/></g:certs>",
        ] {
            let element = element(document);
            assert!(Certs::is_named(&element));
            let read = Certs::parse(&element).unwrap();
            let mut expected = Certs::new();
            expected.extensions = vec![Element::new("urn:example:x", "y")];
            expected
                .attributes
                .set(Name::new("urn:example:x", "b"), "2");
            assert_eq!(read, expected);
            let written = read.to_element().unwrap();
            assert_eq!(written.namespace(), namespace::CERTS);
            assert_eq!(Certs::read(&written), Some(read));
        }
        assert!(!Certs::is_named(&element("<other/>")));
        assert!(!Certs::is_named(&Element::new("urn:example:x", "certs")));
        let mut own = Certs::new();
        own.attributes.set(Name::new("", "a"), "1");
        assert!(own.to_element().is_err());
        let mut own = Certs::new();
        own.extensions = vec![Element::new(namespace::CERTS, "y")];
        assert!(own.to_element().is_err());
    }

    // CERT-01: as the last child of servcaps
    #[test]
    fn stanzas_are_written_behind_all_capabilities() {
        let caps = Servcaps::new()
            .with_certs(Certs::new().with_source("sip:dora@example.com"))
            .with_certs(Certs::new())
            .with_video(true)
            .with_extension(Element::new("urn:example:x", "y"));
        let element = caps.to_element().unwrap();
        let names: Vec<&str> = element.elements().map(Element::local).collect();
        assert_eq!(names, ["video", "y", "certs", "certs"]);
        let tuple = Tuple::open("t").with(&caps).unwrap();
        assert_eq!(tuple.certs().collect::<Vec<_>>(), caps.certs);
        assert_eq!(tuple.get::<Servcaps>(), Some(caps));
    }
}
