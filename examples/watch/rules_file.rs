//! A presence rules document that its user's answers go into (RFC 5025).
//!
//! Rules only add up, so that a rule that blocks takes nothing back. Who is blocked is therefore also left
//! out of the rule that lets everybody else ask.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use presentity::rules::{
    CompiledRules, Condition, Except, Many, Query, ReadError, Rule, Ruleset, SubHandling, Who,
    WriteError,
};
use presentity::sip::Uri;
use presentity::xml::Layout;

/// The rule that has everybody wait about whom nothing is said.
const OTHERS: &str = "others-ask";

/// A document in a file.
#[derive(Debug)]
pub(crate) struct RulesFile {
    path: PathBuf,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesFileError {
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    #[error("{0}: {1}")]
    Unreadable(PathBuf, #[source] ReadError),
    #[error("{0}: {1}")]
    Unwritable(PathBuf, #[source] WriteError),
}

/// Somebody who watches, or may want to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Somebody {
    /// The canonical address of record.
    pub(crate) address: String,
    /// The same as a URI.
    pub(crate) uri: String,
}

/// What the user says about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Allow,
    PoliteBlock,
    Block,
    /// Nothing yet: what was said before is taken back.
    Later,
}

impl Answer {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "allow" => Self::Allow,
            "polite-block" => Self::PoliteBlock,
            "block" => Self::Block,
            "later" => Self::Later,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::PoliteBlock => "polite-block",
            Self::Block => "block",
            Self::Later => "later",
        }
    }

    /// Nothing where no rule of its own is needed.
    fn rule(self, somebody: &Somebody) -> Option<Rule> {
        let rule = Rule::new(id_of(somebody)).for_one(somebody.uri.as_str());
        Some(match self {
            Self::Allow => rule.allow().with_everything(),
            Self::PoliteBlock => rule.handled(SubHandling::PoliteBlock),
            Self::Block => rule.handled(SubHandling::Block),
            Self::Later => return None,
        })
    }

    /// What the rules are to say then.
    pub(crate) fn handling(self) -> Option<SubHandling> {
        match self {
            Self::Allow => Some(SubHandling::Allow),
            Self::PoliteBlock => Some(SubHandling::PoliteBlock),
            Self::Block => Some(SubHandling::Block),
            Self::Later => None,
        }
    }
}

impl Somebody {
    /// From a URI, or what is one behind `sip:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bare = format!("sip:{text}");
        let uri = match Uri::parse(text) {
            Ok(uri @ (Uri::Sip(_) | Uri::Pres(_) | Uri::Tel(_))) => uri,
            Ok(_) => return None,
            Err(_) => Uri::parse(&bare).ok()?,
        };
        let address = uri.address_of_record()?;
        let uri = match uri {
            Uri::Tel(_) => address.clone(),
            // A host alone is nobody's name here, and easily a slip.
            _ if !address.contains('@') => return None,
            _ => format!("sip:{address}"),
        };
        Some(Self { address, uri })
    }
}

impl RulesFile {
    /// The document, which is made when there is none: everybody has to ask.
    pub(crate) fn open(path: &Path) -> Result<Self, RulesFileError> {
        // What a link leads to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let file = Self { path };
        match file.read() {
            Err(RulesFileError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                let others = Rule::new(OTHERS).for_many(Many::all());
                let rules = Ruleset::new().with_rule(others.handled(SubHandling::Confirm));
                file.write(&rules)?;
            }
            read => drop(read?),
        }
        Ok(file)
    }

    fn read(&self) -> Result<Ruleset, RulesFileError> {
        let octets = fs::read(&self.path);
        let octets = octets.map_err(|error| RulesFileError::File(self.path.clone(), error))?;
        let rules = Ruleset::read(&octets);
        rules.map_err(|error| RulesFileError::Unreadable(self.path.clone(), error))
    }

    /// Writes what the user says about somebody; what the document as a whole says about them now, at any
    /// other time than its rules name and in no sphere.
    pub(crate) fn answer(
        &self,
        somebody: &Somebody,
        answer: Answer,
    ) -> Result<SubHandling, RulesFileError> {
        // Others may have written it since.
        let before = self.read()?;
        let after = answered(&before, somebody, answer);
        if after != before {
            self.write(&after)?;
        }
        let compiled = CompiledRules::of(&after);
        Ok(compiled.evaluate(&Query::of(&somebody.address)).handling)
    }

    /// Whoever reads it meanwhile reads the one before or the new one.
    fn write(&self, rules: &Ruleset) -> Result<(), RulesFileError> {
        let octets = rules.write_as(Layout::Pretty);
        let octets =
            octets.map_err(|error| RulesFileError::Unwritable(self.path.clone(), error))?;
        let written = replace(&self.path, &octets);
        written.map_err(|error| RulesFileError::File(self.path.clone(), error))
    }
}

fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // No server takes it for a document.
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let write = || {
        let mut file = File::create_new(&beside)?;
        file.write_all(octets)?;
        if let Ok(known) = fs::metadata(path) {
            file.set_permissions(known.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// An xs:ID that somebody has alone: letters, digits, `-` and `.` stand for themselves.
fn id_of(somebody: &Somebody) -> String {
    let mut id = "watcher-".to_owned();
    for octet in somebody.address.bytes() {
        match octet {
            b'-' | b'.' => id.push(char::from(octet)),
            _ if octet.is_ascii_alphanumeric() => id.push(char::from(octet)),
            _ => id.push_str(&format!("_{octet:02x}")),
        }
    }
    id
}

fn answered(before: &Ruleset, somebody: &Somebody, answer: Answer) -> Ruleset {
    let mut rules = before.clone();
    let id = id_of(somebody);
    let place = rules.rules.iter().position(|rule| rule.id == id);
    match (place, answer.rule(somebody)) {
        (Some(place), Some(rule)) => {
            if let Some(known) = rules.rules.get_mut(place) {
                *known = rule;
            }
        }
        (Some(place), None) => drop(rules.rules.remove(place)),
        (None, Some(rule)) => rules.rules.push(rule),
        (None, None) => {}
    }
    let others = rules.rules.iter_mut().filter(|rule| rule.id == OTHERS);
    for condition in others.flat_map(|rule| &mut rule.conditions) {
        let Condition::Identity(list) = condition else {
            continue;
        };
        for who in list {
            if let Who::Many(many) = who {
                many.except.retain(|except| !is(except, somebody));
                if answer == Answer::Block {
                    many.except.push(Except::One(somebody.uri.clone()));
                }
            }
        }
    }
    rules
}

fn is(except: &Except, somebody: &Somebody) -> bool {
    match except {
        Except::One(uri) => {
            let address = Uri::parse(uri).ok().and_then(|uri| uri.address_of_record());
            address.as_ref() == Some(&somebody.address)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("presentity-watch-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn document(&self) -> PathBuf {
            self.0.join("anna@example.org.xml")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn somebody(text: &str) -> Somebody {
        Somebody::parse(text).unwrap()
    }

    fn says(file: &RulesFile, address: &str) -> SubHandling {
        let compiled = CompiledRules::of(&file.read().unwrap());
        compiled.evaluate(&Query::of(address)).handling
    }

    #[test]
    fn each_answer_holds_for_its_watcher_alone() {
        let folder = Folder::new("answers");
        let file = RulesFile::open(&folder.document()).unwrap();
        assert_eq!(says(&file, "bjarne@example.org"), SubHandling::Confirm);
        for answer in [
            Answer::Allow,
            Answer::Block,
            Answer::PoliteBlock,
            Answer::Block,
            Answer::Allow,
        ] {
            let now = file.answer(&somebody("sip:bjarne@example.org"), answer);
            assert_eq!(now.unwrap(), answer.handling().unwrap());
            assert_eq!(Some(says(&file, "bjarne@example.org")), answer.handling());
            assert_eq!(says(&file, "clara@example.org"), SubHandling::Confirm);
        }
        let clara = file.answer(&somebody("clara@example.org"), Answer::Block);
        assert_eq!(clara.unwrap(), SubHandling::Block);
        assert_eq!(says(&file, "bjarne@example.org"), SubHandling::Allow);
        let later = file.answer(&somebody("clara@example.org"), Answer::Later);
        assert_eq!(later.unwrap(), SubHandling::Confirm);
        assert_eq!(file.read().unwrap().rules.len(), 2);
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn what_others_wrote_stays_and_counts() {
        let folder = Folder::new("others");
        let company = Rule::new("company").for_domain("example.org").allow();
        let rules = Ruleset::new().with_rule(company.clone());
        fs::write(folder.document(), rules.write().unwrap()).unwrap();
        let file = RulesFile::open(&folder.document()).unwrap();
        let blocked = file.answer(&somebody("sip:bjarne@example.org"), Answer::Block);
        // Nothing takes back what another rule gives, and the caller learns that.
        assert_eq!(blocked.unwrap(), SubHandling::Allow);
        let rules = file.read().unwrap();
        assert_eq!(rules.rules.len(), 2);
        assert_eq!(rules.rule("company"), Some(&company));
    }

    #[test]
    fn a_broken_document_is_left_alone() {
        let folder = Folder::new("broken");
        fs::write(folder.document(), "<ruleset>").unwrap();
        let problem = RulesFile::open(&folder.document()).unwrap_err();
        assert!(matches!(problem, RulesFileError::Unreadable(..)));
        assert_eq!(fs::read(folder.document()).unwrap(), b"<ruleset>");
        let nowhere = folder.0.join("nowhere").join("anna.xml");
        let problem = RulesFile::open(&nowhere).unwrap_err();
        assert!(matches!(problem, RulesFileError::File(..)));
    }

    #[test]
    fn two_watchers_never_share_an_id() {
        let texts = ["a_b@c.d", "a_5fb@c.d", "a-b@c.d", "a.b@c.d", "a@b_40c.d"];
        let mut ids: Vec<String> = (texts.iter())
            .filter_map(|text| Somebody::parse(text))
            .map(|it| id_of(&it))
            .collect();
        assert_eq!(ids.first().map(String::as_str), Some("watcher-a_5fb_40c.d"));
        let count = ids.len();
        assert!(count >= 4);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn somebody_has_a_name_and_a_domain_or_a_number() {
        for (text, uri) in [
            ("sips:Bjarne@Example.org:5061", "sip:Bjarne@example.org"),
            ("bjarne@example.org;x=y", "sip:bjarne@example.org"),
            ("pres:bjarne@example.org", "sip:bjarne@example.org"),
            ("tel:+47-22-33", "tel:+472233"),
        ] {
            assert_eq!(somebody(text).uri, uri);
        }
        for text in [
            "",
            "bjarne",
            "sip:example.org",
            "mailto:b@example.org",
            "a b@c",
        ] {
            assert_eq!(Somebody::parse(text), None, "{text}");
        }
    }
}
