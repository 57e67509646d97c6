//! Files of addresses: one address or prefix per line.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use alb_conf::{Diagnostic, Prefix, Spanned};

/// Larger files are no lists of addresses: this is room for two million.
const MAX_FILE: u64 = 64 << 20;
/// Bad lines named one by one; a file of another kind has thousands.
const NAMED: usize = 10;
/// Longer lines are not repeated in a message.
const LONGEST: usize = 100;

/// The prefixes of a file.
///
/// # Errors
///
/// The file cannot be read, or what is wrong with which lines.
pub fn read(path: &Spanned<PathBuf>) -> Result<Vec<Prefix>, Vec<Diagnostic>> {
    let mut bytes = Vec::new();
    let size = File::open(&**path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            vec![Diagnostic::error(path.span(), message)]
        })?;
    if size as u64 > MAX_FILE {
        let message = format!("`{}` is larger than 64MiB", path.display());
        return Err(vec![Diagnostic::error(path.span(), message)]);
    }
    let (prefixes, wrong) = parse(&bytes);
    if wrong.is_empty() {
        return Ok(prefixes);
    }
    Err(complain(path, &wrong))
}

/// The prefixes of a text, and what is wrong with which lines, counted from 1.
fn parse(bytes: &[u8]) -> (Vec<Prefix>, Vec<(usize, String)>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut prefixes, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let end = line.iter().position(|byte| matches!(byte, b'#' | b';'));
        let line = line[..end.unwrap_or(line.len())].trim_ascii();
        if line.is_empty() {
            continue;
        }
        if line.len() > LONGEST {
            wrong.push((number + 1, format!("a line of {} bytes", line.len())));
            continue;
        }
        match String::from_utf8_lossy(line).parse() {
            Ok(prefix) => prefixes.push(prefix),
            Err(reason) => wrong.push((number + 1, reason)),
        }
    }
    (prefixes, wrong)
}

fn complain(path: &Spanned<PathBuf>, wrong: &[(usize, String)]) -> Vec<Diagnostic> {
    let name = path.display();
    let error = |message: String| {
        Diagnostic::error(path.span(), message)
            .help("one address or prefix per line; `#` begins a comment")
    };
    let named = wrong.iter().take(NAMED);
    let mut problems: Vec<_> = named
        .map(|(line, reason)| error(format!("{name}:{line}: {reason}")))
        .collect();
    if wrong.len() > NAMED {
        problems.push(error(format!(
            "{name}: {} more lines are bad",
            wrong.len() - NAMED
        )));
    }
    problems
}
