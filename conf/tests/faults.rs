//! Faults of syntax, keys, types and units: all of them in one run, and none that follows from another.

mod common;

use common::{assert_found, behind, findings};

#[test]
fn all_faults_of_keys_types_and_units_are_found_in_one_run() {
    let found = findings(
        r#"[daemon]
workers = 0
drain_timeout = "10 parsecs"
pid_file = 3
[log]
level = "inf"
rotate = { size = "1.5MiB", kep = 3 }
[[http]]
listen = ["1.2.3.4", "127.0.0.1:80"]
idle_timeout = 10
max_headers = 100_000
header_timeout = "0s"
max_header_size = "1KiB"
tls = true
"#,
    );
    let expected = [
        "2:11 error: `workers` cannot be `0` | expected `\"auto\"` or a number from 1 to 1024",
        "3:17 error: unknown unit `parsecs` in `10 parsecs` | expected one of `ms`, `s`, `m`, `h`, `d`",
        "4:12 error: `pid_file` cannot be a number | expected a path",
        "6:9 error: `level` cannot be `inf` | expected `error`, `warn`, `info`, `debug` or `trace` | did you mean `info`?",
        "7:19 error: unknown unit `.5MiB` in `1.5MiB`",
        "7:29 error: unknown key `kep` in `log.rotate` | did you mean `keep`?",
        "9:11 error: `1.2.3.4` is not an address and a port",
        "10:16 error: `idle_timeout` cannot be a number | expected a duration such as",
        "11:15 error: `max_headers` cannot be `100000` | expected a number from 1 to 1000",
        "12:18 error: `header_timeout` cannot be `0s` | expected a duration from `1ms` to `1h`",
        "13:19 error: `max_header_size` cannot be `1KiB` | expected a size from `8KiB` to `1MiB`",
        "14:7 error: `tls` cannot be a boolean | expected a table",
    ];
    assert_found(&found, &expected);
}

#[test]
fn unknown_keys_and_sections_name_the_nearest() {
    let found = behind("[upstreem.b]\n[deamon]\nuser = \"x\"\n[log]\nlevle = \"info\"\nzzz = 1\n");
    let expected = [
        "1:2 error: unknown section `upstreem` | did you mean `upstream`?",
        "2:2 error: unknown section `deamon` | did you mean `daemon`?",
        "5:1 error: unknown key `levle` in `log` | did you mean `level`?",
        "6:1 error: unknown key `zzz` in `log` | the keys here are `level`, `format`, `file`, `rotate`, `access` or `mail`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn errors_of_syntax_do_not_hide_each_other() {
    let found = findings(
        "[daemon]\nworkers = auto\nuser = \"x\nusr = 1\n[[http]\nlisten = [\"a\" \"b\"]\n[log]\nlevel = info\nlevel = \"warn\"\n",
    );
    let expected = [
        "2:11 error: a text without quotes | expected a string | write `\"auto\"`",
        "3:10 error: invalid basic string",
        "4:1 error: unknown key `usr` in `daemon` | did you mean `user`?",
        "5:8 error: unclosed array table | expected `]`",
        "6:15 error: missing comma between array elements | expected `,`",
        "8:9 error: a text without quotes | expected a string | write `\"info\"`",
        "9:1 error: duplicate key `level` | already written above",
    ];
    assert_found(&found, &expected);
}

#[test]
fn an_address_without_quotes_is_shown_whole() {
    let found = behind(
        "[upstream.b]\npeers = [10.0.0.1:80]\n[[site]]\nhosts = [\"b\"]\nroute = [{ proxy = \"b\" }]\n",
    );
    assert_found(
        &found,
        &["2:10 error: a text without quotes | expected a string | write `\"10.0.0.1:80\"`"],
    );
}

#[test]
fn duplicate_tables_do_not_stop_the_search() {
    let found = behind("[log]\n[log]\n[[site]]\non = [\"wbe\"]\nroute = [{ return = 404 }]\n");
    assert_found(
        &found,
        &[
            "2:2 error: duplicate key `log`",
            "4:7 error: unknown listener `wbe`",
        ],
    );
}

#[test]
fn what_was_left_out_for_being_wrong_is_not_also_missing() {
    let found = findings(
        r#"[[http]]
listen = ["nowhere"]
[http.tls]
identites = ["gm"]
[[site]]
[[site.route]]
proxi = "app"
[upstream.app]
peers = ["unix:app"]
"#,
    );
    let expected = [
        "2:11 error: `nowhere` is not an address",
        "4:1 error: unknown key `identites` in `http.tls` | did you mean `identities`?",
        "7:1 error: unknown key `proxi` in `site.route` | did you mean `proxy`?",
        "8:11 warning: upstream `app` is not used",
        "9:10 error: `unix:app` needs an absolute path",
    ];
    assert_found(&found, &expected);
}

#[test]
fn a_thousand_faults_end_after_a_hundred() {
    let found = findings(&"[[http]]\nlisten = 1\n".repeat(1000));
    assert_eq!(found.len(), 101);
    assert_eq!(found[0], "error: stopped looking after 100 problems");
}
