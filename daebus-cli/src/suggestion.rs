//! The name that was probably meant.

/// How similar two names must be, from 0 to 1.
const SIMILAR: f64 = 0.7;

/// Returns `; did you mean …?` for the most similar of the names, or an empty text if none is similar.
pub(crate) fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, other)| format!("; did you mean {other:?}?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_name_is_suggested() {
        let names = ["user_service", "users", "sensor"];
        assert_eq!(did_you_mean("user_servce", names), "; did you mean \"user_service\"?");
        assert_eq!(did_you_mean("printer", names), "");
        assert_eq!(did_you_mean("users", []), "");
    }
}
