//! GetKeyPolicy, PutKeyPolicy, ListKeyPolicies.

use alloc::vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{
    GetKeyPolicyRequest, GetKeyPolicyResponse, ListKeyPoliciesRequest, ListKeyPoliciesResponse,
    PutKeyPolicyRequest, faults as kinds,
};

use super::Context;
use crate::policy::{Policy, Use};
use crate::services::kms::state::State;
use crate::services::kms::{faults, limits};

/// The only name that a key's policy can have.
const DEFAULT: Text = Text::from_static("default");

pub(super) fn get(
    state: &State,
    context: &Context<'_>,
    request: &GetKeyPolicyRequest,
) -> Result<GetKeyPolicyResponse, Fault> {
    let key = context.own(state, &request.key_id, "kms:GetKeyPolicy")?;
    check_name(request.policy_name.as_ref())?;
    Ok(GetKeyPolicyResponse { policy: Some(key.policy.text()), policy_name: Some(DEFAULT) })
}

pub(super) fn put(
    state: &mut State,
    context: &Context<'_>,
    request: PutKeyPolicyRequest,
) -> Result<(), Fault> {
    check_name(request.policy_name.as_ref())?;
    check(&request.policy)?;
    let key = context.own_mut(state, &request.key_id, "kms:PutKeyPolicy")?;
    key.check_kept()?;
    key.set_policy((&*request.policy).into());
    Ok(())
}

pub(super) fn list(
    state: &State,
    context: &Context<'_>,
    request: &ListKeyPoliciesRequest,
) -> Result<ListKeyPoliciesResponse, Fault> {
    context.own(state, &request.key_id, "kms:ListKeyPolicies")?;
    Ok(ListKeyPoliciesResponse {
        policy_names: vec![DEFAULT],
        truncated: Some(false),
        ..ListKeyPoliciesResponse::default()
    })
}

fn check_name(name: Option<&Text>) -> Result<(), Fault> {
    match name {
        Some(name) if *name != DEFAULT => {
            Err(Fault::new(&kinds::NOT_FOUND_EXCEPTION, "No such policy exists"))
        }
        _ => Ok(()),
    }
}

/// Refuses what is no key policy.
pub(super) fn check(policy: &Text) -> Result<(), Fault> {
    if policy.is_empty() {
        return Err(faults::missing("policy"));
    }
    if policy.len() > limits::POLICY_BYTES {
        return Err(faults::limit_exceeded("Policy is too long."));
    }
    match Policy::compile(Use::Resource, Text::from_static("key policy"), policy) {
        Ok(_) => Ok(()),
        Err(malformed) => Err(Fault::new(&kinds::MALFORMED_POLICY_DOCUMENT_EXCEPTION, malformed.0)),
    }
}
