//! Commands that are interrupted, by the signals that Ctrl-C and service managers send: they end, and
//! nothing half-done stays.

use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fabric_tests::fabric::fabricctl;
use fabric_user::lab::Lab;
use fabric_user::lab::process::Process;
use rustix::process::Signal;

use crate::fixture::{self, Leftover, converged, one_site, pings, processes, traces, wait_until};

/// What every command promises on a machine that has nothing else to do.
const PROMISE: Duration = Duration::from_secs(2);

/// The promise on a machine that other tests keep busy. Who broke it would wait for a process or for FRR,
/// which the lab gives a minute.
const BUSY_PROMISE: Duration = Duration::from_secs(30);

/// A `fabricctl lab` that is killed when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts it as a shell starts commands in the background: with Ctrl-C ignored.
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(fabricctl()).arg("lab");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("a shell can be started"))
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = Process::of(self.0.id().cast_signed()) {
            process.signal(signal);
        }
    }

    /// Waits for its end; how long that took.
    fn wait(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let mut status = None;
        wait_until("the command ends", || {
            status = self.0.try_wait().expect("it is our child");
            status.is_some()
        });
        (status.expect("it ended"), start.elapsed())
    }
}

/// Signals of the test's attempts in turn.
fn signal_of(attempt: u32) -> Signal {
    if attempt.is_multiple_of(2) { Signal::INT } else { Signal::TERM }
}

/// Moments spread over `time`, each at its own place within its share.
fn moments(time: Duration, count: u32) -> impl Iterator<Item = (u32, Duration)> {
    let seed = std::process::id();
    (0..count).map(move |attempt| {
        let jitter = seed.wrapping_add(attempt).wrapping_mul(2_654_435_761) >> 24;
        (attempt, time * (attempt * 256 + jitter) / (count * 256))
    })
}

fn assert_nothing_is_left(name: &str, when: Duration) {
    assert_eq!(traces(name), Vec::<PathBuf>::new(), "interrupted after {when:?}");
    assert_eq!(processes(name), Vec::<String>::new(), "interrupted after {when:?}");
}

#[test]
fn an_up_that_is_interrupted_at_any_moment_ends_at_once_and_leaves_nothing() {
    let name = fixture::options("any").name.expect("named");
    let _leftover = Leftover(name.clone());
    let topology = fixture::path("one-site");
    let up = ["up", topology.to_str().expect("valid text"), "--name", &name];
    let uninterrupted = || {
        let start = Instant::now();
        let (status, _) = Running::start(&up).wait();
        assert!(status.success(), "{status}");
        let whole = start.elapsed();
        assert!(Lab::take_down(&name, &mut |_| {}).expect("it goes down"));
        whole
    };
    let whole = uninterrupted();

    for (attempt, moment) in moments(whole, 12) {
        let mut running = Running::start(&up);
        std::thread::sleep(moment);
        running.signal(signal_of(attempt));
        let (status, took) = running.wait();
        if status.success() {
            // It was faster than the signal.
            assert!(Lab::take_down(&name, &mut |_| {}).expect("it goes down"));
        }
        assert_nothing_is_left(&name, moment);
        // A busy machine, on which everything takes longer, breaks no promise, also if it became one meanwhile.
        let limit = PROMISE.max(whole);
        assert!(
            took < limit || took < uninterrupted(),
            "interrupted after {moment:?} it took {took:?}"
        );
    }
}

#[test]
fn a_down_that_is_interrupted_takes_everything_down() {
    let name = fixture::options("down").name.expect("named");
    let _leftover = Leftover(name.clone());
    for (attempt, moment) in moments(Duration::from_millis(150), 3) {
        let options = fixture::options("down");
        let mut lab = Lab::up(&one_site(), &options, &mut |_| {}).expect("the lab comes up");
        lab.keep();
        let mut running = Running::start(&["down", "--name", &name]);
        std::thread::sleep(moment);
        running.signal(signal_of(attempt));
        let (status, took) = running.wait();
        if !status.success() {
            // Ended before it was a command that could notice.
            assert!(Lab::take_down(&name, &mut |_| {}).expect("it goes down"), "{moment:?}");
        }
        assert!(took < BUSY_PROMISE, "{took:?}");
        assert_nothing_is_left(&name, moment);
    }
}

#[test]
fn a_host_whose_move_is_interrupted_is_whole_at_its_old_or_its_new_place() {
    let lab = converged("leave");
    let links = || lab.exec("vm02", Command::new("ip").args(["-o", "link", "show"])).expect("ip");
    for (attempt, moment) in moments(Duration::from_millis(400), 8) {
        let from = lab.place("vm02").expect("drawn").switch;
        let to = if from == "leaf01" { "leaf02" } else { "leaf01" };
        let mut running = Running::start(&["migrate", "--name", lab.name(), "vm02", to]);
        std::thread::sleep(moment);
        running.signal(signal_of(attempt));
        running.wait();
        let links = links();
        assert!(!links.contains("arriving"), "interrupted after {moment:?}: {links}");
        assert!(links.contains("eth0"), "interrupted after {moment:?}: {links}");
        let here = lab.place("vm02").expect("drawn");
        lab.exec(&here.switch, Command::new("ip").args(["-o", "link", "show", &here.port]))
            .unwrap_or_else(|error| panic!("interrupted after {moment:?} it is nowhere: {error}"));
        wait_until("the gateway answers", || pings(&lab, "vm02", "10.200.0.1").is_ok());
    }
}

