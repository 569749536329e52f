//! CMS (RFC 5652) taken apart as far as is needed to ask OpenSSL about each signature alone, and to know
//! that there is not too much of anything.
//!
//! The structures are read by the `der` crate, whose sets would sort what they read, in quadratic time;
//! so sets are walked here, and what is within stays as it came.

use std::borrow::Cow;

use openssl::cms::CmsContentInfo;
use openssl::error::ErrorStack;
use time::OffsetDateTime;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef};
use x509_cert::der::{
    self, Decode, Encode, ErrorKind, Reader, SliceReader, Tag, TagNumber, Tagged,
};
use x509_cert::time::Time;

/// Signatures that one body may have.
pub const MAX_SIGNERS: usize = 8;
/// Certificates that may come with a signature, in a bundle, or beside a certificate.
pub const MAX_CERTIFICATES: usize = 64;

/// Recipients that an encrypted body may have.
const MAX_RECIPIENTS: usize = 1024;
/// Octets of CMS that is not in DER.
const MAX_BER_LEN: usize = 256 * 1024;

pub(super) const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");
const AUTH_ENVELOPED_DATA: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.23");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// The digests that signatures may use, and their names in `micalg` (RFC 8551 section 3.5.3.2).
const DIGESTS: &[(ObjectIdentifier, &str)] = &[
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        "sha-256",
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        "sha-384",
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        "sha-512",
    ),
];

/// The algorithms of signatures: RSA with the digest named elsewhere, with SHA-256, 384 and 512, and
/// PSS; ECDSA with SHA-256, 384 and 512.
const SIGNATURES: &[ObjectIdentifier] = &[
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"),
];

/// A context-specific, constructed tag.
const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

/// CMS in DER of a kind that `check` knows, rewritten if it came in BER; or why it is none.
pub(super) fn in_der(
    octets: &[u8],
    max_len: usize,
    check: impl Fn(&[u8]) -> Result<(), Unreadable>,
) -> Result<Cow<'_, [u8]>, String> {
    if octets.len() > max_len {
        return Err(format!("more than {max_len} octets"));
    }
    match check(octets) {
        Ok(()) => return Ok(Cow::Borrowed(octets)),
        // OpenSSL reads all that it finds, which takes its time with thousands of certificates.
        Err(Unreadable::Malformed(_)) if octets.len() <= MAX_BER_LEN => {}
        Err(error) => return Err(error.into()),
    }
    let failed = |stack: ErrorStack| super::reason(&stack);
    let info = CmsContentInfo::from_der(octets).map_err(failed)?;
    // Of indefinite length, it has all of its octets exactly if the last one cannot be missed.
    let shorter = octets.split_last().map_or(octets, |(_, rest)| rest);
    if CmsContentInfo::from_der(shorter).is_ok() {
        return Err("octets follow it".to_owned());
    }
    let der = info.to_der().map_err(failed)?;
    check(&der)?;
    Ok(Cow::Owned(der))
}

/// Whether it is encrypted for recipients (RFC 5652 section 6, RFC 5083), and of a size to work with.
pub(super) fn check_enveloped(octets: &[u8]) -> Result<(), Unreadable> {
    let (kind, content) = content_info(octets)?;
    if ![ENVELOPED_DATA, AUTH_ENVELOPED_DATA].contains(&kind) {
        return Err(Unreadable::Malformed("it is no enveloped data".to_owned()));
    }
    let mut reader = SliceReader::new(within(content, Tag::Sequence)?)?;
    let _version: AnyRef<'_> = reader.decode()?;
    let mut next: AnyRef<'_> = reader.decode()?;
    if next.tag() == constructed(0) {
        for set in elements(next.value(), 2, "sets of an originator")? {
            let set = AnyRef::from_der(set)?;
            elements(set.value(), MAX_CERTIFICATES, "certificates")?;
        }
        next = reader.decode()?;
    }
    elements(within(next, Tag::Set)?, MAX_RECIPIENTS, "recipients")?;
    Ok(())
}

