//! Did the user mean another name? The nearest candidate by edit distance, when it is near enough to be worth saying.

/// The candidate closest to `name`, or `None` when nothing is close. Transposed letters count as one edit, a mere
/// difference in case is always close. Ties go to the candidate that comes first.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // One edit in three letters: `Lst` finds `List`, `x` does not find `y`.
    let limit = (length / 3).max(usize::from(length > 1));
    let folded = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        let distance = if candidate.to_lowercase() == folded {
            0
        } else {
            // The distance is at least the difference in length: most candidates end here.
            if candidate.chars().count().abs_diff(length) > limit {
                continue;
            }
            strsim::damerau_levenshtein(name, candidate)
        };
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", ready to be a help text.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_name() {
        assert_eq!(closest("prinltn", ["print", "println", "eprintln"]), Some("println"));
        assert_eq!(closest("ok", ["Err", "Ok"]), Some("Ok"));
        assert_eq!(closest("lenght", ["length", "width"]), Some("length"));
    }

    #[test]
    fn stays_silent_about_unrelated_names() {
        assert_eq!(closest("x", ["y", "z"]), None);
        assert_eq!(closest("frobnicate", ["map", "filter"]), None);
        assert_eq!(closest("same", ["same"]), None);
    }
}
