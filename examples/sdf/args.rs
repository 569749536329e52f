//! The command line.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;
use presentity::sdf::{Request, Token};
use presentity::sip::Uri;

use crate::clock::utc;
use crate::documents::File;
use crate::http::Endpoint;
use crate::{ANYWHERE, request, serve};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
usage: sdf check FILE...
       sdf show FILE
       sdf new --from URI --to URI [--token TEXT] --duration SECONDS
       sdf demo
       sdf serve [--listen ADDRESS:PORT] [--state FILE]... [--allow URI|everybody]...
                 [--for SECONDS]
       sdf request --to URL [--listen ADDRESS:PORT] [--for SECONDS] FILE...

check    Reads documents strictly and says what each asks for, or what is wrong.
show     Prints the fields of a document, and what is odd about it.
new      Prints a document, made now: for a duration above 0 a request to subscribe,
         with a random token unless one is given; for 0 one to cancel the subscription
         with that token, or to fetch the state when there is none. URIs are pres URIs.
demo     Runs a service and a watcher, who subscribes, extends, fetches and cancels.
serve    Serves subscriptions on a free port of 127.0.0.1, or on another loopback
         address. --state names presence documents of presentities, --allow who may
         watch: by default nobody. Lines of input change states: open URI, closed URI,
         note URI [TEXT]; quit ends it. WARNING: whom a document names in From is
         believed, there is no authentication.
request  Posts documents to such a service and prints what is answered, then the
         notifications, until the last subscription is over.

FILE may be - for standard input. The exit status is 1 when a document was refused
or something went wrong, 2 when the command line is wrong.

In HTTP a document is the body of POST /, its type application/cpim-subscription. The
field Notify-To has the http URL, of a loopback address, that takes notifications; only
a cancellation needs none. In the answer to what was carried out, a 200, the field
Duration has the seconds granted; other answers say why not. A notification is a POST of
application/pidf+xml with the fields Watcher, Presentity and, unless it is that of a
fetch, Token (encoded as in a form) and Duration (seconds left). Its answer is a 2xx, or
410 from a watcher that wants no more.
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
    /// Show a whole run.
    Demo,
    /// Serve subscriptions.
    Serve(serve::Args),
    /// Send documents to a service.
    Request(request::Args),
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
        "demo" => match files(args)? {
            Some(files) if files.is_empty() => Ok(Command::Demo),
            Some(_) => Err("demo takes no file".into()),
            None => Ok(Command::Help),
        },
        "serve" => serve(args),
        "request" => request(args),
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
    document(&from, &to, token, duration).map(Command::New)
}

fn serve(mut args: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut serve = serve::Args {
        listen: ANYWHERE,
        states: Vec::new(),
        everybody: false,
        allowed: BTreeSet::new(),
        lasting: None,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("listen") => serve.listen = loopback(&mut args)?,
            Long("state") => serve.states.push(args.value()?.into()),
            Long("allow") => match args.value()?.string()?.as_str() {
                "everybody" => serve.everybody = true,
                uri => {
                    let name = Uri::parse(uri).ok().and_then(|uri| uri.address_of_record());
                    let name = name.ok_or_else(|| format!("{uri:?} names nobody"))?;
                    serve.allowed.insert(name);
                }
            },
            Long("for") => serve.lasting = Some(seconds(&mut args)?),
            Long("help") | Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Serve(serve))
}

fn request(mut args: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut to, mut listen, mut lasting, mut files) = (None, None, None, Vec::new());
    while let Some(arg) = args.next()? {
        match arg {
            Long("to") => {
                let url = args.value()?.string()?;
                let endpoint = Endpoint::parse(&url);
                to = Some(endpoint.map_err(|why| format!("{url:?} is {why}"))?);
            }
            Long("listen") => listen = Some(loopback(&mut args)?),
            Long("for") => lasting = Some(seconds(&mut args)?),
            Value(file) => files.push(File(file)),
            Long("help") | Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if files.is_empty() {
        return Err("request takes at least one file".into());
    }
    Ok(Command::Request(request::Args {
        to: to.ok_or("--to is missing")?,
        listen,
        lasting,
        files,
    }))
}

/// An address of this machine: what is here is not for a network.
fn loopback(args: &mut lexopt::Parser) -> Result<SocketAddr, lexopt::Error> {
    let address: SocketAddr = args.value()?.parse()?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(format!("{address} is no loopback address").into())
    }
}

fn seconds(args: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    let seconds: u32 = args.value()?.parse()?;
    Ok(Duration::from_secs(seconds.into()))
}

/// A request of now.
pub(crate) fn document(
    from: &str,
    to: &str,
    token: Option<Token>,
    duration: u32,
) -> Result<Request, lexopt::Error> {
    let now = utc();
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
