//! What a store of credentials tells about an access key.

use std::fmt;
use std::sync::Arc;

use kew_engine::identity::Identity;
use kew_engine::time::Moment;
use kew_wire::auth::Secret;

/// An access key, permanent or of a session, as its store knows it.
#[derive(Debug)]
pub(crate) struct Credential {
    /// What requests are signed with.
    pub(crate) secret: Secret,
    /// Who calls with it, and what they may do.
    pub(crate) identity: Arc<Identity>,
    /// Whether it may be used; a disabled key is told like an unknown one.
    pub(crate) is_active: bool,
    /// Until when it may be used, exclusively; `None` where it does not expire.
    pub(crate) expires: Option<Moment>,
}

/// Why there is no credential to verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoCredential {
    /// No such access key.
    Unknown,
    /// The key needs a session token and none came, or has none and one came, or the token is not this key's.
    WrongToken,
}

/// Where access keys are looked up: on every request, so it must be quick, and say at once what was changed.
pub(crate) trait Credentials: fmt::Debug + Send + Sync {
    /// Whether nobody has an access key, so that nobody is asked who they are. That ends for good with the first key, also while
    /// the server runs.
    fn is_open(&self) -> bool;

    /// The credential of an access key's id, and of the session token that came with it. Whether it is active and not
    /// expired is judged by the caller.
    fn lookup(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Arc<Credential>, NoCredential>;
}
