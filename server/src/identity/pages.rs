//! Kew's own pages (metrics, backups, what `--test-endpoints` opens), for those who hold an access key.
//!
//! A scraper or a browser cannot sign, so these pages also take the key as HTTP's user and password, but not where others can read along.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use kew_engine::identity::{Account, Caller, Identity};
use kew_engine::policy::{Request, decide};
use kew_wire::auth::basic;
use kew_wire::fault::{Fault, common};

use super::Identities;
use crate::backup;
use crate::http::{Head, Peer, Response, respond};

const GIVE_OR_SIGN: &str = "Sign the request, or give an access key's id and secret as user and password.";
const BASIC: &str = "Basic realm=\"kew\", charset=\"UTF-8\"";
/// Nobody is asked for a secret over plain HTTP: a browser would send it.
const SIGN: &str = "Sign the request, or use TLS.";
const SIGNATURE: &str = "AWS4-HMAC-SHA256";

/// What somebody wants of Kew itself. Policies allow it by these actions, on any resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// `kew:GetMetrics`: to read its figures, which are of all accounts.
    Metrics,
    /// `kew:CreateBackup`: to have a backup made.
    Backup,
    /// `kew:UseTestEndpoints`: to erase, look at, and move the clock of everything.
    Tests,
}

impl Page {
    /// What a path under `/_` is.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            backup::PATH => Some(Self::Backup),
            _ if path.starts_with("/_") => Some(Self::Tests),
            _ => None,
        }
    }

    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Metrics => "kew:GetMetrics",
            Self::Backup => "kew:CreateBackup",
            Self::Tests => "kew:UseTestEndpoints",
        }
    }
}

/// Why somebody is not let in.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) answer: Response,
    /// Who it is, where that was proven and only no policy allows it.
    pub(crate) who: Option<Arc<Identity>>,
}

impl Identities {
    /// Who asks for one of Kew's own pages, or the refusal. While Kew is open everybody may, and nobody is asked who they are.
    pub(crate) fn admit(
        &self,
        page: Page,
        peer: Peer,
        head: &Head,
        body: &[u8],
    ) -> Result<Option<Arc<Identity>>, Box<Refusal>> {
        if self.is_open() {
            return Ok(None);
        }
        let is_private = peer.is_secure || peer.is_local;
        let shown = head.headers.get("authorization").and_then(basic);
        let identity = match shown {
            Some(_) if !is_private => {
                let message = "An access key's secret is not taken over plain HTTP from another machine: use TLS, or sign the request.";
                return Err(Box::new(Refusal { answer: say(StatusCode::FORBIDDEN, message), who: None }));
            }
            Some((id, secret)) => self.credential(&id, None, self.clock.now()).and_then(|credential| {
                let is_right = credential.secret == secret;
                is_right.then(|| Some(credential.identity.clone())).ok_or_else(wrong)
            }),
            None => self.verify(head, body, None).map(|verified| verified.map(|it| it.identity)),
        };
        let (answer, who) = match identity {
            Ok(Some(identity)) if self.allows(&identity, page) => return Ok(Some(identity)),
            Ok(Some(identity)) => {
                let message = format!("No policy allows this access key {}.", page.action());
                (say(StatusCode::FORBIDDEN, &message), Some(identity))
            }
            Ok(None) => {
                let (message, scheme) = if is_private { (GIVE_OR_SIGN, BASIC) } else { (SIGN, SIGNATURE) };
                let mut asked = say(StatusCode::UNAUTHORIZED, message);
                asked.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
                (asked, None)
            }
            Err(fault) => (say(StatusCode::FORBIDDEN, &fault.message), None),
        };
        Err(Box::new(Refusal { answer, who }))
    }

    /// Kew belongs to the default account: its root may all this, its users and roles what their policies allow.
    fn allows(&self, identity: &Arc<Identity>, page: Page) -> bool {
        let caller = Caller::identified(Arc::clone(identity), self.region.clone(), None);
        caller.account == Account::DEFAULT
            && decide(&Request::new(&caller, page.action(), "*", Account::DEFAULT, self.clock.now()))
                .is_allowed()
    }
}

fn wrong() -> Fault {
    Fault::new(&common::INVALID_CLIENT_TOKEN_ID, "The security token included in the request is invalid.")
}

fn say(status: StatusCode, message: &str) -> Response {
    respond(status, "text/plain", format!("{message}\n"))
}
