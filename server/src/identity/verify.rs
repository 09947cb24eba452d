//! Verification of a request: its claim, its credential, its signature, in the order in which AWS refuses.

use std::sync::{Arc, PoisonError};

use kew_engine::time::Moment;
use kew_wire::Text;
use kew_wire::auth::{Claim, Expected, SignedRequest, SigningKey};
use kew_wire::fault::{Fault, common};

use super::headers::Signed;
use super::{Credential, Identities, Verified, endpoint_region};
use crate::http::Head;

impl Identities {
    /// Verifies a request, body and all. `service` is the one that it goes to, by its signing name; `None` where any will do.
    /// `None` comes back for one that is not signed.
    ///
    /// # Errors
    /// AWS's for a claim that is not well-formed, late, meant for somebody else, or not true.
    pub(crate) fn verify(
        &self,
        head: &Head,
        body: &[u8],
        service: Option<&str>,
    ) -> Result<Option<Verified>, Fault> {
        let signed = Signed(head);
        let Some((claim, credential)) = self.claim(&signed, head, service)? else { return Ok(None) };
        let request = SignedRequest {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: signed,
            body,
        };
        self.compare(&claim, &request, &credential)?;
        Ok(Some(Verified { identity: Arc::clone(&credential.identity), region: Text::from(claim.region()) }))
    }

    /// Whether a request's head alone says that nobody known makes it: it is not signed, or by a claim that would be refused whatever
    /// the body is. Nothing is proved by the contrary. `service` tells to which one it goes, by its signing name.
    pub(crate) fn is_stranger(&self, head: &Head, service: impl Fn(&Head) -> Option<&'static str>) -> bool {
        let signed = Signed(head);
        !self.is_open() && !matches!(self.claim(&signed, head, service(head)), Ok(Some(_)))
    }

    /// What a request claims, and the credential that it names, both as they should be.
    fn claim<'a>(
        &self,
        signed: &'a Signed<'_>,
        head: &'a Head,
        service: Option<&str>,
    ) -> Result<Option<(Claim<'a>, Arc<Credential>)>, Fault> {
        let query = head.uri.query().unwrap_or_default();
        let Some(claim) = Claim::read(signed, query)? else { return Ok(None) };
        let now = self.clock.now();
        // Sessions end by the clock that users' tests advance; their clients' dates know nothing of it.
        let now_ms = now.0.saturating_sub(self.clock.advanced().0);
        claim.check(&Expected { now_ms, service, region: endpoint_region(head) })?;
        let credential = self.credential(claim.access_key(), claim.token(), now)?;
        Ok(Some((claim, credential)))
    }

    /// The credential of an access key, if it may be used at this moment.
    pub(super) fn credential(
        &self,
        access_key: &str,
        token: Option<&str>,
        now: Moment,
    ) -> Result<Arc<Credential>, Fault> {
        let credential = self.credentials.lookup(access_key, token).ok().filter(|it| it.is_active);
        let credential = credential.ok_or_else(|| {
            Fault::new(
                &common::INVALID_CLIENT_TOKEN_ID,
                "The security token included in the request is invalid.",
            )
        })?;
        if credential.expires.is_some_and(|end| end <= now) {
            return Err(Fault::new(
                &common::EXPIRED_TOKEN,
                "The security token included in the request is expired",
            ));
        }
        Ok(credential)
    }

    fn compare(
        &self,
        claim: &Claim<'_>,
        request: &SignedRequest<'_, Signed<'_>>,
        credential: &Credential,
    ) -> Result<(), Fault> {
        // The lock is held for the search alone.
        let keys = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys().find(claim, &credential.secret);
        if let Some(key) = known {
            return key.verify(claim, request);
        }
        let key = SigningKey::derive(claim, &credential.secret);
        key.verify(claim, request)?;
        keys().remember(claim, &credential.secret, key);
        Ok(())
    }
}
