//! `alb --version`: what this is, and with `--verbose` what it was built with.

use super::Exit;
use super::generate::print as write;

/// Prints the version.
pub fn print(verbose: bool, json: bool) -> Exit {
    let facts = facts();
    if json {
        let object: serde_json::Map<_, _> = facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        return write(format!("{:#}\n", serde_json::Value::Object(object)).as_bytes());
    }
    let mut text = format!("alb {}\n", env!("CARGO_PKG_VERSION"));
    if verbose {
        for (name, value) in facts.into_iter().skip(1) {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    write(text.as_bytes())
}

fn facts() -> Vec<(&'static str, String)> {
    alb_gm::init(alb_gm::Acceleration::Auto);
    let implementations = alb_gm::implementations();
    let mut facts = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "target",
            format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        ),
        (
            "profile",
            if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
        ),
        ("cryptography", alb_gm::library_version().to_owned()),
        ("protocols", protocols()),
    ];
    facts.extend(
        implementations
            .into_iter()
            .map(|one| (one.algorithm, one.code)),
    );
    facts
}

fn protocols() -> String {
    let names = alb_gm::tls::Protocol::ALL.map(alb_gm::tls::Protocol::as_str);
    names.join(" ")
}
