//! The routes of one prefix in one table.

use super::hops::HopsId;
use crate::observe::{Prefix, RouteKind};

/// How a route leads to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::model) enum Via {
    /// It does not.
    Nothing,
    /// By a nexthop object.
    Object(u32),
    /// By next hops of its own.
    Hops(HopsId),
}

/// A route, without what makes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) struct Stored {
    /// Metric.
    pub(super) priority: u32,
    /// Path MTU in bytes, 0 for none.
    pub(in crate::model) mtu: u32,
    /// TTL or hop limit of this box's own packets, 0 for none.
    pub(in crate::model) hop_limit: u8,
    pub(in crate::model) via: Via,
    pub(in crate::model) kind: RouteKind,
    pub(super) tos: u8,
    /// See [`crate::observe::Route::joins_siblings`].
    pub(super) joins: bool,
    pub(super) source: Option<Box<Prefix>>,
}

/// Where among routes with the same key a new one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Position {
    /// In the place of the first one.
    Replace,
    /// Before all.
    First,
    /// Behind all.
    Last,
}

/// Routes in ascending order of metric; nearly always there is only one.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    One(Stored),
    Many(Box<[Stored]>),
}

impl Stored {
    pub(super) fn same_key(&self, other: &Self) -> bool {
        self.priority == other.priority && self.tos == other.tos && self.source == other.source
    }

    /// A message about one means the other.
    pub(super) fn same_route(&self, other: &Self) -> bool {
        self.same_key(other) && self.kind == other.kind && self.via == other.via
    }

    fn same_metrics(&self, other: &Self) -> bool {
        self.mtu == other.mtu && self.hop_limit == other.hop_limit
    }
}

impl Entry {
    pub(super) fn new(mut list: Vec<Stored>) -> Option<Self> {
        match list.len() {
            0 => None,
            1 => list.pop().map(Self::One),
            _ => Some(Self::Many(list.into())),
        }
    }

    pub(super) fn as_slice(&self) -> &[Stored] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// The route that packets take; none if that depends on more than their destination.
    pub(super) fn best(&self, v6: bool) -> Option<&Stored> {
        let list = self.as_slice();
        if list.iter().any(|each| each.tos != 0 || each.source.is_some()) {
            return None;
        }
        let first = list.first()?;
        // Of IPv4 routes with the same metric the first one counts. Among IPv6 routes that it did
        // not join to one the kernel chooses by the state of their next hops.
        let rival = list.get(1).is_some_and(|second| second.priority == first.priority);
        (!v6 || !rival).then_some(first)
    }
}

/// Adds a route to a list as the kernel does.
pub(super) fn put(list: &mut Vec<Stored>, new: Stored, position: Position, v6: bool) {
    let same_key = |each: &Stored| each.same_key(&new);
    let joinable = |each: &Stored| each.same_key(&new) && each.joins == new.joins;
    let replaced = if new.joins {
        // The message names all siblings.
        let sibling = list.iter().position(joinable);
        sibling.or_else(|| list.iter().position(same_key).filter(|_| position == Position::Replace))
    } else if list.iter().any(|each| each.same_route(&new) && each.same_metrics(&new)) {
        return;
    } else if position != Position::Replace {
        None
    } else if v6 {
        list.iter().position(joinable).or_else(|| list.iter().position(same_key))
    } else {
        list.iter().position(same_key)
    };
    if let Some(index) = replaced {
        list[index] = new;
        return;
    }
    let index = match position {
        Position::First => list.partition_point(|each| each.priority < new.priority),
        Position::Replace | Position::Last => {
            list.partition_point(|each| each.priority <= new.priority)
        }
    };
    list.insert(index, new);
}
