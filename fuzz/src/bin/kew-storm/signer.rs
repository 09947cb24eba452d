//! Signs requests as an SDK does, in their headers or as a presigned URL.

use std::time::{SystemTime, UNIX_EPOCH};

use kew_wire::auth::{Claim, Secret, SignedRequest, sign, timestamp};

use crate::make::Wish;

/// An access key, of a session where there is a token.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Key {
    pub(crate) fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned(), token: None }
    }

    fn scope(&self, date: &str, service: &str) -> String {
        format!("{}/{}/us-east-1/{service}/aws4_request", self.id, &date[..8])
    }

    /// Signs in the request's headers.
    pub(crate) fn sign(&self, wish: &mut Wish) {
        let date = now();
        wish.headers.push(("X-Amz-Date".to_owned(), date.clone().into_bytes()));
        if let Some(token) = &self.token {
            wish.headers.push(("X-Amz-Security-Token".to_owned(), token.clone().into_bytes()));
        }
        let mut names: Vec<String> = wish.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        let (scope, names) = (self.scope(&date, wish.service), names.join(";"));
        let value = |signature: &str| {
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}")
        };
        wish.headers.push(("Authorization".to_owned(), value("0").into_bytes()));
        if let Some(signature) = self.signature(wish)
            && let Some((_, last)) = wish.headers.last_mut()
        {
            *last = value(&signature).into_bytes();
        }
    }

    /// Signs in the request's URL.
    pub(crate) fn presign(&self, wish: &mut Wish) {
        let date = now();
        let mark = if wish.target.contains('?') { '&' } else { '?' };
        let encode = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let one = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
            text.bytes().map(one).collect::<String>()
        };
        wish.target += &format!(
            "{mark}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires=300&X-Amz-SignedHeaders=host",
            encode(&self.scope(&date, wish.service))
        );
        if let Some(token) = &self.token {
            wish.target += &format!("&X-Amz-Security-Token={}", encode(token));
        }
        let unsigned = wish.target.clone();
        wish.target += "&X-Amz-Signature=0";
        if let Some(signature) = self.signature(wish) {
            wish.target = format!("{unsigned}&X-Amz-Signature={signature}");
        }
    }

    /// `None` where the request cannot claim to be anybody's.
    fn signature(&self, wish: &Wish) -> Option<String> {
        let (path, query) = wish.target.split_once('?').unwrap_or((&wish.target, ""));
        let headers = &*wish.headers;
        let claim = Claim::read(&headers, query).ok()??;
        let request = SignedRequest { method: wish.method, path, query, headers, body: &wish.body };
        Some(sign(&claim, &request, &Secret::new(self.secret.as_bytes())))
    }
}

fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    timestamp(now as u64)
}
