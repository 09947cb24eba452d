//! Finding the few fields that a load generator needs in an answer, without parsing the rest.
//!
//! A name in quotes cannot occur inside a JSON string, where the quotes would be escaped, nor a tag inside an XML text: so a plain
//! search finds members alone.

use memchr::{memchr, memchr2, memmem};

use super::Protocol;

/// The text of every member called `name`, as it stands: still escaped.
pub(crate) fn texts<'a>(
    protocol: Protocol,
    body: &'a [u8],
    name: &str,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let key = match protocol {
        Protocol::Json => format!("\"{name}\""),
        Protocol::Query => format!("<{name}>"),
    };
    let finder = memmem::Finder::new(key.as_bytes()).into_owned();
    let mut rest = body;
    std::iter::from_fn(move || {
        loop {
            let at = finder.find(rest)?;
            rest = &rest[at + finder.needle().len()..];
            let text = match protocol {
                Protocol::Json => json_text(rest),
                Protocol::Query => memchr(b'<', rest).map(|end| &rest[..end]),
            };
            if text.is_some() {
                return text;
            }
        }
    })
}

/// The codes of those of a batch's entries that failed.
pub(crate) fn codes_of_failures(protocol: Protocol, body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let has_failed = match protocol {
        Protocol::Json => has_entries(body, b"\"Failed\""),
        Protocol::Query => memmem::find(body, b"<BatchResultErrorEntry>").is_some(),
    };
    texts(protocol, if has_failed { body } else { b"" }, "Code")
}

/// The code of a fault, without JSON's namespace.
pub(crate) fn code(protocol: Protocol, body: &[u8]) -> Option<&str> {
    let name = match protocol {
        Protocol::Json => texts(protocol, body, "__type").next()?,
        Protocol::Query => texts(protocol, body, "Code").next()?,
    };
    std::str::from_utf8(name.rsplit(|byte| *byte == b'#').next()?).ok()
}

/// The number that the queue attribute of this name holds.
pub(crate) fn count(protocol: Protocol, body: &[u8], attribute: &str) -> Option<u64> {
    let text = match protocol {
        Protocol::Json => texts(protocol, body, attribute).next()?,
        Protocol::Query => {
            let names = texts(protocol, body, "Name").zip(texts(protocol, body, "Value"));
            names.filter(|(name, _)| *name == attribute.as_bytes()).map(|(_, value)| value).next()?
        }
    };
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The JSON string that follows a member's name.
fn json_text(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let text = rest.trim_ascii_start().strip_prefix(b"\"")?;
    Some(&text[..json_end(text)?])
}

/// Whether the JSON list called `key` (given with its quotes) has any entry.
fn has_entries(body: &[u8], key: &[u8]) -> bool {
    memmem::find_iter(body, key).any(|at| {
        let rest = body[at + key.len()..].trim_ascii_start().strip_prefix(b":");
        let list = rest.and_then(|rest| rest.trim_ascii_start().strip_prefix(b"["));
        list.is_some_and(|list| !list.trim_ascii_start().starts_with(b"]"))
    })
}

/// Where the JSON string that `text` begins with ends.
fn json_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Protocol::{Json, Query};

    #[test]
    fn json_strings_are_found_with_and_without_spaces() {
        let body = br#"{"Messages": [{"Body": "a \"ReceiptHandle\": b", "ReceiptHandle": "one"},{"ReceiptHandle":"two\\"}]}"#;
        let found: Vec<_> = texts(Json, body, "ReceiptHandle").collect();
        assert_eq!(found, [b"one".as_slice(), br"two\\".as_slice()]);
    }

    #[test]
    fn a_json_string_that_never_ends_is_not_found() {
        assert_eq!(texts(Json, br#"{"Body":"abc"#, "Body").count(), 0);
        assert_eq!(texts(Json, br#"{"Body":"abc\"#, "Body").count(), 0);
        assert_eq!(texts(Json, br#"{"Body":null}"#, "Body").count(), 0);
    }

    #[test]
    fn xml_texts_are_found() {
        let body = b"<Message><Body>one</Body><ReceiptHandle>a</ReceiptHandle></Message><Message><Body>two</Body></Message><Body>x";
        let found: Vec<_> = texts(Query, body, "Body").collect();
        assert_eq!(found, [b"one".as_slice(), b"two"]);
    }

    #[test]
    fn entries_that_failed_are_told_from_those_that_did_not() {
        let failed = |protocol, body| codes_of_failures(protocol, body).count();
        assert_eq!(failed(Json, br#"{"Failed": [ {"Id":"1","Code":"A"},{"Code":"B"}]}"#), 2);
        assert_eq!(failed(Json, br#"{"Failed":[ ],"Successful":[{"Code":"A"}]}"#), 0);
        assert_eq!(failed(Json, br#"{"Successful":[{}]}"#), 0);
        assert_eq!(
            failed(Query, b"<BatchResultErrorEntry><Id>1</Id><Code>A</Code></BatchResultErrorEntry>"),
            1
        );
        assert_eq!(
            failed(Query, b"<SendMessageBatchResultEntry><Id>1</Id></SendMessageBatchResultEntry>"),
            0
        );
    }

    #[test]
    fn a_fault_is_named_without_its_namespace() {
        let body = br#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#;
        assert_eq!(code(Json, body), Some("QueueDoesNotExist"));
        let body = b"<ErrorResponse><Error><Type>Sender</Type><Code>OverLimit</Code></Error></ErrorResponse>";
        assert_eq!(code(Query, body), Some("OverLimit"));
        assert_eq!((code(Json, b"<html>"), code(Query, b"<html>")), (None, None));
    }

    #[test]
    fn counts_are_read_from_the_attributes() {
        let name = "ApproximateNumberOfMessages";
        let body = br#"{"Attributes":{"ApproximateNumberOfMessages":"12","ApproximateNumberOfMessagesDelayed":"3"}}"#;
        assert_eq!(count(Json, body, name), Some(12));
        let body = b"<Attribute><Name>ApproximateNumberOfMessagesDelayed</Name><Value>3</Value></Attribute>\
            <Attribute><Name>ApproximateNumberOfMessages</Name><Value>12</Value></Attribute>";
        assert_eq!(count(Query, body, name), Some(12));
        assert_eq!(count(Query, body, "Nothing"), None);
    }
}
