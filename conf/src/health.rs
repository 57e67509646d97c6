//! `health` of an upstream: active checks of its peers.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::range::{within, within_time_if};
use crate::{Spanned, Time};

/// Active checks of the peers, beside the failures seen in passing (`max_fails`): a peer that fails either is not used.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// What is tried.
    pub kind: Spanned<HealthKind>,
    /// For `http` and `https`: the path asked for, with its query.
    pub path: Spanned<String>,
    /// For `http`, `https` and `grpc`: the host named; without it, that of `tls.server_name` or the peer's address.
    pub host: Option<Spanned<String>>,
    /// For `grpc`: the service asked about; empty is the server as a whole.
    pub service: Spanned<String>,
    /// For `tcp`, `tls` and `tlcp`: what is sent first.
    pub send: Option<Spanned<String>>,
    /// What a good answer is. For `http` and `https` statuses, `"204"` or `"200-399"` (the default); for `tcp`, `tls` and `tlcp` texts, one of which the answer must contain (none: connecting is enough).
    pub expect: Vec<Spanned<Expect>>,
    /// Port that is checked; that of the peer without it.
    #[serde(deserialize_with = "within::<1, 65_535, _, _>")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// For `smtp`, `imap` and `pop3`: the check also logs in and uses what it finds, by an account of its own.
    pub deep: Option<Spanned<Deep>>,
    /// Time between two checks of a peer, `100ms` to `24h`; each wait is up to a tenth shorter or longer. Without it 5 s, for mail 10 s.
    #[serde(deserialize_with = "within_time_if::<100, 86_400, _>")]
    pub interval: Option<Time>,
    /// Time for one check, connecting included, `10ms` to `1h`. Without it 1 s, for mail 5 s.
    #[serde(deserialize_with = "within_time_if::<10, 3600, _>")]
    pub timeout: Option<Time>,
    /// Good answers in a row that bring a peer back; 1 to 1000.
    #[serde(deserialize_with = "within::<1, 1000, _, _>")]
    #[schemars(range(min = 1, max = 1000))]
    pub rise: u32,
    /// Failed checks in a row that take a peer out; 1 to 1000.
    #[serde(deserialize_with = "within::<1, 1000, _, _>")]
    #[schemars(range(min = 1, max = 1000))]
    pub fall: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            kind: HealthKind::Tcp.into(),
            path: "/".to_owned().into(),
            host: None,
            service: String::new().into(),
            send: None,
            expect: Vec::new(),
            port: None,
            deep: None,
            interval: None,
            timeout: None,
            rise: 2,
            fall: 3,
        }
    }
}

impl Health {
    /// Time between two checks of a peer: mail servers log every one.
    pub fn interval(&self) -> Time {
        let usual = Time::seconds(if self.kind.is_mail() { 10 } else { 5 });
        self.interval.unwrap_or(usual)
    }

    /// Time for one check: mail servers look at who comes before they greet.
    pub fn timeout(&self) -> Time {
        let usual = Time::seconds(if self.kind.is_mail() { 5 } else { 1 });
        self.timeout.unwrap_or(usual)
    }
}

/// How far a check of a mail server goes: IMAP asks for the state of the inbox, POP3 for its size, SMTP names a sender and a recipient. No message is sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Deep {
    /// The account; for `smtp` without it nobody logs in.
    pub user: Option<Spanned<String>>,
    /// File with its password, in the first line.
    pub password_file: Option<Spanned<PathBuf>>,
    /// For `smtp`: the sender that is named; the empty one without it.
    pub sender: Option<Spanned<String>>,
    /// For `smtp`: the recipient the server must take.
    pub recipient: Option<Spanned<String>>,
}

/// What a check tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthKind {
    /// A connection, without the upstream's `tls`.
    #[default]
    Tcp,
    /// A TLS handshake with the settings of the upstream's `tls`.
    Tls,
    /// A TLCP handshake with the settings of the upstream's `tls`.
    Tlcp,
    /// A GET request, through the upstream's `tls` (TLS or TLCP) where it has one.
    Http,
    /// A GET request through the upstream's `tls`.
    Https,
    /// The method Check of grpc.health.v1 must answer SERVING.
    Grpc,
    /// Greeting and EHLO of a mail server, and STARTTLS where `mail.starttls` is set; with `deep` login, MAIL, RCPT and RSET.
    Smtp,
    /// Greeting and capabilities of a mailbox server, and STARTTLS where `mail.starttls` is set; with `deep` login and STATUS INBOX.
    Imap,
    /// Greeting and CAPA of a mailbox server, and STLS where `mail.starttls` is set; with `deep` login and STAT.
    Pop3,
}

impl HealthKind {
    /// Whether it speaks a protocol of mail.
    pub fn is_mail(self) -> bool {
        matches!(self, Self::Smtp | Self::Imap | Self::Pop3)
    }

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Tlcp => "tlcp",
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
        }
    }
}

/// One good answer: a status, a range of statuses, or a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Expect(String);

impl Expect {
    /// The statuses it means, if it can mean statuses.
    pub fn statuses(&self) -> Option<RangeInclusive<u16>> {
        let status = |text: &str| {
            let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| digits)
        };
        let (first, last) = self.0.split_once('-').unwrap_or((&self.0, &self.0));
        let (first, last) = (status(first)?, status(last)?);
        (100 <= first && first <= last && last <= 599).then_some(first..=last)
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.len() {
            0 => Err(D::Error::custom("an empty text is in every answer")),
            1..=1024 => Ok(Self(text)),
            _ => Err(D::Error::custom("longer than 1024 bytes")),
        }
    }
}

impl From<&str> for Expect {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for Expect {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 1024 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_three_digits_or_a_range_of_them() {
        let of = |text: &str| Expect::from(text).statuses();
        assert_eq!(
            (of("204"), of("200-399")),
            (Some(204..=204), Some(200..=399))
        );
        for wrong in ["20", "2000", "399-200", "600", "099", "+20", "200-", "ok"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
