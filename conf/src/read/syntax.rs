//! What the TOML parser says, in our form.

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::lines::Lines;
use crate::{Diagnostic, Span};

/// A parsed text: the tree as far as it could be made out, and what is wrong with the text.
pub(super) struct Tree<'t> {
    pub(super) root: Spanned<DeValue<'t>>,
    pub(super) lines: Lines,
    pub(super) findings: Vec<Diagnostic>,
    /// There are more findings than were asked for.
    pub(super) more: bool,
    /// The structure itself is in doubt: what is missing from the tree may be in the text.
    pub(super) torn: bool,
}

/// Parses a text, going on after an error; tells at most `most` of them.
pub(super) fn parse(text: &str, most: usize) -> Tree<'_> {
    let lines = Lines::of(text);
    let (table, mut errors) = DeTable::parse_recoverable(text);
    let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    // One error leads to others on its line: the first says it.
    errors.sort_by_key(start);
    errors.dedup_by_key(|error| lines.number(start(error)));
    let torn = errors.iter().any(|error| !is_local(error));
    let findings = errors
        .iter()
        .take(most)
        .map(|error| describe(text, error))
        .collect();
    Tree {
        root,
        lines,
        findings,
        more: errors.len() > most,
        torn,
    }
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

const DUPLICATE: &str = "duplicate key";
const UNQUOTED: &str = "string values must be quoted";
/// What the parser takes a text for that begins as `inf` or `nan` do, or with a digit.
const FLOAT: &str = "invalid float";

/// Errors that leave the tree as it was meant.
fn is_local(error: &Error) -> bool {
    error.message() == DUPLICATE
        || error.message().starts_with(UNQUOTED)
        || error.message().starts_with(FLOAT)
}

fn describe(text: &str, error: &Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let word = word_around(text, &span);
    if error.message() == DUPLICATE {
        let written = text.get(span.clone()).unwrap_or_default();
        return Diagnostic::error(span, format!("duplicate key `{written}`"))
            .label("already written above");
    }
    if error.message().starts_with(UNQUOTED) || error.message().starts_with(FLOAT) {
        let help = format!("write `\"{}\"`", &text[word.clone()]);
        return Diagnostic::error(word, "a text without quotes")
            .label("expected a string")
            .help(help);
    }
    match error.message().split_once(", expected ") {
        Some((seen, expected)) => {
            Diagnostic::error(span, seen).label(format!("expected {expected}"))
        }
        None => Diagnostic::error(span, error.message()),
    }
}

/// The bare value around a span: up to the spaces and signs that part values.
fn word_around(text: &str, span: &Span) -> Span {
    let at = text.floor_char_boundary(span.start.min(text.len()));
    let parts = |c: char| c.is_whitespace() || "=,[]{}#\"'".contains(c);
    let start = text[..at]
        .rfind(parts)
        .map_or(0, |before| text.ceil_char_boundary(before + 1));
    let end = text[at..]
        .find(parts)
        .map_or(text.len(), |after| at + after);
    start..end
}
