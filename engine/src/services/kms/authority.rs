//! Who may do what with a key: its own policy must allow it, or hand the decision to the account and that allow it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;

use super::faults;
use super::key::Key;
use super::names::Name;
use super::state::State;
use crate::identity::{Account, Caller, Kind};
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
    if may_all(caller, key.account) {
        return Ok(());
    }
    let tags = key.tags.iter().map(|(name, value)| (name.text(), value.text()));
    let tags: BTreeMap<Text, Text> = tags.collect();
    let arn = key.arn();
    let owner = (key.account, &*key.region);
    let request = Request {
        policy: key.compiled.as_deref(),
        needs_policy: true,
        resource_tags: &tags,
        ..Request::new(caller, wish.action, &arn, key.account, wish.now)
    };
    decide_wish(owner, request, wish)
}

/// The key that `given` names as `owner` means it, if `caller` may do all this with it. Whoever may not does not learn whether it is there,
/// nor what an alias means.
pub fn find<'a>(
    state: &'a State,
    owner: &Caller,
    given: &Text,
    caller: &Caller,
    wishes: &[Wish<'_>],
) -> Result<&'a Key, Fault> {
    // A name that is none says nothing.
    let Ok(name) = Name::parse(owner, given) else { return state.find(owner, given) };
    for wish in wishes {
        admit(state.find(owner, given), &name, caller, wish)?;
    }
    state.find(owner, given)
}

/// What was found under a name, if the caller may do this with it. Whoever may not does not learn what was found: not by its absence, and
/// not what an alias means.
pub(super) fn admit<'a>(
    found: Result<&'a Key, Fault>,
    name: &Name,
    caller: &Caller,
    wish: &Wish<'_>,
) -> Result<&'a Key, Fault> {
    let checked = match &found {
        Ok(key) => check(caller, key, wish),
        Err(_) => check_missing(caller, name, wish),
    };
    match (checked, name) {
        (Ok(()), _) => found,
        (Err(_), Name::Alias(..)) => Err(faults::denied(&caller.arn(), wish.action)),
        (Err(refused), Name::Key(..)) => Err(refused),
    }
}

/// Refuses who could do nothing of the kind if there were a key of this name: whether there is one is none of the caller's business.
/// The key is taken for one that leaves everything to its account.
fn check_missing(caller: &Caller, name: &Name, wish: &Wish<'_>) -> Result<(), Fault> {
    let (account, region) = name.owner();
    if may_all(caller, account) {
        return Ok(());
    }
    let arn = name.arn();
    decide_wish((account, region), Request::new(caller, wish.action, &arn, account, wish.now), wish)
}

/// Whether nobody was authenticated, and it is the caller's own.
fn may_all(caller: &Caller, account: Account) -> bool {
    caller.identity.is_none() && caller.account == account
}

/// Refuses what the policies do not allow; `request` is about a key of this account and region, and says nothing of the wish yet.
fn decide_wish(
    (account, region): (Account, &str),
    request: Request<'_>,
    wish: &Wish<'_>,
) -> Result<(), Fault> {
    let caller = request.caller;
    let mut keys: Vec<(String, &str)> =
        wish.pairs.iter().map(|(name, value)| (format!("kms:EncryptionContext:{name}"), &**value)).collect();
    keys.extend(wish.pairs.iter().map(|(name, _)| ("kms:EncryptionContextKeys".into(), &**name)));
    let own = format!("{}", caller.account);
    let kind = caller.identity.as_ref().map(|identity| &identity.principal.kind);
    // Nobody in particular is a member of no account.
    let has_account = !matches!(kind, Some(Kind::Anonymous | Kind::Service));
    if has_account {
        keys.push(("kms:CallerAccount".into(), &own));
    }
    let service = wish.via.map(|service| format!("{service}.{region}.amazonaws.com"));
    keys.extend(service.as_deref().map(|service| ("kms:ViaService".into(), service)));
    let keys: Vec<(&str, &str)> = keys.iter().map(|(name, value)| (&**name, *value)).collect();
    let request = Request { keys: &keys, ..request };
    let decision = decide(&request);
    if decision.is_allowed() {
        return Ok(());
    }
    // Strangers are not told whether there is such a key.
    Err(match has_account && caller.account == account {
        true => faults::denied_because(
            &caller.arn(),
            wish.action,
            request.resource,
            &decision.because(wish.action),
        ),
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
