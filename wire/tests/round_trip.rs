//! Whatever is written is read back the same, in every dialect, for every shape of every operation.

mod support;

use kew_wire::dialects::json::{JsonReader, JsonWriter};
use kew_wire::dialects::query::Form;
use kew_wire::sqs::{Operation, Reply, Request, Sqs};
use kew_wire::{Dialect, RequestHead, Text, decode, encode_reply, recognise};
use proptest::prelude::*;
use support::form::form;
use support::invent::Inventor;
use support::xml::{XmlReader, parse};

fn operation() -> impl Strategy<Value = Operation> {
    prop::sample::select(Operation::ALL)
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

#[test]
fn what_is_invented_is_worth_reading() {
    // A round trip of nothing proves nothing: given choices, every shape with members must hold some.
    let choices = [0xFF; 400];
    for &operation in Operation::ALL {
        let request = Request::read(operation, &mut Inventor::new(&choices, true)).expect("invented");
        let mut body = Vec::new();
        request.write(&mut JsonWriter::new(&mut body));
        assert!(body.len() > 20, "{}: {}", operation.name(), String::from_utf8_lossy(&body));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_request_in_json_is_read_back_the_same(operation in operation(), choices in choices()) {
        let request = Request::read(operation, &mut Inventor::new(&choices, true)).expect("invented");
        let mut body = Vec::new();
        request.write(&mut JsonWriter::new(&mut body));
        let target = format!("AmazonSQS.{}", operation.name());
        let head = RequestHead { method: "POST", path: "/", target: Some(&target), ..RequestHead::default() };
        let route = recognise(&head, None).expect("a known target");
        prop_assert_eq!(decode::<Sqs>(&route, &head, body.into()).expect("well-formed"), request);
    }

    #[test]
    fn a_request_as_a_form_is_read_back_the_same(operation in operation(), choices in choices(), shuffle in any::<u64>()) {
        let request = Request::read(operation, &mut Inventor::new(&choices, true)).expect("invented");
        let written = form(operation.name(), |writer| request.write(writer));
        // The order of a form's pairs means nothing.
        let mut pairs: Vec<&str> = written.split('&').collect();
        pairs.sort_by_key(|pair| pair.len() as u64 ^ shuffle.rotate_left(pair.len() as u32));
        let body = Text::from(pairs.join("&"));
        let form = Form::parse(&[&body]).expect("well-formed");
        prop_assert_eq!(Request::read(operation, &mut form.reader()).expect("well-formed"), request);
    }

    #[test]
    fn a_reply_in_json_is_read_back_the_same(operation in operation(), choices in choices()) {
        let reply = Reply::read(operation, &mut Inventor::new(&choices, true)).expect("invented");
        let mut body = Vec::new();
        let head = encode_reply::<Sqs>(Dialect::Json, &reply, "id", &mut body);
        prop_assert_eq!((head.status, head.content_type), (200, "application/x-amz-json-1.0"));
        prop_assert_eq!(body.is_empty(), reply.shapeless());
        let mut reader = JsonReader::new(body.into()).expect("UTF-8");
        prop_assert_eq!(Reply::read(operation, &mut reader).expect("well-formed"), reply);
    }

    #[test]
    fn a_reply_in_xml_is_read_back_the_same(operation in operation(), choices in choices()) {
        let reply = Reply::read(operation, &mut Inventor::new(&choices, false)).expect("invented");
        let mut body = Vec::new();
        let head = encode_reply::<Sqs>(Dialect::Query, &reply, "some-id", &mut body);
        prop_assert_eq!((head.status, head.content_type), (200, "text/xml"));
        let document = parse(core::str::from_utf8(&body).expect("UTF-8"));
        let name = operation.name();
        prop_assert_eq!(&document.name, &format!("{name}Response"));
        prop_assert_eq!(document.child("ResponseMetadata").expect("metadata").text_of("RequestId"), "some-id");
        let result = document.child(&format!("{name}Result"));
        prop_assert_eq!(result.is_none(), reply.shapeless());
        if let Some(result) = result {
            prop_assert_eq!(Reply::read(operation, &mut XmlReader::new(result)).expect("well-formed"), reply);
        }
    }

    #[test]
    fn a_reply_to_a_query_for_json_is_json(operation in operation(), choices in choices()) {
        let reply = Reply::read(operation, &mut Inventor::new(&choices, true)).expect("invented");
        let mut body = Vec::new();
        encode_reply::<Sqs>(Dialect::QueryJson, &reply, "some-id", &mut body);
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let response = &value[format!("{}Response", operation.name())];
        prop_assert_eq!(&response["ResponseMetadata"]["RequestId"], "some-id");
    }
}
