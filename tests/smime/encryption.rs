//! Who can read, and that nobody else learns anything.

use openssl::stack::Stack;
use openssl::symm::Cipher;
use presentity::mime::smime::{ContentCipher, Encryptor};
use presentity::mime::{Decrypt, DecryptError, Encrypt, EncryptError, Enveloped};

use super::authority::{KINDS, Kind, ana, bob, profile, root, rsa};
use super::*;

fn entity(octets: impl Into<Bytes>) -> Part {
    let body = Enveloped::write(octets);
    Part::new(&body.content_type, &body.body).unwrap()
}

fn encrypted(recipients: &[&Holder]) -> Bytes {
    let recipients: Vec<Bytes> = recipients.iter().map(|holder| holder.der()).collect();
    Encryptor::new()
        .encrypt(part().octets(), &recipients)
        .unwrap()
}

fn decrypted(by: &Holder, octets: impl Into<Bytes>) -> Result<Bytes, DecryptError> {
    by.credential().decrypt(&entity(octets))
}

#[test]
fn what_is_encrypted_is_decrypted() {
    for kind in KINDS {
        for cipher in [ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc] {
            let encryptor = Encryptor::new().with_cipher(cipher);
            let octets = encryptor
                .encrypt(part().octets(), &[ana(kind).der()])
                .unwrap();
            assert!(!octets.windows(9).any(|window| window == b"<presence"));
            // 2.16.840.1.101.3.4.1.2 and .42
            let name = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
            let last = if cipher == ContentCipher::Aes128Cbc {
                2
            } else {
                42
            };
            let name = [&name[..], &[last]].concat();
            assert!(octets.windows(9).any(|window| window == name), "{cipher:?}");
            assert_eq!(&decrypted(ana(kind), octets).unwrap(), part().octets());
        }
    }
}

#[test]
fn it_is_read_by_each_recipient_and_by_nobody_else() {
    let all = [ana(Kind::Rsa), ana(Kind::P256), bob(Kind::Rsa)];
    let octets = encrypted(&all);
    for one in all {
        assert_eq!(&decrypted(one, octets.clone()).unwrap(), part().octets());
    }
    let eve = bob(Kind::P256);
    assert_eq!(decrypted(eve, octets), Err(DecryptError::Undecipherable));
    // Another key with the name and number of hers.
    for kind in KINDS {
        let mut profile = profile(&[]);
        profile.serial = Some(5);
        let one = root(kind).certify_key(&profile, ana(kind).key.clone());
        let other = root(kind).certify_key(&profile, bob(kind).key.clone());
        let octets = encrypted(&[&one]);
        assert!(decrypted(&one, octets.clone()).is_ok());
        assert_eq!(decrypted(&other, octets), Err(DecryptError::Undecipherable));
    }
}

