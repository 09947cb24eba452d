//! `kew policy test`: what is allowed, why, and how a question that makes no sense is told.

mod kew;

use kew::{Directory, kew};
use serde_json::{Value, json};

const ANN: &str = "arn:aws:iam::111111111111:user/ann";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:orders";
const SENDERS: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Senders","Effect":"Allow","Action":"sqs:Send*","Resource":"*"},
    {"Sid":"NoPurge","Effect":"Deny","Action":"sqs:PurgeQueue","Resource":"*"}]}"#;

/// Exit code and standard output, or standard error if there is none.
fn test(arguments: &[&str]) -> (i32, String) {
    let output = kew(&[&["policy", "test"], arguments].concat()).output().expect("the binary");
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    (output.status.code().expect("a code"), String::from_utf8(text).expect("text"))
}

fn ask<'a>(principal: &'a str, action: &'a str, rest: &[&'a str]) -> (i32, String) {
    test(&[&["--principal", principal, "--action", action, "--resource", QUEUE], rest].concat())
}

#[test]
fn a_decision_is_explained_by_the_statement_that_made_it() {
    let directory = Directory::new();
    let senders = directory.file("senders.json", SENDERS);
    let (code, text) = ask(ANN, "sqs:SendMessage", &["--identity", &senders]);
    assert_eq!(code, 0, "{text}");
    let wanted = format!(
        "statement 1 (\"Senders\") of the identity-based policy {senders} allows it, and nothing denies it"
    );
    assert!(text.starts_with("allowed\n") && text.contains(&wanted), "{text}");
    let (code, text) = ask(ANN, "sqs:PurgeQueue", &["--identity", &senders]);
    assert_eq!(code, 1, "{text}");
    assert!(text.starts_with("denied\n") && text.contains("statement 2 (\"NoPurge\")"), "{text}");
    let (code, text) = ask(ANN, "sqs:ReceiveMessage", &["--identity", &senders]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no identity-based policy allows sqs:ReceiveMessage"), "{text}");
}

#[test]
fn a_decision_is_told_to_machines_as_well() {
    let directory = Directory::new();
    let senders = directory.file("senders.json", SENDERS);
    let (_, text) = ask(ANN, "sqs:PurgeQueue", &["--identity", &senders, "--json"]);
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["allowed"], json!(false));
    let by = json!({ "layer": "identity-based policy", "policy": senders, "statement": 2, "sid": "NoPurge" });
    assert_eq!(answer["decided_by"], by);
}

#[test]
fn a_queue_s_policy_meets_the_context_and_the_rules_for_other_accounts() {
    let directory = Directory::new();
    let policy = directory.file(
        "queue.json",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sqs:*","Resource":"*",
            "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"DateLessThan":{"aws:CurrentTime":"2027-01-01"},
            "StringEquals":{"aws:PrincipalTag/team":"blue"}}}}"#,
    );
    let friend = "arn:aws:iam::222222222222:root";
    let near = [
        "--policy",
        &policy,
        "--context",
        "aws:SourceIp=192.0.2.7",
        "--context",
        "aws:CurrentTime=2026-11-21T12:00:00Z",
        "--context",
        "aws:PrincipalTag/team=blue",
    ];
    let far = [&near[..2], &["--context", "aws:SourceIp=192.0.3.7"], &near[4..]].concat();
    assert_eq!(ask(friend, "sqs:SendMessage", &near).0, 0);
    assert_eq!(ask(friend, "sqs:SendMessage", &far).0, 1);
    assert_eq!(ask(friend, "sqs:DeleteQueue", &near).0, 1, "only the owner may");
    assert_eq!(ask("anonymous", "sqs:SendMessage", &near).0, 1);
    let (code, text) = ask("arn:aws:iam::222222222222:user/bob", "sqs:SendMessage", &near);
    assert!(code == 1 && text.contains("no identity-based policy"), "{text}");
}

#[test]
fn boundaries_sessions_and_trusts_count() {
    let directory = Directory::new();
    let senders = directory.file("senders.json", SENDERS);
    let receivers = directory
        .file("receivers.json", r#"{"Statement":{"Effect":"Allow","Action":"sqs:Receive*","Resource":"*"}}"#);
    let (code, text) = ask(ANN, "sqs:SendMessage", &["--identity", &senders, "--boundary", &receivers]);
    assert!(code == 1 && text.contains("no permissions boundary allows"), "{text}");
    let session = "arn:aws:sts::111111111111:assumed-role/app/one";
    let (code, text) = ask(session, "sqs:SendMessage", &["--identity", &senders, "--session", &receivers]);
    assert!(code == 1 && text.contains("no session policy allows"), "{text}");
    let trust = directory.file(
        "trust.json",
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/ann"},"Action":"sts:AssumeRole",
            "Condition":{"StringEquals":{"sts:ExternalId":"42"}}}}"#,
    );
    let role = "arn:aws:iam::111111111111:role/app";
    let assume = ["--principal", ANN, "--action", "sts:AssumeRole", "--resource", role, "--policy", &trust];
    assert_eq!(test(&[&assume[..], &["--context", "sts:ExternalId=42"]].concat()).0, 0);
    assert_eq!(test(&assume).0, 1);
}

#[test]
fn a_stored_user_has_its_own_policies_and_tags() {
    let directory = Directory::new();
    let data = directory.join("data");
    let own = directory.file(
        "own.json",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:*:*:${aws:PrincipalTag/queue}"}}"#,
    );
    let made = kew(&[
        "user",
        "create",
        "ann",
        "--account",
        "111111111111",
        "--policy",
        &own,
        "--tag",
        "queue=orders",
        "--data",
        &data,
    ]);
    let made = { made }.output().expect("the binary");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (code, text) = ask(ANN, "sqs:SendMessage", &["--stored", "--data", &data]);
    assert!(code == 0 && text.contains("the identity-based policy own"), "{text}");
    let (code, text) =
        ask("arn:aws:iam::111111111111:user/bob", "sqs:SendMessage", &["--stored", "--data", &data]);
    assert!(code == 2 && text.contains("there is no arn:aws:iam::111111111111:user/bob"), "{text}");
}

#[test]
fn a_question_that_makes_no_sense_is_told_in_one_line() {
    let directory = Directory::new();
    let broken = directory
        .file("broken.json", r#"{"Statement":{"Effect":"Allow","Action":"SendMessage","Resource":"*"}}"#);
    let cases: [(&str, &str, &[&str], &str); 7] = [
        ("ann", "sqs:SendMessage", &[], "--principal: \"ann\" is nobody"),
        (ANN, "SendMessage", &[], "try sqs:SendMessage"),
        (ANN, "sqs:SendMessage", &["--identity", &broken], "must be prefaced by a vendor"),
        (ANN, "sqs:SendMessage", &["--context", "x"], "give KEY=VALUE"),
        (ANN, "sqs:SendMessage", &["--context", "aws:SourceIp=here"], "is no address"),
        (ANN, "sqs:SendMessage", &["--context", "aws:PrincipalOrgID=o"], "cannot be given"),
        ("anonymous", "sqs:SendMessage", &["--identity", &broken], "has no policies of its own"),
    ];
    for (principal, action, rest, expected) in cases {
        let (code, text) = ask(principal, action, rest);
        assert_eq!((code, text.lines().count()), (2, 1), "{text}");
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }
}
