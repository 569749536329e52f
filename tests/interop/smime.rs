//! S/MIME beside the program `openssl`: what it signs and encrypts is read here, and the other way round.
//! Both stand on the same library where the same version of it is installed; what is compared is the use
//! that is made of it, and everything around it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use presentity::mime::smime::{ContentCipher, Encryptor, Trust};
use presentity::mime::{
    Chain, Decrypt, Encrypt, Enveloped, Opener, Part, ReadCertificate, Sign, Signature, Signed,
    Signer, Verify, VerifyError,
};

use super::smime_authority::{Holder, KINDS, Kind, NOW, Profile, ana, bob, profile, root};
use super::{Folder, asked_for};

const PROTOCOL: &str = "application/pkcs7-signature";

fn part() -> Part {
    let body = Bytes::from_static(b"<presence/>\n\0\xff\r\r\nlast");
    Part::new("application/pidf+xml", &body).unwrap()
}

/// A folder with the keys and certificates of those whom tests are about.
struct Place(Folder);

impl Place {
    fn new(test: &str) -> Self {
        let place = Self(Folder::new(test));
        place.write("content", part().octets());
        for kind in KINDS {
            for (name, holder) in [("ana", ana(kind)), ("bob", bob(kind)), ("root", root(kind))] {
                place.write(&format!("{name}-{kind:?}.pem"), &pem(holder));
                let key = holder.key.private_key_to_pem_pkcs8().unwrap();
                place.write(&format!("{name}-{kind:?}.key"), &key);
            }
        }
        place
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, octets: &[u8]) {
        fs::write(self.path(file), octets).unwrap();
    }

    fn read(&self, file: &str) -> Bytes {
        fs::read(self.path(file)).unwrap().into()
    }

    /// Whether the program succeeds with these words; what it says goes with the test.
    fn succeeds(&self, words: &str) -> bool {
        let mut command = Command::new("openssl");
        command.args(words.split_ascii_whitespace());
        let output = command.current_dir(self.0.path()).output().unwrap();
        println!("openssl {words}: {}", output.status);
        println!("{}", String::from_utf8_lossy(&output.stderr));
        output.status.success()
    }

    fn run(&self, words: &str) {
        assert!(self.succeeds(words), "openssl {words}");
    }
}

fn pem(holder: &Holder) -> Vec<u8> {
    holder.certificate.to_pem().unwrap()
}

fn signed_with(octets: Bytes) -> Signed {
    let signature = Signature::new(PROTOCOL, "sha-256", octets).unwrap();
    let mut entropy = |buffer: &mut [u8]| buffer.fill(0x5a);
    let written = Signed::write(part().octets(), &signature, &mut entropy);
    Signed::read(&written.content_type, &written.body).unwrap()
}

#[test]
fn what_openssl_signs_is_verified() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-sign");
    for kind in KINDS {
        let trust = root(kind).trust();
        let sign = |options: &str| {
            place.run(&format!(
                "cms -sign -binary -in content -signer ana-{kind:?}.pem -inkey ana-{kind:?}.key \
                 -outform DER -out out.der {options}"
            ));
            place.read("out.der")
        };
        let mut ways = vec![
            "-md sha256",
            "-md sha384",
            "-md sha512",
            "-md sha256 -keyid",
            "-noattr",
            "-nosmimecap",
            "-cades",
        ];
        if kind == Kind::Rsa {
            ways.push("-md sha256 -keyopt rsa_padding_mode:pss");
        }
        for options in ways {
            let signers = trust.verify(&signed_with(sign(options))).unwrap();
            assert!(signers[0].is_trusted(), "{options}: {signers:?}");
            assert_eq!(signers[0].names(), ["sip:ana@example.com"]);
        }
        let refused = trust.verify(&signed_with(sign("-md sha1")));
        assert_eq!(refused, Err(VerifyError::Protocol));
        let refused = trust.verify(&signed_with(sign("-nocerts")));
        assert_eq!(refused, Err(VerifyError::NoCertificate));

        for options in ["-nodetach", "-nodetach -stream", "-nodetach -indef -keyid"] {
            let octets = sign(options);
            let entity = Part::new("application/pkcs7-mime;smime-type=signed-data", &octets);
            let (content, signers) = trust.verify_opaque(&entity.unwrap()).unwrap();
            assert_eq!(&content, part().octets(), "{options}");
            assert!(signers[0].is_trusted(), "{options}: {signers:?}");
        }

        let two = sign(&format!("-signer bob-{kind:?}.pem -inkey bob-{kind:?}.key"));
        let mut signers = trust.verify(&signed_with(two)).unwrap();
        assert!(signers.iter().all(Signer::is_trusted));
        signers.sort_by(|one, other| one.names().cmp(other.names()));
        let names: Vec<_> = signers.iter().map(|signer| &signer.names()[0]).collect();
        assert_eq!(names, ["sip:ana@example.com", "sip:bob@example.com"]);
    }
}

