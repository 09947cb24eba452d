//! Settings of what stands between a socket and a request: TLS, and the limits of those who call.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use super::{Layers, Written, read, switch};
use crate::audit::Wanted;
use crate::failure::Failure;
use crate::http::PerAddress;
use crate::tls::Files;

/// The flags, as they were typed.
#[derive(Debug, Default, Args)]
pub(crate) struct EdgeFlags {
    /// Speak TLS with this certificate: a PEM file, the server's own first, then those that lead to its root. Taken anew when it
    /// changes [env: KEW_TLS_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_certificate: Option<String>,
    /// The certificate's private key, a PEM file without a password [env: KEW_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<String>,
    /// Let only callers connect who show a certificate of these authorities, a PEM file [env: KEW_TLS_CLIENT_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<String>,
    /// Connections that one address may have open; more are closed at once [env: KEW_CONNECTIONS_PER_ADDRESS] [default: 4096, and
    /// off for this machine]
    #[arg(long, value_name = "COUNT|off")]
    pub(crate) connections_per_address: Option<String>,
    /// Requests of one access key in each second; more are throttled as AWS does [env: KEW_REQUESTS_PER_SECOND_PER_KEY]
    /// [default: off]
    #[arg(long, value_name = "COUNT|off")]
    pub(crate) requests_per_second_per_key: Option<String>,
    /// Requests of one address in each second; more are throttled as AWS does [env: KEW_REQUESTS_PER_SECOND_PER_ADDRESS]
    /// [default: off]
    #[arg(long, value_name = "COUNT|off")]
    pub(crate) requests_per_second_per_address: Option<String>,
    /// Write who asked for what into this file: a line of JSON for each management call, in CloudTrail's form [env: KEW_AUDIT_LOG]
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<String>,
    /// Write there also each call that sends, receives, changes or deletes messages [env: KEW_AUDIT_DATA_CALLS=on]
    #[arg(long)]
    pub(crate) audit_data_calls: bool,
}

/// What they mean.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) tls: Option<Files>,
    pub(crate) connections_per_address: PerAddress,
    pub(crate) requests_per_second_per_key: Option<NonZeroU32>,
    pub(crate) requests_per_second_per_address: Option<NonZeroU32>,
    pub(crate) audit: Option<Wanted>,
}

impl Edge {
    pub(super) fn read(flags: EdgeFlags, layers: &mut Layers<'_>) -> Result<Self, Failure> {
        let certificate = layers.text(
            ("--tls-certificate", flags.tls_certificate),
            "KEW_TLS_CERTIFICATE",
            "tls_certificate",
        )?;
        let key = layers.text(("--tls-key", flags.tls_key), "KEW_TLS_KEY", "tls_key")?;
        let authority =
            layers.text(("--tls-client-ca", flags.tls_client_ca), "KEW_TLS_CLIENT_CA", "tls_client_ca")?;
        let connections = layers.text(
            ("--connections-per-address", flags.connections_per_address),
            "KEW_CONNECTIONS_PER_ADDRESS",
            "connections_per_address",
        )?;
        let per_key = layers.text(
            ("--requests-per-second-per-key", flags.requests_per_second_per_key),
            "KEW_REQUESTS_PER_SECOND_PER_KEY",
            "requests_per_second_per_key",
        )?;
        let per_address = layers.text(
            ("--requests-per-second-per-address", flags.requests_per_second_per_address),
            "KEW_REQUESTS_PER_SECOND_PER_ADDRESS",
            "requests_per_second_per_address",
        )?;
        let audit = layers.text(("--audit-log", flags.audit_log), "KEW_AUDIT_LOG", "audit_log")?;
        let data_calls = flags.audit_data_calls.then(|| "on".to_owned());
        let data_calls =
            layers.text(("--audit-data-calls", data_calls), "KEW_AUDIT_DATA_CALLS", "audit_data_calls")?;
        let data_calls = read(data_calls, "on or off", switch)?.unwrap_or(false);
        Ok(Self {
            audit: audit.map(|(file, _)| Wanted { file: file.into(), data_calls }),
            tls: files(certificate, key, authority)?,
            connections_per_address: match count(connections)? {
                None => PerAddress::Unsaid,
                Some(None) => PerAddress::Off,
                Some(Some(limit)) => PerAddress::AtMost(limit),
            },
            requests_per_second_per_key: count(per_key)?.flatten(),
            requests_per_second_per_address: count(per_address)?.flatten(),
        })
    }
}

fn files(certificate: Written, key: Written, authority: Written) -> Result<Option<Files>, Failure> {
    match (certificate, key, authority) {
        (Some((certificate, _)), Some((key, _)), authority) => Ok(Some(Files {
            certificate: certificate.into(),
            key: key.into(),
            client_authority: authority.map(|(path, _)| PathBuf::from(path)),
        })),
        (None, None, None) => Ok(None),
        (Some((_, source)), None, _) => Err(Failure::usage(format!("{source} needs --tls-key beside it"))),
        (None, Some((_, source)), _) => {
            Err(Failure::usage(format!("{source} needs --tls-certificate beside it")))
        }
        (None, None, Some((_, source))) => {
            Err(Failure::usage(format!("{source} needs --tls-certificate and --tls-key beside it")))
        }
    }
}

/// A number, or `off`.
fn count(written: Written) -> Result<Option<Option<NonZeroU32>>, Failure> {
    read(written, "a whole number from 1 to 1000000, or off", |value| match value {
        "off" => Some(None),
        value => value.parse().ok().filter(|count: &NonZeroU32| count.get() <= 1_000_000).map(Some),
    })
}
