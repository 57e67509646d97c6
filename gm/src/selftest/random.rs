//! The random sources: the operating system's, which keys and nonces of this crate come from, and Tongsuo's generator.
//!
//! Monobit and poker test of GM/T 0005 over a million bits. Their thresholds are so far out that a good source fails
//! once in about 10^9 starts, and then a second try decides, as GM/T 0025 has it; a stuck or biased one fails always.

use crate::sm2::{Random, SystemRandom};

use super::{Named, Outcome, refused};

/// The checks and their names.
pub(super) const ALL: &[Named] = &[
    ("random source of the system", || twice(system)),
    ("random generator of the library", || twice(library)),
];

const BYTES: usize = 125_000;

fn twice(fill: fn(&mut [u8]) -> Outcome) -> Outcome {
    let once = || {
        let mut sample = vec![0; BYTES];
        fill(&mut sample)?;
        judge(&sample)
    };
    once().or_else(|_| once())
}

fn system(sample: &mut [u8]) -> Outcome {
    SystemRandom.fill(sample).map_err(refused)
}

fn library(sample: &mut [u8]) -> Outcome {
    openssl::rand::rand_bytes(sample).map_err(refused)
}

fn judge(sample: &[u8]) -> Outcome {
    monobit(sample)?;
    poker(sample)
}

/// The number of ones, in standard deviations from the half (GM/T 0005, single-bit frequency).
fn monobit(sample: &[u8]) -> Outcome {
    let bits = 8.0 * sample.len() as f64;
    let ones: u64 = sample.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let deviation = (2.0 * ones as f64 - bits).abs() / bits.sqrt();
    if deviation < 6.5 {
        Ok(())
    } else {
        Err(format!("{ones} of {bits} bits are ones"))
    }
}

/// χ² of the sixteen half-bytes (GM/T 0005, poker with m = 4), 15 degrees of freedom.
fn poker(sample: &[u8]) -> Outcome {
    let mut counts = [0u64; 16];
    for byte in sample {
        counts[usize::from(byte >> 4)] += 1;
        counts[usize::from(byte & 15)] += 1;
    }
    let total = 2.0 * sample.len() as f64;
    let squares: f64 = counts.iter().map(|count| (*count as f64).powi(2)).sum();
    let statistic = 16.0 / total * squares - total;
    // Also far too even is not random: below 0.1 once in 10^14.
    if (0.1..80.0).contains(&statistic) {
        Ok(())
    } else {
        Err(format!(
            "the poker statistic of half-bytes is {statistic:.1}, expected about 15"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_source_a_biased_one_and_a_counter_fail() {
        assert!(judge(&[0x5a; BYTES]).is_err());
        let counter: Vec<u8> = (0..BYTES).map(|i| i as u8).collect();
        assert!(judge(&counter).is_err());
        let mut biased = vec![0; BYTES];
        system(&mut biased).expect("bytes");
        biased.iter_mut().step_by(20).for_each(|byte| *byte |= 0x11);
        assert!(judge(&biased).is_err());
    }
}
