//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use presentity::presence::Migration;

use crate::algorithm::Algorithm;
use crate::smime::Files;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A presence server for SIP phones, with its state in memory.

Usage: presence_server (--accounts FILE | --no-auth) [OPTIONS]

  --listen ADDR:PORT         Listen here with UDP and TCP; may be repeated; port 0
                             lets the system choose [default: 127.0.0.1:5060]
  --tls ADDR:PORT            Listen here with TLS, too; may be repeated. The server
                             connects to nobody by TLS: it reaches clients on the
                             connections that they make, so not through proxies
  --tls-cert FILE            Its certificate, for the names that clients know the
                             server by, and the chain below it
  --tls-key FILE             The key of that
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
  --rules DIR                Who may see what of whom: presence rules (RFC 5025) of
                             each presentity in a file user@domain.xml, which come
                             before --policy; they are read again on SIGHUP
  --watch-rules              Read them again when a file has changed, too
  --presence-from-registrations
                             What is registered for a user is part of its presence
  --show-contacts            Show the contacts of registered devices, and not the
                             address of their user in their place
  --compose HOW              One document of what several sources say: union (side by
                             side), device (one entry for each device) or person (the
                             same, with one person) [default: union]
  --no-winfo                 Serve no watcher information
  --migrate WHO              Hand watchers over to the one device of a presentity:
                             never, declared (one that has registered as a presence
                             agent), or any [default: never]
  --follow-agents            Subscribe to devices that have registered as presence
                             agents, and compose what they say
  --account URI              Who subscribes there [default: sip:presence@ the first
                             domain, or the address that is listened on]
  --min-expires SECONDS      Shortest subscription and publication [default: 60]
  --max-expires SECONDS      Longest ones [default: 3600]
  --notify-interval SECONDS  Least time between two rounds of notifications about
                             one presentity [default: 5]
  --max-subscriptions N      How many there may be [default: 2000000]
  --max-publications N       Likewise [default: 1000000]
  --max-watchers-per-presentity N
                             Likewise [default: 200000]
  --max-body OCTETS          The longest body that is taken [default: 65536]
  --metrics ADDR:PORT        Tell whoever asks there, by HTTP, what was counted, at
                             /metrics in the format of OpenMetrics
  --sign-with KEY,CERT       Sign documents for watchers who take that (S/MIME), with
                             this key; CERT, for the domain, may have a chain below it
  --encrypt-for DIR          Encrypt documents for watchers who take that, and whose
                             certificates are there, as user@domain.pem
  --trust FILE               Open what clients have signed; these are the authorities
                             whose word counts
  --open-with KEY,CERT       Open what clients have encrypted for this key
  --quiet                    Print no line for each change
  --help                     Print this

What devices have registered decides where --migrate and --follow-agents lead, so that
both take --presence-from-registrations, like --show-contacts. Keys and certificates are
files in PEM; all but those of --tls take the Cargo feature smime. Commands are read from standard input;
`help` lists them.
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

/// Where the server listens by TLS, and what it shows there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secured {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How what several sources say becomes one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compose {
    Union,
    Device,
    Person,
}

/// Presence rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) folder: PathBuf,
    /// Whether its files are looked at every second.
    pub(crate) watched: bool,
}

/// Where presence comes from beside publications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) registrations: bool,
    pub(crate) shows_contacts: bool,
    pub(crate) compose: Compose,
    pub(crate) migration: Migration,
    pub(crate) follows_agents: bool,
    pub(crate) account: Option<String>,
}

/// Bounds; nothing for the library's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    pub(crate) subscriptions: Option<usize>,
    pub(crate) publications: Option<usize>,
    pub(crate) watchers_per_presentity: Option<usize>,
    pub(crate) body: Option<usize>,
}

/// The options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) tls: Option<Secured>,
    pub(crate) domains: Vec<String>,
    pub(crate) authentication: Authentication,
    pub(crate) digest: Vec<Algorithm>,
    pub(crate) policy: DefaultPolicy,
    pub(crate) rules: Option<Rules>,
    pub(crate) sources: Sources,
    pub(crate) watcher_info: bool,
    pub(crate) min_expires: u32,
    pub(crate) max_expires: u32,
    pub(crate) notify_interval: Duration,
    pub(crate) bounds: Bounds,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) files: Files,
    pub(crate) quiet: bool,
}

