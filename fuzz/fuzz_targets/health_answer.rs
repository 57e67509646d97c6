#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| alb_fuzz_targets::health_answer(bytes));
