//! Who calls, and which queue is meant.

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use kew_wire::Text;
use kew_wire::arn::partition;

use crate::policy::Policy;
use crate::time::Moment;

/// An AWS account: twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(u64);

impl Account {
    /// `000000000000`, the account of callers who name no other.
    pub const DEFAULT: Self = Self(0);

    /// The account with this number; `None` above twelve digits.
    pub fn from_number(number: u64) -> Option<Self> {
        (number <= 999_999_999_999).then_some(Self(number))
    }

    /// The number without leading zeros.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// The text is not twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnAccount;

impl FromStr for Account {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Self, NotAnAccount> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().map(Self).map_err(|_| NotAnAccount)
        } else {
            Err(NotAnAccount)
        }
    }
}

/// Who calls, established at the edge. Cheap to clone: every request carries one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The caller's account: whose queues a bare name means, and whose are listed.
    pub account: Account,
    /// The region of the request's credential scope or host (`us-east-1`).
    pub region: Text,
    /// What receivers see as `SenderId`.
    pub sender: Text,
    /// Who was authenticated. `None` where nobody is (Kew is open, or acts by itself): such a caller may do everything in its
    /// own account, and stands for the account's root in others.
    pub identity: Option<Arc<Identity>>,
    /// Where the request came from; shared by the requests of a connection. `None` for Kew's own.
    pub origin: Option<Arc<Origin>>,
}

impl Caller {
    /// A caller whom nobody authenticated, in an account that it says is its own.
    pub fn open(account: Account, region: Text) -> Self {
        Self { account, region, sender: account.to_string().into(), identity: None, origin: None }
    }

    /// An authenticated caller.
    pub fn identified(identity: Arc<Identity>, region: Text, origin: Option<Arc<Origin>>) -> Self {
        let (account, sender) = (identity.principal.account, identity.principal.id.clone());
        Self { account, region, sender, identity: Some(identity), origin }
    }

    /// The ARN by which refusals and the audit log name the caller.
    pub fn arn(&self) -> Text {
        match &self.identity {
            Some(identity) => identity.principal.arn.clone(),
            None => format!("arn:{}:iam::{}:root", partition(&self.region), self.account).into(),
        }
    }
}

/// An authenticated principal and what it may do; made once per access key or session, and shared.
#[derive(Debug)]
pub struct Identity {
    /// Who it is.
    pub principal: Principal,
    /// What it may do. `None`: everything that its account may, as an account's root and, by policies of resources alone,
    /// services and anonymous callers.
    pub permissions: Option<Permissions>,
    /// The access key that signed, for the audit log.
    pub access_key: Option<Text>,
    /// Whose requests its own count as where they are limited: the access key's that lasts, also those of sessions that it asked for,
    /// however many; the role's, by its unique id, those of all its sessions. `None`: the account's.
    pub counts_as: Option<Text>,
    /// What a session of a role hands on to the sessions that it asks for in turn; `None` for everybody else.
    pub chain: Option<Chain>,
}

/// What is handed on from session to session (IAM user guide, *Pass session tags in AWS STS*, *Monitor and control actions
/// taken with assumed roles*).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Session tags that later sessions have as well.
    pub tags: Vec<(Text, Text)>,
    /// Who stands behind the sessions, by their own words (`aws:SourceIdentity`).
    pub source_identity: Option<Text>,
}

/// Who somebody is, in the words of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its account. Of an anonymous caller, [`Account::DEFAULT`]; nothing is granted by it.
    pub account: Account,
    /// `arn:aws:iam::ACCOUNT:root`, `...:user/PATH/NAME`, `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; the name of a
    /// service (`sns.amazonaws.com`); `anonymous`.
    pub arn: Text,
    /// The unique id (`aws:userid`), also the SenderId: the account's number for its root, `AIDA...` for users, `AROA...:SESSION`
    /// for sessions of roles, the address of an anonymous caller.
    pub id: Text,
    /// What kind of principal it is.
    pub kind: Kind,
    /// Tags of the user or role, and of the session, which count more (`aws:PrincipalTag/KEY`).
    pub tags: Vec<(Text, Text)>,
    /// When the temporary credentials were given (`aws:TokenIssueTime`); `None` for keys that last.
    pub issued: Option<Moment>,
}

/// What kind of principal somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The account itself.
    Root,
    /// A user, with long-lived keys or by GetSessionToken.
    User {
        /// Its name, without path (`aws:username`).
        name: Text,
    },
    /// A session of a role.
    Role {
        /// The role's ARN, path included.
        role: Text,
    },
    /// A service, by its name (`sns.amazonaws.com`).
    Service,
    /// Somebody without credentials.
    Anonymous,
}

/// What a principal may do by its own policies. Every policy is compiled once, and shared.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// Of the user or role, those of its groups included.
    pub identity: Vec<Arc<Policy>>,
    /// The permissions boundary.
    pub boundary: Option<Arc<Policy>>,
    /// Passed to AssumeRole; none if that was given none.
    pub session: Vec<Arc<Policy>>,
}

/// Where a request came from, as policies' conditions may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address (`aws:SourceIp`).
    pub address: Option<IpAddr>,
    /// Whether it came over TLS (`aws:SecureTransport`).
    pub is_secure: bool,
    /// The header `User-Agent` (`aws:UserAgent`), cut to [`policy::limits::USER_AGENT_BYTES`](crate::policy::limits).
    pub user_agent: Option<Text>,
    /// For whom a service calls: the ARN of a topic, a rule ... (`aws:SourceArn`, and `aws:SourceAccount` from it).
    pub source: Option<Text>,
}

/// A UUID as AWS spells it: lower-case hexadecimal in five parts.
pub fn uuid_text(id: &[u8; 16]) -> Text {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in id.iter().enumerate() {
        at += usize::from(matches!(index, 4 | 6 | 8 | 10));
        text[at..at + 2].copy_from_slice(&hex_digits(*byte));
        at += 2;
    }
    Text::from(core::str::from_utf8(&text).unwrap_or_default())
}

/// A byte's two digits.
pub(crate) fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}
