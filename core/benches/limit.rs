//! What a limit costs: memory for 100 000 keys, and time per decision.
//!
//! `cargo bench -p alb-core --bench limit` prints nanoseconds of CPU time per decision, the least of several runs.

use std::borrow::Cow;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use alb_core::limit::{Builder, Decision, KeySource, Keys, LimitSet};

/// Keys that are live at once.
const KEYS: u32 = 100_000;
/// Decisions of one run.
const DECISIONS: u32 = 1_000_000;
const RUNS: usize = 7;

struct Client(u32);

impl Keys for Client {
    fn client_ip(&self) -> IpAddr {
        Ipv4Addr::from_bits(self.0).into()
    }

    fn value(&self, _: &KeySource) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(self.0.to_be_bytes().to_vec()))
    }
}

fn main() {
    // First: later on the allocator has memory to give that is resident already.
    memory();
    println!("{:34}{:>14}{:>16}", "", "one key", "100 000 keys");
    for (name, limits) in [
        (
            "rate",
            &["rate = \"1000000/s\"\nburst = 4000000\nnodelay = true"][..],
        ),
        (
            "rate, key of a header",
            &["rate = \"1000000/s\"\nburst = 4000000\nnodelay = true\nkey = \"header:x\""],
        ),
        ("rate, refused", &["rate = \"1/m\""]),
        (
            "requests per period, fixed",
            &["requests = 4294967295\nper = \"24h\""],
        ),
        (
            "requests per period, sliding",
            &["requests = 4294967295\nper = \"24h\"\nwindow = \"sliding\""],
        ),
        ("connections, taken and released", &["connections = 1000"]),
        (
            "rate and connections",
            &[
                "rate = \"1000000/s\"\nburst = 4000000\nnodelay = true",
                "connections = 1000",
            ],
        ),
    ] {
        let set = set(limits);
        fill(&set);
        println!(
            "{name:34}{:>11.1} ns{:>13.1} ns",
            least(&set, 1),
            least(&set, KEYS)
        );
    }
    threads();
}

fn set(limits: &[&str]) -> LimitSet {
    let mut text = String::new();
    for (number, limit) in limits.iter().enumerate() {
        text += &format!("[limit.l{number}]\nentries = {KEYS}\n{limit}\n");
    }
    let config = alb_conf::check_str(&text).unwrap_or_else(|report| panic!("{report}"));
    let names: Vec<_> = config.limit.keys().cloned().collect();
    Builder::new(&config.limit, None).requests(&names)
}

/// One request of each key, so that all of them are live.
fn fill(set: &LimitSet) {
    let now = Instant::now();
    for number in 0..KEYS {
        black_box(set.admit(now, &Client(number)));
    }
}

/// Nanoseconds per decision, over so many keys in an order that no cache foresees.
fn least(set: &LimitSet, keys: u32) -> f64 {
    let runs = [0.0; RUNS].map(|_: f64| time(set, keys));
    runs.into_iter().fold(f64::INFINITY, f64::min)
}

fn time(set: &LimitSet, keys: u32) -> f64 {
    let (now, begun) = (Instant::now(), cpu_time());
    let mut number = 1u32;
    for _ in 0..DECISIONS {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let client = Client(((u64::from(number) * u64::from(keys)) >> 32) as u32);
        black_box(set.admit(now, &client));
    }
    (cpu_time() - begun) as f64 / f64::from(DECISIONS)
}

/// Nanoseconds the calling thread has run.
fn cpu_time() -> u64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let first = statistics.split(' ').next().expect("a field");
    first.parse().expect("nanoseconds")
}

/// Two workers at once: with keys of all, and with one that both want.
fn threads() {
    let set = set(&["rate = \"1000000/s\"\nburst = 4000000\nnodelay = true"]);
    fill(&set);
    for (name, keys) in [("100 000 keys", KEYS), ("one key", 1)] {
        let times = std::thread::scope(|scope| {
            let each = [(); 2].map(|()| scope.spawn(|| least(&set, keys)));
            each.map(|thread| thread.join().expect("no panic"))
        });
        println!(
            "rate, two threads, {name:15}{:>11.1} ns{:>13.1} ns",
            times[0], times[1]
        );
    }
}

fn memory() {
    // What reading a configuration takes is no limit's.
    drop(set(&["bandwidth = \"1MB/s\""]));
    let before = resident();
    let set = set(&["rate = \"1/m\""]);
    fill(&set);
    let mut grown = (resident() - before) as f64;
    println!(
        "memory for {KEYS} keys: {:.1} MB, {:.0} bytes each",
        grown / 1e6,
        grown / f64::from(KEYS)
    );
    let now = Instant::now();
    let refused = |number| matches!(set.admit(now, &Client(number)), Decision::Refuse(_));
    let passed = (0..10 * KEYS)
        .filter(|number| !refused(KEYS + number))
        .count();
    grown = (resident() - before) as f64;
    println!(
        "after a flood of {} more: {:.1} MB, {passed} let pass, all of before still limited: {}",
        10 * KEYS,
        grown / 1e6,
        (0..KEYS).all(refused)
    );
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.expect("VmRSS in kB") * 1024
}
