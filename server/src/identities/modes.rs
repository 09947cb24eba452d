//! Safe by default: where nobody is asked who they are, only this machine may call, unless the operator means otherwise.

use crate::config::Config;
use crate::failure::Failure;

/// What an operator should know of keys that are used where others can read along.
pub(crate) fn warning(config: &Config, is_open: bool) -> Option<String> {
    let is_seen = !is_open && config.edge.tls.is_none() && !config.listen.ip().to_canonical().is_loopback();
    is_seen.then(|| {
        format!(
            "{} speaks plain HTTP to other machines: messages, and secrets that STS and KMS give out, can be read on their way; give --tls-certificate and --tls-key, or put what speaks TLS in front of it",
            config.listen
        )
    })
}

/// Refuses to listen beyond this machine while there are no access keys, unless that was said to be meant.
pub(crate) fn check(config: &Config, is_open: bool) -> Result<(), Failure> {
    if !is_open || config.insecure_open || config.listen.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} can be reached from other machines, and there are no access keys: make one (kew access-key create --data {}), or say by --insecure-open that anyone may read and erase everything",
        config.listen,
        config.data.display()
    )))
}
