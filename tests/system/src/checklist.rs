//! The checks of a test that have passed, each with the time that it took.

use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Checklist {
    last_check: Instant,
    passed: usize,
}

impl Checklist {
    pub(crate) fn new() -> Self {
        Self {
            last_check: Instant::now(),
            passed: 0,
        }
    }

    /// Counts and prints a check.
    pub(crate) fn passed(&mut self, what: &str) {
        let seconds = self.last_check.elapsed().as_secs_f64();
        println!("  {seconds:5.1} s  {what}");
        self.last_check = Instant::now();
        self.passed += 1;
    }

    /// Prints how many checks of the test passed. One that fails ends the test before.
    pub(crate) fn print(&self, test: &str) {
        println!("{test}: {} passed, 0 failed", self.passed);
    }
}
