use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use kew_engine::identity::{Account, Identity, Kind, Permissions, Principal};
use kew_engine::services::sqs::message;
use kew_wire::kms::{
    CreateAliasRequest, CreateKeyRequest, DisableKeyRequest, EnableKeyRequest, Reply as KmsReply, Request,
    RotateKeyOnDemandRequest, ScheduleKeyDeletionRequest,
};
use kew_wire::sqs::faults as kinds;

use super::*;
use crate::vault::Source;

/// Encryption in a directory that goes when the test ends.
struct Stand {
    path: PathBuf,
    clock: Arc<Clock>,
    queues: Arc<Queues>,
    sse: Sse,
}

impl Stand {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::at(std::env::temp_dir().join(format!("kew-sse-{}-{number}", std::process::id())))
    }

    fn at(path: PathBuf) -> Self {
        let clock = Arc::new(Clock::new());
        let vault = Vault::open(&path, &Source::Generated).expect("a vault");
        let kms = Arc::new(Kms::open(&vault, Arc::clone(&clock)).expect("keys"));
        let queues = Arc::<Queues>::default();
        let sse = Sse::open(&vault, kms, Arc::clone(&queues), Arc::clone(&clock)).expect("encryption");
        Self { path, clock, queues, sse }
    }

    /// The server, started again.
    fn restarted(&self) -> Self {
        let next = Self::at(self.path.clone());
        next.queues.learn(&queue(), Some(self.queues.place(&queue()).encryption.clone()));
        next
    }

    async fn kms(&self, request: Request) -> KmsReply {
        self.sse.kms.answer(&caller(), request).await.expect("granted")
    }

    async fn create_key(&self) -> Text {
        match self.kms(Request::CreateKey(CreateKeyRequest::default())).await {
            KmsReply::CreateKey(reply) => reply.key_metadata.expect("metadata").key_id,
            other => panic!("{other:?}"),
        }
    }

    /// The queue wants this KMS key, whose data keys it uses for a minute.
    fn wants(&self, key: &str) {
        let reuse = Millis::seconds(60);
        self.queues.learn(&queue(), Some(Encryption::Kms { key: key.into(), reuse }));
    }

    async fn send(&self, body: &'static str) -> Result<Bytes, Fault> {
        let mut messages = [outgoing(body)];
        if !self.sse.seal_own(&queue(), &mut messages) {
            self.sse.seal(&caller(), &queue(), &mut messages).await?;
        }
        let [message] = messages;
        Ok(message.payload)
    }

    fn read(&self, payload: &Bytes) -> Result<Bytes, Fault> {
        self.sse.open_one(&caller(), payload.clone())
    }
}

fn drop_stand(stand: Stand) {
    std::fs::remove_dir_all(&stand.path).expect("it was there");
}

fn caller() -> Caller {
    Caller::open(Account::DEFAULT, "us-east-1".into())
}

fn queue() -> QueueKey {
    QueueKey { account: Account::DEFAULT, region: "us-east-1".into(), name: "orders".into() }
}

fn outgoing(body: &'static str) -> Outgoing {
    let payload = Bytes::from_static(body.as_bytes());
    Outgoing { payload, size: body.len(), delay: None, group: None, dedup: None, digest: None }
}

/// As a queue keeps it that does not encrypt.
fn plain(body: &'static str) -> Bytes {
    message::encode(&message::Payload {
        body: body.into(),
        body_md5: message::md5(body.as_bytes()),
        attributes: Vec::new(),
        attributes_md5: None,
        trace: None,
        sender: Text::new(),
        group: None,
        dedup: None,
    })
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test)
}

/// What belongs to the data key, and to the message alone.
fn parts(payload: &Bytes) -> (Bytes, Bytes) {
    let sealed = Sealed::parse(payload).expect("sealed");
    let number = payload.slice(sealed.head.len()..sealed.head.len() + 8);
    (sealed.head, number)
}

#[test]
fn a_message_is_encrypted_as_its_queue_wants_and_comes_back_after_a_restart() {
    run(async {
        let stand = Stand::new();
        let key = stand.create_key().await;
        let wanted = [
            None,
            Some(Encryption::Managed),
            Some(Encryption::Kms { key, reuse: Millis::seconds(60) }),
            Some(Encryption::Kms { key: MANAGED.into(), reuse: Millis::seconds(60) }),
        ];
        for encryption in wanted {
            stand.queues.learn(&queue(), encryption);
            let payload = stand.send("a message").await.expect("sent");
            assert!(!payload.windows(7).any(|window| window == b"message"));
            for reader in [&stand, &stand.restarted()] {
                assert_eq!(reader.read(&payload).as_deref(), Ok(&b"a message"[..]));
            }
        }
        stand.queues.learn(&queue(), Some(Encryption::Plain));
        assert_eq!(stand.send("a message").await.as_deref(), Ok(&b"a message"[..]));
        assert_eq!(stand.read(&plain("old")), Ok(plain("old")));
        drop_stand(stand);
    });
}

