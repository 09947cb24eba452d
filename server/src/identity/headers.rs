//! A request's headers, as signatures see them.

use http::request::Parts;
use kew_wire::auth::Headers;

/// The head of a request. Its host is what the caller named, wherever HTTP carries that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a>(pub(super) &'a Parts);

impl Headers for Signed<'_> {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let values = self.0.headers.get_all(name).into_iter();
        let is_elsewhere = name == "host" && !self.0.headers.contains_key("host");
        let authority = self.0.uri.authority().filter(|_| is_elsewhere);
        values.map(|value| value.as_bytes()).chain(authority.map(|authority| authority.as_str().as_bytes()))
    }
}
