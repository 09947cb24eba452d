//! The operations, under AWS's names: each checks its request and answers it. Those that change keys get the state to change; of
//! the others each reads.

mod aliases;
mod crypto;
mod keys;
mod policies;
mod rotation;
mod tags;

use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{Reply, Request};

use super::authority::{self, Wish};
use super::cipher::Cipher;
use super::faults;
use super::key::{Id, Key};
use super::names::Name;
use super::state::State;
use crate::identity::Caller;
use crate::time::Moment;

/// A request's surroundings.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// When.
    pub now: Moment,
    /// What encrypts, and draws random bytes.
    pub cipher: &'a dyn Cipher,
}

impl Context<'_> {
    /// The key that `given` names in any way, if the caller may do this with it, in the encryption context `pairs`.
    fn key<'a>(
        &self,
        state: &'a State,
        given: &Text,
        action: &'static str,
        pairs: &[(Text, Text)],
    ) -> Result<&'a Key, Fault> {
        self.admit(state.find(self.caller, given), given, action, pairs)
    }

    /// What was found under the name `given`, if the caller may do this with it ([`authority::admit`]).
    fn admit<'a>(
        &self,
        found: Result<&'a Key, Fault>,
        given: &Text,
        action: &'static str,
        pairs: &[(Text, Text)],
    ) -> Result<&'a Key, Fault> {
        // A name that is none says nothing.
        let Ok(name) = Name::parse(self.caller, given) else { return found };
        authority::admit(found, &name, self.caller, &Wish { action, pairs, via: None, now: self.now })
    }

    fn check(&self, key: &Key, action: &'static str, pairs: &[(Text, Text)]) -> Result<(), Fault> {
        authority::check(self.caller, key, &Wish { action, pairs, via: None, now: self.now })
    }

    /// Whether the caller may do this at large, or with an alias.
    fn check_at_large(&self, action: &str, resource: &str, tags: &[(Text, Text)]) -> Result<(), Fault> {
        authority::check_at_large(self.caller, action, resource, tags, self.now)
    }

    /// The key that `given` names by id or ARN, if the caller may manage it so.
    fn own<'a>(&self, state: &'a State, given: &Text, action: &'static str) -> Result<&'a Key, Fault> {
        self.admit(state.find_itself(self.caller, given), given, action, &[])
    }

    /// The same, to be changed: not one that Kew keeps for a service.
    fn own_mut<'a>(
        &self,
        state: &'a mut State,
        given: &Text,
        action: &'static str,
    ) -> Result<&'a mut Key, Fault> {
        let key = self.own(state, given, action)?;
        if key.service.is_some() {
            return Err(faults::denied(&self.caller.arn(), action));
        }
        let id: Id = key.id;
        state.keys.get_mut(&id).ok_or_else(|| faults::no_key(given))
    }
}

/// Whether a request changes keys: then [`change`] answers it, otherwise [`answer`].
pub fn needs_change(state: &State, caller: &Caller, request: &Request) -> bool {
    match request {
        Request::CancelKeyDeletion(_)
        | Request::CreateAlias(_)
        | Request::CreateKey(_)
        | Request::DeleteAlias(_)
        | Request::DisableKey(_)
        | Request::DisableKeyRotation(_)
        | Request::EnableKey(_)
        | Request::EnableKeyRotation(_)
        | Request::PutKeyPolicy(_)
        | Request::RotateKeyOnDemand(_)
        | Request::ScheduleKeyDeletion(_)
        | Request::TagResource(_)
        | Request::UntagResource(_)
        | Request::UpdateAlias(_)
        | Request::UpdateKeyDescription(_) => true,
        // Looking at an alias of AWS's for the first time makes its key.
        Request::DescribeKey(request) => keys::describes_managed(state, caller, &request.key_id),
        Request::Decrypt(_)
        | Request::Encrypt(_)
        | Request::GenerateDataKey(_)
        | Request::GenerateDataKeyWithoutPlaintext(_)
        | Request::GetKeyPolicy(_)
        | Request::GetKeyRotationStatus(_)
        | Request::ListAliases(_)
        | Request::ListKeyPolicies(_)
        | Request::ListKeys(_)
        | Request::ListResourceTags(_)
        | Request::ReEncrypt(_) => false,
    }
}

