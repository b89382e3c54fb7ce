mod captured;
mod ipsec;
pub(crate) mod live;
mod malformed;
mod netfilter;
mod path;
pub(crate) mod random;
mod routing;
