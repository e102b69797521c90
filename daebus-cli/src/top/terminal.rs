//! The terminal, as long as the table is shown.

use std::io;
use std::ops::{Deref, DerefMut};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc;

/// The terminal in raw mode, with a screen of its own. Dropping it restores the terminal, and so does a panic.
pub(super) struct Terminal(DefaultTerminal);

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Deref for Terminal {
    type Target = DefaultTerminal;

    fn deref(&self) -> &DefaultTerminal {
        &self.0
    }
}

impl DerefMut for Terminal {
    fn deref_mut(&mut self) -> &mut DefaultTerminal {
        &mut self.0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The first frame hides the cursor. If the terminal is gone, nothing is to be restored.
        let _ = self.0.show_cursor();
        ratatui::restore();
    }
}

/// Returns the keys that are pressed, and changes of the terminal's size. They are read by a thread, which ends with the process.
pub(super) fn events() -> mpsc::Receiver<Event> {
    let (sender, events) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    events
}
