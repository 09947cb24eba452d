use super::script::check;

#[test]
fn a_backlog_that_went_cold_is_received_in_order() {
    check(
        "window 2
         create q
         sends q m 6
         cool
         count q => 6/0/0
         sends q n 2
         recv q max=10 => m0:1 m1:1
         recv q max=10 => m2:1 m3:1 m4:1 m5:1 n0:1 n1:1
         count q => 0/8/0
         delete q m0 m1 m2 m3 m4 m5 => ok ok ok ok ok ok
         recv q => -",
    );
}

#[test]
fn a_cold_backlog_survives_a_crash_at_every_stage() {
    check(
        "window 2
         create q
         sends q m 8
         crash
         cool
         crash
         count q => 8/0/0
         recv q max=10 vis=10 => m0:1 m1:1
         crash
         recv q max=3 => m2:1 m3:1 m4:1
         compact
         crash
         count q => 3/5/0
         delete q m3
         +10
         recv q max=10 => m0:2 m1:2 m5:1 m6:1 m7:1
         crash
         count q => 0/7/0",
    );
}

#[test]
fn another_window_means_nothing_for_what_was_written() {
    for window in [1, 4, 100] {
        check(&format!(
            "window 2
             create q
             create f.fifo
             sends q m 6
             sends f.fifo n 6 group=a
             cool
             recv q => m0:1
             rewindow {window}
             crash
             count q => 5/1/0
             count f.fifo => 6/0/0
             compact
             rewindow 2
             crash
             recv q => m1:1
             recv f.fifo max=2 => n0:1 n1:1
             count q => 4/2/0
             count f.fifo => 4/2/0",
        ));
    }
}

#[test]
fn a_purge_or_a_deletion_drops_cold_files() {
    check(
        "window 2
         create q
         sends q m 6
         cool
         purge q
         count q => 0/0/0
         sends q n 6
         cool
         recv q max=10 => n0:1 n1:1
         drop q
         +61
         create q
         recv q => -",
    );
}

#[test]
fn cold_messages_expire_on_time() {
    check(
        "window 1
         create q MessageRetentionPeriod=60
         sends q a 3
         cool
         +30
         sends q b 3
         cool
         sends q c 3
         count q => 9/0/0
         +30
         count q => 6/0/0
         +29
         count q => 6/0/0
         +1
         count q => 0/0/0
         recv q => -",
    );
}

#[test]
fn a_fifo_queue_sees_groups_only_in_its_window_also_when_the_rest_is_cold() {
    check(
        "window 2
         create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 3 group=g
         send f.fifo b group=h
         cool
         recv f.fifo => a0:1
         recv f.fifo => -
         delete f.fifo a0
         recv f.fifo => a1:1
         delete f.fifo a1
         recv f.fifo max=10 => a2:1 b:1
         send f.fifo a0 group=g dedup=a0 => dup",
    );
}

#[test]
fn dead_letters_leave_cold_files_and_keep_what_they_need_of_them() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":1}"#;
    check(&format!(
        "window 2
         create dlq
         create q RedrivePolicy={policy}
         sends q m 6
         cool
         recv q max=2 vis=0 => m0:1 m1:1
         recv q max=10 vis=0 => m2:1 m3:1 m4:1 m5:1
         recv q => -
         count q => 0/0/0
         count dlq => 6/0/0
         drop q
         crash
         cool
         recv dlq max=10 => m0:2<q m1:2<q m2:2<q m3:2<q m4:2<q m5:2<q"
    ));
}

#[test]
fn a_move_task_takes_from_cold_files_as_well() {
    check(
        r#"window 2
         create dlq
         create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":1}
         create other
         sends dlq m 6
         cool
         move dlq to=other
         +0.1
         moves dlq => Completed 6/6
         count other => 6/0/0"#,
    );
}

#[test]
fn those_who_wait_are_served_from_cold_files() {
    check(
        "window 1
         create q
         sends q m 3
         cool
         recv q wait=20 => m0:1
         recv q wait=20 => m1:1
         recv q wait=20 => m2:1
         recv q wait=20 => waits",
    );
}

#[test]
fn messages_that_come_back_again_and_again_do_not_keep_others_in_cold_files() {
    check(
        "window 2
         create q
         sends q m 6
         cool
         +1
         recv q max=2 vis=0 => m0:1 m1:1
         recv q max=2 vis=0 => m0:2 m1:2
         recv q max=2 vis=0 => m0:3 m1:3
         # Now they go behind all others, wherever those lie.
         recv q max=2 vis=0 => m2:1 m3:1
         recv q max=10 vis=0 => m2:2 m3:2 m4:1 m5:1 m0:4 m1:4",
    );
}

#[test]
fn dead_letters_out_of_order_go_cold_as_well_and_expire() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":1}"#;
    check(&format!(
        "window 1
         create dlq MessageRetentionPeriod=60
         create q VisibilityTimeout=5 RedrivePolicy={policy}
         sends q a 2
         +10
         sends q b 3
         recv q max=10 => a0:1 a1:1 b0:1 b1:1 b2:1
         vis q b0 0
         recv q => -
         vis q b1 0
         recv q => -
         +5
         recv q => -
         count dlq => 5/0/0
         cool
         count dlq => 5/0/0
         # The older ones behind the younger are noticed when their turn comes; nobody receives them.
         +46
         recv dlq => b0:2<q
         recv dlq => b1:2<q
         recv dlq => b2:2<q
         recv dlq => -
         count dlq => 0/3/0"
    ));
}

