//! What message attributes and system attributes may be (developer guide, *Amazon SQS message metadata*).

use alloc::borrow::Cow;
use alloc::format;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{MessageAttributeValue, MessageSystemAttributeValue};

use crate::services::sqs::message::{self, TRACE_HEADER};
use crate::services::sqs::{faults, limits};

/// The types that an attribute's type begins with.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    String,
    Number,
    Binary,
}

impl Kind {
    /// `String`, or `String.label`.
    fn of(data_type: &str) -> Option<Self> {
        match data_type.split('.').next() {
            Some("String") => Some(Self::String),
            Some("Number") => Some(Self::Number),
            Some("Binary") => Some(Self::Binary),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Number => "Number",
            Self::Binary => "Binary",
        }
    }
}

/// Checks message attributes.
pub(super) fn check(attributes: &[(Text, MessageAttributeValue)]) -> Result<(), Fault> {
    let count = attributes.len();
    if count > limits::MESSAGE_ATTRIBUTES {
        let max = limits::MESSAGE_ATTRIBUTES;
        return refuse(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [{max}]."
        ));
    }
    for (at, (name, attribute)) in attributes.iter().enumerate() {
        check_name(name)?;
        if attributes[..at].iter().any(|(before, _)| before == name) {
            return refuse(format!("Message attribute name '{name}' already exists."));
        }
        check_value(name, attribute)?;
    }
    Ok(())
}

fn refuse<T>(message: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
    Err(faults::invalid_parameter(message))
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return refuse("The request must contain non-empty message (user) attribute names.");
    }
    if name.chars().count() > limits::ATTRIBUTE_NAME_CHARS {
        return refuse("Message (user) attribute name must be shorter than 256 bytes.");
    }
    let begins =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if begins("aws.") || begins("amazon.") {
        return refuse(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for \
             internal use.",
        );
    }
    if name.starts_with('.') {
        return refuse("Invalid message attribute name starting with character '.' was found.");
    }
    if name.ends_with('.') {
        return refuse("Invalid message attribute name ending with character '.' was found.");
    }
    // AWS takes letters of any script, though its documentation names only A-Z.
    let strange = |c: &char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if let Some(character) = name.chars().find(strange) {
        let code = u32::from(character);
        return refuse(format!(
            "Invalid non-alphanumeric character '#x{code:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots."
        ));
    }
    if name.contains("..") {
        return refuse("Message attribute name can not have successive '.' character.");
    }
    Ok(())
}

fn check_value(name: &str, attribute: &MessageAttributeValue) -> Result<(), Fault> {
    if !attribute.string_list_values.is_empty() || !attribute.binary_list_values.is_empty() {
        return Err(faults::unsupported(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    if attribute.data_type.is_empty() {
        return refuse(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute value."
        ));
    }
    if attribute.data_type.chars().count() > limits::ATTRIBUTE_TYPE_CHARS {
        return refuse("Message (user) attribute type must be shorter than 256 bytes.");
    }
    let Some(kind) = Kind::of(&attribute.data_type) else {
        return refuse(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String."
        ));
    };
    let text = attribute.string_value.as_ref().filter(|text| !text.is_empty());
    let binary = attribute.binary_value.as_ref().filter(|binary| !binary.is_empty());
    let field = if kind == Kind::Binary { "Binary" } else { "String" };
    match (text, binary) {
        (Some(_), Some(_)) => refuse(format!("Message (user) attribute '{name}' has multiple values.")),
        (None, None) => refuse(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{}'.",
            kind.name()
        )),
        (Some(text), None) if kind != Kind::Binary => check_text(name, kind, text),
        (None, Some(_)) if kind == Kind::Binary => Ok(()),
        _ => refuse(format!(
            "The message (user) attribute '{name}' with type '{}' must use field '{field}'.",
            kind.name()
        )),
    }
}

fn check_text(name: &str, kind: Kind, text: &str) -> Result<(), Fault> {
    if let Some(character) = message::first_invalid(text) {
        return Err(faults::invalid_attribute_text(character, name));
    }
    if kind == Kind::Number && !is_number(text) {
        return refuse(format!("Can't cast the value of message (user) attribute '{name}' to a number."));
    }
    Ok(())
}

/// A decimal number with optional sign, fraction and exponent.
fn is_number(text: &str) -> bool {
    let unsigned = |text: &'_ str| text.strip_prefix(['+', '-']).map_or(text.len(), str::len);
    let text = &text[text.len() - unsigned(text)..];
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = &exponent[exponent.len() - unsigned(exponent)..];
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent
}

/// Checks system attributes: there is one, a text.
pub(super) fn check_system(attributes: &[(Text, MessageSystemAttributeValue)]) -> Result<(), Fault> {
    attributes.iter().try_for_each(|(name, attribute)| {
        if name != TRACE_HEADER {
            return refuse(format!("Message system attribute name '{name}' is invalid."));
        }
        let text = attribute.string_value.as_ref().filter(|text| !text.is_empty());
        match text.filter(|_| attribute.data_type == "String") {
            Some(text) => check_text(name, Kind::String, text),
            None => refuse(format!(
                "Message (system) attribute '{name}' must contain a non-empty value of type 'String'."
            )),
        }
    })
}
