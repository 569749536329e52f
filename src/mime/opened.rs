//! From a protected body to what it has within.

use bytes::Bytes;

use super::{
    Decrypt, DecryptError, MULTIPART_SIGNED, MimeError, PKCS7_MIME, Part, Signed, Signer, Verify,
    VerifyError,
};
use crate::sip::MediaType;

/// Layers of protection that a body may have: signed, encrypted, and signed again (RFC 8551 section
/// 3.7).
const MAX_LAYERS: usize = 3;

/// The type of what has none (RFC 2045 section 5.2).
const PLAIN_TEXT: &str = "text/plain;charset=us-ascii";

/// Opens bodies that are signed, encrypted or both, layer by layer.
///
/// It calls a [`Verify`] and a [`Decrypt`], whose work takes long: to be used where nobody waits.
///
/// ```
/// use bytes::Bytes;
/// use presentity::mime::{Opener, is_protected};
///
/// assert!(is_protected("application/pkcs7-mime;smime-type=enveloped-data"));
/// assert!(!is_protected("application/pidf+xml"));
/// // What is not protected is given back as it is.
/// let opened = Opener::new().open("text/plain", &Bytes::from("busy"))?;
/// assert_eq!(opened.body, "busy");
/// assert!(opened.signers.is_empty() && !opened.is_encrypted);
/// # Ok::<(), presentity::mime::OpenError>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Opener<'a> {
    verify: Option<&'a dyn Verify>,
    decrypt: Option<&'a dyn Decrypt>,
    left: &'a [&'a str],
}

impl core::fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opener")
            .field("verifies", &self.verify.is_some())
            .field("decrypts", &self.decrypt.is_some())
            .finish()
    }
}

/// What a protected body has within.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The type of the innermost entity.
    pub content_type: String,
    /// Its body.
    pub body: Bytes,
    /// Who signed it; nobody when it is not signed. A signature around an encrypted entity does not
    /// count: whoever made it need not know what is within.
    pub signers: Vec<Signer>,
    /// Whether it was encrypted.
    pub is_encrypted: bool,
}

impl Opened {
    /// A body that was opened by other means than an [`Opener`].
    pub fn new(content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            content_type: content_type.into(),
            body: body.into(),
            signers: Vec::new(),
            is_encrypted: false,
        }
    }
}

/// Why a body cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is encrypted, and not for a key that is here.
    #[error(transparent)]
    Decrypt(DecryptError),
    /// It is signed, and the signature does not count.
    #[error(transparent)]
    Signature(VerifyError),
    /// It is not the MIME entity that it should be.
    #[error(transparent)]
    Mime(#[from] MimeError),
    /// It was decrypted, and what is within cannot be opened. Nobody but this side is to learn of it: it
    /// may be what somebody made of another's message to find out what that says.
    #[error("what was encrypted cannot be opened: {0}")]
    Within(Box<OpenError>),
    /// It is a request that says something else than the one around it, which was altered on its way (RFC
    /// 3261 section 23.4.1).
    #[error("the request within has another {name} than the one around it")]
    Altered {
        /// The header field.
        name: String,
    },
    /// It is protected in a way that cannot be opened here.
    #[error("protected in a way that is not supported")]
    Unsupported,
    /// It has too many layers of protection.
    #[error("more than {MAX_LAYERS} layers of protection")]
    TooDeep,
}

impl OpenError {
    /// The status code for a request with such a body: 493 when it cannot be decrypted (RFC 3261 section
    /// 21.4.30), 415 when the way of protection is not supported, 403 for a wrong signature or an altered header, 400 for
    /// what cannot be read. What fails after decryption, for whatever reason, looks as if it had not been
    /// decrypted.
    pub fn status(&self) -> u16 {
        match self {
            Self::Decrypt(DecryptError::Unreadable(_)) | Self::Mime(_) | Self::TooDeep => 400,
            Self::Decrypt(DecryptError::Undecipherable | DecryptError::Unsupported)
            | Self::Within(_) => 493,
            Self::Signature(VerifyError::Protocol) | Self::Unsupported => 415,
            Self::Signature(VerifyError::Unreadable(_)) => 400,
            Self::Signature(VerifyError::Wrong | VerifyError::NoCertificate)
            | Self::Altered { .. } => 403,
        }
    }
}

/// How an entity is protected, by its type alone.
enum Layer {
    None,
    Signed,
    /// Signed, and shown to nobody who does not open it.
    Opaque,
    Enveloped,
    Other,
}

