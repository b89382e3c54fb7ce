//! What is broken in a lab for a while, under a stream of pings, and put back whatever happens.

use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::fs::FileExt as _,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Pid, Signal, kill_process},
};
use serde::{Deserialize, Serialize};

use super::probe::{Break, Part, Probe, Ran};
use crate::{
    facts::{Facts, counted::PortCount},
    lab::{Fault, Lab, LabError, topology::End},
};

/// How long a stream may take until it is answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is watched which port it goes by.
const WATCH: Duration = Duration::from_millis(500);
/// Packets that were sent so short before the end may still be answered.
const FLIGHT: Duration = Duration::from_millis(200);
/// How often somebody who waits looks whether to stop.
const POLL: Duration = Duration::from_millis(10);

/// What a stream has gone through. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// What was broken, or where the host went; none if the stream goes by nothing that may be.
    pub(crate) what: Option<String>,
    /// Time between two packets.
    pub(crate) interval_us: u64,
    /// The longest time without an answer since it was broken.
    pub(crate) broken_us: u64,
    /// The same since it was put back.
    pub(crate) back_us: u64,
    /// Packets that were lost since the first answer.
    pub(crate) lost: u32,
    /// Packets since then.
    pub(crate) sent: u32,
}

/// Breaks something, and puts it back. `facts` asks a node for what it knows.
///
/// # Errors
/// If the lab refuses, nobody answers before, or somebody wants it to end, after which nothing has had the time to fail:
/// a sentence.
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
    let trouble = trouble?;
    if stop.load(Ordering::Relaxed) {
        return Err("it was interrupted".into());
    }
    let output = serde_json::to_string(&trouble).map_err(|error| error.to_string())?;
    Ok(Ran { status: Some(0), output, errors: String::new() })
}

fn failover(
    lab: &Lab,
    way: Option<&Part>,
    how: Break,
    stream: Stream,
    hold: Duration,
    stop: &AtomicBool,
) -> Result<Trouble, String> {
    let Some(part) = way else {
        return stream.end(None, [now(); 2]);
    };
    let ends = ends(lab, part).map_err(|error| error.with_causes())?;
    let broken = now();
    let fault = |(node, port): &(String, String)| match how {
        Break::Cut => Fault::cut(lab, node, port),
        Break::Silence => Fault::silence(lab, node, port),
    };
    // If one cannot be broken, those before are mended.
    let faults: Result<Vec<Fault<'_>>, LabError> = ends.iter().map(fault).collect();
    let faults = faults.map_err(|error| error.with_causes())?;
    sleep(hold, stop);
    let back = now();
    let mend = |(fault, (node, port)): (Fault<'_>, &(String, String))| {
        fault.mend().map_err(|error| {
            format!(
                "the link at {node}:{port} stays broken: {}; `fabricctl lab mend {node} {port}` mends it",
                error.with_causes()
            )
        })
    };
    // Each of them, also if one cannot be mended.
    faults.into_iter().zip(&ends).map(mend).fold(Ok(()), Result::and)?;
    sleep(hold, stop);
    stream.end(Some(part.to_string()), [broken, back])
}

/// The ends at which links are broken. Of a node they are those of its neighbours, which lose their carrier.
fn ends(lab: &Lab, part: &Part) -> Result<Vec<(String, String)>, LabError> {
    let Part { node, port } = part;
    if let Some(port) = port {
        return Ok(vec![(node.clone(), port.clone())]);
    }
    let topology = lab.current_topology()?;
    let opposite = |[one, other]: [&End; 2]| match (one.node == *node, other.node == *node) {
        (true, _) => Some((other.node.clone(), other.port.clone())),
        (_, true) => Some((one.node.clone(), one.port.clone())),
        _ => None,
    };
    Ok(topology.cables().filter_map(opposite).collect())
}

/// A host that moves, and comes back when this is dropped.
struct Moved<'a> {
    lab: &'a Lab,
    host: &'a str,
    home: String,
}

impl<'a> Moved<'a> {
    fn to(lab: &'a Lab, host: &'a str, target: &str) -> Result<Self, String> {
        let home = lab.place(host).map_err(|error| error.with_causes())?.switch;
        let moved = Self { lab, host, home };
        // It may fail when the host is there already.
        lab.migrate(host, target).map_err(|error| error.with_causes())?;
        Ok(moved)
    }

