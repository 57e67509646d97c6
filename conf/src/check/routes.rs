//! Routes: one matcher, one action, and each path of a site once.

use super::{Findings, Seen, headers, links};
use crate::suggest::suggest;
use crate::{Config, Diagnostic, Files, Return, Route, Site, Spanned};

pub(super) fn check(config: &Config, site: &Site, findings: &mut Findings<'_>) {
    let mut seen = Seen::default();
    for route in &site.route {
        check_matcher(route, findings);
        check_duplicate(route, &mut seen, findings);
        check_action(config, route, findings);
        links::check(site, route, findings);
        findings.refer_access(route.access.as_ref(), config);
        headers::check(route, findings);
    }
}

fn check_matcher(route: &Spanned<Route>, findings: &mut Findings<'_>) {
    let matchers: Vec<_> = [&route.path, &route.exact, &route.regex]
        .into_iter()
        .flatten()
        .collect();
    if let [first, second, ..] = matchers[..] {
        let several = Diagnostic::error(second.span(), "a route with several matchers");
        findings.push(
            several
                .related(first.span(), "the first")
                .help("keep one of `path`, `exact` and `regex`; make a route of each"),
        );
    }
    for path in [&route.path, &route.exact].into_iter().flatten() {
        check_path(path, findings);
    }
    if let Some(regex) = &route.regex {
        check_regex(regex, findings);
    }
}

fn check_path(path: &Spanned<String>, findings: &mut Findings<'_>) {
    if !path.starts_with('/') {
        let relative = Diagnostic::error(
            path.span(),
            format!("the path `{path}` does not begin with `/`"),
        );
        return findings.push(relative.help(format!("write `\"/{path}\"`")));
    }
    if let Some(reason) = never_matches(path) {
        let dead = Diagnostic::error(path.span(), format!("the path `{path}` can never match"));
        findings.push(dead.label(reason));
    }
}

/// Why no request has this path; requests are matched after their path has been decoded and normalised.
fn never_matches(path: &str) -> Option<&'static str> {
    let encoded = |(at, _): (usize, &str)| {
        path.as_bytes()
            .get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if path.contains(['?', '#']) {
        Some("paths end before `?` and `#`")
    } else if path.contains("//") || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        Some("paths are matched without `//`, `/./` and `/../`")
    } else if path.match_indices('%').any(encoded) {
        Some("paths are matched decoded: write the character itself")
    } else {
        path.contains(char::is_control)
            .then_some("it has a control character")
    }
}

/// Programs larger than this cost too much on every request.
const REGEX_SIZE: usize = 1 << 20;

pub(super) fn check_regex(regex: &Spanned<String>, findings: &mut Findings<'_>) {
    let Err(error) = regex::bytes::RegexBuilder::new(regex)
        .size_limit(REGEX_SIZE)
        .build()
    else {
        return;
    };
    let reason = match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // The last line of a syntax error is the reason; those before draw the expression.
        other => other
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    };
    findings.push(
        Diagnostic::error(regex.span(), format!("bad regular expression `{regex}`")).label(reason),
    );
}

/// What a route matches. Without a matcher it is the prefix `/`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Matcher<'r> {
    Path(&'r str),
    Exact(&'r str),
    Regex(&'r str),
}

fn check_duplicate<'r>(
    route: &'r Spanned<Route>,
    seen: &mut Seen<Matcher<'r>>,
    findings: &mut Findings<'_>,
) {
    let (matcher, span, text) = match (&route.path, &route.exact, &route.regex) {
        (Some(path), ..) => (Matcher::Path(path), path.span(), path.as_str()),
        (_, Some(exact), _) => (Matcher::Exact(exact), exact.span(), exact.as_str()),
        (.., Some(regex)) => (Matcher::Regex(regex), regex.span(), regex.as_str()),
        _ => (Matcher::Path("/"), route.span(), "/"),
    };
    if let Some(first) = seen.first(matcher, span.clone()) {
        let twice = Diagnostic::error(span, format!("two routes of this site match `{text}`"));
        findings.push(
            twice
                .related(first, "the first one")
                .help("a route without `path`, `exact` or `regex` matches `/`"),
        );
    }
}

fn check_action(config: &Config, route: &Spanned<Route>, findings: &mut Findings<'_>) {
    let actions = [
        route.proxy.as_ref().map(|proxy| proxy.span()),
        route.files.as_ref().map(|files| files.root.span()),
        route.reply.as_ref().map(|reply| reply.span()),
    ];
    let mut actions = actions.into_iter().flatten();
    match (actions.next(), actions.next()) {
        (None, _) => findings.missing(&route.span(), || {
            Diagnostic::error(route.span(), "a route without an action")
                .help("add one of `proxy`, `files` and `return`")
        }),
        (Some(first), Some(second)) => findings.push(
            Diagnostic::error(second, "a route with several actions")
                .related(first, "the first")
                .help("keep one of `proxy`, `files` and `return`"),
        ),
        (Some(_), None) => {}
    }
    if let Some(proxy) = &route.proxy {
        findings.refer(proxy, "upstream", &config.upstream);
    }
    if let Some(files) = &route.files {
        check_index(files, findings);
    }
    if let Some(reply) = &route.reply {
        check_return(reply, findings);
    }
}

fn check_index(files: &Files, findings: &mut Findings<'_>) {
    for name in files
        .index
        .iter()
        .filter(|name| name.is_empty() || name.contains('/') || *name.as_str() == *"..")
    {
        findings.push(Diagnostic::error(
            name.span(),
            format!("`{name}` is not the name of a file"),
        ));
    }
}

pub(super) fn check_return(reply: &Spanned<Return>, findings: &mut Findings<'_>) {
    let redirect = matches!(reply.status, 301 | 302 | 303 | 307 | 308);
    let Return {
        status,
        location,
        body,
        content_type,
    } = &**reply;
    match location {
        None if redirect => findings.push(
            Diagnostic::error(
                reply.span(),
                format!("a redirect ({status}) without a `location`"),
            )
            .help(format!(
                "write `{{ status = {status}, location = \"https://$host$uri\" }}`"
            )),
        ),
        Some(location) if !redirect && *status != 201 => findings.push(
            Diagnostic::error(
                location.span(),
                format!("a `location`, but the status {status} is not a redirect"),
            )
            .help("redirects are 301, 302, 303, 307 and 308"),
        ),
        Some(location) => check_location(location, findings),
        None => {}
    }
    if body.is_some() && matches!(status, 204 | 205 | 304) {
        findings.push(Diagnostic::error(
            reply.span(),
            format!("an answer with status {status} has no body"),
        ));
    }
    if let Some(content_type) = content_type {
        headers::check_value(content_type, findings);
    }
}

const VARIABLES: [&str; 3] = ["host", "uri", "scheme"];

fn check_location(location: &Spanned<String>, findings: &mut Findings<'_>) {
    headers::check_value(location, findings);
    for after in location.split('$').skip(1) {
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        let name = &after[..end];
        if !VARIABLES.contains(&name) {
            let help = suggest(name, VARIABLES.into_iter(), "the variables here are");
            findings.push(
                Diagnostic::error(location.span(), format!("unknown variable `${name}`"))
                    .help(help),
            );
        }
    }
}
