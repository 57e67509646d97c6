//! Whatever a file holds: no panic, an end, and findings that can be shown.

mod common;

use std::time::{Duration, Instant};

use alb_conf::{Size, Time, check_str, print};
use common::examples;
use proptest::prelude::*;

/// Checks a text: it is accepted and can be printed, or what was found can be shown in every form.
fn examine(text: &str) {
    let report = match check_str(text) {
        Ok(config) => {
            let printed = print(&config);
            assert_eq!(
                check_str(&printed).unwrap_or_else(|report| panic!("{report}")),
                config
            );
            return;
        }
        Err(report) => report,
    };
    assert!(report.has_errors());
    let shown = report.to_string();
    assert!(shown.contains("error: "), "{shown}");
    let json = serde_json::to_value(&report).unwrap();
    for finding in json["findings"].as_array().unwrap() {
        let lines = text.matches('\n').count() as u64 + 1;
        assert!(finding["at"].is_null() || finding["at"]["line"].as_u64().unwrap() <= lines);
    }
}

/// An example with one piece replaced by another, which is how files go wrong.
fn damaged_example() -> impl Strategy<Value = String> {
    let texts: Vec<String> = examples().into_iter().map(|(_, text)| text).collect();
    let piece = prop_oneof![
        "\\PC{0,8}",
        Just(String::new()),
        Just("\"".to_owned()),
        Just("[[site]]\n".to_owned()),
        Just("}".to_owned()),
        Just(" = 10 parsecs\n".to_owned()),
    ];
    (
        prop::sample::select(texts),
        any::<prop::sample::Index>(),
        0..40usize,
        piece,
    )
        .prop_map(|(text, at, length, piece)| {
            let start = text.floor_char_boundary(at.index(text.len()));
            let end = text.floor_char_boundary((start + length).min(text.len()));
            format!("{}{piece}{}", &text[..start], &text[end..])
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_examined(text in "\\PC{0,200}") {
        examine(&text);
    }

    #[test]
    fn any_document_is_examined(lines in prop::collection::vec("(\\[\\[?)?(http|site|route|tls|listen|peers|upstream\\.a|daemon)?(\\]\\]?)?( = )?(\\[|\\{|\"|1|true|\"x\"|'|,|\\}|\\]){0,6}", 0..12)) {
        examine(&lines.join("\n"));
    }

    #[test]
    fn damaged_examples_are_examined(text in damaged_example()) {
        examine(&text);
    }

    #[test]
    fn durations_and_sizes_read_back_as_written(number in 0..1_000_000_000u64, time in "ms|s|m|h|d", size in "|B|KiB|MiB|GiB|KB|MB|GB") {
        let time: Time = format!("{number}{time}").parse().unwrap();
        prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
        let size: Size = format!("{number} {size}").parse().unwrap();
        prop_assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
    }

    #[test]
    fn any_text_may_be_a_duration_or_not(text in "\\PC{0,12}|[0-9]{1,30}[a-zA-Z]{0,3}") {
        if let Ok(time) = text.parse::<Time>() {
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
        }
        if let Ok(size) = text.parse::<Size>() {
            prop_assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    examine(&format!("a = {}", "[".repeat(100_000)));
    examine(&format!("a = {}1", "{ a = ".repeat(100_000)));
    examine(&format!("{} = 1", vec!["a"; 100_000].join(".")));
}

/// Far above what it takes, far below what it would take if the work grew with the square of the text.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn time_does_not_grow_with_the_number_of_faults() {
    let start = Instant::now();
    examine(&"[[http]]\nlisten = 1\nlsiten = 2\n".repeat(5_000));
    examine(&"= x\n".repeat(100_000));
    examine(&"[[http]]\nlisten = [\"10.0.0.1:80\"]\n".repeat(5_000));
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}
