//! Which dependencies run code when they are built: what such code does was read once, and a new one is a decision.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::chore::{Failure, Step};

/// What was found to download nothing, and what its script does.
const READ: &[(&str, &str)] = &[
    ("aws-lc-rs", "passes on how aws-lc-sys was built"),
    ("aws-lc-sys", "compiles the C and assembler in its own folder"),
    ("generic-array", "asks for the compiler's version"),
    ("getrandom", "asks for the target"),
    ("httparse", "asks for the target"),
    ("libc", "asks for the compiler's version"),
    ("libmimalloc-sys", "compiles the C in its own folder"),
    ("num-traits", "asks for the compiler's version"),
    ("proc-macro2", "asks for the compiler's version"),
    ("quote", "asks for the compiler's version"),
    ("rustix", "asks for the target and the compiler"),
    ("rustls", "asks for the compiler's version"),
    ("serde", "asks for the compiler's version, and names a module"),
    ("serde_core", "asks for the compiler's version, and names a module"),
    ("serde_json", "asks for the width of numbers"),
    ("thiserror", "asks for the compiler's version, and names a module"),
    ("valuable", "asks for the compiler's version"),
    ("zmij", "asks for the compiler's version"),
];

/// Complains of each package that is linked into what we ship, has a build script, and is not on the list.
pub(crate) fn check(complaints: &mut Vec<String>) -> Result<(), Failure> {
    let tree =
        Step::new("cargo", ["tree", "--quiet", "--locked", "--package=kew-server", "--edges=normal,build"])
            .args(["--prefix=none", "--no-dedupe", "--format={p}"])
            .output()?;
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let metadata = Step::new("cargo", ["metadata", "--format-version=1", "--locked", "--quiet"]).output()?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| Failure(format!("cargo metadata: {error}")))?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let mut kinds =
            package["targets"].as_array().into_iter().flatten().flat_map(|target| target["kind"].as_array());
        let has_script = kinds.any(|kinds| kinds.iter().any(|kind| kind == "custom-build"));
        if has_script && linked.contains(name) && !READ.iter().any(|(known, _)| *known == name) {
            complaints.push(format!(
                "{name}: it has a build script that nobody has read: see that it downloads nothing, and add it to xtask/src/scripts.rs"
            ));
        }
    }
    Ok(())
}
