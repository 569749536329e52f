//! Looks at presence documents: checks, shows, formats and compares them.
//!
//! ```console
//! $ cargo run --example pidf -- check [--strict] FILE...
//! $ cargo run --example pidf -- show FILE
//! $ cargo run --example pidf -- format [--compact] FILE
//! $ cargo run --example pidf -- diff OLD NEW
//! ```
//!
//! `-` stands for standard input. The exit status is 0 when all is well, 1 when a document was
//! refused (or, for `diff`, when there is a difference), 2 when the command is wrong.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use presentity::pidf::{Basic, Change, Note, Presence, ReadError, ReadOptions, Tolerated, Tuple};
use presentity::xml::{Element, Layout, Location, XmlLimits};

const USAGE: &str = "usage: pidf check [--strict] FILE...
       pidf show FILE
       pidf format [--compact] FILE
       pidf diff OLD NEW
(- is standard input)";

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let outcome = match Command::from_args() {
        Ok(command) => command.run(&mut out),
        Err(error) => {
            complain(format_args!("pidf: {error}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match outcome.and_then(|good| out.flush().map(|()| good)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads the output may stop when it has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("pidf: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Says something on standard error, if anybody reads it.
fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}

#[derive(Debug)]
enum Command {
    Help,
    Check { files: Vec<File>, strict: bool },
    Show(File),
    Format { file: File, layout: Layout },
    Diff(File, File),
}

impl Command {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let mut args = lexopt::Parser::from_env();
        let (mut name, mut files) = (None, Vec::new());
        let (mut strict, mut compact) = (false, false);
        while let Some(arg) = args.next()? {
            match arg {
                Long("strict") => strict = true,
                Long("compact") => compact = true,
                Long("help") | Short('h') => return Ok(Self::Help),
                Value(value) if name.is_none() => name = Some(value.string()?),
                Value(value) => files.push(File(value)),
                other => return Err(other.unexpected()),
            }
        }
        let name = name.ok_or("a command is missing")?;
        if strict && name != "check" || compact && name != "format" {
            return Err("that option belongs to another command".into());
        }
        let layout = match compact {
            true => Layout::Compact,
            false => Layout::Pretty,
        };
        let count = files.len();
        let mut files = files.into_iter();
        match (name.as_str(), count, files.next(), files.next()) {
            ("check", 1.., Some(first), second) => {
                let files = [first].into_iter().chain(second).chain(files).collect();
                Ok(Self::Check { files, strict })
            }
            ("show", 1, Some(file), None) => Ok(Self::Show(file)),
            ("format", 1, Some(file), None) => Ok(Self::Format { file, layout }),
            ("diff", 2, Some(old), Some(new)) => Ok(Self::Diff(old, new)),
            ("check" | "show" | "format" | "diff", ..) => {
                Err(format!("{name} does not take {count} files").into())
            }
            _ => Err(format!("there is no command {name}").into()),
        }
    }

    /// Whether all was well.
    fn run(self, out: &mut impl Write) -> io::Result<bool> {
        match self {
            Self::Help => writeln!(out, "{USAGE}").map(|()| true),
            Self::Check { files, strict } => {
                let mut good = true;
                for file in files {
                    good &= check(&file, strict, out)?;
                }
                Ok(good)
            }
            Self::Show(file) => with_document(&file, |document| show(document, out)),
            Self::Format { file, layout } => format(&file, layout, out),
            Self::Diff(old, new) => {
                let mut same = false;
                let read = with_document(&old, |old| {
                    with_document(&new, |new| {
                        same = diff(old, new, out)?;
                        Ok(())
                    })
                    .map(|_| ())
                })?;
                Ok(read && same)
            }
        }
    }
}

// ---- files ----------------------------------------------------------------------------------

#[derive(Debug)]
struct File(OsString);

impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_string_lossy())
    }
}

impl File {
    /// Its content, no more of it than shows that it is too long.
    fn content(&self) -> io::Result<Vec<u8>> {
        let enough = u64::try_from(XmlLimits::default().bytes).unwrap_or(u64::MAX) + 1;
        let mut content = Vec::new();
        if self.0 == "-" {
            io::stdin().lock().take(enough).read_to_end(&mut content)?;
        } else {
            std::fs::File::open(&self.0)?
                .take(enough)
                .read_to_end(&mut content)?;
        }
        Ok(content)
    }

    /// One line that a compiler might print.
    fn complain(&self, location: &Location, error: &str) -> String {
        let Location { line, column, .. } = location;
        // The place is said already.
        let place = format!("{location}: ");
        let error = error.strip_prefix(&place).unwrap_or(error);
        let within = match location.path.as_str() {
            "" => String::new(),
            path => format!(" (in {path})"),
        };
        format!("{self}:{line}:{column}: error: {error}{within}")
    }

