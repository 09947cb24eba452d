//! `cargo xtask tidy`: the house rules that a machine can check.
//!
//! Each rule is a function from the repository's files to complaints, and says in its complaint what to do.

use std::collections::BTreeSet;
use std::fs;

use crate::chore::{Failure, Step, root};

/// A file stays readable in one sitting; its tests do not count.
const MAX_LINES: usize = 800;

/// What each room's manifest may name under `[dependencies]`. A new name is a decision: make it here, in the open.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("wire", &["base64-simd", "bytes", "bytestring", "itoa", "memchr"]),
    (
        "engine",
        &[
            "kew-wire",
            "base64-simd",
            "bytes",
            "hashbrown",
            "itoa",
            "md-5",
            "memchr",
            "serde_json",
            "sha2",
            "siphasher",
        ],
    ),
    ("journal", &["bytes", "crc-fast", "rustix", "thiserror"]),
    ("xtask", &[]),
];

/// Rooms that the simulator runs: no clock, no threads, no sockets, no randomness may be within their reach.
const PURE: &[&str] = &["wire", "engine"];

/// Names that say nothing about what lies inside.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "shared", "types", "util", "utils"];

/// Words that do not belong in what is committed, and what to do instead.
const UNWANTED: &[(&str, &[&str], &str)] = &[
    ("todo!(", &["rs"], "finish it, or leave it out and say so in the README"),
    ("unimplemented!(", &["rs"], "finish it, or leave it out and say so in the README"),
    ("dbg!(", &["rs"], "remove it"),
    ("thread::sleep(", &["rs"], "wait for the event itself, or let time be injected"),
    ("time.sleep(", &["py"], "wait for the event itself, or advance the server's clock"),
    ("/home/", &["rs", "py", "js", "toml", "md"], "a path of one machine has no place here"),
    ("FIXME", &["rs", "py", "js", "toml", "md"], "fix it"),
];

/// Licences that we may ship, as SPDX names; an expression is fine if each of its `AND` parts offers one of these.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A committed text file.
struct File {
    path: String,
    text: String,
}

impl File {
    fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    fn is_generated(&self) -> bool {
        self.text.lines().take(5).any(|line| line.contains("@generated"))
    }

    /// Whether the whole file is tests.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.starts_with("conformance/")
    }

    /// The lines of code before the tests that stand at the end of the file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        });
        let end = if self.is_test() { 0 } else { tests.unwrap_or(lines.len()) };
        lines.into_iter().take(end).enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Checks every rule and reports all that is wrong at once.
pub(crate) fn run() -> Result<(), Failure> {
    let files = files()?;
    let mut complaints = Vec::new();
    for file in &files {
        length(file, &mut complaints);
        names(file, &mut complaints);
        words(file, &mut complaints);
        whitespace(file, &mut complaints);
        purity(file, &mut complaints);
        dependencies(file, &mut complaints);
    }
    licences(&mut complaints)?;
    complaints.sort();
    if complaints.is_empty() {
        println!("tidy: {} files, nothing to complain about", files.len());
        return Ok(());
    }
    Err(Failure(format!("tidy has {} complaints:\n  {}", complaints.len(), complaints.join("\n  "))))
}

/// Everything that git knows or would take in.
fn files() -> Result<Vec<File>, Failure> {
    let listed = Step::new("git", ["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    // A path that is listed but gone is about to be removed by a commit; one that is no text is a fixture.
    Ok(listed
        .lines()
        .filter_map(|path| {
            let text = fs::read_to_string(root().join(path)).ok()?;
            Some(File { path: path.to_owned(), text })
        })
        .collect())
}

fn length(file: &File, complaints: &mut Vec<String>) {
    let length = file.code().count();
    if file.extension() == "rs" && !file.is_generated() && length > MAX_LINES {
        complaints
            .push(format!("{}: {length} lines without tests, {MAX_LINES} at most: split it", file.path));
    }
}

fn names(file: &File, complaints: &mut Vec<String>) {
    let mut parts = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    if let Some(name) = parts.find(|part| EMPTY_NAMES.contains(part)) {
        complaints.push(format!("{}: '{name}' does not say what is inside: name the role", file.path));
    }
}

fn words(file: &File, complaints: &mut Vec<String>) {
    if file.path == "xtask/src/tidy.rs" {
        return;
    }
    for (word, extensions, advice) in UNWANTED {
        if !extensions.contains(&file.extension()) {
            continue;
        }
        for (index, _) in file.text.lines().enumerate().filter(|(_, line)| line.contains(word)) {
            complaints.push(format!("{}:{}: '{word}': {advice}", file.path, index + 1));
        }
    }
}

fn whitespace(file: &File, complaints: &mut Vec<String>) {
    if !["rs", "py", "js", "toml", "md", "txt", "ini"].contains(&file.extension()) {
        return;
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_end() != line {
            complaints.push(format!("{}:{}: blanks at the end of the line", file.path, index + 1));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        complaints.push(format!("{}: the last line is not ended", file.path));
    }
}

/// `no_std` makes the compiler enforce purity; this makes sure that nobody lifts it.
fn purity(file: &File, complaints: &mut Vec<String>) {
    let Some((room, rest)) = file.path.split_once('/').filter(|(room, _)| PURE.contains(room)) else {
        return;
    };
    if rest == "src/lib.rs" && !file.text.lines().any(|line| line == "#![no_std]") {
        complaints.push(format!("{}: {room} is pure: the crate must say #![no_std]", file.path));
    }
    if !rest.starts_with("src/") || file.extension() != "rs" {
        return;
    }
    let mut before = "";
    for (number, line) in file.code() {
        let code = line.trim_start();
        let named = !code.starts_with("//") && has_word(code, "std::");
        let linked = code.starts_with("extern crate std") && before.trim() != "#[cfg(test)]";
        if (named || linked) && before.trim() != "#[cfg(test)]" {
            complaints.push(format!("{}:{number}: {room} is pure: core and alloc only", file.path));
        }
        before = line;
    }
}

/// Whether `word` stands in `line` and is not the end of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
    })
}

