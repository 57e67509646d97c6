//! The key exchange groups: one table with every name they go by.

/// A group TLS can agree keys in. TLCP has none to choose.
struct Group {
    /// The name in `groups` and in logs.
    name: &'static str,
    /// The library's name.
    library: &'static str,
}

/// Every group. curveSM2 is number 41 of RFC 8998; curveSM2MLKEM768 a draft, so never on by default.
static ALL: [Group; 8] = [
    group("X25519MLKEM768", "X25519MLKEM768"),
    group("SecP256r1MLKEM768", "SecP256r1MLKEM768"),
    group("curveSM2MLKEM768", "curveSM2MLKEM768"),
    group("X25519", "x25519"),
    group("P-256", "secp256r1"),
    group("P-384", "secp384r1"),
    group("P-521", "secp521r1"),
    group("curveSM2", "curveSM2"),
];

/// The names that can be written in `groups`.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    ALL.iter().map(|group| group.name)
}

/// Whether a group can be written so.
pub fn is_known(name: &str) -> bool {
    library_name(name).is_some()
}

/// The library's name of a group, found by either name in any case; SM2 is understood, too.
pub(super) fn library_name(name: &str) -> Option<&'static str> {
    let sm2 = name.eq_ignore_ascii_case("SM2");
    let name = if sm2 { "curveSM2" } else { name };
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    let group = ALL.iter().find(|group| is(group.name) || is(group.library));
    group.map(|group| group.library)
}

/// Our name of a group the library has agreed on.
pub(super) fn name_of(library: &str) -> &'static str {
    let group = ALL
        .iter()
        .find(|group| group.library.eq_ignore_ascii_case(library));
    group.map_or("another group", |group| group.name)
}

const fn group(name: &'static str, library: &'static str) -> Group {
    Group { name, library }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_under_each_of_its_names() {
        for (name, library) in [
            ("P-256", "secp256r1"),
            ("secp256r1", "secp256r1"),
            ("x25519", "x25519"),
            ("sm2", "curveSM2"),
            ("CurveSM2", "curveSM2"),
        ] {
            assert_eq!(library_name(name), Some(library));
        }
        assert_eq!(library_name("P-257"), None);
    }
}
