//! Tenants are as the suite of their topology says.

use fabric_tests::fabric::Fabric;

#[test]
fn tenants_are_as_their_suite_says() {
    Fabric::tenants().passes("tenants");
}
