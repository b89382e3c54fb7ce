//! Does what the daemon does with each event: compiles only what it must.

use super::world::gone;
use crate::{hashed::HashMap, model::*, observe::*};

pub(super) struct Follower {
    pub(super) network: Network,
    pub(super) policy: Policy,
    structure: Structure,
    fdb: HashMap<FdbKey, Target>,
    pub(super) left: LeftMacs,
    routes: HashMap<RoutePlace, Way>,
    /// How often all MACs were compiled.
    pub(super) full_compilations: usize,
    /// How often the structure was compiled.
    pub(super) structures: usize,
    /// How often all routes were compiled.
    pub(super) all_routes: usize,
    /// Places of routes that were compiled singly.
    pub(super) places: usize,
}

impl Follower {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            network: Network::new(),
            policy,
            structure: Structure::default(),
            fdb: HashMap::default(),
            left: LeftMacs::default(),
            routes: HashMap::default(),
            full_compilations: 0,
            structures: 0,
            all_routes: 0,
            places: 0,
        }
    }

    pub(super) fn apply(&mut self, event: impl Into<Event>) -> Dirty {
        let dirty = self.network.apply(event.into());
        self.update(&dirty);
        dirty
    }

    /// Takes back what a message said.
    pub(super) fn withdraw(&mut self, said: impl Into<Event>) -> Dirty {
        self.apply(gone(said))
    }

    pub(super) fn replace(&mut self, snapshot: Snapshot) -> Dirty {
        let Snapshot { scope: Scope::All, events } = snapshot else {
            let dirty = self.network.replace_routing(snapshot.events);
            self.update(&dirty);
            return dirty;
        };
        self.network = Network::new();
        let mut unused = Dirty::default();
        for event in events {
            self.network.apply_to(event, &mut unused);
        }
        self.replace_all();
        Dirty::everything()
    }

    /// Compiles everything, for a network that was changed without it.
    pub(super) fn replace_all(&mut self) {
        self.update(&Dirty::everything());
    }

    /// Number of places that have a way.
    pub(super) fn routes(&self) -> usize {
        self.routes.len()
    }

    fn update(&mut self, dirty: &Dirty) {
        let mut all_routes = dirty.all_routes;
        let before = self.structure.clone();
        if dirty.needs_structure(&self.network, &self.structure) {
            let structure = compile_structure(&self.network, &self.policy);
            all_routes |= !structure.routes_like(&self.structure);
            self.structure = structure;
            self.structures += 1;
        }
        if all_routes {
            let mut count = 0;
            let counted = compile_routes(&self.network, &self.structure).inspect(|_| count += 1);
            self.routes = counted.collect();
            assert_eq!(count, self.routes.len(), "each place once");
            self.all_routes += 1;
        } else {
            let places = dirty.places(&self.network, &self.structure, &before);
            self.places += places.len();
            for place in places {
                match compile_route(&self.network, &self.structure, place) {
                    Some(way) => self.routes.insert(place, way),
                    None => self.routes.remove(&place),
                };
            }
        }
        if dirty.all_macs() || dirty.chains && !self.structure.macs_like(&before) {
            self.fdb = self.left.compile_fdb(&self.network, &self.structure).into_iter().collect();
            self.full_compilations += 1;
        } else {
            for key in &dirty.macs {
                match self.left.compile_mac(&self.network, &self.structure, *key) {
                    Some(target) => self.fdb.insert(*key, target),
                    None => self.fdb.remove(key),
                };
            }
        }
    }

    /// What was compiled step by step, which must be what a full compilation gives.
    pub(super) fn desired(&self) -> Desired {
        let desired = Desired {
            structure: self.structure.clone(),
            fdb: self.fdb.clone(),
            routes: self.routes.clone(),
        };
        assert_eq!(desired, compile(&self.network, &self.policy), "no change may be overlooked");
        let mut left = LeftMacs::default();
        let _places = left.compile_fdb(&self.network, &self.structure);
        assert_eq!(self.left.problems(&self.network), left.problems(&self.network));
        desired
    }

    /// All of that but MACs and routes.
    pub(super) fn structure(&self) -> Structure {
        self.desired().structure
    }
}
