//! The chance of one seed: the same numbers in the same order, each time.

use std::sync::{Mutex, PoisonError};

/// SplitMix64: small, and good enough to pick faults with.
#[derive(Debug)]
pub struct Chance(Mutex<u64>);

impl Chance {
    /// That of `seed`, for one use of it.
    pub fn of(seed: u64, what: &str) -> Self {
        let mixed = what.bytes().fold(seed ^ 0x9e37_79b9, |mixed, byte| {
            mixed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        let chance = Self(Mutex::new(mixed));
        chance.next();
        chance
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `from` to `to`, both included.
    pub fn between(&self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// True in so many of a thousand cases.
    pub fn permille(&self, many: u64) -> bool {
        self.next() % 1_000 < many
    }

    pub fn one_of<T: Copy>(&self, all: &[T]) -> T {
        let place = self.next() % all.len() as u64;
        all[usize::try_from(place).unwrap_or(0)]
    }

    pub fn bits(&self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}
