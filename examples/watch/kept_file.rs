//! What one run leaves to the next: documents with their entity-tags, so that nothing is sent again that
//! has not changed.
//!
//! For each presentity there is a line of its URI, the entity-tag and the octets of the document, and then
//! the document and the end of a line.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use presentity::presence::Resumption;

/// The file, as it was read, and what is to be written there.
#[derive(Debug)]
pub(crate) struct KeptFile {
    path: PathBuf,
    kept: Vec<Resumption>,
}

impl KeptFile {
    /// Reads it; one that is not there is made in the end.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let octets = match std::fs::read(path) {
            Ok(octets) => octets,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let kept = read(&octets).map_err(|problem| format!("{}: {problem}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            kept,
        })
    }

    pub(crate) fn of(&self, uri: &str) -> Option<&Resumption> {
        self.kept.iter().find(|kept| kept.resource() == uri)
    }

    /// Takes what is known now instead of what was. What others have left stays.
    pub(crate) fn replace(&mut self, uri: &str, now: Option<Resumption>) {
        self.kept.retain(|kept| kept.resource() != uri);
        self.kept.extend(now);
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self) -> io::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let mut file = std::fs::File::create(&beside)?;
        for kept in &self.kept {
            let (uri, tag, document) = (kept.resource(), kept.entity_tag(), kept.document());
            writeln!(file, "{uri} {tag} {}", document.len())?;
            file.write_all(document)?;
            file.write_all(b"\n")?;
        }
        file.sync_all()?;
        std::fs::rename(beside, &self.path)
    }
}

fn read(mut octets: &[u8]) -> Result<Vec<Resumption>, String> {
    const UNKNOWN: &str = "not a file that --resume has written";
    let mut kept = Vec::new();
    while !octets.is_empty() {
        let end = octets.iter().position(|octet| *octet == b'\n');
        let (line, rest) = octets.split_at(end.ok_or(UNKNOWN)?);
        let line = std::str::from_utf8(line).map_err(|_| UNKNOWN)?;
        let [uri, tag, length] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(UNKNOWN.to_owned());
        };
        let length: usize = length.parse().map_err(|_| UNKNOWN)?;
        let document = rest.get(1..).and_then(|rest| rest.split_at_checked(length));
        let (document, rest) = document.ok_or(UNKNOWN)?;
        let resumption = Resumption::new(uri, tag, document.to_vec().into());
        kept.push(resumption.map_err(|error| format!("{uri}: {error}"))?);
        octets = rest.strip_prefix(b"\n").ok_or(UNKNOWN)?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(uri: &str, tag: &str) -> Resumption {
        let document =
            format!("<presence xmlns='urn:ietf:params:xml:ns:pidf'\n entity='{uri}'></presence>");
        Resumption::new(uri, tag, document.into()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let path = std::env::temp_dir().join(format!("watch-kept-{}", std::process::id()));
        let mut file = KeptFile::open(&path).unwrap();
        assert_eq!(file.of("sip:a@example.com"), None);
        let [first, second] = [
            one("sip:a@example.com", "t1"),
            one("sip:b@example.com", "t2"),
        ];
        file.replace("sip:a@example.com", Some(one("sip:a@example.com", "t0")));
        file.replace("sip:a@example.com", Some(first.clone()));
        file.replace("sip:b@example.com", Some(second.clone()));
        file.write().unwrap();
        let mut file = KeptFile::open(&path).unwrap();
        assert_eq!(file.of("sip:a@example.com"), Some(&first));
        assert_eq!(file.of("sip:b@example.com"), Some(&second));
        file.replace("sip:b@example.com", None);
        file.write().unwrap();
        let file = KeptFile::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((file.kept.len(), file.of("sip:b@example.com")), (1, None));
    }

    #[test]
    fn what_was_written_by_others_is_refused() {
        for text in [
            "x",
            "a b\n",
            "sip:a@b t1 5\nabc\n",
            "sip:a@b t1 -1\n\n",
            "sip:a@b t1 3\n<a>\n",
            "sip:a@b * 11\n<presence/>\n",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
