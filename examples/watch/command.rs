//! What the user types, or a program writes.

use crate::rules_file::{Answer, Somebody};

pub(crate) const HELP: &str = "\
allow [URI]         accept a watcher, who sees everything
polite-block [URI]  accept a watcher, who is told nothing
block [URI]         refuse a watcher
later [URI]         leave it open; takes back what was said before
list                who watches and who asks
quit                end the subscription and stop
help                this
Without a URI it is about the one who was asked about last.";

/// A line of standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Nobody named: the one who was asked about last.
    Answer(Answer, Option<Somebody>),
    List,
    Help,
    Quit,
    /// It is none; why.
    Odd(String),
}

/// Nothing for a line without words.
pub(crate) fn parse(line: &str) -> Option<Command> {
    let mut words = line.split_whitespace();
    let verb = words.next()?;
    let subject = words.next();
    if let Some(more) = words.next() {
        return Some(Command::Odd(format!("{verb}: what is {more:?}?")));
    }
    let command = match (verb, subject) {
        ("list", None) => Command::List,
        ("help", None) => Command::Help,
        ("quit", None) => Command::Quit,
        _ => match (Answer::from_word(verb), subject) {
            (None, _) => Command::Odd(format!("no command is {line:?}")),
            (Some(answer), None) => Command::Answer(answer, None),
            (Some(answer), Some(uri)) => match Somebody::parse(uri) {
                Some(somebody) => Command::Answer(answer, Some(somebody)),
                None => Command::Odd(format!("{uri:?} is no URI like sip:bob@example.com")),
            },
        },
    };
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let bob = Somebody::parse("sip:bob@example.com");
        for (line, command) in [
            (
                "allow sip:bob@example.com",
                Command::Answer(Answer::Allow, bob.clone()),
            ),
            (
                " polite-block  bob@example.com ",
                Command::Answer(Answer::PoliteBlock, bob),
            ),
            ("block", Command::Answer(Answer::Block, None)),
            ("later", Command::Answer(Answer::Later, None)),
            ("list", Command::List),
            ("help", Command::Help),
            ("quit", Command::Quit),
        ] {
            assert_eq!(parse(line), Some(command), "{line}");
        }
        assert_eq!(parse("  "), None);
        for line in [
            "allow bob",
            "allow sip:a@b c",
            "deny sip:a@b",
            "list all",
            "Allow",
        ] {
            assert!(matches!(parse(line), Some(Command::Odd(_))), "{line}");
        }
    }
}
