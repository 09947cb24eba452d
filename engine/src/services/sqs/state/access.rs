//! Who may do what: every request meets the caller's policies and the queue's before anything else is looked at.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;

use kew_wire::Text;
use kew_wire::arn::partition;
use kew_wire::fault::Fault;

use super::super::command::{QueueAction, QueueKey};
use super::super::{access, faults};
use super::Sqs;
use crate::identity::Caller;
use crate::policy::{self, Policy, Request, Steps};
use crate::time::Moment;

/// What else AWS asks permission for on a dead-letter queue whose messages are moved (developer guide, *Amazon SQS API permissions*).
const MOVE: [&str; 3] = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];

static UNTAGGED: BTreeMap<Text, Text> = BTreeMap::new();

/// Who wants to do what, and what the request itself says that policies may ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) caller: &'a Caller,
    /// The action as policies spell it, without the service.
    pub(super) action: &'static str,
    pub(super) now: Moment,
    pub(super) tags: &'a [(Text, Text)],
    pub(super) removed_tags: &'a [Text],
}

impl<'a> Wish<'a> {
    pub(super) fn new(caller: &'a Caller, action: &'static str, now: Moment) -> Self {
        Self { caller, action, now, tags: &[], removed_tags: &[] }
    }

    /// The same caller's wish for something else.
    pub(super) fn and(self, action: &'static str) -> Self {
        Self { action, ..self }
    }

    /// With what is asked of one queue.
    pub(super) fn about(self, action: &'a QueueAction) -> Self {
        match action {
            QueueAction::Tag { tags } => Self { tags, ..self },
            QueueAction::Untag { keys } => Self { removed_tags: keys, ..self },
            _ => self,
        }
    }

    /// Whether there is nobody to be asked for: no one was authenticated, and it is the caller's own.
    fn is_free(&self, key: &QueueKey) -> bool {
        self.caller.identity.is_none() && self.caller.account == key.account
    }

    fn decide(
        &self,
        key: &QueueKey,
        arn: &str,
        policy: Option<&Policy>,
        tags: &BTreeMap<Text, Text>,
        steps: &Steps,
    ) -> Result<(), Fault> {
        let action = ["sqs:", self.action].concat();
        let request = Request {
            policy,
            resource_tags: tags,
            request_tags: self.tags,
            removed_tags: self.removed_tags,
            ..Request::new(self.caller, &action, arn, key.account, self.now)
        };
        let decision = access::decide_within(&request, steps);
        if decision.is_allowed() {
            return Ok(());
        }
        Err(faults::access_denied(self.caller, self.action, arn, &decision))
    }
}

impl Sqs {
    /// Whether the caller may do it to a queue, be that there or not. Who may not in its own account learns nothing about the queue.
    /// Of another account's queue, whom its own side lets do it learns by QueueDoesNotExist or AccessDenied whether it is there: AWS has
    /// both answers, too, and does not document when it gives which.
    pub(super) fn admit(&self, wish: &Wish<'_>, key: &QueueKey) -> Result<(), Fault> {
        self.admit_within(wish, key, &Steps::new(policy::limits::STEPS))
    }

    /// The same within what is left of these steps.
    fn admit_within(&self, wish: &Wish<'_>, key: &QueueKey, steps: &Steps) -> Result<(), Fault> {
        if wish.is_free(key) {
            return Ok(());
        }
        let Some(queue) = self.names.get(key).and_then(|id| self.queues.get(id)) else {
            // There is no policy to ask, so the caller's own side decides.
            let mine = QueueKey { account: wish.caller.account, ..key.clone() };
            return wish.decide(&mine, &key.arn(), None, &UNTAGGED, steps);
        };
        wish.decide(key, &queue.arn, queue.policy.as_deref(), &queue.tags, steps)
    }

    /// Whether the caller may have messages of a dead-letter queue moved, or ask about it.
    pub(super) fn admit_move(&self, wish: &Wish<'_>, key: &QueueKey) -> Result<(), Fault> {
        self.admit(wish, key)?;
        MOVE.into_iter().try_for_each(|action| self.admit(&wish.and(action), key))
    }

    /// Whether the caller may create a queue, with tags or without.
    pub(super) fn admit_create(&self, wish: &Wish<'_>, key: &QueueKey) -> Result<(), Fault> {
        self.admit(wish, key)?;
        if wish.tags.is_empty() { Ok(()) } else { self.admit(&wish.and("TagQueue"), key) }
    }

    /// Whether the caller may list its account's queues. AWS asks about a queue without a name.
    pub(super) fn admit_list(&self, wish: &Wish<'_>) -> Result<(), Fault> {
        let Caller { account, region, .. } = wish.caller;
        let key = QueueKey { account: *account, region: region.clone(), name: Text::new() };
        if wish.is_free(&key) {
            return Ok(());
        }
        let arn = format!("arn:{}:sqs:{region}:{account}:", partition(region));
        wish.decide(&key, &arn, None, &UNTAGGED, &Steps::new(policy::limits::STEPS))
    }

    /// Whether the caller may send to each queue here to which dead letters can come back: those that send theirs to `dead`, and its
    /// `origins`, which may send them elsewhere by now. There may be thousands, so they share their steps.
    pub(super) fn admit_return(
        &self,
        wish: &Wish<'_>,
        dead: &QueueKey,
        origins: &[QueueKey],
    ) -> Result<(), Fault> {
        if wish.caller.identity.is_none() {
            return Ok(());
        }
        let steps = Steps::new(policy::limits::STEPS_OF_MANY);
        let sources = self.names.iter().filter(|(_, id)| self.targets(**id, dead)).map(|(key, _)| key);
        let are_no_sources = |id: &u64| !self.targets(*id, dead);
        let origins = origins.iter().filter(|key| self.names.get(key).is_some_and(are_no_sources));
        let mut all = sources.chain(origins);
        all.try_for_each(|key| self.admit_within(&wish.and("SendMessage"), key, &steps))
    }
}

/// The policy of a queue, compiled. One that an earlier release took and this one cannot read lets nobody in.
pub(in crate::services::sqs) fn compiled(text: Option<&Text>) -> Option<Arc<Policy>> {
    let text = text?;
    let name = || Text::from_static("the queue's policy");
    let policy = Policy::compile(policy::Use::Resource, name(), text);
    Some(Arc::new(policy.unwrap_or_else(|_| Policy::deny_all(name()))))
}
