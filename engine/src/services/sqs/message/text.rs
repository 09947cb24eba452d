//! Which characters a message may have: XML 1.0's, in either dialect.

/// Whether all characters are `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF` (API
/// SendMessage). Surrogates cannot occur in UTF-8.
pub fn is_valid(text: &str) -> bool {
    const CHUNK: usize = 32;
    let bytes = text.as_bytes();
    let mut chunks = bytes.chunks_exact(CHUNK);
    // Whole chunks without control characters and without #xEF, which begins #xFFFE and #xFFFF, are the common case; the
    // fold has no branch, so it becomes vector instructions.
    let suspect = |byte: &u8| *byte < 0x20 || *byte == 0xEF;
    let clean = |chunk: &[u8]| !chunk.iter().fold(false, |found, byte| found | suspect(byte));
    let mut start = 0;
    for chunk in &mut chunks {
        if !clean(chunk) && !bytes_are_valid(bytes, start, start + CHUNK) {
            return false;
        }
        start += CHUNK;
    }
    bytes_are_valid(bytes, start, bytes.len())
}

/// Checks the characters that begin in `start..end`.
fn bytes_are_valid(bytes: &[u8], start: usize, end: usize) -> bool {
    (start..end).all(|at| match bytes[at] {
        byte @ 0..0x20 => matches!(byte, b'\t' | b'\n' | b'\r'),
        // #xFFFE and #xFFFF are EF BF BE and EF BF BF.
        0xEF => !(bytes.get(at + 1) == Some(&0xBF) && matches!(bytes.get(at + 2), Some(0xBE | 0xBF))),
        _ => true,
    })
}
