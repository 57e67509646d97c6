//! `[[mail]]`: the listeners' services, with their limits and the passwords of master users.

use std::collections::HashMap;
use std::sync::Arc;

use alb_conf::{Config, KeySource, Limit, Mail, MailProtocol, Report};
use alb_core::limit::{self, LimitSet};
use alb_mail::auth::Authenticator;
use alb_mail::content::Policy;
use alb_mail::secret::Secret;
use alb_mail::{Learned, Limits, Parts, Service};

use super::identities::read_password;
use super::{Named, Snapshot};

/// A listener's service with the limits that are asked before it. `None` for one that cannot be built, which has been said.
pub type Built = (LimitSet, Option<Arc<Service>>);

/// The services in the order of their listeners.
pub fn build(
    config: &Config,
    named: &Named<'_>,
    limits: &mut limit::Builder<'_>,
    report: &mut Report,
) -> Vec<Built> {
    let masters = masters(config, report);
    let authenticators = authenticators(config, named, report);
    let policies = policies(config);
    let parts = Parts {
        upstreams: named.upstreams,
        lockout: named.lockout,
        drain_timeout: *config.daemon.drain_timeout,
        plans: &config.upstream,
        masters: &masters,
        authenticators: &authenticators,
        learned: named.learned,
        policies: &policies,
    };
    let services = config.mail.iter().map(|mail| {
        let (at_accept, limits) = limits_of(mail, limits);
        let service = Service::build(mail, limits, &parts);
        (at_accept, service.map(Arc::new))
    });
    services.collect()
}

/// What active checks learn of mail servers, with what they know already where they ask the same.
pub fn learned(config: &Config, previous: Option<&Snapshot>) -> HashMap<String, Arc<Learned>> {
    let mut all = HashMap::new();
    for (name, upstream) in &config.upstream {
        let Some(fresh) = Learned::by_checks(upstream) else {
            continue;
        };
        let before = previous.and_then(|previous| previous.learned.get(name.as_str()));
        let before = before.filter(|before| before.probed() == fresh.probed());
        all.insert(
            name.to_string(),
            before.cloned().unwrap_or_else(|| Arc::new(fresh)),
        );
    }
    all
}

/// The limits that are asked at accept, and those that are asked when the user is known.
fn limits_of(mail: &Mail, limits: &mut limit::Builder<'_>) -> (LimitSet, Limits) {
    let sessions = match &mail.limits {
        Some(names) => limits.sessions(names),
        None => limits.default_sessions("sessions of a user", &Limit::of_sessions()),
    };
    let (of_users, others) = sessions.split(&KeySource::User);
    let (of_certificates, at_accept) = others.split(&KeySource::Certificate);
    let mut later = Limits {
        sessions: of_users.and(&of_certificates),
        ..Limits::default()
    };
    if mail.protocol.as_deref() == Some(&MailProtocol::Smtp) {
        later.messages = match &mail.smtp.message_limits {
            Some(names) => limits.requests(names),
            None => limits.default_requests("messages of a user", &Limit::of_messages()),
        };
        later.recipients = match &mail.smtp.recipient_limits {
            Some(names) => limits.requests(names),
            None => limits.default_requests("recipients of a user", &Limit::of_recipients()),
        };
    }
    (at_accept, later)
}

/// One for all listeners that name it: they share its bounds.
fn policies(config: &Config) -> HashMap<String, Arc<Policy>> {
    let built = config.mail_policy.iter().map(|(name, written)| {
        let policy = Policy::build(name, written);
        (name.to_string(), Arc::new(policy))
    });
    built.collect()
}

fn authenticators(
    config: &Config,
    named: &Named<'_>,
    report: &mut Report,
) -> HashMap<String, Arc<Authenticator>> {
    let mut built = HashMap::new();
    for (name, written) in &config.mail_auth {
        match Authenticator::build(written, named.upstreams) {
            Ok(authenticator) => {
                built.insert(name.to_string(), Arc::new(authenticator));
            }
            Err(problems) => report.extend(problems),
        }
    }
    built
}

fn masters(config: &Config, report: &mut Report) -> HashMap<String, Secret> {
    let mut masters = HashMap::new();
    for (name, upstream) in &config.upstream {
        let Some(master) = &upstream.mail.master else {
            continue;
        };
        if let Some(password) = read_password(&master.password_file, report) {
            masters.insert(name.to_string(), Secret::copy_of(&password));
        }
    }
    masters
}
