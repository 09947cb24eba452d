//! What a request claims: who signed it, when, for what, and what the signature covers.
//!
//! A claim is no proof. Its refusals are worded as AWS's services word them.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::canonical::Headers;
use super::{ALGORITHM, TERMINATOR, date};
use crate::dialects::query::decoded;
use crate::fault::{Fault, FaultKind, common};
use crate::limits::{PRESIGNED_SECONDS, SKEW_MS};

/// What a signed request claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    credential: Credential<'a>,
    /// The names of the signed headers, separated by semicolons.
    signed_headers: Cow<'a, str>,
    /// The signature, in hexadecimal.
    pub(super) signature: Cow<'a, str>,
    /// `X-Amz-Date`, as it came.
    pub(super) timestamp: Cow<'a, str>,
    /// `X-Amz-Security-Token`.
    token: Option<Cow<'a, str>>,
    /// `X-Amz-Expires` of a presigned URL.
    expires: Option<Cow<'a, str>>,
    is_presigned: bool,
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`, if it is well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Credential<'a> {
    text: Cow<'a, str>,
    /// Where its first five parts end; those that are not there, at its own end.
    ends: [usize; 5],
    /// How many parts there are.
    count: usize,
}

impl<'a> Credential<'a> {
    fn new(text: Cow<'a, str>) -> Self {
        let (mut ends, mut count) = ([text.len(); 5], 1);
        for slash in memchr::memchr_iter(b'/', text.as_bytes()) {
            if let Some(end) = ends.get_mut(count - 1) {
                *end = slash;
            }
            count += 1;
        }
        Self { text, ends, count }
    }

    /// The first five parts; empty where there are too few.
    fn parts(&self) -> [&str; 5] {
        let start = |part: usize| part.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        core::array::from_fn(|part| self.text.get(start(part)..self.ends[part]).unwrap_or_default())
    }

    /// What follows the key.
    fn scope(&self) -> &str {
        self.text.get(self.ends[0] + 1..).unwrap_or_default()
    }
}

/// What a claim is held against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Now, in milliseconds since the epoch.
    pub now_ms: u64,
    /// The service that was called, by its signing name; `None` where any will do.
    pub service: Option<&'a str>,
    /// The region that the endpoint belongs to; `None` where it serves any.
    pub region: Option<&'a str>,
}

/// The parts of a claim, as far as they are there.
#[derive(Default)]
struct Parts<'a> {
    credential: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
}

impl<'a> Claim<'a> {
    /// The claim of a request, in its `Authorization` header or in the query of a presigned URL; `None` if it makes none.
    ///
    /// # Errors
    /// `IncompleteSignature` if it is not well-formed, `SignatureDoesNotMatch` if there are two, or if the signature leaves
    /// out what decides the request's meaning.
    pub fn read<H: Headers>(headers: &'a H, query: &'a str) -> Result<Option<Self>, Fault> {
        let header = headers.values("authorization").next().filter(|value| !value.is_empty());
        let is_presigned = has_algorithm(query);
        let claim = match header {
            Some(_) if is_presigned => return Err(Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, "")),
            Some(header) => Self::from_header(header, headers)?,
            None if is_presigned => Self::from_query(query)?,
            None => return Ok(None),
        };
        let covers = |name: &str| {
            let mut names = claim.signed_headers.as_bytes().split(|byte| *byte == b';');
            names.any(|signed| signed == name.as_bytes())
        };
        if !covers("host") && !covers(":authority") {
            return Err(unsigned("Host' or ':authority"));
        }
        // Else whoever sees a signed request could turn it into another one.
        if headers.values("x-amz-target").next().is_some() && !covers("x-amz-target") {
            return Err(unsigned("X-Amz-Target"));
        }
        Ok(Some(claim))
    }

    /// Access key, region and service of a request's claim, where nobody asks whether it is true: `None` if it cannot be
    /// read. The key may hold slashes.
    pub fn scope<H: Headers>(headers: &'a H, query: &'a str) -> Option<[Cow<'a, str>; 3]> {
        let parts = match headers.values("authorization").next().filter(|value| !value.is_empty()) {
            Some(header) => Parts::of_header(core::str::from_utf8(header).ok()?).ok()?.1,
            None if !query.is_empty() => Parts::of_query(query),
            None => return None,
        };
        (parts.signed_headers.is_some() && parts.signature.is_some()).then_some(())?;
        let part = |index: usize| match parts.credential.as_ref()? {
            Cow::Borrowed(text) => Some(Cow::Borrowed(scope(text)?[index])),
            Cow::Owned(text) => Some(Cow::Owned(String::from(scope(text)?[index]))),
        };
        Some([part(0)?, part(2)?, part(3)?])
    }

    fn from_header<H: Headers>(header: &'a [u8], headers: &'a H) -> Result<Self, Fault> {
        let unreadable = || {
            let hash = hashed(header);
            incomplete(format!(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with \
                 Base64): '{hash}'."
            ))
        };
        let text = core::str::from_utf8(header).ok().filter(|text| text.is_ascii()).ok_or_else(unreadable)?;
        let (algorithm, parts) = Parts::of_header(text).map_err(|()| unreadable())?;
        let timestamp = headers.text("x-amz-date").or_else(|| headers.text("date"));
        let missing = [
            (parts.credential.is_none(), "Authorization header requires 'Credential' parameter. "),
            (parts.signature.is_none(), "Authorization header requires 'Signature' parameter. "),
            (parts.signed_headers.is_none(), "Authorization header requires 'SignedHeaders' parameter. "),
            (
                timestamp.is_none(),
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
            ),
        ];
        let refused = || {
            let missing: String = missing.iter().filter(|(it, _)| *it).map(|(_, message)| *message).collect();
            let hash = hashed(header);
            incomplete(format!("{missing}(Hashed with SHA-256 and encoded with Base64) Authorization={hash}"))
        };
        let (Some(credential), Some(signature), Some(signed_headers), Some(timestamp)) =
            (parts.credential, parts.signature, parts.signed_headers, timestamp)
        else {
            return Err(refused());
        };
        if algorithm != ALGORITHM {
            return Err(incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
        }
        let token = headers.text("x-amz-security-token").map(Cow::Borrowed);
        let timestamp = Cow::Borrowed(timestamp);
        let (expires, is_presigned) = (None, false);
        let credential = Credential::new(credential);
        Ok(Self { credential, signed_headers, signature, timestamp, token, expires, is_presigned })
    }

    fn from_query(query: &'a str) -> Result<Self, Fault> {
        let algorithm = field(query, "X-Amz-Algorithm").unwrap_or_default();
        if algorithm != ALGORITHM {
            return Err(incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
        }
        let parts = Parts::of_query(query);
        let timestamp = field(query, "X-Amz-Date");
        let missing = [
            (parts.credential.is_none(), "AWS query-string parameters must include 'X-Amz-Credential'. "),
            (parts.signature.is_none(), "AWS query-string parameters must include 'X-Amz-Signature'. "),
            (
                parts.signed_headers.is_none(),
                "AWS query-string parameters must include 'X-Amz-SignedHeaders'. ",
            ),
            (timestamp.is_none(), "AWS query-string parameters must include 'X-Amz-Date'. "),
        ];
        let refused = || {
            let missing: String = missing.iter().filter(|(it, _)| *it).map(|(_, message)| *message).collect();
            incomplete(format!("{missing}Re-examine the query-string parameters."))
        };
        let (Some(credential), Some(signature), Some(signed_headers), Some(timestamp)) =
            (parts.credential, parts.signature, parts.signed_headers, timestamp)
        else {
            return Err(refused());
        };
        let token = field(query, "X-Amz-Security-Token");
        let (expires, is_presigned) = (field(query, "X-Amz-Expires"), true);
        let credential = Credential::new(credential);
        Ok(Self { credential, signed_headers, signature, timestamp, token, expires, is_presigned })
    }

    /// Holds date and scope against what is expected.
    ///
    /// # Errors
    /// AWS's: a date that is none, or too far from now; a presigned URL whose time is over; another scope.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Fault> {
        let timestamp = &*self.timestamp;
        let moment = date::parse(timestamp).ok_or_else(|| {
            incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{timestamp}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })?;
        self.check_time(moment, expected.now_ms)?;
        if self.credential.count != 5 {
            let credential = &*self.credential.text;
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got \
                 '{credential}'"
            )));
        }
        let [_, day, region, service, terminator] = self.parts();
        let mut errors = String::new();
        // Each ends in a blank, as AWS's do.
        if expected.region.map_or(!is_region(region), |expected| expected != region) {
            errors += &format!("Credential should be scoped to a valid region, not '{region}'. ");
        }
        if let Some(expected) = expected.service.filter(|expected| *expected != service) {
            errors += &format!("Credential should be scoped to correct service: '{expected}'. ");
        }
        if terminator != TERMINATOR {
            errors += &format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
            );
        }
        if day != &timestamp[..8] {
            errors += &format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{}', \
                 from '{timestamp}'. ",
                &timestamp[..8]
            );
        }
        if errors.is_empty() { Ok(()) } else { Err(Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, errors)) }
    }

    fn check_time(&self, moment: u64, now: u64) -> Result<(), Fault> {
        let refuse = |kind: &'static FaultKind, message: String| Err(Fault::new(kind, message));
        let minutes = SKEW_MS / 60_000;
        let timestamp = &*self.timestamp;
        let latest = now + SKEW_MS;
        if moment > latest {
            let (latest, at) = (date::format(latest), date::format(now));
            return refuse(
                &common::SIGNATURE_DOES_NOT_MATCH,
                format!(
                    "Signature not yet current: {timestamp} is still later than {latest} ({at} + {minutes} min.)"
                ),
            );
        }
        if let Some(expires) = &self.expires {
            let wrong = |message: &'static str| Err(Fault::new(&common::INCOMPLETE_SIGNATURE, message));
            if expires.is_empty() || expires.len() > 18 || !expires.bytes().all(|byte| byte.is_ascii_digit())
            {
                return wrong("X-Amz-Expires should be a number");
            }
            let seconds = expires.parse().unwrap_or(u64::MAX);
            if !(1..=PRESIGNED_SECONDS).contains(&seconds) {
                return wrong(
                    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
                     604800 seconds",
                );
            }
            if moment + seconds * 1000 <= now {
                return refuse(&common::REQUEST_EXPIRED, "Request has expired.".into());
            }
            return Ok(());
        }
        let earliest = now.saturating_sub(SKEW_MS);
        if moment < earliest {
            let (earliest, at) = (date::format(earliest), date::format(now));
            return refuse(
                &common::SIGNATURE_DOES_NOT_MATCH,
                format!(
                    "Signature expired: {timestamp} is now earlier than {earliest} ({at} - {minutes} min.)"
                ),
            );
        }
        Ok(())
    }

    /// The claim apart from the request: for whoever signs many that differ in their bodies alone.
    pub fn into_owned(self) -> Claim<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let Credential { text, ends, count } = self.credential;
        Claim {
            credential: Credential { text: own(text), ends, count },
            signed_headers: own(self.signed_headers),
            signature: own(self.signature),
            timestamp: own(self.timestamp),
            token: self.token.map(own),
            expires: self.expires.map(own),
            is_presigned: self.is_presigned,
        }
    }

    /// The access key's id.
    pub fn access_key(&self) -> &str {
        self.parts()[0]
    }

    /// The scope's region.
    pub fn region(&self) -> &str {
        self.parts()[2]
    }

    /// The scope's service, by its signing name (`sqs`).
    pub fn service(&self) -> &str {
        self.parts()[3]
    }

    /// The session's token, if the credentials are temporary.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether it stands in the query of a URL.
    pub fn is_presigned(&self) -> bool {
        self.is_presigned
    }

    /// Key, date, region, service and terminator; empty where there are too few.
    pub(super) fn parts(&self) -> [&str; 5] {
        self.credential.parts()
    }

    /// The whole credential.
    pub(super) fn credential(&self) -> &str {
        &self.credential.text
    }

    /// What follows the key in the credential.
    pub(super) fn credential_scope(&self) -> &str {
        self.credential.scope()
    }

    /// The names of the signed headers, sorted, each once: so nobody makes us write a long header many times.
    pub(super) fn signed_headers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.signed_headers.split(';').filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl<'a> Parts<'a> {
    /// The algorithm, and what follows: pairs between commas and blanks, of which the last of a name counts. Anything else
    /// there is an error.
    fn of_header(header: &'a str) -> Result<(&'a str, Self), ()> {
        let header = header.trim_ascii();
        let (algorithm, rest) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        let mut parts = Self::default();
        // All three are ASCII, so what lies between them is text.
        let ends = memchr::memchr3_iter(b',', b' ', b'\t', rest.as_bytes()).chain([rest.len()]);
        let mut start = 0;
        for end in ends {
            let pair = &rest[start..end];
            start = end + 1;
            if pair.is_empty() {
                continue;
            }
            let equals = memchr::memchr(b'=', pair.as_bytes()).ok_or(())?;
            let value = Some(Cow::Borrowed(&pair[equals + 1..]));
            match &pair[..equals] {
                "Credential" => parts.credential = value,
                "SignedHeaders" => parts.signed_headers = value,
                "Signature" => parts.signature = value,
                _ => {}
            }
        }
        Ok((algorithm, parts))
    }

    fn of_query(query: &'a str) -> Self {
        Self {
            credential: field(query, "X-Amz-Credential"),
            signed_headers: field(query, "X-Amz-SignedHeaders"),
            signature: field(query, "X-Amz-Signature"),
        }
    }
}

/// Whether a query holds what makes it a presigned URL's.
fn has_algorithm(query: &str) -> bool {
    // Nearly always.
    !query.is_empty() && field(query, "X-Amz-Algorithm").is_some()
}

/// The first value of a name in a query; `None` also for one that cannot be decoded.
fn field<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut fields = query.split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    fields
        .find(|(key, _)| decoded(key).is_ok_and(|key| key == name))
        .and_then(|(_, value)| decoded(value).ok())
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`. The key may hold slashes, the other parts may not.
fn scope(credential: &str) -> Option<[&str; 4]> {
    let mut parts = credential.rsplitn(5, '/');
    let (last, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let (date, key) = (parts.next()?, parts.next()?);
    let filled = [key, date, region, service].iter().all(|part| !part.is_empty());
    (last == TERMINATOR && filled).then_some([key, date, region, service])
}

/// Whether this can be a region's name, as queues are kept by.
fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A header as AWS tells it in errors, so that nobody's logs hold it.
fn hashed(header: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(Sha256::digest(header))
}

fn incomplete(message: String) -> Fault {
    Fault::new(&common::INCOMPLETE_SIGNATURE, message)
}

fn unsigned(name: &str) -> Fault {
    let message = format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.");
    Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, message)
}
