use super::script::check;

const SETUP: &str = r#"create dlq
    create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":1}
    create other
    sends q m 5
    recv q max=10 vis=0 => m0:1 m1:1 m2:1 m3:1 m4:1
    recv q => -
    count dlq => 5/0/0
    "#;

#[test]
fn messages_go_back_to_where_they_came_from_as_new_ones() {
    check(&format!(
        "{SETUP}
         move dlq
         +0.01
         moves dlq => Completed 5/5
         count dlq => 0/0/0
         recv q max=10 => m0:1 m1:1 m2:1 m3:1 m4:1"
    ));
}

#[test]
fn messages_go_to_a_named_queue() {
    check(&format!(
        "{SETUP}
         move dlq to=other
         +0.01
         count other => 5/0/0
         count q => 0/0/0"
    ));
}

#[test]
fn a_rate_is_kept_and_a_task_can_be_cancelled() {
    check(&format!(
        "{SETUP}
         move dlq rate=1
         +0
         moves dlq => Running 1/5
         move dlq => InvalidParameterValueException
         +0.9
         moves dlq => Running 1/5
         +0.1
         moves dlq => Running 2/5
         cancel dlq
         +10
         moves dlq => Cancelled 2/5
         cancel dlq => ResourceNotFoundException
         count dlq => 3/0/0"
    ));
}

#[test]
fn a_task_goes_on_after_a_crash() {
    check(&format!(
        "{SETUP}
         move dlq rate=1
         +1
         moves dlq => Running 2/5
         crash
         +10
         moves dlq => Completed 5/5"
    ));
}

#[test]
fn a_task_whose_destination_vanished_fails() {
    check(&format!(
        "{SETUP}
         move dlq to=other rate=1
         +0
         drop other
         +1
         moves dlq => Failed 1/5 AWS.SimpleQueueService.NonExistentQueue"
    ));
}

#[test]
fn a_message_without_a_source_needs_a_destination() {
    check(&format!(
        "{SETUP}
         purge dlq
         send dlq stray
         move dlq
         +0
         moves dlq => Failed 0/1 CouldNotDetermineMessageSource
         move dlq to=other
         +0
         count other => 1/0/0"
    ));
}

#[test]
fn only_dead_letter_queues_can_be_moved_from() {
    check(&format!(
        "{SETUP}
         move other => InvalidParameterValueException
         move none => ResourceNotFoundException
         move dlq to=none => ResourceNotFoundException
         move dlq to=dlq => InvalidParameterValueException"
    ));
}

#[test]
fn steps_that_are_late_are_made_up_for() {
    check(&format!(
        "{SETUP}
         move dlq rate=2
         late 1
         moves dlq => Running 2/5
         late 1
         moves dlq => Running 4/5"
    ));
}

#[test]
fn a_task_waits_for_what_is_blocked_by_a_message_in_flight() {
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq.fifo","maxReceiveCount":1}"#;
    check(&format!(
        "create dlq.fifo FifoQueue=true ContentBasedDeduplication=true
         create f.fifo FifoQueue=true RedrivePolicy={policy}
         create other.fifo FifoQueue=true
         sends dlq.fifo a 3 group=g
         send dlq.fifo b group=h
         recv dlq.fifo vis=10 => a0:1
         move dlq.fifo to=other.fifo
         +1
         moves dlq.fifo => Running 1/3
         +10
         moves dlq.fifo => Completed 3/3
         count dlq.fifo => 1/0/0"
    ));
}

#[test]
fn a_task_moves_into_another_accounts_queue_only_if_its_policy_lets_it_send() {
    let policy = r#"Policy={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}]}"#;
    check(&format!(
        "{SETUP}
         create 222222222222/theirs
         move dlq to=222222222222/theirs => AccessDeniedException
         set 222222222222/theirs {policy} => AccessDeniedException
         create 222222222222/open {policy}
         move dlq to=222222222222/open
         +0.01
         moves dlq => Completed 5/5"
    ));
}

#[test]
fn another_account_cannot_cancel_a_task_even_with_its_handle() {
    check(&format!(
        "{SETUP}
         move dlq rate=1
         as 222222222222
         cancel dlq => AccessDeniedException
         as 000000000000
         cancel dlq"
    ));
}