/// Signed data, whose octets are elsewhere.
#[derive(Debug)]
pub(super) struct SignedData<'a> {
    /// In DER, each of them.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signers: Vec<SignerInfo<'a>>,
    pub(super) content_type: ObjectIdentifier,
    pub(super) content: Option<&'a [u8]>,
}

#[derive(Debug)]
pub(super) struct SignerInfo<'a> {
    octets: &'a [u8],
    digest_algorithm: &'a [u8],
    pub(super) id: SignerId,
    digest: ObjectIdentifier,
    signature: ObjectIdentifier,
    pub(super) signing_time: Option<OffsetDateTime>,
}

/// What certificates are looked up by; whether one is really named is for OpenSSL to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SignerId {
    /// The octets of a serial number, without leading zeros.
    Serial(Vec<u8>),
    KeyIdentifier(Vec<u8>),
}

/// Why CMS cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unreadable {
    /// Something else, or nothing that can be read.
    Malformed(String),
    Excess(&'static str, usize),
}

impl From<der::Error> for Unreadable {
    fn from(error: der::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<Unreadable> for String {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Malformed(reason) => reason,
            Unreadable::Excess(what, most) => format!("more than {most} {what}"),
        }
    }
}

impl<'a> SignedData<'a> {
    /// Whether it can be read.
    pub(super) fn check(octets: &[u8]) -> Result<(), Unreadable> {
        SignedData::read(octets).map(drop)
    }

    /// Reads signed data in DER.
    pub(super) fn read(octets: &'a [u8]) -> Result<Self, Unreadable> {
        let (kind, content) = content_info(octets)?;
        if kind != SIGNED_DATA {
            return Err(Unreadable::Malformed("it is no signed data".to_owned()));
        }
        let mut reader = SliceReader::new(within(content, Tag::Sequence)?)?;
        let _version: AnyRef<'a> = reader.decode()?;
        let _digests = within(reader.decode()?, Tag::Set)?;
        let (content_type, content) = encapsulated(reader.decode()?)?;
        let mut certificates = Vec::new();
        let mut next: AnyRef<'a> = reader.decode()?;
        if next.tag() == constructed(0) {
            for certificate in elements(next.value(), MAX_CERTIFICATES, "certificates")? {
                // Of the other kinds none is in use (RFC 5652 section 10.2.2).
                if AnyRef::from_der(certificate)?.tag() == Tag::Sequence {
                    certificates.push(certificate);
                }
            }
            next = reader.decode()?;
        }
        if next.tag() == constructed(1) {
            next = reader.decode()?;
        }
        reader.finish()?;
        let signers = elements(within(next, Tag::Set)?, MAX_SIGNERS, "signers")?
            .into_iter()
            .map(SignerInfo::read)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            certificates,
            signers,
            content_type,
            content,
        })
    }
}

impl<'a> SignerInfo<'a> {
    fn read(octets: &'a [u8]) -> Result<Self, Unreadable> {
        let mut reader = SliceReader::new(within(AnyRef::from_der(octets)?, Tag::Sequence)?)?;
        let _version: AnyRef<'a> = reader.decode()?;
        let id = SignerId::read(reader.decode()?)?;
        let digest_algorithm = reader.tlv_bytes()?;
        let mut signing_time = None;
        let mut next = reader.tlv_bytes()?;
        let attributes = AnyRef::from_der(next)?;
        if attributes.tag() == constructed(0) {
            signing_time = time_among(attributes.value())?;
            next = reader.tlv_bytes()?;
        }
        Ok(Self {
            octets,
            digest_algorithm,
            id,
            digest: algorithm(digest_algorithm)?,
            signature: algorithm(next)?,
            signing_time,
        })
    }