    /// Moves it home, also if somebody wants it to end.
    fn back(&self) -> Result<(), String> {
        let Self { lab, host, home } = self;
        let back = || -> Result<(), LabError> {
            match lab.place(host)?.switch == *home {
                true => Ok(()),
                false => lab.migrate(host, home).map(drop),
            }
        };
        back().map_err(|error| {
            format!(
                "{host} is not back at {home}: {}; `fabricctl lab migrate {host} {home}` moves it there",
                error.with_causes()
            )
        })
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.back() {
            tracing::error!("{error}");
        }
    }
}

fn migrate(
    lab: &Lab,
    host: &str,
    target: &str,
    stream: Stream,
    hold: Duration,
    stop: &AtomicBool,
) -> Result<Trouble, String> {
    let broken = now();
    let moved = Moved::to(lab, host, target)?;
    sleep(hold, stop);
    let back = now();
    moved.back()?;
    sleep(hold, stop);
    stream.end(Some(target.to_owned()), [broken, back])
}

/// The one of these by which most of the stream goes.
fn way<'a>(
    lab: &Lab,
    parts: &'a [Part],
    interval: Duration,
    facts: &dyn Fn(&str) -> Option<Facts>,
    stop: &AtomicBool,
) -> Result<Option<&'a Part>, LabError> {
    let count = || -> Result<Vec<[u64; 2]>, LabError> {
        parts.iter().map(|part| Ok([driver(lab, part)?, maps(facts(&part.node), part)])).collect()
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
    let most = grown.map(Option::unwrap_or_default).zip(parts).max_by_key(|(grown, _)| *grown);
    Ok(most.filter(|(grown, _)| u128::from(*grown) >= enough).map(|(_, part)| part))
}

/// Packets that a port, or all of a node, have received and sent, as its programs count them.
fn maps(facts: Option<Facts>, part: &Part) -> u64 {
    let Some(fabric) = facts.and_then(|it| it.fabric) else { return 0 };
    let ports = fabric.counted.ports.iter();
    let meant = ports.filter(|(name, _)| part.port.as_ref().is_none_or(|port| port == *name));
    let count = |count: &PortCount| {
        count.sent.packets + count.received.values().map(|it| it.packets).sum::<u64>()
    };
    meant.map(|(_, it)| count(it)).sum()
}

