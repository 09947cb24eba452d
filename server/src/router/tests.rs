use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use bytes::Bytes;
use kew_engine::identity::Account;
use kew_wire::Text;
use kew_wire::fault::common;

use super::*;
use crate::mailbox::{Call, Mailbox, mailbox};

/// A router to two shards, which are the test's to play.
fn router() -> (Router, [Mailbox; 2]) {
    let ((one, first), (two, second)) = (mailbox(), mailbox());
    let shards = Shards::new(vec![Seat::Open(one), Seat::Open(two)], 7, HashMap::new());
    (Router::new(Arc::new(shards), 2, HashMap::new()), [first, second])
}

/// StartMessageMoveTask of a queue of this name.
fn start(name: Text) -> Command {
    let caller = Caller::open(Account::DEFAULT, "us-east-1".into());
    let key = QueueKey { account: Account::DEFAULT, region: "us-east-1".into(), name };
    let action = QueueAction::StartMove { destination: None, per_second: None };
    Command::Sqs(sqs::Command { caller, action: Action::Queue { key, name: "StartMessageMoveTask", action } })
}

fn begin(asked: &mut std::pin::Pin<&mut impl Future<Output = Result<Answer, Refusal>>>) -> bool {
    asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// What either shard is asked next.
async fn asked([one, two]: &mut [Mailbox; 2]) -> Call {
    tokio::select! {
        call = one.calls.recv() => call,
        call = two.calls.recv() => call,
    }
    .expect("a question")
}

fn reply(call: Call, reply: Result<SqsReply, Fault>) {
    call.answer.send(Ok(Answer { reply: Reply::Sqs(reply), payloads: Vec::new() })).expect("somebody waits");
}

fn is_find(call: &Call) -> bool {
    matches!(
        &call.command,
        Command::Sqs(sqs::Command {
            action: Action::Queue { action: QueueAction::Find, name: "StartMessageMoveTask", .. },
            ..
        })
    )
}

#[tokio::test]
async fn what_goes_on_without_its_caller_holds_nothing_of_the_request_and_is_not_too_much_at_once() {
    let (router, mailboxes) = router();
    let body = Bytes::from(vec![b'q'; 4096]);
    for _ in 0..limits::SEVERAL {
        let name = Text::try_from(body.slice(..4)).expect("UTF-8");
        assert!(!begin(&mut pin!(router.ask(start(name)))), "it waits");
    }
    assert!(body.is_unique(), "the body's room was given back");
    let refused = router.ask(start("more".into())).await.expect_err("refused");
    assert_eq!(refused, Refusal::Busy);
    drop(mailboxes);
}

#[tokio::test]
async fn whom_the_queue_refuses_does_not_wait_for_move_tasks_that_start() {
    let (router, mut mailboxes) = router();
    let mut first = pin!(router.ask(start("first".into())));
    assert!(!begin(&mut first));
    let call = asked(&mut mailboxes).await;
    assert!(is_find(&call), "{:?}", call.command);
    reply(call, Ok(SqsReply::Done));
    let origins = asked(&mut mailboxes).await;
    assert!(matches!(origins.command, Command::Ask(Question::Origins { .. })), "{:?}", origins.command);
    // The first one starts, and has not done so yet.
    let mut second = pin!(router.ask(start("second".into())));
    assert!(!begin(&mut second));
    let call = asked(&mut mailboxes).await;
    assert!(is_find(&call), "{:?}", call.command);
    let refusal = Fault::new(&common::ACCESS_DENIED, "no");
    reply(call, Err(refusal.clone()));
    let answer = second.await.expect("an answer");
    assert!(matches!(answer.reply, Reply::Sqs(Err(refused)) if refused == refusal));
    assert!(!begin(&mut first), "nobody has answered it");
    drop(origins);
}

#[tokio::test]
async fn a_shard_that_stops_for_damage_concerns_its_own_queues_alone() {
    let (router, [first, mut second]) = router();
    let caller = Caller::open(Account::DEFAULT, "us-east-1".into());
    first.tell_damaged();
    let mut seen = [0, 0];
    for number in 0..20 {
        let name = Text::from(format!("q{number}"));
        let key = QueueKey { account: Account::DEFAULT, region: "us-east-1".into(), name };
        // Nobody found them at the start: they were made since, or are not there.
        let mut asked = pin!(router.ask(find(&caller, &key, "GetQueueUrl")));
        let shard = key.placement(2);
        seen[shard as usize] += 1;
        if shard == 0 {
            assert_eq!(asked.await.expect_err("it cannot be known"), Refusal::Damaged);
        } else {
            assert!(!begin(&mut asked));
            assert!(second.calls.try_recv().is_ok(), "the other one is asked");
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    assert_eq!(router.damaged().collect::<Vec<_>>(), [0]);
    assert!(router.hold().await.is_none(), "no backup is made of it");
    second.tell_damaged();
    assert_eq!(router.shards().count(), 0);
    let cancel = Command::Sqs(sqs::Command { caller, action: Action::CancelMove { handle: "x".into() } });
    assert_eq!(router.ask(cancel).await.expect_err("nobody is left"), Refusal::Damaged);
}
