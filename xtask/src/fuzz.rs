//! `cargo xtask fuzz` and `cargo xtask storm`: parsers, and the whole server, against what nobody meant.

use crate::chore::{Failure, Step, on_path, target};
use crate::test;

/// Runs the targets of `fuzz/`: by its own binary, which needs nothing else; one of them under libFuzzer with `--coverage`.
pub(crate) fn run(flags: &[String]) -> Result<(), Failure> {
    if let [flag, name, rest @ ..] = flags
        && flag == "--coverage"
    {
        return coverage(name, rest);
    }
    driven("kew-fuzz").args(flags).run()
}

/// Sends the release binary requests through its socket.
pub(crate) fn storm(flags: &[String]) -> Result<(), Failure> {
    let kew = test::kew()?;
    driven("kew-storm").args(["--kew"]).args([kew]).args(flags).run()
}

fn driven(binary: &str) -> Step {
    Step::new(
        "cargo",
        ["run", "--quiet", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--bin"],
    )
    .args([binary, "--"])
    .env("CARGO_TARGET_DIR", target().join("fuzz"))
}

fn coverage(name: &str, flags: &[String]) -> Result<(), Failure> {
    if !on_path("cargo-fuzz") {
        return Err(Failure("cargo-fuzz is not installed: cargo install --locked cargo-fuzz".to_owned()));
    }
    let corpus = target().join("fuzz-corpus").join(name);
    std::fs::create_dir_all(&corpus).map_err(|error| Failure(format!("{}: {error}", corpus.display())))?;
    // Without a sanitizer it runs on the stable toolchain; there is no unsafe code to watch.
    Step::new("cargo", ["fuzz", "run", "--sanitizer", "none", "--features", "coverage", "target"])
        .args([&corpus])
        .args(["--"])
        .args(flags)
        .env("KEW_FUZZ_TARGET", name)
        .env("CARGO_TARGET_DIR", target().join("fuzz-coverage"))
        .run()
}
