//! One record, in CloudTrail's form (CloudTrail user guide, *CloudTrail record contents*, *CloudTrail userIdentity element*).

use kew_engine::identity::{Account, Caller, Identity, Kind};
use kew_wire::auth::basic;
use kew_wire::request_id::RequestId;
use serde_json::{Map, Value, json};

use super::{Asked, Audit, DATA_CALLS, Told, Visit};
use crate::http::Head;

const VERSION: &str = "1.11";

/// The record's line, with its end.
pub(super) fn line(
    audit: &Audit,
    asked: &Asked,
    parameters: Value,
    operation: &str,
    told: Option<&Told>,
    is_answered: bool,
) -> String {
    let caller = asked.caller.as_ref().ok();
    let service = told.map_or("sqs", |told| told.model.name);
    let is_data = DATA_CALLS.contains(&operation);
    let is_reading = ["Get", "List", "Describe", "Receive", "Encrypt", "Decrypt", "Generate"];
    let mut record = json!({
        "eventVersion": VERSION,
        "userIdentity": match &asked.caller {
            Ok(caller) => identity(caller),
            Err(claimed) => unknown(claimed.as_deref()),
        },
        "eventTime": time(audit.clock.now().0),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": operation,
        "awsRegion": caller.map_or(&audit.region, |caller| &caller.region).as_ref() as &str,
        "sourceIPAddress": asked.address.to_string(),
        "userAgent": asked.user_agent.as_deref().map(agent),
        "requestParameters": parameters,
        "responseElements": null,
        "requestID": asked.id.as_str(),
        "eventID": audit.random.request_id().as_str(),
        "readOnly": is_reading.iter().any(|begin| operation.starts_with(begin)),
        "eventType": "AwsApiCall",
        "managementEvent": !is_data,
        "recipientAccountId": caller.map(|caller| caller.account.to_string()),
        "eventCategory": if is_data { "Data" } else { "Management" },
    });
    if let Some((code, message)) = told.and_then(|told| told.fault.as_ref()) {
        record["errorCode"] = json!(code);
        if !message.is_empty() {
            record["errorMessage"] = json!(message);
        }
    }
    if !is_answered {
        record["additionalEventData"] = json!({ "answer": UNANSWERED });
    }
    let mut line = record.to_string();
    line.push('\n');
    line
}

/// A visit to one of Kew's own pages, in the same form.
pub(super) fn visit(audit: &Audit, visit: &Visit) -> String {
    let mut record = json!({
        "eventVersion": VERSION,
        "userIdentity": &visit.who,
        "eventTime": time(audit.clock.now().0),
        "eventSource": "kew",
        "eventName": visit.page.action().trim_start_matches("kew:"),
        "awsRegion": &*audit.region,
        "sourceIPAddress": visit.address.to_string(),
        "userAgent": visit.user_agent.as_deref().map(agent),
        "requestParameters": { "method": visit.method.as_str(), "path": &visit.path, "target": &visit.target },
        "responseElements": null,
        "requestID": visit.id.as_str(),
        "eventID": audit.random.request_id().as_str(),
        "readOnly": visit.is_reading(),
        "eventType": "KewPageCall",
        "managementEvent": true,
        "recipientAccountId": Account::DEFAULT.to_string(),
        "eventCategory": "Management",
    });
    match &visit.outcome {
        Some((status, message)) if status.is_client_error() || status.is_server_error() => {
            record["errorCode"] = json!(status.canonical_reason());
            record["errorMessage"] = json!(message);
        }
        Some(_) => {}
        None => record["additionalEventData"] = json!({ "answer": UNANSWERED }),
    }
    format!("{record}\n")
}

const UNANSWERED: &str = "the caller hung up before it";

fn agent(text: &str) -> &str {
    &text[..text.floor_char_boundary(1024)]
}

/// Who was authenticated.
fn identity(caller: &Caller) -> Value {
    match &caller.identity {
        Some(identity) => authenticated(identity),
        // Nobody is asked who they are: the account is what the caller says.
        None => json!({ "type": "Unknown", "accountId": caller.account.to_string() }),
    }
}

/// The same, of whomever it is.
pub(super) fn authenticated(identity: &Identity) -> Value {
    let principal = &identity.principal;
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    let account = principal.account.to_string();
    match &principal.kind {
        Kind::Anonymous => {
            return json!({ "type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL" });
        }
        Kind::Service => return json!({ "type": "AWSService", "invokedBy": &*principal.arn }),
        Kind::Root => tell("type", json!("Root")),
        Kind::User { name } => {
            tell("type", json!("IAMUser"));
            tell("userName", json!(&**name));
        }
        Kind::Role { role } => {
            let id = principal.id.split(':').next().unwrap_or_default();
            tell("type", json!("AssumedRole"));
            tell(
                "sessionContext",
                json!({
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": id,
                        "arn": &**role,
                        "accountId": &account,
                        "userName": role.rsplit('/').next(),
                    },
                    "attributes": {
                        "creationDate": principal.issued.map(|issued| time(issued.0)),
                        "mfaAuthenticated": "false",
                    },
                }),
            );
        }
    }
    tell("principalId", json!(&*principal.id));
    tell("arn", json!(&*principal.arn));
    tell("accountId", json!(account));
    if let Some(key) = &identity.access_key {
        tell("accessKeyId", json!(&**key));
    }
    Value::Object(told)
}

/// Somebody whom the server did not believe, or does not know.
pub(super) fn unknown(claimed: Option<&str>) -> Value {
    match claimed {
        Some(key) => json!({ "type": "Unknown", "accessKeyId": key }),
        None => json!({ "type": "Unknown" }),
    }
}

/// The access key that a request claims; no proof of anything.
pub(super) fn claimed(head: &Head) -> Option<String> {
    if let Some((id, _)) = head.headers.get("authorization").and_then(basic) {
        return Some(id.chars().filter(char::is_ascii_alphanumeric).take(128).collect());
    }
    let header = head.headers.text("authorization");
    let within = match header {
        Some(header) => header.split_once("Credential=")?.1,
        None => head.uri.query()?.split_once("X-Amz-Credential=")?.1,
    };
    let key: String = within.chars().take_while(char::is_ascii_alphanumeric).take(128).collect();
    (!key.is_empty()).then_some(key)
}

/// `2026-11-21T14:05:00Z`, from milliseconds since 1970.
pub(super) fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, in spans of 400 years (Howard Hinnant, *chrono-compatible low-level date algorithms*).
    let since = days + 719_468;
    let (era, day) = (since / 146_097, since % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = 400 * era + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A record in place of those that were lost.
pub(super) fn gap(lost: u64, now: u64, id: &RequestId) -> String {
    let record = json!({
        "eventVersion": VERSION,
        "eventTime": time(now),
        "eventSource": "kew",
        "eventName": "AuditRecordsLost",
        "eventID": id.as_str(),
        "eventType": "KewServiceEvent",
        "additionalEventData": { "lost": lost },
    });
    format!("{record}\n")
}
