//! The identities of a running server: what the environment and the configuration said at its start, and what the store says
//! now.
//!
//! Commands change the store while the server runs. It looks twice a second whether the file is another one (one look at its
//! name, length and time), reads a changed one and puts it in place as a whole. One that cannot be read is told, and what was
//! known before stays.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::registry::{Layer, Lines, Registry};
use super::roster::Roster;
use super::session::Session;
use super::store::Store;
use crate::failure::Failure;
use crate::identity::{Credential, Credentials, NoCredential};
use crate::limits;
use crate::router::Router;
use crate::vault::{Stamp, Vault};

/// Everybody who is known now.
#[derive(Debug)]
pub(crate) struct Live {
    vault: Arc<Vault>,
    store: Store,
    /// What does not change while the server runs.
    declared: Vec<Layer>,
    current: RwLock<Arc<Current>>,
    seen: Mutex<Seen>,
    /// Once there was an access key, nobody is let in without one, whatever becomes of the store.
    is_closed: AtomicBool,
}

/// How far the store was looked at.
#[derive(Debug, Default)]
struct Seen {
    /// The writing that was taken over last.
    stamp: Option<Stamp>,
    /// Why a later one was not: it is told once.
    failure: Option<String>,
}

/// What was known at one time, and what was worked out from it.
#[derive(Debug, Default)]
pub(crate) struct Current {
    pub(crate) registry: Registry,
    /// The sessions seen lately, by their tokens: to open one and compile its policies takes longer than to verify a request.
    sessions: RwLock<HashMap<String, (String, Arc<Credential>)>>,
}

impl Live {
    /// Reads the store for the first time.
    ///
    /// # Errors
    /// The store is damaged, or a policy cannot be read.
    pub(crate) fn open(vault: Arc<Vault>, declared: Vec<Layer>) -> Result<Arc<Self>, Failure> {
        let store = Store::new(&vault);
        let live = Self {
            vault,
            store,
            declared,
            current: RwLock::default(),
            seen: Mutex::default(),
            is_closed: AtomicBool::new(false),
        };
        let (roster, stamp) = live.store.read_if_changed(None)?.unzip();
        live.take_over(roster.unwrap_or_default())?;
        live.seen.lock().unwrap_or_else(PoisonError::into_inner).stamp = stamp;
        Ok(Arc::new(live))
    }

    /// What is known now.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The root key that seals sessions' tokens.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Takes over what commands change, for as long as the runtime lives. Receives that wait in the shards behind `router` began under what
    /// was known before: they are answered, and whoever may still receive asks again.
    pub(crate) fn watch(self: &Arc<Self>, router: Router) {
        let live = Arc::clone(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(limits::IDENTITIES_LOOK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut was_new = false;
            loop {
                ticks.tick().await;
                let live = Arc::clone(&live);
                // The disk may keep a look waiting, and this thread serves.
                let is_new = tokio::task::spawn_blocking(move || live.look()).await.unwrap_or(false);
                // Once more at the next look: what was verified just before may come to its shard just after.
                if is_new || was_new {
                    router.release().await;
                }
                was_new = is_new;
            }
        });
    }

    /// Looks once; says whether something else is known now.
    fn look(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = match self.store.read_if_changed(seen.stamp) {
            Ok(None) => return false,
            Ok(Some((roster, stamp))) => self.take_over(roster).map(|()| stamp),
            Err(failure) => Err(failure),
        };
        match looked {
            Ok(stamp) => {
                *seen = Seen { stamp: Some(stamp), failure: None };
                true
            }
            Err(failure) => {
                let line = failure.to_string();
                if seen.failure.as_ref() != Some(&line) {
                    tracing::error!("{line}; what was known about access keys before stays");
                }
                seen.failure = Some(line);
                false
            }
        }
    }

    fn take_over(&self, stored: Roster) -> Result<(), Failure> {
        let counts = (stored.users.len(), stored.roles.len(), stored.keys.len());
        let mut layers = self.declared.clone();
        layers.push(Layer { place: self.store.place(), roster: stored, lines: Lines::new() });
        let (registry, notes) = Registry::build(&layers).map_err(Failure::world)?;
        notes.iter().for_each(|note| tracing::warn!("{note}"));
        if registry.has_keys() && !self.is_closed.swap(true, Ordering::AcqRel) {
            tracing::info!("there are access keys: every request must be signed");
        }
        let (users, roles, keys) = counts;
        tracing::debug!(users, roles, keys, "identities of the data directory taken over");
        let current = Arc::new(Current { registry, sessions: RwLock::default() });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }

    fn session(&self, key: &str, token: &str) -> Result<Arc<Credential>, NoCredential> {
        let current = self.current();
        {
            let sessions = current.sessions.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((known, credential)) = sessions.get(token) {
                return if known == key { Ok(Arc::clone(credential)) } else { Err(NoCredential::WrongToken) };
            }
        }
        let session = Session::read(token, self.vault.root()).ok_or(NoCredential::WrongToken)?;
        if session.key != key {
            return Err(NoCredential::WrongToken);
        }
        let credential = Arc::new(session.credential(&current.registry, self.is_open())?);
        let mut sessions = current.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= limits::SESSIONS {
            // Those in use are back with their next request.
            sessions.clear();
        }
        sessions.insert(token.to_owned(), (session.key, Arc::clone(&credential)));
        Ok(credential)
    }
}

impl Credentials for Live {
    fn lookup(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Arc<Credential>, NoCredential> {
        let current = self.current();
        match (current.registry.key(access_key_id), session_token) {
            (Some(key), None) => Ok(Arc::clone(&key.credential)),
            (Some(_), Some(_)) => Err(NoCredential::WrongToken),
            (None, Some(token)) => self.session(access_key_id, token),
            (None, None) => Err(NoCredential::Unknown),
        }
    }

    fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Acquire)
    }
}
