//! `#[on_start]`, `#[on_stop]`.

use super::arguments::Arguments;
use crate::mistakes::Mistakes;

/// They take no arguments.
pub(super) fn check(arguments: Arguments, mistakes: &mut Mistakes) {
    arguments.finish(mistakes);
}
