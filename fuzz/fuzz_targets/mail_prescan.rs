#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| alb_fuzz_targets::mail_prescan(bytes));
