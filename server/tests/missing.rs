//! Data directories of which a part is gone: nothing goes on as if it had never been there.

mod kew;

use std::fs;
use std::path::Path;

use kew::{Directory, Server, kew};
use serde_json::json;

/// A data directory of two shards, and a queue with a message.
fn used(directory: &Directory, more: &[&str]) -> String {
    let data = directory.join("data");
    let server = Server::start(&data, &[&["--shards", "2", "--sqs-waits", "off"], more].concat());
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "text"}));
    drop(server);
    data
}

/// What a command says that must fail with this code: one line on standard error, or else a report.
fn refusal(arguments: &[&str], code: i32) -> String {
    let output = kew(arguments).output().expect("the binary");
    let errors = String::from_utf8(output.stderr).expect("text");
    let report = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {report}{errors}");
    if report.is_empty() {
        assert_eq!(errors.trim_end().lines().count(), 1, "{arguments:?}: {errors}");
    }
    errors + &report
}

/// What a server says that does not start. If it did after all, it would say that its port is taken, and end.
fn refused_start(data: &str, more: &[&str]) -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    refusal(&[&["serve", "--listen", &address, "--data", data], more].concat(), 1)
}

#[test]
fn no_server_starts_where_the_sealed_documents_are_gone() {
    let directory = Directory::new();
    let data = used(&directory, &[]);
    let (sealed, kept) = (Path::new(&data).join("sealed"), directory.join("kept"));
    fs::rename(&sealed, &kept).expect("to take it away");
    let line = refused_start(&data, &[]);
    assert!(line.contains("sealed is missing") && line.contains("from a backup"), "{line}");
    assert!(!sealed.exists(), "no new keys are made");
    fs::rename(&kept, &sealed).expect("to put it back");
    let server = Server::start(&data, &[]);
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}));
    assert_eq!(reply["Messages"][0]["Body"], "text");
}

#[test]
fn no_server_starts_where_they_are_gone_and_the_root_key_is_kept_elsewhere() {
    let directory = Directory::new();
    let key = directory.file("key", &"5a".repeat(32));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key, mode).expect("its mode");
    let more = ["--root-key-file", &key];
    let data = used(&directory, &more);
    let sealed = Path::new(&data).join("sealed");
    fs::remove_dir_all(&sealed).expect("to remove it");
    let line = refused_start(&data, &more);
    assert!(line.contains("sealed is missing"), "{line}");
    // The operator says that there is none.
    fs::create_dir(&sealed).expect("to make it");
    Server::start(&data, &more);
}

#[test]
fn the_last_shards_are_missed_like_any_other() {
    let directory = Directory::new();
    let data = used(&directory, &[]);
    let (last, kept) = (Path::new(&data).join("shard-0001"), directory.join("kept"));
    fs::rename(&last, &kept).expect("to take it away");
    let told = refusal(&["doctor", &data], 1);
    assert!(told.contains("the folder of shard 1 is missing"), "{told}");
    let line = refusal(&["restore", &data, &directory.join("new")], 1);
    assert!(line.contains("the folder of shard 1 is missing"), "{line}");
    // The other one serves.
    let server = Server::start(&data, &[]);
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("\nkew_shards_damaged 1\n"), "{metrics}");
    drop(server);
    assert!(!last.exists(), "no empty one takes its place");

    fs::remove_dir_all(Path::new(&data).join("shard-0000")).expect("to remove it");
    let start = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let line = refusal(&start, 1);
    assert!(line.contains("the folder of shard 0 is missing"), "{line}");
    // The operator says that it held nothing of worth.
    fs::create_dir(Path::new(&data).join("shard-0000")).expect("to make it");
    fs::rename(&kept, &last).expect("to put it back");
    drop(Server::start(&data, &["--shards", "4"]));
    fs::remove_dir_all(Path::new(&data).join("shard-0003")).expect("to remove it");
    assert!(refusal(&["doctor", &data], 1).contains("the folder of shard 3 is missing"));
    // What no directory holds is no count: it would be missed one by one.
    fs::write(Path::new(&data).join("shards"), "4294967295").expect("to write");
    assert!(refusal(&start, 1).contains("it should say how many shards there are"));
    fs::write(Path::new(&data).join("shards"), "many").expect("to write");
    assert!(refusal(&start, 1).contains("it should say how many shards there are"));
}

