//! Which characters a message may have: XML 1.0's, in either dialect.

/// The first character that is not one of `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`
/// (API SendMessage). Surrogates cannot occur in UTF-8.
pub fn first_invalid(text: &str) -> Option<char> {
    // Control characters begin below #x20, #xFFFE and #xFFFF with the byte #xEF. Texts mostly have neither in a run this
    // long, and the fold has no branch, so it becomes vector instructions.
    const RUN: usize = 64;
    let suspect = |byte: &u8| *byte < 0x20 || *byte == 0xEF;
    let bytes = text.as_bytes();
    let mut start = 0;
    for run in bytes.chunks(RUN) {
        let end = start + run.len();
        let suspicious = run.iter().fold(false, |found, byte| found | suspect(byte));
        if suspicious && let Some(at) = (start..end).find(|at| begins_invalid(&bytes[*at..])) {
            return text.get(at..).and_then(|rest| rest.chars().next());
        }
        start = end;
    }
    None
}

/// Whether a character that is not allowed begins here.
fn begins_invalid(bytes: &[u8]) -> bool {
    match bytes {
        [byte @ 0..0x20, ..] => !matches!(byte, b'\t' | b'\n' | b'\r'),
        [0xEF, 0xBF, 0xBE | 0xBF, ..] => true,
        _ => false,
    }
}
