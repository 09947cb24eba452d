//! The tables' language.
//!
//! ```text
//! == What is shown                      a block begins: its policies hold until the next
//! identity {...}                        a policy of the caller; several add up
//! boundary {...}   session {...}   resource {...}   trust {...}
//! WHO ACTION RESOURCE [KEY=VALUE ...] => RESULT
//! ```
//!
//! A policy is a whole document (`{"Statement": ...}`), one statement, or a list of statements, which then are of version 2012-10-17.
//! It may go on over further lines, indented. A line that begins with `#` is a comment.
//!
//! WHO is `root`, `user/NAME`, `role/NAME/SESSION`, each of account 111111111111 or of the one in front (`222222222222:root`);
//! `service/NAME`, `anonymous`, or `open` for whom nobody authenticated. RESOURCE is a queue's name in 111111111111, or an ARN, or `*`. RESULT is
//! `allow`, `deny` or `silent`, and where it matters, of which layer and by which statement: `deny resource 1`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kew_engine::identity::{Account, Caller, Identity, Kind, Origin, Permissions, Principal};
use kew_engine::policy::{self, Decision, Policy, Request, Use};
use kew_engine::time::Moment;
use kew_wire::Text;
use kew_wire::arn::Arn;

const HOME: &str = "111111111111";

/// The policies of a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    pub(crate) identity: Vec<Arc<Policy>>,
    pub(crate) boundary: Option<Arc<Policy>>,
    pub(crate) session: Vec<Arc<Policy>>,
    pub(crate) resource: Option<Arc<Policy>>,
    pub(crate) needs_policy: bool,
}

/// One decision.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) title: String,
    pub(crate) expected: String,
    policies: Policies,
    ask: String,
}

/// Reads a table.
pub(crate) fn read(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut title = String::new();
    let mut policies = Policies::default();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(named) = line.strip_prefix("== ") {
            (title, policies) = (named.into(), Policies::default());
            continue;
        }
        if let Some((ask, expected)) = line.split_once(" => ") {
            let (ask, expected) = (ask.trim().to_owned(), expected.trim().to_owned());
            let (title, policies) = (format!("{title}: {ask}"), policies.clone());
            rows.push(Row { line: number + 1, title, expected, policies, ask });
            continue;
        }
        let mut document = line.to_owned();
        while let Some((_, more)) = lines.next_if(|(_, line)| line.starts_with("  ")) {
            document.push_str(more.trim_start());
        }
        let (layer, document) = document.split_once(' ').expect("a layer and a policy");
        policies.add(layer, &whole(document), number + 1);
    }
    rows
}

