//! The limit of open files: each proxied connection takes two descriptors.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Below this many open files a gateway is soon in trouble.
const COMFORTABLE: u64 = 8192;

/// Raises the limit to `wanted`, or as far as the system allows. Returns the limit and what to complain about.
pub fn raise_open_files(wanted: Option<u64>) -> (u64, Option<String>) {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            return (
                0,
                Some(format!("cannot read the limit of open files: {error}")),
            );
        }
    };
    let target = wanted.unwrap_or(hard);
    // Raising the hard limit as well needs privileges; without them the second attempt gets what there is.
    let raised = setrlimit(Resource::RLIMIT_NOFILE, target, target.max(hard))
        .map(|()| target)
        .or_else(|_| {
            setrlimit(Resource::RLIMIT_NOFILE, target.min(hard), hard).map(|()| target.min(hard))
        })
        .unwrap_or(soft);
    let complaint = match wanted {
        Some(wanted) if raised < wanted => Some(format!(
            "`max_open_files` is {wanted}, but the system allows {raised}; \
             help: raise `LimitNOFILE=` of the unit, or `ulimit -Hn`"
        )),
        None if raised < COMFORTABLE => Some(format!(
            "only {raised} files may be open at once, enough for about {} proxied connections; \
             help: raise `LimitNOFILE=` of the unit, or `ulimit -Hn`",
            raised / 2
        )),
        _ => None,
    };
    (raised, complaint)
}
