//! Routed packets to addresses of which the kernel has learned something by ICMP that counts for them.

use super::{compile::Compiler, routes::host};

impl Compiler<'_> {
    /// Leaves them to the kernel, and names them.
    pub(super) fn learned(&mut self) {
        if !self.out.views.iter().any(|view| !view.v4.is_empty()) {
            return;
        }
        // `ip_dst_mtu_maybe_forward`: what was learned counts only if it is asked for, or locked, and for what
        // a VRF device sends, which is not forwarded any more to the kernel (`IPSKB_FORWARDED`).
        let leaks = self.out.leaks.values().any(|[v4, _]| v4.is_some());
        let for_all = self.policy.forwards_by_path_mtu || leaks;
        let all = self.network.routing().learned.values();
        let counts =
            all.filter(|learned| learned.redirected || learned.mtu && (learned.locked || for_all));
        let left: Vec<_> = counts.map(|learned| learned.destination).collect();
        let Some(first) = left.first() else {
            return;
        };
        let others = match left.len() {
            1 => String::new(),
            count => format!(" and {} others", count - 1),
        };
        let text = format!(
            "routed packets to {first}{others}: the kernel has learned a path MTU or another router by \
             ICMP (`ip route get {first}`), left to the kernel"
        );
        self.problem(None, text);
        let guarded = std::mem::take(&mut self.out.guarded);
        self.out.guarded = guarded.and(left.into_iter().map(host));
    }
}
