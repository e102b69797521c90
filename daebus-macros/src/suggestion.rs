//! Suggestions for unknown words.

/// "; did you mean `timeout`?" when one of the known words is near, else "; it takes …".
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::levenshtein(word, known), known)).min();
    match near {
        _ if known.is_empty() => "; it takes none".to_owned(),
        Some((distance, near)) if distance <= 2.max(near.len() / 3) => format!("; did you mean `{near}`?"),
        _ => format!("; it takes {}", list(known)),
    }
}

/// "`a`, `b` and `c`".
pub(crate) fn list<T: std::fmt::Display>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [firsts @ .., last] => {
            let firsts: Vec<_> = firsts.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", firsts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_answered_with_the_list() {
        assert_eq!(suggestion("timout", &["timeout", "concurrency"]), "; did you mean `timeout`?");
        assert_eq!(suggestion("colour", &["timeout", "idempotent"]), "; it takes `timeout` and `idempotent`");
        assert_eq!(suggestion("anything", &[]), "; it takes none");
    }
}
