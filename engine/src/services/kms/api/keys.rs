//! CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription, ScheduleKeyDeletion, CancelKeyDeletion.

use alloc::format;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{
    CancelKeyDeletionRequest, CancelKeyDeletionResponse, CreateKeyRequest, CreateKeyResponse,
    DescribeKeyRequest, DescribeKeyResponse, KeyListEntry, ListKeysRequest, ListKeysResponse,
    ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse, UpdateKeyDescriptionRequest,
};

use super::{Context, page, policies, tags};
use crate::identity::Caller;
use crate::services::kms::key::{Key, KeyState, days, timestamp};
use crate::services::kms::names::Name;
use crate::services::kms::state::State;
use crate::services::kms::{faults, limits};

/// The services that AWS keeps keys for, as far as they are served here.
const MANAGED: &[&str] = &["sqs"];

pub(super) fn create(
    state: &mut State,
    context: &Context<'_>,
    request: CreateKeyRequest,
) -> Result<CreateKeyResponse, Fault> {
    for (member, given, only) in [
        ("KeySpec", &request.key_spec, "SYMMETRIC_DEFAULT"),
        ("CustomerMasterKeySpec", &request.customer_master_key_spec, "SYMMETRIC_DEFAULT"),
        ("KeyUsage", &request.key_usage, "ENCRYPT_DECRYPT"),
        ("Origin", &request.origin, "AWS_KMS"),
    ] {
        if let Some(given) = given.as_ref().filter(|given| *given != only) {
            return Err(faults::unsupported(&format!("{member} {given}")));
        }
    }
    if request.multi_region == Some(true) {
        return Err(faults::unsupported("MultiRegion"));
    }
    if request.custom_key_store_id.is_some() || request.xks_key_id.is_some() {
        return Err(faults::unsupported("A key store of one's own"));
    }
    let caller = context.caller;
    let tags: Vec<(Text, Text)> =
        request.tags.iter().map(|tag| (tag.tag_key.clone(), tag.tag_value.clone())).collect();
    context.check_at_large("kms:CreateKey", "*", &tags)?;
    let owned = state.keys.values().filter(|key| key.account == caller.account && key.service.is_none());
    if owned.count() >= limits::KEYS {
        let message = format!("You have reached the limit of {} keys.", limits::KEYS);
        return Err(faults::limit_exceeded(message));
    }
    let mut key = Key::new(caller.account, (&*caller.region).into(), context.now, context.cipher);
    if let Some(policy) = request.policy {
        policies::check(&policy)?;
        key.set_policy((&*policy).into());
    }
    if let Some(description) = request.description {
        check_description(&description)?;
        key.description = (&*description).into();
    }
    tags::apply(&mut key, request.tags)?;
    let response = CreateKeyResponse { key_metadata: Some(key.metadata()) };
    state.keys.insert(key.id, key);
    Ok(response)
}

pub(super) fn describe(
    state: &State,
    context: &Context<'_>,
    request: &DescribeKeyRequest,
) -> Result<DescribeKeyResponse, Fault> {
    let key = context.key(state, &request.key_id, "kms:DescribeKey", &[])?;
    Ok(DescribeKeyResponse { key_metadata: Some(key.metadata()) })
}

/// Whether `given` is the name of a key that AWS would make now.
pub(super) fn describes_managed(state: &State, caller: &Caller, given: &Text) -> bool {
    managed_service(caller, given).is_some() && state.find(caller, given).is_err()
}

/// Makes the key that AWS would make when it is looked at for the first time.
pub(super) fn make_managed(state: &mut State, context: &Context<'_>, given: &Text) -> Result<(), Fault> {
    match managed_service(context.caller, given) {
        Some(service) => {
            let Caller { account, region, .. } = context.caller;
            state.managed(*account, region, service, context.now, context.cipher)
        }
        None => Ok(()),
    }
}

