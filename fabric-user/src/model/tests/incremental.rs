//! Does what the daemon does with each event: compiles only what it must.

use super::world::gone;
use crate::{hashed::HashMap, model::*, observe::*};

pub(super) struct Incremental {
    pub(super) network: Network,
    pub(super) policy: Policy,
    compiled: Compiled,
    fdb: HashMap<FdbKey, Target>,
    routes: HashMap<RoutePlace, Way>,
    answers: HashMap<AnswerKey, Answer>,
    /// How often all MACs were compiled.
    pub(super) full_compilations: usize,
    /// How often the structure was compiled.
    pub(super) structures: usize,
    /// How often all routes were compiled.
    pub(super) all_routes: usize,
    /// Places of routes that were compiled singly.
    pub(super) places: usize,
}

impl Incremental {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            network: Network::new(),
            policy,
            compiled: Compiled::default(),
            fdb: HashMap::default(),
            routes: HashMap::default(),
            answers: HashMap::default(),
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

    pub(super) fn replace(&mut self, listing: Listing) -> Dirty {
        let Listing { scope: Scope::All, events } = listing else {
            let dirty = self.network.replace_routing(listing.events);
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

    pub(super) fn update(&mut self, dirty: &Dirty) {
        let Changes { before, routes, macs, answers } =
            self.compiled.update(&self.network, &self.policy, dirty);
        self.structures += usize::from(before.is_some());
        match routes {
            Routes::All(all) => {
                let count = compile_routes(&self.network, self.compiled.structure()).count();
                assert_eq!(count, all.len(), "each place once");
                self.routes = all;
                self.all_routes += 1;
            }
            Routes::Some(some) => {
                self.places += some.len();
                some.into_iter().for_each(|(place, way)| change(&mut self.routes, place, way));
            }
        }
        match macs {
            Macs::All(all) => {
                self.fdb = all.into_iter().collect();
                self.full_compilations += 1;
            }
            Macs::Some(some) => {
                some.into_iter().for_each(|(key, place)| change(&mut self.fdb, key, place));
            }
        }
        match answers {
            Answers::All(all) => self.answers = all,
            Answers::Some(some) => {
                some.into_iter().for_each(|(key, answer)| change(&mut self.answers, key, answer));
            }
        }
    }

    /// What was compiled step by step, which must be what a full compilation gives.
    pub(super) fn desired(&self) -> Desired {
        let desired = Desired {
            structure: self.compiled.structure().clone(),
            fdb: self.fdb.clone(),
            routes: self.routes.clone(),
            answers: self.answers.clone(),
        };
        assert_eq!(desired, compile(&self.network, &self.policy), "no change may be overlooked");
        let mut anew = Compiled::default();
        anew.update(&self.network, &self.policy, &Dirty::everything());
        assert_eq!(self.left_macs(), anew.problems(&self.network));
        desired
    }

    /// MACs that are left to the kernel.
    pub(super) fn left_macs(&self) -> Vec<Problem> {
        self.compiled.problems(&self.network)
    }

    /// All of that but MACs and routes.
    pub(super) fn structure(&self) -> Structure {
        self.desired().structure
    }
}

fn change<K: Eq + std::hash::Hash, V>(all: &mut HashMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => all.insert(key, value),
        None => all.remove(&key),
    };
}
