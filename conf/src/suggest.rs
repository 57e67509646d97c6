//! The nearest valid name, for `help:`.

/// Longer words are not slips of the finger, and comparing them takes long.
const LONGEST: usize = 64;
/// Names listed at most when none is alike.
const LISTED: usize = 24;

/// "did you mean …?" for the nearest of `names`, if one is near: one slip in three letters, or one the other's beginning.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let word = word.to_lowercase();
    let slips = |name: &str| strsim::damerau_levenshtein(&word, &name.to_lowercase());
    let alike = |name: &&str| word.len() <= LONGEST && name.len() <= LONGEST;
    let (slips, nearest) = names.filter(alike).map(|name| (slips(name), name)).min()?;
    let beginning = word.len() >= 3
        && nearest.len() >= 3
        && (nearest.starts_with(&word) || word.starts_with(nearest));
    (slips <= (word.chars().count() / 3).max(1) || beginning)
        .then(|| format!("did you mean `{nearest}`?"))
}

/// The nearest of `names`, or else all of them after `intro`.
pub fn suggest<'n>(
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
