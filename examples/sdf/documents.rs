//! Looks at documents.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};

use bytes::Bytes;
use presentity::sdf::{MAX_REQUEST_LEN, ReadError, ReadOptions, Request, Wish};

use crate::complain;

/// A document's name, or `-` for standard input.
#[derive(Debug)]
pub(crate) struct File(pub(crate) OsString);

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string_lossy())
    }
}

impl File {
    /// Its content, no more of it than shows that it is too long; or what keeps it from being read.
    pub(crate) fn content(&self) -> Result<Bytes, String> {
        let enough = u64::try_from(MAX_REQUEST_LEN).unwrap_or(u64::MAX) + 1;
        let mut content = Vec::new();
        let read = if self.0 == "-" {
            io::stdin().lock().take(enough).read_to_end(&mut content)
        } else {
            let file = std::fs::File::open(&self.0);
            file.and_then(|file| file.take(enough).read_to_end(&mut content))
        };
        match read {
            Ok(_) => Ok(content.into()),
            Err(error) => Err(format!("{self}: error: {error}")),
        }
    }

    /// One line that a compiler might print.
    fn refusal(&self, error: &ReadError) -> String {
        let location = error.location();
        // The place is said already.
        let place = format!("{location}: ");
        let said = error.to_string();
        let said = said.strip_prefix(&place).unwrap_or(&said);
        let within = match location.path.as_str() {
            "" => String::new(),
            path => format!(" (in {path})"),
        };
        let (line, column) = (location.line, location.column);
        plain(&format!("{self}:{line}:{column}: error: {said}{within}"))
    }
}

/// Says what each document asks for, or why it was refused; whether none was.
pub(crate) fn check(files: &[File], out: &mut impl Write) -> io::Result<bool> {
    let mut good = true;
    for file in files {
        let read = file
            .content()
            .and_then(|content| Request::read(&content).map_err(|error| file.refusal(&error)));
        match read {
            Ok(request) => writeln!(
                out,
                "{file}: ok {} from={} to={}",
                asked(&request),
                request.watcher(),
                request.presentity()
            )?,
            Err(refusal) => {
                good = false;
                writeln!(out, "{refusal}")?;
            }
        }
    }
    Ok(good)
}

/// What a request asks for, in few words.
fn asked(request: &Request) -> String {
    match request.wish() {
        Wish::Hold { token, duration } => format!("subscribe duration={duration} token={token:?}"),
        Wish::Cancel { token } => format!("cancel token={token:?}"),
        Wish::Fetch => "fetch".to_owned(),
        _ => "something new".to_owned(),
    }
}

/// Prints the fields of a document, a line each, and what was put up with; whether it could be read.
pub(crate) fn show(file: &File, out: &mut impl Write) -> io::Result<bool> {
    let read = file.content().and_then(|content| {
        let read = Request::read_with(&content, &ReadOptions::tolerant());
        read.map_err(|error| file.refusal(&error))
    });
    let (request, tolerated) = match read {
        Ok(read) => read,
        Err(refusal) => {
            complain(format_args!("{refusal}"));
            return Ok(false);
        }
    };
    writeln!(out, "From: {}", request.from())?;
    writeln!(out, "To: {}", request.to())?;
    writeln!(out, "DateTime: {}", request.date_time_text())?;
    if let Some(token) = request.token() {
        writeln!(out, "Token: {token:?}")?;
    }
    writeln!(out, "Duration: {}", request.duration())?;
    for one in tolerated {
        writeln!(out, "tolerated: {}", plain(&one.to_string()))?;
    }
    Ok(true)
}

/// What a terminal shows and does not obey: documents are of strangers.
pub(crate) fn plain(text: &str) -> String {
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