#[test]
fn a_link_whose_silencing_is_interrupted_is_silent_at_both_ends_or_at_none() {
    let lab = fixture::up("half");
    let is_silent = |node: &str| {
        let show = lab.exec(node, Command::new("ip").args(["-o", "link", "show", "swp1"]));
        show.expect("ip").contains("xdp")
    };
    for (attempt, moment) in moments(Duration::from_millis(60), 6) {
        let mut running = Running::start(&["silence", "--name", lab.name(), "leaf01", "swp1"]);
        std::thread::sleep(moment);
        running.signal(signal_of(attempt));
        running.wait();
        assert_eq!(is_silent("leaf01"), is_silent("spine01"), "interrupted after {moment:?}");
        lab.mend("leaf01", "swp1").expect("it can be mended");
    }
}

#[test]
fn a_link_whose_cut_or_mending_is_interrupted_can_be_mended_at_once() {
    let lab = fixture::up("cut");
    let has_carrier = || {
        let show = lab.exec("leaf01", Command::new("ip").args(["-o", "link", "show", "swp1"]));
        show.expect("ip").contains("LOWER_UP")
    };
    for (attempt, moment) in moments(Duration::from_millis(60), 6) {
        for work in ["cut", "mend"] {
            let mut running = Running::start(&[work, "--name", lab.name(), "leaf01", "swp1"]);
            std::thread::sleep(moment);
            running.signal(signal_of(attempt));
            running.wait();
        }
        lab.mend("leaf01", "swp1").expect("it can be mended");
        wait_until("the link has its carrier back", has_carrier);
    }
}

#[test]
fn a_server_that_leaves_or_joins_a_service_when_interrupted_has_all_of_its_addresses_or_none() {
    let lab = fixture::up_from("anycast", "part");
    let service = lab.topology().services.first().expect("drawn").clone();
    let server = service.servers.first().expect("drawn");
    let present = || {
        let show =
            lab.exec(server, Command::new("ip").args(["-o", "address", "show", "dev", "lo"]));
        let show = show.expect("ip");
        let is_there = |address| show.contains(&format!(" {address}/"));
        service.addresses.iter().filter(|address| is_there(*address)).count()
    };
    for (attempt, moment) in moments(Duration::from_millis(60), 6) {
        for work in ["withdraw", "announce"] {
            let mut running = Running::start(&[work, "--name", lab.name(), &service.name, server]);
            std::thread::sleep(moment);
            running.signal(signal_of(attempt));
            running.wait();
            let present = present();
            assert!(
                present == 0 || present == service.addresses.len(),
                "{work} interrupted after {moment:?}: {present} of {}",
                service.addresses.len()
            );
        }
    }
}

#[test]
fn exec_passes_the_signal_on_to_all_that_it_started() {
    let lab = fixture::up("pass");
    let ready = lab.folder().join("ready");
    let run = |script: &str, signal| {
        let _ = std::fs::remove_file(&ready);
        let script = format!("{script}; touch {}; while :; do sleep 0.1; done", ready.display());
        let exec = ["exec", "--name", lab.name(), "vm01", "--", "sh", "-c", &script];
        let mut running = Running::start(&exec);
        wait_until("the command runs", || ready.exists());
        running.signal(signal);
        running.wait()
    };
    let (status, _) = run("trap 'exit 7' TERM", Signal::TERM);
    assert_eq!(status.code(), Some(7), "its own answer to the signal is the answer");
    let (status, _) = run("true", Signal::INT);
    assert_eq!(status.code(), Some(130), "as a shell says it");
    let (status, _) = run("(trap '' TERM; sleep 600) & true", Signal::TERM);
    assert_eq!(status.code(), Some(143), "what it left in the background goes as well");
    let (status, took) = run("trap '' TERM INT", Signal::INT);
    assert_eq!(status.code(), Some(137), "who does not listen is ended");
    assert!(took < BUSY_PROMISE, "{took:?}");
    let namespace = lab.node("vm01").expect("drawn").netns().identity().expect("it is there");
    let left = || fabric_user::lab::process::inside(&[namespace]);
    wait_until("nothing of it goes on", || left().is_empty());
}

#[test]
fn a_daemon_of_frr_that_hangs_keeps_nobody() {
    let lab = converged("stuck");
    let netns = lab.node("leaf01").expect("drawn").netns().name().to_owned();
    let daemons = fabric_user::lab::daemons::frr_processes(&netns);
    assert!(daemons.len() >= 2, "zebra and bgpd: {daemons:?}");
    // Those that somebody has stopped are not asked.
    daemons.iter().for_each(|process| process.signal(Signal::STOP));
    let start = Instant::now();
    let status = Command::new(fabricctl()).args(["lab", "status", "--name", lab.name()]).output();
    let (status, took) = (status.expect("fabricctl starts"), start.elapsed());
    daemons.iter().for_each(|process| process.signal(Signal::CONT));
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    assert!(String::from_utf8_lossy(&status.stdout).contains("is suspended"), "{status:?}");
    assert!(took < BUSY_PROMISE, "{took:?}");

    // One that takes calls and never answers keeps nobody who wants to end.
    let socket = fabric_user::lab::daemons::vty_socket(&netns, "bgpd");
    std::fs::remove_file(&socket).expect("bgpd has a socket");
    let deaf = UnixListener::bind(&socket).expect("it can be made anew");
    deaf.set_nonblocking(true).expect("it can be");
    for attempt in 0..2 {
        let mut running = Running::start(&["status", "--name", lab.name()]);
        let mut call = None;
        wait_until("bgpd is asked", || {
            call = deaf.accept().ok();
            call.is_some()
        });
        running.signal(signal_of(attempt));
        let (status, took) = running.wait();
        assert_eq!(status.signal(), Some(signal_of(attempt).as_raw()), "it waited: {status}");
        assert!(took < BUSY_PROMISE, "{took:?}");
    }
}
