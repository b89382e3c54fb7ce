//! What a round has seen, as kinds read it.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    finding::{Stop, not_asked},
    probe::{Connected, Pinged, Probe, Ran, neighbour},
    sight::Sight,
};
use crate::{facts::Facts, mac::Mac};

/// What a round has collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its number.
    pub(crate) number: u32,
    /// Milliseconds since the beginning at which it was complete.
    pub(crate) at_ms: u64,
    /// Facts by device, or why there are none.
    pub(crate) facts: BTreeMap<String, Result<Facts, String>>,
    /// What programs have left, or why they have not run.
    pub(crate) answers: BTreeMap<Probe, Result<Ran, String>>,
}

/// A round by names, and another one before it where two are compared.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    /// Putting names to facts takes long: it is done once for all cases of a round.
    sights: Rc<Sights<'a>>,
    now: &'a Seen,
    before: Option<&'a Seen>,
}

type Sights<'a> = BTreeMap<&'a str, Result<Sight<'a>, &'a str>>;

impl<'a> Look<'a> {
    pub(crate) fn of(now: &'a Seen) -> Self {
        let sight = |(name, facts): (&'a String, &'a Result<Facts, String>)| {
            let sight = facts.as_ref().map(|facts| Sight::of(name, facts));
            (name.as_str(), sight.map_err(String::as_str))
        };
        Self { sights: Rc::new(now.facts.iter().map(sight).collect()), now, before: None }
    }

    /// The same, compared with an earlier round.
    pub(crate) fn since<'b>(&self, before: Option<&'b Seen>) -> Look<'b>
    where
        'a: 'b,
    {
        // What is seen now lives as long as what was seen before, or longer.
        let sights: Rc<Sights<'b>> = Rc::<Sights<'a>>::clone(&self.sights);
        Look { sights, now: self.now, before }
    }

    /// The facts of a device.
    ///
    /// # Errors
    /// If it could not be asked.
    pub(crate) fn sight(&self, device: &str) -> Result<&Sight<'a>, Stop> {
        match self.sights.get(device) {
            Some(Ok(sight)) => Ok(sight),
            Some(Err(why)) => Err(not_asked(format!("{device}: {why}"))),
            None => Err(not_asked(format!("{device} was not asked"))),
        }
    }

    /// The facts of a device in the round before.
    ///
    /// # Errors
    /// If it could not be asked then.
    pub(crate) fn before(&self, device: &str) -> Result<&'a Facts, Stop> {
        match self.before.and_then(|seen| seen.facts.get(device)) {
            Some(Ok(facts)) => Ok(facts),
            Some(Err(why)) => Err(not_asked(format!("{device}: {why}"))),
            None => Err(not_asked(format!("{device} was asked once only"))),
        }
    }

    /// What a program has left.
    ///
    /// # Errors
    /// If it could not be run.
    pub(crate) fn answer(&self, probe: &Probe) -> Result<&'a Ran, Stop> {
        match self.now.answers.get(probe) {
            Some(Ok(ran)) => Ok(ran),
            Some(Err(why)) => Err(not_asked(format!("{}: {why}", probe.device()))),
            None => Err(not_asked(format!("{} was not asked", probe.device()))),
        }
    }

    /// What a ping has brought.
    ///
    /// # Errors
    /// If it could not be run, or says something else. One without a route to anybody has brought nothing.
    pub(crate) fn pinged(&self, probe: &Probe) -> Result<Pinged, Stop> {
        let ran = self.answer(probe)?;
        if let Some(pinged) = Pinged::of(ran) {
            return Ok(pinged);
        }
        let said = ran.errors.trim().replace('\n', "; ");
        match (said.contains("unreachable"), probe) {
            (true, Probe::Ping { count, .. }) => {
                Ok(Pinged { sent: *count, error: Some(said), ..Pinged::default() })
            }
            _ => Err(not_asked(format!("{}: ping says {said:?}", probe.device()))),
        }
    }

    /// What became of a connection.
    ///
    /// # Errors
    /// If it could not be tried.
    pub(crate) fn connected(&self, probe: &Probe) -> Result<Connected, Stop> {
        let ran = self.answer(probe)?;
        Connected::of(ran).ok_or_else(|| {
            let said = ran.errors.trim().replace('\n', "; ");
            not_asked(format!("{}: bash could not ask: {said:?}", probe.device()))
        })
    }

    /// The MAC that a device has for an address.
    ///
    /// # Errors
    /// If it could not be asked.
    pub(crate) fn neighbour(&self, probe: &Probe) -> Result<Option<Mac>, Stop> {
        let ran = self.answer(probe)?;
        neighbour(ran).map_err(|why| not_asked(format!("{}: ip says {why}", probe.device())))
    }
}
