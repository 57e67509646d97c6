//! The lines of a text.

/// Where the lines of a text begin.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    /// Finds them, once for all questions.
    pub(crate) fn of(text: &str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(behind).collect())
    }

    /// The number of the line that holds this byte, from 1.
    pub(crate) fn number(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }

    /// The first byte of a line, by its number.
    pub(crate) fn start(&self, number: usize) -> usize {
        self.0
            .get(number.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}
