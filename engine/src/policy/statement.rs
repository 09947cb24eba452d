//! One statement: what it is about, and how it is read.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::condition::Condition;
use super::context::Context;
use super::glob::Pattern;
use super::json::Json;
use super::pattern::{ArnPattern, Syntax};
use super::principals::{Grant, Principals};
use super::{Effect, Malformed, Use, syntax_error};

/// The keys of a statement.
const KEYS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// A list, or everything but it.
#[derive(Debug)]
enum Choice<T> {
    Of(T),
    Not(T),
}

/// A statement, compiled.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    /// `None` in policies of identities, which are about whoever has them.
    principals: Option<Choice<Principals>>,
    actions: Choice<Vec<Pattern>>,
    /// `None` where a policy is about the resource that it belongs to.
    resources: Option<Choice<Vec<ArnPattern>>>,
    conditions: Vec<Condition>,
}

impl Statement {
    pub(super) fn read(element: &Json, used: Use, variables: bool) -> Result<Self, Malformed> {
        let members = element.members().ok_or_else(syntax_error)?;
        if members.iter().any(|(key, _)| !KEYS.contains(&key.as_str())) {
            return Err(syntax_error());
        }
        let get = |key: &str| members.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        let sid = match get("Sid").map(Json::text) {
            None => None,
            Some(Some(sid)) => Some(String::from(sid)),
            Some(None) => return Err(syntax_error()),
        };
        let effect = match get("Effect").and_then(Json::text) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(syntax_error()),
        };
        let principals = match either(get("Principal"), get("NotPrincipal"))? {
            Some(_) if used == Use::Identity => {
                return Err(Malformed("Policy document should not specify a principal.".into()));
            }
            None if used != Use::Identity => {
                return Err(Malformed("Missing required field Principal".into()));
            }
            principals => principals.map(|choice| choice.read(Principals::read)).transpose()?,
        };
        let actions = either(get("Action"), get("NotAction"))?.map(|choice| choice.read(read_actions));
        let actions = actions.transpose()?;
        let actions = actions.ok_or_else(|| Malformed("Policy statement must contain actions.".into()))?;
        let resources = either(get("Resource"), get("NotResource"))?;
        match (&resources, used) {
            (None, Use::Identity) => return Err(no_resources()),
            (Some(_), Use::Trust) => return Err(Malformed("Has prohibited field Resource".into())),
            _ => {}
        }
        let read = |list: &Json| read_resources(list, used, variables);
        let resources = resources.map(|choice| choice.read(read)).transpose()?;
        let conditions = get("Condition").map(|element| Condition::read_all(element, variables));
        let conditions = conditions.transpose()?.unwrap_or_default();
        Ok(Self { sid, effect, principals, actions, resources, conditions })
    }

    pub(super) fn actions(&self) -> usize {
        let (Choice::Of(actions) | Choice::Not(actions)) = &self.actions;
        actions.len()
    }

    pub(super) fn principals(&self) -> usize {
        self.principals.as_ref().map_or(0, |(Choice::Of(names) | Choice::Not(names))| names.len())
    }

    pub(super) fn conditions(&self) -> usize {
        self.conditions.len()
    }

    /// Whether the statement is about a request, and how directly it names who asks.
    pub(super) fn concerns(&self, context: &Context<'_>) -> Option<Grant> {
        let about_action = context.surely(self.effect, || match &self.actions {
            Choice::Of(patterns) => names_action(patterns, context),
            Choice::Not(patterns) => !names_action(patterns, context),
        });
        if !about_action {
            return None;
        }
        let grant = self.grant(context)?;
        let names = |patterns: &[ArnPattern]| {
            patterns.iter().any(|pattern| pattern.matches(context.request.resource, context))
        };
        let about_resource = context.surely(self.effect, || match &self.resources {
            None => true,
            Some(Choice::Of(patterns)) => names(patterns),
            Some(Choice::Not(patterns)) => !names(patterns),
        });
        let mut conditions = self.conditions.iter();
        (about_resource && conditions.all(|condition| condition.holds(self.effect, context))).then_some(grant)
    }

    fn grant(&self, context: &Context<'_>) -> Option<Grant> {
        let principal = &*context.principal;
        match &self.principals {
            None => Some(Grant::Direct),
            Some(Choice::Of(names)) => names.grant(principal),
            // Everyone else.
            Some(Choice::Not(names)) if self.effect == Effect::Allow => {
                names.grant(principal).is_none().then_some(Grant::Direct)
            }
            Some(Choice::Not(names)) => {
                // AWS: such a Deny always binds principals with a permissions boundary (*Permissions boundaries for IAM entities*).
                let permissions =
                    context.request.caller.identity.as_ref().and_then(|it| it.permissions.as_ref());
                let is_bounded = permissions.is_some_and(|permissions| permissions.boundary.is_some());
                (is_bounded || !names.spare(principal)).then_some(Grant::Direct)
            }
        }
    }
}

impl<'a> Choice<&'a Json> {
    fn read<T>(self, read: impl FnOnce(&'a Json) -> Result<T, Malformed>) -> Result<Choice<T>, Malformed> {
        Ok(match self {
            Self::Of(element) => Choice::Of(read(element)?),
            Self::Not(element) => Choice::Not(read(element)?),
        })
    }
}

/// An element or its negation, of which only one may stand.
fn either<'a>(of: Option<&'a Json>, not: Option<&'a Json>) -> Result<Option<Choice<&'a Json>>, Malformed> {
    match (of, not) {
        (Some(_), Some(_)) => Err(syntax_error()),
        (Some(of), None) => Ok(Some(Choice::Of(of))),
        (None, Some(not)) => Ok(Some(Choice::Not(not))),
        (None, None) => Ok(None),
    }
}

fn names_action(patterns: &[Pattern], context: &Context<'_>) -> bool {
    patterns.iter().any(|pattern| pattern.matches(context.request.action, true, context.steps))
}

fn read_actions(list: &Json) -> Result<Vec<Pattern>, Malformed> {
    let texts = list.texts().ok_or_else(syntax_error)?;
    if texts.is_empty() {
        return Err(Malformed("Policy statement must contain actions.".into()));
    }
    texts.into_iter().map(read_action).collect()
}

/// `sqs:SendMessage`, with wildcards, in any case, or `*`.
fn read_action(text: &str) -> Result<Pattern, Malformed> {
    let Some((vendor, name)) = text.split_once(':') else {
        return match text {
            "*" => Ok(Pattern::plain(text)),
            _ => Err(Malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into(),
            )),
        };
    };
    if name.contains(':') {
        return Err(Malformed("Actions/Condition can contain only one colon.".into()));
    }
    let is_vendor = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if vendor != "*" && !vendor.bytes().all(is_vendor) {
        return Err(Malformed(format!("Vendor {vendor} is not valid").into()));
    }
    Ok(Pattern::plain(text))
}

fn read_resources(list: &Json, used: Use, variables: bool) -> Result<Vec<ArnPattern>, Malformed> {
    let texts = list.texts().ok_or_else(syntax_error)?;
    if texts.is_empty() {
        return Err(no_resources());
    }
    let syntax = Syntax { wildcards: true, variables };
    let read = |text: &str| {
        if used == Use::Identity && text != "*" && !text.starts_with("arn:") {
            return Err(Malformed(format!("Resource {text} must be in ARN format or \"*\".").into()));
        }
        ArnPattern::read(text, syntax).ok_or_else(syntax_error)
    };
    texts.into_iter().map(read).collect()
}

fn no_resources() -> Malformed {
    Malformed("Policy statement must contain resources.".into())
}
