//! What every service has in common: how a request is recognised and read, and how its answer is shown.
//!
//! The walk of a request: [`recognise`] looks at the head alone and names service and dialect; [`decode`] reads the
//! body into the service's typed request; [`encode_reply`] or [`encode_fault`] shows the outcome in the same dialect.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::Text;
use crate::codec::{Reader, Refusal, Writer};
use crate::dialects::json::{JsonReader, JsonWriter, quote};
use crate::dialects::query::Form;
use crate::dialects::query_json::QueryJsonWriter;
use crate::dialects::xml::{self, XmlWriter};
use crate::fault::{Fault, FaultKind, common};
use crate::services::SERVICES;

/// What identifies a service in the dialects.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// The name in endpoints, signatures and ARNs (`sqs`).
    pub name: &'static str,
    /// What stands before the operation in `X-Amz-Target` (`AmazonSQS`).
    pub target: &'static str,
    /// The version of the API (`2012-11-05`).
    pub version: &'static str,
    /// The version of its JSON dialect (`1.0`).
    pub json: &'static str,
    /// The namespace of its XML.
    pub xml_namespace: &'static str,
    /// Whether its JSON dialect also shows a fault's code in the Query dialect (`x-amzn-query-error`).
    pub query_compatible: bool,
}

/// A service whose model is generated.
pub trait Service {
    /// Names an operation.
    type Operation: Copy;
    /// A typed request.
    type Request;
    /// A typed reply.
    type Reply;

    /// What identifies it.
    const MODEL: &'static Model;

    /// The operation of this name.
    fn operation(name: &str) -> Option<Self::Operation>;
    /// The name of the operation that a reply answers.
    fn answers(reply: &Self::Reply) -> &'static str;
    /// Reads a request.
    fn read<R: Reader>(operation: Self::Operation, from: &mut R) -> Result<Self::Request, Refusal>;
    /// Writes a reply.
    fn write<W: Writer>(reply: &Self::Reply, to: &mut W);
    /// Whether the operation has no reply but success.
    fn shapeless(reply: &Self::Reply) -> bool;

    /// Settles what only the Query dialect knows: a request may owe a parameter to the URL that it was sent to.
    fn settle(_request: &mut Self::Request, _head: &RequestHead<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// How a request is written and its answer shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// AWS JSON 1.0 or 1.1, whichever the service speaks.
    Json,
    /// AWS Query, answered in XML.
    Query,
    /// AWS Query by a caller that accepts only JSON.
    QueryJson,
}

/// What the start of an HTTP request says.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a str,
    /// The URL's path, still encoded.
    pub path: &'a str,
    /// What follows the URL's question mark.
    pub query: Option<&'a str>,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `X-Amz-Target`.
    pub target: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// The service.
    pub service: &'static Model,
    /// The dialect.
    pub dialect: Dialect,
    /// The operation's name where the head gives it; in the Query dialect it may stand in the body.
    pub operation: Option<&'a str>,
}

/// A request that goes nowhere, and the dialect to say so in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecognised {
    /// The caller's dialect, as far as one can tell.
    pub dialect: Dialect,
    /// The answer.
    pub fault: Fault,
}

/// Finds service and dialect. `signed_for` is the service that the caller's signature names.
pub fn recognise<'a>(head: &RequestHead<'a>, signed_for: Option<&str>) -> Result<Route<'a>, Unrecognised> {
    let json = head.content_type.is_some_and(|kind| begins(kind, "application/x-amz-json"));
    if head.target.is_some() || json {
        let (prefix, operation) = head.target.unwrap_or_default().rsplit_once('.').unwrap_or_default();
        // A service without a target speaks no JSON.
        let service = SERVICES.iter().find(|model| !prefix.is_empty() && model.target == prefix);
        return match service {
            Some(service) => Ok(Route { service, dialect: Dialect::Json, operation: Some(operation) }),
            None => Err(Unrecognised { dialect: Dialect::Json, fault: unknown_operation() }),
        };
    }
    let json = head.accept.is_some_and(|accept| begins(accept, "application/json"));
    let dialect = if json { Dialect::QueryJson } else { Dialect::Query };
    let named = signed_for.and_then(|name| SERVICES.iter().find(|model| model.name == name));
    // A Query request without a signature does not say whom it means before its body is read.
    let service = named.or(SERVICES.first());
    match service {
        Some(service) => Ok(Route { service, dialect, operation: None }),
        None => Err(Unrecognised { dialect, fault: unknown_operation() }),
    }
}

