//! What keys do, in AWS's words. The cipher here is a toy: it shows what was bound to what.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::kms::{Reply, Request};
use kew_wire::services::kms as wire;
use zeroize::Zeroizing;

use super::*;
use crate::identity::{Account, Caller, Identity, Kind, Permissions, Principal};
use crate::policy::{Policy, Use};
use crate::time::Moment;

/// Counts instead of drawing lots; a sealed text is key, binding and plaintext side by side.
#[derive(Default)]
struct Toy(Cell<u64>);

impl Cipher for Toy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.set(self.0.get() + 1);
        let number = self.0.get().to_be_bytes();
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = number[place % 8];
        }
    }

    fn seal(&self, key: &Secret, bound: &[u8], plain: &[u8]) -> Bytes {
        [&key.0[..], &(bound.len() as u64).to_le_bytes(), bound, plain].concat().into()
    }

    fn open(&self, key: &Secret, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let head = [&key.0[..], &(bound.len() as u64).to_le_bytes(), bound].concat();
        sealed.strip_prefix(&head[..]).map(|plain| Zeroizing::new(plain.to_vec()))
    }
}

const DAY: u64 = 86_400_000;

/// One server's keys, asked by whoever.
struct Stand {
    state: State,
    cipher: Toy,
    now: Moment,
    caller: Caller,
}

impl Stand {
    fn new() -> Self {
        let caller = Caller::open(Account::DEFAULT, "us-east-1".into());
        Self { state: State::default(), cipher: Toy::default(), now: Moment(1_000_000), caller }
    }

    fn ask(&mut self, request: Request) -> Result<Reply, String> {
        self.state.pass(self.now, &self.cipher);
        let context = Context { caller: &self.caller, now: self.now, cipher: &self.cipher };
        let outcome = if needs_change(&self.state, &self.caller, &request) {
            let mut next = self.state.clone();
            let outcome = change(&mut next, &context, request);
            if outcome.is_ok() {
                // As after a restart: what is written down is all there is.
                self.state = State::decode(VERSION, next.encode()).expect("written by us");
            }
            outcome
        } else {
            answer(&self.state, &context, request)
        };
        outcome.map_err(|fault| alloc::format!("{}: {}", fault.kind.name, fault.message))
    }

    fn refused(&mut self, request: Request, expected: &str) {
        let line = self.ask(request).expect_err("refused");
        assert!(line.starts_with(expected), "{line}\ninstead of\n{expected}");
    }

    fn create(&mut self) -> Text {
        match self.ask(Request::CreateKey(wire::CreateKeyRequest::default())) {
            Ok(Reply::CreateKey(reply)) => reply.key_metadata.expect("metadata").key_id,
            other => panic!("{other:?}"),
        }
    }

    fn describe(&mut self, key: &str) -> wire::KeyMetadata {
        let request = wire::DescribeKeyRequest { key_id: key.into(), ..Default::default() };
        match self.ask(Request::DescribeKey(request)) {
            Ok(Reply::DescribeKey(reply)) => reply.key_metadata.expect("metadata"),
            other => panic!("{other:?}"),
        }
    }

    fn encrypt(&mut self, key: &str, context: &[(&str, &str)]) -> Bytes {
        match self.ask(encrypt(key, context)) {
            Ok(Reply::Encrypt(reply)) => reply.ciphertext_blob.expect("a ciphertext"),
            other => panic!("{other:?}"),
        }
    }

    fn decrypt(&mut self, blob: &Bytes, context: &[(&str, &str)]) -> Result<Bytes, String> {
        match self.ask(decrypt(blob, context, None))? {
            Reply::Decrypt(reply) => Ok(reply.plaintext.expect("a plaintext")),
            other => panic!("{other:?}"),
        }
    }

    fn alias(&mut self, name: &str, key: &str) -> Result<Reply, String> {
        let request = wire::CreateAliasRequest { alias_name: name.into(), target_key_id: key.into() };
        self.ask(Request::CreateAlias(request))
    }
}

