//! Policies in AWS's policy language: read once, strictly, and then asked who may do what.

pub mod limits;

use alloc::borrow::Cow;

use kew_wire::Text;

/// Where a policy stands, and so what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Says what a user or role may do, bounds it, or is passed to AssumeRole: names no principal.
    Identity,
    /// Says who may use the resource that it belongs to, a queue or a key.
    Resource,
    /// Says who may assume the role that it belongs to: names no resource.
    Trust,
}

/// A policy, compiled.
#[derive(Debug)]
pub struct Policy {
    name: Text,
}

/// What is wrong with a policy's document, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub Cow<'static, str>);

impl Policy {
    /// Reads the document of a policy. `name` is how explanations call it (`inline`, an ARN).
    pub fn compile(_used: Use, name: Text, text: &str) -> Result<Self, Malformed> {
        match serde_json::from_str(text) {
            Ok(serde_json::Value::Object(_)) if text.len() <= limits::DOCUMENT_BYTES => Ok(Self { name }),
            _ => Err(Malformed("Syntax errors in policy.".into())),
        }
    }

    /// How explanations call it.
    pub fn name(&self) -> &Text {
        &self.name
    }
}
