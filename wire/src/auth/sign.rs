//! Signing: for our own clients, and for tests of the other side.

use alloc::string::String;

use super::Secret;
use super::canonical::{Headers, SignedRequest};
use super::claim::Claim;
use super::keys::SigningKey;

/// The signature of a request, in hexadecimal. `claim` is read from the request itself, its own signature still anything.
pub fn sign<H: Headers>(claim: &Claim<'_>, request: &SignedRequest<'_, H>, secret: &Secret) -> String {
    let signature = SigningKey::derive(claim, secret).sign(claim, request);
    signature.iter().copied().map(char::from).collect()
}
