//! Signed data as OpenSSL would not write it: put together from the parts of others.

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};

pub(crate) const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

pub(crate) fn wrapped(tag: Tag, octets: &[u8]) -> Vec<u8> {
    AnyRef::new(tag, octets).unwrap().to_der().unwrap()
}

pub(crate) fn elements(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = SliceReader::new(octets).unwrap();
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(reader.tlv_bytes().unwrap().to_vec());
    }
    found
}

pub(crate) fn within(octets: &[u8]) -> &[u8] {
    AnyRef::from_der(octets).unwrap().value()
}

/// What signed data consists of.
#[derive(Debug, Clone)]
pub(crate) struct Pieces {
    pub(crate) version: Vec<u8>,
    pub(crate) digests: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) signers: Vec<Vec<u8>>,
}

impl Pieces {
    pub(crate) fn of(octets: &[u8]) -> Self {
        let info = elements(within(octets));
        let mut parts = elements(within(within(&info[1]))).into_iter();
        let (version, digests) = (parts.next().unwrap(), parts.next().unwrap());
        let content = parts.next().unwrap();
        let mut next = parts.next().unwrap();
        let mut certificates = Vec::new();
        if AnyRef::from_der(&next).unwrap().tag() == constructed(0) {
            certificates = elements(within(&next));
            next = parts.next().unwrap();
        }
        Self {
            version,
            digests,
            content,
            certificates,
            signers: elements(within(&next)),
        }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut signed = [&self.version[..], &self.digests, &self.content].concat();
        if !self.certificates.is_empty() {
            signed.extend(wrapped(constructed(0), &self.certificates.concat()));
        }
        signed.extend(wrapped(Tag::Set, &self.signers.concat()));
        let signed = wrapped(constructed(0), &wrapped(Tag::Sequence, &signed));
        let kind = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
        let info = [kind.to_der().unwrap(), signed].concat();
        wrapped(Tag::Sequence, &info)
    }
}
