//! `daebus top`.

mod rates;
mod rows;
mod sampler;
mod screen;
mod terminal;

use std::io::IsTerminal;
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::rows::InstanceRates;
use self::sampler::Sampler;
use self::screen::Screen;
use self::terminal::Terminal;
use crate::arguments::Top;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::Output;

/// How many lines a page key moves.
const PAGE: usize = 10;

/// What was measured at one time.
type Measured = Result<Vec<InstanceRates>, Failure>;

pub(crate) async fn run(connection: Connection, output: Output, top: &Top) -> Result<(), Failure> {
    if !output.is_json() && !std::io::stdout().is_terminal() {
        return Err(Failure::Usage("top needs a terminal; with --json it prints a line per instance".into()));
    }
    let location = connection.bus().location();
    let (sender, mut measured) = mpsc::channel(1);
    let mut sampler = Sampler::new(connection, top.service.clone(), top.interval);
    // The first failure is that of the command. Nothing is drawn before.
    let first = sampler.sample().await?;
    // Dropped at the end, which ends the task.
    let mut tasks = JoinSet::new();
    tasks.spawn(measure(sampler, top.interval, sender));
    let count = top.count.unwrap_or(u64::MAX);
    if output.is_json() {
        print(output, first, &mut measured, count).await
    } else {
        show(location, first, &mut measured, count).await
    }
}

/// Measures at each interval, as long as the results are received.
async fn measure(mut sampler: Sampler, interval: Duration, results: mpsc::Sender<Measured>) {
    loop {
        tokio::time::sleep(interval).await;
        if results.send(sampler.sample().await).await.is_err() {
            return;
        }
    }
}

async fn print(
    output: Output,
    first: Vec<InstanceRates>,
    measured: &mut mpsc::Receiver<Measured>,
    count: u64,
) -> Result<(), Failure> {
    // Rates need two measurements.
    drop(first);
    for _ in 0..count {
        let Some(rows) = measured.recv().await else { break };
        for row in rows? {
            output.object(&row)?;
        }
    }
    Ok(())
}

async fn show(
    location: String,
    first: Vec<InstanceRates>,
    measured: &mut mpsc::Receiver<Measured>,
    count: u64,
) -> Result<(), Failure> {
    let mut terminal = Terminal::open()?;
    let mut events = terminal::events();
    let mut screen = Screen::new(location, first);
    let mut updates = 0;
    while updates < count {
        terminal.draw(|frame| screen.draw(frame))?;
        tokio::select! {
            biased;
            // Without keys, Ctrl-C and a signal still end the program.
            Some(event) = events.recv() => match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => match movement(key) {
                    Some(Key::Quit) => break,
                    Some(Key::Move(lines)) => screen.scroll(lines),
                    None => {}
                },
                _ => {}
            },
            rows = measured.recv() => match rows {
                Some(rows) => {
                    screen.update(rows);
                    updates += 1;
                }
                None => break,
            },
        }
    }
    Ok(())
}

/// What a key does.
enum Key {
    Quit,
    Move(isize),
}

fn movement(KeyEvent { code, modifiers, .. }: KeyEvent) -> Option<Key> {
    let page = PAGE.cast_signed();
    match code {
        // In raw mode the terminal sends Ctrl-C as a key.
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Up => Some(Key::Move(-1)),
        KeyCode::Down => Some(Key::Move(1)),
        KeyCode::PageUp => Some(Key::Move(-page)),
        KeyCode::PageDown => Some(Key::Move(page)),
        KeyCode::Home => Some(Key::Move(isize::MIN)),
        _ => None,
    }
}
