//! Measuring: processor time of this thread per operation, so that a busy machine falsifies little.

#![allow(dead_code)] // Each bench uses its part.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// Processor time this thread has used, in nanoseconds.
pub fn cpu_nanoseconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds of processor time per call: the best of five runs of about 100 ms, after one that warms up.
pub fn time<T>(mut operation: impl FnMut() -> T) -> f64 {
    let mut run = |count: u32| {
        let start = cpu_nanoseconds();
        for _ in 0..count {
            black_box(operation());
        }
        (cpu_nanoseconds() - start) / f64::from(count)
    };
    let once = run(3).max(1.0);
    let count = (1e8 / once).clamp(3.0, 1e7) as u32;
    (0..5).map(|_| run(count)).fold(f64::INFINITY, f64::min)
}
