//! Work that takes long, such as signing: in threads of its own, so that the task that owns a role goes on.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

/// Threads that work, as many at a time as there are processors, and what comes of it.
#[derive(Debug)]
pub(crate) struct Workers<T> {
    turns: Arc<Semaphore>,
    results: (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>),
    under_way: usize,
}

impl<T: Send + 'static> Workers<T> {
    pub(crate) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(
                available_parallelism().map_or(1, Into::into),
            )),
            results: mpsc::unbounded_channel(),
            under_way: 0,
        }
    }

    /// Starts some work, when those before it have left a thread to it. A role asks for no more at a time
    /// than its settings allow.
    pub(crate) fn start(&mut self, work: impl FnOnce() -> T + Send + 'static) {
        self.under_way += 1;
        let (turns, results) = (Arc::clone(&self.turns), self.results.0.clone());
        tokio::spawn(async move {
            let turn = turns.acquire_owned().await;
            let result = spawn_blocking(work).await;
            drop(turn);
            // Where the work has panicked the deadline of the role remains.
            if let Ok(result) = result {
                let _ = results.send(result);
            }
        });
    }

    /// How many results are to come.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Waits for the next result.
    pub(crate) async fn result(&mut self) -> T {
        match self.results.1.recv().await {
            Some(result) => {
                self.under_way = self.under_way.saturating_sub(1);
                result
            }
            // It has a sender itself.
            None => std::future::pending().await,
        }
    }
}
