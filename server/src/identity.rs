//! Who calls. Where access keys exist every request must be signed with one, and is verified; where there is none (Kew is
//! open) anybody is believed, and account and region follow from what the request says.

mod credential;
mod headers;
mod pages;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use kew_engine::identity::{Account, Identity};
use kew_wire::Text;
use kew_wire::auth::{Claim, Headers, SigningKeys};

pub(crate) use self::credential::{Credential, Credentials, NoCredential};
use self::headers::Signed;
pub(crate) use self::pages::Page;
use crate::clock::Clock;
use crate::http::Head;

/// What establishes callers: made once.
#[derive(Debug)]
pub(crate) struct Identities {
    accounts: HashMap<String, Account>,
    region: Text,
    credentials: Arc<dyn Credentials>,
    clock: Arc<Clock>,
    keys: Mutex<SigningKeys>,
}

/// What a verified request said.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Who signed it.
    pub(crate) identity: Arc<Identity>,
    /// The region it was signed for.
    pub(crate) region: Text,
}

impl Identities {
    /// Callers are found in `credentials`. While it is open, those with the access keys `accounts` belong to these accounts;
    /// those who name no region are in `region`.
    pub(crate) fn new(
        accounts: HashMap<String, Account>,
        region: String,
        credentials: Arc<dyn Credentials>,
        clock: Arc<Clock>,
    ) -> Self {
        Self { accounts, region: region.into(), credentials, clock, keys: Mutex::default() }
    }

    /// The region of callers who name none.
    pub(crate) fn default_region(&self) -> &Text {
        &self.region
    }

    /// Whether nothing is verified.
    pub(crate) fn is_open(&self) -> bool {
        self.credentials.is_open()
    }

    /// Account and region that a request claims, if Kew is open.
    pub(crate) fn believe(&self, head: &Head) -> (Account, Text) {
        // A claim that cannot be read says nothing.
        let signed = Signed(head);
        let claim = Claim::scope(&signed, head.uri.query().unwrap_or_default());
        let account = claim.as_ref().map_or(Account::DEFAULT, |[key, ..]| {
            let token = signed.text("x-amz-security-token");
            let session = token.and_then(|token| self.credentials.lookup(key, Some(token)).ok());
            session.map_or_else(|| self.account(key), |session| session.identity.principal.account)
        });
        let region = claim
            .as_ref()
            .map(|[_, region, _]| &**region)
            .filter(|region| is_region(region))
            .or_else(|| endpoint_region(head))
            .map_or_else(|| self.region.clone(), Text::from);
        (account, region)
    }

    fn account(&self, access_key: &str) -> Account {
        let configured = self.accounts.get(access_key).copied();
        configured.or_else(|| access_key.parse().ok()).unwrap_or(Account::DEFAULT)
    }
}

/// The part of an `Authorization` header that does not change from request to request; the whole is empty where
/// there is none. Connections of an open Kew remember their caller by it.
pub(crate) fn stable_part(head: &Head) -> &[u8] {
    let value = head.headers.get("authorization").unwrap_or_default();
    let end = value.iter().position(|byte| *byte == b',').unwrap_or(value.len());
    &value[..end]
}

/// The service that a request was signed for, by its signing name: a claim, not yet a truth.
pub(crate) fn signed_for(head: &Head) -> Option<String> {
    let signed = Signed(head);
    Claim::scope(&signed, head.uri.query().unwrap_or_default()).map(|[_, _, service]| service.into_owned())
}

/// The region that the address of a request belongs to, if it names one.
fn endpoint_region(head: &Head) -> Option<&str> {
    let host = || head.headers.text("host");
    path_region(head.uri.path()).or_else(|| host_region(host()?))
}

/// The region of `/queue/REGION/ACCOUNT/NAME`, as LocalStack's path strategy writes queue URLs.
fn path_region(path: &str) -> Option<&str> {
    path.strip_prefix("/queue/")?.split('/').next().filter(|region| is_region(region))
}

/// The region of `sqs.REGION.…`, `REGION.queue.…` and `queue.…`.
fn host_region(host: &str) -> Option<&str> {
    let mut labels = host.split(['.', ':']);
    let (first, second) = (labels.next()?, labels.next()?);
    let named = match (first, second) {
        ("sqs", region) => region,
        ("queue", _) => "us-east-1",
        (region, "queue") => region,
        _ => return None,
    };
    // A region has a hyphen: sqs.example.org names none.
    (is_region(named) && named.contains('-')).then_some(named)
}

/// Whether this can be a region's name.
pub(crate) fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
