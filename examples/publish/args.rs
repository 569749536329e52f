//! The command line, and the lines of standard input.

use std::ffi::OsString;

use lexopt::prelude::*;
use presentity::pidf::Basic;
use presentity::pidf::rpid::Activity;
use rsipstack::sip::Transport;

use crate::client::digest::Credentials;
use crate::client::uris;
use crate::state::State;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Publishes presence, keeps it fresh, and takes it back at the end (SIGINT, SIGTERM).

Usage: publish URI [open|closed] [OPTIONS]

  URI                    Whose presence: sip:user@domain; with ;transport=tcp its
                         server is reached by TCP
  --note TEXT            For people
  --activity NAME        As in RFC 4480: away, busy, meeting, on-the-phone, ...
  --partial              Send what has changed only (RFC 5264); where the server says
                         that it does not take that, everything. Some say nothing and
                         show nothing: use it where you know the server
  --expires SECONDS      How long it lasts unless refreshed [default: 3600]
  --proxy ADDR:PORT      Send everything there, by TCP with ;transport=tcp; a name
                         is looked up as an address
  --auth USER:PASSWORD   Answer Digest challenges
  --watch-stdin          Read new states from standard input, a line each, and
                         stop at its end:
                           open [NOTE]    closed [NOTE]
                           activity NAME  activity (none any more)
                           quit
  --verbose              Print how many octets of state each request carries
  --help                 Print this

A line is printed for each thing that happens. The exit status is 1 when the
first publication is refused, 2 when the command line is wrong.
";

/// The options.
#[derive(Debug)]
pub(crate) struct Args {
    /// The presentity, without the parameters that say how to reach its server.
    pub(crate) uri: String,
    /// Where a URI names no transport.
    pub(crate) transport: Transport,
    pub(crate) state: State,
    /// Tells what has changed, not everything each time.
    pub(crate) partial: bool,
    pub(crate) expires: u32,
    /// A URI to route by.
    pub(crate) proxy: Option<String>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) watch_stdin: bool,
    pub(crate) verbose: bool,
}

/// What a line of standard input asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    Become(Basic, String),
    Do(Option<Activity>),
    Quit,
}

/// Reads the command line; nothing when help was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Args>, lexopt::Error> {
    let mut uri = None;
    let mut basic = None;
    let mut note = String::new();
    let mut activity = None;
    let mut partial = false;
    let mut expires = 3600;
    let mut proxy = None;
    let mut credentials = None;
    let mut watch_stdin = false;
    let mut verbose = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) if uri.is_none() => uri = Some(value.parse_with(uris::address_of_record)?),
            Value(value) if basic.is_none() => basic = Some(value.parse_with(parse_basic)?),
            Long("note") => note = parser.value()?.string()?,
            Long("activity") => activity = Some(parser.value()?.parse_with(parse_activity)?),
            Long("partial") => partial = true,
            Long("expires") => expires = parser.value()?.parse()?,
            Long("proxy") => proxy = Some(parser.value()?.parse_with(uris::proxy)?),
            Long("auth") => {
                let problem = "it is USER:PASSWORD, the user without quotes and backslashes";
                let parse = |text: &str| Credentials::parse(text).ok_or(problem);
                credentials = Some(parser.value()?.parse_with(parse)?);
            }
            Long("watch-stdin") => watch_stdin = true,
            Long("verbose") | Short('v') => verbose = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    let (uri, transport) = uri.ok_or("whose presence? Give a URI like sip:dora@example.com")?;
    if expires == 0 {
        return Err("--expires is at least 1".into());
    }
    let state = State {
        basic: basic.unwrap_or(Basic::Open),
        note,
        activity,
    };
    Ok(Some(Args {
        uri,
        transport,
        state,
        partial,
        expires,
        proxy,
        credentials,
        watch_stdin,
        verbose,
    }))
}

/// Reads a line of standard input; nothing when it is empty.
pub(crate) fn parse_line(line: &str) -> Result<Option<Wish>, String> {
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let wish = match verb {
        "" => return Ok(None),
        "quit" => Wish::Quit,
        "activity" if rest.is_empty() => Wish::Do(None),
        "activity" => Wish::Do(Some(parse_activity(rest)?)),
        _ => Wish::Become(parse_basic(verb)?, rest.to_owned()),
    };
    Ok(Some(wish))
}

fn parse_basic(text: &str) -> Result<Basic, String> {
    match text {
        "open" => Ok(Basic::Open),
        "closed" => Ok(Basic::Closed),
        _ => Err(format!("neither open nor closed: {text:?}")),
    }
}

fn parse_activity(text: &str) -> Result<Activity, String> {
    Activity::from_name(text).ok_or(format!("no activity is named {text:?}"))
}
