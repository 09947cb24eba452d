//! Policies in AWS's policy language: read once, strictly, and then asked who may do what.
//!
//! [`Policy::compile`] refuses what AWS refuses, in its words; what it takes costs little to ask, whatever it says: wildcards
//! never branch, and a decision ends after so many [steps](limits::STEPS). [`decide`] puts all the policies together that a request meets, and says which
//! statement decided. The rules are those of AWS's *IAM User Guide*, cited as "user guide".

mod condition;
mod context;
mod dates;
mod decision;
mod glob;
mod json;
pub mod limits;
mod pattern;
mod principals;
mod statement;
#[cfg(test)]
mod tests;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use kew_wire::Text;

pub use self::context::Request;
pub use self::dates::read as read_date;
pub use self::decision::{By, Decision, Layer, decide, decide_within};
pub use self::glob::Steps;
use self::json::Json;
use self::statement::Statement;

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
    statements: Vec<Statement>,
}

/// What is wrong with a policy's document, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub Cow<'static, str>);

/// What a statement does to those whom it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

impl Policy {
    /// Reads the document of a policy. `name` is how explanations call it (`inline`, an ARN).
    ///
    /// # Errors
    ///
    /// The message of IAM's MalformedPolicyDocument.
    pub fn compile(used: Use, name: Text, text: &str) -> Result<Self, Malformed> {
        if text.len() > limits::DOCUMENT_BYTES {
            return Err(syntax_error());
        }
        let document = Json::read(text).ok_or_else(syntax_error)?;
        let members = document.members().ok_or_else(syntax_error)?;
        let mut variables = false;
        let mut statements = None;
        for (key, value) in members {
            match (key.as_str(), value) {
                ("Version", Json::Text(version)) => match version.as_str() {
                    // Policy variables came with the second.
                    "2012-10-17" => variables = true,
                    "2008-10-17" => {}
                    _ => return Err(syntax_error()),
                },
                ("Id", Json::Text(_)) => {}
                ("Statement", Json::List(list)) if !list.is_empty() => statements = Some(&list[..]),
                // AWS also takes a single one without the list around it.
                ("Statement", one @ Json::Object(_)) => statements = Some(core::slice::from_ref(one)),
                _ => return Err(syntax_error()),
            }
        }
        let statements = statements.ok_or_else(syntax_error)?;
        let read = |element: &Json| Statement::read(element, used, variables);
        let statements = statements.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if used == Use::Identity {
            check_sids(&statements)?;
        }
        Ok(Self { name, statements })
    }

    /// A policy that denies everything to everyone, for one that should be there and cannot be read.
    pub fn deny_all(name: Text) -> Self {
        let text = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}"#;
        Self::compile(Use::Resource, name, text).expect("a constant, compiled by a test")
    }

    /// How explanations call it.
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// How much it says.
    pub fn size(&self) -> Size {
        let most = |count: fn(&Statement) -> usize| self.statements.iter().map(count).max().unwrap_or(0);
        Size {
            statements: self.statements.len(),
            actions: most(Statement::actions),
            principals: most(Statement::principals),
            conditions: most(Statement::conditions),
        }
    }
}

/// How much a policy says: services limit that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many statements it has.
    pub statements: usize,
    /// How many actions the statement names that names most.
    pub actions: usize,
    /// How many principals one statement names.
    pub principals: usize,
    /// How many keys one statement's conditions compare.
    pub conditions: usize,
}

/// The Sids of an identity's policy are alphanumeric and distinct; those of resources are the service's to check.
fn check_sids(statements: &[Statement]) -> Result<(), Malformed> {
    let mut seen = alloc::collections::BTreeSet::new();
    for sid in
        statements.iter().filter_map(|statement| statement.sid.as_deref()).filter(|sid| !sid.is_empty())
    {
        if !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let rule = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
            return Err(Malformed(rule.into()));
        }
        if !seen.insert(sid) {
            return Err(Malformed("Statement IDs (SID) in a single policy must be unique.".into()));
        }
    }
    Ok(())
}

/// What IAM says of whatever is no policy.
fn syntax_error() -> Malformed {
    Malformed("Syntax errors in policy.".into())
}
