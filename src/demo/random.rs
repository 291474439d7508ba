//! Seeded chance: the whole estate draws from one generator, so that a seed tells the whole story.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast and good enough to jitter a simulation.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for `name`: draws elsewhere do not change what it yields.
    pub(super) fn of(seed: u64, name: &str) -> Self {
        Self(seed ^ fnv64(name.as_bytes()))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `low..high`; `low` where the range is empty.
    pub(super) fn range(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0).max(1);
        low.saturating_add(i64::try_from(self.next() % span).unwrap_or(0))
    }

    /// `length` letters as Kubernetes draws them for generated names: no vowels, no look-alikes.
    pub(super) fn suffix(&mut self, length: usize) -> String {
        self.letters(b"bcdfghjklmnpqrstvwxz2456789", length)
    }

    /// `length` hexadecimal digits.
    pub(super) fn hex(&mut self, length: usize) -> String {
        self.letters(b"0123456789abcdef", length)
    }

    /// A version 4 UUID.
    pub(super) fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        let variant = ["8", "9", "a", "b"][usize::try_from(self.next() % 4).unwrap_or(0)];
        format!(
            "{}-{}-4{}-{variant}{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }

    fn letters(&mut self, alphabet: &[u8], length: usize) -> String {
        let size = alphabet.len() as u64;
        (0..length)
            .map(|_| char::from(alphabet[usize::try_from(self.next() % size).unwrap_or(0)]))
            .collect()
    }
}

/// FNV-1a: stable between builds, unlike the standard library's hasher.
pub(super) fn fnv64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `length` hexadecimal digits that depend on `text` alone: image digests, container ids.
pub(super) fn hex_of(text: &str, length: usize) -> String {
    Random::of(0, text).hex(length)
}
