//! Which code computes each algorithm in this process.

use crate::{accelerated, library_version, provider, sm2, sm3, sm4};

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
    let ciphers = provider::has_ciphers();
    let own = [
        ("SM2", sm2::implementation(), true),
        ("SM3", sm3::implementation(), provider::has_digest()),
        ("SM4", sm4::Backend::best().name(), ciphers),
        ("GHASH", crate::ghash::Backend::best().name(), ciphers),
    ];
    own.map(|(algorithm, own, installed)| Implementation {
        algorithm,
        code: if accelerated() && installed {
            format!("alb, {own}")
        } else {
            library_version().to_owned()
        },
    })
    .into()
}
