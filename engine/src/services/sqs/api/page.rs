//! Lists of queues, page by page.

use alloc::string::String;
use alloc::vec::Vec;

use base64_simd::URL_SAFE_NO_PAD;
use kew_wire::Text;
use kew_wire::fault::Fault;

use crate::services::sqs::command::{Page, QueueKey};
use crate::services::sqs::{faults, limits};

/// What a page's reply needs.
#[derive(Debug)]
pub(super) struct Paging {
    endpoint: Text,
    /// AWS gives a token only to callers who said MaxResults.
    limited: bool,
}

/// Tokens begin so; a changed meaning takes another mark.
const MARK: &str = "1:";

/// Checks MaxResults and NextToken.
pub(super) fn parse(
    endpoint: &Text,
    max_results: Option<i32>,
    token: Option<&Text>,
) -> Result<(Page, Paging), Fault> {
    let max = match max_results {
        None | Some(0) => None,
        Some(max) => Some(super::within(max, 1, limits::PAGE_NAMES as u32).ok_or_else(|| {
            faults::invalid_parameter_reason(
                "MaxResults",
                "MaxResults must be an integer between 1 and 1000.",
            )
        })?),
    };
    let after = match token {
        None => None,
        Some(token) if token.is_empty() => None,
        Some(token) => {
            Some(open(token).ok_or_else(|| faults::invalid_parameter("Invalid or expired next token."))?)
        }
    };
    let page = Page { after, max: max.map_or(limits::PAGE_NAMES, |max| max as usize) };
    Ok((page, Paging { endpoint: endpoint.clone(), limited: max.is_some() }))
}

/// The queues' URLs, and the token of the next page.
pub(super) fn urls(paging: &Paging, keys: &[QueueKey], more: bool) -> (Vec<Text>, Option<Text>) {
    let token = keys.last().filter(|_| paging.limited && more).map(|last| seal(&last.name));
    (keys.iter().map(|key| key.url(&paging.endpoint)).collect(), token)
}

fn seal(name: &str) -> Text {
    Text::from(URL_SAFE_NO_PAD.encode_to_string([MARK, name].concat()))
}

fn open(token: &str) -> Option<Text> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix(MARK).map(Text::from)
}
