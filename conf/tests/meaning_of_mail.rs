//! What is found wrong in mail listeners, their limits and their log.

mod common;

use common::{assert_found, findings};

const UPSTREAM: &str = "[upstream.m]\npeers = [\"127.0.0.1:25\"]\n";

fn smtp(more: &str) -> String {
    format!(
        "[[mail]]\nprotocol = \"smtp\"\nlisten = [\"10.0.0.1:587\"]\nupstream = \"m\"\nplaintext_auth = true\n{more}\n{UPSTREAM}"
    )
}

#[test]
fn limits_of_messages_count_messages_and_nothing_else() {
    let found = findings(&smtp(
        "smtp = { message_limits = [\"many\", \"open\"], recipient_limits = [\"many\", \"lost\"] }\n\
         [limit.many]\nrequests = 1\nper = \"1h\"\n[limit.open]\nconnections = 1",
    ));
    let expected = [
        "6:36 error: limit `open` counts no messages | add `rate`, or `requests` with `per`",
        "6:65 error: limit `many` would count messages and recipients together | write a limit for each",
        "6:73 error: unknown limit `lost` | no `[limit.lost]` | the names are `many` or `open`",
    ];
    assert_found(&found[found.len() - 3..], &expected);
    let found = findings(
        &smtp("smtp = { message_limits = [\"m\"] }\n[limit.m]\nrequests = 1\nper = \"1h\"")
            .replace("\"smtp\"", "\"imap\""),
    );
    let said = found
        .iter()
        .any(|line| line.contains("a limit of messages without SMTP"));
    assert!(said, "{found:?}");
}

#[test]
fn a_gateway_is_not_its_own_server() {
    for (listen, server) in [
        ("127.0.0.1:587", "127.0.0.1:587"),
        ("0.0.0.0:587", "127.0.0.1:587"),
        ("[::]:587", "[::1]:587"),
    ] {
        let text = smtp("")
            .replace("10.0.0.1:587", listen)
            .replace("127.0.0.1:25", server);
        let found = findings(&text);
        let said = found
            .iter()
            .any(|line| line.contains("is this gateway itself"));
        assert!(said, "{listen} {server}: {found:?}");
    }
    assert!(findings(&smtp("").replace("127.0.0.1:25", "10.0.0.2:587")).is_empty());
}

#[test]
fn the_audit_log_has_a_file_of_its_own() {
    let text = format!(
        "[log]\nfile = \"a.log\"\nmail = {{ file = \"a.log\" }}\n{}",
        smtp("")
    );
    let found = findings(&text);
    let said = found
        .iter()
        .any(|line| line.contains("two logs with one file"));
    assert!(said, "{found:?}");
}

#[test]
fn messages_are_fanned_out_to_several_upstreams_only() {
    // Warnings are told beside an error only.
    for (upstreams, idle) in [
        ("\"c.cn\" = \"m\"", true),
        ("\"c.cn\" = \"m\", \"b.cn\" = \"n\"", false),
    ] {
        let found = findings(&smtp(&format!(
            "smtp = {{ mx = {{ relay_domains = [\"b.cn\"], upstreams = {{ {upstreams} }}, multi_pool = \"fanout\" }} }}\n\
             [upstream.n]\npeers = [\"127.0.0.1:26\"]"
        )));
        let said = found.iter().any(|line| {
            line.contains(
                "warning: all mail goes to one upstream | name upstreams of single domains",
            )
        });
        assert_eq!(said, idle, "{found:?}");
    }
    let found = findings(&smtp("smtp = { mx = { multi_pool = \"all\" } }"));
    let expected = "6:30 error: `multi_pool` cannot be `all` | expected `defer` or `fanout`";
    assert_eq!(found[1], expected);
}
