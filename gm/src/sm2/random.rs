//! Where randomness comes from: the caller's choice.

/// A source of uniform, unpredictable bytes.
pub trait Random {
    /// Fills all of `out`, or fails and promises nothing about its content.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The random source gave no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random source failed: {0}")]
pub struct RandomError(pub String);

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(out).map_err(|error| RandomError(error.to_string()))
    }
}

/// A function is a source too: that is how tests fix a nonce.
impl<F: FnMut(&mut [u8]) -> Result<(), RandomError>> Random for F {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        self(out)
    }
}
