//! Data directories that releases wrote: today's server opens them with all that was in them, and the doctor finds them sound.

mod kew;

use std::fs;
use std::path::{Path, PathBuf};

use kew::{Directory, Server, kew};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/fixtures").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("create");
    for entry in fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copy");
        }
    }
}

/// Bodies, sorted. What is received is deleted, so that a group's next message comes.
fn drain(server: &Server, queue: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    let request = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
    loop {
        let reply = server.ask("ReceiveMessage", &request);
        let Some(messages) = reply["Messages"].as_array() else { break };
        for message in messages {
            bodies.push(message["Body"].as_str().expect("a body").chars().take(4).collect());
            server
                .ask("DeleteMessage", &json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}));
        }
    }
    bodies.sort();
    bodies
}

fn range(prefix: &str, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("{prefix} {number:02}")).collect()
}

fn attribute(server: &Server, queue: &str, name: &str) -> Value {
    let request = json!({"QueueUrl": queue, "AttributeNames": [name]});
    server.ask("GetQueueAttributes", &request)["Attributes"][name].clone()
}

/// Opens a fixture; whatever was in flight or delayed is visible.
fn open(directory: &Directory, name: &str) -> Server {
    let data = directory.join(name);
    copy(&fixture(name), Path::new(&data));
    let output = kew(&["doctor", &data]).output().expect("the binary");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let server = Server::start(&data, &["--test-endpoints"]);
    server.post("/_kew/clock?advance_ms=3600000");
    server
}

#[test]
fn what_the_release_with_cold_files_wrote_is_served_whole() {
    let directory = Directory::new();
    let server = open(&directory, "cold-files");
    // 02, 07 and 08 were deleted; 03 to 06 were in flight for the last time that the redrive policy allows.
    let mut q = range("q", 9..44);
    q.extend(["q de".to_owned(), "q th".to_owned()]);
    assert_eq!(drain(&server, "q"), q);
    assert_eq!(drain(&server, "dead"), range("q", (0..7).filter(|number| *number != 2)));
    assert_eq!(drain(&server, "f.fifo"), range("f", 0..16));
    assert_eq!(server.ask("ListQueueTags", &json!({"QueueUrl": "q"}))["Tags"]["team"], "shop");
}

#[test]
fn what_was_written_before_there_were_cold_files_is_served_whole() {
    let directory = Directory::new();
    let server = open(&directory, "before-cold-files");
    let policy = attribute(&server, "q", "RedrivePolicy");
    assert!(policy.as_str().is_some_and(|policy| policy.contains(":dead\"")), "{policy}");
    // 02 was deleted; 03 and 04 were in flight for the last time that the redrive policy allows.
    let mut q = range("q", 5..15);
    q.push("q de".to_owned());
    assert_eq!(drain(&server, "q"), q);
    assert_eq!(drain(&server, "dead"), range("q", [0, 1, 3, 4].into_iter()));
    assert_eq!(drain(&server, "f.fifo"), range("f", 0..8));
    assert_eq!(drain(&server, "churn"), Vec::<String>::new());
    assert_eq!(server.ask("ListQueueTags", &json!({"QueueUrl": "q"}))["Tags"]["team"], "shop");
}

#[test]
fn a_directory_of_a_newer_format_is_refused_by_its_name() {
    let directory = Directory::new();
    let data = directory.join("data");
    copy(&fixture("cold-files"), Path::new(&data));
    fs::write(Path::new(&data).join("format"), "kew data directory, format 99\n").expect("to write");
    let target = directory.join("new");
    for arguments in [
        ["doctor", &data, "--json"].as_slice(),
        &["serve", "--listen", "127.0.0.1:0", "--data", &data],
        &["restore", &data, &target],
        &["backup", "--data", &data, &target],
    ] {
        let output = kew(arguments).output().expect("the binary");
        let errors = String::from_utf8(output.stderr).expect("text");
        assert!(
            !output.status.success() && errors.trim_end().lines().count() == 1,
            "{arguments:?}: {errors}"
        );
        assert!(errors.contains("format 99") && errors.contains("newer"), "{arguments:?}: {errors}");
        assert!(!Path::new(&target).exists());
    }
}
