//! `multipart/signed`: what is read is what a plain look at the lines finds, is a slice of what came,
//! and reads the same when it is written again. What has several layers is opened as far as there may
//! be any, and tells nothing of them that was not so. The first line is the Content-Type, the rest the
//! body.
#![no_main]

use core::cell::RefCell;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::mime::{
    Chain, Decrypt, DecryptError, MimeError, OpenError, Opener, Part, Signature, Signed, Signer,
    Verify, VerifyError, is_protected,
};
use presentity::sip::MediaType;

fuzz_target!(|data: &[u8]| {
    let line = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (content_type, body) = data.split_at(line);
    let body = Bytes::copy_from_slice(body.strip_prefix(b"\n").unwrap_or_default());
    part(&body);
    let Ok(content_type) = core::str::from_utf8(content_type) else {
        return;
    };
    open(content_type, &body);
    match Signed::read(content_type, &body) {
        Ok(signed) => {
            let lines = two_parts(content_type, &body).expect("there are two parts");
            assert_eq!(signed.content(), &lines.0);
            assert!(lines.1.ends_with(signed.signature()));
            is_slice(signed.content(), &body);
            is_slice(signed.signature(), &body);
            part(signed.content());
            again(&signed);
        }
        Err(error @ (MimeError::NoDelimiter | MimeError::Unclosed | MimeError::Parts { .. })) => {
            let _ = error.to_string();
            assert_eq!(two_parts(content_type, &body), None);
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
});

/// Layers that an entity may have.
const LAYERS: usize = 3;

/// What was asked of it, and came of it.
#[derive(Debug, Clone, PartialEq)]
enum Done {
    Verified(Vec<Signer>),
    Decrypted,
    Failed,
}

/// Protects nothing: what is encrypted, or signed so that it is not seen, is an entity as it is. Those
/// that begin with one of two characters fail, each in its way.
#[derive(Debug, Default)]
struct Fake(RefCell<Vec<Done>>);

impl Fake {
    fn verified(&self, name: &[u8]) -> Vec<Signer> {
        let number = self.0.borrow().len();
        let name = format!("sip:{number}.{}@example.com", name.len());
        let chain = match name.len() % 2 {
            0 => Chain::Trusted,
            _ => Chain::Untrusted("unknown".into()),
        };
        let signers = vec![Signer::new([name], chain)];
        self.0.borrow_mut().push(Done::Verified(signers.clone()));
        signers
    }

    fn fails<T>(&self, error: T) -> Result<(), T> {
        self.0.borrow_mut().push(Done::Failed);
        Err(error)
    }
}

impl Verify for Fake {
    fn verify(&self, signed: &Signed) -> Result<Vec<Signer>, VerifyError> {
        match signed.signature().first() {
            Some(b'!') => self.fails(VerifyError::Wrong)?,
            Some(b'?') => self.fails(VerifyError::Protocol)?,
            _ => {}
        }
        Ok(self.verified(signed.signature()))
    }

    fn verify_opaque(&self, part: &Part) -> Result<(Bytes, Vec<Signer>), VerifyError> {
        match part.body().first() {
            Some(b'!') => self.fails(VerifyError::NoCertificate)?,
            Some(b'?') => self.fails(VerifyError::Unreadable("odd".into()))?,
            _ => {}
        }
        Ok((part.body().clone(), self.verified(b"opaque")))
    }
}

impl Decrypt for Fake {
    fn decrypt(&self, part: &Part) -> Result<Bytes, DecryptError> {
        match part.body().first() {
            Some(b'!') => self.fails(DecryptError::Undecipherable)?,
            Some(b'?') => self.fails(DecryptError::Unreadable("odd".into()))?,
            _ => {}
        }
        self.0.borrow_mut().push(Done::Decrypted);
        Ok(part.body().clone())
    }
}

fn open(content_type: &str, body: &Bytes) {
    let nobody = Opener::new().open(content_type, body);
    for left in [&[][..], &["multipart/signed"], &["application/pkcs7-mime"]] {
        let fake = Fake::default();
        let opener = Opener::new().with_verify(&fake).with_decrypt(&fake);
        let opened = opener.leaving(left).open(content_type, body);
        let done = fake.0.into_inner();
        let (last, before) = match done.split_last() {
            Some((last, before)) => (Some(last), before),
            None => (None, &[][..]),
        };
        assert!(!before.contains(&Done::Failed), "it went on: {done:?}");
        let is_encrypted = done.contains(&Done::Decrypted);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                assert!([400, 403, 415, 493].contains(&error.status()), "{error:?}");
                let _ = error.to_string();
                assert!(done.len() <= LAYERS + 1);
                let is_within = matches!(error, OpenError::Within(_));
                assert_eq!(is_within, is_encrypted, "{error:?} {done:?}");
                if let OpenError::Within(within) = &error {
                    assert!(!matches!(**within, OpenError::Within(_)));
                }
                if error == OpenError::TooDeep {
                    assert_eq!(done.len(), LAYERS + 1);
                }
                continue;
            }
        };
        assert!(done.len() <= LAYERS && last != Some(&Done::Failed));
        assert_eq!(opened.is_encrypted, is_encrypted);
        let signers = match last {
            Some(Done::Verified(signers)) => &signers[..],
            _ => &[],
        };
        assert_eq!(opened.signers, signers, "those of the innermost layer");
        is_slice(&opened.body, body);
        if done.is_empty() {
            assert!(!is_protected(content_type));
            assert_eq!(nobody, Ok(opened.clone()));
            assert_eq!((&*opened.content_type, &opened.body), (content_type, body));
        } else {
            assert!(is_protected(content_type) && nobody == Err(OpenError::Unsupported));
        }
        let is_left = MediaType::parse(&opened.content_type)
            .is_ok_and(|media| left.iter().any(|left| media.essence_eq(left)));
        assert!(!is_protected(&opened.content_type) || is_left);
    }
}