fn pairs(context: &[(&str, &str)]) -> Vec<(Text, Text)> {
    context.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn encrypt(key: &str, context: &[(&str, &str)]) -> Request {
    Request::Encrypt(wire::EncryptRequest {
        key_id: key.into(),
        plaintext: Bytes::from_static(b"text"),
        encryption_context: pairs(context),
        ..Default::default()
    })
}

fn decrypt(blob: &Bytes, context: &[(&str, &str)], key: Option<&str>) -> Request {
    Request::Decrypt(wire::DecryptRequest {
        ciphertext_blob: Some(blob.clone()),
        encryption_context: pairs(context),
        key_id: key.map(Text::from),
        ..Default::default()
    })
}

fn disable(key: &str) -> Request {
    Request::DisableKey(wire::DisableKeyRequest { key_id: key.into() })
}

fn delete(key: &str, days: i32) -> Request {
    let pending_window_in_days = Some(days);
    Request::ScheduleKeyDeletion(wire::ScheduleKeyDeletionRequest {
        key_id: key.into(),
        pending_window_in_days,
    })
}

fn generate(key: &str, bytes: Option<i32>, spec: Option<&str>) -> Request {
    Request::GenerateDataKey(wire::GenerateDataKeyRequest {
        key_id: key.into(),
        number_of_bytes: bytes,
        key_spec: spec.map(Text::from),
        ..Default::default()
    })
}

#[test]
fn an_encryption_context_has_so_many_bytes_and_no_more() {
    let mut stand = Stand::new();
    let key = stand.create();
    let most = "v".repeat(limits::ENCRYPTION_CONTEXT_BYTES - 1);
    let over = alloc::format!("{most}v");
    stand.encrypt(&key, &[("k", &most)]);
    let blob = stand.encrypt(&key, &[]);
    let told = |member: &str| {
        alloc::format!(
            "ValidationException: 1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        )
    };
    let long = pairs(&[("k", &over)]);
    stand.refused(encrypt(&key, &[("k", &over)]), &told("encryptionContext"));
    stand.refused(decrypt(&blob, &[("k", &over)], None), &told("encryptionContext"));
    // Names count like values, and pairs that say nothing like those that do.
    stand.refused(encrypt(&key, &[("k", &most), ("l", "")]), &told("encryptionContext"));
    stand.refused(encrypt(&key, &vec![("", ""); 8193]), &told("encryptionContext"));
    let request = wire::GenerateDataKeyRequest {
        key_id: key.clone(),
        number_of_bytes: Some(32),
        encryption_context: long.clone(),
        ..Default::default()
    };
    stand.refused(Request::GenerateDataKey(request), &told("encryptionContext"));
    let request = wire::GenerateDataKeyWithoutPlaintextRequest {
        key_id: key.clone(),
        number_of_bytes: Some(32),
        encryption_context: long.clone(),
        ..Default::default()
    };
    stand.refused(Request::GenerateDataKeyWithoutPlaintext(request), &told("encryptionContext"));
    let source = wire::ReEncryptRequest {
        ciphertext_blob: Some(blob.clone()),
        destination_key_id: key.clone(),
        source_encryption_context: long.clone(),
        ..Default::default()
    };
    let destination = wire::ReEncryptRequest {
        source_encryption_context: pairs(&[("k", &most)]),
        destination_encryption_context: long,
        ..source.clone()
    };
    stand.refused(Request::ReEncrypt(source), &told("sourceEncryptionContext"));
    stand.refused(Request::ReEncrypt(destination), &told("destinationEncryptionContext"));
}

#[test]
fn a_ciphertext_opens_in_its_encryption_context_alone_whatever_the_order_of_its_pairs() {
    let mut stand = Stand::new();
    let key = stand.create();
    let blob = stand.encrypt(&key, &[("a", "1"), ("b", "2")]);
    assert_eq!(stand.decrypt(&blob, &[("b", "2"), ("a", "1")]).as_deref(), Ok(&b"text"[..]));
    for context in [&[][..], &[("a", "1")], &[("a", "1"), ("b", "3")], &[("a", "1b"), ("", "2")]] {
        assert_eq!(stand.decrypt(&blob, context), Err("InvalidCiphertextException: ".into()));
    }
    let cut = blob.slice(..10);
    assert_eq!(stand.decrypt(&cut, &[]), Err("InvalidCiphertextException: ".into()));
    let other = stand.create();
    stand.refused(decrypt(&blob, &[("a", "1"), ("b", "2")], Some(&other)), "IncorrectKeyException: ");
    stand.refused(decrypt(&Bytes::new(), &[], None), "ValidationException: 1 validation error");
}

#[test]
fn a_key_is_found_by_id_arn_alias_and_the_aliass_arn() {
    let mut stand = Stand::new();
    let key = stand.create();
    stand.alias("alias/orders", &key).expect("made");
    let arn = stand.describe(&key).arn.expect("an ARN");
    assert_eq!(arn, alloc::format!("arn:aws:kms:us-east-1:000000000000:key/{key}"));
    for name in [&*arn, "alias/orders", "arn:aws:kms:us-east-1:000000000000:alias/orders"] {
        assert_eq!(stand.describe(name).key_id, key, "{name}");
    }
    let missing = "00000000-0000-4000-8000-000000000000";
    for (name, expected) in [
        (
            missing,
            "NotFoundException: Key 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000' does not exist",
        ),
        (
            "alias/none",
            "NotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.",
        ),
        ("nonsense", "NotFoundException: Invalid keyId 'nonsense'"),
        ("arn:aws:kms:eu-west-1:000000000000:key/x", "NotFoundException: Invalid arn eu-west-1"),
        ("arn:aws:sqs:us-east-1:000000000000:q", "NotFoundException: Invalid arn"),
        ("", "ValidationException: 1 validation error detected: Value null at 'keyId'"),
    ] {
        stand.refused(encrypt(name, &[]), expected);
    }
    // What changes a key takes no alias.
    stand.refused(disable("alias/orders"), "NotFoundException: Invalid keyId 'alias/orders'");
}

#[test]
fn a_disabled_key_does_nothing_and_one_that_waits_for_its_deletion_even_less() {
    let mut stand = Stand::new();
    let key = stand.create();
    let arn = stand.describe(&key).arn.expect("an ARN");
    let blob = stand.encrypt(&key, &[]);
    stand.ask(disable(&key)).expect("disabled");
    assert_eq!(stand.describe(&key).key_state.as_deref(), Some("Disabled"));
    let expected = alloc::format!("DisabledException: {arn} is disabled.");
    stand.refused(encrypt(&key, &[]), &expected);
    stand.refused(decrypt(&blob, &[], None), &expected);
    stand.refused(generate(&key, None, Some("AES_256")), &expected);

    stand.refused(delete(&key, 6), "ValidationException: 1 validation error detected: Value '6'");
    stand.ask(delete(&key, 7)).expect("scheduled");
    let expected = alloc::format!("KMSInvalidStateException: {arn} is pending deletion.");
    stand.refused(encrypt(&key, &[]), &expected);
    stand.refused(disable(&key), &expected);
    stand.refused(delete(&key, 7), &expected);
    let cancel = || Request::CancelKeyDeletion(wire::CancelKeyDeletionRequest { key_id: key.clone() });
    stand.ask(cancel()).expect("called off");
    assert_eq!(stand.describe(&key).key_state.as_deref(), Some("Disabled"));
    stand.refused(cancel(), "KMSInvalidStateException: ");
    stand.ask(Request::EnableKey(wire::EnableKeyRequest { key_id: key.clone() })).expect("enabled");
    assert_eq!(stand.decrypt(&blob, &[]).as_deref(), Ok(&b"text"[..]));

    stand.alias("alias/gone", &key).expect("made");
    stand.ask(delete(&key, 7)).expect("scheduled");
    stand.now = Moment(stand.now.0 + 7 * DAY - 1);
    assert_eq!(stand.describe(&key).key_state.as_deref(), Some("PendingDeletion"));
    stand.now = Moment(stand.now.0 + 1);
    stand.refused(encrypt(&key, &[]), "NotFoundException: Key");
    stand.refused(encrypt("alias/gone", &[]), "NotFoundException: Alias");
    stand.refused(decrypt(&blob, &[], None), "InvalidCiphertextException: ");
}

#[test]
fn rotation_makes_new_material_and_keeps_the_old() {
    let mut stand = Stand::new();
    let key = stand.create();
    let first = stand.encrypt(&key, &[]);
    let rotate = || Request::RotateKeyOnDemand(wire::RotateKeyOnDemandRequest { key_id: key.clone() });
    stand.ask(rotate()).expect("rotated");
    let second = stand.encrypt(&key, &[]);
    assert_ne!(first, second);
    let enable = wire::EnableKeyRotationRequest { key_id: key.clone(), rotation_period_in_days: Some(90) };
    stand.ask(Request::EnableKeyRotation(enable)).expect("enabled");
    stand.now = Moment(stand.now.0 + 90 * DAY);
    let third = stand.encrypt(&key, &[]);
    assert_ne!(third, second);
    stand.now = Moment(stand.now.0 + 89 * DAY);
    assert_eq!(stand.encrypt(&key, &[]), third);
    for blob in [first, second, third] {
        assert_eq!(stand.decrypt(&blob, &[]).as_deref(), Ok(&b"text"[..]));
    }
    for _ in 1..limits::ROTATIONS_ON_DEMAND {
        stand.ask(rotate()).expect("rotated");
    }
    stand.refused(rotate(), "LimitExceededException: ");
}

#[test]
fn aliases_are_checked_unique_and_can_be_pointed_elsewhere() {
    let mut stand = Stand::new();
    let (one, two) = (stand.create(), stand.create());
    for (name, expected) in [
        ("orders", "ValidationException: Alias must start with the prefix"),
        ("alias/", "ValidationException: 1 validation error"),
        ("alias/a b", "ValidationException: 1 validation error"),
        ("alias/aws/mine", "NotAuthorizedException"),
    ] {
        let line = stand.alias(name, &one).expect_err("refused");
        assert!(line.starts_with(expected), "{line}");
    }
    stand.alias("alias/orders", &one).expect("made");
    let line = stand.alias("alias/orders", &two).expect_err("refused");
    assert_eq!(
        line,
        "AlreadyExistsException: An alias with the name arn:aws:kms:us-east-1:000000000000:alias/orders already exists"
    );
    let update = |name: &str| {
        let (alias_name, target_key_id) = (name.into(), two.clone());
        Request::UpdateAlias(wire::UpdateAliasRequest { alias_name, target_key_id })
    };
    stand.ask(update("alias/orders")).expect("updated");
    assert_eq!(stand.describe("alias/orders").key_id, two);
    stand.refused(update("alias/none"), "NotFoundException: Alias");
    let remove = || Request::DeleteAlias(wire::DeleteAliasRequest { alias_name: "alias/orders".into() });
    stand.ask(remove()).expect("removed");
    stand.refused(remove(), "NotFoundException: Alias");
}

#[test]
fn the_key_that_is_kept_for_queues_comes_when_it_is_looked_at_and_nobody_may_change_it() {
    let mut stand = Stand::new();
    let metadata = stand.describe("alias/aws/sqs");
    assert_eq!(metadata.key_manager.as_deref(), Some("AWS"));
    assert_eq!(stand.describe("alias/aws/sqs").key_id, metadata.key_id);
    stand.refused(disable(&metadata.key_id), "AccessDeniedException: ");
    stand.refused(delete(&metadata.key_id, 7), "AccessDeniedException: ");
    stand.refused(encrypt("alias/aws/nothing", &[]), "NotFoundException: ");
}

#[test]
fn nobody_in_particular_is_no_member_of_an_account() {
    let mut stand = Stand::new();
    let id = stand.describe("alias/aws/sqs").key_id;
    let principal = |kind, id: &str| Principal {
        account: Account::DEFAULT,
        arn: "arn:aws:iam::000000000000:user/ann".into(),
        id: id.into(),
        kind,
        tags: Vec::new(),
        issued: None,
    };
    let caller = |kind| {
        let principal = principal(kind, "AIDAEXAMPLE");
        let identity =
            Identity { principal, permissions: None, access_key: None, counts_as: None, chain: None };
        Caller::identified(Arc::new(identity), "us-east-1".into(), None)
    };
    let key = stand.state.find(&stand.caller, &id).expect("the key");
    let wish = Wish { action: "kms:Decrypt", pairs: &[], via: Some("sqs"), now: stand.now };
    assert!(authority::check(&caller(Kind::Root), key, &wish).is_ok());
    assert!(authority::check(&caller(Kind::Anonymous), key, &wish).is_err());
}

#[test]
fn data_keys_have_the_length_that_was_asked_for() {
    let mut stand = Stand::new();
    let key = stand.create();
    for (bytes, spec, length) in
        [(None, Some("AES_256"), 32), (None, Some("AES_128"), 16), (Some(64), None, 64)]
    {
        let Ok(Reply::GenerateDataKey(reply)) = stand.ask(generate(&key, bytes, spec)) else {
            panic!("refused")
        };
        let plain = reply.plaintext.expect("a plaintext");
        assert_eq!(plain.len(), length);
        assert_eq!(stand.decrypt(&reply.ciphertext_blob.expect("a ciphertext"), &[]), Ok(plain));
    }
    for (bytes, spec) in [
        (None, None),
        (Some(1), Some("AES_256")),
        (Some(0), None),
        (Some(1025), None),
        (None, Some("AES_512")),
    ] {
        stand.refused(generate(&key, bytes, spec), "ValidationException: ");
    }
}

#[test]
fn who_may_not_use_a_key_does_not_learn_whether_it_is_there() {
    let mut stand = Stand::new();
    let key = stand.create();
    stand.alias("alias/payroll", &key).expect("made");
    let arn = |name: &str| alloc::format!("arn:aws:kms:us-east-1:000000000000:{name}");
    let describe = |name: &str| {
        Request::DescribeKey(wire::DescribeKeyRequest { key_id: name.into(), ..Default::default() })
    };
    let (there, gone) = (arn(&alloc::format!("key/{key}")), arn("key/00000000-0000-4000-8000-00000000ffff"));
    let names = [(arn("alias/payroll"), arn("alias/nonesuch")), (there, gone)];
    for caller in [user("000000000000", r#""sqs:*""#), user("123456789012", r#""kms:*""#)] {
        stand.caller = caller;
        for (there, gone) in &names {
            for ask in [&describe as &dyn Fn(&str) -> Request, &|name| encrypt(name, &[]), &disable] {
                let told = stand.ask(ask(there)).expect_err("refused");
                let expected = told.replace(&**there, gone);
                assert_eq!(stand.ask(ask(gone)).expect_err("refused"), expected);
                assert!(
                    told.starts_with("AccessDeniedException: ") || told.contains("Invalid keyId"),
                    "{told}"
                );
                assert!(there.contains("key/") || !told.contains(&*key), "{told}");
            }
        }
    }
    // Whoever may is told.
    stand.caller = user("000000000000", r#""kms:*""#);
    stand.refused(describe("alias/nonesuch"), "NotFoundException: Alias ");
    stand.refused(disable(&names[1].1), "NotFoundException: Key ");
}

#[test]
fn what_is_not_served_is_refused_as_such() {
    let mut stand = Stand::new();
    for request in [
        wire::CreateKeyRequest { key_spec: Some("RSA_2048".into()), ..Default::default() },
        wire::CreateKeyRequest { key_usage: Some("SIGN_VERIFY".into()), ..Default::default() },
        wire::CreateKeyRequest { origin: Some("EXTERNAL".into()), ..Default::default() },
        wire::CreateKeyRequest { multi_region: Some(true), ..Default::default() },
    ] {
        stand.refused(Request::CreateKey(request), "UnsupportedOperationException: ");
    }
    let key = stand.create();
    let Request::Encrypt(plain) = encrypt(&key, &[]) else { return };
    let dry = wire::EncryptRequest { dry_run: Some(true), ..plain.clone() };
    stand.refused(Request::Encrypt(dry), "DryRunOperationException: The request would have succeeded");
    let other =
        wire::EncryptRequest { encryption_algorithm: Some("RSAES_OAEP_SHA_1".into()), ..plain.clone() };
    stand.refused(Request::Encrypt(other), "InvalidKeyUsageException: ");
    let long = wire::EncryptRequest { plaintext: vec![0; 4097].into(), ..plain };
    stand.refused(Request::Encrypt(long), "ValidationException: 1 validation error");
}

#[test]
fn lists_come_in_pages_and_show_the_callers_own() {
    let mut stand = Stand::new();
    let mut made: Vec<Text> = (0..5).map(|_| stand.create()).collect();
    made.sort_unstable();
    let (mut listed, mut marker) = (Vec::new(), None);
    loop {
        let request = wire::ListKeysRequest { limit: Some(2), marker, ..Default::default() };
        let Ok(Reply::ListKeys(page)) = stand.ask(Request::ListKeys(request)) else { panic!("refused") };
        listed.extend(page.keys.into_iter().filter_map(|key| key.key_id));
        marker = page.next_marker;
        assert_eq!(page.truncated, Some(marker.is_some()));
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(listed, made);
    let too_many = wire::ListKeysRequest { limit: Some(1001), ..Default::default() };
    stand.refused(Request::ListKeys(too_many), "ValidationException: ");
    stand.caller = Caller::open("123456789012".parse().expect("an account"), "us-east-1".into());
    let all = Request::ListKeys(wire::ListKeysRequest::default());
    assert!(matches!(stand.ask(all), Ok(Reply::ListKeys(page)) if page.keys.is_empty()));
}

/// A user whose own policy allows these actions.
fn user(account: &str, actions: &str) -> Caller {
    user_of(account, actions, "*")
}

/// The same, with these resources.
fn user_of(account: &str, actions: &str, resources: &str) -> Caller {
    let account: Account = account.parse().expect("an account");
    let document =
        alloc::format!(r#"{{"Statement":{{"Effect":"Allow","Action":{actions},"Resource":"{resources}"}}}}"#);
    let policy = Policy::compile(Use::Identity, "inline".into(), &document).expect("a policy");
    let principal = Principal {
        account,
        arn: alloc::format!("arn:aws:iam::{account}:user/ann").into(),
        id: "AIDAANN".into(),
        kind: Kind::User { name: "ann".into() },
        tags: Vec::new(),
        issued: None,
    };
    let permissions = Permissions { identity: vec![Arc::new(policy)], ..Default::default() };
    let identity = Identity {
        principal,
        permissions: Some(permissions),
        access_key: None,
        counts_as: None,
        chain: None,
    };
    Caller::identified(Arc::new(identity), "us-east-1".into(), None)
}

#[test]
fn a_key_policy_decides_and_may_leave_it_to_the_account() {
    let mut stand = Stand::new();
    let key = stand.create();
    let arn = stand.describe(&key).arn.expect("an ARN");
    // The default policy leaves it to the account: a user's own policies count.
    stand.caller = user("000000000000", r#""kms:Encrypt""#);
    let blob = stand.encrypt(&key, &[]);
    let denied =
        "AccessDeniedException: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: ";
    let because = |action: &str, of: &str| {
        alloc::format!(
            "{denied}{action} on resource: {of} because no identity-based policy allows the {action} action"
        )
    };
    stand.refused(decrypt(&blob, &[], None), &because("kms:Decrypt", &arn));
    stand.refused(Request::CreateKey(Default::default()), &because("kms:CreateKey", "*"));

    // A policy that does not name the account leaves nothing to it, and one that names a user needs nobody else.
    stand.caller = Caller::open(Account::DEFAULT, "us-east-1".into());
    let put = |policy: &str| {
        Request::PutKeyPolicy(wire::PutKeyPolicyRequest {
            key_id: key.clone(),
            policy: policy.into(),
            ..Default::default()
        })
    };
    stand.refused(put("{"), "MalformedPolicyDocumentException: ");
    stand
        .ask(put(
            r#"{"Statement":[
                {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"kms:Decrypt","Resource":"*",
                 "Condition":{"StringEquals":{"kms:EncryptionContext:for":"ann"}}},
                {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:Encrypt","Resource":"*"}]}"#,
        ))
        .expect("put");
    let blob = stand.encrypt(&key, &[("for", "ann")]);
    stand.caller = user("000000000000", r#""kms:Encrypt""#);
    stand.refused(encrypt(&key, &[]), "AccessDeniedException: ");
    assert_eq!(stand.decrypt(&blob, &[("for", "ann")]).as_deref(), Ok(&b"text"[..]));
    stand.refused(decrypt(&blob, &[("for", "bob")], None), "AccessDeniedException: ");
    // A pair that only looks like the one that is wanted does not count beside it.
    stand.refused(decrypt(&blob, &[("FOR", "ann"), ("for", "bob")], None), "AccessDeniedException: ");
    stand.refused(decrypt(&blob, &[("FOR", "bob"), ("for", "ann")], None), "AccessDeniedException: ");

    // Another account's user needs both.
    stand.caller = user("123456789012", r#""kms:Encrypt""#);
    stand.encrypt(&arn, &[]);
    stand.caller = user("123456789012", r#""kms:Decrypt""#);
    stand.refused(encrypt(&arn, &[]), "AccessDeniedException: ");
    stand.caller = user("210987654321", r#""kms:*""#);
    // A stranger is not told whether there is such a key.
    let vague = "AccessDeniedException: User: arn:aws:iam::210987654321:user/ann is not authorized to perform: kms:Encrypt on this resource because the resource does not exist in this Region, ";
    stand.refused(encrypt(&arn, &[]), vague);
}

/// All that a request says is part of its body, which would otherwise stay as long as the key does.
#[test]
fn what_is_kept_of_a_request_does_not_hold_its_body() {
    let mut stand = Stand::new();
    let key = stand.create();
    let policy = match stand
        .ask(Request::GetKeyPolicy(wire::GetKeyPolicyRequest { key_id: key.clone(), ..Default::default() }))
    {
        Ok(Reply::GetKeyPolicy(reply)) => reply.policy.expect("a policy"),
        other => panic!("{other:?}"),
    };
    let words = [&*policy, "words", "us-west-1", "alias/orders", "alias/aws/sqs", &*key].concat();
    let body = Bytes::from(words.clone().into_bytes());
    let part = |word: &str| {
        let start = words.find(word).expect("in the body");
        Text::try_from(body.slice(start..start + word.len())).expect("UTF-8")
    };
    let tags = || vec![wire::Tag { tag_key: part("words"), tag_value: part("words") }];
    let requests = vec![
        Request::CreateKey(wire::CreateKeyRequest {
            policy: Some(part(&policy)),
            description: Some(part("words")),
            tags: tags(),
            ..Default::default()
        }),
        Request::UpdateKeyDescription(wire::UpdateKeyDescriptionRequest {
            key_id: part(&key),
            description: part("words"),
        }),
        Request::TagResource(wire::TagResourceRequest { key_id: part(&key), tags: tags() }),
        Request::PutKeyPolicy(wire::PutKeyPolicyRequest {
            key_id: part(&key),
            policy: part(&policy),
            ..Default::default()
        }),
        Request::CreateAlias(wire::CreateAliasRequest {
            alias_name: part("alias/orders"),
            target_key_id: part(&key),
        }),
        Request::UpdateAlias(wire::UpdateAliasRequest {
            alias_name: part("alias/orders"),
            target_key_id: part(&key),
        }),
        Request::DescribeKey(wire::DescribeKeyRequest {
            key_id: part("alias/aws/sqs"),
            ..Default::default()
        }),
    ];
    let mut state = stand.state.clone();
    let ask = |state: &mut State, region: Text, request: Request| {
        let caller = Caller::open(Account::DEFAULT, region);
        let context = Context { caller: &caller, now: stand.now, cipher: &stand.cipher };
        change(state, &context, request).expect("granted");
    };
    for request in requests {
        ask(&mut state, "us-east-1".into(), request);
    }
    ask(&mut state, part("us-west-1"), Request::CreateKey(wire::CreateKeyRequest::default()));
    let managed = wire::DescribeKeyRequest { key_id: part("alias/aws/sqs"), ..Default::default() };
    ask(&mut state, part("us-west-1"), Request::DescribeKey(managed));
    assert_eq!(state.keys.len(), 5);
    assert!(body.is_unique());
}

#[test]
fn an_account_has_so_many_keys_in_all_its_regions_and_no_more() {
    let stand = Stand::new();
    let mut state = State::default();
    let ask = |state: &mut State, region: usize, request: Request| {
        let caller = Caller::open(Account::DEFAULT, alloc::format!("nowhere-{region}").into());
        let context = Context { caller: &caller, now: stand.now, cipher: &stand.cipher };
        change(state, &context, request).map_err(|fault| fault.kind.name)
    };
    let create = || Request::CreateKey(wire::CreateKeyRequest::default());
    let managed = || {
        let key_id = "alias/aws/sqs".into();
        Request::DescribeKey(wire::DescribeKeyRequest { key_id, ..Default::default() })
    };
    for region in 0..limits::KEYS {
        ask(&mut state, region, create()).expect("made");
    }
    assert_eq!(ask(&mut state, limits::KEYS, create()).err(), Some("LimitExceededException"));
    // Those that are kept for services are none of the account's own; but regions are whatever a caller calls so.
    for region in 0..limits::REGIONS {
        ask(&mut state, region, managed()).expect("made");
    }
    assert_eq!(ask(&mut state, limits::REGIONS, managed()).err(), Some("LimitExceededException"));
    ask(&mut state, 0, managed()).expect("it is there");
}

#[test]
fn tags_are_counted_before_they_are_looked_at() {
    let mut stand = Stand::new();
    let key = stand.create();
    let tag = |number: usize| wire::Tag { tag_key: alloc::format!("{number}").into(), tag_value: "v".into() };
    let tags = |count| (0..count).map(tag).collect::<Vec<_>>();
    let set = |tags| Request::TagResource(wire::TagResourceRequest { key_id: key.clone(), tags });
    let names = |count: usize| (0..count).map(|number| tag(number).tag_key).collect();
    let unset =
        |tag_keys| Request::UntagResource(wire::UntagResourceRequest { key_id: key.clone(), tag_keys });
    stand.ask(set(tags(limits::TAGS))).expect("set");
    stand.refused(set(vec![tag(limits::TAGS)]), "TagException: Too many tags");
    // The first one is none, which nobody comes to see.
    let mut over = tags(limits::TAGS + 1);
    over[0].tag_key = Text::new();
    stand.refused(set(over.clone()), "TagException: Too many tags");
    let create = wire::CreateKeyRequest { tags: over, ..Default::default() };
    stand.refused(Request::CreateKey(create), "TagException: Too many tags");
    stand.refused(unset(names(limits::TAGS + 1)), "TagException: Too many tags");
    stand.ask(unset(names(limits::TAGS))).expect("unset");
}

#[test]
fn who_may_not_use_a_key_does_not_learn_of_it_by_aliases() {
    let mut stand = Stand::new();
    let key = stand.create();
    let other = stand.create();
    stand.alias("alias/payroll", &key).expect("made");
    // The alias is his to change, the key is not.
    stand.caller = user_of("000000000000", r#""kms:*""#, "arn:aws:kms:*:*:alias/*");
    let update = |name: &str| {
        let (alias_name, target_key_id) = (name.into(), other.clone());
        Request::UpdateAlias(wire::UpdateAliasRequest { alias_name, target_key_id })
    };
    let delete = |name: &str| Request::DeleteAlias(wire::DeleteAliasRequest { alias_name: name.into() });
    for ask in [&update as &dyn Fn(&str) -> Request, &delete] {
        let told = stand.ask(ask("alias/payroll")).expect_err("refused");
        assert!(told.starts_with("AccessDeniedException: ") && !told.contains(&*key), "{told}");
        assert_eq!(stand.ask(ask("alias/nonesuch")).expect_err("refused"), told);
    }
    // Another account's key, whoever asks.
    let arn = |id: &str| alloc::format!("arn:aws:kms:us-east-1:000000000000:key/{id}");
    stand.caller = Caller::open("123456789012".parse().expect("an account"), "us-east-1".into());
    let mut list = |id: &str| {
        let key_id = Some(arn(id).into());
        stand.ask(Request::ListAliases(wire::ListAliasesRequest { key_id, ..Default::default() }))
    };
    let told = list(&key).expect_err("refused");
    assert!(told.starts_with("AccessDeniedException: "), "{told}");
    assert_eq!(list("00000000-0000-4000-8000-00000000ffff").expect_err("refused"), told);
}
