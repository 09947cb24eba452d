//! What is known about a request, under the names by which conditions and variables ask for it.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;

use kew_wire::Text;
use kew_wire::arn::{Arn, partition};

use super::glob::Steps;
use super::{Effect, Policy, dates};
use crate::identity::{Account, Caller, Kind, Principal};
use crate::time::Moment;

/// Steps that it takes to write down what is asked by a key without a list: an ARN, a number, a date.
const ONE_KEY: usize = 32;

static UNTAGGED: BTreeMap<Text, Text> = BTreeMap::new();

/// A question: may the caller do this?
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Who asks, from where.
    pub caller: &'a Caller,
    /// The action, by the service's prefix and its own name (`sqs:SendMessage`).
    pub action: &'a str,
    /// The ARN of what it is done to, or `*`.
    pub resource: &'a str,
    /// Whose that is.
    pub owner: Account,
    /// The policy that belongs to it.
    pub policy: Option<&'a Policy>,
    /// Whether that policy must allow it, as those of roles and keys must; a queue's need not for callers of its own account.
    pub needs_policy: bool,
    /// Its tags (`aws:ResourceTag/KEY`).
    pub resource_tags: &'a BTreeMap<Text, Text>,
    /// Tags that the request would set (`aws:RequestTag/KEY`, `aws:TagKeys`).
    pub request_tags: &'a [(Text, Text)],
    /// Keys of tags that the request would remove (`aws:TagKeys`).
    pub removed_tags: &'a [Text],
    /// What the service adds (`sts:ExternalId`), each key with its value; one with several stands several times, always spelt alike.
    pub keys: &'a [(&'a str, &'a str)],
    /// When.
    pub now: Moment,
}

impl<'a> Request<'a> {
    /// A request about which nothing else is known. Further fields are set by struct update.
    pub fn new(caller: &'a Caller, action: &'a str, resource: &'a str, owner: Account, now: Moment) -> Self {
        Self {
            caller,
            action,
            resource,
            owner,
            policy: None,
            needs_policy: false,
            resource_tags: &UNTAGGED,
            request_tags: &[],
            removed_tags: &[],
            keys: &[],
            now,
        }
    }
}

/// A condition key. Names are compared whatever their case (user guide, *Condition keys*).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    CurrentTime,
    EpochTime,
    MultiFactorAuthPresent,
    PrincipalAccount,
    PrincipalArn,
    PrincipalIsAwsService,
    PrincipalServiceName,
    PrincipalTag(String),
    PrincipalType,
    RequestTag(String),
    RequestedRegion,
    ResourceAccount,
    ResourceTag(String),
    SecureTransport,
    SourceAccount,
    SourceArn,
    SourceIdentity,
    SourceIp,
    TagKeys,
    TokenIssueTime,
    UserAgent,
    UserId,
    Username,
    ViaAwsService,
    /// What the request's service may know; in lower case.
    Other(String),
}

impl Key {
    pub(super) fn read(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let Some(global) = name.strip_prefix("aws:") else { return Self::Other(name) };
        if let Some((family, tag)) = global.split_once('/') {
            match family {
                "principaltag" => return Self::PrincipalTag(tag.into()),
                "requesttag" => return Self::RequestTag(tag.into()),
                "resourcetag" => return Self::ResourceTag(tag.into()),
                _ => {}
            }
        }
        match global {
            "currenttime" => Self::CurrentTime,
            "epochtime" => Self::EpochTime,
            "multifactorauthpresent" => Self::MultiFactorAuthPresent,
            "principalaccount" => Self::PrincipalAccount,
            "principalarn" => Self::PrincipalArn,
            "principalisawsservice" => Self::PrincipalIsAwsService,
            "principalservicename" => Self::PrincipalServiceName,
            "principaltype" => Self::PrincipalType,
            "requestedregion" => Self::RequestedRegion,
            "resourceaccount" => Self::ResourceAccount,
            "securetransport" => Self::SecureTransport,
            "sourceaccount" => Self::SourceAccount,
            "sourcearn" => Self::SourceArn,
            "sourceidentity" => Self::SourceIdentity,
            "sourceip" => Self::SourceIp,
            "tagkeys" => Self::TagKeys,
            "tokenissuetime" => Self::TokenIssueTime,
            "useragent" => Self::UserAgent,
            "userid" => Self::UserId,
            "username" => Self::Username,
            "viaawsservice" => Self::ViaAwsService,
            _ => Self::Other(name),
        }
    }
}

