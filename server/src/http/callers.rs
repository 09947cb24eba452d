//! Who calls on one connection, and how they reached it. Both rarely change from request to request, so what was worked out
//! is kept; what a request must prove is proved by each anew.

use std::sync::{Arc, Mutex, PoisonError};

use kew_engine::identity::{Account, Caller, Identity, Kind, Origin, Principal};
use kew_engine::policy::limits::USER_AGENT_BYTES;
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::aws;
use super::front::{Front, Peer};
use super::head::Head;
use crate::identity;

/// The callers of one connection.
#[derive(Debug)]
pub(super) struct Callers {
    peer: Peer,
    last: Mutex<Option<Last>>,
}

/// What was worked out for the last request.
#[derive(Debug, Clone)]
struct Last {
    // Copies: headers' values would keep the connection's whole read buffer.
    host: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    /// It came with a whole URL, whose host may not be the header's.
    is_absolute: bool,
    endpoint: Text,
    origin: Arc<Origin>,
    /// What the request said of its caller, as far as an open Kew believes it, and whom that made.
    believed: Option<(Vec<u8>, Caller)>,
    /// Whom its signature proved.
    verified: Option<Caller>,
}

impl Callers {
    /// Of a connection to `peer`.
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer, last: Mutex::default() }
    }

    /// Who makes this request, and what the URLs begin with that it is given.
    ///
    /// # Errors
    /// AWS's, if the request had to prove who makes it and does not.
    pub(super) fn identify(&self, front: &Front, head: &Head, body: &[u8]) -> Result<(Caller, Text), Fault> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (host, user_agent) = (head.headers.get("host"), head.headers.get("user-agent"));
        let is_last = last.as_ref().is_some_and(|last| {
            !last.is_absolute
                && head.uri.authority().is_none()
                && last.host.as_deref() == host
                && last.user_agent.as_deref() == user_agent
        });
        if !is_last {
            *last = None;
        }
        let last = last.get_or_insert_with(|| Last {
            host: host.map(<[u8]>::to_vec),
            user_agent: user_agent.map(<[u8]>::to_vec),
            is_absolute: head.uri.authority().is_some(),
            endpoint: front.endpoint(head),
            origin: Arc::new(Origin {
                address: Some(self.peer.ip),
                is_secure: self.peer.is_secure,
                user_agent: user_agent.and_then(shown),
                source: None,
            }),
            believed: None,
            verified: None,
        });
        let caller = if front.identities.is_open() {
            last.believe(front, head)
        } else {
            self.verify(last, front, head, body)?
        };
        Ok((caller, last.endpoint.clone()))
    }

    fn verify(&self, last: &mut Last, front: &Front, head: &Head, body: &[u8]) -> Result<Caller, Fault> {
        let verified = front.identities.verify(head, body, aws::called(head))?;
        let Some(identity::Verified { identity, region }) = verified else {
            let region = front.identities.default_region().clone();
            return Ok(Caller::identified(self.anonymous(), region, Some(Arc::clone(&last.origin))));
        };
        let known = last.verified.as_ref().filter(|caller| {
            caller.region == region && caller.identity.as_ref().is_some_and(|it| Arc::ptr_eq(it, &identity))
        });
        if let Some(caller) = known {
            return Ok(caller.clone());
        }
        let caller = Caller::identified(identity, region, Some(Arc::clone(&last.origin)));
        Ok(last.verified.insert(caller).clone())
    }

    /// Somebody who shows no access key: a queue's policy may let them in, as AWS does, and nothing else.
    pub(super) fn anonymous(&self) -> Arc<Identity> {
        let principal = Principal {
            account: Account::DEFAULT,
            arn: Text::from_static("anonymous"),
            id: self.peer.ip.to_string().into(),
            kind: Kind::Anonymous,
            tags: Vec::new(),
            issued: None,
        };
        Arc::new(Identity { principal, permissions: None, access_key: None, counts_as: None, chain: None })
    }
}

impl Last {
    fn believe(&mut self, front: &Front, head: &Head) -> Caller {
        let said = identity::stable_part(head);
        let query = head.uri.query().unwrap_or_default();
        let is_plain = query.is_empty() && !head.uri.path().starts_with("/queue/");
        if is_plain
            && let Some((known, caller)) = &self.believed
            && known == said
        {
            return caller.clone();
        }
        let (account, region) = front.identities.believe(head);
        let caller = Caller { origin: Some(Arc::clone(&self.origin)), ..Caller::open(account, region) };
        if is_plain {
            self.believed = Some((said.to_vec(), caller.clone()));
        }
        caller
    }
}

impl Front {
    /// What queue URLs begin with: as the operator says, or else as the caller reached us.
    fn endpoint(&self, head: &Head) -> Text {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let named = authority.or_else(|| head.headers.text("host")).filter(|host| is_authority(host));
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", named.unwrap_or("localhost:4566")).into()
    }
}

/// The longest name (RFC 1035) with its port. One answer may hold a thousand URLs.
const HOST_BYTES: usize = 253 + ":65535".len();

/// Whether a Host header may stand in a URL that we give out.
fn is_authority(host: &str) -> bool {
    (1..=HOST_BYTES).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

/// A User-Agent as policies see it; `None` where it is no text.
fn shown(user_agent: &[u8]) -> Option<Text> {
    let text = str::from_utf8(user_agent).ok()?;
    Some(text[..text.floor_char_boundary(USER_AGENT_BYTES)].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_would_break_a_url_is_not_repeated() {
        for host in ["localhost:4566", "sqs.us-east-1.amazonaws.com", "[::1]:4566", "my_host"] {
            assert!(is_authority(host), "{host}");
        }
        for host in ["", "a/b", "a b", "a\"b", "a<b", "user@host"] {
            assert!(!is_authority(host), "{host}");
        }
    }

    #[test]
    fn a_long_user_agent_is_cut_between_characters() {
        let long = "é".repeat(USER_AGENT_BYTES);
        assert_eq!(shown(long.as_bytes()).expect("text").len(), USER_AGENT_BYTES);
        assert_eq!(shown(format!("a{long}").as_bytes()).expect("text").len(), USER_AGENT_BYTES - 1);
        assert_eq!(shown(b"\xff"), None);
    }
}
