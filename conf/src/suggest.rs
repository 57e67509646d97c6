//! The nearest valid name, for `help:`.

/// Names this alike are probably a slip of the finger.
const ALIKE: f64 = 0.72;
/// Names listed at most when none is alike.
const LISTED: usize = 24;

/// "did you mean …?" for the nearest of `names`, if one is near.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let likeness = |name: &str| strsim::jaro_winkler(&word.to_lowercase(), &name.to_lowercase());
    let nearest = names
        .map(|name| (likeness(name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (nearest.0 >= ALIKE).then(|| format!("did you mean `{}`?", nearest.1))
}

/// The nearest of `names`, or else all of them after `intro`.
pub(crate) fn suggest<'n>(
    word: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    intro: &str,
) -> String {
    nearest(word, names.clone()).unwrap_or_else(|| format!("{intro} {}", list(names)))
}

/// "`a`, `b` or `c`".
pub(crate) fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED {
        names.truncate(LISTED);
        return format!("{}, …", names.join(", "));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
