mod captured;
pub(crate) mod live;
mod malformed;
pub(crate) mod random;
mod routing;
