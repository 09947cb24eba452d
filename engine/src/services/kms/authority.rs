//! Who may do what with a key: its own policy must allow it, or hand the decision to the account and that allow it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;

use super::faults;
use super::key::Key;
use crate::identity::{Caller, Kind};
use crate::policy::{Request, decide};
use crate::time::Moment;

/// What somebody wants to do with a key.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// As policies spell it (`kms:Decrypt`).
    pub action: &'a str,
    /// The encryption context (`kms:EncryptionContext:KEY`, `kms:EncryptionContextKeys`).
    pub pairs: &'a [(Text, Text)],
    /// The service that asks on the caller's behalf (`sqs`; `kms:ViaService`).
    pub via: Option<&'static str>,
    /// When.
    pub now: Moment,
}

/// Refuses what `caller` may not do with `key` (developer guide, *Determining access to AWS KMS keys*).
pub fn check(caller: &Caller, key: &Key, wish: &Wish<'_>) -> Result<(), Fault> {
    // Nobody was authenticated, and it is the caller's own.
    if caller.identity.is_none() && caller.account == key.account {
        return Ok(());
    }
    let mut keys: Vec<(String, &str)> =
        wish.pairs.iter().map(|(name, value)| (format!("kms:EncryptionContext:{name}"), &**value)).collect();
    keys.extend(wish.pairs.iter().map(|(name, _)| ("kms:EncryptionContextKeys".into(), &**name)));
    let account = format!("{}", caller.account);
    let kind = caller.identity.as_ref().map(|identity| &identity.principal.kind);
    // Nobody in particular is a member of no account.
    let has_account = !matches!(kind, Some(Kind::Anonymous | Kind::Service));
    if has_account {
        keys.push(("kms:CallerAccount".into(), &account));
    }
    let service = wish.via.map(|service| format!("{service}.{}.amazonaws.com", key.region));
    keys.extend(service.as_deref().map(|service| ("kms:ViaService".into(), service)));
    let keys: Vec<(&str, &str)> = keys.iter().map(|(name, value)| (&**name, *value)).collect();
    let tags: BTreeMap<Text, Text> = key.tags.iter().cloned().collect();
    let arn = key.arn();
    let request = Request {
        policy: key.compiled.as_deref(),
        needs_policy: true,
        resource_tags: &tags,
        keys: &keys,
        ..Request::new(caller, wish.action, &arn, key.account, wish.now)
    };
    let decision = decide(&request);
    if decision.is_allowed() {
        return Ok(());
    }
    // Strangers are not told whether there is such a key.
    Err(match has_account && caller.account == key.account {
        true => faults::denied_because(&caller.arn(), wish.action, &arn, &decision.because(wish.action)),
        false => faults::denied(&caller.arn(), wish.action),
    })
}

/// Refuses what concerns no key that is there, but keys at large (`kms:CreateKey`, `kms:ListKeys`), or an alias.
pub(super) fn check_at_large(
    caller: &Caller,
    action: &str,
    resource: &str,
    tags: &[(Text, Text)],
    now: Moment,
) -> Result<(), Fault> {
    let request =
        Request { request_tags: tags, ..Request::new(caller, action, resource, caller.account, now) };
    let decision = decide(&request);
    if decision.is_allowed() {
        return Ok(());
    }
    Err(faults::denied_because(&caller.arn(), action, resource, &decision.because(action)))
}
