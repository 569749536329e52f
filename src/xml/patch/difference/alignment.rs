//! Which of two lists' items belong together.

use std::collections::HashMap;
use std::ops::Range;

/// What is known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// Items that have this in common are most likely the same.
    pub(super) exact: u32,
    /// Items that have this in common may have become each other.
    pub(super) kind: u32,
}

/// Places of items that belong together, rising in both lists.
pub(super) type Pair = (usize, usize);

/// Pairs items of two lists without crossing, those that are the same first.
///
/// What both lists begin and end with is paired; between that, the longest rising sequence of items
/// that each list has once, and what lies beside those. What is left is paired by kind. All this costs
/// a sort of the lists and no more, so that it does not always find the longest common sequence.
pub(super) fn align(before: &[Item], after: &[Item]) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(before.len().min(after.len()));
    let mut lists = Lists { before, after };
    let all = Gap {
        before: 0..before.len(),
        after: 0..after.len(),
    };
    let (middle, tail) = lists.trim(all, &mut pairs);
    let mut rest = middle.clone();
    for (at_before, at_after) in lists.anchors(middle) {
        let gap = Gap {
            before: rest.before.start..at_before,
            after: rest.after.start..at_after,
        };
        lists.fill(gap, &mut pairs);
        pairs.push((at_before, at_after));
        rest.before.start = at_before.saturating_add(1);
        rest.after.start = at_after.saturating_add(1);
    }
    lists.fill(rest, &mut pairs);
    pairs.extend(tail);
    pairs
}

/// Items of both lists between two pairs.
#[derive(Debug, Clone)]
struct Gap {
    before: Range<usize>,
    after: Range<usize>,
}

#[derive(Debug)]
struct Lists<'i> {
    before: &'i [Item],
    after: &'i [Item],
}

impl Lists<'_> {
    fn same(&self, before: usize, after: usize) -> bool {
        match (self.before.get(before), self.after.get(after)) {
            (Some(one), Some(other)) => one.exact == other.exact,
            _ => false,
        }
    }

    /// Pairs what both sides begin with; gives what is left, and the pairs that both end with.
    fn trim(
        &self,
        mut gap: Gap,
        pairs: &mut Vec<Pair>,
    ) -> (Gap, impl Iterator<Item = Pair> + use<>) {
        while !gap.before.is_empty()
            && !gap.after.is_empty()
            && self.same(gap.before.start, gap.after.start)
        {
            pairs.push((gap.before.start, gap.after.start));
            gap.before.start = gap.before.start.saturating_add(1);
            gap.after.start = gap.after.start.saturating_add(1);
        }
        let (end_before, end_after) = (gap.before.end, gap.after.end);
        while !gap.before.is_empty()
            && !gap.after.is_empty()
            && self.same(
                gap.before.end.saturating_sub(1),
                gap.after.end.saturating_sub(1),
            )
        {
            gap.before.end = gap.before.end.saturating_sub(1);
            gap.after.end = gap.after.end.saturating_sub(1);
        }
        let tail = (gap.before.end..end_before).zip(gap.after.end..end_after);
        (gap, tail)
    }

    /// The longest rising sequence of items that both sides have once.
    fn anchors(&self, gap: Gap) -> Vec<Pair> {
        if gap.before.is_empty() || gap.after.is_empty() {
            return Vec::new();
        }
        /// How often an item was seen, and where.
        #[derive(Default)]
        struct Seen {
            before: (u32, usize),
            after: (u32, usize),
        }
        let mut seen: HashMap<u32, Seen> = HashMap::new();
        for at in gap.before.clone() {
            if let Some(item) = self.before.get(at) {
                let seen = &mut seen.entry(item.exact).or_default().before;
                *seen = (seen.0.saturating_add(1), at);
            }
        }
        for at in gap.after {
            let seen = self.after.get(at).and_then(|it| seen.get_mut(&it.exact));
            if let Some(Seen { after, .. }) = seen {
                *after = (after.0.saturating_add(1), at);
            }
        }
        let unique = gap.before.filter_map(|at| {
            let seen = seen.get(&self.before.get(at)?.exact)?;
            (seen.before.0 == 1 && seen.after.0 == 1).then_some((at, seen.after.1))
        });
        longest_rising(&unique.collect::<Vec<_>>())
    }

    /// Pairs what it can between two pairs.
    fn fill(&mut self, gap: Gap, pairs: &mut Vec<Pair>) {
        let (gap, tail) = self.trim(gap, pairs);
        if !gap.before.is_empty() && !gap.after.is_empty() {
            // Those of a kind, the first one last.
            let mut kinds: HashMap<u32, Vec<usize>> = HashMap::new();
            for at in gap.before.clone().rev() {
                if let Some(item) = self.before.get(at) {
                    kinds.entry(item.kind).or_default().push(at);
                }
            }
            let mut next = gap.before.start;
            for at_after in gap.after {
                let of_kind = self
                    .after
                    .get(at_after)
                    .and_then(|it| kinds.get_mut(&it.kind));
                let Some(of_kind) = of_kind else {
                    continue;
                };
                while let Some(at_before) = of_kind.pop() {
                    if at_before >= next {
                        pairs.push((at_before, at_after));
                        next = at_before.saturating_add(1);
                        break;
                    }
                }
            }
        }
        pairs.extend(tail);
    }
}

