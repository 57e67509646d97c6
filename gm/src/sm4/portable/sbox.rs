//! The SM4 S-box as a boolean circuit: no table, no branch, so no secret reaches an address.
//!
//! GB/T 32907 prints the S-box as a table. Algebraically it is `A·(A·x + 0xD3)⁻¹ + 0xD3`, the inverse taken in
//! GF(2⁸) modulo x⁸+x⁷+x⁶+x⁵+x⁴+x²+1 and `A` the circulant matrix of 0xA7. Here the inverse is taken in the tower
//! GF(((2²)²)²) with w² = w + 1, z² = z + w, y² = y + (wz + 1); the isomorphism is folded into the two matrices.
//! The test compares all 256 values with the standard's table.

/// Bit `i` of every byte of a batch: 32 independent S-box positions.
pub(super) type Plane = u32;

/// The S-box on eight planes, least significant bit first.
#[inline(always)]
pub(super) fn sbox(x: [Plane; 8]) -> [Plane; 8] {
    leave_tower(invert(enter_tower(x)))
}

/// φ(A·x + 0xD3): 11 exclusive ors for the matrix, negations for the constant 0xE4.
#[inline(always)]
fn enter_tower(x: [Plane; 8]) -> [Plane; 8] {
    let t8 = x[0] ^ x[6];
    let t9 = x[4] ^ x[5];
    let t10 = x[2] ^ t8;
    let t11 = x[1] ^ t10;
    let t15 = x[3] ^ t11;
    [
        t8 ^ t9,
        x[1] ^ t9,
        !x[5],
        x[5] ^ t11,
        x[4] ^ t11,
        !x[6],
        !(x[2] ^ x[7]),
        !(t9 ^ t15),
    ]
}

/// A·φ⁻¹(x) + 0xD3: 13 exclusive ors for the matrix.
#[inline(always)]
fn leave_tower(x: [Plane; 8]) -> [Plane; 8] {
    let t8 = x[0] ^ x[6];
    let t9 = x[1] ^ x[4];
    let t10 = x[7] ^ t8;
    let t11 = x[1] ^ x[3];
    let t12 = x[2] ^ t9;
    let t13 = x[0] ^ x[5];
    let t15 = x[3] ^ t12;
    [
        !(x[0] ^ x[2]),
        !(x[4] ^ t8),
        t12,
        t10,
        !(x[5] ^ t11),
        x[7] ^ t11,
        !(t9 ^ t13),
        !(t10 ^ t15),
    ]
}

/// An element of GF(2²): coefficients of 1 and w.
type Quad = [Plane; 2];
/// An element of GF(2⁴): coefficients of 1 and z, each in GF(2²).
type Nibble = [Quad; 2];

/// The inverse in GF(2⁸) (zero stays zero), by norm to GF(2⁴): (a₁y + a₀)⁻¹ = (a₁y + a₀ + a₁)·Δ⁻¹.
#[inline(always)]
fn invert(x: [Plane; 8]) -> [Plane; 8] {
    let low = [[x[0], x[1]], [x[2], x[3]]];
    let high = [[x[4], x[5]], [x[6], x[7]]];
    let sum = add4(low, high);
    let norm = add4(scale_square4(high), mul4(low, sum));
    let inverse = invert4(norm);
    let [[a, b], [c, d]] = mul4(sum, inverse);
    let [[e, f], [g, h]] = mul4(high, inverse);
    [a, b, c, d, e, f, g, h]
}

/// The inverse in GF(2⁴), by norm to GF(2²), where inverting is squaring.
#[inline(always)]
fn invert4(x: Nibble) -> Nibble {
    let [low, high] = x;
    let sum = add2(low, high);
    let norm = add2(times_w(square2(high)), mul2(low, sum));
    let inverse = square2(norm);
    [mul2(sum, inverse), mul2(high, inverse)]
}

#[inline(always)]
fn add4(a: Nibble, b: Nibble) -> Nibble {
    [add2(a[0], b[0]), add2(a[1], b[1])]
}

#[inline(always)]
fn mul4(a: Nibble, b: Nibble) -> Nibble {
    let low = mul2(a[0], b[0]);
    let high = mul2(a[1], b[1]);
    let cross = mul2(add2(a[0], a[1]), add2(b[0], b[1]));
    [add2(low, times_w(high)), add2(cross, low)]
}

/// (wz + 1)·x².
#[inline(always)]
fn scale_square4(x: Nibble) -> Nibble {
    let high = square2(x[1]);
    let low = add2(square2(x[0]), times_w(high));
    let w_high = times_w(high);
    [
        add2(low, times_w(w_high)),
        add2(high, add2(times_w(low), w_high)),
    ]
}

