//! A request for a backup, signed with the access key that the environment names as for any client of AWS.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use kew_wire::auth::{Claim, Secret, SignedRequest, sign, timestamp};

use super::PATH;

const HOST: &str = "localhost";

/// The whole request.
pub(super) fn request(body: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let key = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
    let authorization = key.and_then(|(key, secret)| {
        authorization(&key, &Secret::new(secret), variable("AWS_SESSION_TOKEN"), now, body)
    });
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n{}\
         \r\n{body}",
        body.len(),
        authorization.unwrap_or_default()
    )
}

/// The headers that sign it; `None` for a key that fits in none.
fn authorization(
    key: &str,
    secret: &Secret,
    token: Option<String>,
    now_ms: u64,
    body: &str,
) -> Option<String> {
    let date = timestamp(now_ms);
    let mut headers = vec![("host", HOST.to_owned()), ("x-amz-date", date.clone())];
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let claimed = format!(
        "AWS4-HMAC-SHA256 Credential={key}/{}/us-east-1/kew/aws4_request, SignedHeaders={}, Signature=",
        &date[..8],
        names.join(";")
    );
    headers.push(("authorization", claimed.clone()));
    let view = &*headers;
    let claim = Claim::read(&view, "").ok()??;
    let request =
        SignedRequest { method: "POST", path: PATH, query: "", headers: view, body: body.as_bytes() };
    let signature = sign(&claim, &request, secret);
    let mut lines: String =
        headers[1..headers.len() - 1].iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    lines += &format!("authorization: {claimed}{signature}\r\n");
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_what_its_signature_covers() {
        let secret = Secret::new(*b"secret");
        let lines =
            authorization("AKID", &secret, Some("token".into()), 1_440_938_160_000, "{}").expect("signed");
        assert!(lines.starts_with(
            "x-amz-date: 20150830T123600Z\r\nx-amz-security-token: token\r\nauthorization: AWS4"
        ));
        assert!(lines.contains("Credential=AKID/20150830/us-east-1/kew/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="));
        assert_eq!(authorization("é", &secret, None, 0, "{}"), None);
    }
}
