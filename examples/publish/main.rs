//! Publishes the presence of a user from the command line: the publisher of this crate on a real SIP
//! stack.
//!
//! ```text
//! cargo run --example publish -- sip:dora@example.com open --note "at my desk" --auth dora:secret
//! ```
//!
//! The document is published, refreshed while the program runs, and removed at its end. `../client` has
//! what any client on this stack needs; [`run`] has the loop that each host of a publisher has in some
//! form.
//!
//! The domain of the URI, and `--proxy`, are addresses, or names that are looked up as addresses: NAPTR
//! and SRV records (RFC 3263) are not asked for. Requests go by UDP, by TCP where `;transport=tcp` says
//! so, and, when they are above 1300 octets, by TCP where the server takes it. There is no TLS.

#[path = "../adapter/mod.rs"]
#[allow(dead_code, reason = "most of it is for servers")]
mod adapter;
#[path = "../digest/algorithm.rs"]
mod algorithm;
#[path = "../client/mod.rs"]
#[allow(dead_code, reason = "a watcher needs more of it")]
mod client;
#[path = "../terminal/mod.rs"]
mod terminal;

mod args;
mod run;
mod state;

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
            eprintln!("publish: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run::run(args));
            // The system may still be looking up a name.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(error.into()),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("publish: {error}");
        ExitCode::FAILURE
    })
}
