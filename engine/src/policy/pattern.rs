//! Texts with wildcards and policy variables, and ARNs made of them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::context::{Context, Key};

/// A place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This byte.
    Byte(u8),
    /// `?`: any one character.
    One,
    /// `*`: any run of characters, or none.
    Any,
}

/// A part of a template: what is known when the policy is read, and what each request fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Tokens(Vec<Token>),
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
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            if syntax.variables && rest.starts_with("${") {
                let end = variable_end(rest)?;
                let inner = &rest[2..end];
                rest = &rest[end + 1..];
                if let "*" | "?" | "$" = inner {
                    tokens.extend(inner.bytes().map(Token::Byte));
                    continue;
                }
                if !tokens.is_empty() {
                    parts.push(Part::Tokens(core::mem::take(&mut tokens)));
                }
                parts.push(variable(inner)?);
                continue;
            }
            tokens.push(match first {
                b'*' if syntax.wildcards => Token::Any,
                b'?' if syntax.wildcards => Token::One,
                byte => Token::Byte(byte),
            });
            // A byte inside a character is one of its own; patterns are compared as bytes.
            let length = rest.chars().next().map_or(1, char::len_utf8);
            tokens.extend(rest.bytes().take(length).skip(1).map(Token::Byte));
            rest = &rest[length..];
        }
        if !tokens.is_empty() || parts.is_empty() {
            parts.push(Part::Tokens(tokens));
        }
        Some(Self { parts })
    }

    /// The pattern for this request; `None` if a variable has no value, for then nothing is equal to it or like it (user guide,
    /// *Policy variables with no value*). What is filled in stands for itself: its `*` is no wildcard.
    fn fill(&self, context: &Context<'_>) -> Option<Cow<'_, [Token]>> {
        if let [Part::Tokens(tokens)] = &self.parts[..] {
            return Some(Cow::Borrowed(tokens));
        }
        let mut all = Vec::new();
        for part in &self.parts {
            match part {
                Part::Tokens(tokens) => all.extend_from_slice(tokens),
                Part::Variable { key, default } => {
                    let value = context.single(key);
                    let value = value.as_deref().or(default.as_deref())?;
                    all.extend(value.bytes().map(Token::Byte));
                }
            }
        }
        Some(Cow::Owned(all))
    }

    pub(super) fn matches(&self, text: &str, context: &Context<'_>) -> bool {
        self.fill(context).is_some_and(|tokens| glob(&tokens, text, false))
    }

    /// The same, whatever the case of letters.
    pub(super) fn matches_ignoring_case(&self, text: &str, context: &Context<'_>) -> bool {
        let Some(tokens) = self.fill(context) else { return false };
        if text.is_ascii() && tokens.iter().all(|token| !matches!(token, Token::Byte(128..))) {
            return glob(&tokens, text, true);
        }
        let bytes: Vec<u8> = tokens
            .iter()
            .filter_map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None })
            .collect();
        String::from_utf8_lossy(&bytes).to_lowercase() == text.to_lowercase()
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

/// Whether a whole text fits. At the worst as many steps as pattern and text have bytes, multiplied: only the last `*` is ever
/// tried again.
pub(super) fn glob(pattern: &[Token], text: &str, ignore_case: bool) -> bool {
    let bytes = text.as_bytes();
    let same = |a: u8, b: u8| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
    let after =
        |at: usize| at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < bytes.len() {
        match pattern.get(at) {
            Some(Token::Any) => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(Token::One) => {
                at += 1;
                seen = after(seen);
            }
            Some(Token::Byte(byte)) if same(*byte, bytes[seen]) => {
                at += 1;
                seen += 1;
            }
            _ => match retry {
                Some((next, start)) => {
                    let start = after(start);
                    retry = Some((next, start));
                    at = next;
                    seen = start;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Any)
}

/// Reads an action's pattern, or any text without variables.
pub(super) fn plain(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    tokens.extend(text.bytes().map(|byte| match byte {
        b'*' => Token::Any,
        b'?' => Token::One,
        byte => Token::Byte(byte),
    }));
    tokens
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
