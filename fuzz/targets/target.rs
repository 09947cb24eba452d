//! libFuzzer's entry: the target that `KEW_FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<&'static kew_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("KEW_FUZZ_TARGET").unwrap_or_default();
    kew_fuzz::target(&name).unwrap_or_else(|| panic!("KEW_FUZZ_TARGET={name} names no target"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (TARGET.run)(input));