#[test]
fn no_two_messages_share_key_and_nonce_also_not_after_restarts() {
    run(async {
        let stand = Stand::new();
        let key = stand.create_key().await;
        for encryption in [Encryption::Managed, Encryption::Kms { key, reuse: Millis::seconds(60) }] {
            stand.queues.learn(&queue(), Some(encryption));
            let (mut seen, mut heads) = (HashSet::new(), HashSet::new());
            for _ in 0..5 {
                let server = stand.restarted();
                for _ in 0..200 {
                    let (head, number) = parts(&server.send("text").await.expect("sent"));
                    heads.insert(head.clone());
                    assert!(seen.insert((head, number)), "a nonce came twice under a key");
                }
            }
            assert_eq!(heads.len(), 5, "a restart begins with new data keys, and one serves many messages");
        }
        drop_stand(stand);
    });
}

#[test]
fn a_data_key_is_used_for_its_time_and_another_wrapping_key_takes_effect_at_once() {
    run(async {
        let stand = Stand::new();
        stand.wants(&stand.create_key().await);
        let head = async || parts(&stand.send("text").await.expect("sent")).0;
        let first = head().await;
        stand.clock.advance(Millis::seconds(58));
        assert_eq!(head().await, first);
        stand.clock.advance(Millis::seconds(2));
        let second = head().await;
        assert_ne!(second, first);
        stand.wants(&stand.create_key().await);
        assert_ne!(head().await, second);
        drop_stand(stand);
    });
}

#[test]
fn a_key_that_is_disabled_deleted_unknown_or_anothers_refuses_senders_and_receivers() {
    run(async {
        let stand = Stand::new();
        let key = stand.create_key().await;
        stand.wants(&key);
        let payload = stand.send("text").await.expect("sent");
        assert!(stand.read(&payload).is_ok());
        let told = async || {
            let checked = stand.sse.check_receive(&caller(), &queue()).await.expect_err("refused").kind;
            let sent = stand.send("text").await.expect_err("refused").kind;
            let read = stand.read(&payload).expect_err("refused").kind;
            assert_eq!((checked, sent), (read, read));
            read
        };

        stand.kms(Request::DisableKey(DisableKeyRequest { key_id: key.clone() })).await;
        assert_eq!(told().await, &kinds::KMS_DISABLED);
        stand.kms(Request::EnableKey(EnableKeyRequest { key_id: key.clone() })).await;
        assert!(stand.send("text").await.is_ok() && stand.read(&payload).is_ok());

        let stranger = Caller::open("123456789012".parse().expect("an account"), "us-east-1".into());
        let mut messages = [outgoing("text")];
        let refused = stand.sse.seal(&stranger, &queue(), &mut messages).await.expect_err("refused");
        assert_eq!(refused.kind, &kinds::KMS_ACCESS_DENIED);
        let refused = stand.sse.open_one(&stranger, payload.clone()).expect_err("refused");
        assert_eq!(refused.kind, &kinds::KMS_ACCESS_DENIED);

        let delete = ScheduleKeyDeletionRequest { key_id: key.clone(), pending_window_in_days: Some(7) };
        stand.kms(Request::ScheduleKeyDeletion(delete)).await;
        assert_eq!(told().await, &kinds::KMS_INVALID_STATE);
        stand.clock.advance(Millis(7 * 86_400_000 + 1));
        assert_eq!(told().await, &kinds::KMS_NOT_FOUND);

        stand.wants("alias/nothing");
        assert_eq!(stand.send("text").await.expect_err("refused").kind, &kinds::KMS_NOT_FOUND);
        drop_stand(stand);
    });
}

#[test]
fn a_rotated_key_still_reads_what_it_encrypted_before() {
    run(async {
        let stand = Stand::new();
        let key = stand.create_key().await;
        let alias = CreateAliasRequest { alias_name: "alias/q".into(), target_key_id: key.clone() };
        stand.kms(Request::CreateAlias(alias)).await;
        stand.wants("alias/q");
        let before = stand.send("before").await.expect("sent");
        stand.kms(Request::RotateKeyOnDemand(RotateKeyOnDemandRequest { key_id: key })).await;
        let server = stand.restarted();
        let after = server.send("after").await.expect("sent");
        assert_eq!(server.read(&before).as_deref(), Ok(&b"before"[..]));
        assert_eq!(server.read(&after).as_deref(), Ok(&b"after"[..]));
        drop_stand(stand);
    });
}

