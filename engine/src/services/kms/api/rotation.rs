//! EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand.

use alloc::format;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{
    EnableKeyRotationRequest, GetKeyRotationStatusRequest, GetKeyRotationStatusResponse,
    RotateKeyOnDemandRequest, RotateKeyOnDemandResponse,
};

use super::Context;
use crate::services::kms::key::{Rotation, days, timestamp};
use crate::services::kms::state::State;
use crate::services::kms::{faults, limits};

pub(super) fn enable(
    state: &mut State,
    context: &Context<'_>,
    request: &EnableKeyRotationRequest,
) -> Result<(), Fault> {
    let (least, most, usual) = limits::ROTATION_DAYS;
    let key = context.own_mut(state, &request.key_id, "kms:EnableKeyRotation")?;
    key.check_usable()?;
    let kept = key.rotation.map_or(usual, |rotation| rotation.days as i32);
    let period = request.rotation_period_in_days.unwrap_or(kept);
    if !(least..=most).contains(&period) {
        let constraint = if period < least {
            format!("Member must have value greater than or equal to {least}")
        } else {
            format!("Member must have value less than or equal to {most}")
        };
        return Err(faults::constraint(&format!("{period}"), "rotationPeriodInDays", &constraint));
    }
    let rotation = Rotation { days: period as u32, next: context.now + days(period as u32) };
    if key.rotation.is_none_or(|before| before.days != rotation.days) {
        key.rotation = Some(rotation);
    }
    Ok(())
}

pub(super) fn disable(state: &mut State, context: &Context<'_>, given: &Text) -> Result<(), Fault> {
    let key = context.own_mut(state, given, "kms:DisableKeyRotation")?;
    key.check_usable()?;
    key.rotation = None;
    Ok(())
}

pub(super) fn status(
    state: &State,
    context: &Context<'_>,
    request: &GetKeyRotationStatusRequest,
) -> Result<GetKeyRotationStatusResponse, Fault> {
    let key = context.own(state, &request.key_id, "kms:GetKeyRotationStatus")?;
    key.check_kept()?;
    Ok(GetKeyRotationStatusResponse {
        key_rotation_enabled: Some(key.rotation.is_some()),
        key_id: Some(key.arn()),
        rotation_period_in_days: key.rotation.map(|rotation| rotation.days as i32),
        next_rotation_date: key.rotation.and_then(|rotation| timestamp(rotation.next)),
        // A rotation on demand is over before it is answered.
        on_demand_rotation_start_date: None,
    })
}

pub(super) fn on_demand(
    state: &mut State,
    context: &Context<'_>,
    request: &RotateKeyOnDemandRequest,
) -> Result<RotateKeyOnDemandResponse, Fault> {
    let key = context.own_mut(state, &request.key_id, "kms:RotateKeyOnDemand")?;
    key.check_usable()?;
    if key.on_demand >= limits::ROTATIONS_ON_DEMAND {
        let message = format!("The key was rotated on demand {} times.", limits::ROTATIONS_ON_DEMAND);
        return Err(faults::limit_exceeded(message));
    }
    key.on_demand += 1;
    key.rotate(context.cipher);
    Ok(RotateKeyOnDemandResponse { key_id: Some(key.arn()) })
}
