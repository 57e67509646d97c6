//! Datagrams that belong together: they go on in one call where the kernel can take them apart (GSO). No I/O.

use std::io::IoSlice;

/// The most datagrams of a run: `UDP_MAX_SEGMENTS` of Linux up to 6.9; later ones allow more.
pub(super) const MOST: usize = 64;

/// The most bytes of a run: what a datagram over IPv4 could carry.
const MOST_BYTES: usize = 65_507;

/// One or more datagrams of one sender in the order in which they came, all of `segment` bytes but the last, which may be
/// shorter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'b> {
    /// Their bytes; a datagram lies within one piece.
    pub pieces: &'b [IoSlice<'b>],
    /// Bytes of each datagram; 0 only if there is but one, without bytes.
    pub segment: usize,
    /// How many they are.
    pub count: u64,
    /// Bytes of all.
    pub bytes: usize,
}

/// Puts datagrams together for as long as they make a run.
pub(super) struct Joiner<'b> {
    pieces: [IoSlice<'b>; MOST],
    used: usize,
    segment: usize,
    count: usize,
    bytes: usize,
}

impl<'b> Run<'b> {
    /// A single datagram.
    pub fn one(piece: &'b [IoSlice<'b>; 1]) -> Self {
        Run {
            segment: piece[0].len(),
            count: 1,
            bytes: piece[0].len(),
            pieces: piece,
        }
    }

    /// Each by itself.
    pub fn datagrams(&self) -> impl Iterator<Item = &'b [u8]> {
        let segment = self.segment.max(1);
        self.pieces.iter().flat_map(move |piece| {
            let piece: &'b [u8] = piece;
            let nothing = piece.is_empty().then_some(piece);
            nothing.into_iter().chain(piece.chunks(segment))
        })
    }
}

impl<'b> Joiner<'b> {
    /// Nothing yet.
    pub fn new() -> Self {
        Joiner {
            pieces: [IoSlice::new(&[]); MOST],
            used: 0,
            segment: 0,
            count: 0,
            bytes: 0,
        }
    }

    /// Begins anew with these bytes, which are datagrams of `segment` bytes.
    pub fn begin(&mut self, bytes: &'b [u8], segment: usize) {
        (self.used, self.segment, self.count, self.bytes) = (0, segment, 0, 0);
        self.push(bytes);
    }

    /// Adds further datagrams, of `segment` bytes, behind those that are there. False: they do not go with them.
    pub fn add(&mut self, bytes: &'b [u8], segment: usize) -> bool {
        let is_last = bytes.len() == segment && segment < self.segment;
        let fits = !bytes.is_empty()
            && self.bytes == self.segment * self.count
            && (segment == self.segment || is_last)
            && self.bytes + bytes.len() <= MOST_BYTES
            && self.count + bytes.len().div_ceil(segment) <= MOST;
        if fits {
            self.push(bytes);
        }
        fits
    }

    /// All that is there.
    pub fn run(&self) -> Run<'_> {
        Run {
            pieces: &self.pieces[..self.used],
            segment: self.segment,
            count: self.count as u64,
            bytes: self.bytes,
        }
    }

    fn push(&mut self, bytes: &'b [u8]) {
        self.pieces[self.used] = IoSlice::new(bytes);
        self.used += 1;
        self.count += bytes.len().div_ceil(self.segment.max(1)).max(1);
        self.bytes += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The runs that a series of datagrams makes, each as its datagrams.
    fn joined(all: &[(Vec<u8>, usize)]) -> Vec<Vec<Vec<u8>>> {
        let mut joiner = Joiner::new();
        let mut runs = Vec::new();
        let copy = |run: Run<'_>| run.datagrams().map(<[u8]>::to_vec).collect();
        for (at, (bytes, segment)) in all.iter().enumerate() {
            if at > 0 && joiner.add(bytes, *segment) {
                continue;
            }
            if at > 0 {
                runs.push(copy(joiner.run()));
            }
            joiner.begin(bytes, *segment);
        }
        if !all.is_empty() {
            runs.push(copy(joiner.run()));
        }
        runs
    }

    fn sizes(series: &[usize]) -> Vec<Vec<usize>> {
        let all: Vec<_> = series.iter().map(|size| (vec![7; *size], *size)).collect();
        let runs = joined(&all);
        runs.iter()
            .map(|run| run.iter().map(Vec::len).collect())
            .collect()
    }

    #[test]
    fn equal_ones_go_together_and_a_shorter_one_ends_them() {
        assert_eq!(sizes(&[100, 100, 40, 100]), [vec![100, 100, 40], vec![100]]);
        assert_eq!(sizes(&[40, 100, 100]), [vec![40], vec![100, 100]]);
        assert_eq!(sizes(&[100, 0, 0, 100]), [[100], [0], [0], [100]]);
    }

    #[test]
    fn no_run_is_more_than_the_kernel_takes() {
        let runs = sizes(&[10; 150]);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 22]);
        let runs = sizes(&[9000; 20]);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    }

    proptest! {
        /// However they are put together, the same datagrams come out in the same order, and each run is one that the
        /// kernel takes apart in the same way: all of one size but the last.
        #[test]
        fn runs_are_the_datagrams_in_order(
            series in prop::collection::vec((1usize..6, 1usize..5, 0usize..6), 0..40)
        ) {
            let mut number = 0u8;
            let mut fill = |size: usize| {
                number = number.wrapping_add(1);
                vec![number; size]
            };
            // As the kernel joins them: some of one size, and perhaps a shorter one.
            let all: Vec<(Vec<u8>, usize)> = series
                .iter()
                .map(|(size, count, last)| (fill(size * count + last % size), *size))
                .map(|(bytes, size)| if bytes.len() < size { let l = bytes.len(); (bytes, l) } else { (bytes, size) })
                .collect();
            let expected: Vec<Vec<u8>> = all
                .iter()
                .flat_map(|(bytes, segment)| bytes.chunks(*segment).map(<[u8]>::to_vec))
                .collect();
            let runs = joined(&all);
            for run in &runs {
                prop_assert!(run.len() <= MOST);
                let (last, others) = run.split_last().expect("a datagram");
                prop_assert!(others.iter().all(|one| one.len() == run[0].len()));
                prop_assert!(last.len() <= run[0].len());
            }
            prop_assert_eq!(runs.concat(), expected);
        }
    }
}
