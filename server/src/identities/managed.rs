//! The policies of AWS's own that mean something here, under AWS's ARNs (SQS developer guide, *AWS managed policies for
//! Amazon SQS*; IAM user guide, *AdministratorAccess*).

const POLICIES: [(&str, &str); 3] = [
    (
        "arn:aws:iam::aws:policy/AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "arn:aws:iam::aws:policy/AmazonSQSFullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:*"],"Resource":"*"}]}"#,
    ),
    (
        "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",
        concat!(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:GetQueueAttributes","sqs:GetQueueUrl","#,
            r#""sqs:ListDeadLetterSourceQueues","sqs:ListQueues","sqs:ListMessageMoveTasks","sqs:ListQueueTags"],"Resource":"*"}]}"#
        ),
    ),
];

/// The document of the policy with this ARN.
pub(crate) fn document(arn: &str) -> Option<&'static str> {
    POLICIES.iter().find(|(known, _)| *known == arn).map(|(_, document)| *document)
}

/// The ARNs that are known.
pub(crate) fn arns() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|(arn, _)| *arn)
}
