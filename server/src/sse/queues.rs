//! How each queue wants its messages encrypted, and the data key that it uses now.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use kew_engine::services::kms;
use kew_engine::services::sqs::QueueKey;
use kew_engine::services::sqs::settings::Encryption;
use kew_engine::shard::Shard;
use kew_engine::time::Moment;

use super::data_key::DataKey;

/// All queues of all shards. The shards' runners tell it what queues want before anybody is answered.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    places: RwLock<HashMap<QueueKey, Arc<Place>>>,
    /// Where a message is sent to a queue that is not there: if it comes to be meanwhile, the message is encrypted all the same.
    nowhere: Arc<Place>,
}

/// One queue.
pub(super) struct Place {
    /// What it wants.
    pub(super) encryption: Encryption,
    current: RwLock<Option<Arc<DataKey>>>,
}

impl Place {
    fn new(encryption: Encryption) -> Arc<Self> {
        Arc::new(Self { encryption, current: RwLock::default() })
    }

    /// The data key to use now. `by` is the KMS key that shall wrap it; one that is not fresh is followed by what `make` gives.
    pub(super) fn data_key<E>(
        &self,
        now: Moment,
        by: Option<kms::Id>,
        make: impl FnOnce() -> Result<DataKey, E>,
    ) -> Result<Arc<DataKey>, E> {
        // The lock is held only to look, and to put an Arc in.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(fresh) = current.filter(|key| key.is_fresh(now, by)) {
            return Ok(fresh);
        }
        // Two that come here at once make a key each, and both are good.
        let made = Arc::new(make()?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { encryption: Encryption::Managed, current: RwLock::default() }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Place").field(&self.encryption).finish()
    }
}

impl Queues {
    /// Notes what a queue wants now; `None` if it is not there any more.
    pub(crate) fn learn(&self, key: &QueueKey, encryption: Option<Encryption>) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        match encryption {
            Some(wanted) if places.get(key).is_some_and(|place| place.encryption == wanted) => {}
            // A copy: the name is a part of a large body.
            Some(wanted) => drop(places.insert(key.clone().own(), Place::new(wanted))),
            None => drop(places.remove(key)),
        }
    }

    /// Notes what all queues of a shard want.
    pub(crate) fn learn_all(&self, shard: &Shard) {
        for key in shard.queues() {
            self.learn(key, shard.encryption(key));
        }
    }

    /// One queue.
    pub(super) fn place(&self, key: &QueueKey) -> Arc<Place> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(key).map_or_else(|| Arc::clone(&self.nowhere), Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kew_engine::identity::Account;
    use kew_wire::Text;

    use super::*;

    /// The name is part of CreateQueue's body, which would otherwise stay as long as the queue does.
    #[test]
    fn a_queue_that_was_made_does_not_hold_the_body_of_its_request() {
        let body = Bytes::from(b"us-east-1 orders".to_vec());
        let part = |range| Text::try_from(body.slice(range)).expect("UTF-8");
        let key = QueueKey { account: Account::DEFAULT, region: part(0..9), name: part(10..16) };
        let queues = Queues::default();
        queues.learn(&key, Some(Encryption::Plain));
        assert_eq!(queues.place(&key).encryption, Encryption::Plain);
        drop(key);
        assert!(body.is_unique());
    }
}
