use std::fs::File;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as Task, Waker};

use kew_wire::kms::{CreateKeyRequest, ListKeysRequest};
use rustix::fs::FlockOperation;

use super::*;
use crate::vault::Source;

fn create(
    kms: &Kms,
    caller: &Caller,
    description: &'static str,
) -> impl Future<Output = Result<Reply, Fault>> {
    let description = Some(Text::from_static(description));
    kms.answer(caller, Request::CreateKey(CreateKeyRequest { description, ..CreateKeyRequest::default() }))
}

fn count(kms: &Kms, caller: &Caller) -> usize {
    match kms::answer(&kms.state(), &kms.context(caller), Request::ListKeys(ListKeysRequest::default())) {
        Ok(Reply::ListKeys(reply)) => reply.keys.len(),
        other => panic!("{other:?}"),
    }
}

/// A caller who goes away lets no other change overtake the one that is being written for it.
#[test]
fn a_change_whose_caller_hangs_up_takes_nothing_from_the_next_one() {
    let data = std::env::temp_dir().join(format!("kew-kms-{}", std::process::id()));
    let vault = Vault::open(&data, &Source::Generated).expect("a vault");
    let kms = Kms::open(&vault, Arc::new(Clock::new())).expect("keys");
    let caller = Caller::open(Account::DEFAULT, "us-east-1".into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let lock = File::create(kms.file.path().with_extension("lock")).expect("the lock");
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).expect("nobody writes");
        {
            let mut left = pin!(create(&kms, &caller, "left"));
            assert!(left.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        }
        let mut kept = pin!(create(&kms, &caller, "kept"));
        assert!(kept.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        drop(lock);
        kept.await.expect("granted");
    });
    let reopened = Kms::open(&vault, Arc::new(Clock::new())).expect("keys");
    assert_eq!(count(&kms, &caller), 2);
    assert_eq!(count(&reopened, &caller), 2);
    std::fs::remove_dir_all(&data).expect("to remove it");
}
