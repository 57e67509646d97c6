//! `[access.*]`: the lists of who is let in, with what stands in their files at this moment.

use std::sync::Arc;

use alb_conf::{Config, Report};
use alb_core::access::{AccessList, Lists};

/// Builds every list; what is wrong with its files goes to the report.
pub fn build(config: &Config, report: &mut Report) -> Lists {
    let mut lists = Lists::new();
    for (name, written) in &config.access {
        match AccessList::build(name, written) {
            Ok(list) => drop(lists.insert(name.to_string(), Arc::new(list))),
            Err(found) => report.extend(found),
        }
    }
    lists
}
