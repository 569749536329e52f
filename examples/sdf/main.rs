//! Subscription requests of the CPIM data format, from the command line.
//!
//! ```console
//! $ cargo run --example sdf -- new --from pres:nora@example.org --to pres:emil@example.com --duration 3600
//! $ cargo run --example sdf -- check FILE...
//! $ cargo run --example sdf -- show FILE
//! ```
//!
//! `-` stands for standard input. The exit status is 0 when all is well, 1 when a document was refused,
//! 2 when the command is wrong. [`args`] knows the commands, [`documents`] has those that look at
//! documents or make them.

mod args;
mod documents;

use std::io::{self, Write};
use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let outcome = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => run(&command, &mut out),
        Err(error) => {
            complain(format_args!("sdf: {error}\n{}", args::USAGE.trim_end()));
            return ExitCode::from(2);
        }
    };
    match outcome.and_then(|good| out.flush().map(|()| good)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads the output may stop when it has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("sdf: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all was well.
fn run(command: &Command, out: &mut impl Write) -> io::Result<bool> {
    match command {
        Command::Help => out.write_all(args::USAGE.as_bytes()).map(|()| true),
        Command::Check(files) => documents::check(files, out),
        Command::Show(file) => documents::show(file, out),
        Command::New(request) => {
            out.write_all(request.octets())?;
            writeln!(out).map(|()| true)
        }
    }
}

/// Says something on standard error, if anybody reads it.
fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
