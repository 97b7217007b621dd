//! The distribution of one measured quantity.

use anyhow::{Context, Result};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) p95: f64,
}

impl Spread {
    /// # Errors
    /// When nothing was measured.
    pub(crate) fn of(mut values: Vec<f64>) -> Result<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            let last = values
                .len()
                .checked_sub(1)
                .context("nothing was measured")?;
            let value = values.get((last * percent).div_ceil(100));
            value.copied().context("nothing was measured")
        };
        Ok(Self {
            least: at(0)?,
            median: at(50)?,
            p95: at(95)?,
        })
    }

    /// Three cells of a table.
    pub(crate) fn cells(self) -> [String; 3] {
        [self.least, self.median, self.p95].map(|value| format!("{value:.2}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_taken_from_the_sorted_values() {
        let values: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        let spread = Spread::of(values).unwrap();
        let expected = Spread {
            least: 1.0,
            median: 51.0,
            p95: 96.0,
        };
        assert_eq!(spread, expected);
        assert!(Spread::of(vec![]).is_err());
    }
}
