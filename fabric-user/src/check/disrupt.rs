//! What is broken in a lab for a while, under a stream of pings, and put back whatever happens.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Pid, Signal, kill_process},
};
use serde::{Deserialize, Serialize};

use super::probe::{Break, Probe, Ran};
use crate::{
    facts::Facts,
    lab::{Fault, Lab, LabError},
};

/// How long a stream may take until it is answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is watched which port it goes by.
const WATCH: Duration = Duration::from_millis(500);
/// How often somebody who waits looks whether to stop.
const POLL: Duration = Duration::from_millis(10);

/// What a stream has gone through. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// The port that was broken, or where the host went; none if the stream does not go by any that may be.
    pub(crate) what: Option<String>,
    /// Time between two packets.
    pub(crate) interval_us: u64,
    /// The longest time without an answer since it was broken.
    pub(crate) broken_us: u64,
    /// The same since it was put back.
    pub(crate) back_us: u64,
    /// Packets that were lost in all.
    pub(crate) lost: u32,
    /// Packets in all.
    pub(crate) sent: u32,
}

/// Breaks something, and puts it back. `facts` asks a node for what it knows.
///
/// # Errors
/// If the lab refuses, or nobody answers before: a sentence.
pub(super) fn run(
    lab: &Lab,
    probe: &Probe,
    facts: &dyn Fn(&str) -> Option<Facts>,
    stop: &AtomicBool,
) -> Result<Ran, String> {
    let trouble = match probe {
        Probe::Failover { cut, how, from, to, interval_ms, hold_ms } => {
            let stream = Stream::start(lab, from, &to.to_string(), *interval_ms, stop)?;
            let way = || way(lab, cut, stream.interval, facts, stop);
            let way = way().map_err(|error| error.with_causes())?;
            failover(lab, way, *how, stream, Duration::from_millis(*hold_ms), stop)
        }
        Probe::Migrate { host, target, from, to, interval_ms, hold_ms } => {
            let stream = Stream::start(lab, from, &to.to_string(), *interval_ms, stop)?;
            migrate(lab, host, target, stream, Duration::from_millis(*hold_ms), stop)
        }
        _ => return Err("it breaks nothing".into()),
    };
    let trouble = trouble.map_err(|error| error.with_causes())?;
    let output = serde_json::to_string(&trouble).map_err(|error| error.to_string())?;
    Ok(Ran { status: Some(0), output, errors: String::new() })
}

fn failover(
    lab: &Lab,
    way: Option<&(String, String)>,
    how: Break,
    stream: Stream,
    hold: Duration,
    stop: &AtomicBool,
) -> Result<Trouble, LabError> {
    let Some((node, port)) = way else {
        return stream.end(None, [now(); 2]);
    };
    let broken = now();
    let fault = match how {
        Break::Cut => Fault::cut(lab, node, port)?,
        Break::Silence => Fault::silence(lab, node, port)?,
    };
    sleep(hold, stop);
    let back = now();
    fault.mend()?;
    sleep(hold, stop);
    stream.end(Some(format!("{node}:{port}")), [broken, back])
}

fn migrate(
    lab: &Lab,
    host: &str,
    target: &str,
    stream: Stream,
    hold: Duration,
    stop: &AtomicBool,
) -> Result<Trouble, LabError> {
    let home = lab.place(host)?.switch;
    let broken = now();
    lab.migrate(host, target)?;
    sleep(hold, stop);
    let back = now();
    // Also if somebody wants it to end.
    lab.migrate(host, &home)?;
    sleep(hold, stop);
    stream.end(Some(target.to_owned()), [broken, back])
}

/// The one of these ports by which most of the stream goes.
fn way<'a>(
    lab: &Lab,
    ports: &'a [(String, String)],
    interval: Duration,
    facts: &dyn Fn(&str) -> Option<Facts>,
    stop: &AtomicBool,
) -> Result<Option<&'a (String, String)>, LabError> {
    let count = || -> Result<Vec<[u64; 2]>, LabError> {
        ports
            .iter()
            .map(|(node, port)| Ok([driver(lab, node, port)?, maps(facts(node), port)]))
            .collect()
    };
    let before = count()?;
    sleep(WATCH, stop);
    let after = count()?;
    // Not every driver counts what programs send.
    let grown = before.iter().zip(&after).map(|(before, after)| {
        before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before)).max()
    });
    // One direction alone, and not what control planes say to each other.
    let enough = WATCH.as_micros() / interval.as_micros().max(1) / 2;
    let most = grown.map(Option::unwrap_or_default).zip(ports).max_by_key(|(grown, _)| *grown);
    Ok(most.filter(|(grown, _)| u128::from(*grown) >= enough).map(|(_, port)| port))
}

/// Packets that a port has received and sent, as its programs count them.
fn maps(facts: Option<Facts>, port: &str) -> u64 {
    let fabric = facts.and_then(|it| it.fabric);
    let count = fabric.and_then(|it| it.counted.ports.get(port).cloned()).unwrap_or_default();
    count.sent.packets + count.received.values().map(|it| it.packets).sum::<u64>()
}

/// The same as its driver counts them.
fn driver(lab: &Lab, node: &str, port: &str) -> Result<u64, LabError> {
    #[derive(Deserialize)]
    struct Interface {
        stats64: Both,
    }
    #[derive(Deserialize)]
    struct Both {
        rx: Count,
        tx: Count,
    }
    #[derive(Deserialize)]
    struct Count {
        packets: u64,
    }
    let text =
        lab.exec(node, Command::new("ip").args(["-j", "-s", "link", "show", "dev", port]))?;
    let all: Vec<Interface> = serde_json::from_str(&text).unwrap_or_default();
    Ok(all.iter().map(|it| it.stats64.rx.packets + it.stats64.tx.packets).sum())
}

