//! Signing keys, and the comparison that decides.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::canonical::{self, Headers, SignedRequest};
use super::claim::Claim;
use super::{ALGORITHM, Secret};
use crate::fault::{Fault, common};
use crate::limits::SIGNING_KEYS;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
    Secret Access Key and signing method. Consult the service documentation for details.";

/// What a secret signs with on one day, in one region, for one service. It is wiped when dropped, and never shown.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// The keys that were needed lately, each with the secret that it was made of.
#[derive(Debug, Default)]
pub struct SigningKeys(BTreeMap<Box<str>, (Secret, Arc<SigningKey>)>);

/// A request's two texts that AWS shows when a signature is wrong, and the signature that is right.
struct Computed {
    canonical: Vec<u8>,
    string: Vec<u8>,
    signature: [u8; 64],
}

impl SigningKey {
    /// The key for the claim's scope.
    pub fn derive(claim: &Claim<'_>, secret: &Secret) -> Self {
        let [_, day, region, service, terminator] = claim.parts();
        let seed = Zeroizing::new([b"AWS4", secret.expose()].concat());
        let mut mac = keyed(&seed);
        for part in [day, region, service, terminator] {
            mac.update(part.as_bytes());
            let key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
            mac = keyed(&*key);
        }
        Self(mac)
    }

    /// Whether the claim's signature is that of the request. The comparison takes the same time wherever they differ.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch` with what was computed on the way, as AWS tells it: never the signature, never a secret.
    pub fn verify<H: Headers>(&self, claim: &Claim<'_>, request: &SignedRequest<'_, H>) -> Result<(), Fault> {
        let Computed { canonical, string, signature } = self.compute(claim, request);
        if claim.signature.as_bytes().ct_eq(&signature).into() {
            return Ok(());
        }
        let (canonical, string) = (String::from_utf8_lossy(&canonical), String::from_utf8_lossy(&string));
        let message = format!(
            "{MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\nThe String-to-Sign should \
             have been\n'{string}'\n"
        );
        Err(Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, message))
    }

    /// The signature of a request, in hexadecimal. `claim` is the request's own, its signature still anything.
    pub fn sign<H: Headers>(&self, claim: &Claim<'_>, request: &SignedRequest<'_, H>) -> [u8; 64] {
        self.compute(claim, request).signature
    }

    fn compute<H: Headers>(&self, claim: &Claim<'_>, request: &SignedRequest<'_, H>) -> Computed {
        let mut canonical = Vec::with_capacity(1024);
        canonical::write(claim, request, &claim.signed_headers(), &mut canonical);
        let mut string = Vec::with_capacity(192);
        for part in [ALGORITHM, "\n", &claim.timestamp, "\n", claim.credential_scope(), "\n"] {
            string.extend_from_slice(part.as_bytes());
        }
        string.extend_from_slice(&canonical::hex(Sha256::digest(&canonical).into()));
        let mut mac = self.0.clone();
        mac.update(&string);
        let signature = canonical::hex(mac.finalize().into_bytes().into());
        Computed { canonical, string, signature }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKeys {
    /// The key for the claim, if it is remembered and was made of this secret.
    pub fn find(&self, claim: &Claim<'_>, secret: &Secret) -> Option<Arc<SigningKey>> {
        let (of, key) = self.0.get(claim.credential())?;
        (of == secret).then(|| Arc::clone(key))
    }

    /// Remembers a key. Only those of claims that were found true: so nobody without a secret takes any of the room. When
    /// there is none left all are forgotten, and made again as they are needed.
    pub fn remember(&mut self, claim: &Claim<'_>, secret: &Secret, key: SigningKey) {
        if self.0.len() >= SIGNING_KEYS {
            self.0.clear();
        }
        self.0.insert(claim.credential().into(), (secret.clone(), Arc::new(key)));
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
