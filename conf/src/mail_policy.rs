//! `[mail_policy.NAME]`: what messages may hold.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{within, within_size, within_time};
use crate::{Map, Size, Spanned, Time};

/// What messages may hold, and what becomes of those that hold something else.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailPolicy {
    /// What is done with a message whose attachments, or whose author, are not allowed.
    pub action: Spanned<MailAction>,
    /// Name of the upstream that messages held back are delivered to, with the envelope they came with.
    pub quarantine: Option<Spanned<String>>,
    /// Endings of names that attachments must not have, `"exe"`. What the content is counts, too.
    pub deny_extensions: Vec<Spanned<String>>,
    /// Types that attachments must not have, `"application/x-msdownload"`, or with all of a kind `"video/*"`.
    pub deny_types: Vec<Spanned<String>>,
    /// Largest attachment, decoded; no limit without it.
    pub max_attachment: Option<Size>,
    /// Most attachments of a message, 0 to 1000; no limit without it.
    #[serde(deserialize_with = "within::<0, 1000, _, _>")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_attachments: Option<u32>,
    /// Attachments whose content is not what name or type say, as far as the content can be told.
    pub mismatched: Spanned<MailVerdict>,
    /// Messages that nobody but their readers can look into: PGP, S/MIME, and SM2 envelopes (GB/T 35275).
    pub encrypted: Spanned<MailVerdict>,
    /// Messages without an author or a date, or with several (RFC 5322 § 3.6).
    pub bad_headers: Spanned<MailVerdict>,
    /// The author must be the user who has logged in; anybody without it.
    pub from: Option<Spanned<MailFrom>>,
    /// What becomes of a message that could not be looked at.
    pub on_error: MailOnError,
    /// Longest time to look at a message.
    #[serde(deserialize_with = "within_time::<1, 120, _>")]
    pub scan_time: Time,
    /// Whether a `Received` field tells who has brought the message, and how.
    pub received: bool,
    /// Whether that field leaves out where the client is.
    pub hide_client_ip: Spanned<bool>,
    /// Mails about messages that did not pass.
    pub alert: Option<Spanned<MailAlert>>,
    /// How much of a message is kept in memory while it comes, `4KiB` to `16MiB`; the rest goes to a file without a name.
    #[serde(deserialize_with = "within_size::<4_096, 16_777_216, _>")]
    pub in_memory: Size,
    /// Memory that all messages under way may take together, `1MiB` to `1TiB`.
    #[serde(deserialize_with = "within_size::<1_048_576, 1_099_511_627_776, _>")]
    pub memory: Size,
    /// Disk space that all messages under way may take together, `1MiB` to `1PiB`.
    #[serde(deserialize_with = "within_size::<1_048_576, 1_125_899_906_842_624, _>")]
    pub disk: Size,
    /// Directory of those files.
    pub directory: Spanned<PathBuf>,
}

impl Default for MailPolicy {
    fn default() -> Self {
        Self {
            action: MailAction::Deny.into(),
            quarantine: None,
            deny_extensions: Vec::new(),
            deny_types: Vec::new(),
            max_attachment: None,
            max_attachments: None,
            mismatched: MailVerdict::Allow.into(),
            encrypted: MailVerdict::Allow.into(),
            bad_headers: MailVerdict::Allow.into(),
            from: None,
            on_error: MailOnError::Tempfail,
            scan_time: Time::seconds(30),
            received: true,
            hide_client_ip: false.into(),
            alert: None,
            in_memory: Size::kib(256),
            memory: Size::mib(256),
            disk: Size::mib(8 << 10),
            directory: PathBuf::from("/var/tmp").into(),
        }
    }
}

impl MailPolicy {
    /// The upstreams it sends something to.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Spanned<String>> {
        let alert = self
            .alert
            .iter()
            .filter_map(|alert| alert.upstream.as_ref());
        self.quarantine.iter().chain(alert)
    }

    /// The settings that hold messages back.
    pub(crate) fn holds_back(&self) -> Option<crate::Span> {
        let verdicts = [&self.mismatched, &self.encrypted, &self.bad_headers];
        let verdict = verdicts
            .into_iter()
            .find(|verdict| ***verdict == MailVerdict::Quarantine);
        let action = Some(&self.action).filter(|action| ***action == MailAction::Quarantine);
        action
            .map(Spanned::span)
            .or_else(|| verdict.map(Spanned::span))
    }
}

/// What is done with a message that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailAction {
    /// It is refused, and the sender told why.
    Deny,
    /// It goes to the `quarantine`, and the sender is told that it is held.
    Quarantine,
}

/// What is done with a message that is of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailVerdict {
    /// It passes.
    Allow,
    /// It is refused, and the sender told why.
    Deny,
    /// It goes to the `quarantine`, and the sender is told that it is held.
    Quarantine,
}

/// What becomes of a message that could not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailOnError {
    /// The sender is told to try again later.
    Tempfail,
    /// It passes.
    Pass,
}

/// Who may be the author of a user's messages.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailFrom {
    /// The domain of users who log in without one.
    pub domain: Option<Spanned<String>>,
    /// Further addresses of users, `"zhang@gov.example" = ["office@gov.example", "*@lists.gov.example"]`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub aliases: Map<Vec<Spanned<String>>>,
}

/// Mails about messages that did not pass.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["to", "from", "upstream"]))]
pub struct MailAlert {
    /// Addresses that are told.
    #[schemars(length(min = 1))]
    pub to: Vec<Spanned<String>>,
    /// Address of the sender.
    #[schemars(with = "String")]
    pub from: Option<Spanned<String>>,
    /// Name of the upstream that takes the mails, from the gateway and without a login.
    #[schemars(with = "String")]
    pub upstream: Option<Spanned<String>>,
    /// Shortest time between two mails: the first message is told of at once, those that follow together.
    #[serde(deserialize_with = "within_time::<1_000, 86_400, _>")]
    pub interval: Time,
}

impl Default for MailAlert {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            from: None,
            upstream: None,
            interval: Time::seconds(600),
        }
    }
}
