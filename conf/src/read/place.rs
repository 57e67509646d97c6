//! Where in the tree of a file a value stands.

use crate::Span;

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Into the value of this key.
    Key(String),
    /// Into this element of an array.
    Index(usize),
}

/// The way to a value, and the text to underline.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// From the root to the entry that is to be left out for reading to go on.
    pub(super) steps: Vec<Step>,
    /// The text that is wrong.
    pub(super) span: Span,
    /// The places of everything around it, the keys of the tables included.
    pub(super) around: Vec<Span>,
}

impl Place {
    /// The table around the entry, as its header names it: `http.tls`.
    pub(super) fn section(&self) -> String {
        let end = self
            .steps
            .iter()
            .rposition(|step| matches!(step, Step::Key(_)))
            .unwrap_or(0);
        let keys = self.steps[..end].iter().filter_map(Step::as_key);
        keys.collect::<Vec<_>>().join(".")
    }

    /// The last key on the way.
    pub(super) fn key(&self) -> &str {
        self.steps
            .iter()
            .rev()
            .find_map(Step::as_key)
            .unwrap_or("the file")
    }
}

impl Step {
    fn as_key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}
