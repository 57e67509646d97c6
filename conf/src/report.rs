//! All findings about one file: collected by every stage, printed once, in the order of the file.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::page::Page;
use crate::{Config, Diagnostic, Severity};

/// The text of a configuration file, kept for its findings.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// All findings about a file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    source: Source,
    diagnostics: Vec<Diagnostic>,
    rest: Option<Box<Config>>,
}

impl Report {
    /// Nothing found yet.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }

    /// The same report with what later stages can look at in spite of its errors.
    pub(crate) fn with_rest(self, rest: Config) -> Self {
        Self {
            rest: Some(Box::new(rest)),
            ..self
        }
    }

    /// What could be read in spite of the errors, so that later stages can add theirs in the same run. The entries that
    /// are wrong are missing from it, and names in it may be dangling: only what needs nothing else can be looked at.
    pub fn take_rest(&mut self) -> Option<Box<Config>> {
        self.rest.take()
    }

    /// Adds a finding of a later stage; its span comes from a [`Spanned`](crate::Spanned) of the configuration.
    /// An error adds nothing where an earlier stage has found one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.extend([diagnostic]);
    }

    /// Whether any finding is an error, so that the configuration is not accepted.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The number of findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    /// The findings in the order of the file, those about the whole file first.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The file the findings are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Writes every finding, with the text underlined; with ANSI colours if `color`.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn render(&self, out: &mut dyn Write, color: bool) -> io::Result<()> {
        Page::new(&self.source).render(&self.diagnostics, out, color)
    }
}

impl Extend<Diagnostic> for Report {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        let error =
            |finding: &Diagnostic| finding.severity == Severity::Error && finding.span.is_some();
        let found: Vec<_> = self
            .diagnostics
            .iter()
            .filter(|found| error(found))
            .map(|found| found.span.clone())
            .collect();
        let new = |finding: &Diagnostic| !(error(finding) && found.contains(&finding.span));
        self.diagnostics.extend(diagnostics.into_iter().filter(new));
        self.diagnostics.sort_by_key(|diagnostic| {
            let place = diagnostic.span.as_ref().map(|span| (span.start, span.end));
            (place, diagnostic.severity)
        });
        self.diagnostics.dedup();
    }
}

/// Plain text, as [`render`](Report::render) writes it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.render(&mut out, false).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl std::error::Error for Report {}

/// For `--json`: the file, and its findings with line and column.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let page = Page::new(&self.source);
        let findings: Vec<_> = self
            .diagnostics
            .iter()
            .map(|diagnostic| page.finding(diagnostic))
            .collect();
        let mut out = serializer.serialize_struct("Report", 4)?;
        out.serialize_field("file", &self.source.path.to_string_lossy())?;
        out.serialize_field("errors", &self.count(Severity::Error))?;
        out.serialize_field("warnings", &self.count(Severity::Warning))?;
        out.serialize_field("findings", &findings)?;
        out.end()
    }
}
