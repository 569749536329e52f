//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;
use presentity::presence::Protection;
use presentity::sip::{Rate, Rates, Uri};
use rsipstack::sip::Transport;

use crate::client::digest::Credentials;
use crate::client::uris;
use crate::smime::Files;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Watches the presence of others until told to stop (SIGINT, SIGTERM).

Usage: watch URI... [OPTIONS]
       watch --winfo [URI] [--decide FILE] [OPTIONS]

  URI                    Whose presence: sip:user@domain, with ;transport=tcp where
                         its server is reached by TCP, or pres:user@domain
  --fetch                Ask once for each
  --expires SECONDS      How long to subscribe for, again and again [default: 3600]
  --max-rate RATE        Be told of no more changes than that in a second, such as 0.1
                         for one in 10 s
  --filter FILE          Be told only what this filter lets through
                         (application/simple-filter+xml)
  --partial              Take what has changed in a document instead of all of it,
                         where the server sends that
  --resume FILE          Begin with what the run before has left there, which is not
                         sent again unless it has changed, and leave there what is
                         known in the end; when it is not there it is made
  --from URI             Who watches [default: the user of --auth at the domain of the
                         first URI, else sip:anonymous@anonymous.invalid, or with
                         --winfo the URI]
  --winfo                Not whose presence, but who watches it and who asks to: of
                         your own URI [default: that of --from]
  --decide FILE          Write what you answer into this presence rules document,
                         which your server has to read; when it is not there it is
                         made, and everybody has to ask. Commands are read from
                         standard input; `help` lists them
  --proxy ADDR:PORT      Send everything there, by TCP with ;transport=tcp; a name
                         is looked up as an address
  --auth USER:PASSWORD   Answer Digest challenges
  --trust FILE           Say who signed each document (S/MIME), and whether by these
                         authorities, in PEM, one may believe it
  --require-signed       Believe only what the presentity or its domain has signed
  --decrypt-with KEY,CERT
                         Open what is encrypted for this key, in PEM
  --require-encrypted    Believe only what is signed so and encrypted as well
  --json                 Print a JSON object for each change
  --help                 Print this

On a terminal there is a table, which changes in place; elsewhere a line is
printed for each change, as it is with --decide. What is not believed is told as `refused`, and what was
known stays. The exit status is 1 when all are refused for good or, with --fetch,
one was not answered or what came is not believed; 2 when the command line is
wrong. The options for S/MIME take the Cargo feature smime.
";

/// The options.
#[derive(Debug)]
pub(crate) struct Args {
    /// The presentities, without the parameters that say how to reach their server.
    pub(crate) uris: Vec<String>,
    /// Where a URI names no transport.
    pub(crate) transport: Transport,
    pub(crate) fetch: bool,
    pub(crate) expires: Option<u32>,
    /// How often to be told.
    pub(crate) rates: Rates,
    /// What to be told.
    pub(crate) filter: Option<PathBuf>,
    /// Changes may come instead of documents.
    pub(crate) partial: bool,
    /// What one run leaves to the next.
    pub(crate) resume: Option<PathBuf>,
    pub(crate) from: String,
    /// A URI to route by.
    pub(crate) proxy: Option<String>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) files: Files,
    /// What documents have to be to be believed.
    pub(crate) demand: Protection,
    pub(crate) json: bool,
    /// Not who is watched is asked for, but who watches.
    pub(crate) winfo: bool,
    /// Where answers about watchers go.
    pub(crate) decide: Option<PathBuf>,
}

