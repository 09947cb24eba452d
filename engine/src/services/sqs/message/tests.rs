//! What is kept of a message comes back, and its sums are AWS's.

use alloc::string::String;
use alloc::vec;

use proptest::prelude::*;

use super::*;

fn string(name: &'static str, data_type: &'static str, value: &'static str) -> (Text, MessageAttributeValue) {
    let value = MessageAttributeValue {
        string_value: Some(Text::from_static(value)),
        data_type: Text::from_static(data_type),
        ..Default::default()
    };
    (Text::from_static(name), value)
}

fn binary(name: &'static str, value: &'static [u8]) -> (Text, MessageAttributeValue) {
    let value = MessageAttributeValue {
        binary_value: Some(Bytes::from_static(value)),
        data_type: Text::from_static("Binary"),
        ..Default::default()
    };
    (Text::from_static(name), value)
}

#[test]
fn sums_of_bodies_are_md5() {
    assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(hex(&md5(b"hello world")), "5eb63bbbe01eeed093cb22bb8f5acdc3");
    assert_eq!(hex(&sha256(b"same"))[..8], *"0967115f");
}

#[test]
fn sums_of_attributes_are_those_that_aws_answered() {
    let cases = [
        (
            vec![
                string("color", "String", "blue"),
                string("count", "Number", "3"),
                binary("blob", &[1, 2, 3]),
            ],
            "d838729972a4b70e2d2acd9d59ac847c",
        ),
        (vec![string("color", "String", "blue")], "da1b33cc3cbfe8b1630921e78e6b9880"),
        (vec![string("timestamp", "Number", "1493147359900")], "235c5c510d26fb653d073faed50ae77c"),
        (
            vec![
                string("Hello", "String", "There"),
                string("General", "String", "Kenobi"),
                string("Help.Me", "String", "Me"),
            ],
            "4c360f3fdafd970e05fae2f149d997f5",
        ),
    ];
    for (attributes, sum) in cases {
        assert_eq!(attributes_md5(&attributes).map(|md5| hex(&md5)).as_deref(), Some(sum));
        let backwards: Attributes = attributes.into_iter().rev().collect();
        assert_eq!(attributes_md5(&backwards).map(|md5| hex(&md5)).as_deref(), Some(sum));
    }
    assert_eq!(attributes_md5(&Attributes::new()), None);
}

#[test]
fn the_sum_of_a_trace_header_is_the_one_that_aws_answered() {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let value = MessageSystemAttributeValue {
        string_value: Some(Text::from_static(header)),
        data_type: Text::from_static("String"),
        ..Default::default()
    };
    let attributes = [(Text::from_static(TRACE_HEADER), value)];
    let sum = system_attributes_md5(&attributes).unwrap();
    assert_eq!(hex(&sum), "5ae4d5d7636402d80f4eb6d213245a88");
    assert_eq!(trace(&attributes).as_deref(), Some(header));
}

#[test]
fn size_counts_body_names_types_and_values_in_bytes() {
    let attributes = [string("name", "String", "välue"), binary("b", &[0; 10])];
    assert_eq!(size("bödy", &attributes), 5 + (4 + 6 + 6) + (1 + 6 + 10));
}

#[test]
fn the_layout_of_a_payload_is_fixed() {
    let payload = Payload {
        body: Text::from_static("hi"),
        body_md5: md5(b"hi"),
        attributes: vec![string("n", "String", "v"), binary("b", &[7])],
        attributes_md5: Some([9; 16]),
        trace: Some(Text::from_static("t")),
        sender: Text::from_static("s"),
        group: Some(Text::from_static("g")),
        dedup: Some(Dedup::Given(Text::from_static("d"))),
    };
    let bytes = encode(&payload);
    let shown = hex(&bytes);
    assert_eq!(
        shown,
        "010f49f68a5c8493ec2c0bf489821c21fc3b02686901730909090909090909090909090909090902016e06537472696e670001760162\
         0642696e61727901010701740167\
         0164"
    );
    assert_eq!(decode(bytes), Ok(payload));
}

