//! Watches the presence of others from the command line: the watcher of this crate on a real SIP stack.
//!
//! ```text
//! cargo run --example watch -- sip:dora@example.com sip:emil@example.com --auth ana:secret
//! ```
//!
//! On a terminal there is a table that changes in place, elsewhere a line for each change, or a JSON object
//! with `--json`. `../client` has what any client on this stack needs, `../smime` the keys; [`run`] has the
//! loop that each host of a watcher has in some form.
//!
//! Built with the feature `smime` it opens documents that are signed or encrypted, and can demand it:
//!
//! ```text
//! cargo run --features smime --example watch -- sip:dora@example.com --trust ca.pem --require-signed
//! ```
//!
//! With `--winfo` it shows its user who watches, and who asks to ([`follow`]); with `--decide` it writes the
//! user's answers into a presence rules document ([`rules_file`]), for a server such as the example
//! `presence_server` to go by:
//!
//! ```text
//! cargo run --example watch -- --winfo sip:ana@example.com --auth ana:secret \
//!     --decide rules/ana@example.com.xml
//! ```
//!
//! With `--filter` it asks for what a filter lets through; [`filter_file`] shows one. With `--resume` it
//! begins where an earlier run has stopped ([`kept_file`]): a server that knows of conditional notification
//! sends nothing again that has not changed.
//!
//! The domain of a URI, and `--proxy`, are addresses, or names that are looked up as addresses: NAPTR and
//! SRV records (RFC 3263, RFC 3861) are not asked for, not even for a pres URI. Requests go by UDP, by
//! TCP where `;transport=tcp` says so, and, when they are above 1300 octets, by TCP where the server
//! takes it. NOTIFYs are heard by UDP and TCP at one port. There is no TLS.

#[path = "../adapter/mod.rs"]
#[allow(dead_code, reason = "most of it is for servers")]
mod adapter;
#[path = "../digest/algorithm.rs"]
mod algorithm;
#[path = "../client/mod.rs"]
#[allow(dead_code, reason = "what a publisher needs is simpler")]
mod client;
#[path = "../smime/mod.rs"]
#[allow(dead_code, reason = "nothing is signed or encrypted here")]
mod smime;
#[path = "../terminal/mod.rs"]
mod terminal;

mod args;
mod command;
mod filter_file;
mod follow;
mod json;
mod kept_file;
mod question;
mod report;
mod roll;
mod rules_file;
mod run;
mod signers;
mod subscription;
mod summary;
mod table;
mod watcher_report;

use std::process::ExitCode;

use terminal::say;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            say(args::HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("watch: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    let keys = match args.files.keys() {
        Ok(keys) => keys,
        Err(error) => {
            eprintln!("watch: {error}");
            return ExitCode::from(2);
        }
    };
    let kept = (args.resume.as_deref()).map(kept_file::KeptFile::open);
    let kept = match kept.transpose() {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("watch: {error}");
            return ExitCode::from(2);
        }
    };
    let filter = (args.filter.as_deref()).map(filter_file::read);
    let filter = match filter.transpose() {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("watch: {error}");
            return ExitCode::from(2);
        }
    };
    let rules = (args.decide.as_deref()).map(rules_file::RulesFile::open);
    let rules = match rules.transpose() {
        Ok(rules) => rules,
        Err(error) => {
            eprintln!("watch: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = match (args.winfo, args.uris.first().cloned()) {
                (true, Some(uri)) => runtime.block_on(follow::run(args, &uri, rules)),
                _ => runtime.block_on(run::run(args, keys, filter, kept)),
            };
            // The system may still be looking up a name.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(error.into()),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("watch: {error}");
        ExitCode::FAILURE
    })
}