fn dependencies(file: &File, complaints: &mut Vec<String>) {
    let Some(room) = file.path.strip_suffix("/Cargo.toml") else { return };
    let allowed = MAY_DEPEND.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed);
    for name in depends_on(&file.text) {
        if allowed.is_some_and(|allowed| !allowed.contains(&name)) {
            complaints
                .push(format!("{}: {room} may not depend on {name} (see xtask/src/tidy.rs)", file.path));
        }
        if name == "kew-sim" {
            complaints.push(format!("{}: the simulator sees everything, nothing sees it", file.path));
        }
    }
}

/// The keys of a manifest's `[dependencies]`, and of its tables for one target alone.
fn depends_on(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside =
                table == "dependencies" || (table.starts_with("target.") && table.ends_with(".dependencies"));
        } else if inside && !line.starts_with('#') {
            names.extend(line.split(['=', '.', ' ']).next().filter(|name| !name.is_empty()));
        }
    }
    names
}

/// Every crate that is linked into what we ship has a licence that we may ship.
fn licences(complaints: &mut Vec<String>) -> Result<(), Failure> {
    let listed =
        Step::new("cargo", ["tree", "--quiet", "--workspace", "--edges=normal,build", "--prefix=none"])
            .args(["--no-dedupe", "--format={p}|{l}"])
            .output()?;
    let listed: BTreeSet<&str> = listed.lines().filter(|line| !line.is_empty()).collect();
    for line in listed {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        if !may_ship(licence) {
            complaints.push(format!(
                "{package}: the licence '{licence}' is not on the list (see xtask/src/tidy.rs)"
            ));
        }
    }
    Ok(())
}

/// Whether each `AND` part of a licence expression offers a choice that we may ship.
fn may_ship(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str, rule: fn(&File, &mut Vec<String>)) -> usize {
        let mut complaints = Vec::new();
        rule(&File { path: path.to_owned(), text: text.to_owned() }, &mut complaints);
        complaints.len()
    }

    #[test]
    fn a_long_file_is_refused_but_its_tests_do_not_count() {
        let code = "fn f() {}\n".repeat(MAX_LINES);
        assert_eq!(complaints("engine/src/a.rs", &code, length), 0);
        assert_eq!(complaints("engine/src/a.rs", &format!("{code}fn g() {{}}\n"), length), 1);
        let tests = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(complaints("engine/src/a.rs", &tests, length), 0);
    }

    #[test]
    fn a_pure_room_may_not_reach_for_std() {
        assert_eq!(complaints("engine/src/a.rs", "use std::time::Instant;\n", purity), 1);
        assert_eq!(complaints("server/src/a.rs", "use std::time::Instant;\n", purity), 0);
        assert_eq!(complaints("wire/src/lib.rs", "//! A room.\n", purity), 1);
        assert_eq!(complaints("wire/src/lib.rs", "#![no_std]\nextern crate std;\n", purity), 1);
        assert_eq!(complaints("wire/src/lib.rs", "#![no_std]\n#[cfg(test)]\nextern crate std;\n", purity), 0);
    }

    #[test]
    fn only_listed_dependencies_are_allowed() {
        let manifest =
            "[dependencies]\nbytes.workspace = true\ntokio = \"1\"\n\n[dev-dependencies]\ninsta = \"1\"\n";
        assert_eq!(complaints("engine/Cargo.toml", manifest, dependencies), 1);
        assert_eq!(complaints("server/Cargo.toml", manifest, dependencies), 0);
        assert_eq!(
            complaints("server/Cargo.toml", "[dependencies]\nkew-sim.workspace = true\n", dependencies),
            1
        );
    }

    #[test]
    fn a_licence_expression_needs_one_allowed_choice_in_each_part() {
        assert!(may_ship("MIT/Apache-2.0"));
        assert!(may_ship("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(!may_ship("MIT AND GPL-3.0"));
        assert!(!may_ship(""));
    }

    #[test]
    fn empty_names_and_unfinished_code_are_refused() {
        assert_eq!(complaints("server/src/utils.rs", "", names), 1);
        assert_eq!(complaints("server/src/utility.rs", "", names), 0);
        assert_eq!(complaints("server/src/a.rs", "fn f() { todo!() }\n", words), 1);
    }
}