/// Reads the command line; nothing when help was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Args>, lexopt::Error> {
    let mut listen = Vec::new();
    let mut tls = Vec::new();
    let mut tls_certificate = None;
    let mut tls_key = None;
    let mut domains = Vec::new();
    let mut accounts = None;
    let mut no_auth = false;
    let mut digest = vec![Algorithm::Sha256, Algorithm::Md5];
    let mut policy = DefaultPolicy::Allow;
    let mut rules = None;
    let mut watch_rules = false;
    let mut sources = Sources {
        registrations: false,
        shows_contacts: false,
        compose: Compose::Union,
        migration: Migration::Never,
        follows_agents: false,
        account: None,
    };
    let mut watcher_info = true;
    let mut bounds = Bounds::default();
    let mut metrics = None;
    let mut min_expires = 60;
    let mut max_expires = 3600;
    let mut notify_interval = Duration::from_secs(5);
    let mut files = Files::default();
    let mut quiet = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => listen.push(parser.value()?.parse()?),
            Long("tls") => tls.push(parser.value()?.parse()?),
            Long("tls-cert") => tls_certificate = Some(PathBuf::from(parser.value()?)),
            Long("tls-key") => tls_key = Some(PathBuf::from(parser.value()?)),
            Long("domain") => domains.push(parser.value()?.string()?),
            Long("accounts") => accounts = Some(PathBuf::from(parser.value()?)),
            Long("no-auth") => no_auth = true,
            Long("digest") => digest = parser.value()?.parse_with(parse_digest)?,
            Long("policy") => policy = parser.value()?.parse_with(parse_policy)?,
            Long("rules") => rules = Some(PathBuf::from(parser.value()?)),
            Long("watch-rules") => watch_rules = true,
            Long("presence-from-registrations") => sources.registrations = true,
            Long("show-contacts") => sources.shows_contacts = true,
            Long("compose") => sources.compose = parser.value()?.parse_with(parse_compose)?,
            Long("no-winfo") => watcher_info = false,
            Long("migrate") => sources.migration = parser.value()?.parse_with(parse_migration)?,
            Long("follow-agents") => sources.follows_agents = true,
            Long("account") => sources.account = Some(parser.value()?.string()?),
            Long("max-subscriptions") => bounds.subscriptions = Some(parser.value()?.parse()?),
            Long("max-publications") => bounds.publications = Some(parser.value()?.parse()?),
            Long("max-watchers-per-presentity") => {
                bounds.watchers_per_presentity = Some(parser.value()?.parse()?);
            }
            Long("max-body") => bounds.body = Some(parser.value()?.parse()?),
            Long("metrics") => metrics = Some(parser.value()?.parse()?),
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
    let tls = secured(tls, tls_certificate, tls_key)?;
    if min_expires > max_expires {
        return Err("--min-expires is above --max-expires".into());
    }
    let rules = match (rules, watch_rules) {
        (None, true) => return Err("--watch-rules takes --rules DIR".into()),
        (folder, watched) => folder.map(|folder| Rules { folder, watched }),
    };
    let takes_registrations = [
        (sources.shows_contacts, "--show-contacts"),
        (sources.migration != Migration::Never, "--migrate"),
        (sources.follows_agents, "--follow-agents"),
    ];
    let lacking = takes_registrations.iter().find(|(asked, _)| *asked);
    if let (false, Some((_, option))) = (sources.registrations, lacking) {
        return Err(format!("{option} takes --presence-from-registrations").into());
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
        && let Some(open) = (listen.iter())
            .chain(tls.iter().flat_map(|tls| &tls.addresses))
            .find(|address| !address.ip().is_loopback())
    {
        return Err(format!("--no-auth is for loopback only, not for {open}").into());
    }
    let args = Args {
        listen,
        tls,
        domains,
        authentication,
        digest,
        policy,
        rules,
        sources,
        watcher_info,
        min_expires,
        max_expires,
        notify_interval,
        bounds,
        metrics,
        files,
        quiet,
    };
    Ok(Some(args))
}