/// Pings that go on until they are ended.
struct Stream {
    child: Child,
    output: File,
    interval: Duration,
}

impl Stream {
    /// Begins, and waits for the first answer.
    fn start(
        lab: &Lab,
        from: &str,
        to: &str,
        interval_ms: u64,
        stop: &AtomicBool,
    ) -> Result<Self, String> {
        let memory = || {
            Ok::<_, std::io::Error>(File::from(memfd_create("fabric-check", MemfdFlags::CLOEXEC)?))
        };
        let output = memory().map_err(|error| error.to_string())?;
        let copy = output.try_clone().map_err(|error| error.to_string())?;
        let seconds = format!("{}.{:03}", interval_ms / 1000, interval_ms % 1000);
        let mut command = Command::new("ping");
        command.args(["-n", "-D", "-i", &seconds, to]);
        command.stdin(Stdio::null()).stdout(copy).stderr(Stdio::null());
        let child = lab.spawn(from, &mut command).map_err(|error| error.with_causes())?;
        let mut stream = Self { child, output, interval: Duration::from_millis(interval_ms) };
        let start = Instant::now();
        while answers(&stream.read()).is_empty() {
            if stop.load(Ordering::Relaxed) || start.elapsed() > PATIENCE {
                return Err(format!(
                    "{from} gets no answer from {to}, so that there is no stream to disturb"
                ));
            }
            std::thread::sleep(POLL);
        }
        Ok(stream)
    }

    fn read(&mut self) -> String {
        let mut text = String::new();
        // The child writes behind where it has written last: the copy shares the place in the file.
        let Ok(place) = self.output.stream_position() else { return text };
        let read = self.output.rewind().and_then(|()| self.output.read_to_string(&mut text));
        let back = self.output.seek(std::io::SeekFrom::Start(place.max(text.len() as u64)));
        match (read, back) {
            (Ok(_), Ok(_)) => text,
            _ => String::new(),
        }
    }

    /// Ends, and says what it has gone through between these times and from there on.
    fn end(mut self, what: Option<String>, [broken, back]: [u64; 2]) -> Result<Trouble, LabError> {
        let pid = Pid::from_child(&self.child);
        // It prints how many it has sent.
        let _ = kill_process(pid, Signal::INT);
        self.child.wait().map_err(LabError::file("wait for", "ping"))?;
        let text = self.read();
        let (sent, received) = counts(&text);
        let times = answers(&text);
        let interval_us = self.interval.as_micros() as u64;
        Ok(Trouble {
            what,
            interval_us,
            broken_us: longest(&times, broken, back).saturating_sub(interval_us),
            back_us: longest(&times, back, now()).saturating_sub(interval_us),
            lost: sent.saturating_sub(received),
            sent,
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It fails if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Times of answers in what `ping -D` prints, in microseconds since 1970.
fn answers(text: &str) -> Vec<u64> {
    let time = |line: &str| {
        // [1732900000.123456] 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.028 ms
        let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (seconds, micros) = time.split_once('.')?;
        rest.contains(" bytes from ").then_some(())?;
        Some(seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?)
    };
    text.lines().filter_map(time).collect()
}

/// How many were sent and received, as `ping` says at its end.
fn counts(text: &str) -> (u32, u32) {
    let pinged = super::probe::Pinged::of(&Ran { output: text.into(), ..Ran::default() });
    pinged.map_or((0, 0), |it| (it.sent, it.received))
}

/// The longest time between two answers that lies at least in part between two moments.
fn longest(times: &[u64], from: u64, to: u64) -> u64 {
    let last = times.last().copied().unwrap_or(from);
    let pairs = times.windows(2).map(|pair| (pair[0], pair[1])).chain([(last, to.max(last))]);
    let inside = pairs.filter(|(before, after)| *after > from && *before < to);
    inside.map(|(before, after)| after - before).max().unwrap_or_default()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}

/// Waits, unless somebody wants it to end.
fn sleep(time: Duration, stop: &AtomicBool) {
    let end = Instant::now() + time;
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(POLL.min(end.saturating_duration_since(Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.
[100.000000] 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.028 ms
[100.010000] 64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=0.028 ms
[100.015000] From 10.0.0.2 icmp_seq=3 Destination Host Unreachable
[100.070000] 64 bytes from 10.0.0.1: icmp_seq=8 ttl=64 time=0.028 ms
[100.080000] 64 bytes from 10.0.0.1: icmp_seq=9 ttl=64 time=0.028 ms

9 packets transmitted, 4 received, 55% packet loss, time 80ms
";

    #[test]
    fn an_outage_is_the_longest_time_without_an_answer_that_touches_its_phase() {
        let times = answers(TEXT);
        assert_eq!(times.len(), 4, "an error is no answer");
        assert_eq!(counts(TEXT), (9, 4));
        let at = |ms: u64| 100_000_000 + ms * 1_000;
        assert_eq!(longest(&times, at(20), at(75)), 60_000);
        assert_eq!(longest(&times, at(75), at(85)), 10_000);
        assert_eq!(longest(&times, at(85), at(185)), 105_000, "nobody has answered since");
    }
}
