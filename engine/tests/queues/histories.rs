//! Random histories with tiny windows: whatever happens, and whoever looked in between, a journal, a snapshot and cold files
//! give back exactly what was there.

use proptest::prelude::*;

use super::script::World;

const POLICY: &str =
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":2}"#;

fn line() -> impl Strategy<Value = String> {
    let queue = || prop_oneof![4 => Just("q"), 3 => Just("f.fifo"), 1 => Just("dlq")];
    let seconds = || prop_oneof![Just(0), 1..4u32, 10..30u32, Just(70)];
    prop_oneof![
        6 => (0..40u32, 1..5u32).prop_map(|(name, count)| format!("sends q {name}x {count}")),
        5 => (0..40u32, 1..5u32, 0..3u32)
            .prop_map(|(name, count, group)| format!("sends f.fifo {name}y {count} group=g{group}")),
        2 => (0..99u32, seconds()).prop_map(|(name, delay)| format!("send q d{name} delay={delay}")),
        9 => (queue(), 1..11u32, seconds())
            .prop_map(|(queue, max, visibility)| format!("recv {queue} max={max} vis={visibility}")),
        3 => (queue(), 1..3u32, seconds(), 1..3u32).prop_map(|(queue, max, wait, attempt)| {
            format!("recv {queue} max={max} wait={wait} attempt={attempt}")
        }),
        4 => (queue(), 0..40u32, 0..3u32).prop_map(|(queue, name, n)| match queue {
            "f.fifo" => format!("delete f.fifo {name}y{n}"),
            queue => format!("delete {queue} {name}x{n}"),
        }),
        2 => (0..40u32, 0..3u32, seconds()).prop_map(|(name, n, timeout)| format!("vis q {name}x{n} {timeout}")),
        1 => Just("hangup".into()),
        1 => queue().prop_map(|queue| format!("lost {queue} max=3")),
        5 => seconds().prop_map(|seconds| format!("+{seconds}")),
        4 => seconds().prop_map(|seconds| format!("late {seconds}")),
        4 => queue().prop_map(|queue| format!("count {queue}")),
        1 => Just("move dlq rate=3".into()),
        1 => Just("move dlq to=q".into()),
        1 => Just("purge q".into()),
        1 => (0..3u32).prop_map(|delay| format!("set f.fifo DelaySeconds={delay}")),
        1 => (60..90u32).prop_map(|age| format!("set q MessageRetentionPeriod={age}")),
        3 => Just("cool".into()),
        3 => Just("cool-begin".into()),
        4 => Just("cool-end".into()),
        1 => Just("crash 30".into()),
        3 => Just("compact".into()),
        3 => Just("crash".into()),
    ]
}

proptest! {
    // A failure is shrunk to a few lines, which become a table: nothing is kept beside.
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_is_given_back(window in 1..6u32, lines in prop::collection::vec(line(), 1..120)) {
        let mut world = World::new();
        for line in [
            format!("window {window}"),
            "create dlq MessageRetentionPeriod=100".into(),
            format!("create q MessageRetentionPeriod=60 VisibilityTimeout=20 RedrivePolicy={POLICY}"),
            "create f.fifo FifoQueue=true VisibilityTimeout=20 MessageRetentionPeriod=80".into(),
        ] {
            world.run(&line);
        }
        for line in &lines {
            world.run(line);
        }
        world.survives();
    }
}
