//! Texts with wildcards and policy variables, and ARNs made of them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::context::{Context, Key};
use super::glob::Pattern;

/// A part of a template: what is known when the policy is read, and what each request fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Known(Pattern),
    Variable { key: Key, default: Option<String> },
}

/// A text of a policy: wildcards and variables, as far as they mean something where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

/// What has a meaning in a template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    /// `*` and `?`.
    pub(super) wildcards: bool,
    /// `${key}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for those characters themselves: since version 2012-10-17.
    pub(super) variables: bool,
}

impl Template {
    /// Reads a text; `None` if a variable is not well formed.
    pub(super) fn read(text: &str, syntax: Syntax) -> Option<Self> {
        let mut parts = Vec::new();
        let mut known = Pattern::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let end = variable_end(rest)?;
                let inner = &rest[2..end];
                rest = &rest[end + 1..];
                if let "*" | "?" | "$" = inner {
                    known.push(inner);
                    continue;
                }
                if !known.bytes().is_empty() {
                    parts.push(Part::Known(core::mem::take(&mut known)));
                }
                parts.push(variable(inner)?);
                continue;
            }
            let (one, more) = rest.split_at(first.len_utf8());
            match first {
                '*' if syntax.wildcards => known.push_wildcard(b'*'),
                '?' if syntax.wildcards => known.push_wildcard(b'?'),
                _ => known.push(one),
            }
            rest = more;
        }
        if !known.bytes().is_empty() || parts.is_empty() {
            parts.push(Part::Known(known));
        }
        Some(Self { parts })
    }

    /// The pattern for this request; `None` if a variable has no value, for then nothing is equal to it or like it (user guide,
    /// *Policy variables with no value*). What is filled in stands for itself: its `*` is no wildcard.
    fn fill(&self, context: &Context<'_>) -> Option<Cow<'_, Pattern>> {
        if let [Part::Known(pattern)] = &self.parts[..] {
            return Some(Cow::Borrowed(pattern));
        }
        let mut all = Pattern::default();
        for part in &self.parts {
            let begin = all.bytes().len();
            match part {
                Part::Known(pattern) => all.append(pattern),
                Part::Variable { key, default } => {
                    let value = context.single(key);
                    all.push(value.as_deref().or(default.as_deref())?);
                }
            }
            if !context.steps.take(all.bytes().len() - begin) {
                return None;
            }
        }
        Some(Cow::Owned(all))
    }

    pub(super) fn matches(&self, text: &str, context: &Context<'_>) -> bool {
        self.fill(context).is_some_and(|pattern| pattern.matches(text, false, context.steps))
    }

    /// The same, whatever the case of letters.
    pub(super) fn matches_ignoring_case(&self, text: &str, context: &Context<'_>) -> bool {
        let Some(pattern) = self.fill(context) else { return false };
        if text.is_ascii() && pattern.bytes().is_ascii() {
            return pattern.matches(text, true, context.steps);
        }
        // No operator that ignores case knows wildcards.
        context.steps.take(pattern.bytes().len() + text.len())
            && String::from_utf8_lossy(pattern.bytes()).to_lowercase() == text.to_lowercase()
    }
}

/// Where the variable ends that `text` begins with: at the first `}` that does not stand in its quoted default.
fn variable_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().enumerate().find_map(|(at, byte)| {
        quoted ^= byte == b'\'';
        (byte == b'}' && !quoted).then_some(at)
    })
}

fn variable(inner: &str) -> Option<Part> {
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            // Two quotes stand for one.
            (key, Some(quoted.replace("''", "'")))
        }
        None => (inner, None),
    };
    let key = key.trim();
    (!key.is_empty()).then(|| Part::Variable { key: Key::read(key), default })
}

/// A pattern of ARNs, part by part (user guide, *Resource*, and *ARN condition operators*): a wildcard reaches no further
/// than its part, but for one in the last, which takes the colons that follow too. Parts that are left out may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArnPattern {
    parts: Vec<Template>,
}

/// The parts of an ARN.
const PARTS: usize = 6;

impl ArnPattern {
    /// Reads a pattern; `None` if a variable is not well formed.
    pub(super) fn read(text: &str, syntax: Syntax) -> Option<Self> {
        let mut parts = Vec::with_capacity(PARTS);
        let mut rest = text;
        while parts.len() + 1 < PARTS
            && let Some(colon) = colon(rest, syntax)
        {
            parts.push(Template::read(&rest[..colon], syntax)?);
            rest = &rest[colon + 1..];
        }
        parts.push(Template::read(rest, syntax)?);
        Some(Self { parts })
    }

    pub(super) fn matches(&self, arn: &str, context: &Context<'_>) -> bool {
        let mut rest = arn;
        let (Some(last), first) = (self.parts.last(), &self.parts[..self.parts.len().saturating_sub(1)])
        else {
            return false;
        };
        for part in first {
            let Some((segment, more)) = rest.split_once(':') else { return false };
            if !part.matches(segment, context) {
                return false;
            }
            rest = more;
        }
        if last.matches(rest, context) {
            return true;
        }
        self.parts.len() < PARTS
            && rest.split_once(':').is_some_and(|(segment, _)| last.matches(segment, context))
    }
}

/// The first colon that does not stand inside a variable.
fn colon(text: &str, syntax: Syntax) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let colon = rest.find(':')?;
        match rest.find("${").filter(|start| syntax.variables && *start < colon) {
            Some(start) => at += start + variable_end(&rest[start..])? + 1,
            None => return Some(at + colon),
        }
    }
}
