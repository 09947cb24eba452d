//! HTTP's own way to show an access key (RFC 7617): for scrapers and browsers, which cannot sign.

use alloc::borrow::ToOwned;
use alloc::string::String;

use zeroize::Zeroizing;

use super::Secret;

/// Access key id and secret of an `Authorization: Basic ...`; `None` if it is not well-formed. The id holds no colon.
pub fn basic(header: &[u8]) -> Option<(String, Secret)> {
    let header = header.trim_ascii();
    let (scheme, encoded) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let text = Zeroizing::new(base64_simd::STANDARD.decode_to_vec(encoded.trim_ascii()).ok()?);
    let (id, secret) = str::from_utf8(&text).ok()?.split_once(':')?;
    Some((id.to_owned(), Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_are_an_access_key_and_its_secret() {
        let (id, secret) = basic(b"Basic QUtJRDphOmI=").expect("well-formed");
        assert_eq!((&*id, secret), ("AKID", Secret::new("a:b")));
        assert!(basic(b"basic  QUtJRDphOmI= ").is_some());
    }

    #[test]
    fn anything_else_is_none() {
        for header in [
            &b""[..],
            b"Basic",
            b"Basic ",
            b"Bearer QUtJRDphOmI=",
            b"Basic QUtJRA==",
            b"Basic \xff",
            b"Basic QUtJRDo",
            b"\xe9\xe9\xe9\xe9\xe9\xe9\xe9",
        ] {
            assert!(basic(header).is_none(), "{header:?}");
        }
    }
}
