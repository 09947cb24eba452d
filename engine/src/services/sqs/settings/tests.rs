//! Attributes are taken, refused, kept and shown as AWS does.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

fn given(pairs: &[(&str, &str)]) -> Vec<(Text, Text)> {
    pairs.iter().map(|(name, value)| (Text::from(*name), Text::from(*value))).collect()
}

fn create(name: &str, pairs: &[(&str, &str)]) -> Result<Settings, Fault> {
    let changes = Changes::parse(&given(pairs), name, true)?;
    let settings = Settings::create(name.ends_with(".fifo"), &changes);
    settings.check()?;
    Ok(settings)
}

fn set(settings: &Settings, pairs: &[(&str, &str)]) -> Settings {
    let name = if settings.fifo { "q.fifo" } else { "q" };
    settings.with(&Changes::parse(&given(pairs), name, false).unwrap())
}

/// The refusal as `Code: message`.
fn refusal<T: core::fmt::Debug>(result: Result<T, Fault>) -> String {
    let fault = result.unwrap_err();
    format!("{}: {}", fault.kind.name, fault.message)
}

fn shown(settings: &Settings) -> String {
    let lines: Vec<_> = settings.echo().iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.join("\n")
}

fn value(settings: &Settings, name: &str) -> Option<String> {
    settings.echo().iter().find(|(shown, _)| *shown == name).map(|(_, value)| value.to_string())
}

