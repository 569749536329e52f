//! The example watcher at a notifier that does as none should.
