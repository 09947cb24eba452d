use super::script::check;

#[test]
fn a_group_is_received_in_order_and_locked_while_a_message_is_in_flight() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 3 group=g
         recv f.fifo => a0:1
         recv f.fifo => -
         count f.fifo => 2/1/0
         delete f.fifo a0
         recv f.fifo max=10 => a1:1 a2:1",
    );
}

#[test]
fn one_receive_takes_as_many_as_it_can_of_one_group_before_others() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo g1m1 group=g1
         send f.fifo g2m1 group=g2
         send f.fifo g1m2 group=g1
         send f.fifo g1m3 group=g1
         recv f.fifo max=10 => g1m1:1 g1m2:1 g1m3:1 g2m1:1",
    );
}

#[test]
fn an_expired_lease_gives_the_message_back_in_its_place() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 3 group=g
         recv f.fifo max=2 vis=10 => a0:1 a1:1
         +10
         recv f.fifo max=10 => a0:2 a1:2 a2:1",
    );
}

#[test]
fn a_message_in_flight_blocks_only_what_is_behind_it() {
    for (extended, then) in [("a0", "-"), ("a1", "a0:2"), ("a2", "a0:2 a1:2")] {
        check(&format!(
            "create f.fifo FifoQueue=true ContentBasedDeduplication=true
             sends f.fifo a 4 group=g
             recv f.fifo max=3 vis=10 => a0:1 a1:1 a2:1
             vis f.fifo {extended} 100
             +10
             recv f.fifo max=10 => {then}"
        ));
    }
}

#[test]
fn deleting_a_middle_message_keeps_the_order_of_the_rest() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 4 group=g
         recv f.fifo max=3 vis=10 => a0:1 a1:1 a2:1
         delete f.fifo a1
         recv f.fifo => -
         +10
         recv f.fifo max=10 => a0:2 a2:2 a3:1",
    );
}

#[test]
fn a_partly_deleted_group_stays_locked() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 3 group=g
         recv f.fifo max=2 => a0:1 a1:1
         delete f.fifo a0
         recv f.fifo => -
         delete f.fifo a1
         recv f.fifo => a2:1",
    );
}

#[test]
fn a_message_given_back_comes_again_and_other_groups_before_it() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo g1m1 group=g1
         send f.fifo g1m2 group=g1
         send f.fifo g2m1 group=g2
         recv f.fifo max=2 => g1m1:1 g1m2:1
         vis f.fifo g1m1 0
         recv f.fifo => g2m1:1
         recv f.fifo => g1m1:2",
    );
}

#[test]
fn groups_come_in_the_order_of_their_first_messages() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo a1 group=g1
         +1
         send f.fifo b1 group=g2
         +1
         send f.fifo a2 group=g1
         +1
         send f.fifo b2 group=g2
         +1
         send f.fifo a3 group=g1
         +1
         send f.fifo a4 group=g1
         +1
         send f.fifo c1 group=g3
         recv f.fifo max=2 => a1:1 a2:1
         delete f.fifo a1 a2 => ok ok
         recv f.fifo max=10 => b1:1 b2:1 a3:1 a4:1 c1:1",
    );
}

#[test]
fn groups_take_turns() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo a1 group=g1
         send f.fifo a2 group=g1
         send f.fifo b1 group=g2
         send f.fifo b2 group=g2
         send f.fifo c1 group=g3
         recv f.fifo max=3 vis=0 => a1:1 a2:1 b1:1
         recv f.fifo max=10 vis=0 => c1:1 a1:2 a2:2 b1:2 b2:1",
    );
}

#[test]
fn a_handle_whose_timeout_has_passed_is_refused() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo a group=g
         recv f.fifo vis=1 => a:1
         +1
         delete f.fifo a => InvalidParameterValueException
         vis f.fifo a 10 => MessageNotInflight
         recv f.fifo => a:2
         delete f.fifo a@1 => InvalidParameterValueException
         delete f.fifo a@2
         delete f.fifo a@2",
    );
}

