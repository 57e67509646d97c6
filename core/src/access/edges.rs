//! A set of whole numbers as the places where it begins and ends. Whether a number is in it is a question of how many
//! edges lie below: an odd count is inside.

/// What an address is to the set: a number, and the sixteen bits by which the edges are found.
pub trait Bits: Copy + Ord {
    /// The highest sixteen bits.
    fn top(self) -> usize;
    /// The next number; `None` behind the last.
    fn next(self) -> Option<Self>;
}

impl Bits for u32 {
    fn top(self) -> usize {
        (self >> 16) as usize
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Bits for u128 {
    fn top(self) -> usize {
        (self >> 112) as usize
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// With fewer edges the search alone is as fast, and a quarter of a megabyte would be wasted.
const INDEXED_FROM: usize = 256;

/// The set.
#[derive(Debug)]
pub struct Edges<T> {
    /// Rising. The set begins at those with an even place and ends before those with an odd one.
    edges: Box<[T]>,
    /// How many edges lie below the numbers with these sixteen bits; one more at the end. Empty for few edges.
    index: Box<[u32]>,
}

impl<T> Default for Edges<T> {
    fn default() -> Self {
        Self {
            edges: Box::default(),
            index: Box::default(),
        }
    }
}

impl<T: Bits> Edges<T> {
    /// The set with these edges, which must rise.
    pub fn new(edges: Vec<T>) -> Self {
        debug_assert!(edges.is_sorted_by(|a, b| a < b));
        let index = match edges.len() {
            0..INDEXED_FROM => Box::default(),
            _ => index(&edges),
        };
        Self {
            edges: edges.into(),
            index,
        }
    }

    /// Whether a number is in it.
    #[inline]
    pub fn contains(&self, number: T) -> bool {
        let top = number.top();
        let (from, to) = match (self.index.get(top), self.index.get(top + 1)) {
            (Some(from), Some(to)) => (*from as usize, *to as usize),
            _ => (0, self.edges.len()),
        };
        let near = self.edges.get(from..to).unwrap_or_default();
        let below = from + near.partition_point(|edge| *edge <= number);
        below % 2 == 1
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.edges) + size_of_val(&*self.index)
    }
}

fn index<T: Bits>(edges: &[T]) -> Box<[u32]> {
    let mut index = Vec::with_capacity((1 << 16) + 1);
    let mut below = 0;
    for top in 0..=1 << 16 {
        while edges.get(below).is_some_and(|edge| edge.top() < top) {
            below += 1;
        }
        // A configuration has no four thousand million prefixes.
        index.push(u32::try_from(below).unwrap_or(u32::MAX));
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
        let open_end = Edges::new(vec![10u128]);
        assert!(open_end.contains(u128::MAX) && !open_end.contains(9));
    }
}
