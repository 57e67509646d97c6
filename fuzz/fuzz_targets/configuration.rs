//! Any text as a configuration: it is accepted, or every fault has a place and can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match alb_conf::check_str(text) {
        // What is printed has to be readable again.
        Ok(config) => {
            let printed = alb_conf::print(&config);
            assert!(alb_conf::check_str(&printed).is_ok(), "not readable again:\n{printed}");
        }
        Err(report) => assert!(!report.to_string().is_empty()),
    }
});
