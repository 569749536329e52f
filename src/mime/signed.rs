//! `multipart/signed` (RFC 1847 section 2.1): a part, and a signature over it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::{MimeError, Part, Signature, delimiter};
use crate::engine::Entropy;
use crate::sip::MediaType;

/// The media type of a part with a signature beside it.
pub const MULTIPART_SIGNED: &str = "multipart/signed";

/// What `multipart/signed` carries, as it came: the octets that are signed, and the signature.
///
/// Nothing of it has been verified; that is for a [`Verify`](super::Verify). A clone shares the
/// octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    content: Bytes,
    signature: Part,
    protocol: Arc<str>,
    micalg: Option<Arc<str>>,
}

/// A body to send, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The value of Content-Type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Signed {
    /// Reads the body of a message whose Content-Type has this value.
    ///
    /// What precedes the first delimiter and follows the closing one is passed over, as are spaces
    /// and tabs at the end of a delimiter. The line break before a delimiter belongs to it. A line
    /// that only begins like a delimiter is content, and so are those of a multipart within. What
    /// the first part holds is not looked at. The time it takes is linear in the octets of the body.
    ///
    /// The types of a PKCS #7 signature with and without `x-` count as one.
    ///
    /// # Errors
    /// - [`MimeError::MediaType`], [`MimeError::NotSigned`], [`MimeError::MissingParameter`] without
    ///   `boundary` or `protocol`, [`MimeError::RepeatedParameter`], [`MimeError::Boundary`] for the
    ///   Content-Type. A missing `micalg` is tolerated, since it protects nothing;
    /// - [`MimeError::NoDelimiter`], [`MimeError::Unclosed`], [`MimeError::Parts`] for the body;
    /// - what [`Part::read`] refuses, and [`MimeError::Protocol`], for the second part.
    pub fn read(content_type: &str, body: &Bytes) -> Result<Self, MimeError> {
        let media = MediaType::parse(content_type)?;
        if !media.essence_eq(MULTIPART_SIGNED) {
            return Err(MimeError::NotSigned);
        }
        let required = |name| single(&media, name)?.ok_or(MimeError::MissingParameter { name });
        let boundary = required("boundary")?;
        let protocol = required("protocol")?;
        let micalg = single(&media, "micalg")?;
        if !delimiter::is_boundary(&boundary) {
            return Err(MimeError::Boundary);
        }
        let [content, signature] = delimiter::parts::<2>(body, &boundary)?
            .map(|range| body.get(range).map(|octets| body.slice_ref(octets)))
            .map(Option::unwrap_or_default);
        let signature = Part::read(&signature)?;
        let type_ = signature.content_type().unwrap_or_default();
        if !same_protocol(essence(type_), &protocol) {
            return Err(MimeError::Protocol);
        }
        Ok(Self {
            content,
            signature,
            protocol: protocol.into(),
            micalg: micalg.map(Into::into),
        })
    }

    /// Writes `content`, which is a whole entity (see [`Part::octets`]), with a signature over it.
    ///
    /// The content goes out as it is, whatever octets it has, and reads back as such. The signature
    /// is not encoded for transfer; SIP carries binary bodies (RFC 3261 section 7.4). A recipient
    /// has to handle it (section 23.3). The boundary is made of 16 octets of entropy and occurs in
    /// neither.
    pub fn write(content: &[u8], signature: &Signature, entropy: &mut dyn Entropy) -> Written {
        let mut random = [0_u8; 16];
        entropy.fill(&mut random);
        let start = format!("{:032x}", u128::from_be_bytes(random));
        let boundary = delimiter::absent_from(start, [content, signature.octets()]);
        let (protocol, micalg) = (signature.protocol(), signature.micalg());
        let quote = if is_token(micalg) { "" } else { "\"" };
        let content_type = format!(
            "multipart/signed;protocol=\"{protocol}\";micalg={quote}{micalg}{quote};boundary={boundary}"
        );
        let open = format!("--{boundary}\r\n");
        let between = format!(
            "\r\n--{boundary}\r\nContent-Type: {protocol}\r\nContent-Transfer-Encoding: binary\r\n\
             Content-Disposition: attachment;handling=required\r\n\r\n"
        );
        let close = format!("\r\n--{boundary}--\r\n");
        let body = [
            open.as_bytes(),
            content,
            between.as_bytes(),
            signature.octets(),
            close.as_bytes(),
        ];
        Written {
            content_type,
            body: body.concat().into(),
        }
    }

    /// The octets that are signed: header and body of the first part, without the line break before
    /// the delimiter.
    pub fn content(&self) -> &Bytes {
        &self.content
    }

    /// The body of the second part as it stands, encoded as
    /// [`signature_encoding`](Self::signature_encoding) says.
    pub fn signature(&self) -> &Bytes {
        self.signature.body()
    }

    /// How the signature is encoded for transfer: the value of its Content-Transfer-Encoding, which
    /// compares without case. Without one it is as it is.
    pub fn signature_encoding(&self) -> Option<&str> {
        self.signature.transfer_encoding()
    }

    /// The media type of the signature as the `protocol` parameter has it; compares without case.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The `micalg` parameter: the names of the message digests that the sender says it used.
    pub fn micalg(&self) -> Option<&str> {
        self.micalg.as_deref()
    }

    /// Reads the part that is signed. What it says counts once the signature has been verified.
    ///
    /// # Errors
    /// Those of [`Part::read`].
    pub fn part(&self) -> Result<Part, MimeError> {
        Part::read(&self.content)
    }
}