#[test]
fn a_standard_queue_shows_aws_s_defaults() {
    insta::assert_snapshot!(shown(&create("q", &[]).unwrap()), @r"
    VisibilityTimeout=30
    DelaySeconds=0
    MaximumMessageSize=1048576
    MessageRetentionPeriod=345600
    ReceiveMessageWaitTimeSeconds=0
    SqsManagedSseEnabled=true
    ");
}

#[test]
fn a_fifo_queue_shows_its_own_attributes_too() {
    insta::assert_snapshot!(shown(&create("q.fifo", &[("FifoQueue", "true")]).unwrap()), @r"
    VisibilityTimeout=30
    DelaySeconds=0
    MaximumMessageSize=1048576
    MessageRetentionPeriod=345600
    ReceiveMessageWaitTimeSeconds=0
    SqsManagedSseEnabled=true
    FifoQueue=true
    ContentBasedDeduplication=false
    DeduplicationScope=queue
    FifoThroughputLimit=perQueue
    ");
}

#[test]
fn every_attribute_reads_back_as_it_was_set() {
    let redrive = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":7}}");
    let allow = format!("{{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"{ARN}\"]}}");
    let pairs = [
        ("VisibilityTimeout", "43200"),
        ("DelaySeconds", "900"),
        ("MaximumMessageSize", "1024"),
        ("MessageRetentionPeriod", "60"),
        ("ReceiveMessageWaitTimeSeconds", "20"),
        ("SqsManagedSseEnabled", "false"),
        ("ContentBasedDeduplication", "true"),
        ("DeduplicationScope", "messageGroup"),
        ("FifoThroughputLimit", "perMessageGroupId"),
        ("RedrivePolicy", &redrive),
        ("RedriveAllowPolicy", &allow),
        ("KmsMasterKeyId", "alias/mine"),
        ("KmsDataKeyReusePeriodSeconds", "86400"),
        ("Policy", r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*"}]}"#),
    ];
    let settings = set(&Settings::new(true), &pairs);
    for (name, expected) in pairs {
        assert_eq!(value(&settings, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(Changes::parse(&given(&pairs), "q.fifo", false).unwrap().differing(&settings), None);
}

#[test]
fn policies_are_shown_in_aws_s_spelling() {
    let spaced = format!("{{ \"maxReceiveCount\" : \"5\", \"deadLetterTargetArn\" : \"{ARN}\" }}");
    let settings = create(
        "q",
        &[("RedrivePolicy", &spaced), ("RedriveAllowPolicy", "{\"redrivePermission\": \"denyAll\"}")],
    );
    let settings = settings.unwrap();
    let redrive = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":5}}");
    assert_eq!(value(&settings, "RedrivePolicy"), Some(redrive));
    assert_eq!(
        value(&settings, "RedriveAllowPolicy").as_deref(),
        Some("{\"redrivePermission\":\"denyAll\"}")
    );
}

#[test]
fn truth_is_written_in_any_case() {
    let settings = create("q", &[("SqsManagedSseEnabled", "False")]).unwrap();
    assert_eq!(value(&settings, "SqsManagedSseEnabled").as_deref(), Some("false"));
}

#[test]
fn the_empty_text_takes_policies_away() {
    let redrive = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":1}}");
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#;
    let full = [
        ("Policy", policy),
        ("RedrivePolicy", &redrive),
        ("RedriveAllowPolicy", "{\"redrivePermission\":\"allowAll\"}"),
    ];
    let settings = set(&Settings::new(false), &full);
    assert!(settings.policy.is_some() && settings.redrive.is_some() && settings.redrive_allow.is_some());
    let none = [("Policy", ""), ("RedrivePolicy", ""), ("RedriveAllowPolicy", "")];
    assert_eq!(set(&settings, &none), Settings::new(false));
    assert_eq!(set(&Settings::new(false), &none), Settings::new(false));
}

#[test]
fn one_kind_of_encryption_at_a_time() {
    let plain = Settings::new(false);
    let kms = set(&plain, &[("KmsMasterKeyId", "alias/aws/sqs")]);
    assert_eq!(value(&kms, "SqsManagedSseEnabled").as_deref(), Some("false"));
    assert_eq!(value(&kms, "KmsDataKeyReusePeriodSeconds").as_deref(), Some("300"));
    let gone = set(&kms, &[("KmsMasterKeyId", ""), ("KmsDataKeyReusePeriodSeconds", "300")]);
    assert_eq!(value(&gone, "KmsMasterKeyId"), None);
    assert_eq!(value(&gone, "KmsDataKeyReusePeriodSeconds"), None);
    assert_eq!(value(&gone, "SqsManagedSseEnabled").as_deref(), Some("false"));
    let managed = set(&kms, &[("SqsManagedSseEnabled", "true")]);
    assert_eq!(value(&managed, "KmsMasterKeyId"), None);
    let both = create("q", &[("SqsManagedSseEnabled", "true"), ("KmsMasterKeyId", "k")]);
    insta::assert_snapshot!(refusal(both), @"InvalidAttributeName: You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.");
}

#[test]
fn no_attribute_s_value_is_of_any_length() {
    let long = |chars: usize| "k".repeat(chars);
    assert!(create("q", &[("KmsMasterKeyId", &long(2048))]).is_ok());
    let refused = refusal(create("q", &[("KmsMasterKeyId", &long(2049))]));
    assert_eq!(refused, "InvalidAttributeValue: Invalid value for the parameter KmsMasterKeyId.");
    let padded = |text: &str, bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
    let redrive = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":1}}");
    let allow = "{\"redrivePermission\":\"denyAll\"}";
    for (name, text) in [("RedrivePolicy", &*redrive), ("RedriveAllowPolicy", allow)] {
        assert!(create("q", &[(name, &padded(text, 8192))]).is_ok(), "{name}");
        let refused = refusal(create("q", &[(name, &padded(text, 8193))]));
        assert_eq!(refused, format!("InvalidAttributeValue: Invalid value for the parameter {name}."));
    }
}

#[test]
fn deduplication_keeps_the_scope_of_its_creation() {
    let fifo = ("FifoQueue", "true");
    let settings = create("q.fifo", &[fifo, ("DeduplicationScope", "messageGroup")]).unwrap();
    assert_eq!(settings.effective_scope, DeduplicationScope::MessageGroup);
    let changed = set(&settings, &[("DeduplicationScope", "queue")]);
    assert_eq!(changed.deduplication_scope, DeduplicationScope::Queue);
    assert_eq!(changed.effective_scope, DeduplicationScope::MessageGroup);
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    let cases = [
        ("DelaySeconds", ["-1", "901"]),
        ("MaximumMessageSize", ["1023", "1048577"]),
        ("MessageRetentionPeriod", ["59", "1209601"]),
        ("ReceiveMessageWaitTimeSeconds", ["-1", "21"]),
        ("VisibilityTimeout", ["-1", "43201"]),
        ("KmsDataKeyReusePeriodSeconds", ["59", "86401"]),
    ];
    for (name, values) in cases {
        for value in
            values.into_iter().chain(["", " 60", "60.0", "+60", "sixty", "true", "99999999999999999999"])
        {
            let expected = format!("InvalidAttributeValue: Invalid value for the parameter {name}.");
            assert_eq!(refusal(create("q", &[(name, value)])), expected, "{value:?}");
        }
    }
    for name in [
        "SqsManagedSseEnabled",
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "FifoThroughputLimit",
        "FifoQueue",
    ] {
        let changes = Changes::parse(&given(&[(name, "maybe")]), "q.fifo", false);
        let expected = format!("InvalidAttributeValue: Invalid value for the parameter {name}.");
        assert_eq!(refusal(changes), expected);
    }
}

#[test]
fn attributes_that_do_not_apply_are_refused_in_aws_s_words() {
    let refusals = |name: &str, creating: bool| {
        let attributes = [
            ("FifoQueue", "true"),
            ("FifoQueue", "false"),
            ("ContentBasedDeduplication", "true"),
            ("DeduplicationScope", "queue"),
            ("FifoThroughputLimit", "perQueue"),
            ("QueueArn", "x"),
            ("All", "x"),
            ("Foobar", "x"),
        ];
        let lines = attributes.map(|(attribute, value)| {
            match Changes::parse(&given(&[(attribute, value)]), name, creating) {
                Ok(_) => format!("{attribute}={value} taken"),
                Err(fault) => format!("{attribute}={value} {}: {}", fault.kind.name, fault.message),
            }
        });
        lines.join("\n")
    };
    insta::assert_snapshot!(refusals("q", false), @r"
    FifoQueue=true InvalidAttributeName: Unknown Attribute FifoQueue.
    FifoQueue=false InvalidAttributeName: Unknown Attribute FifoQueue.
    ContentBasedDeduplication=true InvalidAttributeName: Unknown Attribute ContentBasedDeduplication.
    DeduplicationScope=queue InvalidAttributeName: You can specify the DeduplicationScope only when FifoQueue is set to true.
    FifoThroughputLimit=perQueue InvalidAttributeName: You can specify the FifoThroughputLimit only when FifoQueue is set to true.
    QueueArn=x InvalidAttributeName: Unknown Attribute QueueArn.
    All=x InvalidAttributeName: Unknown Attribute All.
    Foobar=x InvalidAttributeName: Unknown Attribute Foobar.
    ");
    insta::assert_snapshot!(refusals("q.fifo", false), @r"
    FifoQueue=true taken
    FifoQueue=false InvalidAttributeValue: Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.
    ContentBasedDeduplication=true taken
    DeduplicationScope=queue taken
    FifoThroughputLimit=perQueue taken
    QueueArn=x InvalidAttributeName: Unknown Attribute QueueArn.
    All=x InvalidAttributeName: Unknown Attribute All.
    Foobar=x InvalidAttributeName: Unknown Attribute Foobar.
    ");
    assert!(
        refusals("q.fifo", true)
            .contains("FifoQueue=false InvalidAttributeName: Unknown Attribute FifoQueue.")
    );
}

#[test]
fn high_throughput_needs_the_scope_of_groups() {
    let fifo = ("FifoQueue", "true");
    let alone = create("q.fifo", &[fifo, ("FifoThroughputLimit", "perMessageGroupId")]);
    insta::assert_snapshot!(refusal(alone), @"InvalidAttributeValue: The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup");
    let both = [fifo, ("FifoThroughputLimit", "perMessageGroupId"), ("DeduplicationScope", "messageGroup")];
    assert!(create("q.fifo", &both).is_ok());
}

#[test]
fn redrive_policies_are_refused_in_aws_s_words() {
    let cases = [
        "[]",
        "nonsense",
        "{}",
        r#"{"maxReceiveCount":1}"#,
        r#"{"deadLetterTargetArn":"a"}"#,
        r#"{"deadLetterTargetArn":"a","maxReceiveCount":1,"x":1}"#,
        r#"{"deadLetterTargetArn":"a","maxReceiveCount":0}"#,
        r#"{"deadLetterTargetArn":"a","maxReceiveCount":"1001"}"#,
        r#"{"deadLetterTargetArn":"a","maxReceiveCount":1.5}"#,
        r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#,
        r#"{"deadLetterTargetArn":"arn:aws:sns:r:000000000000:t","maxReceiveCount":1}"#,
    ];
    let lines: Vec<_> = cases.iter().map(|case| refusal(create("q", &[("RedrivePolicy", case)]))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    InvalidAttributeValue: Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.
    InvalidAttributeValue: Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.
    InvalidParameterValueException: Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: maxReceiveCount.
    InvalidParameterValueException: Value {"maxReceiveCount":1} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: deadLetterTargetArn.
    InvalidParameterValueException: Value {"deadLetterTargetArn":"a"} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: maxReceiveCount.
    InvalidParameterValueException: Value {"deadLetterTargetArn":"a","maxReceiveCount":1,"x":1} for parameter RedrivePolicy is invalid. Reason: Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].
    InvalidParameterValueException: Value {"deadLetterTargetArn":"a","maxReceiveCount":0} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.
    InvalidParameterValueException: Value {"deadLetterTargetArn":"a","maxReceiveCount":"1001"} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.
    InvalidParameterValueException: Value {"deadLetterTargetArn":"a","maxReceiveCount":1.5} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: 1.5, valid values are from 1 to 1000 both inclusive.
    InvalidParameterValueException: Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.
    InvalidParameterValueException: Value {"deadLetterTargetArn":"arn:aws:sns:r:000000000000:t","maxReceiveCount":1} for parameter RedrivePolicy is invalid. Reason: Only SQS queues are valid resources for deadLetterTargetArn.
    "#);
}

#[test]
fn redrive_allow_policies_are_refused_in_aws_s_words() {
    let eleven: Vec<_> = (0..11).map(|at| format!("\"{ARN}{at}\"")).collect();
    let eleven = format!("{{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[{}]}}", eleven.join(","));
    let cases = [
        "nonsense",
        "[]",
        "{}",
        r#"{"redrivePermission":"sometimes"}"#,
        r#"{"redrivePermission":"allowAll","x":1}"#,
        r#"{"redrivePermission":"byQueue","sourceQueueArns":"a"}"#,
        r#"{"redrivePermission":"byQueue","sourceQueueArns":[1]}"#,
        r#"{"redrivePermission":"byQueue"}"#,
        r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
        r#"{"redrivePermission":"denyAll","sourceQueueArns":["a"]}"#,
        &eleven,
    ];
    let lines: Vec<_> =
        cases.iter().map(|case| refusal(create("q", &[("RedriveAllowPolicy", case)]))).collect();
    let formless = "InvalidAttributeValue: Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create \
         the redrive allow policy, as it’s in an unsupported format.";
    assert!(lines[..7].iter().all(|line| line == formless), "{lines:#?}");
    let refused = |at: usize, reason: &str| {
        let policy = cases[at];
        assert_eq!(
            lines[at],
            format!(
                "InvalidParameterValueException: Value {policy} for parameter RedriveAllowPolicy is invalid. Reason: Amazon \
                 SQS can't create the redrive allow policy. {reason}"
            )
        );
    };
    let needs = "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.";
    refused(7, needs);
    refused(8, needs);
    refused(9, "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.");
    refused(10, "The maximum number of source queue ARNs you can specify is 10.");
}

#[test]
fn an_allow_policy_decides_by_arn() {
    let allow = RedriveAllow::ByQueue([Text::from_static(ARN)].into());
    assert!(allow.allows(ARN) && !allow.allows("arn:aws:sqs:us-east-1:000000000000:other"));
    assert!(RedriveAllow::AllowAll.allows(ARN) && !RedriveAllow::DenyAll.allows(ARN));
}

#[test]
fn the_first_attribute_that_differs_is_named() {
    let settings = create("q", &[("VisibilityTimeout", "5")]).unwrap();
    let differing =
        |pairs: &[(&str, &str)]| Changes::parse(&given(pairs), "q", true).unwrap().differing(&settings);
    assert_eq!(differing(&[]), None);
    assert_eq!(differing(&[("VisibilityTimeout", "5"), ("DelaySeconds", "0"), ("Policy", "")]), None);
    assert_eq!(differing(&[("DelaySeconds", "0"), ("VisibilityTimeout", "6")]), Some("VisibilityTimeout"));
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}"#;
    assert_eq!(differing(&[("Policy", policy)]), Some("Policy"));
}

#[test]
fn a_policy_respelled_is_the_same_policy() {
    let settings = create(
        "q",
        &[(
            "Policy",
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}"#,
        )],
    );
    let respelled =
        r#"{ "Statement": {"Action":"*","Effect":"Allow","Principal":"*"}, "Version":"2012-10-17" }"#;
    let changes = Changes::parse(&given(&[("Policy", respelled)]), "q", true).unwrap();
    assert_eq!(changes.differing(&settings.unwrap()), None);
}

fn encoded(changes: &Changes) -> Bytes {
    let mut out = Vec::new();
    changes.encode(&mut out);
    Bytes::from(out)
}

#[test]
fn the_layout_of_changes_is_fixed() {
    let redrive =
        Redrive::parse(Text::from(format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":300}}")));
    let all = [
        Change::Delay(Millis(1000)),
        Change::MaximumMessageSize(1024),
        Change::Retention(Millis(60_000)),
        Change::Wait(Millis(20_000)),
        Change::Visibility(Millis(30_000)),
        Change::Policy(Some(Text::from_static("p"))),
        Change::Redrive(Some(redrive.unwrap())),
        Change::RedriveAllow(Some(RedriveAllow::ByQueue([Text::from_static("a")].into()))),
        Change::KmsKey(Some(Text::from_static("k"))),
        Change::KmsReuse(Millis(300_000)),
        Change::ManagedSse(true),
        Change::ContentBasedDeduplication(true),
        Change::DeduplicationScope(DeduplicationScope::MessageGroup),
        Change::ThroughputLimit(ThroughputLimit::PerMessageGroupId),
        Change::Policy(None),
        Change::Redrive(None),
        Change::RedriveAllow(None),
        Change::KmsKey(None),
    ];
    let mut changes = Changes::default();
    all.into_iter().for_each(|change| changes.push(change));
    let bytes = encoded(&changes);
    let shown = "1201e80702800803e0d40304a09c0105b0ea010601017007012761726e3a6177733a7371733a75732d656173742d313a303030\
                 3030303030303030303a64656164ac0208030101610901016b0ae0a7120b010c010d010e010600070008000900";
    assert_eq!(crate::services::sqs::message::hex(&bytes), shown);
    assert_eq!(Changes::decode(&mut Take::new(bytes.clone())), Ok(changes));
    for end in 0..bytes.len() {
        assert_eq!(Changes::decode(&mut Take::new(bytes.slice(..end))), Err(Malformed), "cut at {end}");
    }
}

fn pairs() -> impl Strategy<Value = Vec<(Text, Text)>> {
    let redrive = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":9}}");
    let pair = prop_oneof![
        (0..=900u32).prop_map(|n| ("DelaySeconds", n.to_string())),
        (1024..=1_048_576u32).prop_map(|n| ("MaximumMessageSize", n.to_string())),
        (60..=1_209_600u32).prop_map(|n| ("MessageRetentionPeriod", n.to_string())),
        (0..=20u32).prop_map(|n| ("ReceiveMessageWaitTimeSeconds", n.to_string())),
        (0..=43_200u32).prop_map(|n| ("VisibilityTimeout", n.to_string())),
        Just(("RedrivePolicy", redrive)),
        Just(("RedrivePolicy", String::new())),
        Just(("RedriveAllowPolicy", "{\"redrivePermission\":\"allowAll\"}".into())),
        "[a-z]{0,4}".prop_map(|key| ("KmsMasterKeyId", key)),
        (60..=86_400u32).prop_map(|n| ("KmsDataKeyReusePeriodSeconds", n.to_string())),
        any::<bool>().prop_map(|flag| ("SqsManagedSseEnabled", flag.to_string())),
        any::<bool>().prop_map(|flag| ("ContentBasedDeduplication", flag.to_string())),
        Just(("DeduplicationScope", "messageGroup".into())),
        Just(("FifoThroughputLimit", "perMessageGroupId".into())),
    ];
    let pair = pair.prop_map(|(name, value)| (Text::from_static(name), Text::from(value)));
    proptest::collection::vec(pair, 0..8)
}

proptest! {
    #[test]
    fn settings_and_changes_come_back(first in pairs(), second in pairs()) {
        let mut settings = Settings::new(true);
        for given in [first, second] {
            let Ok(changes) = Changes::parse(&given, "q.fifo", false) else { continue };
            let mut take = Take::new(encoded(&changes));
            prop_assert_eq!(Changes::decode(&mut take), Ok(changes.clone()));
            prop_assert!(take.is_empty());
            settings = if settings == Settings::new(true) { Settings::create(true, &changes) } else { settings.with(&changes) };
            let mut out = Vec::new();
            settings.encode(&mut out);
            let mut take = Take::new(Bytes::from(out));
            prop_assert_eq!(Settings::decode(&mut take), Ok(settings.clone()));
            prop_assert!(take.is_empty());
        }
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let bytes = Bytes::from(bytes);
        let _ = Settings::decode(&mut Take::new(bytes.clone()));
        let _ = Changes::decode(&mut Take::new(bytes));
    }
}