/// The service whose version of the API a Query request names. Says whom an unsigned request means: `query` and `body` are its
/// two places for parameters.
pub fn versioned(query: Option<&str>, body: &[u8]) -> Option<&'static Model> {
    let named = |form: &[u8]| {
        let fields = form.split(|byte| *byte == b'&');
        let version = fields.filter_map(|field| field.strip_prefix(b"Version=")).next()?;
        SERVICES.iter().find(|model| model.version.as_bytes() == version).copied()
    };
    named(query.unwrap_or_default().as_bytes()).or_else(|| named(body))
}

/// Reads the request of a service that [`recognise`] found.
pub fn decode<S: Service>(
    route: &Route<'_>,
    head: &RequestHead<'_>,
    body: Bytes,
) -> Result<S::Request, Fault> {
    match route.dialect {
        Dialect::Json => {
            let operation = route.operation.and_then(S::operation).ok_or_else(unknown_operation)?;
            read_json::<S>(operation, body).map_err(Refusal::into_fault)
        }
        Dialect::Query | Dialect::QueryJson => {
            let url = Text::from(head.query.unwrap_or_default());
            let form = head.content_type.is_none_or(|kind| begins(kind, "application/x-www-form-urlencoded"));
            let body = if form { body } else { Bytes::new() };
            let body = Text::try_from(body).map_err(|_| {
                Fault::new(&common::MALFORMED_QUERY_STRING, "The request body is not valid UTF-8.")
            })?;
            let form = Form::parse(&[&url, &body])?;
            let Some(action) = form.get("Action")? else {
                return Err(Fault::new(&common::UNKNOWN_OPERATION, ""));
            };
            let operation = S::operation(&action).ok_or_else(|| invalid_action(&action))?;
            let mut request = S::read(operation, &mut form.reader()).map_err(Refusal::into_fault)?;
            S::settle(&mut request, head)?;
            Ok(request)
        }
    }
}

fn read_json<S: Service>(operation: S::Operation, body: Bytes) -> Result<S::Request, Refusal> {
    let mut reader = JsonReader::new(body)?;
    let request = S::read(operation, &mut reader)?;
    reader.end()?;
    Ok(request)
}

