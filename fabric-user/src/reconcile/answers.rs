//! Neighbours that ARP and neighbour discovery are answered by: `answers` and `neighbours`.

use std::net::IpAddr;

use fabric_common::{
    halves,
    schema::{
        fdb::mac_number,
        neighbours::{self, FLAG_ROUTER, Neighbour, ipv4, key, network},
    },
};

use super::{domains::Domains, hosts::be, pass::Pass, pool::Pool, rest::Freed};
use crate::{
    hashed::HashMap,
    kernel::maps::Maps,
    model::{self, Answer, AnswerKey},
};

/// The maps `answers` and `neighbours`.
#[derive(Debug)]
pub(super) struct Answers {
    indexes: Pool,
}

/// A domain and family, and an address in it, as the maps have them.
type Place = (u64, [u64; 2]);

fn place(domains: &Domains, at: &AnswerKey) -> Option<Place> {
    let domain = domains.get(&at.domain)? as u16;
    Some(match at.address {
        IpAddr::V4(v4) => (network(domain, false), ipv4(be(v4))),
        IpAddr::V6(v6) => (network(domain, true), halves::of(v6)),
    })
}

fn mac_and_flags(answer: &Answer) -> u64 {
    let router = if answer.router { FLAG_ROUTER } else { 0 };
    answer.mac.map_or(0, |mac| mac_number(mac.0)) | router
}

impl Answers {
    /// Takes over the neighbours of an earlier daemon.
    pub(super) fn recover(maps: &Maps) -> Self {
        let mut indexes = Pool::new(neighbours::MAX);
        let table = maps.answers.table();
        table.settle();
        let entries: Vec<(u64, u32)> = table.iter().map(|(key, index, _)| (key, index)).collect();
        for (found, index) in entries {
            let entry = maps.neighbours.get(index);
            let is_right = entry.network != 0 && key(entry.network, entry.address) == found;
            if !is_right || !indexes.adopt(index, 1) {
                table.remove(found);
            }
        }
        Self { indexes }
    }

    pub(super) fn write(
        &mut self,
        pass: &mut Pass<'_>,
        answers: &model::Answers,
        domains: &Domains,
    ) {
        match answers {
            model::Answers::All(all) => self.sync(pass, all, domains),
            model::Answers::Some(some) => {
                for (at, answer) in some {
                    let Some(place) = place(domains, at) else { continue };
                    self.set(pass, place, answer.as_ref().map(mac_and_flags));
                }
            }
        }
    }

    /// Makes the maps hold exactly `answers`.
    fn sync(
        &mut self,
        pass: &mut Pass<'_>,
        answers: &HashMap<AnswerKey, Answer>,
        domains: &Domains,
    ) {
        let wanted: HashMap<Place, u64> = answers
            .iter()
            .filter_map(|(at, answer)| Some((place(domains, at)?, mac_and_flags(answer))))
            .collect();
        let table = pass.maps.answers.table();
        let places = table.iter().map(|(_, index, _)| {
            let entry = pass.maps.neighbours.get(index);
            (entry.network, entry.address)
        });
        let stale: Vec<Place> = places.filter(|place| !wanted.contains_key(place)).collect();
        for place in stale {
            self.set(pass, place, None);
        }
        // Filters without the marks of all those that have gone since the last time.
        table.settle();
        for (place, answer) in wanted {
            self.set(pass, place, Some(answer));
        }
    }

    /// Says by what an address is answered for, or that it is not.
    fn set(&mut self, pass: &mut Pass<'_>, (network, address): Place, answer: Option<u64>) {
        let (maps, table) = (pass.maps, pass.maps.answers.table());
        let key = key(network, address);
        let there = table.get(key);
        let known = there.filter(|index| {
            let entry = maps.neighbours.get(*index);
            entry.network == network && entry.address == address
        });
        match (known, answer) {
            // One word.
            (Some(index), Some(answer)) => {
                let set = |entry: &mut Neighbour| entry.mac_and_flags = answer;
                pass.changed(maps.neighbours.update(index, set));
            }
            (Some(index), None) => {
                pass.changed(table.remove(key));
                pass.rest(Freed::Neighbour(index));
            }
            (None, Some(_)) if there.is_some() => pass.left_out(
                "a neighbour has the fingerprint of another one in the map answers, so ARP or neighbour \
                 discovery for it is left to the kernel",
            ),
            (None, Some(mac_and_flags)) => {
                let Some(index) = self.indexes.allocate(1) else {
                    pass.full("neighbours", neighbours::MAX as usize - 1, "");
                    return;
                };
                maps.neighbours.set(index, &Neighbour { address, mac_and_flags, network });
                match table.insert(key, index) {
                    true => pass.changed(true),
                    false => {
                        // Nothing has referred to it.
                        self.give_back(maps, index);
                        pass.full("answers", maps.answers.len() as usize * 6, "");
                    }
                }
            }
            (None, None) => {}
        }
    }

    /// Empties and frees an index that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.neighbours.set(index, &Neighbour::default());
        self.indexes.give_back(index, 1);
    }
}