/// What the three options about TLS come to, each of which is nothing without the others.
fn secured(
    addresses: Vec<SocketAddr>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Secured>, &'static str> {
    match (addresses.is_empty(), certificate, key) {
        (true, None, None) => Ok(None),
        (false, Some(certificate), Some(key)) => Ok(Some(Secured {
            addresses,
            certificate,
            key,
        })),
        _ => Err("--tls, --tls-cert and --tls-key take each other"),
    }
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

fn parse_compose(text: &str) -> Result<Compose, String> {
    match text {
        "union" => Ok(Compose::Union),
        "device" => Ok(Compose::Device),
        "person" => Ok(Compose::Person),
        _ => Err("it is one of union, device, person".into()),
    }
}

fn parse_migration(text: &str) -> Result<Migration, String> {
    match text {
        "never" => Ok(Migration::Never),
        "declared" => Ok(Migration::ToDeclared),
        "any" => Ok(Migration::ToAny),
        _ => Err("it is one of never, declared, any".into()),
    }
}

fn parse_digest(text: &str) -> Result<Vec<Algorithm>, String> {
    let parse = |name| Algorithm::parse(name).ok_or("it is a list of sha-256 and md5".to_owned());
    text.split(',').map(str::trim).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Args, String> {
        let arguments = ["--no-auth"].iter().chain(arguments).map(OsString::from);
        match parse(arguments) {
            Ok(Some(args)) => Ok(args),
            Ok(None) => Err("help".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn without_options_nothing_is_there_but_watcher_information() {
        let args = parsed(&[]).unwrap();
        assert_eq!(args.rules, None);
        assert_eq!(args.sources.compose, Compose::Union);
        assert_eq!(args.sources.migration, Migration::Never);
        assert!(!args.sources.registrations && !args.sources.follows_agents);
        assert!(args.watcher_info);
        assert_eq!((args.bounds, args.metrics), (Bounds::default(), None));
    }

    #[test]
    fn what_is_asked_for_is_there() {
        let args = parsed(&[
            "--rules",
            "who",
            "--watch-rules",
            "--presence-from-registrations",
            "--show-contacts",
            "--compose=person",
            "--no-winfo",
            "--migrate=any",
            "--follow-agents",
            "--account=sip:agent@example.org",
            "--max-subscriptions=7",
            "--max-publications=8",
            "--max-watchers-per-presentity=9",
            "--max-body=10",
            "--metrics=127.0.0.1:9",
        ]);
        let args = args.unwrap();
        let folder = PathBuf::from("who");
        let watched = true;
        assert_eq!(args.rules, Some(Rules { folder, watched }));
        assert_eq!(args.sources.compose, Compose::Person);
        assert_eq!(args.sources.migration, Migration::ToAny);
        assert_eq!(
            args.sources.account.as_deref(),
            Some("sip:agent@example.org")
        );
        assert!(args.sources.registrations && args.sources.shows_contacts);
        assert!(args.sources.follows_agents && !args.watcher_info);
        let bounds = Bounds {
            subscriptions: Some(7),
            publications: Some(8),
            watchers_per_presentity: Some(9),
            body: Some(10),
        };
        assert_eq!(args.bounds, bounds);
        assert_eq!(args.metrics, Some(SocketAddr::from(([127, 0, 0, 1], 9))));
    }

    #[test]
    fn tls_has_addresses_of_its_own() {
        let options = ["--tls=127.0.0.1:5061", "--tls=[::1]:0"];
        let files = ["--tls-cert=chain.pem", "--tls-key=a.key"];
        let args = parsed(&[options, files].concat()).unwrap();
        let v4 = SocketAddr::from(([127, 0, 0, 1], 5061));
        let v6 = "[::1]:0".parse().unwrap();
        assert_eq!(
            args.tls,
            Some(Secured {
                addresses: vec![v4, v6],
                certificate: "chain.pem".into(),
                key: "a.key".into(),
            })
        );
        assert_eq!(args.listen, [SocketAddr::from(([127, 0, 0, 1], 5060))]);
        assert_eq!(parsed(&[]).unwrap().tls, None);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (arguments, word) in [
            (&["--watch-rules"][..], "--rules"),
            (&["--migrate=declared"], "--presence-from-registrations"),
            (&["--follow-agents"], "--presence-from-registrations"),
            (&["--show-contacts"], "--presence-from-registrations"),
            (&["--compose=all"], "union"),
            (&["--tls=127.0.0.1:5061"], "--tls-cert"),
            (&["--tls=127.0.0.1:5061", "--tls-key=k"], "--tls-cert"),
            (&["--tls-cert=c", "--tls-key=k"], "--tls,"),
            (&["--tls=nowhere"], "socket address"),
            (
                &["--tls=192.0.2.1:5061", "--tls-cert=c", "--tls-key=k"],
                "not for 192.0.2.1:5061",
            ),
            (&["--migrate=all"], "never"),
            (&["--max-body=-1"], "digit"),
            (&["--metrics=nowhere"], "socket address"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(word), "{arguments:?}: {error}");
        }
    }
}
