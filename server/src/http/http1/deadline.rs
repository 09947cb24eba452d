//! A deadline that is put off with every request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Ready once it has passed. Putting it off costs next to nothing: its timer stays where it was set, and is set anew when it rings too
/// early.
pub(super) struct Deadline {
    due: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    /// One that has passed: put it off.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { due: now, timer: Box::pin(sleep_until(now)) }
    }

    /// Counts from now on.
    pub(super) fn put_off(mut self: Pin<&mut Self>, time: Duration) {
        self.due = Instant::now() + time;
    }
}

impl Future for Deadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let due = self.due;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}