fn layer(content_type: &str) -> Result<Layer, MimeError> {
    let media = MediaType::parse(content_type)?;
    if media.essence_eq(MULTIPART_SIGNED) {
        return Ok(Layer::Signed);
    }
    // The second name is what many wrote before the first was registered.
    if !media.essence_eq(PKCS7_MIME) && !media.essence_eq("application/x-pkcs7-mime") {
        return Ok(Layer::None);
    }
    let kind = media.param("smime-type");
    let is = |name: &str| {
        let kind = kind.as_deref();
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(name))
    };
    Ok(match () {
        () if kind.is_none() || is("enveloped-data") || is("authEnveloped-data") => {
            Layer::Enveloped
        }
        () if is("signed-data") => Layer::Opaque,
        () => Layer::Other,
    })
}

/// Whether a body of this type is signed or encrypted, and is to be opened before it can be read.
pub fn is_protected(content_type: &str) -> bool {
    !matches!(layer(content_type), Ok(Layer::None) | Err(_))
}

impl<'a> Opener<'a> {
    /// An opener that can open nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With somebody who checks signatures.
    #[must_use]
    pub fn with_verify(mut self, verify: &'a dyn Verify) -> Self {
        self.verify = Some(verify);
        self
    }

    /// With somebody who has keys.
    #[must_use]
    pub fn with_decrypt(mut self, decrypt: &'a dyn Decrypt) -> Self {
        self.decrypt = Some(decrypt);
        self
    }

    /// Leaves what is of these types as it is, signed or not, where it stands within another entity.
    #[must_use]
    pub fn leaving(mut self, types: &'a [&'a str]) -> Self {
        self.left = types;
        self
    }

    /// Opens a body of this type.
    ///
    /// # Errors
    /// [`OpenError`]; nothing of what is within is to be used then.
    pub fn open(&self, content_type: &str, body: &Bytes) -> Result<Opened, OpenError> {
        let mut opened = Opened::new(content_type, body.clone());
        match self.open_layers(&mut opened) {
            Ok(()) => Ok(opened),
            Err(error) if opened.is_encrypted => Err(OpenError::Within(Box::new(error))),
            Err(error) => Err(error),
        }
    }

    fn open_layers(&self, opened: &mut Opened) -> Result<(), OpenError> {
        // Of an entity that stands within another, as it came.
        let mut within: Option<Part> = None;
        for _ in 0..=MAX_LAYERS {
            let layer = match layer(&opened.content_type)? {
                _ if within.is_some() && self.leaves(&opened.content_type) => Layer::None,
                layer => layer,
            };
            let content = match layer {
                Layer::None => {
                    if let Some(part) = within {
                        opened.body = part.plain_body()?.clone();
                    }
                    return Ok(());
                }
                Layer::Other => return Err(OpenError::Unsupported),
                Layer::Signed => {
                    let verify = self.verify.ok_or(OpenError::Unsupported)?;
                    let signed = Signed::read(&opened.content_type, &opened.body)?;
                    opened.signers = verify.verify(&signed).map_err(OpenError::Signature)?;
                    signed.content().clone()
                }
                Layer::Opaque => {
                    let verify = self.verify.ok_or(OpenError::Unsupported)?;
                    let part = entity(within.take(), opened)?;
                    let (content, signers) =
                        verify.verify_opaque(&part).map_err(OpenError::Signature)?;
                    opened.signers = signers;
                    content
                }
                Layer::Enveloped => {
                    let decrypt = self.decrypt.ok_or(OpenError::Unsupported)?;
                    let part = entity(within.take(), opened)?;
                    let content = decrypt.decrypt(&part).map_err(OpenError::Decrypt)?;
                    opened.signers = Vec::new();
                    opened.is_encrypted = true;
                    content
                }
            };
            let part = Part::read(&content)?;
            opened.content_type = part.content_type().unwrap_or(PLAIN_TEXT).to_owned();
            opened.body = part.body().clone();
            within = Some(part);
        }
        Err(OpenError::TooDeep)
    }

    fn leaves(&self, content_type: &str) -> bool {
        let media = MediaType::parse(content_type);
        media.is_ok_and(|media| self.left.iter().any(|left| media.essence_eq(left)))
    }
}

/// The entity as it came, or one around a body whose type stood in the message.
fn entity(within: Option<Part>, opened: &Opened) -> Result<Part, MimeError> {
    within.map_or_else(|| Part::new(&opened.content_type, &opened.body), Ok)
}

#[cfg(test)]
mod tests {
    use super::super::Chain;
    use super::*;

    /// Protects nothing, and calls everything by its name: a layer is the octets of another entity after
    /// a word that says how it went.
    struct Fake;

    fn opened(octets: &[u8]) -> Option<Bytes> {
        octets.strip_prefix(b"good:").map(Bytes::copy_from_slice)
    }

    fn somebody(name: &str) -> Vec<Signer> {
        vec![Signer::new([name], Chain::Trusted)]
    }

