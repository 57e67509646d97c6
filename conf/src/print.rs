//! The effective configuration: what was written, with every default.

use crate::Config;

/// The configuration as TOML that reads back as the same configuration.
pub fn print(config: &Config) -> String {
    // Every type of the language has a TOML form; a test prints each of them.
    toml::to_string_pretty(config).unwrap_or_default()
}
