//! `kew policy test`: decides one request by given policies, and explains it: who, what, and which statement decided.

mod subject;

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use kew_engine::identity::{Account, Permissions};
use kew_engine::policy::{self, By, Decision, Policy, Request, Use};
use kew_engine::services::sqs;
use kew_engine::time::Moment;
use kew_wire::arn::Arn;
use serde_json::json;

use self::subject::{Facts, Subject};
use crate::failure::Failure;
use crate::identities::command::Place;
use crate::identities::registry::Layer;
use crate::identities::sources;

/// What `kew policy` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say whether somebody may do something, and which statement of which policy decides.
    ///
    /// Exit code 0: allowed. 1: denied. 2: the question makes no sense.
    #[command(after_long_help = AFTER_HELP)]
    Test(Box<Test>),
}

const AFTER_HELP: &str = "\
Examples:

    kew policy test --principal arn:aws:iam::111111111111:user/ann --identity senders.json \\
        --action sqs:SendMessage --resource arn:aws:sqs:us-east-1:111111111111:orders
    kew policy test --stored --principal arn:aws:iam::111111111111:user/ann \\
        --action sqs:SendMessage --resource arn:aws:sqs:us-east-1:111111111111:orders
    aws sqs get-queue-attributes --queue-url URL --attribute-names Policy --query Attributes.Policy --output text |
        kew policy test --principal arn:aws:iam::222222222222:root --policy - \\
            --action sqs:SendMessage --resource arn:aws:sqs:us-east-1:111111111111:orders --context aws:SourceIp=192.0.2.7";

/// `kew policy test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    question: Question,
    /// Take the user's or role's policies and tags from the data directory and the configuration
    #[arg(long)]
    stored: bool,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// What is asked.
#[derive(Debug, Args)]
struct Question {
    /// Who: the ARN of an account's root, a user, a role or a role's session; `anonymous`; a service such as sns.amazonaws.com
    #[arg(long, value_name = "ARN")]
    principal: String,
    /// What: an action such as sqs:SendMessage
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// To what: the ARN of a queue, role or key
    #[arg(long, value_name = "ARN")]
    resource: String,
    /// A policy of the user or role. May be given several times
    #[arg(long, value_name = "FILE|ARN", conflicts_with = "stored")]
    identity: Vec<String>,
    /// Its permissions boundary
    #[arg(long, value_name = "FILE|ARN", conflicts_with = "stored")]
    boundary: Option<String>,
    /// A policy passed to AssumeRole. May be given several times
    #[arg(long, value_name = "FILE|ARN")]
    session: Vec<String>,
    /// The policy of the resource: of a queue or key, or who may assume a role; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    /// What else the request says: a condition key with its value, such as aws:SourceIp=192.0.2.7, aws:ResourceTag/team=blue or
    /// aws:CurrentTime=2026-11-21T12:00:00Z. May be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,
}

impl PolicyCommand {
    /// Decides and explains.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let Self::Test(test) = self;
        let Test { question, stored, json, place } = *test;
        let stored = if stored { Some(place.layers()?) } else { None };
        question.answer(stored.as_deref(), json)
    }
}

