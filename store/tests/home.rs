//! A shard comes home to what it left.

#[allow(dead_code, reason = "made for the doctor's tests")]
#[path = "doctor/stand.rs"]
mod stand;

use stand::{Stand, Temporary, tiny};

#[test]
fn a_shard_opens_whose_last_cold_messages_have_expired() {
    let place = Temporary::new();
    let mut stand = Stand::open(&place.join("data"), tiny());
    stand.create("q", &[("MessageRetentionPeriod", "60")]);
    for number in 0..20 {
        stand.send("q", &format!("m{number}"), None, None);
    }
    stand.retire(stand.writer.durable());
    let cold = |stand: &Stand| stand.opened.source.cold.files().expect("the files").len();
    assert!(cold(&stand) > 0);
    stand.pass(61_000);
    assert_eq!(cold(&stand), 0, "nothing is left, so nothing is kept");
    drop(stand);
    let mut stand = Stand::open(&place.join("data"), tiny());
    assert!(stand.receive("q", 10).is_empty());
}