#[test]
fn expired_messages_among_others_do_not_bring_a_long_backlog_into_memory() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":1}"#;
    let dead_letter = |number| format!("vis q a{number} 0\nrecv q => -\nvis q b{number} 0\nrecv q => -\n");
    let dead_letters: String = (0..6).map(dead_letter).collect();
    check(&format!(
        "window 1
         pieces 2
         create dlq MessageRetentionPeriod=60
         create q VisibilityTimeout=30 RedrivePolicy={policy}
         sends q a 6
         +10
         sends q b 6
         recv q max=10 => a0:1 a1:1 a2:1 a3:1 a4:1 a5:1 b0:1 b1:1 b2:1 b3:1
         recv q max=10 => b4:1 b5:1
         {dead_letters}
         cool
         count dlq => 12/0/0
         # Each piece holds one that has expired.
         +50
         near dlq => 2
         recv dlq max=2 => b0:2<q b1:2<q
         recv dlq max=2 => b2:2<q b3:2<q
         recv dlq max=2 => b4:2<q
         recv dlq max=2 => b5:2<q
         recv dlq => -"
    ));
}

#[test]
fn a_cold_backlog_keeps_fifo_order_and_groups_apart() {
    check(
        "window 2
         create f.fifo FifoQueue=true VisibilityTimeout=30
         sends f.fifo a 3 group=g
         sends f.fifo b 3 group=h
         cool
         crash
         recv f.fifo max=2 => a0:1 a1:1
         recv f.fifo max=2 => -
         delete f.fifo a0 a1 => ok ok
         recv f.fifo max=1 => a2:1
         compact
         recv f.fifo max=1 => b0:1
         recv f.fifo => -
         +30
         recv f.fifo max=10 => a2:2 b0:2 b1:1 b2:1",
    );
}

#[test]
fn what_happens_while_a_cold_file_is_written_counts_more_than_what_it_holds() {
    check(
        "window 2
         create q
         sends q m 7
         cool-begin
         recv q max=10 => m0:1 m1:1 m2:1 m3:1 m4:1 m5:1 m6:1
         cool-end
         crash
         recv q => -
         count q => 0/7/0
         sends q n 7
         cool-begin
         recv q max=3 => n0:1 n1:1 n2:1
         cool-end
         crash
         recv q max=10 => n3:1
         recv q max=10 => n4:1 n5:1 n6:1
         sends q o 5
         cool-begin
         purge q
         cool-end
         crash
         recv q => -",
    );
}

#[test]
fn an_expired_message_is_not_received_though_it_waits_behind_a_younger_one() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":1}"#;
    check(&format!(
        "window 2
         create dlq MessageRetentionPeriod=60
         create q VisibilityTimeout=40 RedrivePolicy={policy}
         send q a
         +10
         sends q b 3
         recv q max=10 => a:1 b0:1 b1:1 b2:1
         vis q b0 0
         vis q b1 0
         vis q b2 0
         recv q => -
         vis q a 0
         recv q => -
         count dlq => 4/0/0
         +50
         recv dlq max=10 => b0:2<q b1:2<q b2:2<q"
    ));
}

#[test]
fn a_cold_file_that_expired_is_not_missed_when_the_clock_was_late_after_a_crash() {
    check(
        "window 1
         create q MessageRetentionPeriod=60
         sends q m 3
         cool
         +61
         count q => 0/0/0
         crash 30
         recv q max=10 => -
         count q => 0/0/0",
    );
}

#[test]
fn receives_wait_for_what_is_on_its_way_from_a_cold_file_and_nobody_is_kept_awake() {
    check(
        "window 1
         create q
         sends q m 3
         cool
         stall
         recv q => m0:1
         recv q => waits
         recv q wait=1 => waits
         +5
         flow => woke m1:1; woke m2:1
         recv q => -",
    );
}

#[test]
fn what_is_delayed_keeps_its_delay_when_the_journal_is_cut() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true DelaySeconds=10
         send f.fifo a group=g dedup=a
         compact
         count f.fifo => 0/0/1
         recv f.fifo => -
         crash
         +9
         recv f.fifo => -
         +1
         count f.fifo => 1/0/0
         recv f.fifo => a:1",
    );
}

#[test]
fn what_is_delayed_while_it_is_written_to_a_cold_file_stays_delayed() {
    check(
        "window 1
         create f.fifo FifoQueue=true
         sends f.fifo a 3 group=g
         cool-begin
         set f.fifo DelaySeconds=10
         cool-end
         count f.fifo => 1/0/2
         crash
         count f.fifo => 1/0/2
         recv f.fifo => a0:1
         delete f.fifo a0
         recv f.fifo => -
         +10
         count f.fifo => 2/0/0
         recv f.fifo => a1:1",
    );
}

#[test]
fn a_repeated_receive_attempt_that_waits_for_a_cold_file_gets_the_same_answer() {
    check(
        "window 1
         create f.fifo FifoQueue=true
         sends f.fifo a 2 group=g
         cool
         recv f.fifo => a0:1
         stall
         delete f.fifo a0
         recv f.fifo attempt=one => waits
         recv f.fifo => waits
         recv f.fifo attempt=one => waits
         flow => woke a1:1; woke a1:1; woke -",
    );
}
