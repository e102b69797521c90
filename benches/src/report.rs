//! The table: as text, as Markdown and as JSON.

use serde_json::{Value, json};

use crate::figures::{Bound, Goal, Values, median, ratio};

/// One line of the table: a figure of Daebus, beside that of a peer.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Values,
    pub(crate) peer: Option<(&'static str, Values)>,
    pub(crate) goal: Option<Goal>,
}

const HEADER: [&str; 9] =
    ["what", "unit", "Daebus", "peer", "its value", "ratio", "required", "stretch", "note"];

impl Line {
    fn ratio(&self) -> Option<f64> {
        let (_, theirs) = self.peer.as_ref()?;
        ratio(self.ours.as_ref().ok()?, theirs.as_ref().ok()?)
    }

    /// The value or the ratio that the goal bounds.
    fn bounded(&self) -> Option<f64> {
        match self.goal?.versus {
            Some(_) => self.ratio(),
            None => median(self.ours.as_ref().ok()?),
        }
    }

    /// Whether a limit of the goal is met. `None` if there is nothing to compare.
    fn met(&self, limit: f64) -> Option<bool> {
        Some(self.goal?.is_met(self.bounded()?, limit))
    }

    fn note(&self) -> String {
        let theirs = self.peer.as_ref().and_then(|(_, values)| values.as_ref().err());
        match (&self.ours, theirs) {
            (Err(ours), Some(theirs)) if ours != theirs => {
                format!("Daebus not measured: {ours}; peer not measured: {theirs}")
            }
            (Err(reason), _) | (Ok(_), Some(reason)) => format!("not measured: {reason}"),
            (Ok(_), None) => String::new(),
        }
    }

    fn cells(&self) -> [String; 9] {
        let shown = |values: &Values| values.as_deref().ok().and_then(median).map_or_else(dash, number);
        let limit = |limit: Option<f64>| {
            let (Some(goal), Some(limit)) = (self.goal, limit) else { return dash() };
            let sign = if goal.bound == Bound::AtLeast { '≥' } else { '≤' };
            let met = match self.met(limit) {
                Some(true) => "met",
                Some(false) => "missed",
                None => "not measured",
            };
            // A limit is shown as it was set.
            format!("{sign} {limit}: {met}")
        };
        [
            self.what.clone(),
            self.unit.to_owned(),
            shown(&self.ours),
            self.peer.as_ref().map_or_else(dash, |(name, _)| (*name).to_owned()),
            self.peer.as_ref().map_or_else(dash, |(_, values)| shown(values)),
            self.ratio().map_or_else(dash, |ratio| format!("{ratio:.2}")),
            limit(self.goal.map(|goal| goal.required)),
            limit(self.goal.and_then(|goal| goal.stretch)),
            self.note(),
        ]
    }

    fn json(&self) -> Value {
        let values = |values: &Values| match values {
            Ok(values) => json!({"median": median(values), "rounds": values}),
            Err(reason) => json!({"not_measured": reason}),
        };
        let peer = self.peer.as_ref().map(|(name, theirs)| {
            let mut peer = values(theirs);
            peer["name"] = json!(name);
            peer
        });
        let goal = self.goal.map(|goal| {
            let limit = |limit: f64| json!({"limit": limit, "met": self.met(limit)});
            json!({
                "of": if goal.versus.is_some() { "ratio" } else { "value" },
                "bound": if goal.bound == Bound::AtLeast { "at least" } else { "at most" },
                "required": limit(goal.required),
                "stretch": goal.stretch.map(limit),
            })
        });
        json!({
            "what": self.what, "unit": self.unit, "daebus": values(&self.ours), "peer": peer,
            "ratio": self.ratio(), "goal": goal,
        })
    }
}

fn dash() -> String {
    "–".to_owned()
}