    impl Verify for Fake {
        fn verify(&self, signed: &Signed) -> Result<Vec<Signer>, VerifyError> {
            match &signed.signature()[..] {
                b"none" => Err(VerifyError::NoCertificate),
                b"odd" => Err(VerifyError::Unreadable(String::new())),
                b"wrong" => Err(VerifyError::Wrong),
                name => Ok(somebody(core::str::from_utf8(name).unwrap())),
            }
        }

        fn verify_opaque(&self, part: &Part) -> Result<(Bytes, Vec<Signer>), VerifyError> {
            let content = opened(part.plain_body().unwrap()).ok_or(VerifyError::Wrong)?;
            Ok((content, somebody("sip:opaque@example.com")))
        }
    }

    impl Decrypt for Fake {
        fn decrypt(&self, part: &Part) -> Result<Bytes, DecryptError> {
            if part.transfer_encoding() == Some("base64") {
                return Ok(Bytes::from("Content-Type: text/plain\r\n\r\nfrom base64"));
            }
            opened(part.body()).ok_or(DecryptError::Undecipherable)
        }
    }

    const ENVELOPED: &str = "application/pkcs7-mime;smime-type=enveloped-data";
    const OPAQUE: &str = "application/pkcs7-mime;smime-type=signed-data";
    const SIGNED: &str = "multipart/signed;protocol=\"a/b\";micalg=x;boundary=";

    fn entity(content_type: &str, body: &str) -> String {
        format!("Content-Type: {content_type}\r\n\r\n{body}")
    }

    /// A body with this entity signed by somebody, and its type.
    fn signed(name: &str, boundary: &str, within: &str) -> (String, String) {
        let body = format!(
            "--{boundary}\r\n{within}\r\n--{boundary}\r\nContent-Type: a/b\r\n\r\n{name}\r\n--{boundary}--\r\n"
        );
        (format!("{SIGNED}{boundary}"), body)
    }

    fn open(content_type: &str, body: &str) -> Result<Opened, OpenError> {
        let opener = Opener::new().with_verify(&Fake).with_decrypt(&Fake);
        opener.open(content_type, &Bytes::copy_from_slice(body.as_bytes()))
    }

    fn names(opened: &Opened) -> Vec<&str> {
        let names = opened.signers.iter().flat_map(Signer::names);
        names.map(String::as_str).collect()
    }

    const ANA: &str = "sip:ana@example.com";
    const BOB: &str = "sip:bob@example.com";

    #[test]
    fn layers_are_opened_from_without() {
        let plain = entity("text/html", "here");
        let (type_, body) = signed(ANA, "b", &plain);
        let opened = open(&type_, &body).unwrap();
        assert_eq!(names(&opened), [ANA]);
        assert_eq!(
            (&*opened.content_type, &opened.body[..]),
            ("text/html", &b"here"[..])
        );
        assert!(!opened.is_encrypted);

        let opened = open(ENVELOPED, &format!("good:{}", entity(&type_, &body))).unwrap();
        assert_eq!(names(&opened), [ANA]);
        assert!(opened.is_encrypted);
        assert_eq!(opened.body, "here");

        let opened = open(OPAQUE, &format!("good:{plain}")).unwrap();
        assert_eq!(names(&opened), ["sip:opaque@example.com"]);
        assert_eq!(opened.body, "here");
        // Without a type it is plain text, and without `smime-type` it is encrypted.
        let opened = open("application/x-pkcs7-mime", "good:\r\nhere").unwrap();
        assert_eq!(opened.content_type, PLAIN_TEXT);
        assert_eq!(opened.body, "here");
    }

    #[test]
    fn a_signature_around_an_envelope_is_nobodys_word_for_what_is_within() {
        let plain = entity("text/plain", "here");
        let envelope = entity(ENVELOPED, &format!("good:{plain}"));
        let (type_, body) = signed(ANA, "b", &envelope);
        let opened = open(&type_, &body).unwrap();
        assert!(opened.signers.is_empty() && opened.is_encrypted);
        // Three layers: who signed within counts.
        let (inner_type, inner) = signed(BOB, "c", &plain);
        let envelope = entity(ENVELOPED, &format!("good:{}", entity(&inner_type, &inner)));
        let (type_, body) = signed(ANA, "b", &envelope);
        let opened = open(&type_, &body).unwrap();
        assert_eq!(names(&opened), [BOB]);
        assert_eq!(opened.body, "here");
        // Around a signature alone, the inner one counts too: the outer one is by who passed it on.
        let (type_, body) = signed(ANA, "b", &entity(&inner_type, &inner));
        assert_eq!(names(&open(&type_, &body).unwrap()), [BOB]);
    }

