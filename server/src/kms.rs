//! The keys of the server: held in memory, and in one sealed document, which is written before a change is answered.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use kew_engine::identity::{Account, Caller};
use kew_engine::services::kms::{self, Context, State};
use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{Reply, Request, faults};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::vault::{AesGcm, SealedFile, Vault, VaultError};

/// The document's name.
pub(crate) const NAME: &str = "kms";

/// All keys.
#[derive(Debug)]
pub(crate) struct Kms {
    held: Arc<Held>,
    file: SealedFile,
    clock: Arc<Clock>,
    /// Held while a change is made, written down and put in place. Whoever writes takes it along: a caller who goes away meanwhile lets
    /// nobody in between.
    writing: Arc<Mutex<()>>,
}

/// What is in memory.
#[derive(Debug)]
struct Held {
    state: RwLock<Arc<State>>,
    /// When time changes the state next, in milliseconds: asked for every message of some queues.
    due: AtomicU64,
}

impl Held {
    fn new(state: State) -> Self {
        let due = AtomicU64::new(state.next_deadline().0);
        Self { state: RwLock::new(Arc::new(state)), due }
    }

    fn put(&self, state: State) {
        self.due.store(state.next_deadline().0, Ordering::Relaxed);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }
}

impl Kms {
    /// Reads the keys of a data directory.
    pub(crate) fn open(vault: &Arc<Vault>, clock: Arc<Clock>) -> Result<Self, Failure> {
        let file = vault.file(NAME, kms::VERSION);
        let failed = |error: VaultError| Failure::world(error.to_string());
        let state = match file.read().map_err(failed)? {
            Some(document) => State::decode(document.version, document.content)
                .map_err(|_| failed(VaultError::Damaged { path: file.path() }))?,
            None => State::default(),
        };
        Ok(Self { held: Arc::new(Held::new(state)), file, clock, writing: Arc::default() })
    }

    /// The keys as they are now.
    pub(crate) fn state(&self) -> Arc<State> {
        // Whoever held the lock only put an Arc in.
        Arc::clone(&self.held.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a request. What it changes is durable then.
    pub(crate) async fn answer(&self, caller: &Caller, request: Request) -> Result<Reply, Fault> {
        self.let_time_pass().await?;
        let state = self.state();
        if !kms::needs_change(&state, caller, &request) {
            return kms::answer(&state, &self.context(caller), request);
        }
        drop(state);
        self.change(|state| kms::change(state, &self.context(caller), request)).await
    }

    /// Makes the key that is kept for a service of an account, `alias/aws/SERVICE`, if it is not there.
    pub(crate) async fn make_managed(
        &self,
        account: Account,
        region: &Text,
        service: &'static str,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        self.change(|state| state.managed(account, region, service, now, &AesGcm)).await
    }

    /// Deletes and rotates what is due.
    pub(crate) async fn let_time_pass(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        if now.0 < self.held.due.load(Ordering::Relaxed) {
            return Ok(());
        }
        let pass = |state: &mut State| {
            state.pass(now, &AesGcm);
            Ok(())
        };
        self.change(pass).await
    }

    fn context<'a>(&self, caller: &'a Caller) -> Context<'a> {
        Context { caller, now: self.clock.now(), cipher: &AesGcm }
    }

    /// Changes a copy, writes it down, and lets it count: all or nothing, one after the other.
    async fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, Fault>) -> Result<T, Fault> {
        let one_at_a_time = Arc::clone(&self.writing).lock_owned().await;
        let mut state = State::clone(&self.state());
        let outcome = change(&mut state)?;
        let (file, held) = (self.file.clone(), Arc::clone(&self.held));
        // It ends even if nobody waits for it any more, and only then the next one may begin.
        let write = move || {
            let content = state.encode();
            file.update(|_| Ok::<_, VaultError>((Some(content), ()))).map_err(|error| error.to_string())?;
            held.put(state);
            drop(one_at_a_time);
            Ok(())
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(|error| error.to_string()).flatten().map_err(|error| {
            tracing::error!(error, "keys cannot be written down");
            Fault::new(&faults::KMS_INTERNAL_EXCEPTION, "The service could not write to its disk; try again.")
        })?;
        Ok(outcome)
    }
}
