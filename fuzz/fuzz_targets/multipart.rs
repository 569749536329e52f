//! `multipart/signed`: what is read is what a plain look at the lines finds, is a slice of what came,
//! and reads the same when it is written again. The first line is the Content-Type, the rest the body.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::mime::{MimeError, Part, Signature, Signed};
use presentity::sip::MediaType;

fuzz_target!(|data: &[u8]| {
    let line = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (content_type, body) = data.split_at(line);
    let body = Bytes::copy_from_slice(body.strip_prefix(b"\n").unwrap_or_default());
    part(&body);
    let Ok(content_type) = core::str::from_utf8(content_type) else {
        return;
    };
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
