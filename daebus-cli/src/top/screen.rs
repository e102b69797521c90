//! The table on the screen.

use std::time::Duration;

use daebus_caller::InstanceState;
use jiff::Zoned;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, Table};

use super::rates::Rates;
use super::rows::{InstanceLoad, InstanceRates, ServiceRates};
use crate::failure::Failure;
use crate::output::{counted, short, uptime};

const HEADER: [&str; 10] = [
    "SERVICE / INSTANCE",
    "STATE",
    "REQ/S",
    "ERR/S",
    "MEAN",
    "P99",
    "IN FLIGHT",
    "REFUSED/S",
    "DROPPED",
    "UPTIME",
];

/// The widths of the columns after the first, which has the remaining width.
const WIDTHS: [u16; 9] = [9, 9, 8, 8, 8, 9, 9, 8, 8];

/// What is shown.
pub(super) struct Screen {
    location: String,
    rows: Vec<InstanceRates>,
    /// Why the last measurement failed. The rows are then those before.
    failure: Option<String>,
    time: Zoned,
    /// How many rows are above the screen.
    offset: usize,
}

impl Screen {
    pub(super) fn new(location: String, rows: Vec<InstanceRates>) -> Self {
        Self { location, rows, failure: None, time: Zoned::now(), offset: 0 }
    }

    pub(super) fn update(&mut self, measured: Result<Vec<InstanceRates>, Failure>) {
        match measured {
            Ok(rows) => (self.rows, self.failure, self.time) = (rows, None, Zoned::now()),
            Err(failure) => self.failure = Some(failure.to_string()),
        }
    }

    pub(super) fn scroll(&mut self, lines: isize) {
        self.offset = self.offset.saturating_add_signed(lines);
    }

    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let [title, table, footer] =
            Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)])
                .areas(frame.area());
        let services: Vec<&[InstanceRates]> =
            self.rows.chunk_by(|one, other| one.service == other.service).collect();
        let summary = format!(
            "  {}  {}, {}",
            self.time.strftime("%H:%M:%S"),
            counted(services.len(), "service"),
            counted(self.rows.len(), "instance"),
        );
        let title_line = Line::from_iter([
            "daebus top".bold(),
            format!("  {}", self.location).into(),
            Span::from(summary).dim(),
        ]);
        frame.render_widget(title_line, title);
        let mut rows = Vec::with_capacity(self.rows.len() + services.len());
        for instances in services {
            rows.push(of_service(instances));
            rows.extend(instances.iter().map(of_instance));
        }
        // The header has a line.
        let visible = usize::from(table.height.saturating_sub(1));
        self.offset = self.offset.min(rows.len().saturating_sub(visible));
        let widths = std::iter::once(Constraint::Fill(1)).chain(WIDTHS.map(Constraint::Length));
        let header = Row::new(HEADER).style(Style::new().reversed());
        frame.render_widget(Table::new(rows.into_iter().skip(self.offset), widths).header(header), table);
        let footer_line = match &self.failure {
            Some(failure) => Line::from(failure.as_str()).red(),
            None if self.rows.is_empty() => Line::from("no service has a live instance").dim(),
            None => Line::from("q quits, ↑ ↓ scroll").dim(),
        };
        frame.render_widget(footer_line, footer);
    }
}

fn of_service(instances: &[InstanceRates]) -> Row<'static> {
    let ServiceRates { load, rates } = ServiceRates::of(instances);
    let name = instances.first().map(|instance| instance.service.clone()).unwrap_or_default();
    row(name, format!("{} up", instances.len()).into(), Some(load), rates).bold()
}

fn of_instance(row_of: &InstanceRates) -> Row<'static> {
    let state = match (row_of.state, &row_of.error) {
        (_, Some(_)) => "no answer".red(),
        (InstanceState::Running, None) => "running".green(),
        _ => "draining".yellow(),
    };
    row(format!("  {}", row_of.instance), state, row_of.load, row_of.rates)
}

