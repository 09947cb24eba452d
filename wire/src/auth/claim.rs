//! What a request claims: access key, region and service from the credential scope.
//!
//! A claim is no proof: the signature itself is not verified here.

use alloc::borrow::Cow;

use crate::dialects::query::decoded;

/// What a signed request claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The access key's id.
    pub access_key: Cow<'a, str>,
    /// The scope's day, `YYYYMMDD`.
    pub date: Cow<'a, str>,
    /// The scope's region.
    pub region: Cow<'a, str>,
    /// The scope's service, by its signing name (`sqs`).
    pub service: Cow<'a, str>,
    /// The names of the signed headers, in lower case, separated by semicolons.
    pub signed_headers: Cow<'a, str>,
    /// The signature, in hexadecimal.
    pub signature: Cow<'a, str>,
}

/// Why a claim cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclaimed {
    /// The request says nothing about its caller, or in another scheme.
    Anonymous,
    /// It is signed by this scheme, but not well-formed.
    Malformed,
}

const SCHEME: &str = "AWS4-HMAC-SHA256";

/// The claim of a request: in its `Authorization` header, or in the query of a presigned URL.
pub fn claim<'a>(authorization: Option<&'a str>, query: Option<&'a str>) -> Result<Claim<'a>, Unclaimed> {
    match authorization {
        Some(header) => from_header(header),
        None => from_query(query.unwrap_or_default()),
    }
}

fn from_header(header: &str) -> Result<Claim<'_>, Unclaimed> {
    let rest = header.trim().strip_prefix(SCHEME).ok_or(Unclaimed::Anonymous)?;
    if !rest.starts_with([' ', '\t']) {
        return Err(Unclaimed::Anonymous);
    }
    let field = |name: &str| {
        let mut fields = rest.split([',', ' ', '\t']).filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).map(|(_, value)| Cow::Borrowed(value))
    };
    assemble(field("Credential"), field("SignedHeaders"), field("Signature"))
}

fn from_query(query: &str) -> Result<Claim<'_>, Unclaimed> {
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).and_then(|(_, value)| decoded(value).ok())
    };
    if field("X-Amz-Algorithm").as_deref() != Some(SCHEME) && field("X-Amz-Credential").is_none() {
        return Err(Unclaimed::Anonymous);
    }
    assemble(field("X-Amz-Credential"), field("X-Amz-SignedHeaders"), field("X-Amz-Signature"))
}

fn assemble<'a>(
    credential: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
) -> Result<Claim<'a>, Unclaimed> {
    let (Some(credential), Some(signed_headers), Some(signature)) = (credential, signed_headers, signature)
    else {
        return Err(Unclaimed::Malformed);
    };
    let parts = match &credential {
        Cow::Borrowed(text) => scope(text).map(|parts| parts.map(Cow::Borrowed)),
        Cow::Owned(text) => scope(text).map(|parts| parts.map(|part| Cow::Owned(part.into()))),
    };
    let [access_key, date, region, service] = parts.ok_or(Unclaimed::Malformed)?;
    Ok(Claim { access_key, date, region, service, signed_headers, signature })
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`. An access key may hold slashes, the other parts may not.
fn scope(credential: &str) -> Option<[&str; 4]> {
    let mut parts = credential.rsplitn(5, '/');
    let (last, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let (date, key) = (parts.next()?, parts.next()?);
    let filled = [key, date, region, service].iter().all(|part| !part.is_empty());
    (last == "aws4_request" && filled).then_some([key, date, region, service])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6";

    #[test]
    fn the_header_names_key_region_and_service() {
        let claim = claim(Some(SIGNED), None).expect("well-formed");
        assert_eq!((&*claim.access_key, &*claim.date), ("AKIDEXAMPLE", "20150830"));
        assert_eq!((&*claim.region, &*claim.service), ("us-east-1", "sqs"));
        assert_eq!(claim.signed_headers, "content-type;host;x-amz-date");
        assert_eq!(claim.signature, "5d672d79c15b13162d9279b0855cfba6");
    }

    #[test]
    fn fields_may_follow_their_commas_without_a_blank() {
        let tight = SIGNED.replace(", ", ",");
        assert_eq!(claim(Some(&tight), None), claim(Some(SIGNED), None));
    }

    #[test]
    fn a_presigned_url_says_the_same_in_its_query() {
        let query = "Action=ListQueues&X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKID%2F20150830%2Feu-west-1%2Fsqs%2Faws4_request&X-Amz-SignedHeaders=host&X-Amz-Signature=ab";
        let claim = claim(None, Some(query)).expect("well-formed");
        assert_eq!((&*claim.access_key, &*claim.region, &*claim.service), ("AKID", "eu-west-1", "sqs"));
    }

    #[test]
    fn other_schemes_and_none_are_anonymous() {
        for header in ["", "Basic dXNlcjpwYXNz", "AWS AKID:sig", "AWS4-HMAC-SHA256x Credential=a"] {
            assert_eq!(claim(Some(header), None), Err(Unclaimed::Anonymous), "{header}");
        }
        assert_eq!(claim(None, None), Err(Unclaimed::Anonymous));
        assert_eq!(claim(None, Some("Action=ListQueues")), Err(Unclaimed::Anonymous));
    }

    #[test]
    fn a_claim_with_parts_missing_is_malformed() {
        for header in [
            "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/sqs/aws4_request",
            "AWS4-HMAC-SHA256 Credential=AKID, SignedHeaders=host, Signature=ab",
            "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/sqs/aws4, SignedHeaders=host, Signature=ab",
            "AWS4-HMAC-SHA256 Credential=/20150830/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=ab",
        ] {
            assert_eq!(claim(Some(header), None), Err(Unclaimed::Malformed), "{header}");
        }
    }
}