/// Three significant digits, or all digits of the integer part, in groups of three.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let digits = whole.trim_start_matches('-').len();
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if left < digits && left % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or_else(|| grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

/// The table with aligned columns.
pub(crate) fn text(lines: &[Line]) -> String {
    let rows = rows(lines);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let aligned = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    aligned.collect::<Vec<_>>().join("\n") + "\n"
}

/// The table in Markdown.
pub(crate) fn markdown(lines: &[Line]) -> String {
    let mut rows: Vec<String> = rows(lines)
        .iter()
        .map(|row| format!("| {} |", row.each_ref().map(|cell| cell.replace('|', "\\|")).join(" | ")))
        .collect();
    rows.insert(1, format!("|{}", "---|".repeat(HEADER.len())));
    rows.join("\n") + "\n"
}

fn rows(lines: &[Line]) -> Vec<[String; 9]> {
    let header = HEADER.map(str::to_owned);
    std::iter::once(header).chain(lines.iter().map(Line::cells)).collect()
}

/// All values of all rounds.
pub(crate) fn json(conditions: &str, lines: &[Line]) -> Value {
    json!({"conditions": conditions, "lines": lines.iter().map(Line::json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let line = |peer, goal| Line {
            what: "calls, 50 in flight".into(),
            unit: "calls/s",
            ours: Ok(vec![30_000.0, 31_000.0, 29_000.0]),
            peer: Some(peer),
            goal,
        };
        let missing = Err("nats-server is not installed; cargo xtask setup --bench installs it".to_owned());
        vec![
            line(
                ("NATS", Ok(vec![20_000.0, 15_500.0, 29_000.0])),
                Some(Goal::ratio_at_least("NATS", 1.5, 2.0)),
            ),
            line(("NATS", missing), Some(Goal::ratio_at_least("NATS", 1.5, None))),
            Line {
                what: "memory at rest".into(),
                unit: "MB",
                ours: Ok(vec![9.25]),
                peer: None,
                goal: Some(Goal::at_most(10.0, 8.0)),
            },
        ]
    }

    #[test]
    fn the_table_shows_values_ratios_goals_and_what_is_missing() {
        let expected = "\
| what | unit | Daebus | peer | its value | ratio | required | stretch | note |
|---|---|---|---|---|---|---|---|---|
| calls, 50 in flight | calls/s | 30,000 | NATS | 20,000 | 1.50 | ≥ 1.5: met | ≥ 2: missed |  |
| calls, 50 in flight | calls/s | 30,000 | NATS | – | – | ≥ 1.5: not measured | – | not measured: nats-server is not \
installed; cargo xtask setup --bench installs it |
| memory at rest | MB | 9.25 | – | – | – | ≤ 10: met | ≤ 8: missed |  |
";
        assert_eq!(markdown(&lines()), expected);
    }

    #[test]
    fn the_columns_of_the_text_are_aligned() {
        let text = text(&lines());
        let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        assert_eq!(rows.len(), 4);
        let column = |row: &[char], words: &str| row.iter().collect::<String>().find(words);
        assert_eq!(column(&rows[0], "Daebus"), column(&rows[1], "30,000"));
        assert_eq!(column(&rows[0], "Daebus"), column(&rows[3], "9.25"));
        assert!(rows.iter().all(|row| row.last() != Some(&' ')));
    }

    #[test]
    fn the_json_has_every_round_and_whether_a_goal_is_met() {
        let json = json("quiet", &lines());
        assert_eq!(json["conditions"], "quiet");
        let [first, second, third] = [0, 1, 2].map(|at| &json["lines"][at]);
        assert_eq!(first["daebus"]["rounds"], json!([30_000.0, 31_000.0, 29_000.0]));
        assert_eq!(first["ratio"], 1.5);
        assert_eq!(first["goal"]["required"], json!({"limit": 1.5, "met": true}));
        assert_eq!(first["goal"]["stretch"], json!({"limit": 2.0, "met": false}));
        assert_eq!(second["goal"]["required"]["met"], Value::Null);
        assert!(second["peer"]["not_measured"].is_string());
        assert_eq!(third["peer"], Value::Null);
        assert_eq!(third["goal"]["of"], "value");
    }

    #[test]
    fn numbers_are_rounded_and_grouped() {
        let shown = [0.0, 0.123, 9.999, 12.34, 99.96, 999.6, 55_376.4, 1_234_567.0, -1234.0].map(number);
        assert_eq!(shown, ["0.00", "0.12", "10.0", "12.3", "100", "1,000", "55,376", "1,234,567", "-1,234"]);
    }
}
