use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory that goes when the test ends.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kew-vault-{}-{number}", std::process::id()));
        Self(path)
    }

    fn vault(&self) -> Arc<Vault> {
        Vault::open(&self.0, &Source::Generated).expect("a vault")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it was there");
    }
}

fn content(file: &SealedFile) -> Option<Vec<u8>> {
    file.read().expect("readable").map(|document| document.content.to_vec())
}

fn write(file: &SealedFile, text: &str) {
    let next = Zeroizing::new(text.as_bytes().to_vec());
    file.update(|_| Ok::<_, VaultError>((Some(next), ()))).expect("writable");
}

#[test]
fn a_document_is_there_when_the_directory_is_opened_again() {
    let place = Place::new();
    assert_eq!(content(&place.vault().file("keys", 1)), None);
    write(&place.vault().file("keys", 1), "first");
    write(&place.vault().file("keys", 1), "second");
    write(&place.vault().file("users", 1), "third");
    assert_eq!(content(&place.vault().file("keys", 1)).as_deref(), Some(&b"second"[..]));
    assert_eq!(content(&place.vault().file("users", 1)).as_deref(), Some(&b"third"[..]));
}

#[test]
fn nothing_on_disk_shows_what_a_document_says_and_only_its_owner_may_read_it() {
    let place = Place::new();
    let file = place.vault().file("keys", 1);
    write(&file, "a secret text");
    let mode = |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(place.0.join("root-key")), 0o600);
    assert_eq!(mode(place.0.join("sealed")), 0o700);
    assert_eq!(mode(file.path()), 0o600);
    let bytes = fs::read(file.path()).expect("readable");
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
}

#[test]
fn an_update_sees_what_was_there_and_a_refused_one_changes_nothing() {
    let place = Place::new();
    let file = place.vault().file("keys", 1);
    write(&file, "1");
    for _ in 0..3 {
        file.update(|before| {
            let mut next = before.expect("it is there").content;
            next.push(b'1');
            Ok::<_, VaultError>((Some(next), ()))
        })
        .expect("writable");
    }
    let refused = file.update(|_| Err::<(_, ()), _>(VaultError::Directory("no".into())));
    assert!(refused.is_err());
    file.update(|_| Ok::<_, VaultError>((None, ()))).expect("nothing to write");
    assert_eq!(content(&file).as_deref(), Some(&b"1111"[..]));
}

#[test]
fn writers_wait_for_one_another() {
    let place = Place::new();
    let file = place.vault().file("count", 1);
    write(&file, "");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let grown = file.update(|before| {
                        let mut next = before.expect("it is there").content;
                        next.push(b'.');
                        Ok::<_, VaultError>((Some(next), ()))
                    });
                    grown.expect("writable");
                }
            });
        }
    });
    assert_eq!(content(&file).map(|content| content.len()), Some(40));
}

#[test]
fn a_reader_notices_that_a_document_was_written_again() {
    let place = Place::new();
    let file = place.vault().file("keys", 1);
    assert!(file.read_if_changed(None).expect("readable").is_none());
    write(&file, "first");
    let stamp = file.read_if_changed(None).expect("readable").expect("it is new").stamp;
    assert!(file.read_if_changed(Some(stamp)).expect("readable").is_none());
    write(&file, "other");
    let document = file.read_if_changed(Some(stamp)).expect("readable").expect("it is newer");
    assert_eq!(document.content.as_slice(), b"other");
}

#[test]
fn damage_another_key_and_a_newer_version_are_each_told_in_one_line() {
    let place = Place::new();
    let file = place.vault().file("keys", 2);
    write(&file, "text");
    let told =
        |vault: Arc<Vault>, version| vault.file("keys", version).read().expect_err("refused").to_string();

    assert!(told(place.vault(), 1).contains("newer release of Kew (version 2; this one reads up to 1)"));

    let bytes = fs::read(file.path()).expect("readable");
    let other = RootKey::generate();
    let source = Source::Variable("KEW_ROOT_KEY", other.text());
    let line = Vault::open(&place.0, &source).expect_err("refused").to_string();
    assert!(
        line.contains(&other.id().to_string()) && line.contains(&place.vault().root().id().to_string()),
        "{line}"
    );

    let mut damaged = bytes.clone();
    damaged[bytes.len() - 1] ^= 1;
    for damaged in [&damaged[..], b"", &bytes[..10], &bytes[..25]] {
        fs::write(file.path(), damaged).expect("writable");
        let line = told(place.vault(), 2);
        assert!(line.contains("keys is damaged") && !line.contains('\n'), "{line}");
    }
    // One document does not stand for another, nor one version for another.
    fs::write(file.path(), &bytes).expect("writable");
    fs::copy(file.path(), place.0.join("sealed/users")).expect("writable");
    let line = place.vault().file("users", 2).read().expect_err("refused").to_string();
    assert!(line.contains("users is damaged"), "{line}");
}

