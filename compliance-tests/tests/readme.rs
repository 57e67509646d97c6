//! The README does not promise what `alb` does not do.

use std::fs;
use std::path::Path;

use alb_certs::issue::Leaf;
use alb_compliance_tests::{Alb, Pki};

#[test]
fn its_configuration_is_accepted_as_it_stands() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))
        .expect("the README");
    let configuration = fence(&readme, "toml");
    assert!(
        configuration
            .lines()
            .filter(|line| !line.is_empty())
            .count()
            <= 20,
        "no longer 20 lines"
    );

    let pki = Pki::new();
    let portal = Leaf::server("portal.example.cn");
    pki.pair(&pki.gm_ca, "portal", &portal);
    pki.ordinary("portal", &portal);
    let mut setup = Alb::new().file("www/index.html", "hello");
    for name in ["portal-sign", "portal-enc", "portal"] {
        for kind in ["pem", "key"] {
            let file = format!("{name}.{kind}");
            setup = setup.private_file(&file, pki.read(&file));
        }
    }
    let output = setup.check(configuration);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn what_it_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let links: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert!(links.len() > 5);
    for link in links {
        assert!(root.join(link).exists(), "{link}");
    }
}

/// The first fenced block of a language.
fn fence<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text
        .split_once(&format!("```{language}\n"))
        .expect("a fenced block");
    rest.split("```")
        .next()
        .expect("split gives one part at least")
}
