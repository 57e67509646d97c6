//! From a file to a [`Config`], or to everything that is wrong with it.

use std::io::Read;
use std::path::Path;

use crate::check::{check, check_files};
use crate::read::read;
use crate::{Config, Diagnostic, Report, Source};

/// An accepted configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, its paths resolved against the directory of the file.
    pub config: Config,
    /// The file, for the findings of later stages.
    pub source: Source,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

impl Loaded {
    /// A report that begins with the warnings, for later stages to add to.
    pub fn report(&self) -> Report {
        let mut report = Report::new(self.source.clone());
        report.extend(self.warnings.iter().cloned());
        report
    }
}

/// Larger files are not configurations.
const MAX_FILE: u64 = 16 << 20;

/// Reads and checks a file, and whether the files it names are there.
///
/// # Errors
///
/// Everything that is wrong with the file, in one report.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    let source = read_source(path)?;
    let directory = std::path::absolute(path)
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned));
    examine(source, Some(&directory.unwrap_or_default()))
}

/// Checks a text without opening any file it names; the paths stay as written. Never panics, and takes time
/// proportional to the text times the faults reported (at most 100).
///
/// # Errors
///
/// Everything that is wrong with the text, in one report.
pub fn check_str(text: &str) -> Result<Config, Report> {
    let source = Source {
        path: "alb.toml".into(),
        text: text.to_owned(),
    };
    examine(source, None).map(|loaded| loaded.config)
}

/// Reads and checks a text; resolves its paths and looks for the files if there is a `directory`.
fn examine(source: Source, directory: Option<&Path>) -> Result<Loaded, Report> {
    let mut reading = read(&source.text);
    if !reading.torn {
        reading
            .findings
            .extend(check(&reading.config, &reading.damaged));
    }
    if let Some(directory) = directory {
        for (_, path) in reading.config.paths_mut() {
            **path = directory.join(&**path);
        }
        reading.findings.extend(check_files(&mut reading.config));
    }
    let mut report = Report::new(source.clone());
    report.extend(reading.findings);
    if report.has_errors() {
        return Err(report.with_rest(reading.config));
    }
    Ok(Loaded {
        config: reading.config,
        source,
        warnings: report.diagnostics().to_vec(),
    })
}

fn read_source(path: &Path) -> Result<Source, Report> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    let finding = match (read, String::from_utf8(bytes)) {
        (Err(error), _) => {
            Diagnostic::of_file(format!("cannot read `{}`: {error}", path.display()))
                .help("name the file with `-c FILE`")
        }
        (Ok(size), _) if size as u64 > MAX_FILE => Diagnostic::of_file(format!(
            "`{}` is larger than 16MiB: not a configuration",
            path.display()
        )),
        (Ok(_), Err(error)) => return Err(not_text(path, &error)),
        (Ok(_), Ok(text)) => {
            return Ok(Source {
                path: path.to_owned(),
                text,
            });
        }
    };
    Err(report(
        Source {
            path: path.to_owned(),
            text: String::new(),
        },
        finding,
    ))
}

fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Report {
    // The text up to the bad byte is the same in both forms, so the position is right.
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let at = error.utf8_error().valid_up_to();
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    let finding = Diagnostic::error(at..end, "not UTF-8").help("save the file in UTF-8");
    report(
        Source {
            path: path.to_owned(),
            text,
        },
        finding,
    )
}

fn report(source: Source, finding: Diagnostic) -> Report {
    let mut report = Report::new(source);
    report.push(finding);
    report
}
