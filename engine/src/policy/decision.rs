//! Who may do what: all policies that a request meets, put together (user guide, *Policy evaluation logic*).

use alloc::format;
use alloc::string::String;

use super::context::{Context, Request};
use super::glob::Steps;
use super::principals::Grant;
use super::{Effect, Policy, limits};
use crate::identity::{Kind, Permissions};

/// Where a policy that decided stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A policy of the user or role.
    Identity,
    /// Its permissions boundary.
    Boundary,
    /// A policy of the session.
    Session,
    /// The policy of the resource.
    Resource,
}

impl Layer {
    /// AWS's name for policies of this kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
        }
    }
}

/// The statement that decided.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Where its policy stands.
    pub layer: Layer,
    /// Its policy.
    pub policy: &'a Policy,
    /// Its place in that, from zero.
    pub statement: usize,
}

impl<'a> By<'a> {
    /// The statement's Sid, if it has one.
    pub fn sid(&self) -> Option<&'a str> {
        self.policy.statements.get(self.statement)?.sid.as_deref()
    }
}

/// What the policies say.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'a> {
    /// It is allowed: by a statement, or without any because the caller is the account itself.
    Allowed(Option<By<'a>>),
    /// A statement denies it, whatever others allow.
    Denied(By<'a>),
    /// Nothing denies it, but no policy of this layer allows it and one would have to.
    Silent(Layer),
}

impl Decision<'_> {
    /// Whether the caller may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The end of AWS's refusal: why not. `action` is as AWS shows it there.
    pub fn because(&self, action: &str) -> String {
        match self {
            Self::Allowed(_) => String::new(),
            Self::Denied(by) => {
                let article = if by.layer == Layer::Identity { "an" } else { "a" };
                format!("with an explicit deny in {article} {}", by.layer.name())
            }
            Self::Silent(layer) => format!("because no {} allows the {action} action", layer.name()),
        }
    }
}

/// What the policies of one layer allow.
#[derive(Debug, Clone, Copy)]
struct Granted<'a> {
    by: By<'a>,
    grant: Grant,
}

/// Decides a request.
///
/// - A Deny anywhere decides.
/// - In the caller's own account one side is enough: its own policies, within its boundary and session, or the resource's policy. How
///   far boundary and session limit the latter depends on whom that names: see [`Grant`].
/// - In another account both must allow it; so must the policy of a role or a key (`needs_policy`) in one's own.
/// - Services and anonymous callers have only the resource's policy.
/// - What takes more than [`limits::STEPS`] to look at is not allowed.
pub fn decide<'a>(request: &Request<'a>) -> Decision<'a> {
    decide_within(request, &Steps::new(limits::STEPS))
}

/// The same within what is left of these steps, which several decisions may share.
pub fn decide_within<'a>(request: &Request<'a>, steps: &Steps) -> Decision<'a> {
    weigh(request, &Context::new(request, steps))
}

pub(super) fn weigh<'a>(request: &Request<'a>, context: &Context<'_>) -> Decision<'a> {
    let permissions = request.caller.identity.as_ref().and_then(|identity| identity.permissions.as_ref());
    let own = match permissions.map(|permissions| own_side(permissions, context)) {
        Some(Err(by)) => return Decision::Denied(by),
        Some(Ok(own)) => Some(own),
        None => None,
    };
    let resource = match request.policy.map(|policy| ask(policy, Layer::Resource, context)) {
        Some(Err(by)) => return Decision::Denied(by),
        Some(Ok(granted)) => granted,
        None => None,
    };
    let principal = &*context.principal;
    if matches!(principal.kind, Kind::Service | Kind::Anonymous) {
        return resource.map_or(Decision::Silent(Layer::Resource), |it| Decision::Allowed(Some(it.by)));
    }
    let is_own = principal.account == request.owner;
    let mine = match &own {
        // The account itself may whatever its account may.
        None => Ok(None),
        Some(own) => own.verdict().map(Some),
    };
    if is_own && let Some(granted) = resource {
        let limit = own.as_ref().and_then(Own::limit);
        match granted.grant {
            Grant::Direct => return Decision::Allowed(Some(granted.by)),
            Grant::Role => match limit {
                None => return Decision::Allowed(Some(granted.by)),
                Some(layer) => return Decision::Silent(layer),
            },
            Grant::Account => {}
        }
    }
    let by = match mine {
        Ok(by) => by,
        Err(layer) => return Decision::Silent(layer),
    };
    match resource {
        None if !is_own || request.needs_policy => Decision::Silent(Layer::Resource),
        Some(granted) if !is_own || request.needs_policy => Decision::Allowed(Some(granted.by)),
        _ => Decision::Allowed(by),
    }
}

/// What a principal's own policies say, none of which denies.
#[derive(Debug)]
struct Own<'a> {
    identity: Option<By<'a>>,
    /// `Some(None)`: there is a boundary and it does not allow it.
    boundary: Option<Option<By<'a>>>,
    session: Option<Option<By<'a>>>,
}

impl<'a> Own<'a> {
    /// The first of boundary and session that is there and does not allow it.
    fn limit(&self) -> Option<Layer> {
        match (self.boundary, self.session) {
            (Some(None), _) => Some(Layer::Boundary),
            (_, Some(None)) => Some(Layer::Session),
            _ => None,
        }
    }

    fn verdict(&self) -> Result<By<'a>, Layer> {
        let by = self.identity.ok_or(Layer::Identity)?;
        self.limit().map_or(Ok(by), Err)
    }
}

fn own_side<'a>(permissions: &'a Permissions, context: &Context<'_>) -> Result<Own<'a>, By<'a>> {
    let all = |policies: &'a [alloc::sync::Arc<Policy>], layer: Layer| {
        let mut found = None;
        for policy in policies {
            found = found.or(ask(policy, layer, context)?.map(|granted| granted.by));
        }
        Ok(found)
    };
    let identity = all(&permissions.identity, Layer::Identity)?;
    let boundary = match &permissions.boundary {
        None => None,
        Some(policy) => Some(ask(policy, Layer::Boundary, context)?.map(|granted| granted.by)),
    };
    let session = match &permissions.session[..] {
        [] => None,
        policies => Some(all(policies, Layer::Session)?),
    };
    Ok(Own { identity, boundary, session })
}

/// What one policy says: the statement that denies, or the one that allows most directly.
fn ask<'a>(policy: &'a Policy, layer: Layer, context: &Context<'_>) -> Result<Option<Granted<'a>>, By<'a>> {
    let mut allowed: Option<Granted<'a>> = None;
    for (statement, compiled) in policy.statements.iter().enumerate() {
        let is_better = compiled.effect == Effect::Deny || allowed.is_none_or(|it| it.grant < Grant::Direct);
        let Some(grant) = is_better.then(|| compiled.concerns(context)).flatten() else { continue };
        let by = By { layer, policy, statement };
        match compiled.effect {
            Effect::Deny => return Err(by),
            Effect::Allow => {
                if allowed.is_none_or(|it| it.grant < grant) {
                    allowed = Some(Granted { by, grant });
                }
            }
        }
    }
    Ok(allowed)
}
