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
use validity::Validity;

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
    seen: Mutex<Seen>,
}

/// The files as they were last looked at, used or not.
#[derive(Debug)]
struct Seen {
    /// `None` if they could not be read.
    print: Option<u64>,
    /// From when on their certificate is valid, in case it was not yet.
    due: Option<SystemTime>,
}

impl Seen {
    /// Whether the files, whose print is this now, need no other look.
    fn is_all(&self, print: Option<u64>, now: SystemTime) -> bool {
        self.print == print && self.due.is_none_or(|due| now < due)
    }
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    validity: Option<Validity>,
}

impl Current {
    /// Why callers would refuse the certificate at that moment.
    fn refusal(&self, now: SystemTime) -> Option<&'static str> {
        self.validity?.refusal(now)
    }

    /// When the certificate begins to be valid, if that is still to come.
    fn due(&self, now: SystemTime) -> Option<SystemTime> {
        self.validity.map(Validity::begins).filter(|begins| now < *begins)
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: &Files) -> Result<Self, Failure> {
        let contents = Contents::read(files).map_err(Failure::usage)?;
        let current = current(files, &contents).map_err(Failure::usage)?;
        if let Some(refusal) = current.refusal(SystemTime::now()) {
            tracing::warn!("{} {refusal}: callers will refuse it; replace it", files.certificate.display());
        }
        Ok(Self {
            files: files.clone(),
            current: RwLock::new(current),
            seen: Mutex::new(Seen { print: Some(contents.print()), due: None }),
        })
    }

    /// What the next connection gets.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).config)
    }

    /// When the certificate expires, in seconds since 1970; `None` if it does not say so in a way that is understood.
    pub(crate) fn expires(&self) -> Option<i64> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).validity.map(|validity| validity.expires)
    }

    /// Takes the files if they have changed since the last look, or are valid by now. It reads files: not for a thread that serves.
    fn refresh(&self, now: SystemTime) {
        let read = Contents::read(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is missing for a moment is often about to be replaced: told once, like any other change.
        let print = read.as_ref().ok().map(Contents::print);
        if seen.is_all(print, now) {
            return;
        }
        *seen = Seen { print, due: None };
        let made = read.as_ref().map_err(Clone::clone).and_then(|contents| {
            let current = current(&self.files, contents)?;
            seen.due = current.due(now);
            match current.refusal(now) {
                Some(refusal) => Err(format!("{} {refusal}", self.files.certificate.display())),
                None => Ok(current),
            }
        });
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
    let (mut config, validity) = contents.parse(files)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Current { config: Arc::new(config), validity })
}

#[cfg(test)]
mod tests;
