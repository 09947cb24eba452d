//! Looks whether the files have changed: every few seconds, and at once on SIGHUP.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::Tls;
use crate::limits;

/// Looks until it is dropped. Contents are compared, not times: a mounted secret is often a link that is turned around.
pub(crate) async fn watch(tls: Arc<Tls>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    let mut ticks = interval(limits::TLS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = hangup.recv() => {}
        }
        let tls = Arc::clone(&tls);
        // A panic has been printed already; the certificate stays.
        let _ = tokio::task::spawn_blocking(move || tls.refresh(SystemTime::now())).await;
    }
}
