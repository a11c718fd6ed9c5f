//! One line on a terminal that says how far it is; nothing where nobody watches.

use std::io::{IsTerminal, Write, stderr};

/// A line that is written over.
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_shown: stderr().is_terminal() }
    }

    /// Replaces the line.
    pub(crate) fn say(&self, line: &str) {
        if self.is_shown {
            // Back to the start, and nothing left of the line before. A terminal that is gone does not matter.
            drop(write!(stderr(), "\r\x1b[K{line}"));
            drop(stderr().flush());
        }
    }

    /// Removes the line.
    pub(crate) fn done(&self) {
        self.say("");
    }
}