/// The document that a shorthand stands for.
pub(crate) fn whole(text: &str) -> String {
    if text.contains("\"Statement\"") {
        return text.into();
    }
    format!(r#"{{"Version":"2012-10-17","Statement":{text}}}"#)
}

impl Policies {
    pub(crate) fn add(&mut self, layer: &str, document: &str, line: usize) {
        let used = match layer {
            "resource" => Use::Resource,
            "trust" => Use::Trust,
            _ => Use::Identity,
        };
        let name = Text::from(format!("{layer} at line {line}"));
        let policy = Policy::compile(used, name, document);
        let policy = Arc::new(policy.unwrap_or_else(|fault| panic!("line {line}: {}\n{document}", fault.0)));
        match layer {
            "identity" => self.identity.push(policy),
            "boundary" => self.boundary = Some(policy),
            "session" => self.session.push(policy),
            "resource" => self.resource = Some(policy),
            "trust" => (self.resource, self.needs_policy) = (Some(policy), true),
            other => panic!("line {line}: no layer {other}"),
        }
    }
}

impl Row {
    pub(crate) fn decide(&self) -> String {
        decide(&self.policies, &self.ask)
    }

    /// Whether the decision is the expected one, as far as the table says.
    pub(crate) fn agrees(&self, found: &str) -> bool {
        found == self.expected || found.starts_with(&format!("{} ", self.expected))
    }
}

/// Asks, and says the decision in the table's words.
pub(crate) fn decide(policies: &Policies, ask: &str) -> String {
    let mut words = ask.split_whitespace();
    let mut word = || words.next().expect("WHO ACTION RESOURCE");
    let (who, action, resource) = (word(), word(), word());
    let facts: Vec<(&str, &str)> = words.map(|word| word.split_once('=').expect("KEY=VALUE")).collect();
    let fact = |name: &str| facts.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let under = |prefix: &str| -> Vec<(Text, Text)> {
        let found = facts.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, *value)));
        found.map(|(key, value)| (key.into(), value.into())).collect()
    };
    let moment = |text: &str| Moment(text.parse::<u64>().expect("seconds") * 1000);
    let caller = caller(
        who,
        policies,
        under("tag/"),
        fact("issued").map(moment),
        Origin {
            address: fact("ip").map(|ip| ip.parse().expect("an address")),
            is_secure: fact("tls") == Some("yes"),
            user_agent: fact("agent").map(Text::from),
            source: fact("source").map(Text::from),
        },
    );
    let arn = match resource {
        "*" => "*".into(),
        arn if arn.starts_with("arn:") => arn.to_owned(),
        queue => format!("arn:aws:sqs:us-east-1:{HOME}:{queue}"),
    };
    let owner = Arn::parse(&arn).map_or(HOME, |arn| arn.account).parse().expect("an account");
    let resource_tags: BTreeMap<Text, Text> = under("resource-tag/").into_iter().collect();
    let removed: Vec<Text> =
        fact("removed").into_iter().flat_map(|keys| keys.split(',')).map(Text::from).collect();
    let request_tags = under("request-tag/");
    let keys: Vec<(&str, &str)> = facts.iter().copied().filter(|(key, _)| key.contains(':')).collect();
    let request = Request {
        policy: policies.resource.as_deref(),
        needs_policy: policies.needs_policy,
        resource_tags: &resource_tags,
        request_tags: &request_tags,
        removed_tags: &removed,
        keys: &keys,
        // 2026-11-21T12:00:00Z.
        ..Request::new(&caller, action, &arn, owner, moment(fact("now").unwrap_or("1795262400")))
    };
    match policy::decide(&request) {
        Decision::Allowed(None) => "allow account".into(),
        Decision::Allowed(Some(by)) => format!("allow {} {}", layer(by.layer), by.statement),
        Decision::Denied(by) => format!("deny {} {}", layer(by.layer), by.statement),
        Decision::Silent(missing) => format!("silent {}", layer(missing)),
    }
}

fn layer(layer: policy::Layer) -> &'static str {
    match layer {
        policy::Layer::Identity => "identity",
        policy::Layer::Boundary => "boundary",
        policy::Layer::Session => "session",
        policy::Layer::Resource => "resource",
    }
}

fn caller(
    who: &str,
    policies: &Policies,
    tags: Vec<(Text, Text)>,
    issued: Option<Moment>,
    origin: Origin,
) -> Caller {
    let region = Text::from_static("us-east-1");
    let (account, who) = who.split_once(':').unwrap_or((HOME, who));
    let account: Account = account.parse().expect("an account");
    let mut parts = who.splitn(3, '/');
    let (arn, id, kind) = match (parts.next(), parts.next(), parts.next()) {
        (Some("open"), ..) => {
            return Caller { origin: Some(Arc::new(origin)), ..Caller::open(account, region) };
        }
        (Some("root"), ..) => (format!("arn:aws:iam::{account}:root"), account.to_string(), Kind::Root),
        (Some("user"), Some(name), _) => {
            let id = format!("AIDA{}", name.to_uppercase().repeat(20).split_at(12).0);
            (format!("arn:aws:iam::{account}:user/{name}"), id, Kind::User { name: name.into() })
        }
        (Some("role"), Some(name), Some(session)) => {
            let role = format!("arn:aws:iam::{account}:role/{name}");
            let id = format!("AROA{}:{session}", name.to_uppercase().repeat(20).split_at(12).0);
            (
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
                id,
                Kind::Role { role: role.into() },
            )
        }
        (Some("service"), Some(name), _) => (name.into(), name.into(), Kind::Service),
        (Some("anonymous"), ..) => ("anonymous".into(), "203.0.113.9".into(), Kind::Anonymous),
        _ => panic!("who is {who}?"),
    };
    let has_own = matches!(kind, Kind::User { .. } | Kind::Role { .. });
    let permissions = has_own.then(|| Permissions {
        identity: policies.identity.clone(),
        boundary: policies.boundary.clone(),
        session: policies.session.clone(),
    });
    let principal = Principal { account, arn: arn.into(), id: id.into(), kind, tags, issued };
    let identity = Identity { principal, permissions, access_key: None, counts_as: None, chain: None };
    Caller::identified(Arc::new(identity), region, Some(Arc::new(origin)))
}
