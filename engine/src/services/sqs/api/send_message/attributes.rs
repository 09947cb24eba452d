//! What message attributes and system attributes may be (developer guide, *Amazon SQS message metadata*).

use alloc::format;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{MessageAttributeValue, MessageSystemAttributeValue};

use crate::services::sqs::message::{self, Attributes, TRACE_HEADER};
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

/// Checks message attributes, and takes away the values that their types do not use.
pub(super) fn check(attributes: &mut Attributes) -> Result<(), Fault> {
    let count = attributes.len();
    if count > limits::MESSAGE_ATTRIBUTES {
        let max = limits::MESSAGE_ATTRIBUTES;
        let message = format!("Number of message attributes [{count}] exceeds the allowed maximum [{max}].");
        return Err(faults::invalid_parameter(message));
    }
    attributes.iter_mut().try_for_each(|(name, attribute)| {
        check_name(name)?;
        check_value(name, attribute)
    })
}

fn check_name(name: &str) -> Result<(), Fault> {
    let refuse = |message: &'static str| Err(faults::invalid_parameter(message));
    if name.is_empty() {
        return refuse("The request must contain non-empty message (user) attribute names.");
    }
    if name.chars().count() > limits::ATTRIBUTE_NAME_CHARS {
        return refuse("Message (user) attribute name must be shorter than 256 bytes.");
    }
    // AWS takes letters of any script, though its documentation names only A-Z.
    if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return refuse(
            "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens \
             and underscores. ",
        );
    }
    let begins =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if begins("aws.") || begins("amazon.") || name.starts_with('.') || name.ends_with('.') {
        return refuse(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for \
             internal use. Additionally, they cannot start or end with '.'.",
        );
    }
    Ok(())
}

fn check_value(name: &str, attribute: &mut MessageAttributeValue) -> Result<(), Fault> {
    if !attribute.string_list_values.is_empty() || !attribute.binary_list_values.is_empty() {
        return Err(faults::unsupported(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    if attribute.data_type.is_empty() {
        return Err(faults::invalid_parameter(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute value."
        )));
    }
    if attribute.data_type.chars().count() > limits::ATTRIBUTE_TYPE_CHARS {
        return Err(faults::invalid_parameter(
            "Message (user) attribute type must be shorter than 256 bytes.",
        ));
    }
    let Some(kind) = Kind::of(&attribute.data_type) else {
        return Err(faults::invalid_parameter(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String."
        )));
    };
    let empty = || {
        let kind = kind.name();
        faults::invalid_parameter(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        ))
    };
    if kind == Kind::Binary {
        attribute.string_value = None;
        return if attribute.binary_value.as_ref().is_some_and(|value| !value.is_empty()) {
            Ok(())
        } else {
            Err(empty())
        };
    }
    attribute.binary_value = None;
    let value = attribute.string_value.as_ref().filter(|value| !value.is_empty()).ok_or_else(empty)?;
    if !message::is_valid(value) {
        return Err(faults::invalid_attribute_characters());
    }
    if kind == Kind::Number && !is_number(value) {
        return Err(faults::invalid_parameter(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
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
            return Err(faults::invalid_parameter(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        let value = attribute.string_value.as_ref().filter(|value| !value.is_empty());
        let Some(value) = value.filter(|_| attribute.data_type == "String") else {
            return Err(faults::invalid_parameter(format!(
                "Message (system) attribute '{name}' must contain a non-empty value of type 'String'."
            )));
        };
        if message::is_valid(value) { Ok(()) } else { Err(faults::invalid_attribute_characters()) }
    })
}
