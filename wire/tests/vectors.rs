//! AWS's own vectors for its dialects, as botocore ships them: what its clients send must be read as what they meant,
//! and what a service answers must be written as they expect it.
//!
//! Of botocore's 732 vectors 244 concern these dialects; the rest are REST, EC2 and CBOR. Of the 244, 186 apply: the
//! others show what only a client does, or timestamps and documents, which no served service has. Each test states how
//! many it ran and left out, so that none is lost unseen.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use kew_wire::codec::Write;
use kew_wire::dialects::json::{JsonReader, JsonWriter};
use kew_wire::dialects::query::Form;
use kew_wire::dialects::xml::XmlWriter;
use kew_wire::fault::{Fault, FaultKind};
use kew_wire::service::Model;
use kew_wire::{Dialect, Text, encode_fault};
use serde_json::Value as Json;
use support::dynamic::Shapes;
use support::xml::{Element, parse};

/// Vectors that hold for clients only, by what they show.
const CLIENTS_ONLY: &[(&str, &str)] = &[
    // A client compresses, fills in tokens or chooses the host.
    ("SDKApplied", "compression"),
    ("SDKAppends", "compression"),
    ("TokenAutoFill", "idempotency tokens"),
    // A client tolerates what no service should send.
    ("FooErrorUsing", "errors in headers or in `code`"),
    ("ComplexError", "errors with members of their own"),
    ("UnexpectedJsonOutput", "tolerance"),
    ("unexpected_json_output", "tolerance"),
    ("RespondsWithNoPayload", "tolerance"),
    ("responds_with_no_payload", "tolerance"),
];

