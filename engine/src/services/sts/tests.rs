use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sts::{AssumeRoleRequest, Credentials, GetSessionTokenRequest, PolicyDescriptorType, Tag};

use super::api::assume_role::{self, Candidate, Grant};
use super::api::{get_caller_identity, get_session_token};
use super::limits;
use crate::identity::{Account, Caller, Chain, Identity, Kind, Permissions, Principal};
use crate::policy::{Policy, Use};
use crate::time::Moment;

const ROLE: &str = "arn:aws:iam::111122223333:role/shop/reader";
const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn request() -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: ROLE.into(),
        role_session_name: "s1".into(),
        ..AssumeRoleRequest::default()
    }
}

fn caller(kind: Kind, chain: Option<Chain>, issued: Option<Moment>) -> Caller {
    let arn = match &kind {
        Kind::Root => "arn:aws:iam::111122223333:root",
        Kind::Role { .. } => "arn:aws:sts::111122223333:assumed-role/first/s0",
        _ => "arn:aws:iam::111122223333:user/ann",
    };
    let identity = Identity {
        principal: Principal {
            account: Account::from_number(111_122_223_333).expect("an account"),
            arn: arn.into(),
            id: "AIDAANN".into(),
            tags: Vec::new(),
            issued,
            kind,
        },
        permissions: Some(Permissions {
            identity: vec![Arc::new(Policy::compile(Use::Identity, "all".into(), ALL).expect("sound"))],
            ..Permissions::default()
        }),
        access_key: None,
        counts_as: None,
        chain,
    };
    Caller::identified(Arc::new(identity), "us-east-1".into(), None)
}

fn ann() -> Caller {
    caller(Kind::User { name: "ann".into() }, None, None)
}

fn chained(chain: Chain) -> Caller {
    let role = "arn:aws:iam::111122223333:role/first".into();
    caller(Kind::Role { role }, Some(chain), Some(Moment(1)))
}

fn trust(actions: &str, more: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Principal":{{"AWS":"111122223333"}}{more}}}]}}"#
    );
    Policy::compile(Use::Trust, "trust".into(), &text).expect("sound")
}

const EVERYTHING: &str = r#"["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]"#;

fn ask_of(request: AssumeRoleRequest, caller: &Caller, trust: Option<&Policy>) -> Result<Grant, Fault> {
    let asked = assume_role::check(request)?;
    let tags = BTreeMap::new();
    let role = trust.map(|trust| Candidate { trust, tags: &tags, max_session_seconds: 7200 });
    assume_role::decide(&asked, caller, role, Moment(0))
}

fn ask(request: AssumeRoleRequest) -> Result<Grant, Fault> {
    ask_of(request, &ann(), Some(&trust(EVERYTHING, "")))
}

