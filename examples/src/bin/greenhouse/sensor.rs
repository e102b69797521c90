//! A thermometer that isn't there: slow waves, and a lamp that warms the room.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How many readings a page is shown when it opens: a minute of them.
const KEPT: usize = 120;

/// How many degrees the lamp warms the room in the end, and how much of what is missing to that in one reading.
const WARMTH: f64 = 3.0;
const WARMING: f64 = 0.06;

/// One reading.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// The number of this reading, from 1.
    number: u32,
    /// In milliseconds since 1970.
    at: u64,
    celsius: f64,
}

/// The sensor and what it has measured.
#[derive(Debug, Default)]
pub(crate) struct Sensor {
    readings: VecDeque<Reading>,
    measured: u32,
    warmth: f64,
    lamp: bool,
}

impl Sensor {
    /// Takes a reading.
    pub(crate) fn measure(&mut self) -> Reading {
        let aim = if self.lamp { WARMTH } else { 0.0 };
        self.warmth += (aim - self.warmth) * WARMING;
        let n = f64::from(self.measured);
        self.measured = self.measured.saturating_add(1);
        let celsius = 21.0 + 0.8 * (n / 23.0).sin() + 0.25 * (n / 5.0).sin() + self.warmth;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reading = Reading {
            number: self.measured,
            at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            celsius: (celsius * 100.0).round() / 100.0,
        };
        self.readings.push_back(reading);
        if self.readings.len() > KEPT {
            self.readings.pop_front();
        }
        reading
    }

    /// The latest readings, the oldest first.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        self.readings.iter().copied().collect()
    }

    pub(crate) fn lamp(&self) -> bool {
        self.lamp
    }

    /// Switches the lamp on or off, and returns which.
    pub(crate) fn switch_lamp(&mut self) -> bool {
        self.lamp = !self.lamp;
        self.lamp
    }
}
