//! A request's headers, as signatures see them.

use kew_wire::auth::Headers;

use crate::http::Head;

/// The head of a request. Its host is what the caller named, wherever HTTP carries that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a>(pub(super) &'a Head);

impl Headers for Signed<'_> {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let values = self.0.headers.all(name);
        let is_elsewhere = name == "host" && !self.0.headers.contains("host");
        let authority = self.0.uri.authority().filter(|_| is_elsewhere);
        values.chain(authority.map(|authority| authority.as_str().as_bytes()))
    }
}
