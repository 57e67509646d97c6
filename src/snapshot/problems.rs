//! Findings of the TLS room, said as diagnostics of the configuration file.

use std::path::Path;

use alb_conf::{Diagnostic, Span};
use alb_gm::tls::{IdentityError, PolicyError, Warning};

/// An identity that cannot be used: points to the path at fault, or to the whole if it is not among `paths`.
pub fn identity<'a>(
    error: &IdentityError,
    mut paths: impl Iterator<Item = (Span, &'a Path)>,
    whole: Span,
) -> Diagnostic {
    let at_fault = paths.find(|(_, path)| *path == error.path);
    let span = at_fault.map_or(whole, |(span, _)| span);
    helped(Diagnostic::error(span, &error.message), &error.help)
}

/// Something about an identity that somebody should look at.
pub fn warning(warning: &Warning, span: Span) -> Diagnostic {
    Diagnostic::warning(span, warning.message()).help(warning.help())
}

/// A policy of a listener or an upstream that cannot be carried out.
pub fn policy(error: &PolicyError, span: Span) -> Diagnostic {
    helped(Diagnostic::error(span, &error.message), &error.help)
}

fn helped(diagnostic: Diagnostic, help: &str) -> Diagnostic {
    match help {
        "" => diagnostic,
        help => diagnostic.help(help),
    }
}
