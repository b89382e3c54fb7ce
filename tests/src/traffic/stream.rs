//! A stream of one flow: datagrams of mixed sizes at a fixed interval.

use std::{io, net::Ipv4Addr, time::Duration};

use fabric_user::lab::{LabError, Netns};

use super::{FlowOptions, FlowReport, FlowStream};

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// Time between two datagrams.
    pub interval: Duration,
    /// See [`FlowOptions::sizes`].
    pub sizes: &'static [usize],
    /// UDP port at both ends.
    pub port: u16,
}

/// What arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received, each counted once.
    pub received: u64,
    /// Datagrams received a second time.
    pub duplicates: u64,
    /// Datagrams whose bytes were not those that were sent.
    pub damaged: u64,
    /// Longest time in which everything that was sent got lost, see [`FlowReport::outage`].
    pub outage: Duration,
}

impl StreamReport {
    /// Datagrams that did not arrive.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

impl From<FlowReport> for StreamReport {
    fn from(report: FlowReport) -> Self {
        let sent = report.sent();
        Self {
            sent,
            received: sent - report.lost(|_| true),
            duplicates: report.duplicates,
            damaged: report.damaged,
            outage: report.outage(|_| true).map_or(Duration::ZERO, |outage| outage.length()),
        }
    }
}

/// A stream that runs until it is stopped.
#[derive(Debug)]
pub struct Stream(FlowStream);

impl Stream {
    /// Starts to send from one host to another.
    ///
    /// # Errors
    /// If a namespace cannot be entered or gives no socket.
    pub fn start(
        from: &Netns,
        to: &Netns,
        address: Ipv4Addr,
        options: StreamOptions,
    ) -> Result<Self, LabError> {
        let StreamOptions { interval, sizes, port } = options;
        let rate = (1.0 / interval.as_secs_f64()) as u32;
        let options = FlowOptions { flows: 1, rate, first_port: port, port, sizes };
        FlowStream::start(from, address.into(), std::slice::from_ref(to), options).map(Self)
    }

    /// Datagrams that have arrived so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received()
    }

    /// Stops, waits for stragglers and counts.
    ///
    /// # Errors
    /// As [`FlowStream::stop`].
    pub fn stop(self) -> io::Result<StreamReport> {
        self.0.stop().map(StreamReport::from)
    }
}
