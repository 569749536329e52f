//! Keys and certificates that the program openssl makes for a test.

use crate::{Folder, file_here};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority, `ca.pem`, in a folder with what it has certified.
pub(crate) struct Authority {
    folder: Folder,
}

impl Authority {
    pub(crate) fn new(test: &str) -> Self {
        let authority = Self {
            folder: Folder::new(test),
        };
        fs::write(authority.path("openssl.cnf"), file_here("authority.cnf")).unwrap();
        fs::write(authority.path("index.txt"), "").unwrap();
        let arguments = "req -x509 -extensions an_authority -days 30 -out ca.pem";
        authority.make_key("ca", "", arguments);
        authority
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The argument with the name of a file here.
    pub(crate) fn named(&self, file: &str) -> String {
        self.path(file).to_str().unwrap().to_owned()
    }

    /// The argument with key and certificate of somebody.
    pub(crate) fn pair(&self, name: &str) -> String {
        self.named(&format!("{name}.key")) + "," + &self.named(&format!("{name}.pem"))
    }

    /// A key, certified to be that of this URI.
    pub(crate) fn certify(&self, name: &str, uri: &str) {
        self.certify_with(name, uri, "-extensions a_holder");
    }

    /// The same, and the time of the certificate is over.
    pub(crate) fn certify_in_the_past(&self, name: &str, uri: &str) {
        let times = "-startdate 20200101000000Z -enddate 20200201000000Z";
        self.certify_with(name, uri, &format!("-extensions a_holder {times}"));
    }

    /// A key, certified by an authority below this one, whose certificate follows.
    pub(crate) fn certify_from_below(&self, name: &str, uri: &str) {
        self.certify_with("below", uri, "-extensions an_authority");
        let by_below = "-extensions a_holder -cert below.pem -keyfile below.key";
        self.certify_with(name, uri, by_below);
        let chain = [format!("{name}.pem"), "below.pem".to_owned()];
        let chain = chain.map(|file| fs::read_to_string(self.path(&file)).unwrap());
        fs::write(self.path(&format!("{name}.pem")), chain.concat()).unwrap();
    }

    /// A key whose certificate nobody has signed but itself.
    pub(crate) fn sign_itself(&self, name: &str, uri: &str) {
        let arguments = format!("req -x509 -extensions a_holder -days 30 -out {name}.pem");
        self.make_key(name, uri, &arguments);
    }

    fn certify_with(&self, name: &str, uri: &str, options: &str) {
        self.make_key(name, uri, &format!("req -new -out {name}.csr"));
        let arguments = format!("ca -batch -notext -in {name}.csr -out {name}.pem {options}");
        self.openssl(uri, &arguments);
    }

    fn make_key(&self, name: &str, uri: &str, arguments: &str) {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let subject = format!("-subj /CN={name} -keyout {name}.key");
        self.openssl(uri, &format!("{arguments} {key} {subject}"));
    }

    fn openssl(&self, uri: &str, arguments: &str) {
        let mut words = arguments.split_whitespace();
        let mut openssl = Command::new("openssl");
        openssl.args(words.next()).args(["-config", "openssl.cnf"]);
        run(
            openssl.args(words).env("SUBJECT_URI", uri),
            self.folder.path(),
        );
    }

    /// What a body of the type multipart/signed has within, when the program finds its signature right and
    /// of somebody whom this authority has certified.
    pub(crate) fn verify(&self, content_type: &str, body: &[u8]) -> String {
        let (content, signature) = parts(content_type, body);
        fs::write(self.path("content"), content).unwrap();
        fs::write(self.path("signature"), signature).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["cms", "-verify", "-binary", "-inform", "DER"]);
        openssl.args(["-in", "signature", "-content", "content"]);
        openssl.args(["-CAfile", "ca.pem", "-out", "verified"]);
        run(&mut openssl, self.folder.path());
        fs::read_to_string(self.path("verified")).unwrap()
    }

    /// These octets, signed with the key of somebody, in one piece.
    pub(crate) fn sign(&self, name: &str, content: &[u8]) -> Vec<u8> {
        let key = ["-nodetach", "-signer", &format!("{name}.pem"), "-inkey"];
        self.cms(
            "-sign",
            content,
            &[&key[..], &[&format!("{name}.key")]].concat(),
        )
    }

    /// These octets, encrypted for somebody.
    pub(crate) fn encrypt(&self, name: &str, content: &[u8]) -> Vec<u8> {
        self.cms("-encrypt", content, &["-aes128", &format!("{name}.pem")])
    }

    fn cms(&self, what: &str, content: &[u8], arguments: &[&str]) -> Vec<u8> {
        fs::write(self.path("plain"), content).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["cms", what, "-binary", "-in", "plain", "-outform", "DER"]);
        run(
            openssl.args(["-out", "protected"]).args(arguments),
            self.folder.path(),
        );
        fs::read(self.path("protected")).unwrap()
    }
}

fn run(command: &mut Command, folder: &Path) {
    let done = command.current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}

/// The octets that are signed, and the signature, which is not encoded.
fn parts<'a>(content_type: &str, body: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let (_, boundary) = content_type.split_once("boundary=").unwrap();
    let boundary = boundary.split(';').next().unwrap();
    let open = format!("--{boundary}\r\n");
    let between = format!("\r\n--{boundary}\r\n");
    let close = format!("\r\n--{boundary}--\r\n");
    let rest = body.strip_prefix(open.as_bytes()).unwrap();
    let rest = rest.strip_suffix(close.as_bytes()).unwrap();
    let (content, second) = split(rest, between.as_bytes());
    let (header, signature) = split(second, b"\r\n\r\n");
    let header = String::from_utf8_lossy(header);
    assert!(header.contains("application/pkcs7-signature"), "{header}");
    (content, signature)
}

/// What stands before and after the first of these.
pub(crate) fn split<'a>(octets: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let place = octets.windows(at.len()).position(|window| window == at);
    let place = place.unwrap();
    (&octets[..place], &octets[place + at.len()..])
}