#[test]
fn base64_is_undone() {
    let octets = encrypted(&[ana(Kind::P256)]);
    let text = openssl::base64::encode_block(&octets);
    let lines: Vec<&[u8]> = text.as_bytes().chunks(60).collect();
    let read = |encoding: &str, body: &[u8]| {
        let head = format!(
            "Content-Type: application/pkcs7-mime;smime-type=enveloped-data\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        let octets = [head.as_bytes(), body].concat();
        ana(Kind::P256)
            .credential()
            .decrypt(&Part::read(&octets.into()).unwrap())
    };
    assert_eq!(
        &read("BASE64", &lines.join(&b"\r\n"[..])).unwrap(),
        part().octets()
    );
    assert_eq!(&read("binary", &octets).unwrap(), part().octets());
    for (encoding, body) in [("quoted-printable", &octets[..]), ("base64", &octets[..])] {
        assert!(matches!(
            read(encoding, body),
            Err(DecryptError::Unreadable(_))
        ));
    }
}

#[test]
fn recipients_who_cannot_read_are_refused() {
    let encrypt = |certificates: &[Bytes]| Encryptor::new().encrypt(b"\r\nx", certificates);
    assert_eq!(encrypt(&[]), Err(EncryptError::NoCertificate));
    let good = ana(Kind::Rsa).der();
    let mut refused = vec![
        Bytes::new(),
        good.slice(1..),
        [&good[..], b"\0"].concat().into(),
    ];
    for (kind, usage, extended) in [
        (Kind::Rsa, Some("sign"), None),
        (Kind::Rsa, Some("agree"), None),
        (Kind::P256, Some("sign"), None),
        (Kind::P256, Some("encipher"), None),
        (Kind::P256, None, Some("serverAuth")),
    ] {
        let mut profile = profile(&[]);
        profile.usage = usage.map(|one| vec![one]);
        profile.extended = extended.map(|one| vec![one]);
        refused.push(
            root(kind)
                .certify_key(&profile, ana(kind).key.clone())
                .der(),
        );
    }
    refused.push(root(Kind::P256).certify_key(&profile(&[]), rsa(1024)).der());
    let odd = openssl::pkey::PKey::generate_ed25519().unwrap();
    refused.push(root(Kind::P256).certify_key(&profile(&[]), odd).der());
    for (number, bad) in refused.into_iter().enumerate() {
        for recipients in [vec![bad.clone()], vec![good.clone(), bad.clone()]] {
            let refused = encrypt(&recipients);
            assert!(
                matches!(refused, Err(EncryptError::Failed(_))),
                "{number}: {refused:?}"
            );
        }
    }
    let mut profile = profile(&[]);
    for (kind, usage) in [(Kind::Rsa, "encipher"), (Kind::P256, "agree")] {
        profile.usage = Some(vec![usage]);
        let holder = root(kind).certify_key(&profile, ana(kind).key.clone());
        assert!(encrypt(&[holder.der()]).is_ok());
    }
}

#[test]
fn authenticated_encryption_is_decrypted() {
    for kind in KINDS {
        for cipher in [Cipher::aes_128_gcm(), Cipher::aes_256_gcm()] {
            let mut stack = Stack::new().unwrap();
            stack.push(ana(kind).certificate.clone()).unwrap();
            let info = CmsContentInfo::encrypt(&stack, part().octets(), cipher, CMSOptions::BINARY);
            let octets = info.unwrap().to_der().unwrap();
            assert_eq!(
                &decrypted(ana(kind), octets.clone()).unwrap(),
                part().octets()
            );
            let other = decrypted(bob(kind), octets.clone());
            assert_eq!(other, Err(DecryptError::Undecipherable));
            let mut altered = octets;
            *altered.last_mut().unwrap() ^= 1;
            assert_eq!(
                decrypted(ana(kind), altered),
                Err(DecryptError::Undecipherable)
            );
        }
    }
}

#[test]
fn nothing_tells_why_it_cannot_be_decrypted() {
    for kind in KINDS {
        let octets = encrypted(&[ana(kind)]);
        let credential = ana(kind).credential();
        let (mut failed, mut good) = (0, 0);
        // Wherever it is altered in what is encrypted: key, padding, content.
        let start = octets.len() - 400.min(octets.len());
        for at in start..octets.len() {
            for bit in [0x01, 0x80] {
                let mut altered = octets.to_vec();
                altered[at] ^= bit;
                match credential.decrypt(&entity(altered)) {
                    Ok(_) => good += 1,
                    Err(DecryptError::Undecipherable) => failed += 1,
                    // Of the structure around it, which is for all to see.
                    Err(DecryptError::Unreadable(_)) => {}
                    Err(other) => panic!("{at}: {other:?}"),
                }
            }
        }
        // Without authentication there are alterations that still have a header before a body.
        assert!(failed > 100, "{failed} {good}");
        // A wrong key, whatever the padding makes of it, is as good as none.
        let mut last = octets.to_vec();
        let end = last.len();
        for value in 0..=255 {
            last[end - 17] = octets[end - 17] ^ value;
            if let Err(error) = credential.decrypt(&entity(last.clone())) {
                assert_eq!(error, DecryptError::Undecipherable, "{value}");
            }
        }
    }
}

#[test]
fn what_is_not_encrypted_is_unreadable() {
    let ana = ana(Kind::P256);
    let signature = signature_by(&ana.credential());
    let octets = encrypted(&[ana]);
    let longer = [&octets[..], b"\0"].concat();
    let long = Bytes::from(vec![0x30; 5_000_000]);
    for other in [signature, ana.der(), Bytes::new(), longer.into(), long] {
        let refused = decrypted(ana, other);
        assert!(
            matches!(refused, Err(DecryptError::Unreadable(_))),
            "{refused:?}"
        );
    }
    for len in (0..octets.len()).step_by(5) {
        let refused = decrypted(ana, octets.slice(..len));
        assert!(
            matches!(refused, Err(DecryptError::Unreadable(_))),
            "{len}: {refused:?}"
        );
    }
    let short = ana.credential().with_max_len(octets.len() - 1);
    assert!(matches!(
        short.decrypt(&entity(octets)),
        Err(DecryptError::Unreadable(_))
    ));
}
