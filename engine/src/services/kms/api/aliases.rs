//! CreateAlias, DeleteAlias, UpdateAlias, ListAliases.

use alloc::format;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{
    AliasListEntry, CreateAliasRequest, DeleteAliasRequest, ListAliasesRequest, ListAliasesResponse,
    UpdateAliasRequest, faults as kinds,
};

use super::{Context, page};
use crate::identity::{Account, Caller};
use crate::services::kms::Kept;
use crate::services::kms::authority::{self, Wish};
use crate::services::kms::key::{Alias, Id, arn, timestamp};
use crate::services::kms::names::{Name, check_alias};
use crate::services::kms::state::State;
use crate::services::kms::{faults, limits};

/// The caller's own alias of this name.
fn own(context: &Context<'_>, name: &str) -> (Account, Kept, Kept) {
    (context.caller.account, (&*context.caller.region).into(), name.into())
}

fn own_arn(context: &Context<'_>, name: &str) -> Text {
    arn(context.caller.account, &context.caller.region, name)
}

/// The key that an alias shall mean: the caller's own, in this region.
fn target(state: &State, context: &Context<'_>, given: &Text, action: &'static str) -> Result<Id, Fault> {
    if given.is_empty() {
        return Err(faults::missing("targetKeyId"));
    }
    if given.contains("alias/") {
        return Err(faults::validation("Aliases must refer to keys. Not aliases"));
    }
    let key = context.own(state, given, action)?;
    if key.account != context.caller.account || key.service.is_some() {
        return Err(faults::denied(&context.caller.arn(), action));
    }
    key.check_kept()?;
    let held = state.aliases.values().filter(|alias| alias.key == key.id);
    if held.count() >= limits::ALIASES {
        let message = format!("{} already has {} aliases.", key.arn(), limits::ALIASES);
        return Err(faults::limit_exceeded(message));
    }
    Ok(key.id)
}

/// Refuses who may not do this with the key that his own alias means, and an alias that is not there. Who may not do it with his account's
/// keys does not learn which of the two it is, nor which key is meant.
fn meant(state: &State, context: &Context<'_>, alias: &str, action: &'static str) -> Result<(), Fault> {
    let held = state.aliases.get(&own(context, alias)).and_then(|held| state.keys.get(&held.key));
    let Caller { account, region, .. } = context.caller;
    // Any of the account's keys.
    let name = Name::Key(*account, region.clone(), None, Text::new());
    let missing = || faults::no_alias(&own_arn(context, alias));
    let wish = Wish { action, pairs: &[], via: None, now: context.now };
    let admitted = authority::admit(held.ok_or_else(missing), &name, context.caller, &wish);
    match admitted {
        Ok(_) => Ok(()),
        Err(refused) if *refused.kind == faults::ACCESS_DENIED => {
            Err(faults::denied(&context.caller.arn(), action))
        }
        Err(missing) => Err(missing),
    }
}

pub(super) fn create(
    state: &mut State,
    context: &Context<'_>,
    request: &CreateAliasRequest,
) -> Result<(), Fault> {
    check_alias(&request.alias_name)?;
    context.check_at_large("kms:CreateAlias", &own_arn(context, &request.alias_name), &[])?;
    let name = own(context, &request.alias_name);
    let key = target(state, context, &request.target_key_id, "kms:CreateAlias")?;
    if state.aliases.contains_key(&name) {
        let arn = own_arn(context, &request.alias_name);
        let message = format!("An alias with the name {arn} already exists");
        return Err(Fault::new(&kinds::ALREADY_EXISTS_EXCEPTION, message));
    }
    state.aliases.insert(name, Alias { key, created: context.now, updated: context.now });
    Ok(())
}

pub(super) fn update(
    state: &mut State,
    context: &Context<'_>,
    request: &UpdateAliasRequest,
) -> Result<(), Fault> {
    check_alias(&request.alias_name)?;
    let arn = own_arn(context, &request.alias_name);
    context.check_at_large("kms:UpdateAlias", &arn, &[])?;
    meant(state, context, &request.alias_name, "kms:UpdateAlias")?;
    let key = target(state, context, &request.target_key_id, "kms:UpdateAlias")?;
    if let Some(alias) = state.aliases.get_mut(&own(context, &request.alias_name)) {
        (alias.key, alias.updated) = (key, context.now);
    }
    Ok(())
}

pub(super) fn delete(
    state: &mut State,
    context: &Context<'_>,
    request: &DeleteAliasRequest,
) -> Result<(), Fault> {
    check_alias(&request.alias_name)?;
    let arn = own_arn(context, &request.alias_name);
    context.check_at_large("kms:DeleteAlias", &arn, &[])?;
    meant(state, context, &request.alias_name, "kms:DeleteAlias")?;
    state.aliases.remove(&own(context, &request.alias_name));
    Ok(())
}

pub(super) fn list(
    state: &State,
    context: &Context<'_>,
    request: &ListAliasesRequest,
) -> Result<ListAliasesResponse, Fault> {
    context.check_at_large("kms:ListAliases", "*", &[])?;
    let wanted = request.key_id.as_ref();
    let wanted = wanted.map(|given| {
        // AWS lists by keys of the caller's own account alone, and of another's nobody shall learn by it whether they are there.
        match Name::parse(context.caller, given)? {
            name if name.owner().0 != context.caller.account => {
                Err(faults::denied(&context.caller.arn(), "kms:ListAliases"))
            }
            _ => state.find_itself(context.caller, given),
        }
    });
    let wanted = wanted.transpose()?;
    let (account, region) = (context.caller.account, &context.caller.region);
    let own = state.aliases.iter().filter(|((owner, place, _), alias)| {
        *owner == account && **place == **region && wanted.is_none_or(|key| key.id == alias.key)
    });
    let entries = own.map(|((.., name), alias)| {
        let entry = AliasListEntry {
            alias_name: Some(name.text()),
            alias_arn: Some(arn(account, region, name)),
            target_key_id: state.keys.get(&alias.key).map(|key| key.id_text()),
            creation_date: timestamp(alias.created),
            last_updated_date: timestamp(alias.updated),
        };
        (name.text(), entry)
    });
    let (aliases, next) = page(entries, limits::ALIAS_PAGE, request.limit, request.marker.as_ref())?;
    Ok(ListAliasesResponse { aliases, truncated: Some(next.is_some()), next_marker: next })
}
