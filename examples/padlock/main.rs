//! Bob's presence says that he can be talked to in private; Ana sees the padlock, gets his certificate,
//! judges it, and sends him a message that nobody else can read: in one process, over real sockets.
//!
//! ```text
//! cargo run --example padlock --features smime
//! cargo run --example padlock --features smime -- --attack replay
//! ```
//!
//! Keys and certificates are made by OpenSSL and thrown away. [`world`] has who takes part; each is a role
//! of the library ([`roles`]) on sockets of its own, in the loop of [`party`], which hosts have in some form.
//! [`plain`] tells how it goes, [`attacks`] what [`mallory`] does to it. The sockets are those of
//! `../client`; all are on 127.0.0.1, on ports of the system's choice.
//!
//! That nobody else reaches them stands for Digest and TLS here; see `../presence_server` for the former.

#[path = "../adapter/mod.rs"]
#[allow(dead_code, reason = "most of it is for servers")]
mod adapter;
#[path = "../digest/algorithm.rs"]
#[allow(dead_code, reason = "nobody is challenged here")]
mod algorithm;
#[path = "../client/mod.rs"]
#[allow(dead_code, reason = "nobody is challenged here")]
mod client;
#[path = "../terminal/mod.rs"]
#[allow(dead_code, reason = "nothing is read here")]
mod terminal;

mod attacks;
mod mallory;
mod party;
mod people;
mod phone;
mod plain;
mod roles;
mod steps;
mod web;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use tokio::time::timeout;

use terminal::say;

/// All of it takes a few seconds at most.
const LIMIT: Duration = Duration::from_secs(30);

const HELP: &str = "\
Bob publishes that he has a certificate. Ana sees it, fetches it by SIP and by
HTTP, judges it, and sends Bob an encrypted message. All on loopback.

Usage: padlock [--attack NAME]

  --attack NAME   Show what becomes of an attack instead:
                    src       Bob's document leads to Mallory's certificate
                    replay    an old signed document is told once more
                    san       certificates and signatures in other names
                    unsigned  the signature is taken off
  --help          Print this

Each step is a line with a check mark, or \"refused:\" with the reason for which
the library refuses what Mallory has done. The exit status is 1 when a step does
not come out as it should, or an attack works; 2 when the command line is wrong.
";

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Clone, Copy)]
enum Show {
    Plain,
    Src,
    Replay,
    San,
    Unsigned,
}

fn main() -> ExitCode {
    let show = match parse(std::env::args_os().skip(1)) {
        Ok(Some(show)) => show,
        Ok(None) => {
            say(HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("padlock: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match run(show) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("padlock: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; nothing when help was asked for.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Show>, lexopt::Error> {
    let mut show = Show::Plain;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("attack") => {
                show = parser.value()?.parse_with(|name| match name {
                    "src" => Ok(Show::Src),
                    "replay" => Ok(Show::Replay),
                    "san" => Ok(Show::San),
                    "unsigned" => Ok(Show::Unsigned),
                    _ => Err("it is src, replay, san or unsigned"),
                })?;
            }
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(show))
}

fn run(show: Show) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let shown = runtime.block_on(async {
        let shown = timeout(LIMIT, async {
            match show {
                Show::Plain => plain::run().await,
                Show::Src => attacks::src().await,
                Show::Replay => attacks::replay().await,
                Show::San => attacks::san().await,
                Show::Unsigned => attacks::unsigned().await,
            }
        });
        shown.await
    });
    // Whoever is still there waits for nothing that matters.
    runtime.shutdown_background();
    shown.unwrap_or_else(|_| Err("it took too long".into()))
}
