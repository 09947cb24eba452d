//! TLS: the server's certificate and key from files, and taken anew when those change.
//!
//! Each connection takes what is current when it begins, so a change ends none. Files that cannot be used are told in one line:
//! at the start they end the process, later the server keeps what it has.

mod reading;
mod validity;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;

pub(crate) use watch::watch;

use crate::failure::Failure;
use reading::Contents;

/// The protocols that are spoken behind TLS, the preferred first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];

/// HTTP/2, as a handshake names it.
pub(crate) const HTTP2: &[u8] = b"h2";

/// Which files the operator named, all of them PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The server's certificate, and behind it those that lead to its root.
    pub(crate) certificate: PathBuf,
    /// The certificate's private key.
    pub(crate) key: PathBuf,
    /// The roots of callers' certificates; with them every caller must show one.
    pub(crate) client_authority: Option<PathBuf>,
}

/// What is shown to callers, and what is asked of them.
#[derive(Debug)]
pub(crate) struct Tls {
    files: Files,
    current: RwLock<Current>,
    /// The print of the files as they were last looked at, used or not.
    seen: Mutex<Option<u64>>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// When the certificate expires, in seconds since 1970.
    expires: Option<i64>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: &Files) -> Result<Self, Failure> {
        let contents = Contents::read(files).map_err(Failure::usage)?;
        let current = current(files, &contents).map_err(Failure::usage)?;
        if has_expired(current.expires, SystemTime::now()) {
            tracing::warn!("{} has expired: callers will refuse it; replace it", files.certificate.display());
        }
        Ok(Self {
            files: files.clone(),
            current: RwLock::new(current),
            seen: Mutex::new(Some(contents.print())),
        })
    }

    /// What the next connection gets.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).config)
    }

    /// When the certificate expires, in seconds since 1970; `None` if it does not say so in a way that is understood.
    pub(crate) fn expires(&self) -> Option<i64> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// Takes the files if they have changed since the last look. It reads files: not for a thread that serves.
    fn refresh(&self) {
        let read = Contents::read(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is missing for a moment is often about to be replaced: told once, like any other change.
        let print = read.as_ref().ok().map(Contents::print);
        if print == *seen {
            return;
        }
        let made = read.as_ref().map_err(Clone::clone).and_then(|contents| {
            let current = current(&self.files, contents)?;
            if has_expired(current.expires, SystemTime::now()) {
                return Err(format!("{} has expired", self.files.certificate.display()));
            }
            Ok(current)
        });
        *seen = print;
        match made {
            Ok(made) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = made;
                tracing::info!(
                    "TLS: new connections get the certificate that is now in {}",
                    self.files.certificate.display()
                );
            }
            Err(reason) => tracing::warn!(
                "TLS: the changed files are not used, and the certificate stays as it was: {reason}"
            ),
        }
    }
}

fn current(files: &Files, contents: &Contents) -> Result<Current, String> {
    let (mut config, expires) = contents.parse(files)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Current { config: Arc::new(config), expires })
}

fn has_expired(expires: Option<i64>, now: SystemTime) -> bool {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    expires.is_some_and(|expires| i64::try_from(now).is_ok_and(|now| expires < now))
}

#[cfg(test)]
mod tests;