fn row(name: String, state: Span<'static>, load: Option<InstanceLoad>, rates: Option<Rates>) -> Row<'static> {
    let of_rates = |text: &dyn Fn(Rates) -> String| rates.map_or_else(|| "-".into(), text);
    let of_load = |text: &dyn Fn(InstanceLoad) -> String| load.map_or_else(|| "-".into(), text);
    let marked = |text: String, is_problem: bool| {
        if is_problem { Span::styled(text, Color::Red) } else { Span::from(text) }
    };
    let has_errors = rates.is_some_and(|rates| rates.errors_per_second > 0.0);
    let refuses = rates.is_some_and(|rates| rates.refused_per_second > 0.0);
    let has_drops = load.is_some_and(|load| load.dropped > 0);
    Row::new([
        Span::from(name),
        state,
        Span::from(of_rates(&|rates| rate(rates.requests_per_second))),
        marked(of_rates(&|rates| rate(rates.errors_per_second)), has_errors),
        Span::from(of_rates(&|rates| latency(rates.mean_seconds))),
        Span::from(of_rates(&|rates| latency(rates.p99_seconds))),
        Span::from(of_load(&|load| load.in_flight.to_string())),
        marked(of_rates(&|rates| rate(rates.refused_per_second)), refuses),
        marked(of_load(&|load| load.dropped.to_string()), has_drops),
        Span::from(of_load(&|load| {
            uptime(Duration::try_from_secs_f64(load.uptime_seconds).unwrap_or_default().as_secs())
        })),
    ])
}

fn rate(per_second: f64) -> String {
    if per_second == 0.0 {
        "0".into()
    } else if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        format!("{per_second:.0}")
    }
}

fn latency(seconds: Option<f64>) -> String {
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.map_or_else(|| "-".into(), short)
}

#[cfg(test)]
mod tests {
    use daebus_caller::InstanceId;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn instance(service: &str, id: &str, rate: f64, error: Option<&str>) -> InstanceRates {
        let rates = Rates { requests_per_second: rate, mean_seconds: Some(0.002), ..Rates::default() };
        InstanceRates {
            service: service.into(),
            instance: InstanceId::new(id).unwrap(),
            state: InstanceState::Running,
            load: error.is_none().then_some(InstanceLoad { uptime_seconds: 61.0, in_flight: 3, dropped: 0 }),
            rates: error.is_none().then_some(rates),
            error: error.map(str::to_owned),
        }
    }

    fn drawn(screen: &mut Screen, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(110, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content().chunks(110);
        lines.map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>()).collect()
    }

    #[test]
    fn a_service_is_the_sum_of_its_instances() {
        let rows = vec![instance("users", "users@1", 120.0, None), instance("users", "users@2", 0.5, None)];
        let lines = drawn(&mut Screen::new("redis://h".into(), rows), 8);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert!(
            lines[0].contains("daebus top  redis://h") && lines[0].contains("1 service, 2 instances"),
            "{lines:#?}"
        );
        assert_eq!(words(&lines[3]), "users 2 up 120 0 2.00 ms - 6 0 0 1m 1s");
        assert_eq!(words(&lines[4]), "users@1 running 120 0 2.00 ms - 3 0 0 1m 1s");
        assert_eq!(words(&lines[5]), "users@2 running 0.5 0 2.00 ms - 3 0 0 1m 1s");
    }

    #[test]
    fn an_instance_without_an_answer_has_no_figures() {
        let lines = drawn(&mut Screen::new("r".into(), vec![instance("a", "a@1", 1.0, Some("late"))]), 8);
        assert!(
            lines[4].contains("a@1") && lines[4].contains("no answer") && lines[4].contains(" - "),
            "{lines:#?}"
        );
    }

    #[test]
    fn rows_beyond_the_screen_are_reached_by_scrolling() {
        let rows = (0..9).map(|number| instance("s", &format!("s@{number}"), 1.0, None)).collect();
        let mut screen = Screen::new("r".into(), rows);
        assert!(!drawn(&mut screen, 8).iter().any(|line| line.contains("s@8")));
        screen.scroll(100);
        assert!(drawn(&mut screen, 8).iter().any(|line| line.contains("s@8")));
        screen.scroll(isize::MIN);
        assert!(drawn(&mut screen, 8)[3].starts_with("s "));
    }
}
