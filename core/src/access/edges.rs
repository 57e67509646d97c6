//! A set of whole numbers as the places where it begins and ends. Whether a number is in it is a question of how many
//! edges lie below: an odd count is inside.

use std::ops::Range;

/// What an address is to the set: a number, and the sixteen bits by which the edges are found.
pub trait Bits: Copy + Ord {
    /// The highest sixteen bits.
    fn top(self) -> usize;
    /// The sixteen bits below them.
    fn second(self) -> usize;
    /// The next number; `None` behind the last.
    fn next(self) -> Option<Self>;
}

impl Bits for u32 {
    fn top(self) -> usize {
        (self >> 16) as usize
    }

    fn second(self) -> usize {
        (self & 0xffff) as usize
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Bits for u128 {
    fn top(self) -> usize {
        (self >> 112) as usize
    }

    fn second(self) -> usize {
        (self >> 96 & 0xffff) as usize
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// With fewer edges the search alone is as fast, and a quarter of a megabyte would be wasted.
const INDEXED_FROM: usize = 256;

/// With more edges under the same sixteen bits, the next sixteen are indexed too: networks of IPv6 have few beginnings.
const DENSE: usize = 4096;

/// The set.
#[derive(Debug)]
pub struct Edges<T> {
    /// Rising. The set begins at those with an even place and ends before those with an odd one.
    edges: Box<[T]>,
    /// How many edges lie below the numbers with these sixteen bits; one more at the end. Empty for few edges.
    index: Box<[u32]>,
    /// The same for the sixteen bits below, where many edges lie under the same ones; rising.
    deeper: Vec<(usize, Box<[u32]>)>,
}

impl<T> Default for Edges<T> {
    fn default() -> Self {
        Self {
            edges: Box::default(),
            index: Box::default(),
            deeper: Vec::new(),
        }
    }
}

impl<T: Bits> Edges<T> {
    /// The set with these edges, which must rise.
    pub fn new(edges: Vec<T>) -> Self {
        debug_assert!(edges.is_sorted_by(|a, b| a < b));
        if edges.len() < INDEXED_FROM {
            return Self {
                edges: edges.into(),
                ..Self::default()
            };
        }
        let index = index(&edges, 0, T::top);
        let under = |top| range(&index, top, 0..edges.len());
        let dense = (0..1 << 16).filter(|top| under(*top).len() > DENSE);
        let deeper = dense.map(|top| {
            let near = under(top);
            (
                top,
                self::index(&edges[near.clone()], near.start, T::second),
            )
        });
        Self {
            deeper: deeper.collect(),
            index,
            edges: edges.into(),
        }
    }

    /// Whether a number is in it.
    #[inline]
    pub fn contains(&self, number: T) -> bool {
        let top = number.top();
        let mut near = range(&self.index, top, 0..self.edges.len());
        if near.len() > DENSE
            && let Ok(place) = self.deeper.binary_search_by_key(&top, |(top, _)| *top)
        {
            near = range(&self.deeper[place].1, number.second(), near);
        }
        let from = near.start;
        let near = self.edges.get(near).unwrap_or_default();
        let below = from + near.partition_point(|edge| *edge <= number);
        below % 2 == 1
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        let deeper = self.deeper.iter().map(|(_, index)| size_of_val(&**index));
        size_of_val(&*self.edges) + size_of_val(&*self.index) + deeper.sum::<usize>()
    }
}

/// The edges with these bits by an index; `all` of them without one.
fn range(index: &[u32], bits: usize, all: Range<usize>) -> Range<usize> {
    match (index.get(bits), index.get(bits + 1)) {
        (Some(from), Some(to)) => *from as usize..*to as usize,
        _ => all,
    }
}

/// How many edges lie below each sixteen `bits`, `first` of them before these.
fn index<T: Bits>(edges: &[T], first: usize, bits: fn(T) -> usize) -> Box<[u32]> {
    let mut index = Vec::with_capacity((1 << 16) + 1);
    let mut below = 0;
    for value in 0..=1 << 16 {
        while edges.get(below).is_some_and(|edge| bits(*edge) < value) {
            below += 1;
        }
        // A configuration has no four thousand million prefixes.
        index.push(u32::try_from(first + below).unwrap_or(u32::MAX));
    }
    index.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_edges_and_many_answer_alike() {
        let edges: Vec<u32> = (0..1000u32).map(|n| n * 4_000_007).collect();
        let many = Edges::new(edges.clone());
        assert!(!many.index.is_empty());
        for (place, edge) in edges.iter().enumerate() {
            assert_eq!(many.contains(*edge), place % 2 == 0, "{edge}");
            if let Some(before) = edge.checked_sub(1) {
                assert_eq!(many.contains(before), place % 2 == 1, "{before}");
            }
        }
        assert!(!many.contains(u32::MAX));
    }

    #[test]
    fn many_edges_under_the_same_beginning_are_found() {
        let edges: Vec<u128> = (0..20_000u128)
            .map(|n| 0x2001 << 112 | (n * 7) << 94 | n)
            .collect();
        let dense = Edges::new(edges.clone());
        assert_eq!(dense.deeper.len(), 1);
        for (place, edge) in edges.iter().enumerate() {
            assert_eq!(dense.contains(*edge), place % 2 == 0, "{edge:x}");
            assert_eq!(dense.contains(edge - 1), place % 2 == 1, "{edge:x}");
        }
        assert!(!dense.contains(0) && !dense.contains(u128::MAX));
    }

    #[test]
    fn a_set_may_have_no_end() {
        let open_end = Edges::new(vec![10u128]);
        assert!(open_end.contains(u128::MAX) && !open_end.contains(9));
    }
}
