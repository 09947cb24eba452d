//! Policies are checked, edited and decided as AWS does.

use alloc::vec;

use super::*;

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

fn texts(texts: &[&'static str]) -> Vec<Text> {
    texts.iter().map(|text| Text::from_static(text)).collect()
}

fn refusal<T: core::fmt::Debug>(result: Result<T, Fault>) -> String {
    let fault = result.unwrap_err();
    format!("{} {}: {}", fault.kind.status, fault.kind.name, fault.message)
}

#[test]
fn well_formed_policies_are_taken() {
    let cases = [
        r#"{"Statement":{"Effect":"Deny","NotPrincipal":"*","NotAction":"sqs:*"}}"#,
        r#"{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"AWS":["111111111111"]},"Action":["SQS:SendMessage"],"Resource":"*","Condition":{}}]}"#,
    ];
    for policy in cases {
        assert_eq!(check(policy), Ok(()), "{policy}");
    }
}

#[test]
fn malformed_policies_are_refused() {
    let cases = [
        "nonsense",
        "[]",
        "\"text\"",
        "{}",
        r#"{"Statement":[]}"#,
        r#"{"Statement":[1]}"#,
        r#"{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#,
        r#"{"Extra":1,"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Perhaps","Principal":"*","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Extra":1}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Effect":"Deny","Principal":"*","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"1"},"Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/*"},"Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"SendMessage"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Condition":{"StringIs":{"aws:username":"x"}}}]}"#,
    ];
    for policy in cases {
        let expected = "400 InvalidAttributeValue: Invalid value for the parameter Policy.";
        assert_eq!(refusal(check(policy)), expected, "{policy}");
    }
}

#[test]
fn a_policy_has_twenty_statements_at_the_most() {
    let policy = |count| {
        let one = r#"{"Effect":"Allow","Principal":"*","Action":"*"}"#;
        format!("{{\"Statement\":[{}]}}", vec![one; count].join(","))
    };
    assert_eq!(check(&policy(20)), Ok(()));
    let expected = "403 OverLimit: 21 statements were found in the submitted policy, max allowed is 20";
    assert_eq!(refusal(check(&policy(21))), expected);
}

#[test]
fn a_statement_has_seven_actions_fifty_principals_and_ten_conditions_at_the_most() {
    let list =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(",");
    let statement = |actions: usize, principals: usize, conditions: usize| {
        let actions = list(actions, &|at| format!("\"sqs:A{at}\""));
        let principals = list(principals, &|at| format!("\"{:012}\"", at + 1));
        let conditions = list(conditions, &|at| format!("\"aws:PrincipalTag/t{at}\":\"x\""));
        format!(
            r#"{{"Effect":"Allow","Action":[{actions}],"Principal":{{"AWS":[{principals}]}},"Condition":{{"StringEquals":{{{conditions}}}}}}}"#
        )
    };
    let policy = |statements: &[String]| format!("{{\"Statement\":[{}]}}", statements.join(","));
    assert_eq!(check(&policy(&[statement(7, 50, 10)])), Ok(()));
    // Each statement by itself: queues that twenty topics write to have one condition for each.
    assert_eq!(check(&policy(&vec![statement(7, 1, 1); 20])), Ok(()));
    for (longest, expected) in [
        (
            statement(8, 1, 1),
            "8 actions were found in a statement from the submitted policy, max allowed is 7",
        ),
        (
            statement(1, 51, 1),
            "51 principals were found in a statement from the submitted policy, max allowed is 50",
        ),
        (
            statement(1, 1, 11),
            "11 conditions were found in a statement from the submitted policy, max allowed is 10",
        ),
    ] {
        let refused = refusal(check(&policy(&[statement(1, 1, 1), longest])));
        assert_eq!(refused, format!("403 OverLimit: {expected}"));
    }
}

#[test]
fn a_policy_has_8192_bytes_at_the_most_however_it_came_to_be() {
    let policy = |bytes: usize| {
        let text = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}"#;
        format!("{text}{}", " ".repeat(bytes - text.len()))
    };
    assert_eq!(check(&policy(8192)), Ok(()));
    let expected = "403 OverLimit: Submitted policy is over max allowed size.";
    assert_eq!(refusal(check(&policy(8193))), expected);
    let accounts = vec![Text::from_static("111111111111"); 250];
    assert_eq!(refusal(permit(None, ARN, "many", &accounts, &texts(&["*"]))), expected);
}

