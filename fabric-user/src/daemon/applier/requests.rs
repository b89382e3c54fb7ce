//! What somebody asks of the running daemon: to leave ports to the kernel, or to go by other settings.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::{
    super::{Request, Response, sentence},
    Applier,
};
use crate::{
    metrics::Happening,
    model::{Compiled, Dirty},
    settings::{Settings, XdpMode},
};

impl Applier {
    /// Does what somebody asked on the socket.
    pub(in super::super) fn control(&mut self, request: Request) -> Response {
        self.board.happened(match request {
            Request::Detach(_) => Happening::Detach,
            Request::Attach(_) => Happening::Attach,
        });
        let done = match request {
            Request::Detach(names) if names.is_empty() => self.detach_all(),
            Request::Detach(names) => self.change_detached(&names, true),
            Request::Attach(names) => self.attach(&names),
        };
        self.write_state();
        done.map_or_else(|error| Response::Failed(sentence(&error)), Response::Done)
    }

    fn detach_all(&mut self) -> anyhow::Result<String> {
        self.watcher = None;
        self.idle = true;
        if let Some(reconciler) = self.reconciler.take() {
            reconciler.detach_all()?;
        }
        self.compiled = Compiled::default();
        Ok("all programs and maps are off; `fabricctl attach` puts them back".into())
    }

    fn attach(&mut self, names: &[String]) -> anyhow::Result<String> {
        if !names.is_empty() {
            if self.reconciler.is_none() {
                anyhow::bail!(
                    "everything is detached; `fabricctl attach` without a port puts it back"
                );
            }
            return self.change_detached(names, false);
        }
        if self.reconciler.is_none() {
            self.load()?;
        }
        self.detached.clear();
        Ok(self.after_change("all ports are in use again"))
    }

    /// Detaches or attaches all of `names`, or none if one of them cannot be meant.
    fn change_detached(&mut self, names: &[String], detach: bool) -> anyhow::Result<String> {
        self.follow_detached();
        let mut interfaces = BTreeMap::new();
        for name in names {
            let found = if detach {
                let link = self.network.links().find(|link| link.name == *name);
                link.map(|link| link.ifindex)
                    .with_context(|| format!("there is no interface {name}"))?
            } else {
                let mut detached = self.detached.iter();
                let found = detached.find(|(_, detached)| *detached == name);
                found
                    .map(|(ifindex, _)| *ifindex)
                    .with_context(|| format!("port {name} was not detached"))?
            };
            interfaces.insert(found, name.clone());
        }
        if detach {
            self.detached.append(&mut interfaces);
        } else {
            self.detached.retain(|ifindex, _| !interfaces.contains_key(ifindex));
        }
        let list = names.join(", ");
        Ok(self.after_change(&if detach {
            format!("left to the kernel: {list}")
        } else {
            format!("in use again: {list}")
        }))
    }

    /// A request is about an interface, whatever it is called by now; when it has gone, about the next
    /// one of its name.
    pub(super) fn follow_detached(&mut self) {
        for (ifindex, name) in std::mem::take(&mut self.detached) {
            let link = self.network.link(ifindex);
            let link = link.or_else(|| self.network.links().find(|link| link.name == name));
            let (ifindex, name) = match link {
                Some(link) => (link.ifindex, link.name.clone()),
                None => (ifindex, name),
            };
            self.detached.insert(ifindex, name);
        }
        self.policy.detached = self.detached.keys().copied().collect();
    }

    fn after_change(&mut self, text: &str) -> String {
        self.policy.unusable = BTreeMap::new();
        self.pass(&Dirty::everything());
        self.beat();
        text.into()
    }

    /// Goes on with other settings.
    pub(in super::super) fn reload(&mut self, new: Settings) {
        self.board.happened(Happening::Reload);
        let reloaded = self.settings.reloaded(&new);
        let (changed, later) = (reloaded.differences(&self.settings), reloaded.differences(&new));
        tracing::info!("settings read anew; changed: {}", list(&changed));
        if !later.is_empty() {
            tracing::warn!("only a restart of fabric-xdpd changes: {}", list(&later));
        }
        self.settings = reloaded;
        self.policy.allowed.clone_from(&self.settings.ports);
        self.policy.denied.clone_from(&self.settings.exclude);
        self.policy.redirect_targets.clone_from(&self.settings.redirect_targets);
        self.policy.ignored_chains.clone_from(&self.settings.ignore_netfilter);
        self.policy.native = self.settings.xdp_mode == XdpMode::Native;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.configure(&self.settings);
        }
        // Before everything was read once the network looks empty: the first comparison applies them.
        if self.broken.is_none() && self.state.synced {
            self.after_change("");
        }
        self.write_state();
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        names => names.join(", "),
    }
}
