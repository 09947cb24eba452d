//! AssumeRole: a user or a session becomes a role for a while (API AssumeRole; IAM user guide, *Pass session tags in AWS STS*,
//! *Monitor and control actions taken with assumed roles*).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::arn::Arn;
use kew_wire::fault::Fault;
use kew_wire::sts::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser, Credentials};
use serde_json::Value;

use super::super::constraints::{ARN, Constraints, EXTERNAL_ID, NAME, POLICY, TAG_KEY, TAG_VALUE};
use super::super::{faults, limits};
use crate::identity::{Account, Caller, Kind};
use crate::policy::{self, Decision, Policy, Use};
use crate::time::Moment;

/// A request that keeps to AWS's shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The role's ARN, as it was asked for.
    pub role: Text,
    /// The role's account.
    pub account: Account,
    /// The role's name, without its path.
    pub name: String,
    /// The session's name.
    pub session: Text,
    /// The session policy, which was read once and can be compiled.
    pub policy: Option<Value>,
    /// ARNs of further session policies. Whether there are such is for the caller to see.
    pub policy_arns: Vec<Text>,
    seconds: Option<u32>,
    tags: Vec<(Text, Text)>,
    transitive: Vec<Text>,
    external_id: Option<Text>,
    source_identity: Option<Text>,
    has_code: bool,
}

/// A role, as far as it matters who becomes it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Who may assume it.
    pub trust: &'a Policy,
    /// Its tags.
    pub tags: &'a BTreeMap<Text, Text>,
    /// How long a session may last at most.
    pub max_session_seconds: u32,
}

/// A session that may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// How long it lasts.
    pub seconds: u32,
    /// Its tags: those asked for, and those that the caller's session hands on.
    pub tags: Vec<(Text, Text)>,
    /// The keys of the tags that it hands on in turn.
    pub transitive: Vec<Text>,
    /// Who stands behind it.
    pub source_identity: Option<Text>,
    /// How much of its room its policies and tags take, in percent; `None` if it has none.
    pub packed_percent: Option<u32>,
}

