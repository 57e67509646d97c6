//! Files that cannot be read: the configuration itself, and those it names.

mod common;

use alb_conf::load;
use common::installed;

const PORTAL: &str = r#"[[http]]
listen = ["0.0.0.0:443"]
tls = { identities = ["portal"], client_auth = { mode = "required", ca = ["tls/ca.pem"], crl = ["none.crl"] } }
[identity.portal]
certificate = "tls/portal.pem"
key = "tls"
[log]
file = "logs/error.log"
[[site]]
[[site.route]]
files = { root = "wwww" }
"#;

#[test]
fn missing_files_are_found_with_their_place_and_the_nearest_name() {
    let (directory, file) = installed(PORTAL);
    std::fs::rename(
        directory.path().join("tls/portal.pem"),
        directory.path().join("tls/portal.crt"),
    )
    .unwrap();
    let shown = load(&file).unwrap_err().to_string();
    for expected in [
        "alb.toml:3:97\n",
        "^^^^^^^^^^ no such file\n",
        "alb.toml:5:15\n",
        "^^^^^^^^^^^^^^^^ no such file\n  |\nhelp: did you mean `portal.crt`?\n",
        "alb.toml:6:7\n",
        "^^^^^ not a file\n",
        "alb.toml:8:8\n",
        "no such directory: ",
        "alb.toml:11:18\n",
        "^^^^^^ no such directory\n   |\nhelp: did you mean `www`?\n",
    ] {
        assert!(shown.contains(expected), "no {expected:?} in\n{shown}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let shown = load("/nowhere/alb.toml".as_ref()).unwrap_err().to_string();
    assert!(
        shown.starts_with("error: cannot read `/nowhere/alb.toml`: No such file"),
        "{shown}"
    );
}

#[test]
fn bytes_that_are_not_text_are_shown_where_they_are() {
    let (_directory, file) = installed("");
    std::fs::write(&file, b"[daemon]\nuser = \"caf\xe9\"\n").unwrap();
    let shown = load(&file).unwrap_err().to_string();
    assert!(
        shown.contains("error: not UTF-8") && shown.contains("alb.toml:2:12\n"),
        "{shown}"
    );
}

#[test]
fn a_file_with_errors_leaves_what_is_right_to_later_stages() {
    let (_directory, file) = installed(&format!("{PORTAL}[deamon]\n"));
    let rest = load(&file).unwrap_err().take_rest().unwrap();
    assert!(rest.identity.contains_key("portal"));
    assert_eq!(*rest.http[0].tls.as_ref().unwrap().identities[0], "portal");
}