#[test]
fn the_multipart_that_openssl_writes_is_opened() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-multipart");
    for kind in KINDS {
        for (nodetach, body_is_signed) in [("", true), ("-nodetach", false)] {
            place.run(&format!(
                "cms -sign -binary -crlfeol -in content -signer ana-{kind:?}.pem \
                 -inkey ana-{kind:?}.key -outform SMIME -out out {nodetach}"
            ));
            let whole = Part::read(&place.read("out")).unwrap();
            // The transfer encoding is of the whole message, which SIP has no field for.
            let (type_, trust) = (whole.content_type().unwrap(), root(kind).trust());
            if body_is_signed {
                let opener = Opener::new().with_verify(&trust);
                let opened = opener.open(type_, whole.body()).unwrap();
                assert_eq!(&opened.body, part().body());
                assert!(opened.signers[0].is_trusted());
            } else {
                let (content, signers) = trust.verify_opaque(&whole).unwrap();
                assert_eq!(&content, part().octets());
                assert!(signers[0].is_trusted());
            }
        }
    }
}

#[test]
fn what_openssl_encrypts_is_decrypted() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-encrypt");
    for kind in KINDS {
        let mut ways = vec![
            "-aes128",
            "-aes256",
            "-aes-192-cbc",
            "-des3",
            "-aes256 -keyid",
            "-aes128 -stream",
            "-aes-128-gcm",
            "-aes-256-gcm",
        ];
        if kind == Kind::Rsa {
            ways.push("-aes128 -recip ana-Rsa.pem -keyopt rsa_padding_mode:oaep");
        } else {
            ways.push("-aes256 -recip ana-P256.pem -keyopt ecdh_kdf_md:sha256");
        }
        for options in ways {
            let recipients = if options.contains("-recip") {
                String::new()
            } else {
                format!("bob-{kind:?}.pem ana-{kind:?}.pem")
            };
            place.run(&format!(
                "cms -encrypt -binary -in content -outform DER -out out.der {options} {recipients}"
            ));
            let body = Enveloped::write(place.read("out.der"));
            let entity = Part::new(&body.content_type, &body.body).unwrap();
            let content = ana(kind).credential().decrypt(&entity);
            assert_eq!(content.as_ref(), Ok(part().octets()), "{kind:?} {options}");
        }
        place.run(&format!(
            "cms -encrypt -binary -crlfeol -in content -outform SMIME -out out -aes128 \
             ana-{kind:?}.pem"
        ));
        let whole = Part::read(&place.read("out")).unwrap();
        let content = ana(kind).credential().decrypt(&whole);
        assert_eq!(content.as_ref(), Ok(part().octets()), "in base64");
    }
}