/// What a request says under a key.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Absent,
    One(Cow<'a, str>),
    /// All of a set.
    Many(Vec<&'a str>),
    /// A key has one value, but the request says several: tags of which only the case of their keys differs. AWS takes such tags, and
    /// does not say which of them counts. Here an Allow must be content with each, and a Deny with one.
    Torn(Vec<&'a str>),
}

impl<'a> Found<'a> {
    fn maybe(value: Option<impl Into<Cow<'a, str>>>) -> Self {
        value.map_or(Self::Absent, |value| Self::One(value.into()))
    }

    /// What stands under a key that has one value.
    fn of(mut values: Vec<&'a str>) -> Self {
        match (values.pop(), values.is_empty()) {
            (None, _) => Self::Absent,
            (Some(one), true) => Self::One(one.into()),
            (Some(last), false) => {
                values.push(last);
                Self::Torn(values)
            }
        }
    }
}

/// A request, and its principal in the words of policies.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) request: &'a Request<'a>,
    /// Who asks. Whoever is not authenticated stands for the account's root.
    pub(super) principal: Cow<'a, Principal>,
    /// A variable was asked for whose key is [torn](Found::Torn).
    torn: Cell<bool>,
    /// What may still be looked at.
    pub(super) steps: &'a Steps,
}

impl<'a> Context<'a> {
    pub(super) fn new(request: &'a Request<'a>, steps: &'a Steps) -> Self {
        let caller = request.caller;
        let principal = match &caller.identity {
            Some(identity) => Cow::Borrowed(&identity.principal),
            None => Cow::Owned(Principal {
                account: caller.account,
                arn: format!("arn:{}:iam::{}:root", partition(&caller.region), caller.account).into(),
                id: caller.account.to_string().into(),
                kind: Kind::Root,
                tags: Vec::new(),
                issued: None,
            }),
        };
        Self { request, principal, torn: Cell::new(false), steps }
    }

    /// The one value of a key, for a variable; keys with several have none.
    pub(super) fn single(&self, key: &Key) -> Option<Cow<'_, str>> {
        match self.find(key) {
            Found::One(value) => Some(value),
            Found::Absent | Found::Many(_) => None,
            Found::Torn(_) => {
                self.torn.set(true);
                None
            }
        }
    }

    /// What `ask` finds; but where that hung on a variable of which nobody knows what it says, or there is too much to look at, an Allow
    /// does not hold and a Deny does.
    pub(super) fn surely(&self, effect: Effect, ask: impl FnOnce() -> bool) -> bool {
        if self.steps.are_spent() {
            return effect == Effect::Deny;
        }
        let found = ask();
        if self.torn.replace(false) || self.steps.are_spent() { effect == Effect::Deny } else { found }
    }

    /// What the request says under a key; which kinds of principals have which is in the user guide's table *Principal key values*
    /// and with each of the *Global condition context keys*.
    pub(super) fn find(&self, key: &Key) -> Found<'_> {
        let Request { caller, now, .. } = self.request;
        let principal = &*self.principal;
        let origin = caller.origin.as_deref();
        let is_service = principal.kind == Kind::Service;
        let is_signed = principal.kind != Kind::Anonymous;
        let text = |value: bool| if value { "true" } else { "false" };
        let is_counted = self.steps.take(match key {
            Key::PrincipalTag(_) => principal.tags.len(),
            Key::RequestTag(_) | Key::TagKeys => {
                self.request.request_tags.len() + self.request.removed_tags.len()
            }
            Key::ResourceTag(_) => self.request.resource_tags.len(),
            // Each is compared with the first.
            Key::Other(_) => 2 * self.request.keys.len(),
            _ => ONE_KEY,
        });
        if !is_counted {
            return Found::Absent;
        }
        match key {
            Key::CurrentTime => Found::One(dates::write(now.seconds()).into()),
            Key::EpochTime => Found::One(now.seconds().to_string().into()),
            Key::MultiFactorAuthPresent => Found::maybe(principal.issued.map(|_| "false")),
            Key::PrincipalAccount if is_service => Found::Absent,
            Key::PrincipalAccount if is_signed => Found::One(principal.account.to_string().into()),
            Key::PrincipalAccount => Found::One("anonymous".into()),
            Key::PrincipalArn => match &principal.kind {
                Kind::Root | Kind::User { .. } => Found::One((&*principal.arn).into()),
                Kind::Role { role } => Found::One((&**role).into()),
                Kind::Service | Kind::Anonymous => Found::Absent,
            },
            Key::PrincipalIsAwsService => Found::maybe(is_signed.then(|| text(is_service))),
            Key::PrincipalServiceName => Found::maybe(is_service.then_some(&*principal.arn)),
            // A session's tags stand behind those of its role and count more; IAM takes no two of one key.
            Key::PrincipalTag(key) => Found::maybe(tagged(pairs(&principal.tags), key).pop()),
            Key::PrincipalType => match principal.kind {
                Kind::Root => Found::One("Account".into()),
                Kind::User { .. } => Found::One("User".into()),
                Kind::Role { .. } => Found::One("AssumedRole".into()),
                Kind::Anonymous => Found::One("Anonymous".into()),
                Kind::Service => Found::Absent,
            },
            Key::RequestTag(key) => Found::of(tagged(pairs(self.request.request_tags), key)),
            // Where the request goes, whatever region its caller has signed for.
            Key::RequestedRegion => {
                let named = Arn::parse(self.request.resource).map(|arn| arn.region);
                Found::One(named.filter(|region| !region.is_empty()).unwrap_or(&caller.region).into())
            }
            Key::ResourceAccount => Found::One(self.request.owner.to_string().into()),
            Key::ResourceTag(key) => Found::of(tagged(self.request.resource_tags.iter(), key)),
            Key::SecureTransport => Found::maybe(origin.map(|origin| text(origin.is_secure))),
            Key::SourceAccount => {
                let source = origin.and_then(|origin| origin.source.as_deref());
                let account = source.and_then(Arn::parse).map(|arn| arn.account);
                Found::maybe(account.filter(|account| !account.is_empty()))
            }
            Key::SourceArn => Found::maybe(origin.and_then(|origin| origin.source.as_deref())),
            Key::SourceIdentity => {
                let chain = caller.identity.as_ref().and_then(|identity| identity.chain.as_ref());
                Found::maybe(chain.and_then(|chain| chain.source_identity.as_deref()))
            }
            Key::SourceIp => {
                let address = origin.and_then(|origin| origin.address);
                Found::maybe(address.map(|address| address.to_canonical().to_string()))
            }
            Key::TagKeys => {
                let set = self.request.request_tags.iter().map(|(key, _)| &**key);
                let keys: Vec<&str> = set.chain(self.request.removed_tags.iter().map(|key| &**key)).collect();
                if keys.is_empty() { Found::Absent } else { Found::Many(keys) }
            }
            Key::TokenIssueTime => Found::maybe(principal.issued.map(|at| dates::write(at.seconds()))),
            Key::UserAgent => Found::maybe(origin.and_then(|origin| origin.user_agent.as_deref())),
            Key::UserId => match principal.kind {
                Kind::Anonymous => Found::One("anonymous".into()),
                Kind::Service => Found::Absent,
                _ => Found::One((&*principal.id).into()),
            },
            Key::Username => match &principal.kind {
                Kind::User { name } => Found::One((&**name).into()),
                _ => Found::Absent,
            },
            Key::ViaAwsService => Found::One("false".into()),
            Key::Other(name) => {
                let named = self.request.keys.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
                let (spellings, values): (Vec<&str>, Vec<&str>) = named.copied().unzip();
                // A set's values all stand under the very same name.
                let is_set = spellings.windows(2).all(|pair| pair[0] == pair[1]);
                if values.len() > 1 && is_set { Found::Many(values) } else { Found::of(values) }
            }
        }
    }
}

fn pairs(tags: &[(Text, Text)]) -> impl Iterator<Item = (&Text, &Text)> {
    tags.iter().map(|(key, value)| (key, value))
}

/// The values of the tags that a condition's key means, which does not tell capitals from small letters.
fn tagged<'a>(tags: impl Iterator<Item = (&'a Text, &'a Text)>, key: &str) -> Vec<&'a str> {
    tags.filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| &**value).collect()
}
