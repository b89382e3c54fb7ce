//! Which words of the array are in use.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use fabric_common::trie::ENTRIES;

/// How long a block that is not referred to any more is left as it is: far longer than any packet
/// is on its way through a program.
pub(super) const REST: Duration = Duration::from_millis(100);

/// Consecutive words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    pub(super) start: u32,
    pub(super) words: u32,
}

/// The free words: as lists of small blocks by size, and as runs of any length.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Blocks of `i + 1` words.
    small: [Vec<u32>; ENTRIES],
    runs: Vec<Block>,
    resting: VecDeque<(Instant, Block)>,
    free_words: u32,
    resting_words: u32,
    /// Words that became free since neighbours were last joined.
    unjoined: u32,
}

impl Blocks {
    /// Nothing but `runs` is free.
    pub(super) fn new(runs: Vec<Block>) -> Self {
        Self {
            free_words: runs.iter().map(|run| run.words).sum(),
            small: [const { Vec::new() }; ENTRIES],
            runs,
            resting: VecDeque::new(),
            resting_words: 0,
            unjoined: 0,
        }
    }

    /// Words that can be taken, at best.
    pub(super) const fn free_words(&self) -> u32 {
        self.free_words
    }

    /// Words that can be taken after [`REST`].
    pub(super) const fn resting_words(&self) -> u32 {
        self.resting_words
    }

    /// Frees what has rested long enough at `now`.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some((since, block)) = self.resting.front().copied()
            && now.saturating_duration_since(since) >= REST
        {
            self.resting.pop_front();
            self.resting_words -= block.words;
            self.free(block);
        }
    }

    /// Frees a block once it has rested from `now` on.
    pub(super) fn rest(&mut self, block: Block, now: Instant) {
        self.resting_words += block.words;
        self.resting.push_back((now, block));
    }

    /// Frees a block that no reader can have seen.
    pub(super) fn free(&mut self, block: Block) {
        self.free_words += block.words;
        self.unjoined += block.words;
        self.put(block);
    }

    fn put(&mut self, block: Block) {
        match block.words as usize {
            0 => {}
            words @ 1..=ENTRIES => self.small[words - 1].push(block.start),
            _ => self.runs.push(block),
        }
    }

    /// A block of `words` words, if there is one.
    pub(super) fn take(&mut self, words: u32) -> Option<u32> {
        let start = self.find(words).or_else(|| {
            // Only then, as it looks at everything that is free.
            let worth = self.free_words >= words && self.unjoined > 0;
            if worth {
                self.join();
            }
            worth.then(|| self.find(words)).flatten()
        })?;
        self.free_words -= words;
        Some(start)
    }

    fn find(&mut self, words: u32) -> Option<u32> {
        let size = words as usize;
        if let Some(start) = self.small.get_mut(size - 1).and_then(Vec::pop) {
            return Some(start);
        }
        if let Some(at) = self.runs.iter().rposition(|run| run.words >= words) {
            let run = &mut self.runs[at];
            let start = run.start;
            run.start += words;
            run.words -= words;
            if run.words as usize <= ENTRIES {
                let rest = self.runs.swap_remove(at);
                self.put(rest);
            }
            return Some(start);
        }
        let (larger, start) = (size + 1..=ENTRIES)
            .find_map(|larger| Some((larger, self.small[larger - 1].pop()?)))?;
        self.put(Block { start: start + words, words: (larger - size) as u32 });
        Some(start)
    }

    /// Makes runs of neighbours.
    fn join(&mut self) {
        self.unjoined = 0;
        let mut all = std::mem::take(&mut self.runs);
        for (i, list) in self.small.iter_mut().enumerate() {
            all.extend(list.drain(..).map(|start| Block { start, words: i as u32 + 1 }));
        }
        all.sort_unstable();
        let mut joined: Option<Block> = None;
        for block in all {
            match &mut joined {
                Some(run) if run.start + run.words == block.start => run.words += block.words,
                _ => {
                    if let Some(run) = joined.replace(block) {
                        self.put(run);
                    }
                }
            }
        }
        if let Some(run) = joined {
            self.put(run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(words: u32) -> Blocks {
        Blocks::new(vec![Block { start: 1, words }])
    }

    #[test]
    fn blocks_never_overlap_and_all_words_are_used() {
        let mut blocks = blocks(1_000);
        let mut used = vec![false; 1_001];
        let mut size = 0;
        while blocks.free_words() > 0 {
            size = size % 32 + 1;
            let words = size.min(blocks.free_words());
            let start = blocks.take(words).unwrap();
            for i in start..start + words {
                assert!(!std::mem::replace(&mut used[i as usize], true), "word {i} given twice");
            }
        }
        assert!(blocks.take(1).is_none());
        assert!(used[1..].iter().all(|used| *used) && !used[0]);
    }

    #[test]
    fn a_block_is_not_used_again_before_it_has_rested() {
        let mut blocks = blocks(4);
        let now = Instant::now();
        let start = blocks.take(4).unwrap();
        blocks.rest(Block { start, words: 4 }, now);
        blocks.wake(now + REST - Duration::from_micros(1));
        assert_eq!((blocks.take(4), blocks.resting_words()), (None, 4));
        blocks.wake(now + REST);
        assert_eq!((blocks.take(4), blocks.resting_words()), (Some(start), 0));
    }

    #[test]
    fn small_blocks_join_to_large_ones_when_those_are_asked_for() {
        let mut blocks = blocks(4_096);
        let small: Vec<_> = (0..4_096).map(|_| blocks.take(1).unwrap()).collect();
        for start in small {
            blocks.free(Block { start, words: 1 });
        }
        assert_eq!(blocks.take(4_096), Some(1));
    }

    #[test]
    fn a_large_block_is_split_when_no_other_is_left() {
        let mut blocks = blocks(32);
        let all = blocks.take(32).unwrap();
        blocks.free(Block { start: all, words: 32 });
        assert_eq!(blocks.take(3), Some(all));
        assert_eq!(blocks.take(29), Some(all + 3));
        assert_eq!(blocks.take(1), None);
    }
}
