//! How findings look: to people, and to machines.

use alb_conf::{Diagnostic, Report, Source, check_str};

/// The example of the documentation, at its line.
fn dangling() -> Report {
    let text = format!(
        "[[http]]\nlisten = [\"127.0.0.1:8080\"]\n[[site]]\n{}[[site.route]]\nproxy = \"ap\"\n[upstream.app]\npeers = [\"127.0.0.1:1\"]\n",
        "#\n".repeat(35)
    );
    check_str(&text).unwrap_err()
}

#[test]
fn a_finding_shows_the_place_the_text_and_the_way_out() {
    let shown = dangling().to_string();
    let expected = "\
error: unknown upstream `ap`
  --> alb.toml:40:9
   |
40 | proxy = \"ap\"
   |         ^^^^ no `[upstream.ap]`
   |
help: did you mean `app`?

warning: upstream `app` is not used
  --> alb.toml:41:11
   |
41 | [upstream.app]
   |           ^^^
   |
help: write `proxy = \"app\"` in a route, or `upstream = \"app\"` in a listener
";
    assert_eq!(shown, expected);
}

#[test]
fn two_places_are_shown_together() {
    let shown =
        check_str("[[http]]\nlisten = [\"0.0.0.0:80\"]\n[[http]]\nlisten = [\"127.0.0.1:80\"]\n")
            .unwrap_err();
    let expected = "\
error: `127.0.0.1:80` overlaps `0.0.0.0:80`
 --> alb.toml:4:11
  |
2 | listen = [\"0.0.0.0:80\"]
  |           ------------ first listened on here
3 | [[http]]
4 | listen = [\"127.0.0.1:80\"]
  |           ^^^^^^^^^^^^^^
  |
help: keep one of them: the address of all interfaces includes the others
";
    assert!(shown.to_string().contains(expected), "{shown}");
}

#[test]
fn colours_are_used_only_when_asked_for() {
    let (mut plain, mut coloured) = (Vec::new(), Vec::new());
    dangling().render(&mut plain, false).unwrap();
    dangling().render(&mut coloured, true).unwrap();
    assert!(!plain.contains(&0x1b));
    assert!(coloured.contains(&0x1b));
}

#[test]
fn machines_get_lines_and_columns() {
    let json = serde_json::to_value(dangling()).unwrap();
    assert_eq!(
        (&json["file"], &json["errors"], &json["warnings"]),
        (&"alb.toml".into(), &1.into(), &1.into())
    );
    let expected = serde_json::json!({
        "severity": "error",
        "message": "unknown upstream `ap`",
        "at": { "line": 40, "column": 9, "end_line": 40, "end_column": 13 },
        "label": "no `[upstream.ap]`",
        "help": "did you mean `app`?",
    });
    assert_eq!(json["findings"][0], expected);
}

#[test]
fn later_stages_add_findings_which_are_sorted_into_place() {
    let text = "first = 1\nsecond = 2\n";
    let mut report = Report::new(Source {
        path: "alb.toml".into(),
        text: text.into(),
    });
    report.push(Diagnostic::warning(10..16, "late"));
    report.push(Diagnostic::error(0..5, "early").related(10..16, "see here"));
    report.push(Diagnostic::of_file("about everything"));
    report.push(Diagnostic::warning(10..16, "late"));
    let messages: Vec<_> = report
        .diagnostics()
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(messages, ["about everything", "early", "late"]);
    assert!(report.has_errors());
}

#[test]
fn columns_count_characters_and_control_characters_are_not_printed() {
    let shown = check_str("[daemon]\nuser = \"中国\" # 中\n\"\\u001b[31m中\" = 1\n").unwrap_err();
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json["findings"][0]["at"]["column"], 1);
    assert_eq!(json["findings"][0]["at"]["end_column"], 14);
    assert!(!shown.to_string().contains('\x1b'), "{shown}");
}

#[test]
fn a_span_outside_of_the_text_does_no_harm() {
    let mut report = Report::new(Source {
        path: "alb.toml".into(),
        text: "中".into(),
    });
    report.push(Diagnostic::error(1..2, "within a character"));
    report.push(Diagnostic::error(7..9, "behind the end"));
    assert!(report.to_string().contains("behind the end"));
}

#[test]
fn an_error_stands_once_at_a_place_whatever_later_stages_say() {
    let mut report = Report::new(Source {
        path: "alb.toml".into(),
        text: "key = 1\n".into(),
    });
    report.extend([
        Diagnostic::error(0..3, "no such file"),
        Diagnostic::error(0..3, "nor a directory"),
    ]);
    report.push(Diagnostic::error(0..3, "cannot be read"));
    report.push(Diagnostic::warning(0..3, "readable by everybody"));
    report.push(Diagnostic::error(6..7, "elsewhere"));
    let messages: Vec<_> = report
        .diagnostics()
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "no such file",
            "nor a directory",
            "readable by everybody",
            "elsewhere"
        ]
    );
}

#[test]
fn a_finding_without_a_place_is_two_plain_lines() {
    let mut report = Report::new(Source::default());
    report.push(Diagnostic::of_file("cannot read it").help("name another"));
    assert_eq!(
        report.to_string(),
        "error: cannot read it\nhelp: name another\n"
    );
}
