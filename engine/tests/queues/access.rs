//! Who may ask what of a queue: every operation of AWS's, by the permissions that AWS names for it.

use std::sync::Arc;

use kew_engine::identity::{Account, Caller, Identity, Kind, Origin, Permissions, Principal};
use kew_engine::policy::{Policy, Use};
use kew_engine::services::sqs::api::{self, Call};
use kew_engine::services::sqs::{QueueKey, command};
use kew_engine::shard::{Command, Config, Reply, Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_engine::transfer::{Known, Question};
use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::*;

const HOME: &str = "111111111111";
const OTHER: &str = "222222222222";
const ARN: &str = "arn:aws:sqs:us-east-1:111111111111:orders";
const DEAD: &str = "arn:aws:sqs:us-east-1:111111111111:dead";
const URL: &str = "http://localhost/111111111111/orders";

/// A shard whose disk is done at once.
struct Place {
    shard: Shard,
    tokens: u64,
}

impl Place {
    /// With the queues `orders` and `dead`, which takes the dead letters of `orders`.
    fn new() -> Self {
        let mut place = Self { shard: Shard::new(Config::new(8), 0), tokens: 0 };
        let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
        place.create(&root, "dead", &[]);
        let redrive = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":1}}"#);
        place.create(&root, "orders", &[("RedrivePolicy", &redrive)]);
        place
    }

    fn create(&mut self, caller: &Caller, name: &str, attributes: &[(&str, &str)]) {
        let attributes =
            attributes.iter().map(|(name, value)| (Text::from(*name), Text::from(*value))).collect();
        let request = CreateQueueRequest { queue_name: name.into(), attributes, tags: Vec::new() };
        self.ask(caller, Request::CreateQueue(request)).unwrap();
    }

    fn set_policy(&mut self, policy: &str) {
        let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
        let attributes = vec![("Policy".into(), policy.into())];
        let request = SetQueueAttributesRequest { queue_url: URL.into(), attributes };
        self.ask(&root, Request::SetQueueAttributes(request)).unwrap();
    }

    fn ask(&mut self, caller: &Caller, request: Request) -> Result<(), Fault> {
        let call =
            Call { caller: caller.clone(), endpoint: "http://localhost".into(), query: false, trace: None };
        let (command, _) = api::prepare(&call, request)?;
        match self.submit(Command::Sqs(command)) {
            // A batch of one, and an empty receive, are answers too.
            Reply::Sqs(Ok(command::Reply::Entries(outcomes))) => {
                outcomes.into_iter().next().unwrap_or(Ok(()))
            }
            Reply::Sqs(outcome) => outcome.map(drop),
            other => panic!("{other:?}"),
        }
    }

    fn submit(&mut self, command: Command) -> Reply {
        self.tokens += 1;
        let stamp = Stamp { now: Moment(1_795_262_400_000 + self.tokens), seed: self.tokens };
        self.shard.submit(stamp, Token(self.tokens), command);
        while let Some(batch) = self.shard.poll_append() {
            self.shard.handle_durable(batch.start + batch.bytes.len() as u64);
        }
        self.shard.poll_reply().expect("an answer at once").1
    }
}

fn policy(used: Use, text: &str) -> Arc<Policy> {
    Arc::new(Policy::compile(used, "test".into(), text).unwrap())
}

fn caller(account: &str, kind: Kind, arn: &str, permissions: Option<Permissions>) -> Caller {
    let account: Account = account.parse().unwrap();
    let principal =
        Principal { account, arn: arn.into(), id: "ID".into(), kind, tags: Vec::new(), issued: None };
    let identity = Identity { principal, permissions, access_key: None, counts_as: None, chain: None };
    let origin = Origin { address: Some("10.0.0.1".parse().unwrap()), ..Origin::default() };
    Caller::identified(Arc::new(identity), "us-east-1".into(), Some(Arc::new(origin)))
}

/// The user ann of an account, with one policy.
fn user(account: &str, text: &str) -> Caller {
    let permissions = Permissions { identity: vec![policy(Use::Identity, text)], ..Permissions::default() };
    let arn = format!("arn:aws:iam::{account}:user/ann");
    caller(account, Kind::User { name: "ann".into() }, &arn, Some(permissions))
}

/// A user with permission for each of the actions on the queue given with it.
fn with(actions: &[(&str, &str)]) -> Caller {
    let one = |(action, arn): &(&str, &str)| {
        format!(r#"{{"Effect":"Allow","Action":"sqs:{action}","Resource":"{arn}"}}"#)
    };
    let statements: Vec<String> = actions.iter().map(one).collect();
    // An identity's policy has at least one statement.
    let none = r#"{"Effect":"Allow","Action":"kms:None","Resource":"*"}"#.to_owned();
    let all = if statements.is_empty() { none } else { statements.join(",") };
    user(HOME, &format!(r#"{{"Statement":[{all}]}}"#))
}

fn root(account: &str) -> Caller {
    caller(account, Kind::Root, &format!("arn:aws:iam::{account}:root"), None)
}

fn denied(action: &str, arn: &str, why: &str) -> String {
    let user = format!("arn:aws:iam::{HOME}:user/ann");
    format!("User: {user} is not authorized to perform: sqs:{action} on resource: {arn} {why}")
}

/// A handle that is well formed and belongs to no message.
fn handle() -> Text {
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()
}

/// Every operation with the permissions that it needs (developer guide, *Amazon SQS API permissions: Actions and resource reference*).
fn operations() -> Vec<(Request, Vec<(&'static str, &'static str)>)> {
    let url = || Text::from_static(URL);
    let list = "arn:aws:sqs:us-east-1:111111111111:*";
    let task = {
        let text = format!(r#"{{"taskId":"1b671a64-40d5-491e-99b0-da01ff1f3341","sourceArn":"{DEAD}"}}"#);
        Text::from(base64_simd::STANDARD.encode_to_string(text))
    };
    let tags = || vec![(Text::from_static("team"), Text::from_static("blue"))];
    let moves = |action: &'static str, rest: &[(&'static str, &'static str)]| {
        let mut all = vec![
            (action, DEAD),
            ("ReceiveMessage", DEAD),
            ("DeleteMessage", DEAD),
            ("GetQueueAttributes", DEAD),
        ];
        all.extend_from_slice(rest);
        all
    };
    vec![
        (
            Request::AddPermission(AddPermissionRequest {
                queue_url: url(),
                label: "l".into(),
                aws_account_ids: vec![OTHER.into()],
                actions: vec!["SendMessage".into()],
            }),
            vec![("AddPermission", ARN)],
        ),
        (
            Request::CancelMessageMoveTask(CancelMessageMoveTaskRequest { task_handle: task }),
            moves("CancelMessageMoveTask", &[]),
        ),
        (
            Request::ChangeMessageVisibility(ChangeMessageVisibilityRequest {
                queue_url: url(),
                receipt_handle: handle(),
                visibility_timeout: 1,
            }),
            vec![("ChangeMessageVisibility", ARN)],
        ),
        (
            Request::ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatchRequest {
                queue_url: url(),
                entries: vec![ChangeMessageVisibilityBatchRequestEntry {
                    id: "a".into(),
                    receipt_handle: handle(),
                    visibility_timeout: Some(1),
                }],
            }),
            vec![("ChangeMessageVisibility", ARN)],
        ),
        (
            Request::CreateQueue(CreateQueueRequest { queue_name: "orders".into(), ..Default::default() }),
            vec![("CreateQueue", ARN)],
        ),
        (
            Request::CreateQueue(CreateQueueRequest {
                queue_name: "tagged".into(),
                tags: tags(),
                attributes: Vec::new(),
            }),
            vec![("CreateQueue", "*"), ("TagQueue", "*")],
        ),
        (
            Request::DeleteMessage(DeleteMessageRequest { queue_url: url(), receipt_handle: handle() }),
            vec![("DeleteMessage", ARN)],
        ),
        (
            Request::DeleteMessageBatch(DeleteMessageBatchRequest {
                queue_url: url(),
                entries: vec![DeleteMessageBatchRequestEntry { id: "a".into(), receipt_handle: handle() }],
            }),
            vec![("DeleteMessage", ARN)],
        ),
        (
            Request::GetQueueAttributes(GetQueueAttributesRequest { queue_url: url(), ..Default::default() }),
            vec![("GetQueueAttributes", ARN)],
        ),
        (
            Request::GetQueueUrl(GetQueueUrlRequest { queue_name: "orders".into(), ..Default::default() }),
            vec![("GetQueueUrl", ARN)],
        ),
        (
            Request::ListDeadLetterSourceQueues(ListDeadLetterSourceQueuesRequest {
                queue_url: url(),
                ..Default::default()
            }),
            vec![("ListDeadLetterSourceQueues", ARN)],
        ),
        (
            Request::ListMessageMoveTasks(ListMessageMoveTasksRequest {
                source_arn: DEAD.into(),
                ..Default::default()
            }),
            moves("ListMessageMoveTasks", &[]),
        ),
        (Request::ListQueueTags(ListQueueTagsRequest { queue_url: url() }), vec![("ListQueueTags", ARN)]),
        (Request::ListQueues(ListQueuesRequest::default()), vec![("ListQueues", list)]),
        (Request::PurgeQueue(PurgeQueueRequest { queue_url: url() }), vec![("PurgeQueue", ARN)]),
        (
            Request::ReceiveMessage(ReceiveMessageRequest { queue_url: url(), ..Default::default() }),
            vec![("ReceiveMessage", ARN)],
        ),
        (
            Request::RemovePermission(RemovePermissionRequest { queue_url: url(), label: "l".into() }),
            vec![("RemovePermission", ARN)],
        ),
        (
            Request::SendMessage(SendMessageRequest {
                queue_url: url(),
                message_body: "x".into(),
                ..Default::default()
            }),
            vec![("SendMessage", ARN)],
        ),
        (
            Request::SendMessageBatch(SendMessageBatchRequest {
                queue_url: url(),
                entries: vec![SendMessageBatchRequestEntry {
                    id: "a".into(),
                    message_body: "x".into(),
                    ..Default::default()
                }],
            }),
            vec![("SendMessage", ARN)],
        ),
        (
            Request::SetQueueAttributes(SetQueueAttributesRequest {
                queue_url: url(),
                attributes: vec![("DelaySeconds".into(), "1".into())],
            }),
            vec![("SetQueueAttributes", ARN)],
        ),
        (
            Request::StartMessageMoveTask(StartMessageMoveTaskRequest {
                source_arn: DEAD.into(),
                destination_arn: Some(ARN.into()),
                ..Default::default()
            }),
            moves("StartMessageMoveTask", &[("SendMessage", ARN)]),
        ),
        (
            // Back to where they came from: to whatever queue has this one for its dead letters.
            Request::StartMessageMoveTask(StartMessageMoveTaskRequest {
                source_arn: DEAD.into(),
                ..Default::default()
            }),
            moves("StartMessageMoveTask", &[("SendMessage", ARN)]),
        ),
        (Request::TagQueue(TagQueueRequest { queue_url: url(), tags: tags() }), vec![("TagQueue", ARN)]),
        (
            Request::UntagQueue(UntagQueueRequest { queue_url: url(), tag_keys: vec!["team".into()] }),
            vec![("UntagQueue", ARN)],
        ),
        (Request::DeleteQueue(DeleteQueueRequest { queue_url: url() }), vec![("DeleteQueue", ARN)]),
    ]
}

#[test]
fn every_operation_needs_its_permissions_and_no_others() {
    for (request, needed) in operations() {
        let name = format!("{:?}", request.operation());
        let mut place = Place::new();
        for missing in 0..needed.len() {
            let mut fewer = needed.clone();
            let (action, arn) = fewer.remove(missing);
            let fault = place.ask(&with(&fewer), request.clone()).expect_err(&name);
            assert_eq!((fault.kind.name, fault.kind.status), ("AccessDeniedException", 403), "{name}");
            let arn = match arn {
                "*" => "arn:aws:sqs:us-east-1:111111111111:tagged",
                list if list.ends_with('*') => "arn:aws:sqs:us-east-1:111111111111:",
                arn => arn,
            };
            let action = action.to_lowercase();
            let why = format!("because no identity-based policy allows the sqs:{action} action");
            assert_eq!(fault.message, denied(&action, arn, &why), "{name}");
        }
        // Whatever else may be wrong with it, it is permitted.
        let outcome = place.ask(&with(&needed), request.clone());
        let refused = outcome.as_ref().is_err_and(|fault| fault.kind.name == "AccessDeniedException");
        assert!(!refused, "{name}: {outcome:?}");
    }
    let mut seen: Vec<String> = operations().iter().map(|(it, _)| format!("{:?}", it.operation())).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 23, "an operation of AWS's is not in the table");
}

fn send() -> Request {
    let request =
        SendMessageRequest { queue_url: URL.into(), message_body: "x".into(), ..Default::default() };
    Request::SendMessage(request)
}

fn message(outcome: Result<(), Fault>) -> String {
    outcome.map_or_else(|fault| fault.message.into_owned(), |()| "allowed".into())
}

const ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[test]
fn whoever_may_not_learns_not_whether_a_queue_exists() {
    let mut place = Place::new();
    let request = |name: &str| {
        Request::GetQueueUrl(GetQueueUrlRequest { queue_name: name.into(), ..Default::default() })
    };
    let stranger = with(&[]);
    for name in ["orders", "nowhere"] {
        let fault = place.ask(&stranger, request(name)).expect_err("denied");
        assert_eq!(fault.kind.name, "AccessDeniedException", "{name}");
    }
    assert_eq!(
        place.ask(&user(HOME, ALL), request("nowhere")).expect_err("no queue").kind.name,
        "QueueDoesNotExist"
    );
}

fn start_move_to(arn: &str) -> Request {
    Request::StartMessageMoveTask(StartMessageMoveTaskRequest {
        source_arn: ARN.into(),
        destination_arn: Some(arn.into()),
        ..Default::default()
    })
}

#[test]
fn whoever_may_not_send_there_learns_not_whether_a_destination_exists() {
    let mut place = Place::new();
    place.create(&Caller::open(OTHER.parse().unwrap(), "us-east-1".into()), "dead", &[]);
    let mine = with(&[("*", ARN)]);
    let dead = |account: &str, name: &str| format!("arn:aws:sqs:us-east-1:{account}:{name}");
    for (account, name) in [(HOME, "dead"), (HOME, "nowhere"), (OTHER, "dead"), (OTHER, "nowhere")] {
        let arn = dead(account, name);
        let why = "because no identity-based policy allows the sqs:sendmessage action";
        assert_eq!(message(place.ask(&mine, start_move_to(&arn))), denied("sendmessage", &arn, why));
    }
    // Who may send there is told.
    let nowhere = dead(HOME, "nowhere");
    let wider = with(&[("*", ARN), ("SendMessage", &nowhere)]);
    let told = message(place.ask(&wider, start_move_to(&nowhere)));
    assert!(told.contains("DestinationArn parameter doesn't exist"), "{told}");
}

#[test]
fn whoever_may_not_send_there_learns_it_neither_of_queues_in_other_shards() {
    let mut here = Place { shard: Shard::new(Config::new(8), 0), tokens: 0 };
    let mut there = Place { shard: Shard::new(Config { shard: 1, ..Config::new(8) }, 0), tokens: 0 };
    let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
    here.create(&root, "orders", &[]);
    there.create(&root, "dead", &[]);
    let key = |name: &str| QueueKey { account: root.account, region: root.region.clone(), name: name.into() };
    let mut outcome = |ann: &Caller, name: &str, arn: &str| {
        let (caller, source, origins) = (ann.clone(), key("orders"), Vec::new());
        let question = Question::Move { caller, source, target: Some(key(name)), origins };
        let Reply::Known(known) = there.submit(Command::Ask(question)) else { panic!("not known") };
        let call = Call { caller: ann.clone(), endpoint: "http://h".into(), query: false, trace: None };
        let (command, _) = api::prepare(&call, start_move_to(arn)).unwrap();
        match here.submit(Command::Informed(command, known)) {
            Reply::Sqs(outcome) => message(outcome.map(drop)),
            other => panic!("{other:?}"),
        }
    };
    let nowhere = "arn:aws:sqs:us-east-1:111111111111:nowhere";
    let mine = with(&[("*", ARN)]);
    let seen = outcome(&mine, "dead", DEAD);
    assert!(seen.contains("is not authorized"), "{seen}");
    assert_eq!(seen, outcome(&mine, "nowhere", nowhere).replace(nowhere, DEAD));
}

#[test]
fn a_queue_s_policy_opens_and_closes_at_once() {
    let mut place = Place::new();
    let foreign = user(OTHER, ALL);
    let why = "because no resource-based policy allows the sqs:sendmessage action";
    let shut = denied("sendmessage", ARN, why).replace(HOME, OTHER).replace(&ARN.replace(HOME, OTHER), ARN);
    assert_eq!(message(place.ask(&foreign, send())), shut);
    let root = root(HOME);
    let request = AddPermissionRequest {
        queue_url: URL.into(),
        label: "l".into(),
        aws_account_ids: vec![OTHER.into()],
        actions: vec!["SendMessage".into()],
    };
    place.ask(&root, Request::AddPermission(request)).unwrap();
    assert_eq!(message(place.ask(&foreign, send())), "allowed");
    let request = RemovePermissionRequest { queue_url: URL.into(), label: "l".into() };
    place.ask(&root, Request::RemovePermission(request)).unwrap();
    assert_eq!(message(place.ask(&foreign, send())), shut);
}

#[test]
fn a_policy_that_denies_everyone_binds_users_and_root_who_alone_can_repair_it() {
    let mut place = Place::new();
    place.set_policy(r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}}"#);
    let why = "with an explicit deny in a resource-based policy";
    assert_eq!(message(place.ask(&user(HOME, ALL), send())), denied("sendmessage", ARN, why));
    assert!(place.ask(&root(HOME), send()).is_err());
    let set = |value: &str| {
        let attributes = vec![("Policy".into(), value.into())];
        Request::SetQueueAttributes(SetQueueAttributesRequest { queue_url: URL.into(), attributes })
    };
    assert!(place.ask(&user(HOME, ALL), set("")).is_err());
    assert!(place.ask(&root(OTHER), set("")).is_err());
    let look = GetQueueAttributesRequest { queue_url: URL.into(), attribute_names: vec!["Policy".into()] };
    assert_eq!(message(place.ask(&root(HOME), Request::GetQueueAttributes(look))), "allowed");
    assert_eq!(message(place.ask(&root(HOME), set(""))), "allowed");
    assert_eq!(message(place.ask(&user(HOME, ALL), send())), "allowed");
}

#[test]
fn whom_nobody_authenticated_may_everything_in_an_account_and_elsewhere_what_its_root_may() {
    let mut place = Place::new();
    let open = |account: &str| Caller::open(account.parse().unwrap(), "us-east-1".into());
    place.set_policy(r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}}"#);
    assert_eq!(message(place.ask(&open(HOME), send())), "allowed");
    assert!(place.ask(&open(OTHER), send()).is_err());
    place.set_policy(r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sqs:*","Resource":"*"}}"#);
    assert_eq!(message(place.ask(&open(OTHER), send())), "allowed");
    assert!(place.ask(&open("333333333333"), send()).is_err());
}

#[test]
fn nothing_grants_another_account_what_only_the_owner_may_nor_those_without_credentials() {
    let mut place = Place::new();
    place.set_policy(r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#);
    let anonymous = |account: &str| caller(account, Kind::Anonymous, "anonymous", None);
    // Without credentials one is of no account, even where the number is that of the queue's.
    for caller in [user(OTHER, ALL), root(OTHER), anonymous(HOME), anonymous(OTHER)] {
        assert_eq!(message(place.ask(&caller, send())), "allowed");
        let requests = [
            Request::DeleteQueue(DeleteQueueRequest { queue_url: URL.into() }),
            Request::SetQueueAttributes(SetQueueAttributesRequest {
                queue_url: URL.into(),
                attributes: vec![("Policy".into(), "".into())],
            }),
            Request::ListQueueTags(ListQueueTagsRequest { queue_url: URL.into() }),
        ];
        for request in requests {
            let name = request.operation();
            let fault = place.ask(&caller, request).expect_err("the owner's alone");
            assert_eq!(fault.kind.name, "AccessDeniedException", "{name:?} by {}", caller.arn());
        }
    }
    for request in [
        Request::ListQueues(ListQueuesRequest::default()),
        Request::CreateQueue(CreateQueueRequest { queue_name: "new".into(), ..Default::default() }),
    ] {
        assert!(place.ask(&anonymous(HOME), request).is_err());
    }
}

#[test]
fn tags_of_the_queue_and_of_the_request_decide() {
    let mut place = Place::new();
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}},
        {"Effect":"Allow","Action":"sqs:TagQueue","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"team"},"StringEquals":{"aws:RequestTag/team":["blue","red"]}}},
        {"Effect":"Allow","Action":"sqs:UntagQueue","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"stage"}}}]}"#;
    let ann = user(HOME, text);
    let tag = |pairs: &[(&str, &str)]| {
        let tags = pairs.iter().map(|(key, value)| (Text::from(*key), Text::from(*value))).collect();
        Request::TagQueue(TagQueueRequest { queue_url: URL.into(), tags })
    };
    let untag = |key: &str| {
        Request::UntagQueue(UntagQueueRequest { queue_url: URL.into(), tag_keys: vec![key.into()] })
    };
    assert!(place.ask(&ann, send()).is_err());
    assert!(place.ask(&ann, tag(&[("team", "green")])).is_err());
    assert!(place.ask(&ann, tag(&[("team", "blue"), ("stage", "x")])).is_err());
    assert_eq!(message(place.ask(&ann, tag(&[("team", "blue")]))), "allowed");
    assert_eq!(message(place.ask(&ann, send())), "allowed");
    assert!(place.ask(&ann, untag("team")).is_err());
    assert_eq!(message(place.ask(&ann, untag("stage"))), "allowed");
    assert_eq!(message(place.ask(&ann, tag(&[("team", "red")]))), "allowed");
    assert!(place.ask(&ann, send()).is_err());
}

#[test]
fn conditions_see_where_a_request_came_from() {
    let mut place = Place::new();
    let from = |network: &str| {
        user(
            HOME,
            &format!(
                r#"{{"Statement":{{"Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{{"IpAddress":{{"aws:SourceIp":"{network}"}}}}}}}}"#
            ),
        )
    };
    assert_eq!(message(place.ask(&from("10.0.0.0/8"), send())), "allowed");
    assert!(place.ask(&from("11.0.0.0/8"), send()).is_err());
}

#[test]
fn a_policy_outlives_a_restart_and_still_decides() {
    let mut place = Place::new();
    place.set_policy(r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sqs:SendMessage","Resource":"*"}}"#);
    let (position, snapshot) = (place.shard.position(), place.shard.snapshot());
    place.shard = Shard::restore(Config::new(8), position, snapshot.into()).unwrap();
    assert_eq!(message(place.ask(&root(OTHER), send())), "allowed");
    assert!(place.ask(&root("333333333333"), send()).is_err());
}

#[test]
fn a_move_back_into_another_shard_needs_the_permission_there() {
    let mut here = Place { shard: Shard::new(Config::new(8), 0), tokens: 0 };
    let mut there = Place { shard: Shard::new(Config { shard: 1, ..Config::new(8) }, 0), tokens: 0 };
    let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
    let key = |name: &'static str| QueueKey {
        account: root.account,
        region: root.region.clone(),
        name: name.into(),
    };
    let told =
        |place: &mut Place, caller: &Caller, source: &'static str, target: Option<QueueKey>| -> Known {
            let question =
                Question::Move { caller: caller.clone(), source: key(source), target, origins: Vec::new() };
            match place.submit(Command::Ask(question)) {
                Reply::Known(known) => known,
                other => panic!("{other:?}"),
            }
        };
    let informed = |place: &mut Place, caller: &Caller, request: Request, known: Known| {
        let call = Call { caller: caller.clone(), endpoint: "http://h".into(), query: false, trace: None };
        let (command, _) = api::prepare(&call, request).unwrap();
        match place.submit(Command::Informed(command, known)) {
            Reply::Sqs(outcome) => outcome.map(drop),
            other => panic!("{other:?}"),
        }
    };
    here.create(&root, "dead", &[]);
    let redrive = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":1}}"#);
    let attributes = vec![("RedrivePolicy".into(), redrive.into())];
    let request = CreateQueueRequest { queue_name: "orders".into(), attributes, tags: Vec::new() };
    let known = told(&mut here, &root, "orders", Some(key("dead")));
    informed(&mut there, &root, Request::CreateQueue(request), known).unwrap();
    let actions = ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
    let mut needed: Vec<(&str, &str)> = actions.iter().map(|action| (*action, DEAD)).collect();
    let start = StartMessageMoveTaskRequest { source_arn: DEAD.into(), ..Default::default() };
    let ann = with(&needed);
    let known = told(&mut there, &ann, "dead", None);
    let outcome = informed(&mut here, &ann, Request::StartMessageMoveTask(start.clone()), known);
    let why = "because no identity-based policy allows the sqs:sendmessage action";
    assert_eq!(message(outcome), denied("sendmessage", ARN, why));
    needed.push(("SendMessage", ARN));
    let ann = with(&needed);
    let known = told(&mut there, &ann, "dead", None);
    assert_eq!(message(informed(&mut here, &ann, Request::StartMessageMoveTask(start), known)), "allowed");
}

/// What a shard is asked, beside the common: to receive once as an owner, and then once more, so that the message becomes a dead letter.
fn wear_out(place: &mut Place) {
    let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
    place.ask(&root, send()).unwrap();
    let receive = ReceiveMessageRequest {
        queue_url: URL.into(),
        visibility_timeout: Some(0),
        ..ReceiveMessageRequest::default()
    };
    for _ in 0..2 {
        place.ask(&root, Request::ReceiveMessage(receive.clone())).unwrap();
    }
}

fn change(place: &mut Place, name: &str, value: &str) {
    let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
    let attributes = vec![(name.into(), value.into())];
    let request = SetQueueAttributesRequest { queue_url: URL.into(), attributes };
    place.ask(&root, Request::SetQueueAttributes(request)).unwrap();
}

/// Who may everything that a move needs but send to the queue where it goes.
fn mover(and: &[(&'static str, &'static str)]) -> Caller {
    let actions = ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
    let mut all: Vec<(&str, &str)> = actions.iter().map(|action| (*action, DEAD)).collect();
    all.extend_from_slice(and);
    with(&all)
}

#[test]
fn a_move_back_needs_the_permission_also_for_queues_that_send_their_dead_letters_elsewhere_by_now() {
    let mut place = Place::new();
    let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
    let redrive = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":1}}"#);
    place.create(&root, "other", &[("RedrivePolicy", &redrive)]);
    wear_out(&mut place);
    change(&mut place, "RedrivePolicy", "");
    let start = || {
        let request = StartMessageMoveTaskRequest { source_arn: DEAD.into(), ..Default::default() };
        Request::StartMessageMoveTask(request)
    };
    let other = ("SendMessage", "arn:aws:sqs:us-east-1:111111111111:other");
    let why = "because no identity-based policy allows the sqs:sendmessage action";
    assert_eq!(message(place.ask(&mover(&[other]), start())), denied("sendmessage", ARN, why));
    assert_eq!(message(place.ask(&mover(&[other, ("SendMessage", ARN)]), start())), "allowed");
}

#[test]
fn the_policies_of_many_queues_are_asked_in_few_steps_together() {
    let agent = "a".repeat(500);
    let origin = Origin { user_agent: Some(agent.into()), ..Origin::default() };
    let ann = Caller { origin: Some(Arc::new(origin)), ..user(HOME, ALL) };
    // More than half of what one decision may take, and a thousandth.
    for (patterns, sources, is_allowed) in [(20, 2, true), (20, 12, false), (0, 100, true)] {
        let mut place = Place::new();
        let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
        let each: Vec<String> =
            (0..patterns).map(|at| format!("\"*?{}b{at:02}*\"", "a".repeat(56))).collect();
        let condition = format!(r#"{{"StringLike":{{"aws:UserAgent":["b",{}]}}}}"#, each.join(","));
        let condition = condition.replace(",]", "]");
        let policy = format!(
            r#"{{"Statement":{{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{condition}}}}}"#
        );
        let redrive = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":1}}"#);
        for number in 0..sources {
            let attributes = [("RedrivePolicy", &*redrive), ("Policy", &*policy)];
            place.create(&root, &format!("source{number}"), &attributes);
        }
        let request = StartMessageMoveTaskRequest { source_arn: DEAD.into(), ..Default::default() };
        let told = message(place.ask(&ann, Request::StartMessageMoveTask(request)));
        assert_eq!(told == "allowed", is_allowed, "{patterns} patterns, {sources} sources: {told}");
    }
}

#[test]
fn where_dead_letters_came_from_is_asked_before_the_shards_where_those_queues_are() {
    let mut place = Place::new();
    wear_out(&mut place);
    let key = |name: &'static str| QueueKey {
        account: HOME.parse().unwrap(),
        region: "us-east-1".into(),
        name: name.into(),
    };
    let origins = match place.submit(Command::Ask(Question::Origins { of: key("dead") })) {
        Reply::Sqs(Ok(command::Reply::Names { keys, more: false })) => keys,
        other => panic!("{other:?}"),
    };
    assert_eq!(origins, [key("orders")]);
    // In the other shard the queue sends its dead letters nowhere.
    let mut there = Place::new();
    change(&mut there, "RedrivePolicy", "");
    let mut ask = |caller: &Caller, origins: Vec<QueueKey>| {
        let question = Question::Move { caller: caller.clone(), source: key("dead"), target: None, origins };
        let Reply::Known(known) = there.submit(Command::Ask(question)) else { panic!("no answer") };
        let request = StartMessageMoveTaskRequest { source_arn: DEAD.into(), ..Default::default() };
        let request = Request::StartMessageMoveTask(request);
        let call = Call { caller: caller.clone(), endpoint: "http://h".into(), query: false, trace: None };
        let (command, _) = api::prepare(&call, request).unwrap();
        // Here nothing has come from anywhere: what the other says decides.
        let mut here = Place::new();
        let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
        here.ask(&root, Request::DeleteQueue(DeleteQueueRequest { queue_url: URL.into() })).unwrap();
        let redrive = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":1}}"#);
        here.create(&root, "source", &[("RedrivePolicy", &redrive)]);
        match here.submit(Command::Informed(command, known)) {
            Reply::Sqs(outcome) => message(outcome.map(drop)),
            other => panic!("{other:?}"),
        }
    };
    let source = ("SendMessage", "arn:aws:sqs:us-east-1:111111111111:source");
    let ann = mover(&[source]);
    let why = "because no identity-based policy allows the sqs:sendmessage action";
    assert_eq!(ask(&ann, origins.clone()), denied("sendmessage", ARN, why));
    assert_eq!(ask(&ann, Vec::new()), "allowed");
    assert_eq!(ask(&mover(&[source, ("SendMessage", ARN)]), origins), "allowed");
}

#[test]
fn receives_that_wait_are_answered_when_who_may_receive_changes() {
    let mut place = Place::new();
    let foreign = user(OTHER, ALL);
    let root = Caller::open(HOME.parse().unwrap(), "us-east-1".into());
    let open = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sqs:ReceiveMessage","Resource":"*"}}"#;
    let wait = |place: &mut Place| {
        let request = ReceiveMessageRequest {
            wait_time_seconds: Some(20),
            queue_url: URL.into(),
            ..Default::default()
        };
        let call = Call { caller: foreign.clone(), endpoint: "http://h".into(), query: false, trace: None };
        let (command, _) = api::prepare(&call, Request::ReceiveMessage(request)).unwrap();
        place.tokens += 1;
        let stamp = Stamp { now: Moment(1_795_262_400_000 + place.tokens), seed: place.tokens };
        place.shard.submit(stamp, Token(0), Command::Sqs(command));
        assert_eq!((place.shard.waiting(), place.shard.poll_reply().is_none()), (1, true));
    };
    let tags = |keys: &[&str]| {
        let tags = keys.iter().map(|key| (Text::from(*key), Text::from("x"))).collect();
        Request::TagQueue(TagQueueRequest { queue_url: URL.into(), tags })
    };
    let attributes = |pairs: &[(&str, &str)]| {
        let attributes = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Request::SetQueueAttributes(SetQueueAttributesRequest { queue_url: URL.into(), attributes })
    };
    let permission = AddPermissionRequest {
        queue_url: URL.into(),
        label: "l".into(),
        aws_account_ids: vec![OTHER.into()],
        actions: vec!["ReceiveMessage".into()],
    };
    let changes = [
        attributes(&[("Policy", "")]),
        Request::AddPermission(permission),
        Request::RemovePermission(RemovePermissionRequest { queue_url: URL.into(), label: "l".into() }),
        tags(&["team"]),
        Request::UntagQueue(UntagQueueRequest { queue_url: URL.into(), tag_keys: vec!["team".into()] }),
    ];
    for change in changes {
        place.ask(&root, attributes(&[("Policy", open)])).unwrap();
        if let Request::RemovePermission(_) = change {
            let permission = AddPermissionRequest {
                queue_url: URL.into(),
                label: "l".into(),
                aws_account_ids: vec![OTHER.into()],
                actions: vec!["ReceiveMessage".into()],
            };
            place.ask(&root, Request::AddPermission(permission)).unwrap();
        }
        wait(&mut place);
        let name = format!("{:?}", change.operation());
        let call = Call { caller: root.clone(), endpoint: "http://h".into(), query: false, trace: None };
        let (command, _) = api::prepare(&call, change).unwrap();
        place.tokens += 1;
        let stamp = Stamp { now: Moment(1_795_262_400_000 + place.tokens), seed: place.tokens };
        place.shard.submit(stamp, Token(place.tokens), Command::Sqs(command));
        while let Some(batch) = place.shard.poll_append() {
            place.shard.handle_durable(batch.start + batch.bytes.len() as u64);
        }
        let replies: Vec<_> = std::iter::from_fn(|| place.shard.poll_reply()).collect();
        let freed = replies.iter().any(|(token, reply)| {
            *token == Token(0)
                && matches!(reply, Reply::Sqs(Ok(command::Reply::Received(messages))) if messages.is_empty())
        });
        assert!(freed && place.shard.waiting() == 0, "{name}: {replies:?}");
    }
    // What changes nothing about it lets them wait.
    place.ask(&root, attributes(&[("Policy", open)])).unwrap();
    wait(&mut place);
    place.ask(&root, attributes(&[("DelaySeconds", "1")])).unwrap();
    assert_eq!(place.shard.waiting(), 1);
    assert!(matches!(place.submit(Command::Release), Reply::Sqs(Ok(command::Reply::Received(_)))));
    assert_eq!(place.shard.waiting(), 0);
}
