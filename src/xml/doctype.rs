//! Document type declarations that declare nothing themselves (XML 1.0, 2.8).

use super::name::{is_name_char, is_name_start, is_space};

/// Where the declaration that begins at `start` ends, when it has a name, perhaps an identifier, and
/// no internal subset.
pub(super) fn end_of_bare(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?.strip_prefix("<!DOCTYPE")?;
    let rest = after_name(after_space(rest)?)?;
    let rest = match after_space(rest) {
        Some(spaced) => after_identifier(spaced)?,
        None => rest,
    };
    let rest = rest.trim_start_matches(is_blank).strip_prefix('>')?;
    text.len().checked_sub(rest.len())
}

/// What follows an identifier of an external subset, or all when there is none.
fn after_identifier(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("SYSTEM") {
        return after_literal(after_space(rest)?).map(|(_, rest)| rest);
    }
    if let Some(rest) = text.strip_prefix("PUBLIC") {
        let (public, rest) = after_literal(after_space(rest)?)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || " \n\r-'()+,./:=?;!*#@$_%".contains(c);
        if !public.chars().all(fits) {
            return None;
        }
        return after_literal(after_space(rest)?).map(|(_, rest)| rest);
    }
    Some(text)
}

fn is_blank(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space)
}

/// At least one character of white space is passed over.
fn after_space(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(is_blank);
    (rest.len() < text.len()).then_some(rest)
}

fn after_name(text: &str) -> Option<&str> {
    let is_part = |c: char| is_name_char(c) || c == ':';
    let rest = text.strip_prefix(|c| is_name_start(c) || c == ':')?;
    Some(rest.trim_start_matches(is_part))
}

/// A quoted text, and what follows it.
fn after_literal(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text.strip_prefix(quote)?.split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    // SDF-02: a reference to the DTD declares nothing that we would read.
    #[test]
    fn declarations_without_internal_subset_end_at_their_bracket() {
        for declaration in [
            "<!DOCTYPE Subscribe>",
            "<!DOCTYPE\n\tSubscribe\r\n>",
            "<!DOCTYPE s:Subscribe >",
            "<!DOCTYPE \u{E9}t\u{E9}>",
            "<!DOCTYPE Subscribe SYSTEM \"subscribe.dtd\">",
            "<!DOCTYPE Subscribe SYSTEM ''>",
            "<!DOCTYPE Subscribe SYSTEM '[<!ENTITY x \"y\">]' >",
            "<!DOCTYPE Subscribe PUBLIC \"-//EXAMPLE//DTD Subscribe 1.0//EN\"\n\"x>y\">",
        ] {
            let text = format!("\u{FEFF}{declaration}<Subscribe/>");
            let end = end_of_bare(&text, 3);
            assert_eq!(end, Some(3 + declaration.len()), "{declaration}");
        }
    }

    #[test]
    fn whatever_else_a_declaration_holds_is_not_passed_over() {
        for declaration in [
            "<!doctype Subscribe>",
            "<!Doctype Subscribe>",
            "<!DOCTYPE>",
            "<!DOCTYPESubscribe>",
            "<!DOCTYPE 1>",
            "<!DOCTYPE Subscribe",
            "<!DOCTYPE Subscribe []>",
            "<!DOCTYPE Subscribe[]>",
            "<!DOCTYPE Subscribe [<!ENTITY x \"y\">]>",
            "<!DOCTYPE Subscribe SYSTEM \"x\" []>",
            "<!DOCTYPE Subscribe SYSTEM \"x\"[]>",
            "<!DOCTYPE Subscribe SYSTEM>",
            "<!DOCTYPE Subscribe SYSTEM x>",
            "<!DOCTYPE Subscribe SYSTEM\"x\">",
            "<!DOCTYPE Subscribe SYSTEM \"x>",
            "<!DOCTYPE Subscribe SYSTEM \"x'>",
            "<!DOCTYPE Subscribe system \"x\">",
            "<!DOCTYPE Subscribe PUBLIC \"x\">",
            "<!DOCTYPE Subscribe PUBLIC \"x\"\"y\">",
            "<!DOCTYPE Subscribe PUBLIC \"<x>\" \"y\">",
            "<!DOCTYPE Subscribe PUBLIC x \"y\">",
            "<!DOCTYPE Subscribe \"x\">",
            "<!DOCTYPE Subscribe Subscribe>",
            "<!DOCTYPE",
            "",
        ] {
            assert_eq!(end_of_bare(declaration, 0), None, "{declaration}");
        }
        assert_eq!(end_of_bare("<!DOCTYPE a>", 99), None);
    }

    #[test]
    fn every_cut_is_refused() {
        let text = "<!DOCTYPE a PUBLIC 'b' \"c\">";
        for end in 0..text.len() {
            assert_eq!(end_of_bare(text.get(..end).unwrap(), 0), None, "{end}");
        }
    }
}
