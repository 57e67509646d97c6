//! What is found wrong in what messages may hold.

mod common;

use common::{assert_found, findings};

/// A listener with these keys of SMTP, and a `[mail_policy.office]` with those, at line 7.
fn found(listener: &str, policy: &str) -> Vec<String> {
    let mut found = findings(&format!(
        r#"[[mail]]
protocol = "smtp"
listen = ["127.0.0.1:465"]
upstream = "postfix"
tls = {{ identities = ["a"] }}
smtp = {{ {listener} }}
[mail_policy.office]
{policy}
[upstream.postfix]
peers = ["127.0.0.1:25"]
[upstream.review]
peers = ["127.0.0.1:26"]
[identity.a]
certificate = "a.pem"
key = "a.key"
"#
    ));
    found.retain(|line| !line.contains("`review` is not used"));
    found
}

#[test]
fn a_sound_policy_is_not_complained_about() {
    for policy in [
        "",
        "action = \"quarantine\"\nquarantine = \"review\"",
        "encrypted = \"quarantine\"\nquarantine = \"review\"",
        "alert = { to = [\"a@b.cn\"], from = \"g@b.cn\", upstream = \"review\" }",
        "deny_extensions = [\"exe\"]\ndeny_types = [\"video/*\"]",
    ] {
        let found = found("policy = \"office\"", policy);
        assert!(found.is_empty(), "{policy}: {found:?}");
    }
}

#[test]
fn what_a_policy_names_must_be_there() {
    let held = "8:10 error: messages are held back, but nowhere | no `quarantine` | add `quarantine = \"NAME\"` and an `[upstream.NAME]` section";
    assert_found(
        &found("policy = \"office\"", "action = \"quarantine\""),
        &[held],
    );
    let found_here = found("policy = \"home\"", "");
    assert!(
        found_here[0].contains("6:19 error: unknown mail_policy `home`"),
        "{found_here:?}"
    );
    assert!(
        found_here[1].contains("mail_policy `office` is not used"),
        "{found_here:?}"
    );
    for policy in [
        "encrypted = \"quarantine\"\nquarantine = \"nowhere\"",
        "alert = { to = [\"a@b.cn\"], from = \"g@b.cn\", upstream = \"nowhere\" }",
    ] {
        let found = found("policy = \"office\"", policy);
        assert!(found[0].contains("unknown upstream `nowhere`"), "{found:?}");
    }
    let found = found(
        "policy = \"office\"",
        "alert = { to = [\"a@b.cn\"], from = \"g@b.cn\" }",
    );
    assert!(
        found[0].contains("alerts, but no server that takes them"),
        "{found:?}"
    );
}

#[test]
fn a_policy_must_be_possible_to_keep() {
    // Warnings are told beside an error only.
    for (listener, policy, what) in [
        (
            "policy = \"office\", mx = { relay_domains = [\"b.cn\"] }",
            "from = {}",
            "nobody logs in",
        ),
        (
            "policy = \"office\", max_size = \"2MiB\"",
            "disk = \"1MiB\"",
            "without room for one message",
        ),
        (
            "policy = \"office\"",
            "deny_extensions = [\".exe\"]",
            "`.exe` is no ending",
        ),
        (
            "policy = \"office\"",
            "deny_types = [\"video\"]",
            "`video` is no type",
        ),
        (
            "policy = \"office\"",
            "deny_types = [\"video\"]\nquarantine = \"review\"",
            "a quarantine that nothing goes to",
        ),
        (
            "policy = \"office\"",
            "alert = { to = [\"all\"], from = \"g@b.cn\", upstream = \"review\" }",
            "`all` is no address",
        ),
        (
            "policy = \"office\"",
            "deny_types = [\"video\"]\nreceived = false\nhide_client_ip = true",
            "where no `Received` is added",
        ),
    ] {
        let found = found(listener, policy);
        assert!(
            found.iter().any(|line| line.contains(what)),
            "{policy}: {found:?}"
        );
    }
}
