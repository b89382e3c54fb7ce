//! The applier and the maps of an instance of its own.

use std::time::Duration;

use super::*;
use crate::{
    daemon::follower::Follower,
    hashed::HashMap,
    model::{Answers, Macs, Routes, View},
    observe::{
        Observer,
        tests::live::{PATIENCE, in_namespace, sh},
    },
    reconcile::Outcome,
};

/// Runs a test in a new network namespace with an applier whose programs and maps go with it.
fn with_applier<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(Applier, Agenda) -> F + Send + 'static,
) {
    let name = format!("{name}-{}", std::process::id());
    let instance = Instance::new(&name).unwrap();
    let run_folder = std::env::temp_dir().join(&name);
    let settings =
        Settings { instance: name, run_folder: run_folder.clone(), ..Settings::default() };
    let own = instance.clone();
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        in_namespace(|| async move {
            let agenda = Agenda::default();
            test(Applier::new(own, settings, agenda.clone()).unwrap(), agenda).await;
        });
    }));
    instance.remove().unwrap();
    // It is there if the state was written.
    let _absent = std::fs::remove_dir_all(&run_folder);
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_full_pass_follows_when_something_is_given_back_while_something_found_no_room() {
    with_applier("room", |mut applier, _| async move {
        let view = View { v4: Vec::new(), v6: vec![254] };
        for views in [vec![view], Vec::new()] {
            let structure = Structure { views, ..Structure::default() };
            let routes = Routes::All(HashMap::default());
            let reconciler = applier.reconciler.as_mut().unwrap();
            let answers = Answers::All(HashMap::default());
            reconciler.apply(&structure, &routes, Macs::All(Vec::new()), &answers);
        }
        applier.full.insert("the map views is full".into());
        applier.state.synced = true;
        applier.wake();
        assert!(!applier.full.is_empty(), "the view rests");
        let deadline = Instant::now() + PATIENCE;
        while !applier.full.is_empty() {
            assert!(Instant::now() < deadline, "nobody looks whether there is room");
            std::thread::sleep(Duration::from_millis(10));
            applier.wake();
        }
    });
}

#[test]
fn bridges_are_read_once_for_what_the_kernel_tells_of_them_and_not_for_what_was_read() {
    with_applier("bridges", |mut applier, agenda| async move {
        sh("ip link add br10 type bridge; ip link add br20 type bridge");
        let mut follower = Follower::begin(Observer::open().unwrap(), agenda.clone());
        let news = tokio::time::timeout(PATIENCE, follower.news()).await.expect("there is news");
        applier.take(news);
        assert!(applier.is_synced());
        follower.started();
        sh("ip link set br10 mtu 1400");
        let (mut told, mut read) = (0, 0);
        loop {
            // When bridges were read nothing else is to come.
            let patience = if read == 0 { PATIENCE } else { Duration::from_millis(500) };
            match tokio::time::timeout(patience, follower.news()).await {
                Ok(news) => {
                    match &news {
                        // The mark behind a snapshot brings a batch without an event.
                        News::Batch(Batch::Events(events)) => {
                            told += usize::from(!events.is_empty())
                        }
                        News::Snapshot(it) if it.purpose == Purpose::BridgesByVlan => read += 1,
                        _ => panic!("nothing else is read, and nothing is lost"),
                    }
                    applier.take(news);
                    assert!(read <= told, "what was read is read again");
                }
                Err(_) => break,
            }
        }
        assert!(told > 0 && read > 0);
        assert_eq!(applier.network.links().filter(|link| link.mtu == 1400).count(), 1);
    });
}

#[test]
fn a_port_that_waits_for_a_slot_has_one_that_the_same_pass_has_freed() {
    with_applier("freed", |mut applier, _| async move {
        let mut outcome = Outcome { freed: true, ..Outcome::default() };
        outcome.unusable.insert(7, "port 7 has no slot".into());
        outcome.waiting.insert(7);
        let now = Instant::now();
        // The second failure in a row waits for two seconds.
        applier.retries.failed(7, true, now);
        applier.leave_out(&outcome, now);
        assert_eq!(applier.retries.due(now + Duration::from_millis(1_900)), [7]);
    });
}
