//! The contenders of a row and their rounds.

use crate::figures::{Goal, Values};
use crate::report::Line;

/// One figure that every contender of a contest has.
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) goals: Vec<Goal>,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), unit, goals: Vec::new() }
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }
}

/// Measures all figures once.
type Measure<'a> = Box<dyn FnMut() -> Values + 'a>;

/// Contenders for the same figures. The first one is Daebus.
pub(crate) struct Contest<'a> {
    figures: Vec<Figure>,
    contenders: Vec<(&'static str, Measure<'a>)>,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(figures: Vec<Figure>) -> Self {
        Self { figures, contenders: Vec::new() }
    }

    /// Adds a contender, whose measurement returns a value for each figure.
    pub(crate) fn contender(mut self, name: &'static str, measure: impl FnMut() -> Values + 'a) -> Self {
        self.contenders.push((name, Box::new(measure)));
        self
    }

    /// Runs the rounds and returns the table's lines. Each round starts with another contender. One that fails is
    /// not measured again.
    pub(crate) fn run(mut self, rounds: usize) -> Vec<Line> {
        let count = self.contenders.len();
        let mut measured: Vec<Result<Vec<Vec<f64>>, String>> = vec![Ok(Vec::new()); count];
        for round in 0..rounds {
            for turn in 0..count {
                let at = (round + turn) % count;
                let (Some((name, measure)), Some(values)) =
                    (self.contenders.get_mut(at), measured.get_mut(at))
                else {
                    continue;
                };
                let Ok(rounds) = values else { continue };
                match measure() {
                    Ok(figures) => {
                        let shown: Vec<String> = figures.iter().map(|value| format!("{value:.1}")).collect();
                        eprintln!("   round {}, {name}: {}", round + 1, shown.join(" / "));
                        rounds.push(figures);
                    }
                    Err(reason) => {
                        eprintln!("   {name}: not measured: {reason}");
                        *values = Err(reason);
                    }
                }
            }
        }
        self.lines(&measured)
    }

    fn lines(self, measured: &[Result<Vec<Vec<f64>>, String>]) -> Vec<Line> {
        let of = |contender: usize, figure: usize| -> Values {
            let rounds = measured.get(contender).cloned().unwrap_or_else(|| Ok(Vec::new()))?;
            Ok(rounds.iter().filter_map(|values| values.get(figure).copied()).collect())
        };
        let mut lines = Vec::new();
        for (figure, Figure { what, unit, goals }) in self.figures.into_iter().enumerate() {
            let line = |peer: Option<(&'static str, Values)>, goal: Option<Goal>| Line {
                what: what.clone(),
                unit,
                ours: of(0, figure),
                peer,
                goal,
            };
            let value_goal = goals.iter().copied().find(|goal| goal.versus.is_none());
            if value_goal.is_some() || self.contenders.len() == 1 {
                lines.push(line(None, value_goal));
            }
            for (at, (name, _)) in self.contenders.iter().enumerate().skip(1) {
                let goal = goals.iter().copied().find(|goal| goal.versus == Some(name));
                lines.push(line(Some((name, of(at, figure))), goal));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn contenders_alternate_and_a_failed_one_is_not_measured_again() {
        let order = RefCell::new(String::new());
        let turn = |name: char| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                if name == 'c' { Err("no".to_owned()) } else { Ok(vec![1.0]) }
            }
        };
        let figures = vec![Figure::new("calls", "/s").goal(Goal::ratio_at_least("b", 1.0, None))];
        let contest = Contest::new(figures);
        let contest = contest.contender("a", turn('a')).contender("b", turn('b')).contender("c", turn('c'));
        let lines = contest.run(3);
        assert_eq!(order.borrow().as_str(), "abcbaab");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].peer, Some(("b", Ok(vec![1.0; 3]))));
        assert!(lines[0].goal.is_some());
        assert_eq!(lines[1].peer, Some(("c", Err("no".to_owned()))));
        assert!(lines[1].goal.is_none());
    }

    #[test]
    fn a_goal_for_the_value_has_a_line_without_a_peer() {
        let figures = vec![Figure::new("memory", "MB").goal(Goal::at_most(10.0, 8.0))];
        let lines = Contest::new(figures).contender("a", || Ok(vec![9.0])).run(1);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].peer.is_none() && lines[0].goal.is_some());
    }
}
