//! The command line.

use std::ffi::OsString;

use lexopt::prelude::*;
use presentity::sdf::{Request, Token};
use time::OffsetDateTime;

use crate::documents::File;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
usage: sdf check FILE...
       sdf show FILE
       sdf new --from URI --to URI [--token TEXT] --duration SECONDS

check  Reads documents strictly and says what each asks for, or what is wrong.
show   Prints the fields of a document, and what is odd about it.
new    Prints a document, made now: for a duration above 0 a request to subscribe,
       with a random token unless one is given; for 0 one to cancel the subscription
       with that token, or to fetch the state when there is none. URIs are pres URIs.

FILE may be - for standard input. The exit status is 1 when a document was refused,
2 when the command line is wrong.
";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    /// Print the usage.
    Help,
    /// Say what documents ask for.
    Check(Vec<File>),
    /// Print the fields of a document.
    Show(File),
    /// Print this document.
    New(Request),
}

/// Reads the command line, without the name of the program.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut args = lexopt::Parser::from_args(args);
    let command = match args.next()? {
        Some(Value(command)) => command.string()?,
        Some(Long("help") | Short('h')) => return Ok(Command::Help),
        Some(other) => return Err(other.unexpected()),
        None => return Err("a command is missing".into()),
    };
    match command.as_str() {
        "check" => match files(args)? {
            Some(files) if files.is_empty() => Err("check takes at least one file".into()),
            Some(files) => Ok(Command::Check(files)),
            None => Ok(Command::Help),
        },
        "show" => match files(args)?.map(<[File; 1]>::try_from) {
            Some(Ok([file])) => Ok(Command::Show(file)),
            Some(Err(_)) => Err("show takes one file".into()),
            None => Ok(Command::Help),
        },
        "new" => new(args),
        other => Err(format!("there is no command {other}").into()),
    }
}

/// Files alone, or none when help is asked for.
fn files(mut args: lexopt::Parser) -> Result<Option<Vec<File>>, lexopt::Error> {
    let mut files = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Value(file) => files.push(File(file)),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(files))
}

fn new(mut args: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut from, mut to, mut token, mut duration) = (None, None, None, None);
    while let Some(arg) = args.next()? {
        match arg {
            Long("from") => from = Some(args.value()?.string()?),
            Long("to") => to = Some(args.value()?.string()?),
            Long("token") => {
                let text = args.value()?.string()?;
                token = Some(Token::new(&text).map_err(|error| error.to_string())?);
            }
            Long("duration") => duration = Some(args.value()?.parse()?),
            Long("help") | Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    let from = from.ok_or("--from is missing")?;
    let to = to.ok_or("--to is missing")?;
    let duration = duration.ok_or("--duration is missing")?;
    request(&from, &to, token, duration).map(Command::New)
}

/// A request of now.
pub(crate) fn request(
    from: &str,
    to: &str,
    token: Option<Token>,
    duration: u32,
) -> Result<Request, lexopt::Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the library reads no clock; a program does"
    )]
    let now = OffsetDateTime::now_utc();
    let made = match (token, duration) {
        (None, 0) => Request::fetch(from, to, now),
        (Some(token), 0) => Request::cancel(from, to, now, &token),
        (Some(token), _) => Request::subscribe(from, to, now, &token, duration),
        (None, _) => Request::subscribe(from, to, now, &random_token()?, duration),
    };
    made.map_err(|error| error.to_string().into())
}

fn random_token() -> Result<Token, lexopt::Error> {
    let mut failed = None;
    let token = Token::random(&mut |buffer: &mut [u8]| failed = getrandom::fill(buffer).err());
    match failed {
        None => Ok(token),
        Some(error) => Err(format!("no random token: {error}").into()),
    }
}
