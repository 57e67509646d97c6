//! Every fuzz target over its seeds and over many mutations of them: short, the same at every run, on a stable compiler.
//! `make fuzz` looks much longer, guided by coverage.

use std::fs;
use std::path::{Path, PathBuf};

use alb_fuzz_targets::ALL;

const MUTATIONS_PER_SEED: usize = 200;

#[test]
fn no_target_finds_anything_in_mutated_seeds() {
    for (name, target) in ALL {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for seed in &seeds {
            target(seed);
            for _ in 0..MUTATIONS_PER_SEED {
                let mut input = seed.clone();
                for _ in 0..=random.below(3) {
                    random.mutate(&mut input, &seeds);
                }
                target(&input);
            }
        }
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = match name {
        "certificate_file" | "envelope" => "certs/tests/golden".to_owned(),
        "configuration" => "conf/examples".to_owned(),
        _ => format!("fuzz/seeds/{name}"),
    };
    let entries =
        fs::read_dir(root.join(&directory)).unwrap_or_else(|error| panic!("{directory}: {error}"));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("a seed"))
        .collect()
}

/// Xorshift: the same numbers at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Changes, drops, repeats or brings in some bytes.
    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len());
        let length = self.below(16).min(input.len() - at);
        match self.below(5) {
            0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            1 => input.truncate(at),
            2 => drop(input.drain(at..at + length)),
            3 => {
                let again = input[at..at + length].to_vec();
                input.splice(at..at, again);
            }
            _ => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let to = (from + self.below(64)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
}
