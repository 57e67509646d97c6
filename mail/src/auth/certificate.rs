//! Which user a client certificate stands for.

use alb_conf::MailAuthCertificate;
use alb_core::{Certificate, TlsInfo};
use regex::Regex;

/// The common name (X.520).
const COMMON_NAME: &str = "2.5.4.3";

/// The rule by which certificates name users.
pub struct CertificateUser {
    part: Part,
    pattern: Regex,
    template: String,
    /// Whether every login must be by the user of the certificate.
    pub second_factor: bool,
}

/// The part of a certificate that names the user.
enum Part {
    Email,
    Serial,
    /// An attribute of the subject, by its object identifier.
    Attribute(String),
}

impl CertificateUser {
    /// The rule as written. Fails on a pattern that is no regular expression.
    pub fn new(written: &MailAuthCertificate) -> Result<Self, regex::Error> {
        let part = match written.from.as_str() {
            "email" => Part::Email,
            "serial" => Part::Serial,
            "common-name" => Part::Attribute(COMMON_NAME.to_owned()),
            oid => Part::Attribute(oid.to_owned()),
        };
        let pattern = written
            .pattern
            .as_ref()
            .map_or(".*", |pattern| pattern.as_str());
        Ok(CertificateUser {
            part,
            // As a whole: `admin` must not stand for `not-admin@evil`.
            pattern: Regex::new(&format!("^(?s:{pattern})$"))?,
            template: written.user.to_string(),
            second_factor: written.second_factor,
        })
    }

    /// The user of a connection's certificate; in TLCP, of the one that signs. `None` without a certificate that was
    /// verified, or without a user in it.
    pub fn user(&self, tls: &TlsInfo) -> Option<String> {
        let values = self.values(&tls.peer.verified()?.sign);
        values.iter().find_map(|value| self.map(value))
    }

    fn values(&self, certificate: &Certificate) -> Vec<String> {
        match &self.part {
            Part::Email => certificate.emails(),
            Part::Serial => vec![certificate.serial()],
            Part::Attribute(oid) => certificate.subject_values(oid),
        }
    }

    fn map(&self, value: &str) -> Option<String> {
        let groups = self.pattern.captures(value)?;
        let mut user = String::new();
        groups.expand(&self.template, &mut user);
        let usable = !user.is_empty() && !user.chars().any(char::is_control);
        usable.then_some(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: Option<&str>, user: &str) -> CertificateUser {
        let written = MailAuthCertificate {
            pattern: pattern.map(|pattern| pattern.to_owned().into()),
            user: user.to_owned().into(),
            ..MailAuthCertificate::default()
        };
        CertificateUser::new(&written).expect("a rule")
    }

    #[test]
    fn the_part_is_the_user_without_a_pattern() {
        assert_eq!(rule(None, "$0").map("a@b.cn").as_deref(), Some("a@b.cn"));
        assert_eq!(rule(None, "$0").map(""), None);
        assert_eq!(rule(None, "$0").map("a\nb"), None);
    }

    #[test]
    fn a_pattern_takes_the_part_as_a_whole() {
        let rule = rule(Some("([a-z]+)@gov[.]cn|x"), "${1}@mail.gov.cn");
        assert_eq!(rule.map("li@gov.cn").as_deref(), Some("li@mail.gov.cn"));
        for other in ["li@gov.cn.evil", "x-li@gov.cn", "li@gov.cn\n", "LI@gov.cn"] {
            assert_eq!(rule.map(other), None, "{other}");
        }
    }
}
