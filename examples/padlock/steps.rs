//! What is printed of each step.

use std::fmt::{Debug, Display};

use crate::terminal::say;

/// Something is as it should be.
pub(crate) fn passed(step: impl Display) {
    say(format_args!("\u{2713} {step}"));
}

/// Something was refused, as it should be.
pub(crate) fn refused(reason: impl Display) {
    say(format_args!("refused: {reason}"));
}

/// What somebody does that is none of the library's.
pub(crate) fn told(line: impl Display) {
    say(format_args!("  {line}"));
}

/// Why, for people and by the library's name for it.
pub(crate) fn reason(why: &impl Display, name: &impl Debug) -> String {
    let name = format!("{name:?}");
    let end = name.find(['{', ' ', '"']).unwrap_or(name.len());
    let (name, _) = name.split_at_checked(end).unwrap_or((&name, ""));
    let name = name.trim_end_matches('(');
    let is_open = name.contains('(') && !name.ends_with(')');
    format!("{why} [{name}{}]", if is_open { ")" } else { "" })
}
