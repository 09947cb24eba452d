//! Being told to stop: what was measured until then counts, and what was made is removed.

use std::cell::Cell;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::failure::Failure;

/// Exit code of a process that was interrupted, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Whether somebody wants it to end. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Rc<State>);

#[derive(Debug, Default)]
struct State {
    hit: Cell<bool>,
    notify: Notify,
}

impl Interrupt {
    /// Listens to SIGINT and SIGTERM. The first one is an interrupt, the second ends the process, after `last` has been called.
    /// Must be called within a `LocalSet`.
    pub fn listen(last: impl Fn() + 'static) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::Process("signals".to_owned(), error.to_string());
        let mut typed = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut asked = signal(SignalKind::terminate()).map_err(failed)?;
        let interrupt = Self::default();
        let heard = interrupt.clone();
        tokio::task::spawn_local(async move {
            for is_first in [true, false] {
                tokio::select! { _ = typed.recv() => (), _ = asked.recv() => () }
                if is_first {
                    heard.hit();
                } else {
                    last();
                    std::process::exit(INTERRUPTED.into());
                }
            }
        });
        Ok(interrupt)
    }

    /// Interrupts.
    pub fn hit(&self) {
        self.0.hit.set(true);
        self.0.notify.notify_waiters();
    }

    /// Whether it was interrupted.
    pub fn is_hit(&self) -> bool {
        self.0.hit.get()
    }

    /// Waits for it; for ever if nobody interrupts.
    pub async fn wait(&self) {
        if !self.is_hit() {
            // One thread: nobody interrupts between the question and the waiting.
            self.0.notify.notified().await;
        }
    }
}