#[inline(always)]
fn add2(a: Quad, b: Quad) -> Quad {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

#[inline(always)]
fn mul2(a: Quad, b: Quad) -> Quad {
    let low = a[0] & b[0];
    let high = a[1] & b[1];
    let cross = (a[0] ^ a[1]) & (b[0] ^ b[1]);
    [low ^ high, cross ^ low]
}

#[inline(always)]
fn square2(x: Quad) -> Quad {
    [x[0] ^ x[1], x[1]]
}

#[inline(always)]
fn times_w(x: Quad) -> Quad {
    [x[1], x[0] ^ x[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GB/T 32907-2016, table 1.
    const TABLE: [u8; 256] = [
        0xD6, 0x90, 0xE9, 0xFE, 0xCC, 0xE1, 0x3D, 0xB7, 0x16, 0xB6, 0x14, 0xC2, 0x28, 0xFB, 0x2C,
        0x05, 0x2B, 0x67, 0x9A, 0x76, 0x2A, 0xBE, 0x04, 0xC3, 0xAA, 0x44, 0x13, 0x26, 0x49, 0x86,
        0x06, 0x99, 0x9C, 0x42, 0x50, 0xF4, 0x91, 0xEF, 0x98, 0x7A, 0x33, 0x54, 0x0B, 0x43, 0xED,
        0xCF, 0xAC, 0x62, 0xE4, 0xB3, 0x1C, 0xA9, 0xC9, 0x08, 0xE8, 0x95, 0x80, 0xDF, 0x94, 0xFA,
        0x75, 0x8F, 0x3F, 0xA6, 0x47, 0x07, 0xA7, 0xFC, 0xF3, 0x73, 0x17, 0xBA, 0x83, 0x59, 0x3C,
        0x19, 0xE6, 0x85, 0x4F, 0xA8, 0x68, 0x6B, 0x81, 0xB2, 0x71, 0x64, 0xDA, 0x8B, 0xF8, 0xEB,
        0x0F, 0x4B, 0x70, 0x56, 0x9D, 0x35, 0x1E, 0x24, 0x0E, 0x5E, 0x63, 0x58, 0xD1, 0xA2, 0x25,
        0x22, 0x7C, 0x3B, 0x01, 0x21, 0x78, 0x87, 0xD4, 0x00, 0x46, 0x57, 0x9F, 0xD3, 0x27, 0x52,
        0x4C, 0x36, 0x02, 0xE7, 0xA0, 0xC4, 0xC8, 0x9E, 0xEA, 0xBF, 0x8A, 0xD2, 0x40, 0xC7, 0x38,
        0xB5, 0xA3, 0xF7, 0xF2, 0xCE, 0xF9, 0x61, 0x15, 0xA1, 0xE0, 0xAE, 0x5D, 0xA4, 0x9B, 0x34,
        0x1A, 0x55, 0xAD, 0x93, 0x32, 0x30, 0xF5, 0x8C, 0xB1, 0xE3, 0x1D, 0xF6, 0xE2, 0x2E, 0x82,
        0x66, 0xCA, 0x60, 0xC0, 0x29, 0x23, 0xAB, 0x0D, 0x53, 0x4E, 0x6F, 0xD5, 0xDB, 0x37, 0x45,
        0xDE, 0xFD, 0x8E, 0x2F, 0x03, 0xFF, 0x6A, 0x72, 0x6D, 0x6C, 0x5B, 0x51, 0x8D, 0x1B, 0xAF,
        0x92, 0xBB, 0xDD, 0xBC, 0x7F, 0x11, 0xD9, 0x5C, 0x41, 0x1F, 0x10, 0x5A, 0xD8, 0x0A, 0xC1,
        0x31, 0x88, 0xA5, 0xCD, 0x7B, 0xBD, 0x2D, 0x74, 0xD0, 0x12, 0xB8, 0xE5, 0xB4, 0xB0, 0x89,
        0x69, 0x97, 0x4A, 0x0C, 0x96, 0x77, 0x7E, 0x65, 0xB9, 0xF1, 0x09, 0xC5, 0x6E, 0xC6, 0x84,
        0x18, 0xF0, 0x7D, 0xEC, 0x3A, 0xDC, 0x4D, 0x20, 0x79, 0xEE, 0x5F, 0x3E, 0xD7, 0xCB, 0x39,
        0x48,
    ];

    #[test]
    fn the_circuit_is_the_table_of_the_standard() {
        for x in 0..=255u32 {
            let planes = std::array::from_fn(|i| x >> i & 1);
            let out = sbox(planes);
            let byte = (0..8).fold(0, |byte, i| byte | (out[i] & 1) << i);
            assert_eq!(byte, u32::from(TABLE[x as usize]), "S({x:#04x})");
        }
    }
}
