use super::script::check;

#[test]
fn a_waiting_receive_is_woken_by_arrival() {
    check(
        "create q
         recv q wait=20 => waits
         +5
         send q a => ok; woke a:1
         count q => 0/1/0",
    );
}

#[test]
fn a_waiting_receive_ends_with_nothing_when_its_time_is_up() {
    check(
        "create q ReceiveMessageWaitTimeSeconds=5
         recv q => waits
         +4.9
         +0.1 => woke -
         recv q wait=0 => -",
    );
}

#[test]
fn those_who_wait_longest_are_served_first() {
    check(
        "create q
         recv q wait=20 => waits
         recv q wait=10 => waits
         send q a => ok; woke a:1
         +10 => woke -",
    );
}

#[test]
fn a_waiting_receive_is_woken_by_a_lease_or_delay_that_ends() {
    check(
        "create q
         send q a
         send q b delay=15
         recv q vis=10 => a:1
         recv q wait=20 => waits
         recv q wait=20 => waits
         +10 => woke a:2
         +5 => woke b:1",
    );
}

#[test]
fn a_waiting_receive_is_woken_when_its_group_is_freed() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo a 2 group=g
         recv f.fifo => a0:1
         recv f.fifo wait=20 => waits
         delete f.fifo a0 => ok; woke a1:1",
    );
}

#[test]
fn a_caller_that_hung_up_swallows_nothing() {
    check(
        "create q
         recv q wait=20 => waits
         hangup
         send q a
         count q => 1/0/0
         recv q => a:1",
    );
}

#[test]
fn a_receive_that_did_not_reach_its_caller_is_undone() {
    check(
        "create q
         sends q a 3
         lost q max=2
         count q => 3/0/0
         recv q max=10 => a0:1 a1:1 a2:1
         create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends f.fifo b 3 group=g
         lost f.fifo max=2
         recv f.fifo max=10 => b0:1 b1:1 b2:1",
    );
}

#[test]
fn deleting_the_queue_answers_those_who_wait() {
    check(
        "create q
         recv q wait=20 => waits
         drop q => ok; woke QueueDoesNotExist",
    );
}

#[test]
fn those_who_wait_with_the_same_attempt_get_the_same_answer() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         recv f.fifo wait=20 attempt=x => waits
         recv f.fifo wait=20 => waits
         recv f.fifo wait=10 attempt=x => waits
         send f.fifo a group=g => ok; woke a:1; woke a:1
         +20 => woke -",
    );
}

#[test]
fn a_repeated_attempt_that_holds_nothing_back_leaves_the_message_to_the_next() {
    check(
        "create f.fifo FifoQueue=true VisibilityTimeout=1
         send f.fifo a group=g dedup=d
         recv f.fifo max=2 vis=2 => a:1
         recv f.fifo max=2 vis=1 wait=9 attempt=x => waits
         recv f.fifo max=1 wait=2 => waits
         recv f.fifo max=1 vis=0 wait=12 attempt=x => waits
         +2 => woke a:2; woke a:2; woke a:3",
    );
}
