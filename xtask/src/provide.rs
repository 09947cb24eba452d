//! Installs what the tests need and the machine lacks: Debian packages, Python environments, npm packages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chore::{Failure, Step, on_path, root, target};

/// A Debian package, and a program by which to tell that it (or its equal from elsewhere) is there.
struct Package {
    program: &'static str,
    names: &'static [&'static str],
}

const PYTHON: Package = Package { program: "python3", names: &["python3", "python3-venv"] };
const NODE: Package = Package { program: "npm", names: &["nodejs", "npm"] };
const DISKS: Package = Package { program: "mkfs.ext4", names: &["e2fsprogs", "mount"] };

/// What makes and mounts a file system in a file. Only root can mount, so nobody else needs it.
pub(crate) fn disks() -> Result<(), Failure> {
    if is_root() { debian(&DISKS) } else { Ok(()) }
}

/// A Python environment with the packages that a requirements file pins; made once and again when the file changes.
pub(crate) fn python(environment: &str, requirements: &str) -> Result<PathBuf, Failure> {
    debian(&PYTHON)?;
    let venv = target().join(environment);
    let requirements = root().join(requirements);
    let stamp = venv.join("requirements.txt");
    if !same(&requirements, &stamp) {
        if Step::new("python3", ["-m", "venv", "--clear"]).args([&venv]).run().is_err() {
            // Debian splits venv off from python3, so the program alone does not tell.
            install(&["python3-venv"])?;
            Step::new("python3", ["-m", "venv", "--clear"]).args([&venv]).run()?;
        }
        Step::new(
            venv.join("bin/pip"),
            ["install", "--quiet", "--disable-pip-version-check", "--requirement"],
        )
        .args([&requirements])
        .run()?;
        copy(&requirements, &stamp)?;
    }
    Ok(venv.join("bin/python"))
}

/// The npm packages that a folder's lock file pins.
pub(crate) fn npm(folder: &str) -> Result<(), Failure> {
    debian(&NODE)?;
    let lock = root().join(folder).join("package-lock.json");
    let stamp = root().join(folder).join("node_modules/.installed-lock.json");
    if !same(&lock, &stamp) {
        Step::new("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]).within(folder).run()?;
        copy(&lock, &stamp)?;
    }
    Ok(())
}

fn debian(package: &Package) -> Result<(), Failure> {
    if on_path(package.program) { Ok(()) } else { install(package.names) }
}

fn install(names: &[&str]) -> Result<(), Failure> {
    if !is_root() || !on_path("apt-get") {
        return Err(Failure(format!("please install {}, then run this again", names.join(" and "))));
    }
    Step::new("apt-get", ["update", "--quiet"]).run()?;
    Step::new("apt-get", ["install", "--quiet", "--yes", "--no-install-recommends"])
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

fn is_root() -> bool {
    Step::new("id", ["-u"]).output().is_ok_and(|id| id.trim() == "0")
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| Failure(format!("could not write {}: {error}", to.display())))
}
