//! Presence rules in a folder: one document for each presentity, read again when it may have changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use presentity::engine::Timestamp;
use presentity::rules::{CompiledRules, RulesLimits, Ruleset};
use presentity::sip::Uri;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::args;
use crate::console::ServerCommand;
use crate::host::ServerAgent;
use crate::terminal::say;

/// What a file of rules is called, behind the presentity.
const EXTENSION: &str = ".xml";
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Presentities whose rules are put in force before others have their turn.
const AT_ONCE: usize = 64;

/// The folder, and what was last read there.
#[derive(Debug)]
pub(crate) struct RulesFolder {
    folder: PathBuf,
    /// By canonical presentity.
    files: BTreeMap<String, Known>,
    /// What is wrong with names of files, and was told.
    complaints: Vec<String>,
}

/// A file.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    stamp: Stamp,
    /// What was read last, be it of no use; nothing when it could not be read.
    seen: Option<Digest>,
    /// What is in force; nothing for rules that show nothing to anybody as there was nothing of use yet.
    in_force: Option<Digest>,
    /// What is wrong with it.
    problem: Option<String>,
}

/// SHA-256 of the octets of a file.
type Digest = [u8; 32];

/// By what a change of a file is told without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

/// Rules to be put in force for a presentity, or none.
type Change = (String, Option<CompiledRules>);

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) changes: Vec<Change>,
    /// What is wrong, with the file and the place in it.
    pub(crate) problems: Vec<String>,
    /// Presentities with rules.
    pub(crate) count: usize,
}

/// Which files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Changed,
}

impl RulesFolder {
    /// Reads it for the first time.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Found)> {
        let mut rules = Self {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            complaints: Vec::new(),
        };
        let found = rules.read(Which::All)?;
        Ok((rules, found))
    }

    /// Reads it again. A file that is of no use leaves in force what was; where nothing was, nobody sees
    /// anything: to go by the server's default policy would show people to those whom they meant to
    /// keep out.
    fn read(&mut self, which: Which) -> io::Result<Found> {
        let mut found = Found::default();
        let mut there = BTreeMap::new();
        let mut complaints = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            match presentity_of(&path) {
                Some(Ok(presentity)) => {
                    let first = match there.remove(&presentity) {
                        Some(other) => {
                            // Which one counts must not depend on the order of the folder.
                            let (first, second) =
                                (Ord::min(&path, &other), Ord::max(&path, &other));
                            let (file, other_file) = (second.display(), first.display());
                            let why =
                                format!("{other_file} is about {presentity}, too, and counts");
                            complaints.push(format!("{file}: {why}"));
                            first.clone()
                        }
                        None => path,
                    };
                    there.insert(presentity, first);
                }
                Some(Err(problem)) => {
                    complaints.push(format!("{}: {problem}", path.display()));
                }
                None => {}
            }
        }
        complaints.sort_unstable();
        if which == Which::All || complaints != self.complaints {
            found.problems.extend_from_slice(&complaints);
        }
        self.complaints = complaints;
        let gone: Vec<String> = (self.files.keys())
            .filter(|presentity| !there.contains_key(*presentity))
            .cloned()
            .collect();
        for presentity in gone {
            self.files.remove(&presentity);
            found.changes.push((presentity, None));
        }
        for (presentity, path) in there {
            self.read_file(presentity, path, which, &mut found);
        }
        found.count = self.files.len();
        Ok(found)
    }

    fn read_file(&mut self, presentity: String, path: PathBuf, which: Which, found: &mut Found) {
        // Looked at first: what changes meanwhile is another change.
        let stamp = Stamp::of(&path);
        let known = self.files.get_mut(&presentity);
        let is_new = known.is_none();
        let is_same = (known.as_ref()).is_some_and(|it| it.stamp == stamp && it.path == path);
        if which == Which::Changed && is_same {
            return;
        }
        let octets = read_octets(&path);
        let seen = octets
            .as_ref()
            .ok()
            .map(|it| Digest::from(Sha256::digest(it)));
        let mut next = Known {
            path,
            stamp,
            seen,
            in_force: known.as_ref().and_then(|known| known.in_force),
            problem: None,
        };
        if let Some(known) = known
            && known.seen == seen
            && seen.is_some()
        {
            next.problem = known.problem.take();
        } else {
            let rules = octets.and_then(|octets| {
                let rules = Ruleset::read_with(&octets, &RulesLimits::default());
                rules.map_err(|error| error.to_string())
            });
            let mut put = |rules| {
                let compiled = CompiledRules::of(rules);
                found.changes.push((presentity.clone(), Some(compiled)));
            };
            match &rules {
                Ok(rules) => {
                    let unknown = rules.not_understood().count();
                    next.problem = (unknown > 0)
                        .then(|| format!("{unknown} elements are not understood and give nothing"));
                    if next.in_force != seen {
                        put(rules);
                        next.in_force = seen;
                    }
                }
                Err(problem) => {
                    if is_new {
                        put(&Ruleset::new());
                    }
                    let kept = match next.in_force {
                        Some(_) => "what was in force stays",
                        None => "nobody is shown anything",
                    };
                    next.problem = Some(format!("{problem}; {kept}"));
                }
            }
        }
        if let Some(problem) = &next.problem {
            let problem = format!("{}: {problem}", next.path.display());
            found.problems.push(problem);
        }
        self.files.insert(presentity, next);
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self {
            modified: metadata.as_ref().and_then(|it| it.modified().ok()),
            len: metadata.map_or(0, |it| it.len()),
        }
    }
}