impl Question {
    fn answer(&self, stored: Option<&[Layer]>, as_json: bool) -> Result<ExitCode, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let facts = Facts::read(&self.context, Moment(now))?;
        let arn = Arn::parse(&self.resource);
        let service = arn.map_or("", |arn| arn.service);
        let resource_policy =
            self.policy.as_deref().map(|source| read_resource(source, service)).transpose()?;
        let mut subject = Subject::read(&self.principal, &facts, stored)?;
        if subject.has_policies() {
            let permissions = subject.permissions.get_or_insert_with(Permissions::default);
            for source in &self.identity {
                permissions.identity.push(read(source)?);
            }
            if let Some(source) = &self.boundary {
                permissions.boundary = Some(read(source)?);
            }
            for source in &self.session {
                permissions.session.push(read(source)?);
            }
        } else if !self.identity.is_empty() || self.boundary.is_some() || !self.session.is_empty() {
            let principal = &self.principal;
            return Err(Failure::usage(format!(
                "{principal} has no policies of its own: only users and roles have"
            )));
        }
        let owner = match arn.map(|arn| arn.account.parse::<Account>()) {
            Some(Ok(owner)) => owner,
            _ if self.resource == "*" => subject.principal.account,
            _ => {
                let resource = &self.resource;
                return Err(Failure::usage(format!(
                    "--resource: {resource:?} is not the ARN of anything in an account"
                )));
            }
        };
        if !self.action.contains(':') {
            let action = &self.action;
            return Err(Failure::usage(format!("--action: {action:?} names no service; try sqs:{action}")));
        }
        let caller = subject.caller(&facts);
        let keys: Vec<(&str, &str)> = facts.keys.iter().map(|(key, value)| (&**key, &**value)).collect();
        let request = Request {
            policy: resource_policy.as_ref(),
            needs_policy: matches!(service, "iam" | "kms"),
            resource_tags: &facts.resource_tags,
            request_tags: &facts.request_tags,
            removed_tags: &facts.removed_tags,
            keys: &keys,
            ..Request::new(&caller, &self.action, &self.resource, owner, facts.now)
        };
        let decision =
            if service == "sqs" { sqs::access::decide(&request) } else { policy::decide(&request) };
        let text = if as_json { self.json(&decision) } else { self.text(&decision) };
        let mut out = stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| Failure::usage(format!("cannot print: {error}")))?;
        Ok(if decision.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn text(&self, decision: &Decision<'_>) -> String {
        let verdict = if decision.is_allowed() { "allowed" } else { "denied" };
        let Self { principal, action, resource, .. } = self;
        let why = explain(decision, action);
        format!("{verdict}\n  who   {principal}\n  what  {action}\n  of    {resource}\n  why   {why}\n")
    }

    fn json(&self, decision: &Decision<'_>) -> String {
        let by = match decision {
            Decision::Allowed(Some(by)) | Decision::Denied(by) => Some(json!({
                "layer": by.layer.name(),
                "policy": &**by.policy.name(),
                "statement": by.statement + 1,
                "sid": by.sid(),
            })),
            Decision::Allowed(None) | Decision::Silent(_) => None,
        };
        let answer = json!({
            "allowed": decision.is_allowed(),
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "why": explain(decision, &self.action),
            "decided_by": by,
        });
        format!("{answer}\n")
    }
}

/// The reason in words.
fn explain(decision: &Decision<'_>, action: &str) -> String {
    match decision {
        Decision::Allowed(None) => {
            "the account itself may do everything that its account may, and nothing denies it".into()
        }
        Decision::Allowed(Some(by)) => format!("{} allows it, and nothing denies it", named(by)),
        Decision::Denied(by) => format!("{} denies it", named(by)),
        Decision::Silent(layer) => format!("no {} allows {action}", layer.name()),
    }
}

/// `statement 2 ("NoPurge") of the identity-based policy senders.json`.
fn named(by: &By<'_>) -> String {
    let sid = by.sid().map(|sid| format!(" ({sid:?})")).unwrap_or_default();
    format!("statement {}{sid} of the {} {}", by.statement + 1, by.layer.name(), by.policy.name())
}

/// A policy of an identity: a file, or one of AWS's own.
fn read(source: &str) -> Result<Arc<Policy>, Failure> {
    compile(Use::Identity, source, &sources::policy(source, None)?).map(Arc::new)
}

fn read_resource(source: &str, service: &str) -> Result<Policy, Failure> {
    let used = if service == "iam" { Use::Trust } else { Use::Resource };
    if source != "-" {
        return compile(used, source, &sources::policy(source, None)?);
    }
    let mut text = String::new();
    let bound = policy::limits::DOCUMENT_BYTES as u64 + 1;
    let read = stdin().lock().take(bound).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("cannot read the policy: {error}")))?;
    compile(used, "of standard input", &text)
}

fn compile(used: Use, source: &str, text: &str) -> Result<Policy, Failure> {
    Policy::compile(used, source.into(), text)
        .map_err(|error| Failure::usage(format!("{source}: {}", error.0)))
}