/// Runs `test` on each case that applies, and gives the count of those that ran and of those left out by reason.
fn each(file: &str, mut test: impl FnMut(&Shapes, &Json)) -> (usize, BTreeMap<String, usize>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let suites: Json = serde_json::from_str(&text).expect("JSON");
    let (mut ran, mut left) = (0, BTreeMap::new());
    for suite in suites.as_array().expect("suites") {
        let shapes = Shapes::of(suite);
        for case in suite["cases"].as_array().expect("cases") {
            let id = case["id"].as_str().expect("an id");
            let part = if file.starts_with("input") { "input" } else { "output" };
            let stated = &case[if part == "input" { "params" } else { "result" }];
            let shape = case["given"][part]["shape"].as_str();
            let lacking = shape.and_then(|shape| shapes.lacking(shape, stated));
            let clients = CLIENTS_ONLY.iter().find(|(part, _)| id.contains(part)).map(|(_, why)| *why);
            match clients.or(lacking) {
                Some(why) => *left.entry(why.to_owned()).or_default() += 1,
                None => {
                    test(&shapes, case);
                    ran += 1;
                }
            }
        }
    }
    (ran, left)
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

fn reads_json(file: &str) -> (usize, BTreeMap<String, usize>) {
    each(file, |shapes, case| {
        let id = text(&case["id"]);
        let body = text(&case["serialized"]["body"]).to_owned();
        let mut reader = JsonReader::new(body.into()).expect("UTF-8");
        let Some(shape) = case["given"]["input"]["shape"].as_str() else { return };
        let value = shapes.read(shape, &mut reader).unwrap_or_else(|refusal| panic!("{id}: {refusal:?}"));
        reader.end().expect("nothing follows");
        assert_eq!(value, shapes.stated(shape, &case["params"]), "{id}");
    })
}

fn reads_forms(file: &str) -> (usize, BTreeMap<String, usize>) {
    each(file, |shapes, case| {
        let id = text(&case["id"]);
        let body = Text::from(text(&case["serialized"]["body"]));
        let form = Form::parse(&[&body]).expect("well-formed");
        assert_eq!(
            form.get("Action").expect("well-formed").as_deref(),
            case["given"]["name"].as_str(),
            "{id}"
        );
        let Some(shape) = case["given"]["input"]["shape"].as_str() else { return };
        let value =
            shapes.read(shape, &mut form.reader()).unwrap_or_else(|refusal| panic!("{id}: {refusal:?}"));
        let stated = shapes.stated(shape, &case["params"]).without_empty();
        assert_eq!(value.without_empty(), stated, "{id}");
    })
}

const MODEL: Model = Model {
    name: "",
    target: "",
    version: "",
    json: "1.0",
    xml_namespace: "https://example.com/",
    query_compatible: true,
};

/// The fault that a vector shows, encoded.
fn fault(dialect: Dialect, case: &Json, body_code: &str) -> (kew_wire::ReplyHead, String) {
    let response = &case["response"];
    let kind = text(&response["body"]);
    let name =
        kind.split("__type\": \"").nth(1).map_or(body_code, |rest| rest.split('"').next().expect("its end"));
    let name = name.split(':').next().unwrap_or_default();
    let (namespace, name) = name.rsplit_once('#').unwrap_or(("", name));
    let code =
        text(&response["headers"]["x-amzn-query-error"]).split(';').next().filter(|code| !code.is_empty());
    let kind = FaultKind {
        name: name.to_owned().leak(),
        namespace: namespace.to_owned().leak(),
        code: code.unwrap_or(body_code).to_owned().leak(),
        status: response["status_code"].as_u64().expect("a status") as u16,
        sender: true,
    };
    let fault = Fault::new(Box::leak(Box::new(kind)), "Hi");
    let mut out = Vec::new();
    let head = encode_fault(dialect, &MODEL, &fault, "foo-id", &mut out);
    (head, String::from_utf8(out).expect("UTF-8"))
}

/// A JSON document without what says nothing: nulls, and `__type` in a union.
fn said(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let members = members.iter().filter(|(name, value)| !value.is_null() && *name != "__type");
            Json::Object(members.map(|(name, value)| (name.clone(), said(value))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(said).collect()),
        other => other.clone(),
    }
}

fn writes_json(file: &str) -> (usize, BTreeMap<String, usize>) {
    each(file, |shapes, case| {
        let id = text(&case["id"]);
        let body = text(&case["response"]["body"]);
        if !case["error"].is_null() {
            let (head, written) = fault(Dialect::Json, case, "");
            let expected: Json = serde_json::from_str(body).expect("JSON");
            let written: Json = serde_json::from_str(&written).expect("JSON");
            // Some put a URI behind the name.
            let bare = |kind: &str| {
                kind.split(':').next().and_then(|kind| kind.rsplit('#').next().map(str::to_owned))
            };
            let name = |json: &Json| bare(text(&json["__type"]));
            assert_eq!(name(&written), name(&expected), "{id}");
            let message = &case["result"]["Message"];
            assert!(message.is_null() || written["message"] == *message, "{id}");
            assert_eq!(head.status, case["response"]["status_code"], "{id}");
            if let Some(header) = case["response"]["headers"]["x-amzn-query-error"].as_str() {
                assert_eq!(head.query_error.as_deref(), Some(header), "{id}");
            }
            return;
        }
        let Some(shape) = case["given"]["output"]["shape"].as_str() else { return };
        let value = shapes.stated(shape, &case["result"]);
        let mut written = Vec::new();
        shapes.typed(shape, &value).write(&mut JsonWriter::new(&mut written));
        let written: Json = serde_json::from_slice(&written).expect("JSON");
        let expected: Json = serde_json::from_str(body).expect("JSON");
        assert_eq!(said(&written), said(&expected), "{id}");
    })
}

/// An element with its children in one order, for comparison.
fn sorted(mut element: Element) -> Element {
    element.children = element.children.into_iter().map(sorted).collect();
    element.children.sort();
    if !element.children.is_empty() || element.text.trim().is_empty() {
        element.text.clear();
    }
    element
}

fn writes_xml(file: &str) -> (usize, BTreeMap<String, usize>) {
    each(file, |shapes, case| {
        let id = text(&case["id"]);
        let body = text(&case["response"]["body"]);
        if !case["error"].is_null() {
            let expected = parse(body);
            let code = expected.child("Error").expect("an error").text_of("Code").to_owned();
            let (head, written) = fault(Dialect::Query, case, &code);
            let mut written = parse(&written);
            // AWS's own errors carry an empty element more.
            written.children[0].children.retain(|child| child.name != "Detail");
            assert_eq!(sorted(written), sorted(expected), "{id}");
            assert_eq!(head.status, case["response"]["status_code"], "{id}");
            return;
        }
        let Some(shape) = case["given"]["output"]["shape"].as_str().filter(|_| !body.is_empty()) else {
            return;
        };
        let value = shapes.stated(shape, &case["result"]);
        let (name, mut written) = (text(&case["given"]["name"]), Vec::new());
        let mut writer = XmlWriter::new(&mut written);
        writer.element(&format!("{name}Response"), |writer| {
            writer.element(&format!("{name}Result"), |writer| shapes.typed(shape, &value).write(writer));
        });
        let written = parse(core::str::from_utf8(&written).expect("UTF-8"));
        assert_eq!(sorted(written), sorted(parse(body)), "{id}");
    })
}

fn count(results: [(usize, BTreeMap<String, usize>); 2]) -> (usize, usize) {
    results
        .iter()
        .fold((0, 0), |(ran, left), result| (ran + result.0, left + result.1.values().sum::<usize>()))
}

#[test]
fn json_requests_are_read_as_they_were_meant() {
    assert_eq!(count([reads_json("input/json_1_0.json"), reads_json("input/json.json")]), (63, 12));
}

#[test]
fn query_requests_are_read_as_they_were_meant() {
    assert_eq!(count([reads_forms("input/query.json"), (0, BTreeMap::new())]), (33, 5));
}

#[test]
fn json_replies_are_written_as_clients_expect() {
    assert_eq!(count([writes_json("output/json_1_0.json"), writes_json("output/json.json")]), (61, 29));
}

#[test]
fn query_compatible_json_is_read_and_written_as_clients_expect() {
    let file = "json_1_0-query-compatible.json";
    let results = [reads_json(&format!("input/{file}")), writes_json(&format!("output/{file}"))];
    assert_eq!(count(results), (3, 0));
}

#[test]
fn query_replies_are_written_as_clients_expect() {
    assert_eq!(count([writes_xml("output/query.json"), (0, BTreeMap::new())]), (26, 12));
}
