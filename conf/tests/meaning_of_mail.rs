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
fn servers_are_told_and_logged_in_to_as_their_protocol_can() {
    let of = |protocol: &str, mail: &str| {
        let text = smtp("").replace("\"smtp\"", &format!("\"{protocol}\""));
        findings(&format!("{text}mail = {{ {mail} }}\n"))
    };
    for (protocol, mail, said) in [
        (
            "smtp",
            "client_info = \"id\"",
            "by ID, which smtp does not know",
        ),
        (
            "pop3",
            "client_info = \"id\"",
            "by ID, which pop3 does not know",
        ),
        (
            "imap",
            "client_info = \"xclient\"",
            "by XCLIENT, which imap does not know",
        ),
        (
            "imap",
            "login = \"none\"",
            "is not logged in to, which imap does not work without",
        ),
    ] {
        let found = of(protocol, mail);
        assert!(
            found.iter().any(|line| line.contains(said)),
            "{protocol} {mail}: {found:?}"
        );
    }
    assert!(of("imap", "client_info = \"id\"").is_empty());
    assert!(of("pop3", "client_info = \"xclient\"").is_empty());
}

#[test]
fn passwords_in_the_clear_are_found_wherever_they_go() {
    let text = smtp("auth = \"users\"").replace("127.0.0.1:25", "10.0.0.2:587");
    let more = "[mail_auth.users]\nhttp = { upstream = \"asked\" }\ndomains = { \"b.example\" = \"other\", \"c.example\" = \"nowhere\" }\n\
                [upstream.asked]\npeers = [\"10.0.0.3:80\"]\n[upstream.other]\npeers = [\"10.0.0.4:587\"]\n";
    // Warnings are told with the error: there is no `nowhere`.
    let found = findings(&(text + more));
    for name in ["m", "asked", "other"] {
        let said = format!("passwords go to `{name}` without TLS");
        assert!(
            found.iter().any(|line| line.contains(&said)),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn commands_that_servers_believe_the_gateway_are_never_passed_on() {
    for verb in ["XCLIENT", "xforward", "Auth", "STARTTLS", "ATRN"] {
        let found = findings(&smtp(&format!("smtp = {{ extra_verbs = [\"{verb}\"] }}")));
        let said = format!("clients must never send `{verb}`");
        assert!(
            found.iter().any(|line| line.contains(&said)),
            "{verb}: {found:?}"
        );
    }
    assert!(findings(&smtp("smtp = { extra_verbs = [\"ETRN\"] }")).is_empty());
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