/// Code and message.
fn refused(outcome: Result<Grant, Fault>) -> (&'static str, String) {
    let fault = outcome.expect_err("a refusal");
    (fault.kind.code, fault.message.into_owned())
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

#[test]
fn a_session_lasts_an_hour_unless_it_says_otherwise() {
    assert_eq!(ask(request()).expect("granted").seconds, 3600);
    let longer = AssumeRoleRequest { duration_seconds: Some(7200), ..request() };
    assert_eq!(ask(longer).expect("granted").seconds, 7200);
}

#[test]
fn what_does_not_fit_aws_shapes_is_told_all_at_once() {
    let cases: Vec<(AssumeRoleRequest, &str)> = vec![
        (
            AssumeRoleRequest { role_session_name: "s".into(), ..request() },
            "1 validation error detected: Value 's' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
        ),
        (
            AssumeRoleRequest { role_session_name: "a b".into(), ..request() },
            "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
        (
            AssumeRoleRequest { duration_seconds: Some(899), ..request() },
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        (
            AssumeRoleRequest { duration_seconds: Some(43_201), ..request() },
            "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
        ),
        (
            AssumeRoleRequest::default(),
            "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null",
        ),
        (
            AssumeRoleRequest { external_id: Some("x".into()), ..request() },
            "1 validation error detected: Value 'x' at 'externalId' failed to satisfy constraint: Member must have length greater than or equal to 2",
        ),
        (
            AssumeRoleRequest { role_arn: "arn:aws:sqs:us-east-1:111122223333:q".into(), ..request() },
            "arn:aws:sqs:us-east-1:111122223333:q is invalid",
        ),
        (
            AssumeRoleRequest { role_arn: "arn:aws:iam::11112222333x:role/r".into(), ..request() },
            "arn:aws:iam::11112222333x:role/r is invalid",
        ),
    ];
    for (request, message) in cases {
        assert_eq!(refused(ask(request)), ("ValidationError", message.into()));
    }
    let long = AssumeRoleRequest { policy: Some("x".repeat(2049).into()), ..request() };
    assert!(refused(ask(long)).1.ends_with("Member must have length less than or equal to 2048"));
    let many = AssumeRoleRequest { tags: vec![tag("a", "b"); 51], ..request() };
    assert!(refused(ask(many)).1.ends_with("Member must have length less than or equal to 50"));
    let odd = AssumeRoleRequest { tags: vec![tag("a\"", "b")], ..request() };
    assert!(refused(ask(odd)).1.contains("'tags.1.member.key'"));
}

#[test]
fn a_role_and_chaining_bound_the_session() {
    let longer = AssumeRoleRequest { duration_seconds: Some(7201), ..request() };
    assert_eq!(
        refused(ask(longer)),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".into()
        )
    );
    let hour = AssumeRoleRequest { duration_seconds: Some(3601), ..request() };
    let (code, message) = refused(ask_of(hour, &chained(Chain::default()), Some(&trust(EVERYTHING, ""))));
    assert_eq!(code, "ValidationError");
    assert!(message.contains("1 hour session limit for roles assumed by role chaining"), "{message}");
}

#[test]
fn a_role_that_does_not_trust_the_caller_and_one_that_is_not_there_refuse_alike() {
    let denied = format!(
        "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    );
    assert_eq!(refused(ask_of(request(), &ann(), None)), ("AccessDenied", denied.clone()));
    let other = trust(EVERYTHING, r#","Condition":{"StringEquals":{"sts:ExternalId":"secret-word"}}"#);
    assert_eq!(refused(ask_of(request(), &ann(), Some(&other))), ("AccessDenied", denied));
    let with = AssumeRoleRequest { external_id: Some("secret-word".into()), ..request() };
    assert!(ask_of(with, &ann(), Some(&other)).is_ok());
    let wrong = AssumeRoleRequest { external_id: Some("other-word".into()), ..request() };
    assert!(ask_of(wrong, &ann(), Some(&other)).is_err());
}

#[test]
fn an_accounts_root_becomes_no_role() {
    let root = caller(Kind::Root, None, None);
    let (code, message) = refused(ask_of(request(), &root, Some(&trust(EVERYTHING, ""))));
    assert_eq!((code, &*message), ("AccessDenied", "Roles may not be assumed by root accounts."));
}

#[test]
fn tags_and_a_source_identity_need_permissions_of_their_own() {
    let only = trust(r#""sts:AssumeRole""#, "");
    let tagged = AssumeRoleRequest { tags: vec![tag("team", "shop")], ..request() };
    assert!(refused(ask_of(tagged.clone(), &ann(), Some(&only))).1.contains("perform: sts:TagSession on"));
    assert_eq!(ask(tagged).expect("granted").tags, [("team".into(), "shop".into())]);
    let named = AssumeRoleRequest { source_identity: Some("ann".into()), ..request() };
    assert!(refused(ask_of(named.clone(), &ann(), Some(&only))).1.contains("sts:SetSourceIdentity"));
    assert_eq!(ask(named).expect("granted").source_identity.as_deref(), Some("ann"));
    let by_tag = trust(EVERYTHING, r#","Condition":{"StringEquals":{"aws:RequestTag/team":"shop"}}"#);
    let other = AssumeRoleRequest { tags: vec![tag("team", "kitchen")], ..request() };
    assert!(ask_of(other, &ann(), Some(&by_tag)).is_err());
    let same = AssumeRoleRequest { tags: vec![tag("team", "shop")], ..request() };
    assert!(ask_of(same, &ann(), Some(&by_tag)).is_ok());
}

#[test]
fn a_chain_hands_on_its_tags_and_who_stands_behind() {
    let chain = Chain { tags: vec![("team".into(), "shop".into())], source_identity: Some("ann".into()) };
    let all = trust(EVERYTHING, "");
    let more = AssumeRoleRequest { tags: vec![tag("night", "yes")], ..request() };
    let grant = ask_of(more, &chained(chain.clone()), Some(&all)).expect("granted");
    let keys: Vec<&str> = grant.tags.iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["team", "night"]);
    assert_eq!(grant.transitive, [Text::from("team")]);
    assert_eq!(grant.source_identity.as_deref(), Some("ann"));

    let same = AssumeRoleRequest { tags: vec![tag("Team", "kitchen")], ..request() };
    assert_eq!(refused(ask_of(same, &chained(chain.clone()), Some(&all))).0, "InvalidParameterValue");
    let other = AssumeRoleRequest { source_identity: Some("bob".into()), ..request() };
    assert_eq!(refused(ask_of(other, &chained(chain), Some(&all))).0, "AccessDenied");
}

#[test]
fn tags_are_there_once_and_only_those_can_be_handed_on() {
    let twice = AssumeRoleRequest { tags: vec![tag("team", "a"), tag("TEAM", "b")], ..request() };
    assert_eq!(refused(ask(twice)).0, "InvalidParameterValue");
    let absent = AssumeRoleRequest { transitive_tag_keys: vec!["team".into()], ..request() };
    assert_eq!(refused(ask(absent)).0, "InvalidParameterValue");
}

#[test]
fn a_session_policy_must_be_one_and_fit() {
    let broken = AssumeRoleRequest { policy: Some("{".into()), ..request() };
    assert_eq!(refused(ask(broken)).0, "MalformedPolicyDocument");
    let small = ask(AssumeRoleRequest { policy: Some(ALL.into()), ..request() }).expect("granted");
    assert_eq!(small.packed_percent, Some((ALL.len() * 100).div_ceil(limits::PACKED_BYTES) as u32));
    assert_eq!(ask(request()).expect("granted").packed_percent, None);
    let tags = (0..50).map(|at| tag(&format!("key{at}"), &"v".repeat(256))).collect();
    let (code, message) = refused(ask(AssumeRoleRequest { tags, ..request() }));
    assert_eq!(code, "PackedPolicyTooLarge");
    assert!(message.starts_with("Packed policy consumes 5"), "{message}");
}

#[test]
fn an_open_server_lets_anybody_become_anything() {
    let open = Caller::open(Account::DEFAULT, "us-east-1".into());
    assert_eq!(ask_of(request(), &open, None).expect("granted").seconds, 3600);
}

#[test]
fn the_answer_names_role_and_session() {
    let arns = vec![PolicyDescriptorType { arn: Some("arn:aws:iam::aws:policy/AmazonSQSFullAccess".into()) }];
    let asked = assume_role::check(AssumeRoleRequest { policy_arns: arns, ..request() }).expect("sound");
    assert_eq!((&*asked.name, asked.policy_arns.len()), ("reader", 1));
    let grant = ask(request()).expect("granted");
    let answer = assume_role::answer(&asked, &grant, "AROAR", Credentials::default());
    let user = answer.assumed_role_user.expect("a user");
    assert_eq!(&*user.arn, "arn:aws:sts::111122223333:assumed-role/reader/s1");
    assert_eq!(&*user.assumed_role_id, "AROAR:s1");
}

#[test]
fn a_users_session_lasts_twelve_hours_and_an_accounts_one() {
    let seconds = |caller: &Caller, duration_seconds| {
        get_session_token::decide(
            &GetSessionTokenRequest { duration_seconds, ..GetSessionTokenRequest::default() },
            caller,
        )
    };
    assert_eq!(seconds(&ann(), None), Ok(43_200));
    assert_eq!(seconds(&ann(), Some(129_600)), Ok(129_600));
    let root = caller(Kind::Root, None, None);
    assert_eq!((seconds(&root, None), seconds(&root, Some(7200))), (Ok(3600), Ok(3600)));
    assert_eq!(seconds(&ann(), Some(129_601)).expect_err("too long").kind.code, "ValidationError");
    let again = caller(Kind::User { name: "ann".into() }, None, Some(Moment(1)));
    for session in [again, chained(Chain::default())] {
        let fault = seconds(&session, None).expect_err("a session already");
        assert_eq!(&*fault.message, "Cannot call GetSessionToken with session credentials");
    }
}

#[test]
fn a_caller_learns_who_it_is() {
    let answer = get_caller_identity(&ann());
    assert_eq!(answer.account.as_deref(), Some("111122223333"));
    assert_eq!(answer.arn.as_deref(), Some("arn:aws:iam::111122223333:user/ann"));
    assert_eq!(answer.user_id.as_deref(), Some("AIDAANN"));
}