    /// The name of the digest in `micalg`, if both it and the algorithm may be used.
    pub(super) fn digest_name(&self) -> Option<&'static str> {
        let known = DIGESTS.iter().find(|(known, _)| *known == self.digest);
        let (_, name) = known?;
        SIGNATURES.contains(&self.signature).then_some(name)
    }

    /// Signed data with this signature alone, beside its content and without certificates.
    pub(super) fn alone(&self, content_type: ObjectIdentifier) -> der::Result<Vec<u8>> {
        let wrapped = |tag, octets: &[u8]| AnyRef::new(tag, octets)?.to_der();
        let signed = [
            // For identifiers of either kind (RFC 5652 section 5.1).
            3_u8.to_der()?,
            wrapped(Tag::Set, self.digest_algorithm)?,
            wrapped(Tag::Sequence, &content_type.to_der()?)?,
            wrapped(Tag::Set, self.octets)?,
        ];
        let signed = wrapped(Tag::Sequence, &signed.concat())?;
        let info = [SIGNED_DATA.to_der()?, wrapped(constructed(0), &signed)?];
        wrapped(Tag::Sequence, &info.concat())
    }
}

impl SignerId {
    fn read(id: AnyRef<'_>) -> der::Result<Self> {
        let key = Tag::ContextSpecific {
            constructed: false,
            number: TagNumber(0),
        };
        if id.tag() == key {
            return Ok(Self::KeyIdentifier(id.value().to_vec()));
        }
        let mut reader = SliceReader::new(within(id, Tag::Sequence)?)?;
        let _issuer: AnyRef<'_> = reader.decode()?;
        let serial: UintRef<'_> = reader.decode()?;
        reader.finish()?;
        Ok(Self::serial(serial.as_bytes()))
    }

    pub(super) fn serial(octets: &[u8]) -> Self {
        let significant = octets.iter().skip_while(|octet| **octet == 0);
        Self::Serial(significant.copied().collect())
    }
}

/// Which content it is (RFC 5652 section 3), and the content.
fn content_info(octets: &[u8]) -> der::Result<(ObjectIdentifier, AnyRef<'_>)> {
    let mut reader = SliceReader::new(within(AnyRef::from_der(octets)?, Tag::Sequence)?)?;
    let kind = reader.decode()?;
    let content = within(reader.decode()?, constructed(0))?;
    reader.finish()?;
    Ok((kind, AnyRef::from_der(content)?))
}

fn encapsulated(info: AnyRef<'_>) -> der::Result<(ObjectIdentifier, Option<&[u8]>)> {
    let mut reader = SliceReader::new(within(info, Tag::Sequence)?)?;
    let kind = reader.decode()?;
    if reader.is_finished() {
        return Ok((kind, None));
    }
    let content = within(reader.decode()?, constructed(0))?;
    reader.finish()?;
    Ok((kind, Some(<&OctetStringRef>::from_der(content)?.as_bytes())))
}

fn algorithm(octets: &[u8]) -> der::Result<ObjectIdentifier> {
    SliceReader::new(within(AnyRef::from_der(octets)?, Tag::Sequence)?)?.decode()
}

/// The time of signing among signed attributes, if there is just one (RFC 5652 section 11.3).
fn time_among(attributes: &[u8]) -> der::Result<Option<OffsetDateTime>> {
    let mut reader = SliceReader::new(attributes)?;
    let mut found = None;
    while !reader.is_finished() {
        let mut attribute = SliceReader::new(within(reader.decode()?, Tag::Sequence)?)?;
        let kind: ObjectIdentifier = attribute.decode()?;
        if kind != SIGNING_TIME {
            continue;
        }
        if found.is_some() {
            return Err(ErrorKind::Failed.into());
        }
        found = Some(Time::from_der(within(attribute.decode()?, Tag::Set)?)?);
    }
    let seconds = found.and_then(|time| i64::try_from(time.to_unix_duration().as_secs()).ok());
    Ok(seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()))
}

fn within(any: AnyRef<'_>, tag: Tag) -> der::Result<&[u8]> {
    any.tag().assert_eq(tag)?;
    Ok(any.value())
}

/// The elements of a set, up to so many.
fn elements<'a>(
    octets: &'a [u8],
    most: usize,
    what: &'static str,
) -> Result<Vec<&'a [u8]>, Unreadable> {
    let mut reader = SliceReader::new(octets)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        if found.len() >= most {
            return Err(Unreadable::Excess(what, most));
        }
        found.push(reader.tlv_bytes()?);
    }
    Ok(found)
}