fn is_slice(part: &Bytes, whole: &Bytes) {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    assert!(part.is_empty() || (whole.start <= part.start && part.end <= whole.end));
}

fn part(octets: &Bytes) {
    let Ok(part) = Part::read(octets) else {
        return;
    };
    assert_eq!(part.octets(), octets);
    assert!(octets.ends_with(part.body()));
    is_slice(part.body(), octets);
    let _ = (part.plain_body(), part.field("Content-Disposition"));
    let Some(Ok(made)) = part
        .content_type()
        .map(|type_| Part::new(type_, part.body()))
    else {
        return;
    };
    assert_eq!(made.plain_body(), Ok(part.body()));
    assert_eq!(Part::read(made.octets()).as_ref(), Ok(&made));
    let of = |part: &Part| {
        let media = part.content_type().map(MediaType::parse);
        media.and_then(Result::ok).map(|media| media.to_string())
    };
    assert_eq!(of(&made), of(&part));
}

fn again(signed: &Signed) {
    let micalg = signed.micalg().unwrap_or("unknown");
    let Ok(signature) = Signature::new(signed.protocol(), micalg, signed.signature().clone())
    else {
        return;
    };
    // Entropy at its worst: all is in the check that the boundary does not occur.
    let mut entropy = |buffer: &mut [u8]| buffer.fill(0);
    let written = Signed::write(signed.content(), &signature, &mut entropy);
    let again = Signed::read(&written.content_type, &written.body).expect("it was written");
    assert_eq!(again.content(), signed.content());
    assert_eq!(again.signature(), signed.signature());
    assert_eq!(again.protocol(), signature.protocol());
    assert_eq!(again.micalg(), Some(micalg));
    assert_eq!(again.signature_encoding(), Some("binary"));
}

/// The two parts between three delimiters of which only the last closes, line by line.
fn two_parts(content_type: &str, body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let boundary = MediaType::parse(content_type).ok()?;
    let open = format!("--{}", boundary.param("boundary")?);
    let close = format!("{open}--");
    let text: Vec<&[u8]> = lines(body);
    let mut delimiters = Vec::new();
    for (at, line) in text.iter().enumerate() {
        let padding = line.iter().rev().take_while(|b| matches!(b, b' ' | b'\t'));
        let line = &line[..line.len() - padding.count()];
        let is_last = at + 1 == text.len();
        if line == close.as_bytes() {
            delimiters.push((at, true));
        } else if line == open.as_bytes() && !is_last {
            delimiters.push((at, false));
        }
    }
    let [(first, false), (second, false), (third, true), ..] = delimiters[..] else {
        return None;
    };
    let between = |from: usize, to: usize| text[from + 1..to].join(&b"\r\n"[..]);
    Some((between(first, second), between(second, third)))
}

fn lines(body: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for at in 0..body.len() {
        if body[start..at].ends_with(b"\r") && body[at] == b'\n' {
            lines.push(&body[start..at - 1]);
            start = at + 1;
        }
    }
    lines.push(&body[start..]);
    lines
}
