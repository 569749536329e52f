//! Asking memory early for what is needed soon: among a million entries, the first look at one can
//! cost more than all that is done with it.
//!
//! Nothing but the time that it takes depends on it.

use prefetch_index::prefetch_index;

/// Octets that come in one piece.
const LINE: usize = 64;

/// A text that is about to be copied.
pub(crate) fn text(text: &str) {
    for line in text.as_bytes().chunks(LINE) {
        prefetch_index(line, 0);
    }
}

/// An element of a table, and the end of a large one.
pub(crate) fn element<T>(table: &[T], place: usize) {
    prefetch_index(table, place);
    if size_of::<T>() > LINE {
        prefetch_index(table, place.wrapping_add(1));
    }
}

/// A part of something that is at hand already.
pub(crate) fn field<T>(field: &T) {
    prefetch_index(core::slice::from_ref(field), 0);
}
