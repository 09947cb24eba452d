//! The dialects of SQS: writing requests, and finding the few fields of answers that a load generator needs.

mod find;
mod write;

use clap::ValueEnum;

pub(crate) use find::{code, codes_of_failures, count, texts};
pub(crate) use write::Request;

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Protocol {
    /// AWS JSON 1.0, which today's SDKs speak
    #[default]
    Json,
    /// The older one: forms, answered in XML
    Query,
}

impl Protocol {
    /// What requests are sent as.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-amz-json-1.0",
            Self::Query => "application/x-www-form-urlencoded",
        }
    }

    /// Its name, as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Query => "query",
        }
    }
}