#[test]
fn a_payload_proves_that_its_body_and_attributes_are_what_was_sent() {
    let attributes = vec![string("n", "String", "value")];
    let payload = Payload {
        body: Text::from_static("the body"),
        body_md5: md5(b"the body"),
        attributes_md5: attributes_md5(&attributes),
        attributes,
        trace: None,
        sender: Text::from_static("s"),
        group: None,
        dedup: None,
    };
    let bytes = encode(&payload).to_vec();
    assert!(is_whole(&Bytes::from(bytes.clone())));
    for part in ["the body", "value"] {
        let at = bytes.windows(part.len()).position(|window| window == part.as_bytes()).unwrap();
        for index in at..at + part.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(!is_whole(&Bytes::from(changed)), "byte {index}");
        }
    }
    assert!(!is_whole(&Bytes::new()));
}

#[test]
fn a_cut_or_unknown_payload_is_refused() {
    let payload = Payload {
        body: Text::from_static("body"),
        body_md5: [1; 16],
        attributes: vec![string("n", "String", "v")],
        attributes_md5: Some([2; 16]),
        trace: None,
        sender: Text::from_static("s"),
        group: None,
        dedup: Some(Dedup::Content([3; 32])),
    };
    let bytes = encode(&payload);
    for end in 0..bytes.len() {
        assert_eq!(decode(bytes.slice(..end)), Err(Malformed), "cut at {end}");
    }
    let mut other = bytes.to_vec();
    other[0] = 2;
    assert_eq!(decode(Bytes::from(other)), Err(Malformed));
}

#[test]
fn characters_outside_xml_are_found_wherever_they_stand() {
    for allowed in ["", "\t\n\r plain", "ä€😀", "\u{fffd}\u{e000}\u{d7ff}\u{10000}\u{10ffff}", "ï¿"] {
        assert_eq!(first_invalid(allowed), None, "{allowed:?}");
    }
    for bad in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        for before in [0, 1, 62, 63, 64, 127, 200] {
            let text: String = "x".repeat(before) + &String::from(bad) + &"y".repeat(70);
            assert_eq!(first_invalid(&text), Some(bad), "{before} before {bad:?}");
        }
    }
}

fn attribute() -> impl Strategy<Value = (Text, MessageAttributeValue)> {
    let value = prop_oneof![
        "\\PC{1,9}".prop_map(|text| (Some(Text::from(text)), None)),
        proptest::collection::vec(any::<u8>(), 1..9).prop_map(|bytes| (None, Some(Bytes::from(bytes)))),
    ];
    ("[a-z]{1,5}", "(String|Binary)(.x)?", value).prop_map(
        |(name, data_type, (string_value, binary_value))| {
            let value = MessageAttributeValue {
                string_value,
                binary_value,
                data_type: data_type.into(),
                ..Default::default()
            };
            (name.into(), value)
        },
    )
}

prop_compose! {
    fn payload()(
        body in "\\PC{0,99}",
        attributes in proptest::collection::vec(attribute(), 0..4),
        trace in proptest::option::of("\\PC{0,9}"),
        group in proptest::option::of("[a-z]{1,9}"),
        dedup in prop_oneof![
            Just(None),
            "[a-z]{1,9}".prop_map(|id| Some(Dedup::Given(id.into()))),
            any::<[u8; 32]>().prop_map(|digest| Some(Dedup::Content(digest))),
        ],
    ) -> Payload {
        Payload {
            body_md5: md5(body.as_bytes()),
            body: body.into(),
            attributes_md5: attributes_md5(&attributes),
            attributes,
            trace: trace.map(Text::from),
            sender: Text::from_static("AIDA"),
            group: group.map(Text::from),
            dedup,
        }
    }
}

proptest! {
    #[test]
    fn every_payload_comes_back(payload in payload()) {
        let bytes = encode(&payload);
        prop_assert!(bytes.len() <= encoded_size(&payload));
        prop_assert_eq!(decode(bytes), Ok(payload));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Bytes::from(bytes));
    }

    #[test]
    fn the_fast_search_agrees_with_the_obvious_one(text in "[a-z\u{0}-\u{1f}\u{fff0}-\u{ffff}é]{0,200}") {
        let allowed = |c: &char| matches!(c,
            '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        prop_assert_eq!(first_invalid(&text), text.chars().find(|c| !allowed(c)));
    }
}
