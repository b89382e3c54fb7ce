//! Random numbers that are the same in every run.

/// Marsaglia's xorshift64*.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    /// Overwrites some bytes of a message, and cuts it off somewhere.
    pub(crate) fn damage(&mut self, message: &mut Vec<u8>) {
        for _ in 0..=self.below(8) {
            let at = self.below(message.len());
            message[at] = self.next() as u8;
        }
        message.truncate(self.below(message.len() + 1));
    }
}
