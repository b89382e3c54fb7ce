//! The trie against a reference that cannot be wrong, and against readers at the worst moment.

mod consistency;
mod correctness;
mod memory;
mod reference;
mod room;
