//! `[[mail]]`: the listeners' services, with the passwords of master users.

use std::collections::HashMap;
use std::sync::Arc;

use alb_conf::{Config, Report};
use alb_core::upstream::Upstream;
use alb_mail::auth::Authenticator;
use alb_mail::secret::Secret;
use alb_mail::{Parts, Service};

use super::identities::read_password;

/// The services in the order of their listeners; `None` for one that cannot be built, which has been said.
pub fn build(
    config: &Config,
    upstreams: &HashMap<String, Arc<Upstream>>,
    report: &mut Report,
) -> Vec<Option<Arc<Service>>> {
    let masters = masters(config, report);
    let authenticators = authenticators(config, upstreams, report);
    let parts = Parts {
        upstreams,
        plans: &config.upstream,
        masters: &masters,
        authenticators: &authenticators,
    };
    let services = config.mail.iter().map(|mail| Service::build(mail, &parts));
    services.map(|service| service.map(Arc::new)).collect()
}

fn authenticators(
    config: &Config,
    upstreams: &HashMap<String, Arc<Upstream>>,
    report: &mut Report,
) -> HashMap<String, Arc<Authenticator>> {
    let mut built = HashMap::new();
    for (name, written) in &config.mail_auth {
        match Authenticator::build(written, upstreams) {
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
