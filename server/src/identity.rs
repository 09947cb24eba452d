//! Who calls, from the request's signature, host and path.

#[expect(dead_code, reason = "nothing is verified yet")]
mod credential;

pub(crate) use credential::{Credential, Credentials, NoCredential};

use std::borrow::Cow;
use std::collections::HashMap;

use http::{HeaderMap, HeaderName, header};
use kew_engine::identity::{Account, Caller};
use kew_wire::fault::Fault;
use kew_wire::{Text, auth};

/// What establishes callers: configured once.
#[derive(Debug)]
pub(crate) struct Identities {
    accounts: HashMap<String, Account>,
    region: Text,
}

impl Identities {
    /// Callers with these access keys belong to these accounts; those who name no region are in `region`.
    pub(crate) fn new(accounts: HashMap<String, Account>, region: String) -> Self {
        Self { accounts, region: region.into() }
    }

    /// The region of callers who name none.
    pub(crate) fn default_region(&self) -> &Text {
        &self.region
    }

    /// Establishes the caller.
    ///
    /// This is the place where a signature is verified once credentials can be configured: until then any is taken,
    /// and none is needed.
    pub(crate) fn authenticate(&self, headers: &HeaderMap, path: &str, query: &str) -> Result<Caller, Fault> {
        // A claim that cannot be read says nothing; once claims are verified it is refused.
        let claim = auth::claim(text(headers, header::AUTHORIZATION), Some(query)).ok();
        let account = claim.as_ref().map_or(Account::DEFAULT, |claim| self.account(&claim.access_key));
        let region = claim
            .as_ref()
            .map(|claim| &*claim.region)
            .filter(|region| is_region(region))
            .or_else(|| path_region(path))
            .or_else(|| host_region(text(headers, header::HOST)?))
            .map_or_else(|| self.region.clone(), Text::from);
        // Callers act as their account's root, whose unique id is the account itself.
        Ok(Caller::open(account, region))
    }

    fn account(&self, access_key: &str) -> Account {
        let configured = self.accounts.get(access_key).copied();
        configured.or_else(|| access_key.parse().ok()).unwrap_or(Account::DEFAULT)
    }
}

/// The part of an `Authorization` header that does not change from request to request; the whole is empty where
/// there is none. Connections remember their caller by it.
pub(crate) fn stable_part(headers: &HeaderMap) -> &[u8] {
    let value = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let end = value.iter().position(|byte| *byte == b',').unwrap_or(value.len());
    &value[..end]
}

/// The service that a request was signed for, by its signing name.
pub(crate) fn signed_for<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<Cow<'a, str>> {
    auth::claim(text(headers, header::AUTHORIZATION), query).ok().map(|claim| claim.service)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(authorization: Option<&str>, host: &str, target: &str) -> (String, String) {
        let accounts = HashMap::from([("AKIAKNOWN".to_owned(), "210987654321".parse().expect("an account"))]);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a host"));
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let caller = Identities::new(accounts, "eu-west-1".into())
            .authenticate(&headers, path, query)
            .expect("a caller");
        (caller.account.to_string(), caller.region.to_string())
    }

    fn signed(access_key: &str, region: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/20261121/{region}/sqs/aws4_request, \
             SignedHeaders=host, Signature=00"
        )
    }

    #[test]
    fn account_and_region_follow_from_key_scope_path_and_host() {
        let cases: &[(Option<String>, &str, &str, &str, &str)] = &[
            (None, "localhost:4566", "/", "000000000000", "eu-west-1"),
            (Some(signed("test", "us-west-2")), "localhost:4566", "/", "000000000000", "us-west-2"),
            (Some(signed("123456789012", "us-west-2")), "localhost", "/", "123456789012", "us-west-2"),
            (Some(signed("AKIAKNOWN", "us-east-1")), "localhost", "/", "210987654321", "us-east-1"),
            (Some(signed("a/b/c", "us-east-1")), "localhost", "/", "000000000000", "us-east-1"),
            (Some("Basic dGVzdA==".into()), "localhost", "/", "000000000000", "eu-west-1"),
            (Some("AWS4-HMAC-SHA256 Credential=".into()), "localhost", "/", "000000000000", "eu-west-1"),
            (Some("AWS4-HMAC-SHA256 Credential=test".into()), "localhost", "/", "000000000000", "eu-west-1"),
            (Some(signed("test", "NOWHERE")), "localhost", "/", "000000000000", "eu-west-1"),
            (None, "sqs.ap-south-1.localhost.localstack.cloud:4566", "/", "000000000000", "ap-south-1"),
            (None, "ap-south-1.queue.localhost.localstack.cloud", "/", "000000000000", "ap-south-1"),
            (None, "queue.localhost.localstack.cloud", "/", "000000000000", "us-east-1"),
            (None, "sqs.example.org", "/", "000000000000", "eu-west-1"),
            (None, "localhost", "/queue/ca-central-1/000000000000/q", "000000000000", "ca-central-1"),
            (
                None,
                "localhost",
                "/?Action=ListQueues&X-Amz-Credential=123456789012%2F20261121%2Fsa-east-1%2Fsqs%2Faws4_request\
                 &X-Amz-SignedHeaders=host&X-Amz-Signature=00",
                "123456789012",
                "sa-east-1",
            ),
        ];
        for (authorization, host, target, account, region) in cases {
            let found = caller(authorization.as_deref(), host, target);
            assert_eq!(
                found,
                ((*account).to_owned(), (*region).to_owned()),
                "{authorization:?} {host} {target}"
            );
        }
    }

    #[test]
    fn the_scope_names_the_service() {
        let mut headers = HeaderMap::new();
        assert_eq!(signed_for(&headers, None), None);
        headers.insert(header::AUTHORIZATION, signed("test", "us-west-2").parse().expect("a header"));
        assert_eq!(signed_for(&headers, None).as_deref(), Some("sqs"));
    }

    #[test]
    fn the_stable_part_of_a_signature_ends_before_what_changes() {
        let mut headers = HeaderMap::new();
        assert_eq!(stable_part(&headers), b"");
        headers.insert(header::AUTHORIZATION, signed("test", "us-west-2").parse().expect("a header"));
        assert_eq!(
            stable_part(&headers),
            b"AWS4-HMAC-SHA256 Credential=test/20261121/us-west-2/sqs/aws4_request"
        );
    }
}
