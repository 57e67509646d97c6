//! GHASH with integer multiplications: three bits of room between the bits of a factor take up the carries.

/// The state after whole blocks.
pub(super) fn update(h: u128, state: u128, blocks: &[u8]) -> u128 {
    let (blocks, _) = blocks.as_chunks::<16>();
    blocks.iter().fold(state, |state, block| {
        dot(state ^ u128::from_be_bytes(*block), h)
    })
}

/// a·b·x⁻¹²⁸, the product of POLYVAL.
fn dot(a: u128, b: u128) -> u128 {
    let (a0, a1) = (a as u64, (a >> 64) as u64);
    let (b0, b1) = (b as u64, (b >> 64) as u64);
    let low = multiply(a0, b0);
    let high = multiply(a1, b1);
    let cross = multiply(a0 ^ a1, b0 ^ b1) ^ low ^ high;
    reduce(low ^ cross << 64, high ^ cross >> 64)
}

/// The 127-bit carry-less product.
fn multiply(a: u64, b: u64) -> u128 {
    let low = multiply_low(a, b);
    // The upper half is the lower half of the product of the reversed factors.
    let high = multiply_low(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    u128::from(high) << 64 | u128::from(low)
}

/// The lower half of the carry-less product.
fn multiply_low(a: u64, b: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x1111_1111_1111_1111;
    let a: [u64; 4] = std::array::from_fn(|i| a & EVERY_FOURTH << i);
    let b: [u64; 4] = std::array::from_fn(|i| b & EVERY_FOURTH << i);
    (0..4).fold(0, |sum, i| {
        let part = (0..4).fold(0, |part, j| part ^ a[j].wrapping_mul(b[(i + 4 - j) % 4]));
        sum | part & EVERY_FOURTH << i
    })
}

/// (high·x¹²⁸ + low)·x⁻¹²⁸: Montgomery's reduction, 64 bits at a time.
fn reduce(low: u128, high: u128) -> u128 {
    let (v0, mut v1) = (low as u64, (low >> 64) as u64);
    let (mut v2, mut v3) = (high as u64, (high >> 64) as u64);
    v1 ^= v0 << 63 ^ v0 << 62 ^ v0 << 57;
    v2 ^= v0 ^ v0 >> 1 ^ v0 >> 2 ^ v0 >> 7;
    v2 ^= v1 << 63 ^ v1 << 62 ^ v1 << 57;
    v3 ^= v1 ^ v1 >> 1 ^ v1 >> 2 ^ v1 >> 7;
    u128::from(v3) << 64 | u128::from(v2)
}
