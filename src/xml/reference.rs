//! References to characters and to the predefined entities.

use super::error::{XmlErrorKind, excerpt};
use super::name::{is_nc_name, is_xml_char};
use super::refusal::{Checked, refuse, syntax};

/// The character that a reference stands for, given without `&` and `;`.
pub(super) fn expand(reference: &str, at: usize) -> Checked<char> {
    let code = match reference {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match reference.strip_prefix('#') {
            Some(number) => number,
            None => {
                if !is_nc_name(reference) {
                    return syntax("the name of an entity after &", at);
                }
                let name = excerpt(reference);
                return refuse(XmlErrorKind::UndefinedEntity { name }, at);
            }
        },
    };
    let (digits, radix) = match code.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (code, 10),
    };
    if digits.is_empty() {
        return syntax("digits in a character reference", at);
    }
    let mut value = 0u32;
    for c in digits.chars() {
        let Some(digit) = c.to_digit(radix) else {
            return syntax("digits in a character reference", at);
        };
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    match char::from_u32(value).filter(|&c| is_xml_char(c)) {
        Some(c) => Ok(c),
        None => refuse(XmlErrorKind::Character { code: value }, at),
    }
}

/// An attribute value with references expanded and white space turned into blanks.
///
/// Expanding never makes it longer.
#[cold]
pub(super) fn normalized_value(raw: &str, start: usize) -> Checked<String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        value.push_str(plain);
        let here = start.saturating_add(raw.len().saturating_sub(special.len()));
        if let Some(reference) = special.strip_prefix('&') {
            let end = reference.find([';', '&', '<']).unwrap_or(reference.len());
            let (name, behind) = reference.split_at_checked(end).unwrap_or(("", ""));
            let Some(behind) = behind.strip_prefix(';') else {
                return syntax("a reference ending in ; after &", here);
            };
            value.push(expand(name, here)?);
            rest = behind;
        } else {
            value.push(' ');
            rest = match special.strip_prefix("\r\n") {
                Some(behind) => behind,
                None => special.get(1..).unwrap_or_default(),
            };
        }
    }
    value.push_str(rest);
    Ok(value)
}
