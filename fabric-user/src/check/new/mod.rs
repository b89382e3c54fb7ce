//! First suites, to be changed: for a topology, all that its picture and inventory say; of what runs, all of it that can be
//! said without a picture.

mod drawn;
mod running;
mod text;

pub(crate) use drawn::suite_for;
pub(crate) use running::{Written, suite_of};
