//! Data directories that releases wrote: they open for ever, with all that was in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kew_engine::shard::Config;
use kew_store::doctor::Examination;

use crate::stand::{QUEUES, Stand, Temporary, copy, story, tiny, usual};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The last four letters of each body, as the fixtures' messages are told apart.
fn short(content: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let cut = |body: String| body.chars().take(4).collect();
    content.into_iter().map(|(queue, bodies)| (queue, bodies.into_iter().map(cut).collect())).collect()
}

fn range(prefix: &str, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("{prefix} {number:02}")).collect()
}

#[test]
fn what_the_release_with_cold_files_wrote_opens_with_all_that_was_in_it() {
    for config in [tiny(), usual()] {
        let content = content("cold-files", config);
        assert_eq!(short(content), expected());
    }
}

/// What is in a fixture that the doctor finds sound.
fn content(name: &str, config: Config) -> BTreeMap<String, Vec<String>> {
    let temporary = Temporary::new();
    let data = temporary.join("data");
    copy(&fixture(name), &data);
    let examined = Examination::begin(&data, &config, &|_, _| {}).expect("to look");
    assert!(examined.is_sound(), "{:?}", examined.damage().collect::<Vec<_>>());
    drop(examined);
    Stand::open(&data, config).drain(&QUEUES)
}

#[test]
fn what_was_written_before_there_were_cold_files_opens_with_all_that_was_in_it() {
    // 02 was deleted; 03 and 04 were in flight for the last time that the redrive policy allows.
    let mut q = range("q", 5..15);
    q.push("q de".to_owned());
    let expected = BTreeMap::from([
        ("dead".to_owned(), range("q", [0, 1, 3, 4].into_iter())),
        ("f.fifo".to_owned(), range("f", 0..8)),
        ("q".to_owned(), q),
    ]);
    assert_eq!(short(content("before-cold-files", usual())), expected);
}

fn expected() -> BTreeMap<String, Vec<String>> {
    // 02, 07 and 08 were deleted; 03 to 06 were in flight for the last time that the redrive policy allows.
    let mut q = range("q", 9..44);
    q.extend(["q de".to_owned(), "q th".to_owned()]);
    BTreeMap::from([
        ("dead".to_owned(), range("q", (0..7).filter(|number| *number != 2))),
        ("f.fifo".to_owned(), range("f", 0..16)),
        ("q".to_owned(), q),
    ])
}

/// Run this once for each change of what is written, and give the fixture a name of its own:
/// `cargo test -p kew-store -- --ignored write_the_fixture`.
#[test]
#[ignore = "checks nothing: it makes a fixture, once for each format, and writes into the source tree"]
fn write_the_fixture_of_the_release_with_cold_files() {
    let path = fixture("cold-files");
    assert!(!path.exists(), "a released fixture never changes");
    fs::create_dir_all(path.parent().expect("a parent")).expect("create");
    story(&path);
    fs::remove_file(path.join("lock")).expect("remove");
    for entry in fs::read_dir(path.join("shard-0000")).expect("list") {
        let file = entry.expect("entry").path();
        if file.display().to_string().contains("spare-") {
            fs::remove_file(file).expect("remove");
        }
    }
}