#[test]
fn a_lease_extended_before_its_end_still_deletes() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo a group=g
         recv f.fifo vis=2 => a:1
         +1
         vis f.fifo a 10
         +5
         delete f.fifo a
         count f.fifo => 0/0/0",
    );
}

#[test]
fn a_duplicate_within_five_minutes_answers_the_original_even_after_its_deletion() {
    check(
        "create f.fifo FifoQueue=true
         send f.fifo a group=g dedup=1
         send f.fifo b group=g dedup=1 => dup
         recv f.fifo max=10 => a:1
         delete f.fifo a
         +200
         send f.fifo c group=g dedup=1 => dup
         crash
         +99
         send f.fifo d group=g dedup=1 => dup
         +1
         send f.fifo e group=g dedup=1
         recv f.fifo max=10 => e:1",
    );
}

#[test]
fn without_content_based_deduplication_an_id_is_needed() {
    check(
        "create f.fifo FifoQueue=true
         send f.fifo a group=g => InvalidParameterValueException
         set f.fifo ContentBasedDeduplication=true
         send f.fifo a group=g
         send f.fifo a group=g => dup
         send f.fifo a group=h => dup
         send f.fifo a group=g dedup=x",
    );
}

#[test]
fn the_scope_of_deduplication_is_what_creation_said() {
    check(
        "create f.fifo FifoQueue=true DeduplicationScope=messageGroup
         send f.fifo a group=g dedup=1
         send f.fifo b group=h dedup=1
         send f.fifo c group=g dedup=1 => dup
         set f.fifo DeduplicationScope=queue
         send f.fifo d group=i dedup=1",
    );
}

#[test]
fn a_purge_forgets_what_was_sent() {
    check(
        "create f.fifo FifoQueue=true
         send f.fifo a group=g dedup=1
         purge f.fifo
         send f.fifo a group=g dedup=1
         recv f.fifo => a:1",
    );
}

#[test]
fn the_same_receive_attempt_gets_the_same_messages() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 3 group=g
         recv f.fifo max=2 attempt=x vis=30 => a0:1 a1:1
         +20
         recv f.fifo max=2 attempt=x vis=30 => a0:1 a1:1
         recv f.fifo max=2 attempt=y => -
         +20
         recv f.fifo max=2 attempt=x vis=30 => a0:1 a1:1
         delete f.fifo a0 a1 => ok ok
         recv f.fifo max=2 attempt=x => a2:1",
    );
}

#[test]
fn a_receive_attempt_is_void_once_a_message_was_changed() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 2 group=g
         recv f.fifo max=2 attempt=x => a0:1 a1:1
         vis f.fifo a1 100
         recv f.fifo max=2 attempt=x => -",
    );
}

#[test]
fn a_receive_attempt_survives_a_crash() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 2 group=g
         recv f.fifo max=2 attempt=x => a0:1 a1:1
         crash
         recv f.fifo max=2 attempt=x => a0:1 a1:1",
    );
}

#[test]
fn the_queues_delay_holds_messages_back_and_changes_for_those_that_wait() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true DelaySeconds=10
         send f.fifo a group=g
         recv f.fifo => -
         count f.fifo => 0/0/1
         +10
         count f.fifo => 1/0/0
         send f.fifo b group=g
         send f.fifo c group=h
         recv f.fifo max=10 => a:1
         set f.fifo DelaySeconds=0
         recv f.fifo max=10 => c:1
         delete f.fifo a
         recv f.fifo max=10 => b:1",
    );
}

#[test]
fn retention_frees_the_next_of_a_group() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true MessageRetentionPeriod=60 VisibilityTimeout=600
         send f.fifo a group=g
         recv f.fifo => a:1
         +30
         send f.fifo b group=g
         recv f.fifo => -
         +30
         recv f.fifo => b:1",
    );
}

