//! Conditions: AWS's operators, read once and then asked of each request (user guide, *Condition operators*, *Multivalued
//! context keys*).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::context::{Context, Found, Key};
use super::json::Json;
use super::pattern::{ArnPattern, Syntax, Template};
use super::{Effect, Malformed, dates, syntax_error};

/// One operator on one key: all of a statement's must hold.
#[derive(Debug)]
pub(super) struct Condition {
    key: Key,
    across: Across,
    if_exists: bool,
    negated: bool,
    test: Test,
}

/// How a key with several values is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Across {
    /// As a whole: one that fits is enough, or, negated, none may.
    Whole,
    /// ForAnyValue.
    AnyValue,
    /// ForAllValues.
    AllValues,
}

/// What a value is compared with: any of these.
#[derive(Debug)]
enum Test {
    Equals(Vec<Template>),
    EqualsIgnoringCase(Vec<Template>),
    Number(Compare, Vec<f64>),
    Date(Compare, Vec<i64>),
    Bool(Vec<bool>),
    Binary(Vec<Vec<u8>>),
    Address(Vec<Network>),
    Arn(Vec<ArnPattern>),
    /// Whether the key is absent.
    Null(Vec<bool>),
}

#[derive(Debug, Clone, Copy)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    fn holds<T: PartialOrd>(self, one: T, other: T) -> bool {
        match self {
            Self::Equal => one == other,
            Self::Less => one < other,
            Self::LessOrEqual => one <= other,
            Self::Greater => one > other,
            Self::GreaterOrEqual => one >= other,
        }
    }
}

impl Condition {
    /// Reads a whole Condition element: operators, their keys, their values.
    pub(super) fn read_all(element: &Json, variables: bool) -> Result<Vec<Self>, Malformed> {
        let mut conditions = Vec::new();
        for (operator, keys) in element.members().ok_or_else(syntax_error)? {
            for (key, values) in keys.members().ok_or_else(syntax_error)? {
                conditions.push(Self::read(operator, key, values, variables)?);
            }
        }
        Ok(conditions)
    }

    fn read(operator: &str, key: &str, values: &Json, variables: bool) -> Result<Self, Malformed> {
        let (across, operator) = match operator.split_once(':') {
            Some(("ForAnyValue", operator)) => (Across::AnyValue, operator),
            Some(("ForAllValues", operator)) => (Across::AllValues, operator),
            Some(_) => return Err(syntax_error()),
            None => (Across::Whole, operator),
        };
        let (if_exists, operator) = match operator.strip_suffix("IfExists") {
            Some("Null") => return Err(syntax_error()),
            Some(operator) => (true, operator),
            None => (false, operator),
        };
        if key.is_empty() {
            return Err(syntax_error());
        }
        let values: Vec<String> = match values {
            Json::List(items) => items.iter().map(Json::scalar).collect(),
            one => one.scalar().map(|one| [one].into()),
        }
        .ok_or_else(syntax_error)?;
        let (negated, test) = Test::read(operator, &values, variables)?;
        Ok(Self { key: Key::read(key), across, if_exists, negated, test })
    }

    /// Whether it holds. A key that the request does not have is not equal to anything, so a positive operator does not hold and
    /// a negated one does; an empty set has no value that fits and none that does not. `effect` is its statement's.
    pub(super) fn holds(&self, effect: Effect, context: &Context<'_>) -> bool {
        context.surely(effect, || self.fits(effect, context))
    }

    fn fits(&self, effect: Effect, context: &Context<'_>) -> bool {
        let found = context.find(&self.key);
        if let Test::Null(expected) = &self.test {
            return expected.contains(&matches!(found, Found::Absent));
        }
        let fits = |value: &str| context.steps.take(value.len()) && self.test.fits(value, context);
        match (found, self.across) {
            (Found::Absent, _) if self.if_exists => true,
            (Found::Absent, Across::Whole) => self.negated,
            (Found::Absent, Across::AnyValue) => false,
            (Found::Absent, Across::AllValues) => true,
            (Found::One(value), _) => fits(&value) != self.negated,
            (Found::Many(values), Across::Whole) => values.into_iter().any(fits) != self.negated,
            (Found::Many(values), Across::AnyValue) => {
                values.into_iter().any(|value| fits(value) != self.negated)
            }
            (Found::Many(values), Across::AllValues) => {
                values.into_iter().all(|value| fits(value) != self.negated)
            }
            (Found::Torn(values), _) => {
                let mut each = values.into_iter().map(|value| fits(value) != self.negated);
                match effect {
                    Effect::Allow => each.all(|holds| holds),
                    Effect::Deny => each.any(|holds| holds),
                }
            }
        }
    }
}