#[test]
fn a_directory_that_lost_a_document_is_refused() {
    let place = Place::new();
    let lose = |name: &str| {
        let path = place.0.join("sealed").join(name);
        let bytes = fs::read(&path).expect("it was there");
        fs::remove_file(&path).expect("it was there");
        let line = Vault::open(&place.0, &Source::Generated).map(drop).map_err(|error| error.to_string());
        fs::write(&path, bytes).expect("writable");
        line
    };
    write(&place.vault().file("keys", 1), "one");
    write(&place.vault().file("users", 1), "two");
    for name in ["keys", "users"] {
        let line = lose(name).expect_err("refused");
        assert!(line.contains(&format!("{name} is missing")) && line.contains("from a backup"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
    // As an older release left it, or power that went before the document was noted: the next opening notes it.
    assert_eq!(lose("contents"), Ok(()));
    fs::remove_file(place.0.join("sealed/contents")).expect("it was there");
    fs::write(place.0.join("sealed/notes"), "no document").expect("writable");
    place.vault();
    assert!(lose("keys").is_err() && lose("users").is_err());
    assert_eq!(lose("notes"), Ok(()));
}

#[test]
fn a_lost_root_key_is_not_replaced_by_a_new_one() {
    let place = Place::new();
    write(&place.vault().file("keys", 1), "text");
    fs::remove_file(place.0.join("root-key")).expect("it was there");
    let line = Vault::open(&place.0, &Source::Generated).expect_err("refused").to_string();
    assert!(line.contains("root-key is not there"), "{line}");
    assert!(!place.0.join("root-key").exists());
}

#[test]
fn the_root_key_comes_from_a_file_a_variable_or_a_command() {
    let place = Place::new();
    let key = RootKey::generate();
    drop(place.vault());
    let path = place.0.join("elsewhere");
    source::write_key(&path, &key).expect("writable");
    let sources = [
        Source::File(path.clone()),
        Source::Variable("KEW_ROOT_KEY", key.text()),
        Source::Command(format!("cat '{}'", path.display())),
    ];
    for source in sources {
        let vault = Vault::open(&place.0, &source).expect("a vault");
        assert_eq!(vault.root().id(), key.id(), "{source}");
    }
    for (source, expected) in [
        (Source::File(place.0.join("nowhere")), "reading"),
        (Source::Variable("KEW_ROOT_KEY", Zeroizing::new("secret".into())), "KEW_ROOT_KEY holds no root key"),
        (Source::Command("echo secret".into()), "the root key command holds no root key"),
        (Source::Command("exit 3".into()), "exit status: 3"),
    ] {
        let line = Vault::open(&place.0, &source).expect_err("refused").to_string();
        assert!(line.contains(expected) && !line.contains("secret"), "{line}");
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file_and_two_ways_at_once_are_refused() {
    let none = |_: &str| None;
    let variables =
        |names: &'static [&'static str]| move |name: &str| names.contains(&name).then(|| "value".into());
    let file = || (Some("from-file".to_owned()), None);
    let flags = || RootKeyFlags { root_key_file: Some("from-flag".into()), root_key_command: None };
    let chosen = |flags, environment: crate::config::Environment<'_>, file| {
        Source::choose(flags, environment, file)
            .map(|source| source.to_string())
            .map_err(|failure| failure.to_string())
    };
    let no_flags = RootKeyFlags::default;
    let key = variables(&["KEW_ROOT_KEY"]);
    let both = variables(&["KEW_ROOT_KEY", "KEW_ROOT_KEY_COMMAND"]);
    assert_eq!(chosen(flags(), &both, file()).as_deref(), Ok("the root key file from-flag"));
    assert_eq!(chosen(no_flags(), &key, file()).as_deref(), Ok("KEW_ROOT_KEY"));
    assert_eq!(chosen(no_flags(), &none, file()).as_deref(), Ok("the root key file from-file"));
    assert_eq!(chosen(no_flags(), &none, (None, None)).as_deref(), Ok("the data directory's file root-key"));
    let line = chosen(no_flags(), &both, file()).expect_err("refused");
    assert!(line.contains("KEW_ROOT_KEY and KEW_ROOT_KEY_COMMAND are both set"), "{line}");
}

#[test]
fn a_rotation_seals_everything_by_another_key_and_an_interrupted_one_is_ended_by_the_next() {
    let place = Place::new();
    let first = place.vault().root().id();
    write(&place.vault().file("keys", 1), "one");
    write(&place.vault().file("users", 3), "two");
    assert_eq!(rotate::rotate(&place.0, &Source::Generated, None).expect("rotated"), 3);
    let vault = place.vault();
    assert_ne!(vault.root().id(), first);
    assert_eq!(content(&vault.file("keys", 1)).as_deref(), Some(&b"one"[..]));
    assert_eq!(content(&vault.file("users", 3)).as_deref(), Some(&b"two"[..]));

    // The next key is there and one document sealed by it: power went.
    let next = RootKey::generate();
    source::write_key(&place.0.join("root-key.next"), &next).expect("writable");
    fs::write(vault.file("keys", 1).path(), file::seal(&next, "keys", 1, b"one")).expect("writable");
    let line = vault.file("keys", 1).read().expect_err("refused").to_string();
    assert!(line.contains("running it again"), "{line}");
    // It comes first, and no server opens the directory then.
    let list = file::seal(&next, "contents", 1, b"keys\nusers\n");
    fs::write(place.0.join("sealed/contents"), list).expect("writable");
    let line = Vault::open(&place.0, &Source::Generated).expect_err("refused").to_string();
    assert!(line.contains("running it again"), "{line}");
    rotate::rotate(&place.0, &Source::Generated, None).expect("rotated");
    let vault = place.vault();
    assert_eq!(vault.root().id(), next.id());
    assert_eq!(content(&vault.file("keys", 1)).as_deref(), Some(&b"one"[..]));
    assert_eq!(content(&vault.file("users", 3)).as_deref(), Some(&b"two"[..]));
    assert!(!place.0.join("root-key.next").exists());
}

#[test]
fn a_rotation_can_move_the_key_out_of_the_directory_and_changes_nothing_if_a_document_is_damaged() {
    let place = Place::new();
    let vault = place.vault();
    write(&vault.file("keys", 1), "one");
    write(&vault.file("users", 1), "two");
    let bytes = fs::read(vault.file("users", 1).path()).expect("readable");
    let next = RootKey::generate();
    let elsewhere = Source::Variable("KEW_ROOT_KEY", next.text());
    fs::write(vault.file("users", 1).path(), &bytes[..bytes.len() - 1]).expect("writable");
    assert!(rotate::rotate(&place.0, &Source::Generated, Some(&elsewhere)).is_err());
    assert_eq!(content(&vault.file("keys", 1)).as_deref(), Some(&b"one"[..]));
    fs::write(vault.file("users", 1).path(), &bytes).expect("writable");
    rotate::rotate(&place.0, &Source::Generated, Some(&elsewhere)).expect("rotated");
    assert!(!place.0.join("root-key").exists());
    let vault = Vault::open(&place.0, &elsewhere).expect("a vault");
    assert_eq!(content(&vault.file("users", 1)).as_deref(), Some(&b"two"[..]));
}

#[test]
fn what_only_looks_notes_nothing_and_what_is_no_file_is_no_document() {
    let place = Place::new();
    write(&place.vault().file("keys", 1), "one");
    // As an earlier release left it.
    let list = place.0.join("sealed/contents");
    fs::remove_file(&list).expect("it was there");
    fs::create_dir(place.0.join("sealed/lost+found")).expect("a folder");
    let vault = Vault::look(&place.0, &Source::Generated).expect("a vault");
    assert_eq!(content(&vault.file("keys", 1)).as_deref(), Some(&b"one"[..]));
    assert!(!list.exists(), "it is the server's to write");
    let noted = place.vault().file("contents", 1);
    assert_eq!(content(&noted).as_deref(), Some(&b"keys\n"[..]));
    // What is noted is missed by both.
    fs::remove_file(vault.file("keys", 1).path()).expect("it was there");
    let line = Vault::look(&place.0, &Source::Generated).expect_err("refused").to_string();
    assert!(line.contains("keys"), "{line}");
}

#[test]
fn a_root_key_that_everybody_may_read_is_refused_in_one_line() {
    let place = Place::new();
    place.vault();
    let file = place.0.join("root-key");
    for mode in [0o644, 0o602] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its mode");
        for source in [Source::Generated, Source::File(file.clone())] {
            let line = Vault::open(&place.0, &source).expect_err("refused").to_string();
            let wanted = format!("chmod o-rw {}", file.display());
            assert!(line.contains(&wanted) && !line.contains('\n'), "{line}");
        }
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("its mode");
    place.vault();
}
