//! Host patterns of sites.

/// What is wrong with a pattern and what to write instead; `None` for a good one.
pub(super) fn complaint(pattern: &str) -> Option<(&'static str, String)> {
    if pattern == "*" {
        return Some(("every host needs no pattern", "leave `hosts` out".into()));
    }
    if is_address(pattern) {
        return None;
    }
    if !pattern.is_ascii() {
        return Some((
            "not in the form that clients send",
            "write the name in Punycode, `xn--…`".into(),
        ));
    }
    if let Some((host, _)) = pattern.split_once(':') {
        return Some((
            "hosts have no port",
            format!("write `{host}`; the listener has the port"),
        ));
    }
    if let Some(rest) = pattern.strip_prefix('.') {
        return Some((
            "not a pattern",
            format!("write `*.{rest}`, and `{rest}` if it is meant too"),
        ));
    }
    let labels = pattern
        .strip_prefix("*.")
        .or(pattern.strip_suffix(".*"))
        .unwrap_or(pattern);
    if labels.contains('*') {
        let help = "`*` stands for whole labels at the beginning or at the end: `*.example.cn`, `www.example.*`";
        return Some(("a `*` in the wrong place", help.into()));
    }
    let good = labels.len() <= 253 && labels.split('.').all(is_label);
    (!good).then(|| {
        (
            "not a host name",
            "letters, digits and `-`, in labels parted by single dots".into(),
        )
    })
}

/// An IP address, as it stands in a `Host` header (IPv6 in brackets).
fn is_address(pattern: &str) -> bool {
    let bare = pattern
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => pattern.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

/// RFC 1123 § 2.1, and the underscore, which names inside of companies have.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn hosts_wildcards_and_addresses_are_patterns() {
        for good in [
            "example.cn",
            "*.example.cn",
            "www.example.*",
            "localhost",
            "10.0.0.1",
            "[::1]",
            "xn--fiqs8s.cn",
            "a_b.cn",
        ] {
            assert_eq!(complaint(good), None, "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "a".repeat(64);
        for bad in [
            "",
            "*",
            ".example.cn",
            "a*.cn",
            "*.*.cn",
            "*.example.*",
            "a..b",
            "a.cn.",
            "a.cn:443",
            "中国.cn",
            "-a.cn",
            "a b",
            "[::1",
            "::1",
            &long,
        ] {
            assert!(complaint(bad).is_some(), "{bad}");
        }
    }
}
