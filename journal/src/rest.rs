//! Long work beside the appends, in small pieces.

use std::fmt;
use std::sync::Arc;

/// What a thread does between two small pieces of long work: it rests, so that others have the processors and the disk to themselves
/// for a while; or, by default, nothing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Rest(Option<Arc<dyn Fn() + Send + Sync>>);

impl Rest {
    /// Calls `take` between two pieces.
    pub fn new(take: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(take)))
    }

    /// A piece is done.
    pub fn take(&self) {
        if let Some(take) = &self.0 {
            take();
        }
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}
