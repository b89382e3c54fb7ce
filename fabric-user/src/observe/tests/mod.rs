mod captured;
mod live;
mod malformed;
mod random;