/// Of pairs that rise on their left side, as many as rise on their right side too.
fn longest_rising(pairs: &[Pair]) -> Vec<Pair> {
    // For each length the pair that ends the best sequence of it.
    let mut ends: Vec<usize> = Vec::new();
    // The pair before each in its sequence.
    let mut links: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let right = |at: usize| pairs.get(at).map_or(usize::MAX, |pair| pair.1);
    for (at, pair) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| right(end) < pair.1);
        let link = length.checked_sub(1).and_then(|at| ends.get(at).copied());
        links.push(link);
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut longest = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        longest.extend(pairs.get(at));
        next = links.get(at).copied().flatten();
    }
    longest.reverse();
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters are items, capitals and small ones of one kind.
    fn aligned(before: &str, after: &str) -> Vec<Pair> {
        let items = |text: &str| -> Vec<Item> {
            let items = text.bytes().map(|byte| Item {
                exact: u32::from(byte),
                kind: u32::from(byte.to_ascii_lowercase()),
            });
            items.collect()
        };
        let pairs = align(&items(before), &items(after));
        assert!(
            pairs
                .windows(2)
                .all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1)
        );
        pairs
    }

    #[test]
    fn what_stays_is_paired() {
        assert_eq!(aligned("abc", "abc"), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(aligned("abc", "ac"), [(0, 0), (2, 1)]);
        assert_eq!(aligned("ac", "abc"), [(0, 0), (1, 2)]);
        assert_eq!(aligned("", "abc"), []);
        assert_eq!(aligned("abc", ""), []);
        assert_eq!(aligned("xaby", "zabw"), [(1, 1), (2, 2)]);
    }

    #[test]
    fn what_moved_is_not() {
        assert_eq!(aligned("abcd", "bcda"), [(1, 0), (2, 1), (3, 2)]);
        assert_eq!(aligned("ab", "ba").len(), 1);
    }

    #[test]
    fn repeated_items_are_paired_beside_others() {
        assert_eq!(aligned("aaxaa", "axaa"), [(0, 0), (2, 1), (3, 2), (4, 3)]);
        assert_eq!(aligned("aaa", "aa"), [(0, 0), (1, 1)]);
        assert_eq!(aligned("pqaxaq", "raxs"), [(2, 1), (3, 2)]);
    }

    #[test]
    fn what_is_of_a_kind_is_paired_when_nothing_else_is() {
        assert_eq!(aligned("xAy", "zaw"), [(1, 1)]);
        assert_eq!(aligned("ABx", "ba"), [(1, 0)]);
        assert_eq!(aligned("AAA", "aaa"), [(0, 0), (1, 1), (2, 2)]);
    }
}