#[test]
fn of_several_messages_those_that_can_be_read_are_given_and_a_fifo_queue_keeps_its_order() {
    run(async {
        let stand = Stand::new();
        let delivery = |group: u64| sqs::command::Delivery {
            payload: sqs::command::Locator { position: 0, length: 0 },
            id: [0; 16],
            group,
            handle: Text::new(),
            sent: kew_engine::time::Moment(0),
            first_received: None,
            receive_count: 1,
            sequence: None,
            source: None,
        };
        let (one, two) = (stand.create_key().await, stand.create_key().await);
        stand.wants(&one);
        let first = stand.send("first").await.expect("sent");
        stand.wants(&two);
        let (lost, last) = (stand.send("lost").await.expect("sent"), {
            stand.wants(&one);
            stand.send("last").await.expect("sent")
        });
        stand.kms(Request::DisableKey(DisableKeyRequest { key_id: two })).await;
        let receive_of = |is_fifo, messages: Vec<(u64, Bytes)>| {
            let deliveries = messages.iter().map(|(group, _)| delivery(*group)).collect();
            let payloads = messages.into_iter().map(|(_, payload)| payload).collect();
            let reply = Reply::Sqs(Ok(sqs::Reply::Received(deliveries)));
            let receiver = Receiver { caller: caller(), queue: queue(), in_order: is_fifo };
            let (answer, back) = stand.sse.open_all(&receiver, Answer { reply, payloads });
            let back: Vec<u64> = back.into_iter().map(|delivery| delivery.group).collect();
            (answer.map(|answer| answer.payloads).map_err(|fault| fault.kind), back)
        };
        let receive = |payloads: Vec<Bytes>| {
            receive_of(false, payloads.into_iter().map(|payload| (0, payload)).collect())
        };
        let all = |groups: [u64; 3]| {
            groups.into_iter().zip([first.clone(), lost.clone(), last.clone()]).collect::<Vec<_>>()
        };
        let both = || Ok(vec!["first".into(), "last".into()]);
        assert_eq!(receive_of(false, all([0, 0, 0])), (both(), vec![]));
        // What waits for it in its group goes back; another group does not wait.
        assert_eq!(receive_of(true, all([7, 7, 7])), (Ok(vec!["first".into()]), vec![7]));
        assert_eq!(receive_of(true, all([7, 7, 8])), (both(), vec![]));
        assert_eq!(
            receive_of(
                true,
                vec![(7, lost.clone()), (7, last.clone()), (8, first.clone()), (7, first.clone())]
            ),
            (Ok(vec!["first".into()]), vec![7, 7])
        );
        assert_eq!(
            receive_of(true, vec![(7, lost.clone()), (7, last.clone())]),
            (Err(&kinds::KMS_DISABLED), vec![7])
        );
        assert_eq!(receive(vec![lost.clone()]).0, Err(&kinds::KMS_DISABLED));
        // A queue that does not encrypt has only the body's digest.
        let plain = plain("plain");
        let mut changed = plain.to_vec();
        let body = changed.windows(5).position(|window| window == b"plain").expect("the body");
        changed[body] ^= 1;
        assert_eq!(receive(vec![changed.clone().into(), plain.clone()]).0, Ok(vec![plain]));
        assert_eq!(receive(vec![changed.into()]).0, Err(&common::INTERNAL_FAILURE));
        drop_stand(stand);
    });
}

#[test]
fn who_may_not_use_a_queue_s_key_does_not_learn_whether_it_is_there() {
    run(async {
        let stand = Stand::new();
        let key = stand.create_key().await;
        let alias = CreateAliasRequest { alias_name: "alias/secret".into(), target_key_id: key.clone() };
        stand.kms(Request::CreateAlias(alias)).await;
        let arn = |name: &str| format!("arn:aws:kms:us-east-1:000000000000:{name}");
        let (there, gone) = (format!("key/{key}"), "key/00000000-0000-4000-8000-00000000ffff".to_owned());
        // One of the account, and one of another who has such a queue.
        for account in ["000000000000", "123456789012"] {
            let account: Account = account.parse().expect("an account");
            let principal = Principal {
                account,
                arn: format!("arn:aws:iam::{account}:user/ann").into(),
                id: "AIDAANN".into(),
                kind: Kind::User { name: "ann".into() },
                tags: Vec::new(),
                issued: None,
            };
            let permissions = Some(Permissions::default());
            let identity =
                Identity { principal, permissions, access_key: None, counts_as: None, chain: None };
            let caller = Caller::identified(Arc::new(identity), "us-east-1".into(), None);
            let queue = QueueKey { account, ..queue() };
            let told = async |name: &str| {
                let reuse = Millis::seconds(60);
                stand.queues.learn(&queue, Some(Encryption::Kms { key: name.into(), reuse }));
                let refused = stand.sse.check_receive(&caller, &queue).await.expect_err("refused");
                assert_eq!(refused.kind, &kinds::KMS_ACCESS_DENIED, "{name}");
                refused.message.to_string()
            };
            for (there, gone) in [("alias/secret", "alias/none"), (&there, &gone)] {
                let secret = told(&arn(there)).await;
                assert!(there.contains(&*key) || !secret.contains(&*key), "{secret}");
                assert_eq!(told(&arn(gone)).await, secret.replace(there, gone));
            }
        }
        drop_stand(stand);
    });
}
