//! Filters of `tc`, through fabric-xdpd: packets that they look at go where they send them.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R},
    fabric::{PATIENCE, until},
    judged::{Fate, Judged, all_at, frame},
};

/// Runs `tc` on the leaf.
#[track_caller]
fn tc(site: &Judged, line: &str) {
    site.netns().run("tc", line);
}

/// Sends everything at a place of an interface out of another one.
fn redirect(site: &Judged, place: &str, to: &str) {
    tc(
        site,
        &format!(
            "filter add {place} protocol all pref 1 u32 match u32 0 0 action mirred egress redirect \
             dev {to}"
        ),
    );
}

/// Frames go by XDP again.
fn assert_accelerated(site: &mut Judged, port: &str, reason: Reason) {
    let destination = if reason == Reason::Bridged { HOST_B } else { HOST_R };
    until(PATIENCE, "frames are forwarded by XDP", || {
        let before = site.met(reason);
        site.send(port, &frame(HOST_A.mac, destination.mac));
        site.met(reason) > before
    });
}

#[test]
fn what_tc_sends_elsewhere_when_it_arrives_goes_there() {
    let mut site = Judged::new();
    let to_remote = frame(HOST_A.mac, HOST_R.mac);
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    // Without a filter nothing is looked at.
    tc(&site, "qdisc add dev acc0 clsact");
    assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
    redirect(&site, "dev acc0 ingress", "acc1");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("acc1"));
    tc(&site, "filter del dev acc0 ingress");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
    tc(&site, "qdisc del dev acc0 clsact");
    // The older discipline, on a port of the underlay.
    tc(&site, "qdisc add dev up0 ingress");
    redirect(&site, "dev up0 parent ffff:", "acc1");
    let from_remote = frame(HOST_R.mac, HOST_A.mac);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&from_remote), all_at("acc1"));
    tc(&site, "qdisc del dev up0 ingress");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&from_remote), all_at("acc0"));
    assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
    site.wait_no_problem();
}

#[test]
fn what_tc_sends_elsewhere_when_it_leaves_goes_there() {
    let mut site = Judged::new();
    let to_local = frame(HOST_A.mac, HOST_B.mac);
    tc(&site, "qdisc add dev acc1 clsact");
    redirect(&site, "dev acc1 egress", "up0");
    assert_eq!(site.as_by_the_kernel("acc0", &to_local), all_at("up0"));
    site.wait_problem("port acc1 has filters of `tc` for what leaves");
    // What arrives there is looked at by nobody.
    let back = frame(HOST_B.mac, HOST_A.mac);
    let bridged = site.met(Reason::Bridged);
    assert_eq!(site.as_by_the_kernel("acc1", &back), all_at("acc0"));
    assert!(site.met(Reason::Bridged) > bridged);
    tc(&site, "qdisc del dev acc1 clsact");
    assert_eq!(site.as_by_the_kernel("acc0", &to_local), all_at("acc1"));
    assert_accelerated(&mut site, "acc0", Reason::Bridged);
}

#[test]
fn a_vxlan_device_at_which_tc_looks_is_the_kernels() {
    let mut site = Judged::new();
    let to_remote = frame(HOST_A.mac, HOST_R.mac);
    tc(&site, "qdisc add dev vx100 clsact");
    redirect(&site, "dev vx100 egress", "acc1");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("acc1"));
    site.wait_problem("vxlan device vx100 has filters of `tc`");
    tc(&site, "qdisc del dev vx100 clsact");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
}

#[test]
fn filters_in_a_block_that_ports_share_are_followed() {
    let mut site = Judged::new();
    let to_remote = frame(HOST_A.mac, HOST_R.mac);
    tc(&site, "qdisc add dev acc0 ingress_block 7 clsact");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    redirect(&site, "block 7", "acc1");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("acc1"));
    tc(&site, "filter del block 7");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
}

#[test]
fn programs_of_tc_that_hang_on_a_port_without_a_discipline_are_asked_for() {
    let mut site = Judged::new();
    let to_remote = frame(HOST_A.mac, HOST_R.mac);
    let index = site.netns().index("acc0");
    let link = match site.netns().inside(|| dropping(index)) {
        // Before Linux 6.6 there is no such place, and that fabric-xdpd asks about it changes nothing.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            tc(&site, "qdisc add dev acc1 clsact");
            assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
            assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
            let state = site.state();
            assert!(state.problems.is_empty() && state.declined.is_empty(), "{state:?}");
            return;
        }
        link => link.expect("the kernel takes it"),
    };
    // Nothing tells of a program, so that it is noticed with what is told of filters elsewhere.
    tc(&site, "qdisc add dev acc1 clsact");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), Fate::new());
    drop(link);
    tc(&site, "qdisc del dev acc1 clsact");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    assert_accelerated(&mut site, "acc0", Reason::Encapsulated);
}

/// Runs a program on what arrives at an interface that drops everything, as long as the result lives.
fn dropping(ifindex: u32) -> io::Result<OwnedFd> {
    const PROG_LOAD: libc::c_int = 5;
    const LINK_CREATE: libc::c_int = 28;
    const SCHED_CLS: u32 = 3;
    const TCX_INGRESS: u32 = 46;
    // r0 = TCX_DROP; exit
    let instructions: [u64; 2] = [2 << 32 | 0xb7, 0x95];
    let license = c"GPL";
    let [first, second] = [instructions.as_ptr() as u64, license.as_ptr() as u64];
    let mut load = [u64::from(SCHED_CLS) | 2 << 32, first, second, 0, 0, 0];
    let program = bpf(PROG_LOAD, &mut load).expect("the kernel takes the program");
    let number = std::os::fd::AsRawFd::as_raw_fd(&program).cast_unsigned();
    let mut link = [u64::from(number) | u64::from(ifindex) << 32, u64::from(TCX_INGRESS), 0, 0];
    bpf(LINK_CREATE, &mut link)
}

/// `bpf(2)` with attributes (`union bpf_attr` of `linux/bpf.h`) for a command that makes a descriptor.
fn bpf<const N: usize>(command: libc::c_int, attributes: &mut [u64; N]) -> io::Result<OwnedFd> {
    let length = size_of_val(attributes) as libc::c_uint;
    // SAFETY: the kernel reads so many bytes, and what they point to outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), length) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given it to this caller alone.
    Ok(unsafe { OwnedFd::from_raw_fd(made as libc::c_int) })
}
