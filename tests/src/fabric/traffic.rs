//! Streams between hosts of the fabric.

use std::time::Duration;

use crate::traffic::{Stream, StreamOptions, StreamReport};

use super::{Fabric, PATIENCE, until};

/// UDP payloads from the smallest that the probe has to the largest that an MTU of 1500 carries.
const SIZES: [usize; 9] = [16, 18, 64, 100, 512, 1_000, 1_400, 1_471, 1_472];

impl Fabric {
    /// Starts a UDP stream of mixed sizes up to the MTU from one host to another.
    #[must_use]
    pub fn stream(&self, from: &str, to: &str, interval: Duration, port: u16) -> Stream {
        let options = StreamOptions { interval, sizes: &SIZES, port };
        Stream::start(&self.netns(from), &self.netns(to), self.address(to), options)
            .expect("a stream can be started")
    }

    /// As [`Self::stream`], and waits until it arrives.
    #[must_use]
    pub fn running_stream(&self, from: &str, to: &str, interval: Duration, port: u16) -> Stream {
        self.greet(from, to);
        let stream = self.stream(from, to, interval, port);
        until(PATIENCE, "the stream arrives", || stream.received() > 20);
        stream
    }

    /// Sends a stream of `count` datagrams or a few more and reports.
    #[must_use]
    pub fn send(&self, from: &str, to: &str, count: u64) -> StreamReport {
        let stream = self.stream(from, to, Duration::from_millis(1), 7_000);
        until(PATIENCE, "the stream arrives", || stream.received() >= count);
        stream.stop().expect("the stream can send")
    }
}
