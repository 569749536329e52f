//! What watchers want to see of presence documents, and when (RFC 4660): filters, and documents that tell
//! what has changed.

use bytes::Bytes;

use crate::event::{BadFilter, Filter, FilterQuery, Narrowing, Numbered};
use crate::filter::{self, FilterError, FilterLimits, FilterSet, FilterTarget, PresenceSchema};
use crate::pidf::partial;
use crate::sip::host_of;
use crate::xml::{Element, XmlLimits};

/// What one evaluation of a filter may look at: some hundred times what a typical one takes.
const BUDGET: usize = 200_000;
/// How many trees an agent keeps: a document and the one before it, whole and as some filters show them.
const MOST_KEPT: usize = 8;
/// Octets of the documents whose trees are kept: a tree takes some four times that. The two that are looked
/// at are kept whatever they have.
const MOST_OCTETS: usize = 64 * 1024;

/// Documents as trees, each read once for all that is made of it in a row. There is one such list in an
/// agent, whatever the number of presentities: trees of each would take more than all else of them.
#[derive(Debug, Default)]
pub(super) struct Trees {
    /// The newest last.
    kept: Vec<(Bytes, Element)>,
    octets: usize,
}

impl Trees {
    /// The tree of a document that was written here.
    fn of(&mut self, document: &Bytes) -> Option<&Element> {
        let is_it = |(octets, _): &(Bytes, Element)| {
            // It cannot have been replaced: it is held.
            octets.as_ptr() == document.as_ptr() && octets.len() == document.len()
        };
        match self.kept.iter().position(is_it) {
            Some(place) => {
                let last = self.kept.remove(place);
                self.kept.push(last);
            }
            None => {
                let limits = XmlLimits {
                    bytes: document.len(),
                    ..XmlLimits::default()
                };
                let tree = Element::read(document, &limits).ok()?;
                self.octets = self.octets.saturating_add(document.len());
                self.kept.push((document.clone(), tree));
                self.forget();
            }
        }
        self.kept.last().map(|(_, tree)| tree)
    }

    /// Lets the oldest go where there are too many; the last two stay.
    fn forget(&mut self) {
        while self.kept.len() > 2 && (self.kept.len() > MOST_KEPT || self.octets > MOST_OCTETS) {
            let (oldest, _) = self.kept.remove(0);
            self.octets = self.octets.saturating_sub(oldest.len());
        }
    }

    /// Two of them, the other one first.
    fn of_both(&mut self, before: &Bytes, after: &Bytes) -> Option<(&Element, &Element)> {
        let are_one = before.as_ptr() == after.as_ptr() && before.len() == after.len();
        self.of(before)?;
        self.of(after)?;
        let (_, newest) = self.kept.last()?;
        let (_, other) = self.kept.iter().rev().nth(usize::from(!are_one))?;
        Some((other, newest))
    }

    /// The part of a document that a filter shows. What would cost too much to find is shown whole: the
    /// watcher may see it.
    pub(super) fn narrow(&mut self, narrowing: &Narrowing, document: &Bytes) -> Option<Bytes> {
        let Some(meaning) = narrowing.meaning::<filter::Narrowing>() else {
            return Some(document.clone());
        };
        let Some(tree) = self.of(document) else {
            return Some(document.clone());
        };
        match meaning.apply(tree, &PresenceSchema::new(), BUDGET) {
            Ok(Some(shown)) => shown.write().ok(),
            Ok(None) => None,
            Err(_) => Some(document.clone()),
        }
    }

    /// Whether a filter wants a change to be told.
    pub(super) fn fires(&mut self, narrowing: &Narrowing, before: &Bytes, after: &Bytes) -> bool {
        let Some(meaning) = narrowing.meaning::<filter::Narrowing>() else {
            return true;
        };
        match self.of_both(before, after) {
            Some((before, after)) => meaning.fires(before, after, BUDGET),
            None => true,
        }
    }

    /// What has changed from one document to another.
    pub(super) fn difference(&mut self, before: &Bytes, after: &Bytes) -> Option<Numbered> {
        let (before, after) = self.of_both(before, after)?;
        partial::Numbered::difference_of(before, after)
            .ok()
            .map(|it| numbered(&it))
    }
}

/// A whole document, with its number.
pub(super) fn full(document: &Bytes) -> Option<Numbered> {
    partial::Numbered::full(document)
        .ok()
        .map(|it| numbered(&it))
}

