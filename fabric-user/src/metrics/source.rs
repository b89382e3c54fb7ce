//! Reads maps, interfaces and the daemon's word when somebody asks, and writes the answer.

use std::{
    fmt, fs,
    os::linux::fs::MetadataExt as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aya::maps::MapInfo;
use hyper::body::Bytes;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, prometheus_text, text},
    registry::Registry,
};

use super::{board::Board, family::Scrape, format::Format, interfaces::Listed};
use crate::{
    cli::sight::Sight,
    daemon::state::State,
    kernel::{maps::Maps, pins::Instance},
};

/// What was read so short a time ago is answered again, so that two servers cost as much as one.
const FRESH: Duration = Duration::from_secs(1);
/// A map that there is as long as there are any.
const ANY: &str = "settings";

/// Where answers come from.
pub(super) struct Source {
    instance: Instance,
    opened: Option<Opened>,
    listed: Listed,
    registry: Registry,
    exposed: Arc<Exposed>,
    read: Option<Instant>,
    /// The answers of the last reading.
    pages: Vec<(Format, Bytes)>,
}

/// The maps, in our own memory.
struct Opened {
    maps: Maps,
    /// The kernel's number of one of them: others are other maps.
    id: u32,
    /// Seconds since 1970 at which they were pinned.
    began: Option<f64>,
}

/// What the collector writes.
#[derive(Debug)]
struct Exposed {
    board: Arc<Board>,
    found: Mutex<Found>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Found {
    state: Option<Arc<State>>,
    sight: Option<Sight>,
    began: Option<f64>,
    took: Duration,
}

impl Source {
    /// Reads the maps of an instance, and what its daemon writes on `board`.
    pub(super) fn new(instance: Instance, board: Arc<Board>) -> Self {
        let exposed = Arc::new(Exposed { board, found: Mutex::default() });
        let mut registry = Registry::with_prefix("fabric");
        registry.register_collector(Box::new(Arc::clone(&exposed)));
        let (opened, listed, read) = (None, Listed::default(), None);
        Self { instance, opened, listed, registry, exposed, read, pages: Vec::new() }
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// If a counter cannot be written, which does not happen.
    pub(super) async fn answer(&mut self, format: Format) -> Result<Bytes, fmt::Error> {
        if self.read.is_none_or(|at| at.elapsed() >= FRESH) {
            let found = self.look().await;
            *self.exposed.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
            self.read = Some(Instant::now());
            self.pages.clear();
        }
        if let Some((_, page)) = self.pages.iter().find(|(known, _)| *known == format) {
            return Ok(page.clone());
        }
        let mut page = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut page, &self.registry)?,
            Format::Text => prometheus_text::encode(&mut page, &self.registry)?,
        }
        let page = Bytes::from(page);
        self.pages.push((format, page.clone()));
        Ok(page)
    }

    /// Reads everything.
    async fn look(&mut self) -> Found {
        let start = Instant::now();
        let state = self.exposed.board.said();
        self.follow();
        let Some(Opened { maps, began, .. }) = &self.opened else {
            return Found { state, took: start.elapsed(), ..Found::default() };
        };
        let interfaces = self.listed.get().await;
        let sight = Sight::read(maps, interfaces, state.as_deref());
        let sight = sight.inspect_err(|error| tracing::warn!(%error, "no metrics of maps")).ok();
        Found { state, sight, began: *began, took: start.elapsed() }
    }

    /// Opens the maps if there are others than before, and gives them up if there are none.
    pub(super) fn follow(&mut self) {
        let path = self.instance.map(ANY);
        let id = MapInfo::from_pin(&path).ok().map(|info| info.id());
        if self.opened.as_ref().map(|opened| opened.id) == id {
            return;
        }
        self.opened = id.and_then(|id| {
            // Some may not be pinned yet, or not any more: the next one who asks finds them.
            let maps = Maps::open(&self.instance, false).ok()?;
            let made = fs::metadata(&path).ok();
            let began = made.map(|it| it.st_ctime() as f64 + it.st_ctime_nsec() as f64 / 1e9);
            Some(Opened { maps, id, began })
        });
    }

    /// Maps are held, which may be gone.
    pub(super) const fn holds_maps(&self) -> bool {
        self.opened.is_some()
    }
}

impl Collector for Exposed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let Found { state, sight, began, took } = &*found;
        let (state, sight) = (state.as_deref(), sight.as_ref());
        let scrape = Scrape { board: &self.board, state, sight, began: *began, took: *took };
        scrape.encode(&mut encoder)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Source {
        /// One that always answers this.
        pub(in crate::metrics) fn of(board: Arc<Board>, state: State, sight: Sight) -> Self {
            let instance = Instance::new("metrics-of-no-instance").unwrap();
            let mut this = Self::new(instance, board);
            let found = Found {
                state: Some(Arc::new(state)),
                sight: Some(sight),
                began: Some(1_700_000_000.5),
                took: Duration::from_millis(2),
            };
            *this.exposed.found.lock().unwrap() = found;
            // It is fresh for as long as a test may take.
            this.read = Some(Instant::now() + Duration::from_secs(3_600));
            this
        }
    }
}
