//! Medians, ratios, and the goals that they are compared with.

/// The values of one contender, one per round, or why there are none.
pub(crate) type Values = Result<Vec<f64>, String>;

/// Returns the middle value, or the mean of the two middle values. `None` if there are no values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// Returns the median of the ratios within each round. `None` if no round has both values.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> Option<f64> {
    let rounds = ours.iter().zip(theirs).filter(|(_, theirs)| **theirs != 0.0);
    median(&rounds.map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
}

/// The order in which values are better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtLeast,
    AtMost,
}

/// The values that issue and table name for one figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// The peer to whose value the ratio is bounded. `None`: the value itself is bounded.
    pub(crate) versus: Option<&'static str>,
    pub(crate) bound: Bound,
    pub(crate) required: f64,
    pub(crate) stretch: Option<f64>,
}

impl Goal {
    /// A maximum of the value.
    pub(crate) fn at_most(required: f64, stretch: impl Into<Option<f64>>) -> Self {
        Self { versus: None, bound: Bound::AtMost, required, stretch: stretch.into() }
    }

    /// A minimum of the ratio to a peer.
    pub(crate) fn ratio_at_least(peer: &'static str, required: f64, stretch: impl Into<Option<f64>>) -> Self {
        Self { versus: Some(peer), bound: Bound::AtLeast, required, stretch: stretch.into() }
    }

    /// A maximum of the ratio to a peer.
    pub(crate) fn ratio_at_most(peer: &'static str, required: f64, stretch: impl Into<Option<f64>>) -> Self {
        Self { bound: Bound::AtMost, ..Self::ratio_at_least(peer, required, stretch) }
    }

    /// Whether a value, or a ratio if the goal is one of a ratio, meets a limit.
    pub(crate) fn is_met(self, value: f64, limit: f64) -> bool {
        match self.bound {
            Bound::AtLeast => value >= limit,
            Bound::AtMost => value <= limit,
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these are exact")]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round was disturbed for both; the ratio of the medians would be 1.5.
        assert_eq!(ratio(&[100.0, 30.0, 90.0], &[50.0, 15.0, 60.0]), Some(2.0));
        assert_eq!(ratio(&[100.0, 30.0], &[50.0]), Some(2.0));
        assert_eq!(ratio(&[100.0], &[]), None);
        assert_eq!(ratio(&[100.0], &[0.0]), None);
    }

    #[test]
    fn a_goal_is_met_at_its_limit() {
        let faster = Goal::ratio_at_least("NATS", 1.5, 2.0);
        assert!(faster.is_met(1.5, faster.required) && !faster.is_met(1.49, faster.required));
        let smaller = Goal::at_most(10.0, 8.0);
        assert!(smaller.is_met(10.0, smaller.required) && !smaller.is_met(10.1, smaller.required));
    }
}