    #[test]
    fn layers_are_bounded() {
        let wrapped = |layers: usize| {
            let mut within = entity("text/plain", "here");
            for _ in 1..layers {
                within = entity(OPAQUE, &format!("good:{within}"));
            }
            open(OPAQUE, &format!("good:{within}"))
        };
        assert!(wrapped(MAX_LAYERS).is_ok());
        for layers in [MAX_LAYERS + 1, MAX_LAYERS + 2, 100] {
            assert_eq!(wrapped(layers), Err(OpenError::TooDeep));
        }
        assert_eq!(OpenError::TooDeep.status(), 400);
    }

    #[test]
    fn the_encoding_of_an_inner_entity_is_left_to_who_opens_it() {
        let plain =
            "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA";
        let (type_, body) = signed(ANA, "b", plain);
        let opened = open(&type_, &body).unwrap();
        assert_eq!(opened.body, "from base64");
        // Nobody undoes it for what is not protected.
        let encoded = "Content-Transfer-Encoding: base64\r\n\r\nAAAA";
        let (type_, body) = signed(ANA, "b", encoded);
        assert!(matches!(
            open(&type_, &body),
            Err(OpenError::Mime(MimeError::Encoding { .. }))
        ));
    }

    #[test]
    fn each_failure_has_its_status() {
        let plain = entity("text/plain", "here");
        for (name, error, status) in [
            ("none", VerifyError::NoCertificate, 403),
            ("wrong", VerifyError::Wrong, 403),
            ("odd", VerifyError::Unreadable(String::new()), 400),
        ] {
            let (type_, body) = signed(name, "b", &plain);
            let found = open(&type_, &body).unwrap_err();
            assert_eq!(found, OpenError::Signature(error));
            assert_eq!(found.status(), status, "{name}");
        }
        let decrypt = |error| OpenError::Decrypt(error).status();
        assert_eq!(decrypt(DecryptError::Undecipherable), 493);
        assert_eq!(decrypt(DecryptError::Unsupported), 493);
        assert_eq!(decrypt(DecryptError::Unreadable(String::new())), 400);
        assert_eq!(OpenError::Signature(VerifyError::Protocol).status(), 415);
        for type_ in [
            "application/pkcs7-mime;smime-type=compressed-data",
            "application/pkcs7-mime;smime-type=certs-only",
        ] {
            let error = open(type_, "good:").unwrap_err();
            assert_eq!((error.status(), error), (415, OpenError::Unsupported));
        }
        for (type_, body) in [
            ("", ""),
            (&format!("{SIGNED}b"), "--"),
            (OPAQUE, "good:\u{e4}"),
        ] {
            assert_eq!(open(type_, body).unwrap_err().status(), 400, "{type_:?}");
        }
    }

    #[test]
    fn who_has_nothing_to_open_with_opens_nothing() {
        let (type_, body) = signed(ANA, "b", "\r\n");
        let body = Bytes::from(body);
        for (opener, type_) in [
            (Opener::new(), &*type_),
            (Opener::new().with_decrypt(&Fake), &*type_),
            (Opener::new().with_decrypt(&Fake), OPAQUE),
            (Opener::new().with_verify(&Fake), ENVELOPED),
        ] {
            assert_eq!(opener.open(type_, &body), Err(OpenError::Unsupported));
        }
        let opened = Opener::new().open("text/plain", &body).unwrap();
        assert_eq!(opened, Opened::new("text/plain", body));
        let shown = format!("{:?}", Opener::new().with_verify(&Fake));
        assert_eq!(shown, "Opener { verifies: true, decrypts: false }");
    }

    #[test]
    fn what_fails_after_decryption_looks_like_a_failure_of_decryption() {
        let plain = entity("text/plain", "here");
        let (type_, wrong) = signed("wrong", "b", &plain);
        let mut deep = plain.clone();
        for _ in 0..5 {
            deep = entity(OPAQUE, &format!("good:{deep}"));
        }
        let encoded = "Content-Transfer-Encoding: base64\r\n\r\nAAAA".to_owned();
        for within in [
            entity(&type_, &wrong),
            entity(&type_, "--"),
            entity("application/pkcs7-mime;smime-type=other", ""),
            entity(ENVELOPED, "bad"),
            "\u{e4}".to_owned(),
            entity("not a type", ""),
            encoded,
            deep,
        ] {
            let error = open(ENVELOPED, &format!("good:{within}")).unwrap_err();
            assert!(
                matches!(error, OpenError::Within(_)),
                "{within:?}: {error:?}"
            );
            assert_eq!(error.status(), 493);
        }
        let error = open(ENVELOPED, "bad").unwrap_err();
        assert_eq!(error, OpenError::Decrypt(DecryptError::Undecipherable));
    }
}
