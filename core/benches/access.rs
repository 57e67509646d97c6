//! Access lists of 100,000 prefixes: memory, and time to build and to ask: `cargo bench -p alb-core --bench access`.
//!
//! Nanoseconds of this thread's CPU time. The addresses asked for are random, so that the caches are as cold as they are
//! under many clients; half of them lie near a prefix of the list.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alb_conf::{Access, Prefix};
use alb_core::access::AccessList;
use rustix::time::{ClockId, clock_gettime};

const PREFIXES: usize = 100_000;
const ASKED: usize = 1 << 20;

fn main() {
    println!(
        "{:28}{:>10}{:>14}{:>14}",
        "100,000 prefixes", "memory", "build", "per question"
    );
    row("IPv4", &mut Random(1), random_v4, |prefix| 16 + prefix % 17);
    row("IPv6", &mut Random(2), random_v6, |prefix| 32 + prefix % 33);
    let few: Vec<Prefix> = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]
        .map(|prefix| prefix.parse().expect("a prefix"))
        .into();
    measure("three prefixes", &few, &mut Random(3), random_v4);
}

fn row(
    name: &str,
    random: &mut Random,
    address: fn(&mut Random) -> IpAddr,
    length: fn(u64) -> u64,
) {
    let prefixes: Vec<Prefix> = (0..PREFIXES)
        .filter_map(|_| {
            let length = u8::try_from(length(random.next())).ok()?;
            Prefix::new(address(random), length)
        })
        .collect();
    measure(name, &prefixes, random, address);
}

fn measure(
    name: &str,
    prefixes: &[Prefix],
    random: &mut Random,
    address: fn(&mut Random) -> IpAddr,
) {
    let rule = |prefix: &Prefix| format!("deny {prefix}").parse().ok();
    let rules = prefixes
        .iter()
        .filter_map(rule)
        .map(|rule: alb_conf::AccessRule| rule.into());
    let written = Access {
        rules: rules.collect(),
        files: Vec::new(),
    };
    let start = cpu_nanoseconds();
    let list = AccessList::build(name, &written).expect("a list");
    let build = cpu_nanoseconds() - start;
    let asked: Vec<IpAddr> = (0..ASKED)
        .map(|number| match number % 2 {
            0 => address(random),
            _ => prefixes[random.next() as usize % prefixes.len()].range().1,
        })
        .collect();
    let question = (0..7)
        .map(|_| ask(&list, &asked))
        .fold(f64::INFINITY, f64::min);
    println!(
        "{name:28}{:>6} KiB{:>11.1} ms{question:>11.1} ns",
        list.memory() / 1024,
        build / 1e6
    );
}

/// Nanoseconds per question, asked one after the other.
fn ask(list: &AccessList, asked: &[IpAddr]) -> f64 {
    let start = cpu_nanoseconds();
    let let_in = asked.iter().filter(|ip| list.permits(**ip)).count();
    black_box(let_in);
    (cpu_nanoseconds() - start) / asked.len() as f64
}

fn cpu_nanoseconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Xorshift: the same numbers at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Any address of IPv4.
fn random_v4(random: &mut Random) -> IpAddr {
    Ipv4Addr::from_bits((random.next() >> 32) as u32).into()
}

/// Addresses where networks are given out: the first 16 bits are few.
fn random_v6(random: &mut Random) -> IpAddr {
    const REGISTRIES: [u128; 8] = [
        0x2001, 0x2400, 0x2404, 0x2600, 0x2607, 0x2a00, 0x2a02, 0x2c0f,
    ];
    let first = REGISTRIES[(random.next() >> 32) as usize % REGISTRIES.len()];
    let rest = u128::from(random.next()) << 48 | u128::from(random.next() >> 16);
    Ipv6Addr::from_bits(first << 112 | rest).into()
}