fn numbered(document: &partial::Numbered) -> Numbered {
    let (head, tail) = document.around_version();
    Numbered::new(head, tail)
}

/// Reads the filters of a subscription; `is_it` tells whether a URI names the presentity, and `is_served`
/// whether a domain is one that is served here.
pub(super) fn read_filter(
    query: &FilterQuery<'_>,
    limits: &FilterLimits,
    is_it: impl Fn(&str) -> bool,
    is_served: impl Fn(&str) -> bool,
) -> Result<Option<Filter>, BadFilter> {
    let refused = |error: FilterError| BadFilter::new(error.status(), error.to_string());
    let update = FilterSet::read(query.octets, limits).map_err(refused)?;
    if update.package.as_deref().is_some_and(|it| it != "presence") {
        let why = "the filters are for another event package";
        return Err(BadFilter::new(488, why));
    }
    let nothing = FilterSet::new();
    let before = query.before.and_then(|before| before.kept::<FilterSet>());
    let set = before.unwrap_or(&nothing);
    let set = set.merged_with(&update, limits).map_err(refused)?;
    let of_presentity = |target: FilterTarget<'_>| match target {
        FilterTarget::Subscribed => true,
        FilterTarget::Uri(uri) => is_it(uri),
        FilterTarget::Domain(domain) => {
            let domain = domain.strip_suffix('.').unwrap_or(domain);
            let domain = domain.to_ascii_lowercase();
            let host = query.resource.rsplit_once('@').map(|(_, host)| host);
            let is_its = host == Some(&*domain) || host_of(query.resource) == domain;
            is_its && is_served(&domain)
        }
    };
    set.check_for_resource(of_presentity).map_err(refused)?;
    if set.filters.is_empty() {
        return Ok(None);
    }
    let narrowing = set.for_resource(of_presentity).map(of_event);
    Ok(Some(Filter::new(set, narrowing)))
}

/// The same in the words of event packages.
fn of_event(meaning: filter::Narrowing) -> Narrowing {
    let content_name = meaning.content_name().clone();
    if !meaning.has_triggers() {
        return Narrowing::new(content_name, meaning);
    }
    let shows_everything = meaning.shows_everything();
    let content = (!shows_everything).then(|| Narrowing::new(content_name, meaning.clone()));
    let name = meaning.name().clone();
    Narrowing::new(name, meaning).with_triggers(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(length: usize) -> Bytes {
        let text = "x".repeat(length.saturating_sub("<a></a>".len()));
        format!("<a>{text}</a>").into()
    }

    #[test]
    fn the_trees_of_the_last_documents_are_kept() {
        let mut trees = Trees::default();
        let documents: Vec<Bytes> = (0..MOST_KEPT + 2).map(|at| document(100 + at)).collect();
        for document in &documents {
            let tree = trees.of(document).unwrap();
            assert_eq!(tree.text().len() + "<a></a>".len(), document.len());
        }
        let kept = |trees: &Trees| -> Vec<usize> {
            let octets = trees.kept.iter().map(|(octets, _)| octets.len());
            octets.collect()
        };
        let last: Vec<usize> = documents[2..].iter().map(Bytes::len).collect();
        assert_eq!(kept(&trees), last);
        assert_eq!(trees.octets, last.iter().sum::<usize>());
        // What is looked at again is the newest, and no other document of the same octets is.
        trees.of(&documents[2]);
        assert_eq!(kept(&trees).last(), Some(&documents[2].len()));
        assert_eq!(trees.kept.len(), MOST_KEPT);
        trees.of(&Bytes::copy_from_slice(&documents[2]));
        assert_eq!(trees.kept.len(), MOST_KEPT);
        assert_eq!(trees.kept[0].0.len(), documents[4].len());
    }

    #[test]
    fn long_documents_are_not_kept_beyond_the_two_that_are_compared() {
        let mut trees = Trees::default();
        let (short, long, longer) = (
            document(9),
            document(MOST_OCTETS),
            document(MOST_OCTETS + 1),
        );
        trees.of(&short);
        let (before, after) = trees.of_both(&long, &longer).unwrap();
        assert!(before.text().len() < after.text().len());
        assert_eq!(trees.kept.len(), 2);
        assert_eq!(trees.octets, long.len() + longer.len());
        trees.of(&short);
        assert_eq!(trees.kept.len(), 2);
        let (before, after) = trees.of_both(&short, &short).unwrap();
        assert_eq!(before, after);
    }
}
