//! From a file to a [`Config`], or to everything that is wrong with it.

use std::path::{Path, PathBuf};

use crate::{Config, Diagnostic, Report, Source};

/// An accepted configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, its paths resolved against the directory of the file.
    pub config: Config,
    /// The file, for the findings of later stages: `Report::new(loaded.source.clone())`.
    pub source: Source,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and checks a file.
///
/// # Errors
///
/// Everything that is wrong with the file, in one report.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let mut report = Report::new(Source {
            path: path.to_owned(),
            text: String::new(),
        });
        report.push(Diagnostic {
            span: None,
            ..Diagnostic::error(0..0, format!("cannot read `{}`: {error}", path.display()))
        });
        report
    })?;
    let source = Source {
        path: path.to_owned(),
        text,
    };
    let (config, warnings) = parse(&source)?;
    Ok(Loaded {
        config: resolve(config, path),
        source,
        warnings,
    })
}

/// Checks a text without opening any file it names. Never panics.
///
/// # Errors
///
/// Everything that is wrong with the text, in one report.
pub fn check_str(text: &str) -> Result<Config, Report> {
    parse(&Source {
        path: "alb.toml".into(),
        text: text.to_owned(),
    })
    .map(|(config, _)| config)
}

fn parse(source: &Source) -> Result<(Config, Vec<Diagnostic>), Report> {
    match toml::from_str(&source.text) {
        Ok(config) => Ok((config, Vec::new())),
        Err(error) => {
            let mut report = Report::new(source.clone());
            report.push(Diagnostic::error(
                error.span().unwrap_or(0..0),
                error.message(),
            ));
            Err(report)
        }
    }
}

/// Makes the paths of a configuration absolute, against the directory of its file.
fn resolve(mut config: Config, file: &Path) -> Config {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let base = file.parent().map(Path::to_owned).unwrap_or_default();
    for path in config.paths_mut() {
        let joined: PathBuf = base.join(&*path);
        *path = joined;
    }
    config
}
