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
//! Presence itself is the library's; `../adapter` joins it to the stack. What is here is what any
//! server has of its own: a command line, accounts, a policy, a console, keys (`../smime`), and a registrar
//! that keeps phones content.

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
mod policy;
mod registrar;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

use presentity::event::ReplacePublications;
use presentity::presence::{Agent, AgentConfig};
use tokio::sync::mpsc;

use adapter::Adapter;
use adapter::transport::Stack;
use args::{Args, Authentication};
use digest::Authenticator;
use host::Server;
use policy::ServerPolicy;
use registrar::Registrar;
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
    // One thread: tasks start in the order they are spawned (see the adapter).
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve(args, accounts, keys)),
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
) -> Result<(), Box<dyn std::error::Error>> {
    let told_to_stop = told_to_stop()?;
    let (stack, requests, bound) = Stack::start(&args.listen).await?;
    let ports: Vec<u16> = bound.iter().map(|address| address.port()).collect();

    let mut config = AgentConfig::default();
    config.domains.clone_from(&args.domains);
    config.server.min_expires = args.min_expires;
    config.server.max_expires = args.max_expires;
    config.server.publish_min_expires = args.min_expires;
    config.server.publish_max_expires = args.max_expires;
    config.server.publish_default_expires = args.max_expires;
    config.server.notify_interval = args.notify_interval;
    // Many watchers may sit behind one proxy, whose socket has room for about so many requests.
    config.server.window = 1024;
    // Phones forget their entity-tags; what came through a proxy has no flow here and is left alone.
    config.server.replace_publications = ReplacePublications::SameFlow;
    config.server.opens_bodies = keys.as_ref().is_some_and(|keys| keys.opens());
    let policy = ServerPolicy::new(args.policy, ports.clone(), keys.clone());
    let agent = Agent::new(config, policy, adapter::entropy()?);

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
    let authenticator = accounts.map(|accounts| Authenticator::new(realm, args.digest, accounts));
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
        keys,
        quiet: args.quiet,
    };
    let adapter = Adapter::new(agent, server, stack);
    let (quit, mut quitting) = mpsc::channel(1);
    console::start(adapter.commands(), quit.clone());
    for address in bound {
        say(format_args!("listening on {address}"));
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