/// The same as drivers count them.
fn driver(lab: &Lab, part: &Part) -> Result<u64, LabError> {
    #[derive(Deserialize)]
    struct Interface {
        ifname: String,
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
    let topology = lab.current_topology()?;
    let ports: Vec<&str> = match &part.port {
        Some(port) => vec![port],
        None => topology.ports_of(&part.node).map(|it| it.port.as_str()).collect(),
    };
    let text = lab.exec(&part.node, Command::new("ip").args(["-j", "-s", "link", "show"]))?;
    let all: Vec<Interface> = serde_json::from_str(&text).unwrap_or_default();
    let meant = all.iter().filter(|it| ports.contains(&it.ifname.as_str()));
    Ok(meant.map(|it| it.stats64.rx.packets + it.stats64.tx.packets).sum())
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
        let stream = Self { child, output, interval: Duration::from_millis(interval_ms) };
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

    /// What has been printed. The child writes on meanwhile, at a place in the file that the copy shares.
    fn read(&self) -> String {
        let length = self.output.metadata().map_or(0, |it| it.len());
        let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
        match self.output.read_exact_at(&mut text, 0) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// Ends, and says what it has gone through between these times and from there on.
    fn end(mut self, what: Option<String>, [broken, back]: [u64; 2]) -> Result<Trouble, String> {
        let pid = Pid::from_child(&self.child);
        // It prints how many it has sent.
        let _ = kill_process(pid, Signal::INT);
        self.child.wait().map_err(|error| format!("ping does not end: {error}"))?;
        let text = self.read();
        let all = super::probe::Pinged::of(&Ran { output: text.clone(), ..Ran::default() });
        let answers = answers(&text);
        let times: Vec<u64> = answers.iter().map(|it| it.at_us).collect();
        let (sent, lost) = losses(all.unwrap_or_default().sent, &answers, self.interval);
        let interval_us = self.interval.as_micros() as u64;
        Ok(Trouble {
            what,
            interval_us,
            broken_us: longest(&times, broken, back).saturating_sub(interval_us),
            back_us: longest(&times, back, now()).saturating_sub(interval_us),
            lost,
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

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    /// Microseconds since 1970.
    at_us: u64,
    /// Which packet it is of, counted from 1; modulo 2^16.
    number: u16,
}

/// Answers in what `ping -D` prints.
fn answers(text: &str) -> Vec<Answer> {
    let answer = |line: &str| {
        // [1732900000.123456] 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.028 ms
        let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (seconds, micros) = time.split_once('.')?;
        rest.contains(" bytes from ").then_some(())?;
        let number = rest.split_once("icmp_seq=")?.1.split(' ').next()?.parse().ok()?;
        let at_us = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
        Some(Answer { at_us, number })
    };
    text.lines().filter_map(answer).collect()
}

/// Of so many packets, those since the first that was answered, and how many of them were lost. What was lost before, as
/// while the address was asked for, is nobody's fault, and neither are those that are still on their way.
fn losses(sent: u32, answers: &[Answer], interval: Duration) -> (u32, u32) {
    let Some(Answer { number: mut before, .. }) = answers.first().copied() else {
        return (sent, sent);
    };
    let mut numbers = BTreeSet::new();
    let mut place = u32::from(before);
    for answer in answers {
        // Numbers begin anew behind 65535; one that is overtaken is a little less than the one before.
        let step = answer.number.wrapping_sub(before).cast_signed();
        place = place.saturating_add_signed(step.into());
        before = answer.number;
        numbers.insert(place);
    }
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return (sent, sent) };
    let inside = (last - first + 1).saturating_sub(numbers.len() as u32);
    let flying = FLIGHT.as_micros().div_ceil(interval.as_micros().max(1));
    let behind = sent.saturating_sub(*last);
    let behind = behind.saturating_sub(u32::try_from(flying).unwrap_or(u32::MAX));
    (sent.saturating_sub(first.saturating_sub(1)), inside + behind)
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
        let times: Vec<u64> = answers(TEXT).iter().map(|it| it.at_us).collect();
        assert_eq!(times.len(), 4, "an error is no answer");
        let at = |ms: u64| 100_000_000 + ms * 1_000;
        assert_eq!(longest(&times, at(20), at(75)), 60_000);
        assert_eq!(longest(&times, at(75), at(85)), 10_000);
        assert_eq!(longest(&times, at(85), at(185)), 105_000, "nobody has answered since");
    }
    #[test]
    fn packets_are_lost_between_answers_and_neither_before_the_first_nor_on_their_way() {
        let of = |numbers: &[u16]| -> Vec<Answer> {
            numbers.iter().map(|number| Answer { at_us: 0, number: *number }).collect()
        };
        let often = Duration::from_millis(100);
        assert_eq!(losses(9, &answers(TEXT), Duration::from_millis(10)), (9, 5));
        assert_eq!(
            losses(6, &of(&[3, 4, 5]), often),
            (4, 0),
            "two before it was known, one in flight"
        );
        assert_eq!(losses(20, &of(&[1, 2, 3]), often), (20, 15), "nobody has answered since");
        assert_eq!(
            losses(5, &of(&[1, 3, 2, 5, 5]), often),
            (5, 1),
            "one overtakes, one comes twice"
        );
        assert_eq!(
            losses(65_538, &of(&[65_534, 65_535, 0, 2]), often),
            (5, 1),
            "numbers begin anew"
        );
        assert_eq!(losses(4, &[], often), (4, 4));
    }

    #[test]
    fn what_somebody_else_writes_is_read_without_moving_the_place_where_it_writes() {
        use std::io::Write as _;
        let output = File::from(memfd_create("fabric-check", MemfdFlags::CLOEXEC).unwrap());
        let mut writer = output.try_clone().unwrap();
        let child = Command::new("true").spawn().unwrap();
        let stream = Stream { child, output, interval: Duration::from_millis(1) };
        let lines: Vec<String> = (0..20_000).map(|number| format!("{number}\n")).collect();
        let all = lines.concat();
        let writes = std::thread::spawn(move || {
            lines.iter().for_each(|line| writer.write_all(line.as_bytes()).unwrap());
        });
        while !writes.is_finished() {
            assert!(all.starts_with(&stream.read()));
        }
        writes.join().unwrap();
        assert_eq!(stream.read().len(), all.len());
    }
}
