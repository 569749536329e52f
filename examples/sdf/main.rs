//! Subscription requests of the CPIM data format: looked at, made, and carried in HTTP.
//!
//! ```console
//! $ cargo run --example sdf -- new --from pres:nora@example.org --to pres:emil@example.com --duration 3600
//! $ cargo run --example sdf -- check FILE...
//! $ cargo run --example sdf -- show FILE
//! $ cargo run --example sdf -- demo
//! $ cargo run --example sdf -- serve --listen 127.0.0.1:8080 --allow everybody
//! $ cargo run --example sdf -- request --to http://127.0.0.1:8080/ FILE...
//! ```
//!
//! `-` stands for standard input. The exit status is 0 when all is well, 1 when a document was refused
//! or something went wrong, 2 when the command is wrong. [`args`] knows the commands, [`documents`] has
//! those that look at documents or make them.
//!
//! The others are on a network. [`serve`] has the service of this crate in a [`host`], [`request`] a
//! watcher, the [`requester`]; [`demo`] has both. What they say to each other is HTTP on loopback:
//! [`http`] has the connections, [`carriage`] the few fields of our own. Nobody proves who they are:
//! From is believed, so that none of this is for more than one machine and its users.

#[path = "../terminal/mod.rs"]
mod terminal;

mod args;
mod carriage;
mod clock;
mod demo;
mod documents;
mod host;
mod http;
mod request;
mod requester;
mod serve;
mod states;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use args::Command;

/// A free port of this machine.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            complain(format_args!("sdf: {error}\n{}", args::USAGE.trim_end()));
            return ExitCode::from(2);
        }
    };
    let outcome = match command {
        Command::Help => print(|out| out.write_all(args::USAGE.as_bytes()).map(|()| true)),
        Command::Check(files) => print(|out| documents::check(&files, out)),
        Command::Show(file) => print(|out| documents::show(&file, out)),
        Command::New(request) => print(|out| {
            out.write_all(request.octets())?;
            writeln!(out).map(|()| true)
        }),
        Command::Serve(args) => on_the_network(serve::run(args)),
        Command::Request(args) => on_the_network(request::run(&args, ANYWHERE)),
        Command::Demo => on_the_network(demo::run(ANYWHERE)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("sdf: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Does what has something to print; whether all was well.
fn print(
    command: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<bool>,
) -> Result<bool, String> {
    let mut out = io::stdout().lock();
    match command(&mut out).and_then(|good| out.flush().map(|()| good)) {
        // Whoever reads the output may stop when it has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        outcome => outcome.map_err(|error| error.to_string()),
    }
}

/// Does what needs sockets; whether all was well.
fn on_the_network(command: impl Future<Output = Result<bool, String>>) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| error.to_string())?
        .block_on(command)
}

/// Says something on standard error, if anybody reads it.
fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
