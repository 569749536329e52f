//! Finds the places of elements in a document that has been read before.
//!
//! Trees do not know where they come from, so that nobody pays for it who does not ask. What was
//! read is well-formed: markup is told apart here by its first characters and nothing is checked.

/// Where the element begins that `way` leads to from the one that begins at `start`: each number
/// says how many child elements to pass over. With it the names of the elements on the way, both
/// ends among them, as they are written.
pub(super) fn descend<'a>(text: &'a str, start: usize, way: &[usize]) -> (usize, Vec<&'a str>) {
    let mut names = vec![tag_name(text, start)];
    let mut found = start;
    for &number in way {
        let Some(child) = child(text, found, number) else {
            break;
        };
        found = child;
        names.push(tag_name(text, child));
    }
    (found, names)
}

/// Where the child element of this number begins.
fn child(text: &str, parent: usize, number: usize) -> Option<usize> {
    let mut left = number;
    let mut depth = 0usize;
    let mut at = parent;
    loop {
        let (begin, markup, end) = next_markup(text, at)?;
        match markup {
            Markup::Start | Markup::Empty if depth == 1 && left == 0 => return Some(begin),
            Markup::Start | Markup::Empty => {
                if depth == 1 {
                    left = left.checked_sub(1)?;
                }
                if markup == Markup::Start {
                    depth = depth.saturating_add(1);
                }
            }
            Markup::End => depth = depth.saturating_sub(1),
            Markup::Other => {}
        }
        // The parent is closed, or empty.
        if depth == 0 {
            return None;
        }
        at = end;
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Markup {
    Start,
    Empty,
    End,
    Other,
}

/// What begins with the next `<`: where that is, what it is, and where it ends.
fn next_markup(text: &str, from: usize) -> Option<(usize, Markup, usize)> {
    let begin = from.checked_add(text.get(from..)?.find('<')?)?;
    let rest = text.get(begin..)?;
    let (markup, length) = if rest.starts_with("<!--") {
        // `<!-->` is no comment.
        (Markup::Other, behind(rest, "<!--".len(), "-->")?)
    } else if rest.starts_with("<!") {
        (Markup::Other, behind(rest, 0, "]]>")?)
    } else if rest.starts_with("<?") {
        (Markup::Other, behind(rest, 0, "?>")?)
    } else if rest.starts_with("</") {
        (Markup::End, behind(rest, 0, ">")?)
    } else {
        let length = tag_length(rest)?;
        let tag = rest.get(..length)?;
        let is_empty = tag.ends_with("/>");
        let markup = if is_empty {
            Markup::Empty
        } else {
            Markup::Start
        };
        (markup, length)
    };
    Some((begin, markup, begin.checked_add(length)?))
}

fn behind(text: &str, from: usize, end: &str) -> Option<usize> {
    let at = text.get(from..)?.find(end)?;
    from.checked_add(at)?.checked_add(end.len())
}

/// Up to the `>` that stands in no attribute value.
fn tag_length(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return at.checked_add(1),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn tag_name(text: &str, start: usize) -> &str {
    let tag = text.get(start..).unwrap_or_default();
    let tag = tag.strip_prefix('<').unwrap_or_default();
    let ends = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '/' | '>');
    tag.split(ends).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_numbers() {
        let text = "<a><b c='>' d=\"'/>\"/>t<!--<x>--><e:f\n><![CDATA[<y>]]>]]&gt;<?z <z>?><g ></g \
                    ><h><i/></h></e:f><j/></a><k/>";
        for (way, tag, names) in [
            (&[][..], "<a>", &["a"][..]),
            (&[0], "<b ", &["a", "b"]),
            (&[1], "<e:f\n>", &["a", "e:f"]),
            (&[1, 0], "<g >", &["a", "e:f", "g"]),
            (&[1, 1, 0], "<i/>", &["a", "e:f", "h", "i"]),
            (&[2], "<j/>", &["a", "j"]),
            // What is not there is not looked for elsewhere.
            (&[3], "<a>", &["a"]),
            (&[0, 0], "<b ", &["a", "b"]),
            (&[1, 0, 0], "<g >", &["a", "e:f", "g"]),
        ] {
            let (at, found) = descend(text, 0, way);
            let (_, rest) = text.split_at(at);
            assert!(rest.starts_with(tag), "{way:?}: {rest}");
            assert_eq!(found, names, "{way:?}");
        }
        let j = text.find("<j").unwrap();
        assert_eq!(descend(text, j, &[]), (j, vec!["j"]));
    }

    #[test]
    fn nothing_is_found_in_nonsense() {
        for text in [
            "",
            "<",
            "<a",
            "<a b='",
            "<a><!--",
            "<a><![CDATA[",
            "<a><?",
            "<a></",
            "é",
        ] {
            for start in 0..=text.len() + 1 {
                assert_eq!(descend(text, start, &[0]).0, start);
            }
        }
    }
}