/// Whose rules a file has, by its name; nothing for files of other kinds and hidden ones.
fn presentity_of(path: &Path) -> Option<Result<String, &'static str>> {
    let name = path.file_name()?.to_string_lossy();
    let name = name.strip_suffix(EXTENSION)?;
    if name.starts_with('.') || path.is_dir() {
        return None;
    }
    let address = Uri::parse(&format!("sip:{name}"))
        .ok()
        .and_then(|uri| uri.address_of_record());
    let address = address.filter(|address| address.contains('@'));
    Some(address.ok_or("a file of rules is called user@domain.xml"))
}

fn read_octets(path: &Path) -> Result<Vec<u8>, String> {
    let most = u64::try_from(RulesLimits::default().xml.bytes).unwrap_or(u64::MAX);
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    // One more, so that the reader of rules sees that it is too much.
    let read = file.take(most.saturating_add(1)).read_to_end(&mut octets);
    read.map_err(|error| error.to_string())?;
    Ok(octets)
}

/// Puts rules in force.
pub(crate) fn apply(agent: &mut ServerAgent, now: Timestamp, changes: Vec<Change>) {
    for (presentity, rules) in changes {
        if let Err(problem) = agent.set_rules(now, &presentity, rules) {
            eprintln!("presence_server: rules of {presentity}: {problem}");
        }
    }
}

/// Tells what was found.
pub(crate) fn tell(problems: &[String], count: usize, changed: usize) {
    for problem in problems {
        eprintln!("presence_server: rules: {problem}");
    }
    say(format_args!(
        "rules of {count} presentities, {changed} changed"
    ));
}

/// Has the rules read again on each SIGHUP.
#[cfg(unix)]
pub(crate) fn on_hangup(again: mpsc::Sender<()>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // One that waits already will do.
            let _ = again.try_send(());
        }
    });
    Ok(())
}

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) fn on_hangup(_: mpsc::Sender<()>) -> io::Result<()> {
    Ok(())
}

/// Reads the rules again when it is told to, or when a file has changed, until the server is gone.
pub(crate) async fn keep_up(
    mut rules: RulesFolder,
    args: args::Rules,
    mut told: mpsc::Receiver<()>,
    commands: mpsc::Sender<ServerCommand>,
) {
    let mut look = interval_at(Instant::now() + LOOK, LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut complained = false;
    loop {
        let which = tokio::select! {
            told = told.recv() => match told {
                Some(()) => Which::All,
                None => return,
            },
            _ = look.tick(), if args.watched => Which::Changed,
        };
        let read = spawn_blocking(move || {
            let found = rules.read(which);
            (rules, found)
        });
        let Ok((again, found)) = read.await else {
            return;
        };
        rules = again;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                if which == Which::All || !complained {
                    let folder = args.folder.display();
                    eprintln!("presence_server: rules: {folder}: {error}; what is in force stays");
                }
                complained = true;
                continue;
            }
        };
        complained = false;
        if which == Which::All || !found.changes.is_empty() || !found.problems.is_empty() {
            // Told when they are in force.
            if put_in_force(found, &commands).await.is_err() {
                return;
            }
        }
    }
}

/// Puts what was found in force, some at a time, and tells it then.
async fn put_in_force(
    found: Found,
    commands: &mpsc::Sender<ServerCommand>,
) -> Result<(), mpsc::error::SendError<ServerCommand>> {
    let mut changes = found.changes.into_iter();
    let changed = changes.len();
    loop {
        let some: Vec<Change> = changes.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        let step: ServerCommand = Box::new(move |agent, _, now| apply(agent, now, some));
        commands.send(step).await?;
    }
    let last: ServerCommand = Box::new(move |_, server, _| {
        server.rules = found.count;
        tell(&found.problems, found.count, changed);
    });
    commands.send(last).await
}

#[cfg(test)]
mod tests {
    use presentity::rules::{Query, Rule, SubHandling};

    use super::*;

