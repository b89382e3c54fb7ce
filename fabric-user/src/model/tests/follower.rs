//! Does what the daemon does with each event: compiles only what it must.

use std::collections::HashMap;

use crate::{
    model::{
        Desired, Dirty, FdbKey, Network, Policy, Structure, Target, compile, compile_fdb,
        compile_mac, compile_structure,
    },
    observe::{Event, Snapshot},
};

pub(super) struct Follower {
    pub(super) network: Network,
    pub(super) policy: Policy,
    structure: Structure,
    fdb: HashMap<FdbKey, Target>,
    /// How often all MACs were compiled.
    pub(super) full_compilations: usize,
}

impl Follower {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            network: Network::new(),
            policy,
            structure: Structure::default(),
            fdb: HashMap::new(),
            full_compilations: 0,
        }
    }

    pub(super) fn apply(&mut self, event: Event) -> Dirty {
        let dirty = self.network.apply(event);
        self.update(&dirty);
        dirty
    }

    pub(super) fn replace(&mut self, snapshot: Snapshot) {
        let dirty = self.network.replace(snapshot);
        self.update(&dirty);
    }

    fn update(&mut self, dirty: &Dirty) {
        if dirty.needs_structure(&self.structure) {
            self.structure = compile_structure(&self.network, &self.policy);
        }
        if dirty.all_macs() {
            self.fdb = compile_fdb(&self.network, &self.structure);
            self.full_compilations += 1;
        } else {
            for key in &dirty.macs {
                match compile_mac(&self.network, &self.structure, *key) {
                    Some(target) => self.fdb.insert(*key, target),
                    None => self.fdb.remove(key),
                };
            }
        }
    }

    /// What was compiled step by step, which must be what a full compilation gives.
    pub(super) fn desired(&self) -> Desired {
        let desired = Desired { structure: self.structure.clone(), fdb: self.fdb.clone() };
        assert_eq!(desired, compile(&self.network, &self.policy), "no change may be overlooked");
        desired
    }
}
