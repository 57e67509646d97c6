//! `alb cert show`: what is in these files?

use std::path::PathBuf;

use alb_certs::inspect::{self, Item};
use alb_certs::{Error, Result, files};
use clap::Args;
use serde::Serialize;

use super::super::{Common, Exit};
use super::{Done, output};

/// The arguments of `alb cert show`.
#[derive(Args)]
pub struct ShowArguments {
    /// Certificates, chains, keys, requests, lists, messages, wrapped keys, PKCS#12, .sm2: PEM, DER or base64
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// One file of `--json`.
#[derive(Serialize)]
struct Shown {
    file: String,
    contents: Vec<Item>,
}

/// Describes the files; those that cannot be told are reported, and the others shown.
pub fn show(common: &Common, arguments: &ShowArguments) -> Done {
    let (mut shown, mut exit) = (Vec::new(), Exit::Done);
    for path in &arguments.files {
        let contents = || -> Result<Vec<Item>> { inspect::inspect(&files::read(path)?) };
        match contents().map_err(|error: Error| error.in_file(path)) {
            Ok(contents) => shown.push(Shown {
                file: path.display().to_string(),
                contents,
            }),
            Err(error) => {
                eprintln!("error: {error}");
                exit = Exit::Failed;
            }
        }
    }
    if common.json {
        output::json(&shown)?;
        return Ok(exit);
    }
    let text: Vec<String> = shown.iter().map(Shown::text).collect();
    output::print(&text.join("\n"));
    Ok(exit)
}

impl Shown {
    fn text(&self) -> String {
        let contents: Vec<String> = self.contents.iter().map(Item::to_string).collect();
        format!("{}: {}", self.file, contents.join("\n"))
    }
}
