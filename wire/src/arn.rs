//! Amazon Resource Names: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.

use core::fmt;

/// An ARN, by its parts. Parts may be empty; which must not be is for the service to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn` and the like.
    pub partition: &'a str,
    /// `sqs`.
    pub service: &'a str,
    /// `us-east-1`.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// The rest, colons and slashes included.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts of `text`, if it has all six.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        (prefix == "arn").then_some(Self { partition, service, region, account, resource })
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// The partition that a region belongs to.
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_arn_is_its_parts_and_back() {
        let text = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo";
        let arn = Arn::parse(text).expect("well-formed");
        assert_eq!(
            (arn.service, arn.region, arn.account, arn.resource),
            ("sqs", "eu-west-1", "123456789012", "orders.fifo")
        );
        assert_eq!(arn.to_string(), text);
    }

    #[test]
    fn a_resource_keeps_its_colons() {
        assert_eq!(
            Arn::parse("arn:aws:lambda:r:1:function:f:3").map(|arn| arn.resource),
            Some("function:f:3")
        );
    }

    #[test]
    fn anything_with_fewer_parts_or_another_prefix_is_no_arn() {
        for text in ["", "arn", "dummy", "arn:aws:sqs:us-east-1:1", "urn:aws:sqs:us-east-1:1:q"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn regions_tell_their_partition() {
        assert_eq!(partition("us-east-1"), "aws");
        assert_eq!(partition("cn-north-1"), "aws-cn");
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
    }
}
