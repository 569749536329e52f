//! Finds the places of elements in a document that has been read before.
//!
//! Trees do not know where they come from, so that nobody pays for it who does not ask. What was
//! read is well-formed: markup is told apart here by its first characters and nothing is checked.

/// An element that was looked for.
#[derive(Debug, PartialEq)]
pub(super) struct Found<'a> {
    /// Where it begins.
    pub(super) at: usize,
    /// The names of the elements on the way to it, both ends among them, as they are written.
    pub(super) names: Vec<&'a str>,
}

/// The elements that the ways lead to from the one that begins at `start`: each number of a way says
/// how many child elements to pass over. The ways are in the order of the document, so that one walk
/// finds them all; for one that leads nowhere, and those after it, the start is given.
pub(super) fn descend<'a>(text: &'a str, start: usize, ways: &[&[usize]]) -> Vec<Found<'a>> {
    let mut found = Vec::with_capacity(ways.len());
    let (mut names, mut here) = (Vec::new(), Vec::new());
    // The number of the next child of each open element.
    let mut next: Vec<usize> = Vec::new();
    let mut at = start;
    while found.len() < ways.len()
        && let Some((begin, markup, end)) = next_markup(text, at)
    {
        at = end;
        if matches!(markup, Markup::Start | Markup::Empty) {
            if let Some(number) = next.last_mut() {
                here.push(*number);
                *number = number.saturating_add(1);
            }
            names.push(tag_name(text, begin));
            next.push(0);
            while ways.get(found.len()).is_some_and(|way| *way == here) {
                let names = names.clone();
                found.push(Found { at: begin, names });
            }
        }
        if matches!(markup, Markup::Empty | Markup::End) {
            names.pop();
            next.pop();
            here.pop();
            if next.is_empty() {
                break;
            }
        }
    }
    while found.len() < ways.len() {
        let names = vec![tag_name(text, start)];
        found.push(Found { at: start, names });
    }
    found
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
        let ways: [(&[usize], &str, &[&str]); 6] = [
            (&[], "<a>", &["a"]),
            (&[0], "<b ", &["a", "b"]),
            (&[1], "<e:f\n>", &["a", "e:f"]),
            (&[1, 0], "<g >", &["a", "e:f", "g"]),
            (&[1, 1, 0], "<i/>", &["a", "e:f", "h", "i"]),
            (&[2], "<j/>", &["a", "j"]),
        ];
        let check = |found: &Found<'_>, tag: &str, names: &[&str]| {
            let (_, rest) = text.split_at(found.at);
            assert!(rest.starts_with(tag), "{tag}: {rest}");
            assert_eq!(found.names, names);
        };
        for (way, tag, names) in ways {
            check(&descend(text, 0, &[way])[0], tag, names);
            let twice = descend(text, 0, &[way, way]);
            assert_eq!(twice[0], twice[1]);
        }
        let all = descend(text, 0, &ways.map(|(way, ..)| way));
        for (found, (_, tag, names)) in all.iter().zip(ways) {
            check(found, tag, names);
        }
        // What is not there is not looked for elsewhere.
        for way in [&[3][..], &[0, 0], &[1, 0, 0], &[2, 0]] {
            check(&descend(text, 0, &[way])[0], "<a>", &["a"]);
        }
        let j = text.find("<j").unwrap();
        check(&descend(text, j, &[&[]])[0], "<j/>", &["j"]);
        assert_eq!(descend(text, 0, &[]), []);
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
            "</a>",
            "x",
        ] {
            for start in 0..=text.len() + 1 {
                assert_eq!(descend(text, start, &[&[0]])[0].at, start);
            }
        }
    }
}
