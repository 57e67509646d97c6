//! Which code computes each algorithm in this process.

use crate::{accelerated, library_version, sm2, sm3, sm4};

/// One algorithm and the code that computes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Implementation {
    /// The algorithm, by its usual name.
    pub algorithm: &'static str,
    /// The code, as a person would name it.
    pub code: String,
}

/// All algorithms whose code depends on the processor and on [`crate::init()`]. Call that first.
pub fn implementations() -> Vec<Implementation> {
    let ghash = crate::ghash::Backend::best().name();
    [
        ("SM2", sm2::implementation()),
        ("SM3", sm3::implementation()),
        ("SM4", sm4::Backend::best().name()),
        ("GHASH", ghash),
    ]
    .map(|(algorithm, own)| Implementation {
        algorithm,
        code: if accelerated() {
            format!("alb, {own}")
        } else {
            library_version().to_owned()
        },
    })
    .into()
}