/// The value of a parameter that may stand once: of several, readers would take different ones.
fn single<'a>(
    media: &MediaType<'a>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, MimeError> {
    let named = |(known, _): &(&str, _)| known.eq_ignore_ascii_case(name);
    if media.params.iter().filter(named).nth(1).is_some() {
        return Err(MimeError::RepeatedParameter { name });
    }
    Ok(media.param(name))
}

/// A media type without its parameters, which need not be well-formed: senders end them oddly.
fn essence(content_type: &str) -> &str {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim_matches([' ', '\t', '\r', '\n'])
}

fn same_protocol(one: &str, other: &str) -> bool {
    let is_pkcs7 = |name: &str| {
        [
            "application/pkcs7-signature",
            "application/x-pkcs7-signature",
        ]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
    };
    one.eq_ignore_ascii_case(other) || (is_pkcs7(one) && is_pkcs7(other))
}

/// Whether a value needs no quotes (RFC 3261 section 25.1).
fn is_token(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/signed;protocol=\"application/pkcs7-signature\";\
        micalg=sha-256;boundary=b";
    const BODY: &str = "--b\r\nContent-Type: text/plain\r\n\r\nhere\r\n--b\r\n\
        Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n";

    fn read(content_type: &str, body: &str) -> Result<Signed, MimeError> {
        Signed::read(content_type, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn content_and_signature_are_found() {
        let signed = read(TYPE, BODY).unwrap();
        assert_eq!(signed.content(), "Content-Type: text/plain\r\n\r\nhere");
        assert_eq!(signed.signature(), "AAAA");
        assert_eq!(signed.signature_encoding(), Some("base64"));
        assert_eq!(signed.protocol(), "application/pkcs7-signature");
        assert_eq!(signed.micalg(), Some("sha-256"));
        assert_eq!(signed.part().unwrap().body(), "here");
        assert_eq!(signed.clone(), signed);
    }

    #[test]
    fn a_content_type_is_read_in_every_form() {
        let protocol = "protocol=\"APPLICATION/x-pkcs7-signature\"";
        for (text, micalg) in [
            (
                format!("Multipart/SIGNED; {protocol}; boundary=\"b\""),
                None,
            ),
            (
                format!("multipart/signed;boundary=b;x=y;{protocol};micalg=\"md5,x\""),
                Some("md5,x"),
            ),
            (
                format!("multipart/signed;\r\n {protocol};\r\n\tmicalg=own; boundary=b"),
                Some("own"),
            ),
        ] {
            assert_eq!(read(&text, BODY).unwrap().micalg(), micalg, "{text:?}");
        }
        let spaced = TYPE.replace("boundary=b", "boundary=\"b: b\"");
        assert!(read(&spaced, &BODY.replace("--b", "--b: b")).is_ok());
    }

    #[test]
    fn a_content_type_that_will_not_do_is_refused() {
        let missing = |name| MimeError::MissingParameter { name };
        let repeated = |name| MimeError::RepeatedParameter { name };
        let long = format!("boundary={}", "b".repeat(71));
        for (from, to, error) in [
            ("multipart/signed", "multipart/mixed", MimeError::NotSigned),
            (";boundary=b", "", missing("boundary")),
            (
                ";protocol=\"application/pkcs7-signature\"",
                "",
                missing("protocol"),
            ),
            ("micalg=sha-256", "Boundary=c", repeated("boundary")),
            ("micalg=sha-256", "PROTOCOL=c", repeated("protocol")),
            ("micalg", "micalg=a;micalg", repeated("micalg")),
            ("boundary=b", "boundary=\"\"", MimeError::Boundary),
            ("boundary=b", "boundary=\"b \"", MimeError::Boundary),
            ("boundary=b", "boundary=\"b*\"", MimeError::Boundary),
            ("boundary=b", &long, MimeError::Boundary),
        ] {
            assert_eq!(read(&TYPE.replace(from, to), BODY), Err(error), "{to:?}");
        }
        for bad in [
            "",
            "multipart",
            "multipart/signed;boundary",
            "multipart/signed;boundary=a b",
        ] {
            assert!(
                matches!(read(bad, BODY), Err(MimeError::MediaType(_))),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_second_part_is_of_the_protocol() {
        let name = "application/pkcs7-signature; name=smime.p7s";
        for good in [
            "Application/Pkcs7-Signature",
            "application/x-pkcs7-signature",
            "application/pkcs7-signature\r\n ;",
            "application/pkcs7-signature; name=smime.p7s;",
        ] {
            assert!(read(TYPE, &BODY.replace(name, good)).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "application/pgp-signature",
            "application/pkcs7-signature2",
            "text/plain",
        ] {
            let read = read(TYPE, &BODY.replace(name, bad));
            assert_eq!(read, Err(MimeError::Protocol), "{bad:?}");
        }
        let without = BODY.replace("Content-Type: application", "X: application");
        assert_eq!(read(TYPE, &without), Err(MimeError::Protocol));
        let broken = BODY.replace("Content-Transfer-Encoding", "\u{e4}");
        assert!(matches!(read(TYPE, &broken), Err(MimeError::Header { .. })));
        // The first may be anything.
        let odd = BODY.replace("Content-Type: text/plain\r\n\r\n", "\u{e4}");
        let signed = read(TYPE, &odd).unwrap();
        assert_eq!(signed.content(), "\u{e4}here");
        assert!(signed.part().is_err());
    }

    #[test]
    fn what_is_written_is_as_the_standards_have_it() {
        let mut entropy = |buffer: &mut [u8]| buffer.fill(0xab);
        let signature = Signature::new("application/pkcs7-signature", "sha-256", &b"\0\n"[..]);
        let mut signature = signature.unwrap();
        let written = Signed::write(b"\r\nhere", &signature, &mut entropy);
        let boundary = "ab".repeat(16);
        assert_eq!(
            written.content_type,
            TYPE.replace("boundary=b", &format!("boundary={boundary}"))
        );
        assert_eq!(
            written.body,
            format!(
                "--{boundary}\r\n\r\nhere\r\n--{boundary}\r\n\
                 Content-Type: application/pkcs7-signature\r\n\
                 Content-Transfer-Encoding: binary\r\n\
                 Content-Disposition: attachment;handling=required\r\n\r\n\0\n\r\n--{boundary}--\r\n"
            )
        );
        signature = Signature::new(signature.protocol(), "sha-1, md5", Bytes::new()).unwrap();
        let written = Signed::write(b"", &signature, &mut entropy);
        assert!(written.content_type.contains(";micalg=\"sha-1, md5\";"));
        let signed = Signed::read(&written.content_type, &written.body).unwrap();
        assert_eq!(signed.micalg(), Some("sha-1, md5"));
        assert!(signed.content().is_empty() && signed.signature().is_empty());
    }

    #[test]
    fn a_boundary_that_occurs_is_made_longer() {
        let mut entropy = |buffer: &mut [u8]| buffer.fill(0);
        let zeros = "0".repeat(32);
        let content = format!("\r\n--{zeros}\r\n--{zeros}--\r\n");
        let octets = Bytes::from(format!("\r\n--{zeros}0--"));
        let signature = Signature::new("a/b", "c", octets.clone()).unwrap();
        let written = Signed::write(content.as_bytes(), &signature, &mut entropy);
        let signed = Signed::read(&written.content_type, &written.body).unwrap();
        assert_eq!(signed.content(), content.as_bytes());
        assert_eq!(signed.signature(), &octets);
    }
}