#[test]
fn openssl_verifies_what_is_signed_here() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-verify");
    place.write("other", b"\r\nother");
    for kind in KINDS {
        let credential = ana(kind).credential();
        let signature = credential.sign(part().octets()).unwrap();
        place.write("sig.der", signature.octets());
        let verify = |options: &str| {
            place.succeeds(&format!(
                "cms -verify -binary -inform DER -in sig.der -attime {NOW} -purpose smimesign \
                 -CAfile root-{kind:?}.pem -out out {options}"
            ))
        };
        assert!(verify("-content content"));
        assert_eq!(place.read("out"), part().octets());
        assert!(!verify("-content other"));
        place.run("cms -cmsout -print -inform DER -in sig.der -noout -out printed");
        let printed = String::from_utf8_lossy(&place.read("printed")).into_owned();
        assert!(printed.contains("signingTime") && printed.contains("sha256"));
        let opaque = credential.sign_opaque(part().octets()).unwrap();
        place.write("sig.der", &opaque.body);
        assert!(verify(""));
        assert_eq!(place.read("out"), part().octets());
    }
}

#[test]
fn openssl_decrypts_what_is_encrypted_here() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-decrypt");
    for cipher in [ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc] {
        let recipients = [ana(Kind::Rsa).der(), ana(Kind::P256).der()];
        let encryptor = Encryptor::new().with_cipher(cipher);
        let octets = encryptor.encrypt(part().octets(), &recipients).unwrap();
        place.write("enc.der", &octets);
        let decrypt = |who: &str| {
            place.succeeds(&format!(
                "cms -decrypt -binary -inform DER -in enc.der -recip {who}.pem -inkey {who}.key \
                 -out out"
            ))
        };
        for kind in KINDS {
            assert!(decrypt(&format!("ana-{kind:?}")));
            assert_eq!(place.read("out"), part().octets());
            assert!(!decrypt(&format!("bob-{kind:?}")));
        }
    }
}

#[test]
fn openssl_judges_chains_alike() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-chains");
    let root = root(Kind::P256);
    let between = root.certify(&Profile::authority("Between"), Kind::P256);
    let ana = between.certify(&profile(&["sip:ana@example.com"]), Kind::P256);
    let mut old = profile(&[]);
    old.validity = (-300, -1);
    let old = between.certify(&old, Kind::P256);
    let mut server = profile(&[]);
    server.extended = Some(vec!["serverAuth"]);
    let server = between.certify(&server, Kind::P256);
    let revoked = between.certify(&profile(&[]), Kind::P256);
    let by_ana = ana.certify(&profile(&[]), Kind::P256);
    let list = between.revokes(&[&revoked], (-1, 30));
    place.write("list.der", &list);
    place.run("crl -inform DER -in list.der -out list.pem");
    let trust: Trust = root.trust().with_revocation_list(&list).unwrap();
    for (holder, others, good) in [
        (&ana, vec![&between], true),
        (&ana, vec![], false),
        (&old, vec![&between], false),
        (&server, vec![&between], false),
        (&revoked, vec![&between], false),
        (&by_ana, vec![&ana, &between], false),
    ] {
        place.write("leaf.pem", &pem(holder));
        let untrusted: Vec<u8> = others.iter().flat_map(|other| pem(other)).collect();
        let option = if others.is_empty() {
            ""
        } else {
            "-untrusted others.pem"
        };
        place.write("others.pem", &untrusted);
        let theirs = place.succeeds(&format!(
            "verify -attime {NOW} -purpose smimesign -crl_check -CRLfile list.pem -partial_chain \
             -CAfile root-P256.pem {option} leaf.pem"
        ));
        let others: Vec<Bytes> = others.iter().map(|other| other.der()).collect();
        let ours = trust.read_certificate(&holder.der(), &others).unwrap();
        assert_eq!(theirs, good);
        assert_eq!(ours.chain == Chain::Trusted, good, "{ours:?}");
    }
}

#[test]
fn the_bundles_of_openssl_are_taken_apart() {
    if !asked_for("smime") {
        return;
    }
    let place = Place::new("smime-bundle");
    place.run(
        "crl2pkcs7 -nocrl -certfile ana-Rsa.pem -certfile root-Rsa.pem -outform DER -out out.p7c",
    );
    let mut found = Trust::new().read_bundle(&place.read("out.p7c")).unwrap();
    let mut expected = vec![ana(Kind::Rsa).der(), root(Kind::Rsa).der()];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
