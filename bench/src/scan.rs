//! Finding the few fields that a load generator needs in a JSON answer, without parsing the rest.
//!
//! A name in quotes cannot occur inside a JSON string, where the quotes would be escaped, so a plain search finds keys alone.

use memchr::memmem;

/// The text of every string member called `key` (given with its quotes), as it stands: still escaped.
pub fn strings<'a>(body: &'a [u8], key: &'a str) -> impl Iterator<Item = &'a [u8]> {
    memmem::find_iter(body, key).filter_map(move |at| {
        let rest = body[at + key.len()..].trim_ascii_start().strip_prefix(b":")?;
        let text = rest.trim_ascii_start().strip_prefix(b"\"")?;
        Some(&text[..end(text)?])
    })
}

/// Whether the list called `key` (given with its quotes) has any entry.
pub fn has_entries(body: &[u8], key: &str) -> bool {
    memmem::find_iter(body, key).any(|at| {
        let rest = body[at + key.len()..].trim_ascii_start().strip_prefix(b":");
        let list = rest.and_then(|rest| rest.trim_ascii_start().strip_prefix(b"["));
        list.is_some_and(|list| !list.trim_ascii_start().starts_with(b"]"))
    })
}

/// The name of a fault: what follows the `#` in its `__type`.
pub fn fault(body: &[u8]) -> Option<&str> {
    let name = strings(body, "\"__type\"").next()?;
    std::str::from_utf8(name.rsplit(|byte| *byte == b'#').next()?).ok()
}

/// Where the string that `text` begins with ends.
fn end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_with_and_without_spaces() {
        let body = br#"{"Messages": [{"Body": "a \"ReceiptHandle\": b", "ReceiptHandle": "one"},{"ReceiptHandle":"two\\"}]}"#;
        let found: Vec<_> = strings(body, "\"ReceiptHandle\"").collect();
        assert_eq!(found, [b"one".as_slice(), br"two\\".as_slice()]);
    }

    #[test]
    fn a_string_that_never_ends_is_not_found() {
        assert_eq!(strings(br#"{"Body":"abc"#, "\"Body\"").count(), 0);
        assert_eq!(strings(br#"{"Body":"abc\"#, "\"Body\"").count(), 0);
        assert_eq!(strings(br#"{"Body":null}"#, "\"Body\"").count(), 0);
    }

    #[test]
    fn a_list_with_entries_is_told_from_an_empty_one() {
        assert!(has_entries(br#"{"Failed": [ {"Id":"1"}]}"#, "\"Failed\""));
        assert!(!has_entries(br#"{"Failed":[ ],"Successful":[{}]}"#, "\"Failed\""));
        assert!(!has_entries(br#"{"Successful":[{}]}"#, "\"Failed\""));
    }

    #[test]
    fn a_fault_is_named_without_its_namespace() {
        assert_eq!(fault(br#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#), Some("QueueDoesNotExist"));
        assert_eq!(fault(b"<html>"), None);
    }
}
