//! JSON, as far as it is written here.

use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339)
        .map_or("null".to_owned(), |text| string(&text))
}

pub(crate) fn optional(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), string)
}

pub(crate) fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

pub(crate) fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", string(name))
}

pub(crate) fn object(members: impl IntoIterator<Item = String>) -> String {
    let members: Vec<String> = members.into_iter().collect();
    format!("{{{}}}", members.join(","))
}

pub(crate) fn array(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(","))
}

/// A JSON string (RFC 8259 section 7).
pub(crate) fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // What JavaScript once took for the end of a line goes the same way as controls.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_escaped() {
        assert_eq!(string(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(
            string("\u{1}\n\u{7f}\u{85}\u{2028}"),
            r#""\u0001\u000a\u007f\u0085\u2028""#
        );
        assert_eq!(string("läßt 🔒"), "\"läßt 🔒\"");
    }
}
