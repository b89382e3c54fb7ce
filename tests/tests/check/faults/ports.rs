//! Ports on which programs do not run, or see other frames than the wire has.

use aya::programs::{Xdp, XdpMode};
use fabric_tests::{
    fabric::{
        Fabric,
        diagnosis::{Fault, Mend},
    },
    loaded,
};
use fabric_user::{daemon::Request, kernel::programs::HEARTBEAT};
use rustix::process::Signal;

use super::{STATE, WATCHED};

pub(super) const FAULTS: [Fault; 2] = [
    Fault {
        name: "foreign XDP program",
        suite: WATCHED,
        fails: &["fast leaf01"],
        breaks: attach_another,
    },
    Fault {
        name: "offload that hides tags",
        suite: STATE,
        fails: &["verify leaf02"],
        breaks: |fabric| {
            fabric.run("leaf02", "ethtool", "-K swp11 rxvlan on");
            Box::new(|fabric| {
                fabric.run("leaf02", "ethtool", "-K swp11 rxvlan off");
            })
        },
    },
];

/// Another program gets a port while Fabric has let go of it.
fn attach_another(fabric: &Fabric) -> Mend {
    let port = || vec!["swp12".to_owned()];
    fabric.ask("leaf01", &Request::Detach(port()));
    let index = fabric.ifindex("leaf01", "swp12");
    // Any program will do; this one passes everything.
    let mut foreign = loaded::object().expect("the object loads");
    let program = foreign.ebpf.program_mut(HEARTBEAT).expect("the object has this program");
    let program: &mut Xdp = program.try_into().expect("it is an XDP program");
    program.load().expect("the kernel takes it");
    fabric
        .netns("leaf01")
        .enter(|| program.attach_to_if_index(index, XdpMode::Driver))
        .expect("the namespace exists")
        .expect("the port is free");
    fabric.ask("leaf01", &Request::Attach(port()));
    Box::new(move |fabric| {
        drop(foreign);
        // An audit takes the port.
        fabric.daemon("leaf01").signal(Signal::USR1);
    })
}
