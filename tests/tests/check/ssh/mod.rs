//! The same over ssh, to a real sshd in each node's namespace.

mod brought;
mod refused;
mod running;

use fabric_tests::{fabric::Fabric, sshd::Sshd};

#[test]
fn boxes_are_asked_over_ssh_as_nodes_of_a_lab_are_and_a_suite_is_written_of_what_runs_on_them() {
    let fabric = Fabric::pair();
    let sshd = Sshd::of(fabric.lab().name());
    running::what_runs_passes_its_own_suite_and_a_fault_fails_the_cases_that_it_should(
        &fabric, &sshd,
    );
    refused::what_sudo_refuses_could_not_be_asked(&fabric, &sshd);
    brought::boxes_without_fabricctl_are_brought_it_and_nothing_is_left(&fabric, &sshd);
    refused::nobody_can_be_reached_without_a_connection(&fabric, &sshd);
}
