//! A pass and the maps, without a network.

use std::time::Duration;

use super::*;
use crate::{
    hashed::HashMap,
    model::{Macs, Routes, View},
    observe::tests::live::{PATIENCE, in_namespace},
};

#[test]
fn a_full_pass_follows_when_something_is_given_back_while_something_found_no_room() {
    let name = format!("room-{}", std::process::id());
    let instance = Instance::new(&name).unwrap();
    let run_folder = std::env::temp_dir().join(&name);
    let settings =
        Settings { instance: name, run_folder: run_folder.clone(), ..Settings::default() };
    let own = instance.clone();
    let done = std::panic::catch_unwind(|| {
        in_namespace(|| async move {
            let mut applier = Applier::new(own, settings, Agenda::default()).unwrap();
            let view = View { v4: Vec::new(), v6: vec![254] };
            for views in [vec![view], Vec::new()] {
                let structure = Structure { views, ..Structure::default() };
                let routes = Routes::All(HashMap::default());
                let reconciler = applier.reconciler.as_mut().unwrap();
                reconciler.apply(&structure, &routes, Macs::All(Vec::new()));
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
    });
    instance.remove().unwrap();
    // It is there if the state was written.
    let _absent = std::fs::remove_dir_all(&run_folder);
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}
