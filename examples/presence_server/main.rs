//! A presence server for SIP phones: the agent of this crate on a real SIP stack.
//!
//! ```text
//! cargo run --example presence_server -- --no-auth --listen 127.0.0.1:5060
//! ```
//!
//! Built with the feature `smime` it signs documents for watchers who take that:
//!
//! ```text
//! cargo run --features smime --example presence_server -- --accounts accounts --domain example.com \
//!     --sign-with example.com.key,example.com.pem
//! ```
//!
//! Who may see what of whom can be said by presence rules, one file for each presentity, which are read
//! again on SIGHUP; what is registered can be presence, too; and whoever asks by HTTP is told what was
//! counted:
//!
//! ```text
//! cargo run --example presence_server -- --accounts accounts --domain example.com --rules rules \
//!     --presence-from-registrations --compose device --metrics 127.0.0.1:9464
//! ```
//!
//! Clients may come by TLS, with one certificate for all of them:
//!
//! ```text
//! cargo run --example presence_server -- --accounts accounts --domain example.com --tls 192.0.2.1:5061 \
//!     --tls-cert example.com.pem --tls-key example.com.key
//! ```
//!
//! Presence itself is the library's; `../adapter` joins it to the stack. What is here is what any
//! server has of its own: a command line ([`args`]) and what it comes to ([`setup`]), accounts and proofs of
//! them ([`digest`]), a policy for those who have no [`rules`], a console, keys (`../smime`), a registrar
//! that keeps phones content, and [`metrics`].

#[path = "../adapter/mod.rs"]
mod adapter;
#[path = "../digest/algorithm.rs"]
mod algorithm;
#[path = "../smime/mod.rs"]
mod smime;
#[path = "../terminal/mod.rs"]
mod terminal;

mod accounts;
mod args;
mod console;
mod digest;
mod host;
mod metrics;
mod policy;
mod registrar;
mod rules;
mod setup;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

use presentity::engine::Timestamp;
use tokio::sync::mpsc;

use adapter::Adapter;
use adapter::tls::Tls;
use adapter::transport::Stack;
use args::{Args, Authentication};
use digest::Authenticator;
use host::Server;
use policy::ServerPolicy;
use registrar::Registrar;
use rules::RulesFolder;
use smime::Keys;
use terminal::{say, told_to_stop};

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            say(args::HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("presence_server: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    let accounts = match &args.authentication {
        Authentication::Accounts(file) => match accounts::read(file) {
            Ok(accounts) => Some(accounts),
            Err(error) => {
                eprintln!("presence_server: {}: {error}", file.display());
                return ExitCode::from(2);
            }
        },
        Authentication::None => {
            eprintln!("presence_server: WARNING: --no-auth, anybody can be anybody");
            None
        }
    };
    let keys = match args.files.keys() {
        Ok(keys) => keys,
        Err(error) => {
            eprintln!("presence_server: {error}");
            return ExitCode::from(2);
        }
    };
    let wanted = args.tls.as_ref();
    let tls = wanted.map(|tls| Tls::from_files(&tls.certificate, &tls.key));
    let tls = match tls.transpose() {
        Ok(tls) => tls,
        Err(error) => {
            eprintln!("presence_server: {error}");
            return ExitCode::from(2);
        }
    };
    // One thread: tasks start in the order they are spawned (see the adapter).
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve(args, accounts, keys, tls)),
        Err(error) => Err(error.into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("presence_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(
    args: Args,
    accounts: Option<HashMap<String, String>>,
    keys: Option<Arc<Keys>>,
    tls: Option<Tls>,
) -> Result<(), Box<dyn std::error::Error>> {
    let told_to_stop = told_to_stop()?;
    let (stack, requests, bound) = Stack::start(&args.listen).await?;
    let mut secured = Vec::new();
    if let (Some(wanted), Some(tls)) = (&args.tls, &tls) {
        for address in &wanted.addresses {
            let bound = stack.listen_tls(*address, tls);
            secured.push(bound.map_err(|error| format!("{address}: {error}"))?);
        }
    }
    let listening = bound.iter().chain(&secured);
    let ports: Vec<u16> = listening.map(|address| address.port()).collect();

    let policy = ServerPolicy::new(args.policy, ports.clone(), keys.clone());
    let opens_bodies = keys.as_ref().is_some_and(|keys| keys.opens());
    let mut agent = setup::agent(&args, policy, opens_bodies, &bound)?;
    let mut rules = None;
    if let Some(wanted) = &args.rules {
        let opened = RulesFolder::open(&wanted.folder);
        let opened = opened.map_err(|error| format!("{}: {error}", wanted.folder.display()));
        let (folder, found) = opened?;
        let changed = found.changes.len();
        rules::apply(&mut agent, Timestamp::ZERO, found.changes);
        rules::tell(&found.problems, found.count, changed);
        rules = Some((folder, wanted.clone(), found.count));
    }

    if let Some((signer, is_over)) = keys.as_ref().and_then(|keys| keys.signs_as()) {
        say(format_args!("signing as {signer}"));
        if is_over {
            eprintln!("presence_server: WARNING: the certificate has run out");
        }
    }

    let realm = args
        .domains
        .first()
        .map_or("presentity", String::as_str)
        .to_owned();
    let authenticator =
        accounts.map(|accounts| Authenticator::new(realm, args.digest.clone(), accounts));
    let authenticator = authenticator.transpose()?;
    let server = Server {
        authenticator,
        domains: args
            .domains
            .iter()
            .map(|domain| domain.to_ascii_lowercase())
            .collect(),
        ports,
        registrar: Registrar::default(),
        max_expires: args.max_expires,
        shows_registrations: args.sources.registrations,
        migrates: setup::migrates(&args),
        drains: false,
        rules: rules.as_ref().map_or(0, |(.., count)| *count),
        keys,
        quiet: args.quiet,
    };
    let adapter = Adapter::new(agent, server, stack);
    let (quit, mut quitting) = mpsc::channel(1);
    let (again, told) = mpsc::channel(1);
    let can_read_rules = rules.is_some();
    if let Some((folder, wanted, _)) = rules {
        rules::on_hangup(again.clone())?;
        tokio::spawn(rules::keep_up(folder, wanted, told, adapter.commands()));
    }
    let again = can_read_rules.then_some(again);
    console::start(adapter.commands(), quit.clone(), again);
    if let Some(address) = args.metrics {
        let listening = metrics::listen(address).await;
        let (listener, address) = listening.map_err(|error| format!("{address}: {error}"))?;
        say(format_args!("metrics at http://{address}/metrics"));
        tokio::spawn(metrics::serve(listener, adapter.commands()));
    }
    for address in bound {
        say(format_args!("listening on {address}"));
    }
    for address in secured {
        say(format_args!("listening on {address} with TLS"));
    }
    let stop = async move {
        // Kept, so that the end of the console is not taken for its wish.
        let _quit = quit;
        tokio::select! {
            () = told_to_stop => {}
            _ = quitting.recv() => {}
        }
    };
    adapter.run(stop, requests).await;
    Ok(())
}
