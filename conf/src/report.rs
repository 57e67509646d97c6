//! All findings about one file: collected by every stage, printed once, in the order of the file.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::{Config, Diagnostic, Severity, Span};

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

    /// What later stages can look at in spite of the errors, so that one run tells everything: the process, the logs
    /// and the identities. The other sections are empty, lest their errors lead to others.
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
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        for (number, diagnostic) in self.diagnostics.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            for part in self.parts(diagnostic) {
                writeln!(out, "{}", renderer.render(&part))?;
            }
        }
        Ok(())
    }

    /// What is rendered together: the renderer would join a title without a text to its advice by an empty margin.
    fn parts<'a>(&'a self, diagnostic: &'a Diagnostic) -> Vec<Vec<Group<'a>>> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(printable(&diagnostic.message));
        let help = diagnostic.help.as_deref().map(printable);
        let help = help.map(|help| Group::with_title(Level::HELP.secondary_title(help)));
        match &diagnostic.span {
            Some(span) => {
                let main = title.element(self.snippet(span, diagnostic));
                vec![[main].into_iter().chain(help).collect()]
            }
            None => [Group::with_title(title)]
                .into_iter()
                .chain(help)
                .map(|group| vec![group])
                .collect(),
        }
    }

    fn snippet<'a>(
        &'a self,
        span: &Span,
        diagnostic: &'a Diagnostic,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let span = self.clamp(span);
        let related = diagnostic.related.as_ref();
        let related = related.map(|(span, label)| (self.clamp(span), printable(label)));
        let other = related.as_ref().map_or(&span, |(span, _)| span);
        let lines = self.lines(span.start.min(other.start)..span.end.max(other.end));
        let within = |span: &Span| span.start - lines.start..span.end - lines.start;
        let label = diagnostic.label.as_deref().map(printable);
        Snippet::source(&self.source.text[lines.clone()])
            .line_start(self.position(lines.start).0)
            .path(self.source.path.to_string_lossy())
            .annotation(AnnotationKind::Primary.span(within(&span)).label(label))
            .annotations(
                related
                    .map(|(span, label)| AnnotationKind::Context.span(within(&span)).label(label)),
            )
    }

    /// The whole lines around a span; the renderer takes time for every line it is given.
    fn lines(&self, span: Span) -> Span {
        let text = &self.source.text;
        let start = text[..span.start]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let end = text[span.end..]
            .find('\n')
            .map_or(text.len(), |newline| span.end + newline);
        start..end
    }

    /// A span inside the text and between characters, whatever a caller gave.
    fn clamp(&self, span: &Span) -> Span {
        let text = &self.source.text;
        let start = text.floor_char_boundary(span.start.min(text.len()));
        start..text.ceil_char_boundary(span.end.clamp(start, text.len()))
    }

    /// Line and column, both from 1; columns count characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.source.text[..self.clamp(&(at..at)).start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
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
        let findings: Vec<_> = self
            .diagnostics
            .iter()
            .map(|diagnostic| self.finding(diagnostic))
            .collect();
        let mut out = serializer.serialize_struct("Report", 4)?;
        out.serialize_field("file", &self.source.path.to_string_lossy())?;
        out.serialize_field("errors", &self.count(Severity::Error))?;
        out.serialize_field("warnings", &self.count(Severity::Warning))?;
        out.serialize_field("findings", &findings)?;
        out.end()
    }
}

/// A finding as a machine reads it.
#[derive(Serialize)]
struct Finding<'a> {
    severity: Severity,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

/// The first and the last position of a text, lines and columns from 1.
#[derive(Serialize)]
struct At {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Report {
    fn finding<'a>(&self, diagnostic: &'a Diagnostic) -> Finding<'a> {
        let at = diagnostic.span.as_ref().map(|span| {
            let ((line, column), (end_line, end_column)) =
                (self.position(span.start), self.position(span.end));
            At {
                line,
                column,
                end_line,
                end_column,
            }
        });
        let Diagnostic {
            severity,
            message,
            label,
            help,
            ..
        } = diagnostic;
        Finding {
            severity: *severity,
            message,
            at,
            label: label.as_deref(),
            help: help.as_deref(),
        }
    }
}

/// A message on one line without control characters: values in it come from the file, and go to a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}
