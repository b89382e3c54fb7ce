mod captured;
mod ipsec;
pub(crate) mod live;
mod malformed;
pub(crate) mod random;
mod routing;