#[test]
fn groups_behind_the_first_hundred_and_twenty_thousand_messages_are_not_seen() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo m 120000 group=g
         send f.fifo behind group=h
         recv f.fifo => m0:1
         recv f.fifo => -
         count f.fifo => 120000/1/0
         delete f.fifo m0
         recv f.fifo => m1:1
         recv f.fifo => behind:1",
    );
}

#[test]
fn so_many_receive_attempts_are_remembered_and_then_those_with_an_id_are_slowed_down() {
    check(
        "room 2
         create f.fifo FifoQueue=true ContentBasedDeduplication=true VisibilityTimeout=600
         send f.fifo a group=g
         send f.fifo b group=h
         +300
         send f.fifo c group=i
         recv f.fifo attempt=x => a:1
         recv f.fifo attempt=y => b:1
         recv f.fifo attempt=z => ThrottlingException
         recv f.fifo attempt=x => a:1
         crash
         recv f.fifo attempt=z => ThrottlingException
         recv f.fifo => c:1
         send f.fifo d group=k
         +299.999
         recv f.fifo attempt=z => ThrottlingException
         +0.001
         recv f.fifo attempt=z => d:1",
    );
}

#[test]
fn a_receive_attempt_that_moved_dead_letters_is_remembered_whole() {
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq.fifo","maxReceiveCount":1}"#;
    check(&format!(
        "create dlq.fifo FifoQueue=true
         create f.fifo FifoQueue=true ContentBasedDeduplication=true RedrivePolicy={policy}
         send f.fifo a group=g
         send f.fifo b group=h
         recv f.fifo vis=0 => a:1
         send f.fifo c group=g
         recv f.fifo max=10 attempt=x => b:1 c:1
         recv f.fifo max=10 attempt=x => b:1 c:1"
    ));
}

#[test]
fn a_repeated_answer_that_is_lost_leaves_the_first_receiver_its_lease() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 2 group=g
         recv f.fifo attempt=x => a0:1
         lost f.fifo attempt=x
         recv f.fifo => -
         delete f.fifo a0
         recv f.fifo => a1:1",
    );
}

#[test]
fn a_first_answer_that_is_lost_leaves_the_repeated_one_its_lease() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo a group=g
         late-loss f.fifo attempt=x => a:1
         recv f.fifo => -
         delete f.fifo a
         count f.fifo => 0/0/0",
    );
}

#[test]
fn an_attempt_whose_answer_was_lost_gets_nothing_that_somebody_else_was_given_since() {
    for then in ["", "crash", "compact"] {
        check(&format!(
            "create f.fifo FifoQueue=true ContentBasedDeduplication=true
             send f.fifo a group=g
             send f.fifo b group=h
             lost f.fifo attempt=x
             recv f.fifo attempt=y => a:1
             {then}
             recv f.fifo attempt=x => b:1
             recv f.fifo attempt=y => a:1
             recv f.fifo attempt=x => b:1"
        ));
    }
}

#[test]
fn attempts_that_leave_nothing_in_flight_take_no_room() {
    check(
        "room 1
         create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo a group=g
         recv f.fifo vis=0 attempt=w => a:1
         recv f.fifo vis=0 attempt=w => a:2
         recv f.fifo attempt=x => a:3
         recv f.fifo attempt=y => ThrottlingException
         recv f.fifo attempt=x => a:3",
    );
}

#[test]
fn so_many_sent_messages_are_remembered_and_then_senders_are_slowed_down() {
    check(
        "room 2
         create f.fifo FifoQueue=true
         send f.fifo a group=g dedup=a => ok
         send f.fifo b group=g dedup=b => ok
         send f.fifo c group=g dedup=c => ThrottlingException
         crash
         send f.fifo c group=g dedup=c => ThrottlingException
         +300
         send f.fifo c group=g dedup=c => ok",
    );
}
