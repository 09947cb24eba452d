//! Texts that outlive their request.

use alloc::string::String;
use core::ops::Deref;

use kew_wire::Text;

/// A text of its own. A request's texts are parts of its whole body, and one that is kept would keep all of that in memory; so a
/// [`State`](super::State) holds these, which can only be had by copying.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept(Text);

impl Kept {
    /// The same, for a reply.
    pub fn text(&self) -> Text {
        self.0.clone()
    }
}

impl From<&str> for Kept {
    fn from(text: &str) -> Self {
        Self(Text::from(text))
    }
}

impl From<String> for Kept {
    fn from(text: String) -> Self {
        Self(Text::from(text))
    }
}

impl Deref for Kept {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
