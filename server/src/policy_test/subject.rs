//! Who asks, and what else is known: read from a command line.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use kew_engine::identity::{Account, Caller, Identity, Kind, Origin, Permissions, Principal};
use kew_engine::policy::{limits, read_date};
use kew_engine::time::Moment;
use kew_wire::Text;
use kew_wire::arn::Arn;

use crate::failure::Failure;
use crate::identities::registry::{self, Layer};

type Pairs = Vec<(Text, Text)>;

/// What a request says beside who and what.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) now: Moment,
    pub(super) resource_tags: BTreeMap<Text, Text>,
    pub(super) request_tags: Pairs,
    pub(super) removed_tags: Vec<Text>,
    /// What only some services know.
    pub(super) keys: Pairs,
    principal_tags: Pairs,
    origin: Origin,
    region: Text,
    user_id: Option<Text>,
    issued: Option<Moment>,
}

impl Facts {
    /// Reads condition keys with their values.
    pub(super) fn read(pairs: &[String], now: Moment) -> Result<Self, Failure> {
        let mut facts = Self {
            now,
            resource_tags: BTreeMap::new(),
            request_tags: Pairs::new(),
            removed_tags: Vec::new(),
            keys: Pairs::new(),
            principal_tags: Pairs::new(),
            origin: Origin::default(),
            region: Text::from_static("us-east-1"),
            user_id: None,
            issued: None,
        };
        for pair in pairs {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--context: {pair:?} is not allowed; give KEY=VALUE"))
            })?;
            facts.add(key, value)?;
        }
        Ok(facts)
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        let wrong =
            |wanted: &str| Failure::usage(format!("--context: {key}={value}: {value:?} is no {wanted}"));
        let moment = || {
            let date = read_date(value).and_then(|millis| u64::try_from(millis).ok());
            date.map(Moment).ok_or_else(|| wrong("date"))
        };
        let lower = key.to_ascii_lowercase();
        // A tag's key keeps its case.
        let tag = key.split_once('/').map(|(_, tag)| (Text::from(tag), Text::from(value)));
        match (lower.split_once('/').map_or(&*lower, |(family, _)| family), tag) {
            ("aws:principaltag", Some(tag)) => self.principal_tags.push(tag),
            ("aws:requesttag", Some(tag)) => self.request_tags.push(tag),
            ("aws:resourcetag", Some((name, value))) => _ = self.resource_tags.insert(name, value),
            ("aws:tagkeys", None) => self.removed_tags.extend(value.split(',').map(Text::from)),
            ("aws:sourceip", None) => {
                let address: IpAddr = value.parse().map_err(|_| wrong("address"))?;
                self.origin.address = Some(address);
            }
            ("aws:securetransport", None) => {
                self.origin.is_secure = value.parse().map_err(|_| wrong("truth value: true or false"))?;
            }
            ("aws:useragent", None) => {
                let end = value.floor_char_boundary(limits::USER_AGENT_BYTES);
                self.origin.user_agent = Some(value[..end].into());
            }
            ("aws:sourcearn", None) => self.origin.source = Some(value.into()),
            ("aws:requestedregion", None) => self.region = value.into(),
            ("aws:userid", None) => self.user_id = Some(value.into()),
            ("aws:currenttime" | "aws:epochtime", None) => self.now = moment()?,
            ("aws:tokenissuetime", None) => self.issued = Some(moment()?),
            (global, _) if global.starts_with("aws:") => {
                let reason = "follows from who asks, or is never there";
                return Err(Failure::usage(format!("--context: {key} cannot be given: it {reason}")));
            }
            _ => self.keys.push((key.into(), value.into())),
        }
        Ok(())
    }
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) principal: Principal,
    pub(super) permissions: Option<Permissions>,
}

impl Subject {
    /// Reads an ARN, or who has none. With `stored` layers a user or role must be in one of them, and has what is written there.
    pub(super) fn read(text: &str, facts: &Facts, stored: Option<&[Layer]>) -> Result<Self, Failure> {
        let (account, kind, arn, id) = name(text)?;
        let id = facts.user_id.clone().unwrap_or(id);
        let (arn, issued) = (Text::from(arn), facts.issued);
        let mut subject = Self {
            principal: Principal { account, arn, id, kind, tags: Vec::new(), issued },
            permissions: None,
        };
        if let Some(layers) = stored.filter(|_| subject.has_policies()) {
            let wanted = match &subject.principal.kind {
                Kind::Role { role } => role,
                _ => &subject.principal.arn,
            };
            let (profile, permissions) = registry::find(layers, wanted)?
                .ok_or_else(|| Failure::usage(format!("there is no {wanted}")))?;
            let tags = profile.tags.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
            subject.principal.tags = tags.collect();
            if facts.user_id.is_none() {
                let session = subject.principal.id.split_once(':').map(|(_, session)| format!(":{session}"));
                subject.principal.id = format!("{}{}", profile.id, session.unwrap_or_default()).into();
            }
            subject.permissions = Some(permissions);
        }
        subject.principal.tags.extend(facts.principal_tags.iter().cloned());
        Ok(subject)
    }

    /// Whether it is somebody who can have policies.
    pub(super) fn has_policies(&self) -> bool {
        matches!(self.principal.kind, Kind::User { .. } | Kind::Role { .. })
    }

    pub(super) fn caller(self, facts: &Facts) -> Caller {
        let Self { principal, permissions } = self;
        let identity = Identity { principal, permissions, access_key: None, counts_as: None, chain: None };
        Caller::identified(Arc::new(identity), facts.region.clone(), Some(Arc::new(facts.origin.clone())))
    }
}

/// Account, kind, ARN and unique id of whoever is called so.
fn name(text: &str) -> Result<(Account, Kind, String, Text), Failure> {
    let unknown = || {
        Failure::usage(format!(
            "--principal: {text:?} is nobody; give the ARN of a root, user, role or role's session, a service's name, or \
             `anonymous`"
        ))
    };
    if text == "anonymous" {
        return Ok((Account::DEFAULT, Kind::Anonymous, text.into(), "anonymous".into()));
    }
    if text.ends_with(".amazonaws.com") {
        return Ok((Account::DEFAULT, Kind::Service, text.to_ascii_lowercase(), text.into()));
    }
    let Arn { partition, service, account: number, resource, .. } = Arn::parse(text).ok_or_else(unknown)?;
    let account: Account = number.parse().map_err(|_| unknown())?;
    let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
    let last = rest.rsplit('/').next().unwrap_or_default();
    match (service, kind) {
        ("iam", "root") if rest.is_empty() => Ok((account, Kind::Root, text.into(), number.into())),
        ("iam", "user") if !last.is_empty() => {
            Ok((account, Kind::User { name: last.into() }, text.into(), "AIDAUNKNOWN".into()))
        }
        // Some session of it.
        ("iam", "role") if !last.is_empty() => {
            let session = format!("arn:{partition}:sts::{account}:assumed-role/{last}/session");
            Ok((account, Kind::Role { role: text.into() }, session, "AROAUNKNOWN:session".into()))
        }
        ("sts", "assumed-role") => {
            let (role, session) =
                rest.split_once('/').filter(|(role, _)| !role.is_empty()).ok_or_else(unknown)?;
            let role = format!("arn:{partition}:iam::{account}:role/{role}");
            Ok((
                account,
                Kind::Role { role: role.into() },
                text.into(),
                format!("AROAUNKNOWN:{session}").into(),
            ))
        }
        _ => Err(unknown()),
    }
}
