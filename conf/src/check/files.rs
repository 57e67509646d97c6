//! The files that the configuration names: there, and of the right kind. What is in them is read by those who use them.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::config::FileUse;
use crate::suggest::nearest;
use crate::{Config, Diagnostic, Spanned};

/// Every file that is missing or cannot be read. The paths must have been resolved.
pub(crate) fn check(config: &mut Config) -> Vec<Diagnostic> {
    config
        .paths_mut()
        .into_iter()
        .filter_map(|(usage, path)| complaint(usage, path))
        .collect()
}

fn complaint(usage: FileUse, path: &Spanned<PathBuf>) -> Option<Diagnostic> {
    match usage {
        FileUse::Read => unreadable(path),
        FileUse::Directory if !path.is_dir() => Some(missing(path, "no such directory")),
        FileUse::Write => {
            let directory = path.parent()?;
            (!directory.is_dir())
                .then(|| missing(path, &format!("no such directory: {}", directory.display())))
        }
        FileUse::Directory | FileUse::AtStart => None,
    }
}

fn unreadable(path: &Spanned<PathBuf>) -> Option<Diagnostic> {
    let reason = match File::open(&**path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => return None,
        Ok(_) => "not a file".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(missing(path, &reason))
}

fn missing(path: &Spanned<PathBuf>, reason: &str) -> Diagnostic {
    let found =
        Diagnostic::error(path.span(), format!("cannot use `{}`", path.display())).label(reason);
    found.help_if(neighbour(path))
}

/// Files looked at for a similar name.
const NEIGHBOURS: usize = 1000;

/// The file of the same directory that was probably meant.
fn neighbour(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let entries = std::fs::read_dir(path.parent()?)
        .ok()?
        .take(NEIGHBOURS)
        .flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    nearest(
        wanted,
        names
            .iter()
            .map(String::as_str)
            .filter(|name| *name != wanted),
    )
}
