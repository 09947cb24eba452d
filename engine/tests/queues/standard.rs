use super::script::check;

#[test]
fn a_message_is_received_again_after_its_visibility_timeout() {
    check(
        "create q
         send q a
         recv q => a:1
         recv q => -
         count q => 0/1/0
         +29.9
         recv q => -
         +0.1
         recv q => a:2
         delete q a
         count q => 0/0/0
         +60
         recv q => -",
    );
}

#[test]
fn messages_come_in_order_of_arrival_and_ten_at_most_as_asked() {
    check(
        "create q
         sends q m 12
         recv q max=10 => m0:1 m1:1 m2:1 m3:1 m4:1 m5:1 m6:1 m7:1 m8:1 m9:1
         recv q max=10 => m10:1 m11:1",
    );
}

#[test]
fn the_receives_own_visibility_timeout_overrides_the_queues() {
    check(
        "create q VisibilityTimeout=10
         send q a
         recv q vis=2 => a:1
         +2
         recv q => a:2
         +9
         recv q => -
         +1
         recv q vis=0 => a:3
         recv q => a:4",
    );
}

#[test]
fn an_extension_counts_from_now() {
    check(
        "create q
         send q a
         recv q => a:1
         +20
         vis q a 30
         +29
         recv q => -
         +1
         recv q => a:2",
    );
}

#[test]
fn visibility_zero_gives_the_message_back_at_once() {
    check(
        "create q
         send q a
         recv q => a:1
         vis q a 0
         count q => 1/0/0
         recv q => a:2",
    );
}

#[test]
fn the_latest_handle_takes_a_message_back_in_flight_after_its_timeout() {
    check(
        "create q
         send q a
         recv q vis=1 => a:1
         +5
         vis q a 10
         count q => 0/1/0
         recv q => -
         vis q a 0
         vis q a 10
         recv q => -",
    );
}

#[test]
fn a_message_stays_in_flight_twelve_hours_at_most() {
    check(
        "create q
         send q a
         recv q => a:1
         +1
         vis q a 43200 => InvalidParameterValueException
         vis q a 43199
         +3600
         vis q a 39599
         vis q a 39600 => InvalidParameterValueException",
    );
}

#[test]
fn only_a_message_that_exists_can_change_visibility() {
    check(
        "create q
         send q a
         recv q => a:1
         delete q a
         vis q a 10 => InvalidParameterValueException
         vis q rubbish 10 => ReceiptHandleIsInvalid",
    );
}

#[test]
fn an_older_handle_is_no_error_but_only_the_latest_deletes() {
    check(
        "create q
         send q a
         recv q vis=1 => a:1
         +1
         recv q => a:2
         delete q a@1
         count q => 0/1/0
         delete q a@2
         count q => 0/0/0
         delete q a@2
         delete q a@1",
    );
}

#[test]
fn a_delete_after_the_timeout_deletes() {
    check(
        "create q
         send q a
         recv q vis=1 => a:1
         +1
         count q => 1/0/0
         delete q a
         count q => 0/0/0",
    );
}

#[test]
fn a_handle_belongs_to_its_queue() {
    check(
        "create q
         create other
         send q a
         recv q => a:1
         delete other a => ReceiptHandleIsInvalid
         drop q
         +61
         create q
         delete q a => ReceiptHandleIsInvalid",
    );
}

#[test]
fn delays_hold_messages_back_and_the_messages_own_wins() {
    check(
        "create q DelaySeconds=10
         send q slow
         send q now delay=0
         send q later delay=20
         count q => 1/0/2
         recv q max=10 => now:1
         +10
         count q => 1/1/1
         recv q max=10 => slow:1
         +10
         recv q max=10 => later:1",
    );
}

#[test]
fn a_changed_delay_concerns_only_later_messages() {
    check(
        "create q DelaySeconds=10
         send q a
         set q DelaySeconds=0
         recv q => -
         send q b
         recv q max=10 => b:1
         +10
         recv q max=10 => a:1",
    );
}

#[test]
fn retention_removes_messages_wherever_they_stand() {
    check(
        "create q MessageRetentionPeriod=60 VisibilityTimeout=300
         send q flying
         recv q => flying:1
         send q waiting
         send q delayed delay=100
         count q => 1/1/1
         +59
         count q => 1/1/1
         +1
         count q => 0/0/0
         recv q => -
         delete q flying",
    );
}

#[test]
fn a_shorter_retention_removes_what_is_older() {
    check(
        "create q
         send q old
         +100
         send q new
         set q MessageRetentionPeriod=60
         count q => 1/0/0
         recv q max=10 => new:1",
    );
}

#[test]
fn a_purge_leaves_nothing() {
    check(
        "create q
         sends q m 5
         recv q max=2 => m0:1 m1:1
         send q delayed delay=50
         count q => 3/2/1
         purge q
         count q => 0/0/0
         delete q m0
         vis q m1 10 => InvalidParameterValueException
         +100
         recv q => -
         send q a
         recv q => a:1",
    );
}

#[test]
fn a_second_purge_within_sixty_seconds_is_refused() {
    check(
        "create q
         purge q
         +59
         purge q => PurgeQueueInProgress
         +1
         purge q",
    );
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    check(
        "create q MaximumMessageSize=1024
         send q short
         set q MaximumMessageSize=2000
         send q short2",
    );
}

#[test]
fn a_message_that_came_back_takes_its_old_place() {
    check(
        "create q
         send q a
         recv q vis=3 => a:1
         +1.5
         send q b
         +3
         recv q => a:2",
    );
}

#[test]
fn a_message_received_three_times_goes_to_the_back() {
    check(
        "create q
         send q a
         +1
         send q b
         recv q vis=0 => a:1
         recv q vis=0 => a:2
         recv q vis=1 => a:3
         +1
         recv q max=2 => b:1 a:4",
    );
}

#[test]
fn an_older_handle_still_ends_a_newer_lease() {
    check(
        "create q
         send q a
         recv q vis=0 => a:1
         recv q vis=3 => a:2
         vis q a@1 0
         recv q => a:3",
    );
}

#[test]
fn so_many_messages_may_be_delayed_and_no_more() {
    check(
        "room 2
         create q
         send q a delay=10 => ok
         send q b delay=10 => ok
         send q c delay=10 => ThrottlingException
         send q d => ok
         +10
         send q c delay=10 => ok",
    );
}
