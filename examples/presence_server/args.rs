//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use crate::algorithm::Algorithm;
use crate::smime::Files;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A presence server for SIP phones, with its state in memory.

Usage: presence_server (--accounts FILE | --no-auth) [OPTIONS]

  --listen ADDR:PORT         Listen here with UDP and TCP; may be repeated; port 0
                             lets the system choose [default: 127.0.0.1:5060]
  --domain NAME              Serve presentities of this domain; may be repeated
                             [default: any]
  --accounts FILE            Ask for Digest credentials; a line is user:password,
                             # begins a comment
  --digest ALGORITHMS        What Digest offers, the preferred one first; clients that
                             know no SHA-256 may give up when they see it, and need
                             md5 alone [default: sha-256,md5]
  --no-auth                  Take From as the identity: for tests, on loopback only
  --policy POLICY            What a watcher gets who was not decided about: allow,
                             confirm (it waits), polite-block or block
                             [default: allow]
  --min-expires SECONDS      Shortest subscription and publication [default: 60]
  --max-expires SECONDS      Longest ones [default: 3600]
  --notify-interval SECONDS  Least time between two rounds of notifications about
                             one presentity [default: 5]
  --sign-with KEY,CERT       Sign documents for watchers who take that (S/MIME), with
                             this key; CERT, for the domain, may have a chain below it
  --encrypt-for DIR          Encrypt documents for watchers who take that, and whose
                             certificates are there, as user@domain.pem
  --trust FILE               Open what clients have signed; these are the authorities
                             whose word counts
  --open-with KEY,CERT       Open what clients have encrypted for this key
  --quiet                    Print no line for each change
  --help                     Print this

Keys and certificates are files in PEM; they take the Cargo feature smime. Commands
are read from standard input; `help` lists them.
";

/// What a watcher gets of whom nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultPolicy {
    Allow,
    Confirm,
    PoliteBlock,
    Block,
}

/// How peers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authentication {
    Accounts(PathBuf),
    None,
}

/// The options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) domains: Vec<String>,
    pub(crate) authentication: Authentication,
    pub(crate) digest: Vec<Algorithm>,
    pub(crate) policy: DefaultPolicy,
    pub(crate) min_expires: u32,
    pub(crate) max_expires: u32,
    pub(crate) notify_interval: Duration,
    pub(crate) files: Files,
    pub(crate) quiet: bool,
}

/// Reads the command line; nothing when help was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Args>, lexopt::Error> {
    let mut listen = Vec::new();
    let mut domains = Vec::new();
    let mut accounts = None;
    let mut no_auth = false;
    let mut digest = vec![Algorithm::Sha256, Algorithm::Md5];
    let mut policy = DefaultPolicy::Allow;
    let mut min_expires = 60;
    let mut max_expires = 3600;
    let mut notify_interval = Duration::from_secs(5);
    let mut files = Files::default();
    let mut quiet = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => listen.push(parser.value()?.parse()?),
            Long("domain") => domains.push(parser.value()?.string()?),
            Long("accounts") => accounts = Some(PathBuf::from(parser.value()?)),
            Long("no-auth") => no_auth = true,
            Long("digest") => digest = parser.value()?.parse_with(parse_digest)?,
            Long("policy") => policy = parser.value()?.parse_with(parse_policy)?,
            Long("min-expires") => min_expires = parser.value()?.parse()?,
            Long("max-expires") => max_expires = parser.value()?.parse()?,
            Long("notify-interval") => {
                notify_interval = Duration::from_secs(parser.value()?.parse::<u32>()?.into());
            }
            Long("sign-with") => files.sign_with = Some(parser.value()?.parse()?),
            Long("encrypt-for") => files.encrypt_for = Some(PathBuf::from(parser.value()?)),
            Long("trust") => files.trust = Some(PathBuf::from(parser.value()?)),
            Long("open-with") => files.decrypt_with = Some(parser.value()?.parse()?),
            Long("quiet") | Short('q') => quiet = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if listen.is_empty() {
        listen.push(SocketAddr::from(([127, 0, 0, 1], 5060)));
    }
    if min_expires > max_expires {
        return Err("--min-expires is above --max-expires".into());
    }
    let authentication = match (accounts, no_auth) {
        (Some(_), true) => return Err("--accounts and --no-auth exclude each other".into()),
        (Some(file), false) => Authentication::Accounts(file),
        (None, true) => Authentication::None,
        (None, false) => {
            return Err(
                "who may do what depends on who asks: give --accounts FILE for Digest \
                        authentication, or --no-auth to believe From (tests on loopback)"
                    .into(),
            );
        }
    };
    if authentication == Authentication::None
        && let Some(open) = listen.iter().find(|address| !address.ip().is_loopback())
    {
        return Err(format!("--no-auth is for loopback only, not for {open}").into());
    }
    let args = Args {
        listen,
        domains,
        authentication,
        digest,
        policy,
        min_expires,
        max_expires,
        notify_interval,
        files,
        quiet,
    };
    Ok(Some(args))
}

fn parse_policy(text: &str) -> Result<DefaultPolicy, String> {
    match text {
        "allow" => Ok(DefaultPolicy::Allow),
        "confirm" => Ok(DefaultPolicy::Confirm),
        "polite-block" => Ok(DefaultPolicy::PoliteBlock),
        "block" => Ok(DefaultPolicy::Block),
        _ => Err("it is one of allow, confirm, polite-block, block".into()),
    }
}

fn parse_digest(text: &str) -> Result<Vec<Algorithm>, String> {
    let parse = |name| Algorithm::parse(name).ok_or("it is a list of sha-256 and md5".to_owned());
    text.split(',').map(str::trim).map(parse).collect()
}
