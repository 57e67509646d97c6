//! A file with its findings, as people and machines read it.

use std::io::{self, Write};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::lines::Lines;
use crate::{Diagnostic, Severity, Source, Span};

/// A file whose lines are known.
pub(crate) struct Page<'s> {
    source: &'s Source,
    lines: Lines,
}

/// A finding as a machine reads it.
#[derive(Serialize)]
pub(crate) struct Finding<'d> {
    severity: Severity,
    message: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'d str>,
}

/// Where a text begins and ends, lines and columns from 1.
#[derive(Serialize)]
struct At {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

/// Two places further apart than this are shown each for itself: the renderer takes time for every line between.
const FAR: usize = 16 * 1024;

impl<'s> Page<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        Self {
            source,
            lines: Lines::of(&source.text),
        }
    }

    /// Writes the findings, parted by empty lines.
    pub(crate) fn render(
        &self,
        findings: &[Diagnostic],
        out: &mut dyn Write,
        color: bool,
    ) -> io::Result<()> {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        for (number, diagnostic) in findings.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            for part in self.parts(diagnostic) {
                writeln!(out, "{}", renderer.render(&part))?;
            }
        }
        Ok(())
    }

    /// The form of a finding for `--json`.
    pub(crate) fn finding<'d>(&self, diagnostic: &'d Diagnostic) -> Finding<'d> {
        let at = diagnostic.span.as_ref().map(|span| {
            let span = self.clamp(span);
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
                let main = title.elements(self.snippets(span, diagnostic));
                vec![[main].into_iter().chain(help).collect()]
            }
            None => [Group::with_title(title)]
                .into_iter()
                .chain(help)
                .map(|group| vec![group])
                .collect(),
        }
    }

    /// The text of a finding, and that of the place it is related to: together if they are near.
    fn snippets<'a>(
        &'a self,
        span: &Span,
        diagnostic: &'a Diagnostic,
    ) -> Vec<Snippet<'a, Annotation<'a>>> {
        let label = diagnostic.label.as_deref().map(printable);
        let primary = |span: Span| AnnotationKind::Primary.span(span).label(label);
        let span = self.clamp(span);
        let Some((other, label)) = &diagnostic.related else {
            let (snippet, start) = self.excerpt(&span);
            return vec![snippet.annotation(primary(shifted(&span, start)))];
        };
        let other = self.clamp(other);
        let context = |span: Span| AnnotationKind::Context.span(span).label(printable(label));
        let both = span.start.min(other.start)..span.end.max(other.end);
        if both.len() <= FAR {
            let (snippet, start) = self.excerpt(&both);
            let annotations = [
                primary(shifted(&span, start)),
                context(shifted(&other, start)),
            ];
            return vec![snippet.annotations(annotations)];
        }
        let (first, second) = (self.excerpt(&span), self.excerpt(&other));
        vec![
            first.0.annotation(primary(shifted(&span, first.1))),
            second.0.annotation(context(shifted(&other, second.1))),
        ]
    }

    /// The whole lines around a span, and where they begin.
    fn excerpt<'a>(&'a self, span: &Span) -> (Snippet<'a, Annotation<'a>>, usize) {
        let text = &self.source.text;
        let number = self.lines.number(span.start);
        let start = self.lines.start(number);
        let end = text[span.end..]
            .find('\n')
            .map_or(text.len(), |newline| span.end + newline);
        let snippet = Snippet::source(&text[start..end]).line_start(number);
        (snippet.path(self.source.path.to_string_lossy()), start)
    }

    /// A span inside the text and between characters, whatever a caller gave.
    fn clamp(&self, span: &Span) -> Span {
        let text = &self.source.text;
        let start = text.floor_char_boundary(span.start.min(text.len()));
        start..text.ceil_char_boundary(span.end.clamp(start, text.len()))
    }

    /// Line and column, both from 1; columns count characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.lines.number(at);
        let before = &self.source.text[self.lines.start(line)..at];
        (line, before.chars().count() + 1)
    }
}

fn shifted(span: &Span, by: usize) -> Span {
    span.start - by..span.end - by
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
