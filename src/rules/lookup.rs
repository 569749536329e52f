//! Sorted lists of names.

/// The names in order, each once.
pub(super) fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a sorted list has the name.
pub(super) fn has(sorted: &[String], name: &str) -> bool {
    sorted.binary_search_by(|it| it.as_str().cmp(name)).is_ok()
}