#[test]
fn a_permission_becomes_a_statement_in_aws_s_spelling() {
    let first = permit(None, ARN, "one", &texts(&["111111111111"]), &texts(&["SendMessage"])).unwrap();
    assert_eq!(
        first,
        r#"{"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:orders/SQSDefaultPolicy","Statement":[{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:orders"}]}"#
    );
    assert_eq!(check(&first), Ok(()));
    let two = texts(&["111111111111", "222222222222"]);
    let second = permit(Some(&first), ARN, "two", &two, &texts(&["SendMessage", "*"])).unwrap();
    assert!(second.contains(r#""Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},"Action":["SQS:SendMessage","SQS:*"]"#));
    assert_eq!(forbid(Some(&second), "two"), Ok(Some(first.clone())));
    assert_eq!(forbid(Some(&first), "one"), Ok(None));
}

#[test]
fn labels_are_unique_and_must_exist() {
    let policy = permit(None, ARN, "one", &texts(&["111111111111"]), &texts(&["*"])).unwrap();
    let again = permit(Some(&policy), ARN, "one", &texts(&["111111111111"]), &texts(&["*"]));
    let exists = "400 InvalidParameterValueException: Value one for parameter Label is invalid. Reason: Already exists.";
    assert_eq!(refusal(again), exists);
    let missing = "400 InvalidParameterValueException: Value two for parameter Label is invalid. Reason: can't find label.";
    assert_eq!(refusal(forbid(Some(&policy), "two")), missing);
    assert_eq!(refusal(forbid(None, "two")), missing);
}

#[test]
fn the_twenty_first_permission_is_refused() {
    let one = |policy: Option<Text>, at: usize| {
        permit(policy.as_deref(), ARN, &format!("l{at}"), &texts(&["111111111111"]), &texts(&["*"]))
    };
    let full = (0..20).fold(None, |policy, at| Some(one(policy, at).unwrap()));
    assert_eq!(refusal(one(full, 20)), "403 OverLimit: 21 Statements were found, maximum allowed is 20.");
}

#[test]
fn what_cannot_be_granted_is_refused_in_aws_s_words() {
    let account = texts(&["111111111111"]);
    let send = texts(&["SendMessage"]);
    let lines = [
        refusal(check_permission("", &account, &send)),
        refusal(check_permission("a b", &account, &send)),
        refusal(check_permission("l", &[], &send)),
        refusal(check_permission("l", &account, &[])),
        refusal(check_permission("l", &account, &texts(&["SendMessage"; 8]))),
        refusal(check_permission("l", &account, &texts(&["CreateQueue"]))),
        refusal(check_permission("l", &account, &texts(&["Nonsense"]))),
        refusal(check_permission("l", &texts(&["1", "x"]), &send)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    400 MissingRequiredParameterException: The request must contain the parameter Label.
    400 InvalidParameterValueException: Value a b for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.
    400 MissingRequiredParameterException: The request must contain the parameter AWSAccountIds.
    400 MissingRequiredParameterException: The request must contain the parameter ActionName.
    403 OverLimit: 8 Actions were found, maximum allowed is 7.
    400 InvalidParameterValueException: Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.
    400 InvalidParameterValueException: Value SQS:Nonsense for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid actions.
    400 InvalidParameterValueException: Value [1, x] for parameter PrincipalId is invalid. Reason: Unable to verify principal.
    ");
    assert_eq!(check_permission("l", &account, &texts(&["*", "SendMessage", "ReceiveMessage"])), Ok(()));
}
