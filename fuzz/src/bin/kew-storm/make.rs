//! Makes requests: sound ones of every service, and then not.

use kew_fuzz::mutation::{Dice, mutate};
use kew_fuzz::request;

use crate::signer::Key;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    /// The service that it goes to, by its signing name.
    pub(crate) service: &'static str,
    /// All but its length.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// What requests are made of, besides chance.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// Who calls where everybody must sign: the first may everything. Empty where nobody must.
    pub(crate) keys: Vec<Key>,
    /// What KMS has encrypted, in base64.
    pub(crate) ciphertext: String,
}

/// What is asked of KMS. Most of it changes nothing: a change is a sync of the disk.
const KMS: &[(&str, &str)] = &[
    ("Encrypt", r#"{"KeyId":"alias/storm","Plaintext":"AAEC","EncryptionContext":{"a":"b"}}"#),
    ("Decrypt", r#"{"CiphertextBlob":"CIPHERTEXT","EncryptionContext":{"a":"b"}}"#),
    ("Decrypt", r#"{"CiphertextBlob":"CIPHERTEXT","KeyId":"alias/storm"}"#),
    (
        "ReEncrypt",
        r#"{"CiphertextBlob":"CIPHERTEXT","SourceEncryptionContext":{"a":"b"},"DestinationKeyId":"alias/storm"}"#,
    ),
    ("GenerateDataKey", r#"{"KeyId":"alias/storm","KeySpec":"AES_256","EncryptionContext":{"a":"b"}}"#),
    ("GenerateDataKey", r#"{"KeyId":"alias/storm","NumberOfBytes":64}"#),
    ("GenerateDataKeyWithoutPlaintext", r#"{"KeyId":"alias/storm","KeySpec":"AES_128"}"#),
    ("DescribeKey", r#"{"KeyId":"arn:aws:kms:us-east-1:000000000000:alias/storm"}"#),
    ("ListKeys", r#"{"Limit":10,"Marker":"m"}"#),
    ("ListAliases", r#"{"Limit":100}"#),
    ("ListKeyPolicies", r#"{"KeyId":"alias/storm"}"#),
    ("ListResourceTags", r#"{"KeyId":"alias/storm"}"#),
    ("GetKeyPolicy", r#"{"KeyId":"alias/storm","PolicyName":"default"}"#),
    ("GetKeyRotationStatus", r#"{"KeyId":"alias/storm"}"#),
    (
        "PutKeyPolicy",
        r#"{"KeyId":"alias/storm","PolicyName":"default","Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"}"#,
    ),
    ("TagResource", r#"{"KeyId":"alias/storm","Tags":[{"TagKey":"team","TagValue":"shop"}]}"#),
    ("UntagResource", r#"{"KeyId":"alias/storm","TagKeys":["team"]}"#),
    ("UpdateKeyDescription", r#"{"KeyId":"alias/storm","Description":"d"}"#),
    ("EnableKeyRotation", r#"{"KeyId":"alias/storm","RotationPeriodInDays":90}"#),
    ("RotateKeyOnDemand", r#"{"KeyId":"alias/storm"}"#),
    ("EnableKey", r#"{"KeyId":"alias/storm"}"#),
    ("CreateKey", r#"{"Description":"d","Tags":[{"TagKey":"a","TagValue":"b"}]}"#),
    ("CreateAlias", r#"{"AliasName":"alias/other","TargetKeyId":"1234abcd-12ab-34cd-56ef-1234567890ab"}"#),
    ("ScheduleKeyDeletion", r#"{"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab","PendingWindowInDays":7}"#),
];

const STS: &[&str] = &[
    "Action=GetCallerIdentity&Version=2011-06-15",
    "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900",
    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Freader&RoleSessionName=storm&DurationSeconds=900&\
     Tags.member.1.Key=team&Tags.member.1.Value=shop&Policy=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
     %22Action%22%3A%22sqs%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D",
];

/// Kew's own pages. A backup is asked for nowhere: who may have one names any path on this machine.
const PAGES: &[(&str, &str)] = &[
    ("GET", "/metrics"),
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("GET", "/_localstack/health"),
    ("GET", "/_kew/clock"),
    ("GET", "/_kew/peek?QueueUrl=q&max=3"),
    ("GET", "/_aws/sqs/messages?QueueUrl=http%3A%2F%2Flocalhost%3A4566%2F000000000000%2Fq"),
    ("GET", "/_aws/sqs/messages/us-east-1/000000000000/q"),
    ("OPTIONS", "/"),
    ("GET", "/favicon.ico"),
];

/// A request of any service, sound or with a body or an operation that is not, and signed if somebody must.
pub(crate) fn draw(stock: &Stock, forms: &[Vec<u8>], dice: &mut Dice) -> Wish {
    let is_sound = dice.below(4) == 0;
    let mut wish = match dice.below(100) {
        0..45 => json("sqs", "AmazonSQS", request::JSON[dice.below(request::JSON.len())]),
        45..75 => form("sqs", &forms[dice.below(forms.len())]),
        75..87 => json("kms", "TrentService", KMS[dice.below(KMS.len())]),
        87..94 => form("sts", STS[dice.below(STS.len())].as_bytes()),
        _ => page(PAGES[dice.below(PAGES.len())]),
    };
    wish.fill(stock);
    if !is_sound {
        wish.spoil(forms, dice);
    }
    if dice.below(6) == 0 && wish.service != "kms" && wish.method == "POST" {
        wish.into_url();
    }
    if stock.keys.is_empty() {
        if dice.below(20) == 0 {
            wish.claim_anything(dice);
        }
        return wish;
    }
    // The first may everything, and so reaches most.
    let at = if dice.below(2) == 0 { 0 } else { dice.below(stock.keys.len() + 1) };
    if let Some(key) = stock.keys.get(at) {
        if wish.body.is_empty() && dice.below(2) == 0 {
            key.presign(&mut wish);
        } else {
            key.sign(&mut wish);
        }
        if dice.below(4) == 0 {
            wish.tamper(dice);
        }
    }
    wish
}

/// A request in AWS JSON.
pub(crate) fn json(service: &'static str, prefix: &str, (operation, body): (&str, &str)) -> Wish {
    let headers = vec![
        header("Host", "localhost:4566"),
        header(
            "Content-Type",
            if service == "sqs" { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" },
        ),
        header("X-Amz-Target", &format!("{prefix}.{operation}")),
    ];
    Wish { method: "POST", target: "/".to_owned(), service, headers, body: body.as_bytes().to_vec() }
}

/// A request in a form.
pub(crate) fn form(service: &'static str, body: &[u8]) -> Wish {
    let headers = vec![header("Host", "localhost:4566"), header("Content-Type", FORM)];
    Wish { method: "POST", target: "/".to_owned(), service, headers, body: body.to_vec() }
}

/// A request for a page.
pub(crate) fn page((method, target): (&'static str, &str)) -> Wish {
    let headers = vec![header("Host", "localhost:4566")];
    Wish { method, target: target.to_owned(), service: "page", headers, body: Vec::new() }
}

fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

impl Wish {
    /// Its bytes, framed soundly.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend(&self.body);
        bytes
    }

    fn fill(&mut self, stock: &Stock) {
        if let Some(at) = self.body.windows(10).position(|word| word == b"CIPHERTEXT") {
            self.body.splice(at..at + 10, stock.ciphertext.bytes());
        }
    }

    /// Changes what it asks, before anybody signs it.
    fn spoil(&mut self, forms: &[Vec<u8>], dice: &mut Dice) {
        let other = if dice.below(2) == 0 {
            request::JSON[dice.below(request::JSON.len())].1.as_bytes()
        } else {
            &forms[dice.below(forms.len())]
        };
        if self.method == "POST" {
            mutate(&mut self.body, other, request::WORDS, dice);
        }
        if dice.below(20) == 0
            && let Some((_, target)) = self.headers.iter_mut().find(|(name, _)| name == "X-Amz-Target")
        {
            mutate(target, b"", request::WORDS, dice);
            clean(target);
        }
        if dice.below(10) == 0 {
            let mut target = if self.service == "page" {
                self.target.clone().into_bytes()
            } else {
                b"/queue/us-east-1/000000000000/q?Action=GetQueueUrl&QueueName=q".to_vec()
            };
            mutate(&mut target, other, request::WORDS, dice);
            self.aim(&target);
        }
    }

    /// Its form goes into its URL.
    fn into_url(&mut self) {
        let query = std::mem::take(&mut self.body);
        self.method = "GET";
        self.headers.retain(|(name, _)| name == "Host");
        self.aim(&[b"/?", &query[..]].concat());
    }

    /// Takes another target, as far as it can stand in a request's first line; but nothing that moves the clock.
    fn aim(&mut self, target: &[u8]) {
        let text: String =
            target.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect();
        if !text.contains("advance") {
            self.target = format!("/{}", text.trim_start_matches('/'));
        }
    }

    /// A header that an open server may believe.
    fn claim_anything(&mut self, dice: &mut Dice) {
        let names = [
            "Authorization",
            "X-Amz-Date",
            "Accept",
            "X-Amz-Security-Token",
            "X-Amzn-Trace-Id",
            "Cookie",
            "Content-Encoding",
        ];
        let mut value = b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00".to_vec();
        mutate(&mut value, b"gzip", request::WORDS, dice);
        clean(&mut value);
        self.headers.push((names[dice.below(names.len())].to_owned(), value));
    }

    /// Changes it after it was signed.
    fn tamper(&mut self, dice: &mut Dice) {
        match dice.below(4) {
            0 => mutate(&mut self.body, b"\"QueueUrl\":\"d\"", request::WORDS, dice),
            1 => {
                let mut target = self.target.clone().into_bytes();
                mutate(&mut target, b"&X-Amz-Date=", request::WORDS, dice);
                self.aim(&target);
            }
            2 => {
                let at = dice.below(self.headers.len());
                self.headers.remove(at);
            }
            _ => {
                let at = dice.below(self.headers.len());
                let value = &mut self.headers[at].1;
                mutate(value, b"Credential=", kew_fuzz::claim::WORDS, dice);
                clean(value);
            }
        }
    }
}

/// Takes out what would end a line.
fn clean(value: &mut Vec<u8>) {
    value.retain(|byte| !matches!(byte, b'\r' | b'\n'));
}
