//! SM4's modes as ciphers of Tongsuo. A mode says what it does in safe Rust ([`Mode`]); the entry functions are in
//! [`entry`], once for all modes.

mod block;
mod ccm;
mod ctr;
mod entry;
mod gcm;
mod tls_aad;

use entry::Table;

use super::ffi::{Algorithm, Io, Outcome};
use super::lifecycle::Parameters;
use crate::sm4::Backend;

/// The ciphers, under the names of Tongsuo's own (prov/names.h).
static ALGORITHMS: [Algorithm; 6] = [
    Algorithm::new(
        c"SM4-GCM:1.2.156.10197.1.104.8",
        Table::<gcm::Gcm>::FUNCTIONS,
    ),
    Algorithm::new(
        c"SM4-CCM:1.2.156.10197.1.104.9",
        Table::<ccm::Ccm>::FUNCTIONS,
    ),
    Algorithm::new(
        c"SM4-CBC:SM4:1.2.156.10197.1.104.2",
        Table::<block::Cbc>::FUNCTIONS,
    ),
    Algorithm::new(
        c"SM4-CTR:1.2.156.10197.1.104.7",
        Table::<ctr::Ctr>::FUNCTIONS,
    ),
    Algorithm::new(
        c"SM4-ECB:1.2.156.10197.1.104.1",
        Table::<block::Ecb>::FUNCTIONS,
    ),
    Algorithm::END,
];

static NONE: [Algorithm; 1] = [Algorithm::END];

/// Whether there are any: see [`algorithms`].
pub(crate) fn has_ciphers() -> bool {
    Backend::best() != Backend::Portable
}

/// The ciphers this processor computes faster than Tongsuo's own code does: the portable path uses no tables indexed by
/// secrets and pays for that with speed (docs/benchmarks.md), so without vector instructions Tongsuo keeps its ciphers.
pub(super) fn algorithms() -> &'static [Algorithm] {
    if has_ciphers() { &ALGORITHMS } else { &NONE }
}

/// Bytes of an SM4 key.
const KEY: usize = 16;

/// Which way a context works.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Encrypt,
    Decrypt,
}

/// What Tongsuo asks about a cipher before it makes a context.
struct Shape {
    /// `EVP_CIPH_*_MODE`.
    mode: u32,
    /// Bytes of an IV, unless changed on a context.
    iv: usize,
    /// Bytes of a block; one for the modes that take any length.
    block: usize,
    /// Whether it authenticates, and manages its IV itself.
    aead: bool,
}

/// A mode of operation, as a context of Tongsuo uses it.
trait Mode: Clone + Parameters {
    const SHAPE: Shape;

    fn new() -> Self;

    /// Starts over with a key, an IV, both, or what is there already.
    fn start(
        &mut self,
        direction: Direction,
        key: Option<&[u8; KEY]>,
        iv: Option<&[u8]>,
    ) -> Outcome;

    /// Works on the next input and says how many bytes were put out.
    fn update(&mut self, io: Io) -> Outcome<usize>;

    /// Ends the message and says how many bytes were put out.
    fn finish(&mut self, io: Io) -> Outcome<usize>;

    /// `EVP_Cipher`: like [`Mode::update`], but without holding anything back.
    fn at_once(&mut self, io: Io) -> Outcome<usize> {
        self.update(io)
    }
}
