//! Visits to Kew's own pages: what erases, copies or moves the clock of everything, and whoever was not let in.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, StatusCode};
use kew_engine::identity::Identity;
use kew_wire::request_id::RequestId;
use serde_json::Value;

use super::{Audit, MESSAGE_BYTES, record};
use crate::http::{Head, Peer, Response};
use crate::identity::Page;

/// A visit. Its record is made when this is dropped.
pub(crate) struct Visit {
    audit: Arc<Audit>,
    pub(super) page: Page,
    /// Who, as records tell it.
    pub(super) who: Value,
    pub(super) address: IpAddr,
    pub(super) user_agent: Option<String>,
    pub(super) method: Method,
    pub(super) path: String,
    /// Where a backup shall go.
    pub(super) target: Option<String>,
    pub(super) id: RequestId,
    pub(super) outcome: Option<(StatusCode, String)>,
}

impl Audit {
    /// Notes a visit by somebody who was let in, by name or, where Kew is open, without one, or (`Err`) who was not, by name if that was
    /// proven. `None` if nobody wants it recorded.
    pub(crate) fn visit(
        self: &Arc<Self>,
        page: Page,
        who: Result<Option<&Identity>, Option<&Identity>>,
        head: &Head,
        body: &[u8],
        peer: Peer,
        id: RequestId,
    ) -> Option<Visit> {
        // Looking is as frequent as calls on messages are, and at figures more so.
        let is_wanted = self.data_calls && page != Page::Metrics;
        if who.is_ok() && is_reading(&head.method) && !is_wanted {
            return None;
        }
        let who = match who {
            Ok(Some(identity)) | Err(Some(identity)) => record::authenticated(identity),
            Ok(None) => record::unknown(None),
            Err(None) => record::unknown(record::claimed(head).as_deref()),
        };
        let asked = (page == Page::Backup).then(|| serde_json::from_slice::<Value>(body).ok()).flatten();
        let target = asked.as_ref().and_then(|asked| asked["target"].as_str());
        let user_agent = head.headers.get("user-agent");
        Some(Visit {
            audit: Arc::clone(self),
            page,
            who,
            address: peer.ip,
            user_agent: user_agent.map(|agent| String::from_utf8_lossy(agent).into_owned()),
            method: head.method.clone(),
            path: cut(head.uri.path()),
            target: target.map(cut),
            id,
            outcome: None,
        })
    }
}

impl Visit {
    /// The answer is there.
    pub(crate) fn answered(mut self, answer: &Response) {
        let start = &answer.body[..answer.body.len().min(MESSAGE_BYTES)];
        let message = String::from_utf8_lossy(start).trim_end().to_owned();
        self.outcome = Some((answer.status, message));
    }

    pub(super) fn is_reading(&self) -> bool {
        is_reading(&self.method)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.audit.ledger.write(record::visit(&self.audit, self));
    }
}

fn is_reading(method: &Method) -> bool {
    *method != Method::POST
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MESSAGE_BYTES)].to_owned()
}
