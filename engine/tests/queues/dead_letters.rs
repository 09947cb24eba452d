use super::script::check;

const POLICY: &str =
    r#"RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":2}"#;
const FIFO: &str = r#"RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq.fifo","maxReceiveCount":1}"#;

#[test]
fn the_receive_after_the_last_allowed_moves_the_message() {
    check(&format!(
        "create dlq
         create q {POLICY}
         send q a
         recv q vis=0 => a:1
         recv q vis=0 => a:2
         count dlq => 0/0/0
         recv q => -
         count q => 0/0/0
         count dlq => 1/0/0
         recv dlq => a:3<q
         delete q a@2
         count dlq => 0/1/0
         delete dlq a
         count dlq => 0/0/0"
    ));
}

#[test]
fn a_receive_hands_out_what_is_behind_the_dead_letters() {
    check(&format!(
        "create dlq
         create q {POLICY}
         sends q a 3
         recv q max=3 vis=0 => a0:1 a1:1 a2:1
         recv q max=3 vis=0 => a0:2 a1:2 a2:2
         send q b
         recv q max=10 => b:1
         count dlq => 3/0/0
         sources dlq => q"
    ));
}

#[test]
fn a_dead_letter_keeps_its_age_in_a_standard_queue() {
    check(&format!(
        "create dlq MessageRetentionPeriod=100
         create q MessageRetentionPeriod=1000 {POLICY}
         send q a
         +60
         recv q vis=0 => a:1
         recv q vis=0 => a:2
         recv q => -
         count dlq => 1/0/0
         +39
         count dlq => 1/0/0
         +1
         count dlq => 0/0/0"
    ));
}

#[test]
fn a_dead_letter_starts_afresh_in_a_fifo_queue_and_frees_its_group() {
    check(&format!(
        "create dlq.fifo FifoQueue=true MessageRetentionPeriod=100
         create f.fifo FifoQueue=true ContentBasedDeduplication=true {FIFO}
         send f.fifo a group=g
         send f.fifo b group=g
         +60
         recv f.fifo vis=0 => a:1
         recv f.fifo => b:1
         +60
         recv dlq.fifo => a:2<f.fifo"
    ));
}

#[test]
fn messages_stay_while_the_dead_letter_queue_is_gone() {
    check(&format!(
        "create dlq
         create q {POLICY}
         send q a
         recv q vis=0 => a:1
         recv q vis=0 => a:2
         drop dlq
         recv q vis=0 => a:3"
    ));
}

#[test]
fn a_queue_that_is_its_own_dead_letter_queue_does_not_hang() {
    check(
        r#"create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:q","maxReceiveCount":1}
         send q a
         recv q vis=0 => a:1
         recv q vis=0 => a:2<q
         count q => 1/0/0
         recv q wait=5 vis=60 => a:3<q
         recv q wait=5 => waits"#,
    );
}

#[test]
fn a_dead_letter_queue_must_exist_be_of_the_same_kind_and_allow_it() {
    check(&format!(
        r#"create q {POLICY} => InvalidParameterValueException
         create q
         create f.fifo FifoQueue=true
         create dlq RedriveAllowPolicy={{"redrivePermission":"denyAll"}}
         set q {POLICY} => InvalidParameterValueException
         set f.fifo {POLICY} => InvalidParameterValueException
         set dlq RedriveAllowPolicy={{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:q"]}}
         set q {POLICY}
         create other {POLICY} => InvalidParameterValueException"#
    ));
}

#[test]
fn a_dead_letter_survives_a_crash_in_one_queue_only() {
    check(&format!(
        "create dlq
         create q {POLICY}
         send q a
         recv q vis=0 => a:1
         recv q vis=0 => a:2
         recv q => -
         crash
         count q => 0/0/0
         recv dlq => a:3<q"
    ));
}

#[test]
fn a_receive_for_no_time_holds_each_message_once_also_beside_dead_letters() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":3}"#;
    check(&format!(
        "create dlq
         create q RedrivePolicy={policy}
         send q dead
         send q first
         recv q vis=0 => dead:1
         recv q vis=0 => dead:2
         +1
         recv q vis=0 => dead:3
         send q last
         recv q max=10 vis=0 => first:1 last:1
         count dlq => 1/0/0
         count q => 2/0/0"
    ));
}

#[test]
fn dead_letters_of_queues_that_are_each_others_do_not_go_round_and_round() {
    let policy = |queue: &str| {
        format!(
            r#"RedrivePolicy={{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{queue}","maxReceiveCount":1}}"#
        )
    };
    check(&format!(
        "create a
         create b {}
         set a {}
         send a m
         recv a vis=0 => m:1
         recv a wait=20 => waits
         recv b vis=0 => m:2<a
         recv b wait=20 => waits; woke m:3<b
         send a n
         recv a => n:1",
        policy("a"),
        policy("b")
    ));
}

#[test]
fn a_redrive_policy_counts_receives_from_its_own_queue() {
    let policy = |queue: &str| {
        format!(
            r#"RedrivePolicy={{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{queue}","maxReceiveCount":1}}"#
        )
    };
    check(&format!(
        "create c
         create b {}
         create a {}
         send a m
         recv a vis=0 => m:1
         recv a => -
         crash
         recv b vis=0 => m:2<a
         compact
         crash
         recv b => -
         recv c => m:3<b",
        policy("c"),
        policy("b")
    ));
}
