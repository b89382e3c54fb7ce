//! Ports that go away, come back, change places and are too many: what the kernel holds of a port (the
//! link of its program, its redirect target) is asked for, not remembered.

mod leaf;

mod made_anew;
mod mode;
mod moved;
mod slots;
mod target;
mod vanishing;
