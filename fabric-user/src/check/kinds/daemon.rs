//! `[[daemon]]`: fabric-xdpd is well.

use std::time::Duration;

use super::Kind;
use crate::check::{
    case::Draft,
    finding::{Finding, Judged, list, not_asked},
    inventory::Inventory,
    look::Look,
    names::Names,
    shape::{Shape, shape},
    span::{Span, measured},
};

shape! {
    /// fabric-xdpd runs, for `age`, has all that the kernel said in the maps, its heartbeat is fresh, and nothing is left to
    /// the kernel by request.
    pub(crate) struct Daemon: "daemon", "[[daemon]]\non = \"*\"\nwithin = \"10s\"" {
        /// The nodes with fabric-xdpd.
        on: Names = Or("\"*\""),
        /// The programs have at least so long until they leave everything to the kernel.
        heartbeat: Span = Or("\"1ms\""),
        /// It has been running for so long: one that ends and is started again and again is younger.
        age: Span = Or("\"0s\""),
        /// Whether the bypass may be on.
        bypass: bool = Or("false"),
    }
}

impl Kind for Daemon {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let draft = |node: &crate::lab::topology::Switch| {
            let (name, table) = (node.name.clone(), self.clone());
            Draft::of(&node.name, name.clone(), move |look| table.judge(&name, look))
        };
        Ok(inventory.boxes(&self.on)?.into_iter().map(draft).collect())
    }
}

/// What says that maps may be there all the same.
const DENIED: [&str; 3] = ["only root", "Permission denied", "Operation not permitted"];

impl Daemon {
    fn judge(&self, node: &str, look: &Look<'_>) -> Judged {
        let sight = look.sight(node)?;
        let status = format!("on {node}: fabricctl status");
        let fail = |actual: String, likely: &str, next: String| {
            Err(Finding::new("running, in sync, heartbeat fresh, bypass off", actual, likely, next)
                .into())
        };
        let Some(fabric) = &sight.facts.fabric else {
            let why = list(&sight.facts.missing);
            if DENIED.iter().any(|it| why.contains(it)) {
                return Err(not_asked(format!("{node}: {why}")));
            }
            return fail(
                format!("no maps ({why})"),
                "fabric-xdpd has never run here",
                "systemctl start fabric-xdpd".into(),
            );
        };
        let state = fabric.state.clone().unwrap_or_default();
        if fabric.daemon.is_none() {
            return fail(
                "does not run".into(),
                "it has ended, or was stopped",
                format!("on {node}: journalctl -u fabric-xdpd"),
            );
        }
        if fabric.suspended {
            return fail(
                "suspended".into(),
                "somebody has stopped it by SIGSTOP",
                format!("on {node}: kill -CONT its process"),
            );
        }
        let age = Duration::from_millis(fabric.running_ms.unwrap_or_default());
        if age < self.age.0 {
            return Err(Finding::new(
                format!("running for {}", self.age),
                format!("for {}", measured(age)),
                "it has ended and was started again",
                format!("on {node}: journalctl -u fabric-xdpd"),
            )
            .into());
        }
        if state.detached {
            return fail(
                "everything is detached".into(),
                "somebody has said `fabricctl detach`",
                format!("on {node}: fabricctl attach"),
            );
        }
        if fabric.bypass && !self.bypass {
            return fail(
                "the bypass is on".into(),
                "somebody has forgotten it",
                format!("on {node}: fabricctl bypass off"),
            );
        }
        let wanted = i64::try_from(self.heartbeat.0.as_millis()).unwrap_or(i64::MAX);
        match fabric.heartbeat_ms {
            Some(left) if left >= wanted => {}
            Some(left) if left < 0 => {
                return fail(
                    format!("no heartbeat for {} ms", -left),
                    "the daemon is stuck, and the kernel forwards",
                    status,
                );
            }
            left => {
                let left = left.map_or_else(
                    || "no heartbeat yet".into(),
                    |left| format!("{left} ms left of its heartbeat"),
                );
                return fail(left, "the daemon is late", status);
            }
        }
        if let Some(trouble) = &state.trouble {
            return fail(trouble.clone(), "nothing is applied at this moment", status);
        }
        match state.synced {
            true => Ok(format!("in sync, {} ms left", fabric.heartbeat_ms.unwrap_or_default())),
            false => fail("not in sync".into(), "it is reading the kernel's tables", status),
        }
    }
}