    /// A folder of its own, gone with it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let name = format!("presence-server-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn put(&self, name: &str, document: &[u8]) {
            fs::write(self.0.join(name), document).unwrap();
        }

        fn put_rule(&self, name: &str, rule: Rule) {
            let document = Ruleset::new().with_rule(rule).write().unwrap();
            self.put(name, &document);
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn for_bjarne(handling: SubHandling) -> Rule {
        Rule::new("r")
            .for_one("sip:bjarne@example.org")
            .handled(handling)
    }

    fn handling(change: &Change) -> Option<SubHandling> {
        let rules = change.1.as_ref()?;
        Some(rules.evaluate(&Query::of("bjarne@example.org")).handling)
    }

    fn names(found: &Found) -> Vec<&str> {
        let names = found.changes.iter().map(|(name, _)| name.as_str());
        names.collect()
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let place = Place::new("changes");
        place.put_rule("anna@example.org.xml", for_bjarne(SubHandling::Allow));
        place.put_rule("dora@EXAMPLE.org.xml", for_bjarne(SubHandling::Confirm));
        place.put("notes.txt", b"nothing");
        place.put(".#anna@example.org.xml", b"half a file");
        let (mut rules, found) = RulesFolder::open(&place.0).unwrap();
        assert_eq!(names(&found), ["anna@example.org", "dora@example.org"]);
        assert_eq!(handling(&found.changes[1]), Some(SubHandling::Confirm));
        assert_eq!((found.problems.len(), found.count), (0, 2));
        assert_eq!(names(&rules.read(Which::All).unwrap()), [""; 0]);
        assert_eq!(names(&rules.read(Which::Changed).unwrap()), [""; 0]);

        place.put_rule("anna@example.org.xml", for_bjarne(SubHandling::Block));
        fs::remove_file(place.0.join("dora@EXAMPLE.org.xml")).unwrap();
        let found = rules.read(Which::Changed).unwrap();
        assert_eq!(names(&found), ["dora@example.org", "anna@example.org"]);
        assert_eq!(handling(&found.changes[0]), None);
        assert_eq!(handling(&found.changes[1]), Some(SubHandling::Block));
        assert_eq!(found.count, 1);
    }

    #[test]
    fn a_bad_file_is_told_once_with_its_place_and_leaves_what_was_in_force() {
        let place = Place::new("bad");
        place.put_rule("anna@example.org.xml", for_bjarne(SubHandling::Allow));
        let (mut rules, _) = RulesFolder::open(&place.0).unwrap();
        let half = b"<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\">\n<rule";
        place.put("anna@example.org.xml", half);
        let found = rules.read(Which::Changed).unwrap();
        assert_eq!(names(&found), [""; 0]);
        let [problem] = &found.problems[..] else {
            panic!("{:?}", found.problems);
        };
        let there = ["anna@example.org.xml: ", "line 2", "in force stays"];
        assert!(there.iter().all(|word| problem.contains(word)), "{problem}");
        assert_eq!(rules.read(Which::Changed).unwrap().problems.len(), 0);
        assert_eq!(rules.read(Which::All).unwrap().problems.len(), 1);

        place.put_rule("anna@example.org.xml", for_bjarne(SubHandling::Allow));
        let found = rules.read(Which::Changed).unwrap();
        assert_eq!((found.changes.len(), found.problems.len()), (0, 0));
    }

    #[test]
    fn a_file_that_was_bad_from_the_start_shows_nothing_to_anybody() {
        let place = Place::new("bad-first");
        place.put("anna@example.org.xml", b"");
        place.put("nobody.xml", b"");
        let (mut rules, found) = RulesFolder::open(&place.0).unwrap();
        assert_eq!(names(&found), ["anna@example.org"]);
        assert_eq!(handling(&found.changes[0]), Some(SubHandling::Block));
        assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
        assert_eq!(rules.read(Which::Changed).unwrap().problems.len(), 0);
    }

    #[test]
    fn two_files_about_one_presentity_are_told() {
        let place = Place::new("twice");
        place.put_rule("anna@EXAMPLE.org.xml", for_bjarne(SubHandling::Allow));
        place.put_rule("anna@example.org.xml", for_bjarne(SubHandling::Block));
        let (_, found) = RulesFolder::open(&place.0).unwrap();
        assert_eq!(names(&found), ["anna@example.org"]);
        assert_eq!(handling(&found.changes[0]), Some(SubHandling::Allow));
        assert_eq!(found.problems.len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let place = Place::new("unknown");
        let document = for_bjarne(SubHandling::Allow);
        let document = Ruleset::new().with_rule(document).write().unwrap();
        let text = String::from_utf8(document.to_vec()).unwrap();
        let (head, rest) = text.split_once("<rule ").unwrap();
        let odd = "<rule id=\"odd\"><conditions><x:moon xmlns:x=\"urn:x\"/></conditions></rule>";
        place.put(
            "anna@example.org.xml",
            format!("{head}{odd}<rule {rest}").as_bytes(),
        );
        let (_, found) = RulesFolder::open(&place.0).unwrap();
        assert_eq!(handling(&found.changes[0]), Some(SubHandling::Allow));
        assert!(
            found.problems[0].contains("not understood"),
            "{:?}",
            found.problems
        );
    }
}
