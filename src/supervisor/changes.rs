//! What a reload changed, in words, and what it cannot change.

use std::collections::BTreeSet;
use std::fmt::Debug;

use alb_conf::{Config, Map, Spanned};

/// Every difference between two configurations, one line each.
pub fn between(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    let listeners = |config: &Config| -> Vec<_> {
        let named = config.http.iter().map(|http| (http.name(), http.clone()));
        named.collect()
    };
    compare("listener", listeners(old), listeners(new), &mut changes);
    let streams = |config: &Config| -> Vec<_> {
        let named = config.stream.iter();
        named
            .map(|stream| (stream.name(), stream.clone()))
            .collect()
    };
    compare("listener", streams(old), streams(new), &mut changes);
    let sites = |config: &Config| -> Vec<_> {
        let named = config.site.iter().enumerate();
        named
            .map(|(number, site)| (site_name(number, &site.hosts), site.clone()))
            .collect()
    };
    compare("site", sites(old), sites(new), &mut changes);
    compare(
        "upstream",
        named(&old.upstream),
        named(&new.upstream),
        &mut changes,
    );
    compare(
        "identity",
        named(&old.identity),
        named(&new.identity),
        &mut changes,
    );
    if old.log != new.log {
        changes.push("log changed".to_owned());
    }
    changes
}

/// Settings that differ but take a restart, by name.
pub fn needing_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (was, is) = (&old.daemon, &new.daemon);
    let settings = [
        ("daemon.workers", was.workers != is.workers),
        ("daemon.user", was.user != is.user),
        ("daemon.pid_file", was.pid_file != is.pid_file),
        ("daemon.acceleration", was.acceleration != is.acceleration),
        (
            "daemon.max_open_files",
            was.max_open_files != is.max_open_files,
        ),
        ("daemon.resolvers", was.resolvers != is.resolvers),
        ("log.file", old.log.file != new.log.file),
        ("log.format", old.log.format != new.log.format),
    ];
    let differing = settings.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(name, _)| name).collect()
}

fn compare<T: PartialEq>(
    what: &str,
    old: Vec<(String, T)>,
    new: Vec<(String, T)>,
    changes: &mut Vec<String>,
) {
    for (name, value) in &new {
        match old.iter().find(|(other, _)| other == name) {
            None => changes.push(format!("{what} `{name}` added")),
            Some((_, before)) if before != value => {
                changes.push(format!("{what} `{name}` changed"))
            }
            Some(_) => {}
        }
    }
    let kept: BTreeSet<&String> = new.iter().map(|(name, _)| name).collect();
    let gone = old.iter().filter(|(name, _)| !kept.contains(name));
    changes.extend(gone.map(|(name, _)| format!("{what} `{name}` removed")));
}

fn named<T: Clone + Debug>(map: &Map<T>) -> Vec<(String, T)> {
    let pairs = map.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect()
}

fn site_name(number: usize, hosts: &[Spanned<String>]) -> String {
    match hosts.first() {
        Some(host) => host.to_string(),
        None => format!("#{}", number + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        alb_conf::check_str(text).expect("a good configuration")
    }

    const BEFORE: &str = "
        [[http]]
        name = 'web'
        listen = ['127.0.0.1:8080']
        [[site]]
        route = [{ path = '/', proxy = 'app' }]
        [upstream.app]
        peers = ['127.0.0.1:9000']
    ";

    #[test]
    fn nothing_changed_says_nothing() {
        assert!(between(&config(BEFORE), &config(BEFORE)).is_empty());
    }

    #[test]
    fn names_what_was_added_changed_and_removed() {
        let after = BEFORE.replace("'web'", "'front'").replace(":9000", ":9001");
        assert_eq!(
            between(&config(BEFORE), &config(&after)),
            [
                "listener `front` added",
                "listener `web` removed",
                "upstream `app` changed"
            ]
        );
    }

    #[test]
    fn tells_what_takes_a_restart() {
        let after = format!("[daemon]\nworkers = 3\n{BEFORE}");
        let restart = needing_restart(&config(BEFORE), &config(&after));
        assert_eq!(restart, ["daemon.workers"]);
    }
}