#[test]
fn a_document_that_is_gone_is_missed_by_everybody() {
    let directory = Directory::new();
    let data = used(&directory, &[]);
    let made = kew(&["access-key", "create", "--data", &data]).output().expect("the binary");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let backup = directory.join("backup");
    let output = kew(&["backup", "--data", &data, &backup]).output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (place, name) in [(&data, "identities"), (&data, "queue-keys"), (&backup, "identities")] {
        let (path, kept) = (Path::new(place).join("sealed").join(name), directory.join("kept"));
        fs::rename(&path, &kept).expect("to take it away");
        let target = directory.join("new");
        for told in [
            refusal(&["doctor", place], 1),
            refusal(&["restore", place, &target], 1),
            refused_start(place, &[]),
            refusal(&["access-key", "list", "--data", place], 1),
            refusal(&["backup", "--data", place, &target], 1),
        ] {
            assert!(told.contains(&format!("sealed/{name}")) && told.contains("missing"), "{told}");
        }
        assert!(!path.exists() && !Path::new(&target).exists(), "nothing is made in its place");
        fs::rename(&kept, &path).expect("to put it back");
    }
    let output = kew(&["root-key", "rotate", "--data", &data]).output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::remove_file(Path::new(&data).join("sealed/identities")).expect("to remove it");
    let line = refused_start(&data, &[]);
    assert!(line.contains("sealed/identities is missing") && line.contains("sealed/contents"), "{line}");
    // The operator says that there is none any more.
    fs::remove_file(Path::new(&data).join("sealed/contents")).expect("to remove it");
    Server::start(&data, &[]).ask("GetQueueUrl", &json!({"QueueName": "q"}));
}

#[test]
fn the_doctor_misses_the_shard_that_a_server_would_miss() {
    let directory = Directory::new();
    let data = used(&directory, &[]);
    fs::remove_dir_all(Path::new(&data).join("shard-0000")).expect("to remove it");
    let told = refusal(&["doctor", &data], 1);
    assert!(told.contains("the folder of shard 0 is missing"), "{told}");
    assert!(told.contains("is DAMAGED"), "{told}");
    let line = refusal(&["restore", &data, &directory.join("new")], 1);
    assert!(line.contains("the folder of shard 0 is missing"), "{line}");
    let left = refusal(&["doctor", &data, "--repair", "--yes"], 1);
    assert!(left.contains("nothing was repaired"), "{left}");
}

#[test]
fn the_doctor_and_a_restore_see_what_is_wrong_with_the_sealed_documents() {
    let directory = Directory::new();
    let data = used(&directory, &[]);
    let target = directory.join("new");
    let place = |name: &str| Path::new(&data).join(name);
    let both_say = |parts: &[&str]| {
        for told in [refusal(&["doctor", &data], 1), refusal(&["restore", &data, &target], 1)] {
            assert!(parts.iter().all(|part| told.contains(part)), "{parts:?}: {told}");
        }
        assert!(!Path::new(&target).exists());
    };
    let (keys, kept) = (place("sealed/queue-keys"), directory.join("kept"));
    let whole = fs::read(&keys).expect("the document");

    fs::write(&keys, [&whole[..], b"x\n"].concat()).expect("to write");
    both_say(&["sealed/queue-keys", "damaged"]);
    fs::remove_file(&keys).expect("to remove it");
    both_say(&["sealed/queue-keys", "missing"]);
    fs::write(&keys, &whole).expect("to write");
    fs::rename(place("sealed"), &kept).expect("to take it away");
    both_say(&["data/sealed", "missing"]);
    fs::rename(&kept, place("sealed")).expect("to put it back");
    // A folder in a document's place stops a server; one of another name stops nobody.
    fs::create_dir(place("sealed/lost+found")).expect("a folder");
    for name in ["sealed/contents", "sealed/queue-keys", "sealed/identities", "sealed/kms", "root-key"] {
        let is_there = fs::rename(place(name), &kept).is_ok();
        fs::create_dir(place(name)).expect("a folder in its place");
        let told = refusal(&["serve", "--listen", "127.0.0.1:0", "--data", &data], 1);
        assert!(told.contains(name) && told.to_lowercase().contains("is a directory"), "{told}");
        both_say(&[name, "is a directory"]);
        fs::remove_dir(place(name)).expect("to remove it");
        if is_there {
            fs::rename(&kept, place(name)).expect("to put it back");
        }
    }

    // Kept elsewhere or lost: who can tell? But a file that is cut short has not the form.
    fs::rename(place("root-key"), &kept).expect("to take it away");
    fs::write(&keys, &whole[..60]).expect("to write");
    both_say(&["sealed/queue-keys", "damaged"]);
    fs::write(&keys, &whole).expect("to write");
    for arguments in [&["doctor", &data][..], &["restore", &data, &target]] {
        let output = kew(arguments).output().expect("the binary");
        let told = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && told.contains("the root key is not here"), "{told}");
    }
    fs::remove_dir_all(&target).expect("to remove it");
    fs::write(place("root-key"), "5a".repeat(32)).expect("to write");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(place("root-key"), mode).expect("its mode");
    both_say(&["data/sealed/", "sealed by the root key"]);
    fs::rename(&kept, place("root-key")).expect("to put it back");

    let output = kew(&["doctor", &data]).output().expect("the binary");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && !told.contains("not checked"), "{told}");
}
