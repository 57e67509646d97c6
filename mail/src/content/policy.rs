//! A `[mail_policy]` as it is run: built once from the configuration, shared by all workers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alb_conf::{MailAction, MailFrom, MailOnError, MailPolicy, MailVerdict};
use tokio::time::timeout;

use super::alert::Alerts;
use super::judge::{Finding, Verdict, judge};
use super::prescan::Outline;
use super::store::Store;
use crate::auth::blocking::Blocking;

/// A policy.
#[derive(Debug)]
pub struct Policy {
    /// Its name in the configuration.
    pub name: String,
    /// Name of the upstream that messages are held at.
    pub quarantine: Option<String>,
    /// Whether a `Received` field is added.
    pub received: bool,
    /// Whether that leaves out where the client is.
    pub hide_client_ip: bool,
    /// Where messages are kept.
    pub store: Arc<Store>,
    /// Mails about what did not pass.
    pub alerts: Option<Arc<Alerts>>,
    rules: Arc<Rules>,
    on_error: MailOnError,
    scan_time: Duration,
    judging: Blocking,
    judged: AtomicU64,
}

/// What is compared with messages.
#[derive(Debug)]
pub struct Rules {
    /// Largest attachment in bytes.
    pub max_attachment: Option<u64>,
    /// Most attachments.
    pub max_attachments: Option<u32>,
    /// Who may be whose author.
    pub from: Option<Authors>,
    extensions: HashSet<String>,
    types: HashSet<String>,
    action: MailAction,
    mismatched: MailVerdict,
    encrypted: MailVerdict,
    bad_headers: MailVerdict,
}

/// Who may be the author of a user's messages.
#[derive(Debug)]
pub struct Authors {
    domain: Option<String>,
    aliases: HashMap<String, Vec<String>>,
}

impl Policy {
    /// Builds a policy.
    pub fn build(name: &str, written: &MailPolicy) -> Self {
        let alerts = written.alert.as_ref();
        Policy {
            name: name.to_owned(),
            quarantine: written.quarantine.as_ref().map(|name| name.to_string()),
            received: written.received,
            hide_client_ip: *written.hide_client_ip,
            store: Arc::new(Store::build(written)),
            alerts: alerts.map(|alert| Arc::new(Alerts::new(name, alert))),
            rules: Arc::new(Rules::read(written)),
            on_error: written.on_error,
            scan_time: *written.scan_time,
            judging: Blocking::new(),
            judged: AtomicU64::new(0),
        }
    }

    /// A name for the next message of a session, for logs and replies.
    pub fn next_id(&self, session: u64) -> String {
        format!(
            "{session:x}-{:x}",
            self.judged.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Judges a message; `None` if that failed or took too long, and the sender is to try again.
    pub async fn judge(&self, outline: Outline, author: &str) -> Option<Verdict> {
        let (rules, author) = (Arc::clone(&self.rules), author.to_owned());
        let work = self.judging.run(move || judge(&outline, &rules, &author));
        match (timeout(self.scan_time, work).await, self.on_error) {
            (Ok(Some(verdict)), _) => Some(verdict),
            (_, MailOnError::Pass) => Some(Verdict::Pass),
            (_, MailOnError::Tempfail) => None,
        }
    }
}

impl Rules {
    /// Reads the rules of a policy.
    pub fn read(written: &MailPolicy) -> Self {
        let lower = |list: &[alb_conf::Spanned<String>]| -> HashSet<String> {
            list.iter().map(|word| word.to_lowercase()).collect()
        };
        Rules {
            max_attachment: written.max_attachment.map(|size| *size),
            max_attachments: written.max_attachments,
            from: written.from.as_deref().map(Authors::read),
            extensions: lower(&written.deny_extensions),
            types: lower(&written.deny_types),
            action: *written.action,
            mismatched: *written.mismatched,
            encrypted: *written.encrypted,
            bad_headers: *written.bad_headers,
        }
    }

    /// Whether attachments of this ending, in lower case, are denied.
    pub fn denies_extension(&self, extension: &str) -> bool {
        self.extensions.contains(extension)
    }

    /// Whether attachments of this type, in lower case, are denied.
    pub fn denies_type(&self, kind: &str) -> bool {
        let all = kind.split('/').next().map(|first| format!("{first}/*"));
        self.types.contains(kind) || all.is_some_and(|all| self.types.contains(&all))
    }

    /// What becomes of a message that breaks a rule.
    pub fn broken(&self, why: String) -> Verdict {
        match self.action {
            MailAction::Deny => Verdict::Deny(Finding(why)),
            MailAction::Quarantine => Verdict::Quarantine(Finding(why)),
        }
    }

    /// What becomes of one whose attachments are not what they are called.
    pub fn mismatched(&self, why: &str) -> Verdict {
        verdict(self.mismatched, why)
    }

    /// What becomes of one that is encrypted.
    pub fn encrypted(&self, why: &str) -> Verdict {
        verdict(self.encrypted, why)
    }

    /// What becomes of one without an author or a date.
    pub fn bad_headers(&self, why: &str) -> Verdict {
        verdict(self.bad_headers, why)
    }
}

impl Authors {
    fn read(written: &MailFrom) -> Self {
        let aliases = written.aliases.iter().map(|(user, list)| {
            let list = list.iter().map(|address| address.to_lowercase());
            (user.to_lowercase(), list.collect())
        });
        Authors {
            domain: written.domain.as_ref().map(|domain| domain.to_lowercase()),
            aliases: aliases.collect(),
        }
    }

    /// Whether a user may write as this address.
    pub fn allows(&self, user: &str, address: &str) -> bool {
        let (user, address) = (user.to_lowercase(), address.to_lowercase());
        let full = match (&self.domain, user.contains('@')) {
            (Some(domain), false) => format!("{user}@{domain}"),
            _ => user.clone(),
        };
        let alias = |pattern: &String| match pattern.strip_prefix('*') {
            Some(ending) => address.len() > ending.len() && address.ends_with(ending),
            None => *pattern == address,
        };
        let listed = [&user, &full]
            .into_iter()
            .filter_map(|name| self.aliases.get(name));
        (!full.is_empty() && full == address) || listed.flatten().any(alias)
    }
}

fn verdict(written: MailVerdict, why: &str) -> Verdict {
    match written {
        MailVerdict::Allow => Verdict::Pass,
        MailVerdict::Deny => Verdict::Deny(Finding(why.to_owned())),
        MailVerdict::Quarantine => Verdict::Quarantine(Finding(why.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_users_and_their_aliases() {
        let written: MailFrom = MailFrom {
            domain: Some("gov.example".to_owned().into()),
            aliases: [(
                "zhang@gov.example".to_owned().into(),
                vec![
                    "office@gov.example".to_owned().into(),
                    "*@lists.example".to_owned().into(),
                ],
            )]
            .into(),
        };
        let authors = Authors::read(&written);
        for (user, address, allowed) in [
            ("zhang", "Zhang@gov.example", true),
            ("zhang", "office@gov.example", true),
            ("zhang", "a@lists.example", true),
            ("zhang", "@lists.example", false),
            ("zhang", "zhang@other.example", false),
            ("li@other.example", "li@other.example", true),
            ("li", "office@gov.example", false),
            ("", "", false),
        ] {
            assert_eq!(authors.allows(user, address), allowed, "{user} {address}");
        }
    }
}