/// Reads the command line; nothing when help was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Args>, lexopt::Error> {
    let mut watched: Vec<(String, Option<Transport>)> = Vec::new();
    let mut fetch = false;
    let mut expires = None;
    let mut rates = Rates::NONE;
    let mut filter = None;
    let mut partial = false;
    let mut resume = None;
    let mut from = None;
    let mut proxy = None;
    let mut user = None;
    let mut credentials = None;
    let mut files = Files::default();
    let mut demand = Protection::None;
    let mut json = false;
    let mut winfo = false;
    let mut decide = None;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) => {
                let one = value.parse_with(parse_watched)?;
                if watched.iter().all(|(uri, _)| *uri != one.0) {
                    watched.push(one);
                }
            }
            Long("fetch") => fetch = true,
            Long("expires") => expires = Some(parser.value()?.parse()?),
            Long("max-rate") => rates = Rates::at_most(parser.value()?.parse_with(parse_rate)?),
            Long("filter") => filter = Some(PathBuf::from(parser.value()?)),
            Long("partial") => partial = true,
            Long("resume") => resume = Some(PathBuf::from(parser.value()?)),
            Long("from") => from = Some(parser.value()?.parse_with(parse_from)?),
            Long("proxy") => proxy = Some(parser.value()?.parse_with(uris::proxy)?),
            Long("auth") => {
                let text = parser.value()?.string()?;
                let problem = "it is USER:PASSWORD, the user without quotes and backslashes";
                credentials = Some(Credentials::parse(&text).ok_or(problem)?);
                user = text.split_once(':').map(|(user, _)| user.to_owned());
            }
            Long("trust") => files.trust = Some(parser.value()?.into()),
            Long("decrypt-with") => files.decrypt_with = Some(parser.value()?.parse()?),
            Long("require-signed") if demand.is_encrypted() => {}
            Long("require-signed") => demand = Protection::Signed,
            Long("require-encrypted") => demand = Protection::SignedAndEncrypted,
            Long("json") => json = true,
            Long("winfo") => winfo = true,
            Long("decide") => decide = Some(PathBuf::from(parser.value()?)),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if winfo && let (true, Some(own)) = (watched.is_empty(), &from) {
        watched.push(parse_watched(own)?);
    }
    let Some((first, _)) = watched.first() else {
        return Err("whose presence? Give a URI like sip:dora@example.com".into());
    };
    if expires == Some(0) {
        return Err("--expires is at least 1; --fetch asks once".into());
    }
    if demand != Protection::None && files.trust.is_none() {
        return Err("whose signatures count? Give --trust FILE".into());
    }
    if demand == Protection::SignedAndEncrypted && files.decrypt_with.is_none() {
        return Err("--require-encrypted needs the key: give --decrypt-with KEY,CERT".into());
    }
    if winfo {
        if watched.len() > 1 {
            return Err("--winfo is for one URI: your own".into());
        }
        if demand != Protection::None || files != Files::default() {
            return Err("who watches is told without S/MIME: leave out its options".into());
        }
    }
    if winfo && (!rates.is_none() || filter.is_some() || partial || resume.is_some()) {
        return Err("--max-rate, --filter, --partial and --resume do not go with --winfo".into());
    }
    if decide.is_some() && (!winfo || fetch) {
        return Err("--decide goes with --winfo, and not with --fetch".into());
    }
    let from = match from {
        Some(from) => from,
        None if winfo && user.is_none() => {
            let address = first.split_once(':').map_or("", |(_, address)| address);
            format!("sip:{address}")
        }
        None => parse_from(&default_from(user.as_deref(), first))
            .map_err(|_| "the user of --auth is not that of a URI: give --from URI")?,
    };
    let mut transports = watched.iter().filter_map(|(_, transport)| *transport);
    let transport = transports.next().unwrap_or(Transport::Udp);
    if transports.any(|other| other != transport) {
        return Err(
            "the URIs name several transports: give the other ones to another watch".into(),
        );
    }
    Ok(Some(Args {
        uris: watched.into_iter().map(|(uri, _)| uri).collect(),
        transport,
        fetch,
        expires,
        rates,
        filter,
        partial,
        resume,
        from,
        proxy,
        credentials,
        files,
        demand,
        json,
        winfo,
        decide,
    }))
}

/// A presentity, and the transport to its server where the URI can tell.
fn parse_watched(text: &str) -> Result<(String, Option<Transport>), String> {
    match Uri::parse(text) {
        Ok(Uri::Pres(uri)) => Ok((format!("pres:{}@{}", uri.local(), uri.domain()), None)),
        _ => uris::address_of_record(text).map(|(uri, transport)| (uri, Some(transport))),
    }
}

fn parse_rate(text: &str) -> Result<Rate, &'static str> {
    Rate::parse(text).ok_or("it is a number above 0 and below 100, such as 0.2")
}

fn parse_from(text: &str) -> Result<String, String> {
    match Uri::parse(text) {
        Ok(Uri::Sip(uri)) if uri.user().is_some() && uri.headers().is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err("it is a URI like sip:dora@example.com".to_owned()),
    }
}

fn default_from(user: Option<&str>, first: &str) -> String {
    let domain = first.rsplit_once('@').map_or(first, |(_, domain)| domain);
    let domain = domain.trim_start_matches("sip:");
    match user {
        None => "sip:anonymous@anonymous.invalid".to_owned(),
        // Some have their address for a name.
        Some(user) if user.contains('@') => format!("sip:{user}"),
        Some(user) => format!("sip:{user}@{domain}"),
    }
}