/// Whether a media type begins so; case means nothing in it.
fn begins(kind: &str, with: &str) -> bool {
    kind.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

fn unknown_operation() -> Fault {
    Fault::new(&common::INVALID_ACTION, "")
}

/// The fault for an operation that this endpoint does not have.
pub fn invalid_action(name: &str) -> Fault {
    Fault::new(&common::INVALID_ACTION, format!("The action {name} is not valid for this endpoint."))
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyHead {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `x-amzn-query-error`, where the dialect has one.
    pub query_error: Option<String>,
}

impl Dialect {
    /// `Content-Type` of its answers.
    pub const fn content_type(self, model: &Model) -> &'static str {
        match self {
            Self::Json if matches!(model.json.as_bytes(), b"1.1") => "application/x-amz-json-1.1",
            Self::Json => "application/x-amz-json-1.0",
            Self::Query => "text/xml",
            Self::QueryJson => "application/json",
        }
    }
}

/// Appends a reply's body to `out`.
pub fn encode_reply<S: Service>(
    dialect: Dialect,
    reply: &S::Reply,
    request_id: &str,
    out: &mut Vec<u8>,
) -> ReplyHead {
    let name = S::answers(reply);
    let write = |parts: &[&str], out: &mut Vec<u8>| {
        parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    };
    match dialect {
        Dialect::Json => S::write(reply, &mut JsonWriter::new(out)),
        Dialect::Query => {
            let namespace = S::MODEL.xml_namespace;
            write(&["<?xml version=\"1.0\"?><", name, "Response xmlns=\"", namespace, "\">"], out);
            if !S::shapeless(reply) {
                write(&["<", name, "Result>"], out);
                let start = out.len();
                S::write(reply, &mut XmlWriter::new(out));
                if out.len() > start {
                    write(&["</", name, "Result>"], out);
                } else {
                    out.truncate(start - 1);
                    write(&["/>"], out);
                }
            }
            write(&["<ResponseMetadata><RequestId>", request_id, "</RequestId></ResponseMetadata>"], out);
            write(&["</", name, "Response>"], out);
        }
        Dialect::QueryJson => {
            write(&["{\"", name, "Response\":{"], out);
            if !S::shapeless(reply) {
                write(&["\"", name, "Result\":"], out);
                S::write(reply, &mut QueryJsonWriter::new(out));
                out.push(b',');
            }
            write(&["\"ResponseMetadata\":{\"RequestId\":\"", request_id, "\"}}}"], out);
        }
    }
    ReplyHead { status: 200, content_type: dialect.content_type(S::MODEL), query_error: None }
}

/// Appends a fault's body to `out`.
pub fn encode_fault(
    dialect: Dialect,
    model: &Model,
    fault: &Fault,
    request_id: &str,
    out: &mut Vec<u8>,
) -> ReplyHead {
    let FaultKind { name, namespace, code, status, sender } = *fault.kind;
    let blame = if sender { "Sender" } else { "Receiver" };
    let mut query_error = None;
    match dialect {
        Dialect::Json => {
            // Services that speak JSON 1.1 leave the namespace out.
            let qualified = if model.json == "1.1" { ["", ""] } else { [namespace, "#"] };
            for part in ["{\"__type\":\"", qualified[0], qualified[1], name, "\""] {
                out.extend_from_slice(part.as_bytes());
            }
            if !fault.message.is_empty() {
                // What refuses before the service itself is asked spells its member with a capital.
                let before = *fault.kind == common::ACCESS_DENIED || *fault.kind == common::SERIALIZATION;
                out.extend_from_slice(if before { b",\"Message\":" } else { b",\"message\":" });
                quote(&fault.message, out);
            }
            out.push(b'}');
            query_error = model.query_compatible.then(|| format!("{code};{blame}"));
        }
        Dialect::Query | Dialect::QueryJson if *fault.kind == common::UNKNOWN_OPERATION => {
            out.extend_from_slice(b"<UnknownOperationException/>\n");
            return ReplyHead { status, content_type: "text/xml", query_error };
        }
        Dialect::Query => {
            let namespace = model.xml_namespace;
            for part in
                ["<?xml version=\"1.0\"?><ErrorResponse xmlns=\"", namespace, "\"><Error><Type>", blame]
            {
                out.extend_from_slice(part.as_bytes());
            }
            for part in ["</Type><Code>", code, "</Code><Message>"] {
                out.extend_from_slice(part.as_bytes());
            }
            xml::escape(&fault.message, out);
            for part in ["</Message><Detail/></Error><RequestId>", request_id, "</RequestId></ErrorResponse>"]
            {
                out.extend_from_slice(part.as_bytes());
            }
        }
        Dialect::QueryJson => {
            for part in ["{\"Error\":{\"Code\":\"", code, "\",\"Message\":"] {
                out.extend_from_slice(part.as_bytes());
            }
            quote(&fault.message, out);
            for part in [",\"Type\":\"", blame, "\"},\"RequestId\":\"", request_id, "\"}"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
    ReplyHead { status, content_type: dialect.content_type(model), query_error }
}
