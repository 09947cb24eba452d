//! AWS Security Token Service: what `engine/src/services/sts` decides, with the roles that are known here and the sessions that
//! are sealed here.

use kew_engine::identity::Caller;
use kew_engine::services::sts::api::assume_role::{self, Candidate};
use kew_engine::services::sts::api::{get_caller_identity, get_session_token};
use kew_engine::services::sts::faults;
use kew_engine::time::Moment;
use kew_wire::codec::Timestamp;
use kew_wire::fault::Fault;
use kew_wire::sts::{
    AssumeRoleRequest, AssumeRoleResponse, Credentials, GetSessionTokenRequest, GetSessionTokenResponse,
    Reply, Request,
};

use super::live::Live;
use super::session::{Assumed, Of, Session};
use super::{ids, managed};

/// Answers a request.
///
/// # Errors
/// As AWS refuses it.
pub(crate) fn answer(live: &Live, caller: &Caller, now: Moment, request: Request) -> Result<Reply, Fault> {
    match request {
        Request::AssumeRole(request) => assume_role(live, caller, now, request).map(Reply::AssumeRole),
        Request::GetCallerIdentity(_) => Ok(Reply::GetCallerIdentity(get_caller_identity(caller))),
        Request::GetSessionToken(request) => {
            session_token(live, caller, now, &request).map(Reply::GetSessionToken)
        }
    }
}

fn assume_role(
    live: &Live,
    caller: &Caller,
    now: Moment,
    request: AssumeRoleRequest,
) -> Result<AssumeRoleResponse, Fault> {
    let asked = assume_role::check(request)?;
    if let Some(unknown) = asked.policy_arns.iter().find(|arn| managed::document(arn).is_none()) {
        return Err(faults::malformed_policy(format!("Policy {unknown} does not exist.")));
    }
    let current = live.current();
    let known = current.registry.role(asked.account, &asked.name);
    let known = known.filter(|known| known.role.arn() == *asked.role);
    let candidate = known.map(|known| Candidate {
        trust: &known.trust,
        tags: &known.tags,
        max_session_seconds: known.role.max_session_seconds,
    });
    let grant = assume_role::decide(&asked, caller, candidate, now)?;
    let id = known.map_or_else(
        || ids::Kind::Role.declared(&asked.account.to_string(), &asked.name),
        |known| known.role.profile.id.clone(),
    );
    let of = if caller.identity.is_none() {
        Of::Open(asked.account)
    } else {
        let texts = |texts: &[kew_wire::Text]| texts.iter().map(ToString::to_string).collect();
        Of::Role(Box::new(Assumed {
            account: asked.account,
            name: asked.name.clone(),
            id: id.clone(),
            session: asked.session.to_string(),
            policy: asked.policy.clone(),
            policy_arns: texts(&asked.policy_arns),
            tags: grant.tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            transitive: texts(&grant.transitive),
            source_identity: grant.source_identity.as_ref().map(ToString::to_string),
        }))
    };
    let credentials = credentials(live, &Session::begin(of, now, grant.seconds));
    Ok(assume_role::answer(&asked, &grant, &id, credentials))
}

fn session_token(
    live: &Live,
    caller: &Caller,
    now: Moment,
    request: &GetSessionTokenRequest,
) -> Result<GetSessionTokenResponse, Fault> {
    let seconds = get_session_token::decide(request, caller)?;
    let key = caller.identity.as_ref().and_then(|identity| identity.access_key.as_ref());
    let of = match key {
        Some(key) => Of::Key { id: key.to_string(), owner: caller.sender.to_string() },
        None => Of::Open(caller.account),
    };
    let credentials = credentials(live, &Session::begin(of, now, seconds));
    Ok(GetSessionTokenResponse { credentials: Some(credentials), ..GetSessionTokenResponse::default() })
}

fn credentials(live: &Live, session: &Session) -> Credentials {
    Credentials {
        access_key_id: session.key.as_str().into(),
        secret_access_key: session.secret.text().into(),
        session_token: session.token(live.vault().root()).into(),
        // AWS shows whole seconds.
        expiration: Timestamp((session.expires / 1000) as f64),
    }
}