/// Checks a request by itself.
///
/// # Errors
/// AWS's `ValidationError`, `MalformedPolicyDocument` and `InvalidParameterValue`.
pub fn check(request: AssumeRoleRequest) -> Result<Asked, Fault> {
    constraints(&request)?;
    let invalid = || faults::validation(format!("{} is invalid", request.role_arn));
    let arn = Arn::parse(&request.role_arn).filter(|arn| arn.service == "iam" && arn.region.is_empty());
    let arn = arn.ok_or_else(invalid)?;
    let account: Account = arn.account.parse().map_err(|_| invalid())?;
    let path = arn.resource.strip_prefix("role/").ok_or_else(invalid)?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).ok_or_else(invalid)?.to_string();
    let policy = request.policy.as_deref().map(read_policy).transpose()?;
    let tags: Vec<(Text, Text)> = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let twice = |at: usize| tags[..at].iter().any(|(key, _)| key.eq_ignore_ascii_case(&tags[at].0));
    if (0..tags.len()).any(twice) {
        return Err(faults::invalid_parameter(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    if !request.transitive_tag_keys.iter().all(|key| tags.iter().any(|(tag, _)| tag == key)) {
        return Err(faults::invalid_parameter(
            "The specified transitive tag key must be included in the requested tags.",
        ));
    }
    Ok(Asked {
        account,
        name,
        session: request.role_session_name,
        policy,
        policy_arns: request.policy_arns.into_iter().filter_map(|policy| policy.arn).collect(),
        seconds: request.duration_seconds.and_then(|seconds| u32::try_from(seconds).ok()),
        tags,
        transitive: request.transitive_tag_keys,
        external_id: request.external_id,
        source_identity: request.source_identity,
        has_code: request.token_code.is_some() || request.serial_number.is_some(),
        role: request.role_arn,
    })
}

fn constraints(request: &AssumeRoleRequest) -> Result<(), Fault> {
    let mut all = Constraints::default();
    all.required("roleArn", &request.role_arn, limits::ARN_CHARS, &ARN);
    all.required("roleSessionName", &request.role_session_name, limits::SESSION_NAME_CHARS, &NAME);
    if let Some(seconds) = request.duration_seconds {
        all.number("durationSeconds", seconds, limits::ROLE_SECONDS);
    }
    if let Some(policy) = &request.policy {
        all.text("policy", policy, limits::POLICY_CHARS, &POLICY);
    }
    all.list("policyArns", request.policy_arns.len(), limits::POLICY_ARNS);
    for (at, arn) in request.policy_arns.iter().filter_map(|policy| policy.arn.as_deref()).enumerate() {
        all.text(&format!("policyArns.{}.member.arn", at + 1), arn, limits::ARN_CHARS, &ARN);
    }
    all.list("tags", request.tags.len(), limits::TAGS);
    for (at, tag) in request.tags.iter().take(limits::TAGS).enumerate() {
        all.text(&format!("tags.{}.member.key", at + 1), &tag.key, limits::TAG_KEY_CHARS, &TAG_KEY);
        all.text(&format!("tags.{}.member.value", at + 1), &tag.value, limits::TAG_VALUE_CHARS, &TAG_VALUE);
    }
    all.list("transitiveTagKeys", request.transitive_tag_keys.len(), limits::TAGS);
    if let Some(id) = &request.external_id {
        all.text("externalId", id, limits::EXTERNAL_ID_CHARS, &EXTERNAL_ID);
    }
    if let Some(name) = &request.source_identity {
        all.text("sourceIdentity", name, limits::SESSION_NAME_CHARS, &NAME);
    }
    all.end()
}

fn read_policy(text: &str) -> Result<Value, Fault> {
    Policy::compile(Use::Identity, "session policy".into(), text)
        .map_err(|malformed| faults::malformed_policy(malformed.0))?;
    // What was compiled is JSON.
    serde_json::from_str(text).map_err(|_| faults::malformed_policy("Syntax errors in policy."))
}

/// Decides whether the caller may become the role; `None`: there is no such role.
///
/// # Errors
/// `AccessDenied` for callers who may not, which includes every account's root and roles that do not exist; `ValidationError` for
/// sessions that are too long; `PackedPolicyTooLarge`; tags that the caller's session does not allow.
pub fn decide(
    asked: &Asked,
    caller: &Caller,
    role: Option<Candidate<'_>>,
    now: Moment,
) -> Result<Grant, Fault> {
    let identity = caller.identity.as_deref();
    let kind = identity.map(|identity| &identity.principal.kind);
    if kind == Some(&Kind::Root) {
        return Err(faults::access_denied("Roles may not be assumed by root accounts."));
    }
    if asked.has_code {
        return Err(faults::access_denied(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        ));
    }
    let chain = identity.and_then(|identity| identity.chain.as_ref());
    let handed = chain.map_or(&[][..], |chain| &chain.tags);
    if asked.tags.iter().any(|(key, _)| handed.iter().any(|(tag, _)| tag.eq_ignore_ascii_case(key))) {
        return Err(faults::invalid_parameter(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
        ));
    }
    let inherited = chain.and_then(|chain| chain.source_identity.as_ref());
    let source_identity = inherited.or(asked.source_identity.as_ref());
    let is_changed =
        inherited.is_some() && asked.source_identity.is_some() && inherited != asked.source_identity.as_ref();
    let reserved = asked.source_identity.as_ref().is_some_and(|name| name.starts_with("aws:"));
    if let Some(role) = role.filter(|_| identity.is_some()) {
        may(asked, caller, role, source_identity, now)?;
    }
    if (identity.is_some() && role.is_none()) || is_changed || reserved {
        let action = if is_changed || reserved { "sts:SetSourceIdentity" } else { "sts:AssumeRole" };
        return Err(faults::not_authorized(caller, action, &asked.role, ""));
    }
    let is_chained = matches!(kind, Some(Kind::Role { .. }));
    let most = role.map_or(u32::MAX, |role| role.max_session_seconds);
    let seconds = asked.seconds.unwrap_or(limits::ROLE_SECONDS_DEFAULT.min(most));
    if seconds > most {
        return Err(faults::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    if is_chained && seconds > limits::CHAINED_SECONDS {
        return Err(faults::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    let tags: Vec<(Text, Text)> = handed.iter().chain(&asked.tags).cloned().collect();
    let transitive: Vec<Text> = handed.iter().map(|(key, _)| key).chain(&asked.transitive).cloned().collect();
    let packed = packed(asked, &tags, &transitive);
    let percent = (packed * 100).div_ceil(limits::PACKED_BYTES);
    if percent > 100 {
        return Err(faults::packed_policy_too_large(percent));
    }
    Ok(Grant {
        seconds,
        tags,
        transitive,
        source_identity: source_identity.cloned(),
        packed_percent: (packed > 0).then_some(percent as u32),
    })
}

/// Asks the policies of the caller and of the role. Tags, and a source identity, need permissions of their own.
fn may(
    asked: &Asked,
    caller: &Caller,
    role: Candidate<'_>,
    source_identity: Option<&Text>,
    now: Moment,
) -> Result<(), Fault> {
    let mut keys: Vec<(&str, &str)> = [("sts:RoleSessionName", &*asked.session)].into();
    keys.extend(asked.external_id.as_deref().map(|id| ("sts:ExternalId", id)));
    keys.extend(source_identity.map(|name| ("sts:SourceIdentity", &**name)));
    keys.extend(asked.transitive.iter().map(|key| ("sts:TransitiveTagKeys", &**key)));
    let needed = [
        Some("sts:AssumeRole"),
        (!asked.tags.is_empty()).then_some("sts:TagSession"),
        source_identity.map(|_| "sts:SetSourceIdentity"),
    ];
    for action in needed.into_iter().flatten() {
        let request = policy::Request {
            policy: Some(role.trust),
            needs_policy: true,
            resource_tags: role.tags,
            request_tags: &asked.tags,
            keys: &keys,
            ..policy::Request::new(caller, action, &asked.role, asked.account, now)
        };
        let decision = policy::decide(&request);
        if !decision.is_allowed() {
            // Why a role that may not exist does not let somebody in is not told.
            let because = match decision {
                Decision::Denied(_) => format!(" {}", decision.because(action)),
                _ => String::new(),
            };
            return Err(faults::not_authorized(caller, action, &asked.role, &because));
        }
    }
    Ok(())
}

/// The bytes that policies and tags take in a token.
fn packed(asked: &Asked, tags: &[(Text, Text)], transitive: &[Text]) -> usize {
    // Each text is written in quotes with a comma, each pair in brackets.
    let policy = asked.policy.as_ref().map_or(0, |policy| policy.to_string().len());
    let arns = asked.policy_arns.iter().map(|arn| arn.len() + 3);
    let tags = tags.iter().map(|(key, value)| key.len() + value.len() + 8);
    let transitive = transitive.iter().map(|key| key.len() + 3);
    policy + arns.sum::<usize>() + tags.sum::<usize>() + transitive.sum::<usize>()
}

/// The answer: the session's credentials, and its names. `role_id` is the role's unique id.
pub fn answer(asked: &Asked, grant: &Grant, role_id: &str, credentials: Credentials) -> AssumeRoleResponse {
    let Asked { account, name, session, .. } = asked;
    AssumeRoleResponse {
        credentials: Some(credentials),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: format!("{role_id}:{session}").into(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}").into(),
        }),
        packed_policy_size: grant.packed_percent.map(|percent| percent as i32),
        source_identity: grant.source_identity.clone(),
        session_token_utilization: None,
        session_token_size: None,
    }
}
