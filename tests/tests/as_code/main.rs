//! `examples/fabric-as-code` in the hands of somebody who has copied the folder and has `fabricctl` on the PATH.

mod ansible;
mod copy;
mod jobs;
mod walk;
