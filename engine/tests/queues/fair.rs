use super::script::check;

#[test]
fn a_quiet_group_goes_before_a_noisy_one() {
    check(
        "create q
         sends q n 100 group=noisy
         recv q max=30 => n0:1 n1:1 n2:1 n3:1 n4:1 n5:1 n6:1 n7:1 n8:1 n9:1 n10:1 n11:1 n12:1 n13:1 n14:1 n15:1 n16:1 n17:1 n18:1 n19:1 n20:1 n21:1 n22:1 n23:1 n24:1 n25:1 n26:1 n27:1 n28:1 n29:1
         send q quiet group=quiet
         send q alone
         recv q max=3 => quiet:1 alone:1 n30:1",
    );
}

#[test]
fn below_thirty_in_flight_no_group_is_noisy() {
    check(
        "create q
         sends q n 40 group=busy
         recv q max=28 => n0:1 n1:1 n2:1 n3:1 n4:1 n5:1 n6:1 n7:1 n8:1 n9:1 n10:1 n11:1 n12:1 n13:1 n14:1 n15:1 n16:1 n17:1 n18:1 n19:1 n20:1 n21:1 n22:1 n23:1 n24:1 n25:1 n26:1 n27:1
         send q quiet group=quiet
         recv q => n28:1",
    );
}

#[test]
fn groups_do_not_block_on_a_standard_queue() {
    check(
        "create q
         sends q a 3 group=g
         recv q => a0:1
         recv q => a1:1
         recv q => a2:1",
    );
}
