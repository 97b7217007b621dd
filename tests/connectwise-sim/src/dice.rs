//! A small repeatable random number generator (SplitMix64), so that a run with rates plays the same way twice.

/// The generator's state.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// True in `rate` of all rolls; a rate of 0 or 1 does not use up a number.
    pub(crate) fn roll(&mut self, rate: f64) -> bool {
        if rate <= 0.0 {
            return false;
        }
        rate >= 1.0 || self.unit() < rate
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_and_repeats() {
        let run = || {
            let mut dice = Dice::new(7);
            (0..10_000).filter(|_| dice.roll(0.3)).count()
        };
        assert!((2_800..3_200).contains(&run()), "{}", run());
        assert_eq!(run(), run());
        assert!(!Dice::new(7).roll(0.0));
        assert!(Dice::new(7).roll(1.0));
    }
}
