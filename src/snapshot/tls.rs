//! What `[http.tls]` and an upstream's `tls` have in common.

use std::path::PathBuf;

use alb_conf::{Config, Diagnostic, Report, Spanned};
use alb_gm::tls::{Pin, Protocol, Trust, groups, suites};

use super::problems;

/// The protocols as the TLS room calls them.
pub fn protocols(written: &[Spanned<alb_conf::Protocol>]) -> Vec<Protocol> {
    let protocol = |written: &Spanned<alb_conf::Protocol>| match **written {
        alb_conf::Protocol::Tlcp => Protocol::Tlcp,
        alb_conf::Protocol::Tls12 => Protocol::Tls12,
        alb_conf::Protocol::Tls13 => Protocol::Tls13,
    };
    written.iter().map(protocol).collect()
}

/// The suites. `None` if any does not exist, which goes to the report with the nearest name that does.
pub fn suites(written: &[Spanned<String>], report: &mut Report) -> Option<Vec<String>> {
    let mut sound = true;
    for name in written.iter().filter(|name| suites::find(name).is_none()) {
        sound = false;
        let names = suites::ALL.iter().map(|suite| suite.name);
        let diagnostic = Diagnostic::error(name.span(), format!("unknown cipher suite `{name}`"));
        report.push(diagnostic.help(alb_conf::suggest(name, names, "the suites are")));
    }
    sound.then(|| texts(written))
}

/// The key exchange groups. `None` if any does not exist, as with [`suites()`].
pub fn groups(written: &[Spanned<String>], report: &mut Report) -> Option<Vec<String>> {
    let mut sound = true;
    for name in written.iter().filter(|name| !groups::is_known(name)) {
        sound = false;
        let diagnostic = Diagnostic::error(name.span(), format!("unknown group `{name}`"));
        report.push(diagnostic.help(alb_conf::suggest(name, groups::names(), "the groups are")));
    }
    sound.then(|| texts(written))
}

/// The pinned keys. `None` if any is not written as one, which goes to the report.
pub fn pins(written: &[Spanned<String>], report: &mut Report) -> Option<Vec<Pin>> {
    let mut pins = Vec::with_capacity(written.len());
    for text in written {
        match text.parse() {
            Ok(pin) => pins.push(pin),
            Err(wrong) => {
                let diagnostic =
                    Diagnostic::error(text.span(), format!("`{text}` is not a pin: {wrong}"));
                report.push(
                    diagnostic.help("print the pins of a certificate with `alb cert show FILE`"),
                );
            }
        }
    }
    (pins.len() == written.len()).then_some(pins)
}

/// Looks at what needs nothing else of the configuration, for a file that has errors already.
pub fn look(config: &Config, report: &mut Report) {
    for written in config.listeners().filter_map(|listener| listener.tls) {
        suites(&written.suites, report);
        groups(&written.groups, report);
        trust(&written.client_auth.ca, &written.client_auth.crl, report);
    }
    for written in config
        .upstream
        .values()
        .filter_map(|upstream| upstream.tls.as_ref())
    {
        suites(&written.suites, report);
        pins(&written.pins, report);
        trust(&written.ca, &written.crl, report);
    }
}

/// Reads authorities and revocation lists; each file that cannot be used is reported where it is named.
pub fn trust(
    ca: &[Spanned<PathBuf>],
    crl: &[Spanned<PathBuf>],
    report: &mut Report,
) -> Option<Trust> {
    let alone = |path: &Spanned<PathBuf>| [path.to_path_buf()];
    let authorities = ca.iter().map(|path| (path, Trust::load(&alone(path), &[])));
    let lists = crl
        .iter()
        .map(|path| (path, Trust::load(&[], &alone(path))));
    let mut sound = true;
    for (path, result) in authorities.chain(lists) {
        if let Err(error) = result {
            sound = false;
            report.push(problems::policy(&error, path.span()));
        }
    }
    if !sound {
        return None;
    }
    let paths = |written: &[Spanned<PathBuf>]| -> Vec<PathBuf> {
        written.iter().map(|path| path.to_path_buf()).collect()
    };
    Trust::load(&paths(ca), &paths(crl)).ok()
}

/// Texts without their places.
pub fn texts(written: &[Spanned<String>]) -> Vec<String> {
    written.iter().map(|text| text.to_string()).collect()
}
