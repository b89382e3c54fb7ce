mod captured;
mod live;
mod malformed;
pub(crate) mod random;
mod routing;
