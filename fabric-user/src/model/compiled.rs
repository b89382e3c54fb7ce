//! What a change of the network makes different of what the maps should hold.

use std::mem;

use super::{
    Answer, AnswerKey, Dirty, FdbKey, LeftMacs, Network, Policy, Problem, RoutePlace, Structure,
    Target, Way, compile_answers, compile_answers::changed_answers, compile_route, compile_routes,
    compile_structure,
};
use crate::hashed::HashMap;

/// What of the routes is to be written.
#[derive(Clone, Debug)]
pub enum Routes {
    /// These are all.
    All(HashMap<RoutePlace, Way>),
    /// These have changed; `None` has gone.
    Some(Vec<(RoutePlace, Option<Way>)>),
}

/// What of the MAC addresses is to be written.
#[derive(Clone, Debug)]
pub enum Macs {
    /// These are all.
    All(Vec<(FdbKey, Target)>),
    /// These have changed; `None` has gone.
    Some(Vec<(FdbKey, Option<Target>)>),
}

/// What is to be written of the neighbours that ARP and neighbour discovery are answered by.
#[derive(Clone, Debug)]
pub enum Answers {
    /// These are all.
    All(HashMap<AnswerKey, Answer>),
    /// These have changed; `None` has gone.
    Some(Vec<(AnswerKey, Option<Answer>)>),
}

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The structure was compiled again; this is what was before.
    pub before: Option<Before>,
    /// Routes, under the present structure.
    pub routes: Routes,
    /// MAC addresses, under the present structure.
    pub macs: Macs,
    /// Neighbours that are answered by, under the present structure.
    pub answers: Answers,
}

/// What was compiled before the structure was.
#[derive(Clone, Debug)]
pub struct Before {
    /// The structure.
    pub structure: Structure,
    /// What was left out of all MAC addresses, if these were compiled as well.
    left: Option<LeftMacs>,
}

impl Changes {
    /// Nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before.is_none()
            && matches!(&self.routes, Routes::Some(routes) if routes.is_empty())
            && matches!(&self.macs, Macs::Some(macs) if macs.is_empty())
            && matches!(&self.answers, Answers::Some(answers) if answers.is_empty())
    }

    /// Everything was compiled.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        matches!((&self.routes, &self.macs), (Routes::All(_), Macs::All(_)))
    }
}

/// What was compiled last, as far as it has to be known.
#[derive(Debug, Default)]
pub struct Compiled {
    structure: Structure,
    left: LeftMacs,
}

impl Compiled {
    /// Compiled of something else.
    #[cfg(test)]
    pub fn of(structure: Structure) -> Self {
        Self { structure, ..Self::default() }
    }

    /// What routes and MAC addresses refer to.
    #[must_use]
    pub const fn structure(&self) -> &Structure {
        &self.structure
    }

    /// Compiles what a change has made different, and nothing else.
    pub fn update(&mut self, network: &Network, policy: &Policy, dirty: &Dirty) -> Changes {
        let before = dirty.needs_structure(network, &self.structure).then(|| {
            let structure = compile_structure(network, policy);
            mem::replace(&mut self.structure, structure)
        });
        let old = before.as_ref().unwrap_or(&self.structure);
        let structure = &self.structure;
        let routes = match dirty.all_routes || !structure.routes_like(old) {
            true => Routes::All(compile_routes(network, structure).collect()),
            false => {
                let places = dirty.places(network, structure, old).into_iter();
                let compile = |place| (place, compile_route(network, structure, place));
                Routes::Some(places.map(compile).collect())
            }
        };
        let (mut left, current) = (None, &mut self.left);
        let macs = match dirty.all_macs() || !structure.macs_like(old) {
            true => {
                left = Some(mem::take(current));
                Macs::All(current.compile_fdb(network, structure))
            }
            false => {
                let compile = |key: &FdbKey| (*key, current.compile_mac(network, structure, *key));
                Macs::Some(dirty.macs.iter().map(compile).collect())
            }
        };
        let answers = match dirty.all_macs() || !structure.answers_like(old) {
            true => Answers::All(compile_answers(network, structure)),
            false => Answers::Some(changed_answers(network, structure, dirty)),
        };
        let before = before.map(|structure| Before { structure, left });
        Changes { before, routes, macs, answers }
    }

    /// The maps are still as they were before. What has changed is to be compiled once more.
    pub fn restore(&mut self, before: Before) {
        self.structure = before.structure;
        // Of single MAC addresses the next compilation says anew what is left out.
        if let Some(left) = before.left {
            self.left = left;
        }
    }

    /// What of the MAC addresses is left to the kernel though a bridge knows them.
    #[must_use]
    pub fn problems(&self, network: &Network) -> Vec<Problem> {
        self.left.problems(network)
    }
}