impl Test {
    /// The test that an operator makes, and whether it is to fail.
    fn read(operator: &str, values: &[String], variables: bool) -> Result<(bool, Self), Malformed> {
        let texts = |wildcards: bool| {
            let syntax = Syntax { wildcards, variables };
            each(values, |value| Template::read(value, syntax), syntax_error)
        };
        let arns = || {
            let syntax = Syntax { wildcards: true, variables };
            each(values, |value| ArnPattern::read(value, syntax), syntax_error)
        };
        let numbers = || each(values, number, legacy_error);
        let dates = || each(values, dates::read, legacy_error);
        let addresses = || each(values, Network::read, legacy_error);
        let flags = || each(values, flag, legacy_error);
        let positive = |test| Ok((false, test));
        let negative = |test| Ok((true, test));
        match operator {
            "StringEquals" => positive(Self::Equals(texts(false)?)),
            "StringNotEquals" => negative(Self::Equals(texts(false)?)),
            "StringEqualsIgnoreCase" => positive(Self::EqualsIgnoringCase(texts(false)?)),
            "StringNotEqualsIgnoreCase" => negative(Self::EqualsIgnoringCase(texts(false)?)),
            "StringLike" => positive(Self::Equals(texts(true)?)),
            "StringNotLike" => negative(Self::Equals(texts(true)?)),
            "NumericEquals" => positive(Self::Number(Compare::Equal, numbers()?)),
            "NumericNotEquals" => negative(Self::Number(Compare::Equal, numbers()?)),
            "NumericLessThan" => positive(Self::Number(Compare::Less, numbers()?)),
            "NumericLessThanEquals" => positive(Self::Number(Compare::LessOrEqual, numbers()?)),
            "NumericGreaterThan" => positive(Self::Number(Compare::Greater, numbers()?)),
            "NumericGreaterThanEquals" => positive(Self::Number(Compare::GreaterOrEqual, numbers()?)),
            "DateEquals" => positive(Self::Date(Compare::Equal, dates()?)),
            "DateNotEquals" => negative(Self::Date(Compare::Equal, dates()?)),
            "DateLessThan" => positive(Self::Date(Compare::Less, dates()?)),
            "DateLessThanEquals" => positive(Self::Date(Compare::LessOrEqual, dates()?)),
            "DateGreaterThan" => positive(Self::Date(Compare::Greater, dates()?)),
            "DateGreaterThanEquals" => positive(Self::Date(Compare::GreaterOrEqual, dates()?)),
            "Bool" => positive(Self::Bool(flags()?)),
            "BinaryEquals" => positive(Self::Binary(each(values, binary, legacy_error)?)),
            "IpAddress" => positive(Self::Address(addresses()?)),
            "NotIpAddress" => negative(Self::Address(addresses()?)),
            // Equals and Like behave alike for ARNs.
            "ArnEquals" | "ArnLike" => positive(Self::Arn(arns()?)),
            "ArnNotEquals" | "ArnNotLike" => negative(Self::Arn(arns()?)),
            "Null" => positive(Self::Null(flags()?)),
            _ => Err(syntax_error()),
        }
    }

    /// Whether a request's value fits any of these. A value of another type fits none.
    fn fits(&self, value: &str, context: &Context<'_>) -> bool {
        let steps = context.steps;
        match self {
            Self::Equals(templates) => templates.iter().any(|template| template.matches(value, context)),
            Self::EqualsIgnoringCase(templates) => {
                templates.iter().any(|template| template.matches_ignoring_case(value, context))
            }
            Self::Number(compare, limits) => {
                let fits = |value| limits.iter().any(|limit| steps.take(1) && compare.holds(value, *limit));
                number(value).is_some_and(fits)
            }
            Self::Date(compare, limits) => {
                let fits = |value| limits.iter().any(|limit| steps.take(1) && compare.holds(value, *limit));
                dates::read(value).is_some_and(fits)
            }
            Self::Bool(flags) => {
                flag(value).is_some_and(|value| steps.take(flags.len()) && flags.contains(&value))
            }
            Self::Binary(all) => {
                let fits = |value| all.iter().any(|one| steps.take(1 + one.len()) && *one == value);
                binary(value).is_some_and(fits)
            }
            Self::Address(networks) => {
                let address = value.parse::<IpAddr>().ok();
                let fits =
                    |address| networks.iter().any(|network| steps.take(1) && network.contains(address));
                address.is_some_and(fits)
            }
            Self::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Self::Null(_) => false,
        }
    }
}

/// All values read, or the error.
fn each<T>(
    values: &[String],
    read: impl Fn(&str) -> Option<T>,
    error: impl Fn() -> Malformed,
) -> Result<Vec<T>, Malformed> {
    values.iter().map(|value| read(value).ok_or_else(&error)).collect()
}

/// What IAM says of a value that its operator cannot read.
fn legacy_error() -> Malformed {
    Malformed("The policy failed legacy parsing".into())
}

/// Decimal digits, with a sign, a point or an exponent.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|_| plain)
}

fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn binary(text: &str) -> Option<Vec<u8>> {
    base64_simd::STANDARD.decode_to_vec(text).ok()
}

/// A range of addresses: `203.0.113.0/24`, `2001:db8::/32`, or a single address.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => all,
            Some(bits) if !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().ok()?
            }
            Some(_) => return None,
        };
        (bits <= all).then_some(Self { address, bits })
    }

    fn contains(self, address: IpAddr) -> bool {
        let differ = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= self.bits
    }
}
