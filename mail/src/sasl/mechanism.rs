//! The mechanisms by their names, and sets of them.

/// A SASL mechanism (IANA's registry has the names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// RFC 4616: name and password in one message.
    Plain,
    /// The old form: name and password, each after a prompt.
    Login,
    /// RFC 4422 appendix A: the client certificate proves.
    External,
    /// Google's and Microsoft's bearer tokens.
    XOauth2,
    /// RFC 7628: bearer tokens.
    OauthBearer,
    /// RFC 2195: HMAC-MD5 of a challenge.
    CramMd5,
    /// RFC 5802, passed through.
    ScramSha1,
    /// RFC 7677, passed through.
    ScramSha256,
    /// Microsoft's challenge and response, passed through.
    Ntlm,
    /// RFC 4752 (Kerberos), passed through.
    Gssapi,
}

/// A set of mechanisms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms(u16);

const NAMES: [(Mechanism, &str); 10] = [
    (Mechanism::Plain, "PLAIN"),
    (Mechanism::Login, "LOGIN"),
    (Mechanism::External, "EXTERNAL"),
    (Mechanism::XOauth2, "XOAUTH2"),
    (Mechanism::OauthBearer, "OAUTHBEARER"),
    (Mechanism::CramMd5, "CRAM-MD5"),
    (Mechanism::ScramSha1, "SCRAM-SHA-1"),
    (Mechanism::ScramSha256, "SCRAM-SHA-256"),
    (Mechanism::Ntlm, "NTLM"),
    (Mechanism::Gssapi, "GSSAPI"),
];

impl Mechanism {
    /// The mechanism of this name, in any case; `None` for one that is not known here. Those bound to a channel
    /// (`-PLUS`) are unknown on purpose: the channel ends at the gateway.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let found = NAMES
            .iter()
            .find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name));
        found.map(|(mechanism, _)| *mechanism)
    }

    /// Its registered name.
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(mechanism, _)| *mechanism == self);
        found.map_or("", |(_, name)| name)
    }

    /// Whether a listener on the wire shows the password or token: then it needs TLS or TLCP around it.
    pub fn is_clear(self) -> bool {
        matches!(
            self,
            Mechanism::Plain | Mechanism::Login | Mechanism::XOauth2 | Mechanism::OauthBearer
        )
    }

    /// Whether only the server understands it: the gateway reads who it is and carries the rest.
    pub fn is_for_server(self) -> bool {
        match self {
            Mechanism::ScramSha1 | Mechanism::ScramSha256 | Mechanism::Ntlm | Mechanism::Gssapi => {
                true
            }
            Mechanism::XOauth2 | Mechanism::OauthBearer => true,
            Mechanism::Plain | Mechanism::Login | Mechanism::External | Mechanism::CramMd5 => false,
        }
    }
}

impl Mechanisms {
    /// Whether the mechanism is in the set.
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & (1 << mechanism as u16) != 0
    }

    /// The members, in the order in which they are offered.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        let all = NAMES.iter().map(|(mechanism, _)| *mechanism);
        all.filter(move |mechanism| self.contains(*mechanism))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Mechanism> for Mechanisms {
    fn from_iter<T: IntoIterator<Item = Mechanism>>(iter: T) -> Self {
        let bits = iter.into_iter().map(|mechanism| 1 << mechanism as u16);
        Mechanisms(bits.fold(0, |set, bit: u16| set | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_found_by_its_name_in_any_case() {
        for (mechanism, name) in NAMES {
            assert_eq!(Mechanism::from_name(name.as_bytes()), Some(mechanism));
            let lower = name.to_ascii_lowercase();
            assert_eq!(Mechanism::from_name(lower.as_bytes()), Some(mechanism));
            assert_eq!(mechanism.name(), name);
        }
        for unknown in [&b""[..], b"PLAIN ", b"SCRAM-SHA-256-PLUS", b"ANONYMOUS"] {
            assert_eq!(Mechanism::from_name(unknown), None);
        }
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let set: Mechanisms = [Mechanism::Login, Mechanism::Plain].into_iter().collect();
        assert!(set.contains(Mechanism::Plain) && !set.contains(Mechanism::Ntlm));
        let members: Vec<_> = set.iter().collect();
        assert_eq!(members, [Mechanism::Plain, Mechanism::Login]);
        assert!(!set.is_empty() && Mechanisms::default().is_empty());
    }
}