    fn read(&self, strict: bool) -> Result<(Vec<u8>, Presence, Vec<Tolerated>), String> {
        let content = self
            .content()
            .map_err(|error| format!("{self}: error: {error}"))?;
        let mut options = match strict {
            true => ReadOptions::strict(),
            false => ReadOptions::default(),
        };
        // Each is counted, as far as anybody would.
        options.limits.reports = 100_000;
        match Presence::read_with(&content, &options) {
            Ok((document, tolerated)) => Ok((content, document, tolerated)),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    fn refusal(&self, error: &ReadError) -> String {
        self.complain(error.location(), &error.to_string())
    }
}

/// Whether the file could be read.
fn with_document(file: &File, then: impl FnOnce(&Presence) -> io::Result<()>) -> io::Result<bool> {
    match file.read(false) {
        Ok((_, document, _)) => then(&document).map(|()| true),
        Err(refusal) => {
            complain(format_args!("{refusal}"));
            Ok(false)
        }
    }
}

// ---- commands -------------------------------------------------------------------------------

fn check(file: &File, strict: bool, out: &mut impl Write) -> io::Result<bool> {
    match file.read(strict) {
        Ok((_, document, tolerated)) => {
            writeln!(
                out,
                "{file}: ok tuples={} persons={} devices={} extensions={} tolerated={}",
                document.tuples.len(),
                document.persons.len(),
                document.devices.len(),
                document.extensions_of_all().count(),
                tolerated.len()
            )?;
            Ok(true)
        }
        Err(refusal) => {
            writeln!(out, "{refusal}")?;
            Ok(false)
        }
    }
}

/// Layout and prefixes are all that changes, and comments, which are not kept: the tree is written,
/// not what presence is made of.
fn format(file: &File, layout: Layout, out: &mut impl Write) -> io::Result<bool> {
    let written = file.read(false).and_then(|(content, ..)| {
        let limits = XmlLimits::default();
        let tree = Element::read(&content, &limits)
            .map_err(|error| file.complain(error.location(), &error.to_string()))?;
        tree.write_as(layout)
            .map_err(|error| format!("{file}: error: {error}"))
    });
    match written {
        Ok(written) => {
            out.write_all(&written)?;
            writeln!(out)?;
            Ok(true)
        }
        Err(refusal) => {
            complain(format_args!("{refusal}"));
            Ok(false)
        }
    }
}

fn show(document: &Presence, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", named(&document.entity))?;
    for tuple in document.tuples_by_priority() {
        let id = plain(&tuple.id);
        writeln!(out, "  service {id}: {}", plain(availability(tuple)))?;
        if let Some(contact) = &tuple.contact {
            let uri = plain(&contact.uri);
            match contact.priority() {
                Some(priority) => writeln!(out, "    at {uri} (priority {priority})")?,
                None => writeln!(out, "    at {uri}")?,
            }
        }
        let extensions = tuple.status.extensions.iter().chain(&tuple.extensions);
        about(extensions, &tuple.notes, tuple.timestamp_text(), out)?;
    }
    for person in &document.persons {
        writeln!(out, "  person {}", plain(&person.id))?;
        about(
            &person.extensions,
            &person.notes,
            person.timestamp_text(),
            out,
        )?;
    }
    for device in &document.devices {
        let urn = plain(device.device_id_text().unwrap_or("unnamed"));
        writeln!(out, "  device {}: {urn}", plain(&device.id))?;
        about(
            &device.extensions,
            &device.notes,
            device.timestamp_text(),
            out,
        )?;
    }
    about(&document.extensions, &document.notes, None, out)
}

fn named(entity: &str) -> String {
    match entity {
        "" => "(nobody named)".to_owned(),
        entity => plain(entity),
    }
}

/// What a terminal shows and does not obey: documents are of strangers.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // They turn the direction of what comes after them.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => plain.extend(c.escape_debug()),
            c if c.is_control() => plain.extend(c.escape_debug()),
            c => plain.push(c),
        }
    }
    plain
}

fn availability(tuple: &Tuple) -> &str {
    match tuple.status.basic() {
        Some(Basic::Open) => "open",
        Some(Basic::Closed) => "closed",
        None => tuple.status.basic_text().unwrap_or("no basic status"),
    }
}

fn about<'e>(
    extensions: impl IntoIterator<Item = &'e Element>,
    notes: &[Note],
    changed: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    for extension in extensions {
        writeln!(out, "    {}", plain(&summary(extension)))?;
    }
    for note in notes {
        writeln!(out, "    \"{}\"", plain(note.text.trim()))?;
    }
    match changed {
        Some(changed) => writeln!(out, "    since {}", plain(changed)),
        None => Ok(()),
    }
}

/// An element in one line: its name, its text or those of the elements in it.
fn summary(element: &Element) -> String {
    let mut said = String::from(element.local());
    let text = element.text();
    let text = text.trim();
    if !text.is_empty() {
        said.push(' ');
        said.push_str(text);
    }
    for attribute in &element.attributes {
        let name = &attribute.name;
        said.push_str(&format!(" {}={}", name.local(), attribute.value));
    }
    let inner: Vec<String> = element.elements().map(summary).collect();
    if !inner.is_empty() {
        said.push_str(&format!(" ({})", inner.join(", ")));
    }
    said
}

/// Whether the documents say the same.
fn diff(old: &Presence, new: &Presence, out: &mut impl Write) -> io::Result<bool> {
    let difference = old.difference(new);
    if difference.entity {
        writeln!(
            out,
            "entity: {} -> {}",
            named(&old.entity),
            named(&new.entity)
        )?;
    }
    changes("tuple", &difference.tuples, |tuple| &tuple.id, out)?;
    changes("person", &difference.persons, |person| &person.id, out)?;
    changes("device", &difference.devices, |device| &device.id, out)?;
    for (what, differs) in [
        ("notes", difference.notes),
        ("extensions", difference.extensions),
        ("attributes", difference.attributes),
    ] {
        if differs {
            writeln!(out, "! {what}")?;
        }
    }
    Ok(difference.is_empty())
}

fn changes<T>(
    what: &str,
    changes: &[Change<'_, T>],
    id: impl Fn(&T) -> &str,
    out: &mut impl Write,
) -> io::Result<()> {
    for change in changes {
        match change {
            Change::Added(part) => writeln!(out, "+ {what} {}", plain(id(part)))?,
            Change::Removed(part) => writeln!(out, "- {what} {}", plain(id(part)))?,
            Change::Changed { after, .. } => writeln!(out, "! {what} {}", plain(id(after)))?,
            _ => {}
        }
    }
    Ok(())
}
