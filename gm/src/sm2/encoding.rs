//! Points as bytes (GB/T 32918.1-2016, 4.2.9 and 4.2.10): uncompressed and compressed. Hybrid forms and infinity are refused.

use super::arith::{Arith, P, with_arith};
use super::field;
use super::limbs::{self, Limbs};
use super::point::Affine;

/// Why bytes are no point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The length fits no form.
    #[error("a point has 33 or 65 bytes, not {0}")]
    Length(usize),
    /// The first byte names no form that is accepted.
    #[error("a point begins with 02, 03 or 04, not {0:02x}")]
    Form(u8),
    /// A coordinate is not below p.
    #[error("a coordinate of the point is not below the field prime")]
    Range,
    /// The equation does not hold, or no y belongs to the x.
    #[error("the point is not on the curve")]
    NotOnCurve,
}

/// Reads a finite point and checks that it is one of the curve. As the cofactor is 1, it is then in the group.
pub(super) fn decode(bytes: &[u8]) -> Result<Affine, PointError> {
    let (&form, coordinates) = bytes.split_first().ok_or(PointError::Length(0))?;
    match (form, coordinates.len()) {
        (4, 64) => {
            let (x, y) = coordinates.split_at(32);
            decode_coordinates(x, y)
        }
        (2 | 3, 32) => {
            let x = coordinate(coordinates)?;
            with_arith!(A => decompress::<A>(&x, form & 1))
        }
        (2..=4, _) => Err(PointError::Length(bytes.len())),
        _ => Err(PointError::Form(form)),
    }
}

/// The point of two coordinates of 32 bytes each.
pub(super) fn decode_coordinates(x: &[u8], y: &[u8]) -> Result<Affine, PointError> {
    let (x, y) = (coordinate(x)?, coordinate(y)?);
    with_arith!(A => {
        let point = Affine { x: field::from_integer::<A>(&x), y: field::from_integer::<A>(&y) };
        if point.is_on_curve::<A>() { Ok(point) } else { Err(PointError::NotOnCurve) }
    })
}

/// The coordinates, 32 bytes each, x first.
pub(super) fn encode_coordinates(point: &Affine) -> [u8; 64] {
    with_arith!(A => {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&limbs::to_be_bytes(&field::to_integer::<A>(&point.x)));
        out[32..].copy_from_slice(&limbs::to_be_bytes(&field::to_integer::<A>(&point.y)));
        out
    })
}

fn coordinate(bytes: &[u8]) -> Result<Limbs, PointError> {
    let bytes: &[u8; 32] = bytes
        .try_into()
        .map_err(|_| PointError::Length(bytes.len()))?;
    let value = limbs::from_be_bytes(bytes);
    if limbs::less_than(&value, &P).reveal() {
        Ok(value)
    } else {
        Err(PointError::Range)
    }
}

fn decompress<A: Arith>(x: &Limbs, parity: u8) -> Result<Affine, PointError> {
    let x = field::from_integer::<A>(x);
    let y = field::square_root_vartime::<A>(&field::curve_right_side::<A>(&x))
        .ok_or(PointError::NotOnCurve)?;
    // y is never zero: no point of the group has order two. So the other root has the other parity.
    let odd = field::to_integer::<A>(&y)[0] as u8 & 1;
    Ok(Affine {
        x,
        y: if odd == parity {
            y
        } else {
            field::negate::<A>(&y)
        },
    })
}
