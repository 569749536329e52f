//! Work of the application's that something waits for.

use super::slab::{Key, Slab};

/// What waits for jobs, in a bounded number, each with the timer of its deadline.
#[derive(Debug)]
pub(crate) struct Jobs<T> {
    pending: Slab<(T, Option<Key>)>,
    limit: usize,
}

impl<T> Jobs<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            pending: Slab::default(),
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < self.limit
    }

    /// `arm` sets the timer for the job that it is told.
    pub(crate) fn begin(&mut self, waiting: T, arm: impl FnOnce(Key) -> Key) -> Key {
        let key = self.pending.insert((waiting, None));
        if let Some((_, timer)) = self.pending.get_mut(key) {
            *timer = Some(arm(key));
        }
        key
    }

    /// The end of a job, by its outcome or its deadline, once: what waited for it, and its timer.
    pub(crate) fn finish(&mut self, key: Key) -> Option<(T, Option<Key>)> {
        self.pending.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Jobs;

    #[test]
    fn a_job_ends_once() {
        let mut jobs = Jobs::new(1);
        assert!(jobs.has_room());
        let key = jobs.begin("work", |key| key);
        assert!(!jobs.has_room());
        assert_eq!(jobs.finish(key), Some(("work", Some(key))));
        assert_eq!(jobs.finish(key), None);
        assert_eq!((jobs.len(), jobs.has_room()), (0, true));
    }
}
