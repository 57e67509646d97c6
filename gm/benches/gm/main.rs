//! Everything the provider accelerates, called through Tongsuo as TLS calls it: what `benches/gm` runs and compares.
//!
//! A process has one answer to whether it is accelerated, and one Tongsuo, so each column of the table is a process of its
//! own: `--tongsuo` leaves the provider out. Printed is one line per figure: name, unit and value, separated by tabs.

#[path = "../common/mod.rs"]
mod measure;
#[path = "../../tests/common/mod.rs"]
mod setting;

mod connections;
mod primitives;

use alb_gm::Acceleration;

fn main() {
    let tongsuo = std::env::args().any(|argument| argument == "--tongsuo");
    let acceleration = if tongsuo {
        Acceleration::Off
    } else {
        Acceleration::Auto
    };
    alb_gm::init(acceleration);
    assert_eq!(alb_gm::accelerated(), !tongsuo, "what was asked for runs");
    primitives::measure_all();
    if !tongsuo {
        primitives::measure_direct();
    }
    connections::measure_all();
}

/// The unit of a figure.
#[derive(Clone, Copy)]
enum Unit {
    /// Operations per second.
    PerSecond,
    /// Processor time of one.
    Microseconds,
    /// 10⁶ bytes per second.
    Megabytes,
}

fn report(name: &str, unit: Unit, value: f64) {
    let unit = match unit {
        Unit::PerSecond => "/s",
        Unit::Microseconds => "µs",
        Unit::Megabytes => "MB/s",
    };
    println!("{name}\t{unit}\t{value}");
}