/// Answers a request that changes nothing.
///
/// # Errors
/// AWS's faults.
pub fn answer(state: &State, context: &Context<'_>, request: Request) -> Result<Reply, Fault> {
    match request {
        Request::Decrypt(request) => crypto::decrypt(state, context, request).map(Reply::Decrypt),
        Request::DescribeKey(request) => keys::describe(state, context, &request).map(Reply::DescribeKey),
        Request::Encrypt(request) => crypto::encrypt(state, context, request).map(Reply::Encrypt),
        Request::GenerateDataKey(request) => {
            crypto::generate(state, context, request).map(Reply::GenerateDataKey)
        }
        Request::GenerateDataKeyWithoutPlaintext(request) => {
            crypto::generate_sealed(state, context, request).map(Reply::GenerateDataKeyWithoutPlaintext)
        }
        Request::GetKeyPolicy(request) => policies::get(state, context, &request).map(Reply::GetKeyPolicy),
        Request::GetKeyRotationStatus(request) => {
            rotation::status(state, context, &request).map(Reply::GetKeyRotationStatus)
        }
        Request::ListAliases(request) => aliases::list(state, context, &request).map(Reply::ListAliases),
        Request::ListKeyPolicies(request) => {
            policies::list(state, context, &request).map(Reply::ListKeyPolicies)
        }
        Request::ListKeys(request) => keys::list(state, context, &request).map(Reply::ListKeys),
        Request::ListResourceTags(request) => {
            tags::list(state, context, &request).map(Reply::ListResourceTags)
        }
        Request::ReEncrypt(request) => crypto::re_encrypt(state, context, request).map(Reply::ReEncrypt),
        other => Err(faults::unsupported(other.operation().name())),
    }
}

/// Answers a request that changes keys: in `state`, which means nothing if it is refused.
///
/// # Errors
/// AWS's faults.
pub fn change(state: &mut State, context: &Context<'_>, request: Request) -> Result<Reply, Fault> {
    match request {
        Request::CancelKeyDeletion(request) => {
            keys::cancel_deletion(state, context, &request).map(Reply::CancelKeyDeletion)
        }
        Request::CreateAlias(request) => {
            aliases::create(state, context, &request).map(|()| Reply::CreateAlias)
        }
        Request::CreateKey(request) => keys::create(state, context, request).map(Reply::CreateKey),
        Request::DeleteAlias(request) => {
            aliases::delete(state, context, &request).map(|()| Reply::DeleteAlias)
        }
        Request::DescribeKey(request) => {
            keys::make_managed(state, context, &request.key_id)?;
            keys::describe(state, context, &request).map(Reply::DescribeKey)
        }
        Request::DisableKey(request) => {
            keys::disable(state, context, &request.key_id).map(|()| Reply::DisableKey)
        }
        Request::DisableKeyRotation(request) => {
            rotation::disable(state, context, &request.key_id).map(|()| Reply::DisableKeyRotation)
        }
        Request::EnableKey(request) => {
            keys::enable(state, context, &request.key_id).map(|()| Reply::EnableKey)
        }
        Request::EnableKeyRotation(request) => {
            rotation::enable(state, context, &request).map(|()| Reply::EnableKeyRotation)
        }
        Request::PutKeyPolicy(request) => {
            policies::put(state, context, request).map(|()| Reply::PutKeyPolicy)
        }
        Request::RotateKeyOnDemand(request) => {
            rotation::on_demand(state, context, &request).map(Reply::RotateKeyOnDemand)
        }
        Request::ScheduleKeyDeletion(request) => {
            keys::schedule_deletion(state, context, &request).map(Reply::ScheduleKeyDeletion)
        }
        Request::TagResource(request) => tags::tag(state, context, request).map(|()| Reply::TagResource),
        Request::UntagResource(request) => {
            tags::untag(state, context, &request).map(|()| Reply::UntagResource)
        }
        Request::UpdateAlias(request) => {
            aliases::update(state, context, &request).map(|()| Reply::UpdateAlias)
        }
        Request::UpdateKeyDescription(request) => {
            keys::set_description(state, context, request).map(|()| Reply::UpdateKeyDescription)
        }
        other => Err(faults::unsupported(other.operation().name())),
    }
}

/// A page of sorted items: those after the marker, `Limit` at most, and the marker of the next page if more follow.
fn page<T>(
    items: impl Iterator<Item = (Text, T)>,
    (most, usual): (i32, i32),
    limit: Option<i32>,
    marker: Option<&Text>,
) -> Result<(Vec<T>, Option<Text>), Fault> {
    let limit = limit.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        let constraint = if limit < 1 {
            "Member must have value greater than or equal to 1".into()
        } else {
            alloc::format!("Member must have value less than or equal to {most}")
        };
        return Err(faults::constraint(&alloc::format!("{limit}"), "limit", &constraint));
    }
    let mut items = items.skip_while(|(name, _)| marker.is_some_and(|marker| name <= marker));
    let mut taken = Vec::new();
    let mut last = None;
    for (name, item) in items.by_ref().take(limit as usize) {
        taken.push(item);
        last = Some(name);
    }
    let more = items.next().is_some();
    Ok((taken, last.filter(|_| more)))
}
