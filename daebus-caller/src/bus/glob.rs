//! Redis's own patterns, so that the in-process bus hears what a server would let it hear.

/// Whether `pattern` matches the whole of `text`, byte by byte, as `stringmatchlen` of Redis 7 has it.
///
/// Redis recurses at each `*`; this remembers the last star only and steps back to it, which is enough because an
/// earlier star can't do better than the last one, and keeps `a*a*a*a*b` from taking for ever.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // Redis's loop isn't entered for an empty text, so that not even `*` matches it.
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut rest, mut at) = (pattern, 0);
    let mut star: Option<(&[u8], usize)> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            if after.is_empty() {
                return true;
            }
            rest = after;
            star = Some((rest, at));
            continue;
        }
        match (text.get(at), rest.is_empty()) {
            (None, empty) => return empty,
            (Some(&byte), false) => {
                let (hit, after) = step(rest, byte);
                if hit {
                    rest = after;
                    at += 1;
                    continue;
                }
            }
            (Some(_), true) => {}
        }
        // No match this way: let the last star take one byte more.
        let Some((after_star, from)) = star else { return false };
        rest = after_star;
        at = from + 1;
        star = Some((after_star, at));
    }
}

/// Matches one byte against the pattern's next item, which is not a star; returns what is left of the pattern.
fn step(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    match pattern {
        [b'?', rest @ ..] => (true, rest),
        [b'[', rest @ ..] => class(rest, byte),
        // A backslash at the very end stands for itself.
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte, rest),
        [] => (false, pattern),
    }
}

/// Matches one byte against a class, `pattern` being what follows its `[`. An unclosed class ends with the pattern.
fn class(mut pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let negated = pattern.first() == Some(&b'^');
    if negated {
        pattern = &pattern[1..];
    }
    let mut hit = false;
    let rest = loop {
        pattern = match pattern {
            [b'\\', literal, rest @ ..] => {
                hit |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => break rest,
            [] => break pattern,
            [from, b'-', to, rest @ ..] => {
                // C's `char`, which is signed where Redis mostly runs; and Redis turns a range round that is upside down.
                let (from, to, byte) = (from.cast_signed(), to.cast_signed(), byte.cast_signed());
                hit |= (from.min(to)..=from.max(to)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                hit |= *literal == byte;
                rest
            }
        };
    };
    (hit != negated, rest)
}

#[cfg(test)]
mod tests {
    use super::matches;

    fn check(pattern: &str, hits: &[&str], misses: &[&str]) {
        for text in hits {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern:?} should match {text:?}");
        }
        for text in misses {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern:?} should not match {text:?}");
        }
    }

    #[test]
    fn plain_text_matches_itself_only() {
        check("abc", &["abc"], &["ab", "abcd", "", "abd"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn a_star_takes_any_number_of_bytes() {
        check("*", &["a", "abc"], &[""]);
        check("a*", &["a", "ab", "abc"], &["", "ba"]);
        check("*b*", &["b", "abc", "ab", "bc"], &["ac", ""]);
        check("a**c***", &["ac", "abc", "abcd"], &["ab"]);
        check("*.log", &["x.log", ".log", "a.log.log"], &["x.logs"]);
        check("sensor.*.temp", &["sensor.1.temp", "sensor..temp", "sensor.a.temp.temp"], &["sensor.temp"]);
    }

    #[test]
    fn a_question_mark_takes_one_byte() {
        check("?", &["a"], &["", "ab", "é"]);
        check("a?c", &["abc", "a?c"], &["ac", "abbc"]);
        check("*?", &["a", "ab"], &[""]);
    }

    #[test]
    fn a_class_takes_one_of_its_bytes() {
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo", "h^llo"], &["hello"]);
        check("h[a-c]t", &["hat", "hct"], &["hdt", "h-t"]);
        check("h[c-a]t", &["hat", "hbt", "hct"], &["hdt"]);
        // A range up to `]`, then, the class being unclosed, an `x`.
        check("[a-]x", &["a", "]", "_", "x"], &["ax", "b", "-"]);
        check("[\\]]", &["]"], &["\\", "["]);
        check("[]a", &[], &["]a", "a", "]"]);
        check("[^]a", &["xa"], &["a"]);
    }

    #[test]
    fn an_unclosed_class_ends_with_the_pattern() {
        check("[abc", &["a", "c"], &["d", "[", "ab"]);
        check("[", &[], &["[", "a"]);
        check("[^", &["a", "^"], &["", "ab"]);
        check("[\\", &["\\"], &["a"]);
        check("x[a-", &["xa", "x-"], &["xb"]);
    }

    #[test]
    fn a_backslash_takes_the_next_byte_literally() {
        check("a\\*c", &["a*c"], &["abc"]);
        check("a\\[b", &["a[b"], &["ab"]);
        check("a\\", &["a\\"], &["a"]);
        check("\\\\", &["\\"], &["\\\\"]);
    }

    #[test]
    fn many_stars_take_no_longer_than_few() {
        let started = std::time::Instant::now();
        let pattern = format!("{}b", "a*".repeat(200));
        assert!(!matches(pattern.as_bytes(), "a".repeat(10_000).as_bytes()));
        assert!(started.elapsed().as_secs() < 5, "took {:?}", started.elapsed());
    }
}