/// The service whose key the caller's own alias of AWS's means.
fn managed_service(caller: &Caller, given: &Text) -> Option<&'static str> {
    let Ok(Name::Alias(account, _, alias)) = Name::parse(caller, given) else { return None };
    let service = alias.strip_prefix("alias/aws/").filter(|_| account == caller.account)?;
    MANAGED.iter().copied().find(|known| *known == service)
}

pub(super) fn list(
    state: &State,
    context: &Context<'_>,
    request: &ListKeysRequest,
) -> Result<ListKeysResponse, Fault> {
    let caller = context.caller;
    context.check_at_large("kms:ListKeys", "*", &[])?;
    let own =
        state.keys.values().filter(|key| key.account == caller.account && *key.region == *caller.region);
    let entries = own.map(|key| {
        let entry = KeyListEntry { key_id: Some(key.id_text()), key_arn: Some(key.arn()) };
        (key.id_text(), entry)
    });
    let (keys, next) = page(entries, limits::PAGE, request.limit, request.marker.as_ref())?;
    Ok(ListKeysResponse { keys, truncated: Some(next.is_some()), next_marker: next })
}

pub(super) fn enable(state: &mut State, context: &Context<'_>, given: &Text) -> Result<(), Fault> {
    let key = context.own_mut(state, given, "kms:EnableKey")?;
    key.check_kept()?;
    key.state = KeyState::Enabled;
    Ok(())
}

pub(super) fn disable(state: &mut State, context: &Context<'_>, given: &Text) -> Result<(), Fault> {
    let key = context.own_mut(state, given, "kms:DisableKey")?;
    key.check_kept()?;
    key.state = KeyState::Disabled;
    Ok(())
}

pub(super) fn set_description(
    state: &mut State,
    context: &Context<'_>,
    request: UpdateKeyDescriptionRequest,
) -> Result<(), Fault> {
    check_description(&request.description)?;
    let key = context.own_mut(state, &request.key_id, "kms:UpdateKeyDescription")?;
    key.check_kept()?;
    key.description = (&*request.description).into();
    Ok(())
}

pub(super) fn schedule_deletion(
    state: &mut State,
    context: &Context<'_>,
    request: &ScheduleKeyDeletionRequest,
) -> Result<ScheduleKeyDeletionResponse, Fault> {
    let (least, most, usual) = limits::DELETION_DAYS;
    let window = request.pending_window_in_days.unwrap_or(usual);
    if !(least..=most).contains(&window) {
        let constraint = if window < least {
            format!("Member must have value greater than or equal to {least}")
        } else {
            format!("Member must have value less than or equal to {most}")
        };
        return Err(faults::constraint(&format!("{window}"), "pendingWindowInDays", &constraint));
    }
    let key = context.own_mut(state, &request.key_id, "kms:ScheduleKeyDeletion")?;
    key.check_kept()?;
    let at = context.now + days(window as u32);
    key.state = KeyState::PendingDeletion { at };
    Ok(ScheduleKeyDeletionResponse {
        key_id: Some(key.arn()),
        deletion_date: timestamp(at),
        key_state: Some(Text::from_static(key.state.name())),
        pending_window_in_days: Some(window),
    })
}

pub(super) fn cancel_deletion(
    state: &mut State,
    context: &Context<'_>,
    request: &CancelKeyDeletionRequest,
) -> Result<CancelKeyDeletionResponse, Fault> {
    let key = context.own_mut(state, &request.key_id, "kms:CancelKeyDeletion")?;
    let KeyState::PendingDeletion { .. } = key.state else {
        return Err(faults::not_pending_deletion(&key.arn()));
    };
    key.state = KeyState::Disabled;
    Ok(CancelKeyDeletionResponse { key_id: Some(key.arn()) })
}

fn check_description(description: &str) -> Result<(), Fault> {
    if description.chars().count() > limits::DESCRIPTION_CHARS {
        let constraint = "Member must have length less than or equal to 8192";
        return Err(faults::constraint(description, "description", constraint));
    }
    Ok(())
}
