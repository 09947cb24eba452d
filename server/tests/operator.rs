//! What an operator meets: errors in one line, signals, the command line, the configuration file.

mod kew;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kew::{Directory, Server, kew};
use serde_json::json;

/// Runs to the end, which must be a failure told in one line.
fn refusal(arguments: &[&str]) -> String {
    let output = kew(arguments).output().expect("the binary");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success(), "{arguments:?} went well: {errors}");
    assert_eq!(errors.trim_end().lines().count(), 1, "{arguments:?} took more than one line:\n{errors}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed a banner");
    errors.trim_end().to_owned()
}

fn assert_says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in: {line}");
    }
}

#[test]
fn a_taken_port_is_told_with_what_to_do() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let line = refusal(&["serve", "--listen", &address, "--data", &directory.join("data")]);
    assert_says(&line, &["kew: cannot listen on", &address, "give another --listen"]);
}

#[test]
fn a_data_directory_that_cannot_be_is_told_by_its_name() {
    let directory = Directory::new();
    let file = directory.file("file", "in the way");
    let below = format!("{file}/data");
    let line = refusal(&["serve", "--listen", "127.0.0.1:0", "--data", &below]);
    assert_says(&line, &[&below]);
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let directory = Directory::new();
    let file = directory.file("thesis.txt", "years of work");
    let data = directory.path().display().to_string();
    let line = refusal(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    assert_says(&line, &[&data]);
    assert_eq!(std::fs::read_to_string(file).expect("still there"), "years of work");
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 1);
}

#[test]
fn a_directory_in_use_is_told_with_who_uses_it() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &[]);
    let line = refusal(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    assert_says(&line, &[&data, "in use", &server.pid().to_string()]);
}

#[test]
fn a_directory_of_a_newer_release_is_refused() {
    let directory = Directory::new();
    let data = directory.join("data");
    Server::start(&data, &[]).kill();
    for entry in std::fs::read_dir(&data).expect("a directory").flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        if text.contains("format") || entry.file_name().to_string_lossy().to_lowercase().contains("format") {
            std::fs::write(entry.path(), text.replace('1', "99")).expect("to write");
        }
    }
    let line = refusal(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    assert_says(&line, &["format", "99", "newer"]);
}

#[test]
fn damage_in_the_journal_is_told_with_file_and_offset() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--shards", "1"]);
    server.ask("CreateQueue", &json!({"QueueName": "q", "Attributes": {"SqsManagedSseEnabled": "false"}}));
    let needle = "a body that can be found on disk";
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": needle}));
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "another behind it"}));
    server.kill();

    let damaged = damage(Path::new(&data), needle.as_bytes()).expect("the body is on disk");
    let line = refusal(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    assert_says(&line, &[&damaged, "offset"]);
}

/// Flips a bit in the first file that holds `needle`; returns its name.
fn damage(directory: &Path, needle: &[u8]) -> Option<String> {
    for entry in std::fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = damage(&path, needle) {
                return Some(found);
            }
            continue;
        }
        let mut bytes = std::fs::read(&path).ok()?;
        if let Some(at) = bytes.windows(needle.len()).position(|window| window == needle) {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).ok()?;
            return Some(entry.file_name().to_string_lossy().into_owned());
        }
    }
    None
}

#[test]
fn mistakes_on_the_command_line_and_in_the_file_are_told_in_one_line() {
    let directory = Directory::new();
    let unknown_key = directory.file("key.toml", "listen = \"127.0.0.1:0\"\nduration = 5\n");
    let bad_value = directory.file("value.toml", "durability = \"sometimes\"\n");
    let bad_queue =
        directory.file("queue.toml", "[[queue]]\nname = \"q\"\nattributes = { VisibilityTimeout = 99999 }\n");
    let data = directory.join("data");
    let cases: &[(&[&str], &[&str])] = &[
        (&["serve", "--durability", "maybe"], &["--durability", "maybe", "fsync or os"]),
        (&["serve", "--listen", "nowhere"], &["--listen", "nowhere"]),
        (&["serve", "--unknown"], &["--unknown"]),
        (&["bake"], &["bake"]),
        (&["serve", "--config", &unknown_key], &["key.toml, line 2", "`duration`", "`durability`"]),
        (&["serve", "--config", &bad_value], &["value.toml, line 1: durability", "sometimes", "fsync or os"]),
        (&["serve", "--config", "/nowhere.toml"], &["/nowhere.toml"]),
        (
            &["serve", "--listen", "127.0.0.1:0", "--data", &data, "--config", &bad_queue],
            &["queue.toml, line 2", "\"q\"", "VisibilityTimeout"],
        ),
    ];
    for (arguments, parts) in cases {
        assert_says(&refusal(arguments), parts);
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for (arguments, part) in [(["--version"].as_slice(), "kew "), (&["serve", "--help"], "--durability")] {
        let output = kew(arguments).output().expect("the binary");
        assert!(output.status.success(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(part), "{arguments:?}");
    }
}

#[test]
fn the_banner_says_where_how_durable_who_and_what_to_try() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--durability", "os"]);
    let port = server.address.port().to_string();
    assert_says(&server.banner, &[&data, "not a power loss", "from this machine", "sqs create-queue", &port]);
    assert!(server.banner.lines().count() <= 6, "{}", server.banner);
}

#[test]
fn settings_come_from_the_environment_too() {
    let directory = Directory::new();
    let mut command = kew(&["serve"]);
    command
        .env("KEW_LISTEN", "127.0.0.1:0")
        .env("KEW_DATA", directory.join("data"))
        .env("KEW_TEST_ENDPOINTS", "on");
    let server = Server::spawn(command);
    assert_eq!(server.get("/_kew/clock").status, 200);
}

#[test]
fn sigterm_answers_what_waits_and_ends_well() {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &[]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    let mut waiting = server.connect();
    waiting.write(&kew::json_request("ReceiveMessage", r#"{"QueueUrl":"q","WaitTimeSeconds":20}"#));
    // The request that asks for the metric waits for its answer, too.
    server.wait_for_metric("kew_receives_waiting", 1.0);
    let idle = server.connect();

    server.terminate();
    let answer = waiting.read().expect("an answer");
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(waiting.read().is_none(), "the connection is closed behind it");
    let (status, errors) = server.wait();
    assert_eq!(status.code(), Some(0), "{errors}");
    drop(idle);
}

#[test]
fn declared_queues_exist_at_start_and_follow_the_file() {
    let directory = Directory::new();
    let data = directory.join("data");
    let attributes = |server: &Server, queue: &str| {
        server.ask("GetQueueAttributes", &json!({"QueueUrl": queue, "AttributeNames": ["All"]}))["Attributes"]
            .clone()
    };
    let config = |timeout: u32| {
        format!(
            r#"
            [[queue]]
            name = "orders"
            dead_letter_queue = "orders-dead"
            max_receive_count = 5
            attributes = {{ VisibilityTimeout = {timeout} }}
            tags = {{ team = "shop" }}

            [[queue]]
            name = "orders-dead"

            [[queue]]
            name = "steps.fifo"
            attributes = {{ ContentBasedDeduplication = true }}
            "#
        )
    };
    let file = directory.file("kew.toml", &config(60));
    let server = Server::start(&data, &["--config", &file]);
    let orders = attributes(&server, "orders");
    assert_eq!(orders["VisibilityTimeout"], "60");
    assert_eq!(
        orders["RedrivePolicy"],
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:orders-dead","maxReceiveCount":5}"#
    );
    assert_eq!(server.ask("ListQueueTags", &json!({"QueueUrl": "orders"}))["Tags"]["team"], "shop");
    assert_eq!(attributes(&server, "steps.fifo")["ContentBasedDeduplication"], "true");
    server.ask("SendMessage", &json!({"QueueUrl": "orders", "MessageBody": "kept"}));
    server.kill();

    let file = directory.file("kew.toml", &config(90));
    let server = Server::start(&data, &["--config", &file]);
    let orders = attributes(&server, "orders");
    assert_eq!(orders["VisibilityTimeout"], "90");
    assert_eq!(orders["ApproximateNumberOfMessages"], "1");
}

#[test]
fn the_health_of_a_server_with_access_keys_tells_strangers_nothing_more() {
    let directory = Directory::new();
    let open = Server::start(&directory.join("open"), &["--durability", "os"]);
    assert_eq!(open.get("/health").json()["version"], env!("CARGO_PKG_VERSION"));
    let data = directory.join("closed");
    let mut command = kew(&["serve", "--listen", "127.0.0.1:0", "--durability", "os", "--data", &data]);
    command.env("KEW_ROOT_ACCESS_KEY_ID", "AKIAROOT");
    command.env("KEW_ROOT_SECRET_ACCESS_KEY", "the-secret-of-the-root");
    let closed = Server::spawn(command);
    assert_eq!(closed.get("/health").json(), json!({"status": "ok"}));
    let localstack = json!({"services": {"sqs": "running"}, "edition": "community"});
    assert_eq!(closed.get("/_localstack/health").json(), localstack);
}

#[test]
fn data_that_everybody_can_reach_is_told_of_in_one_line_at_the_start() {
    let directory = Directory::new();
    let data = directory.join("data");
    Server::start(&data, &[]).terminate();
    let shard = Path::new(&data).join("shard-0000");
    for path in [Path::new(&data), &shard] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    let mut server = Server::start(&data, &[]);
    let line = server.follow().next().expect("a line");
    assert_says(&line, &["everybody on this machine", &format!("chmod -R o-rwx {data}")]);
}

#[test]
fn a_variable_that_is_no_setting_is_told_of_at_the_start() {
    let directory = Directory::new();
    let mut command = kew(&["serve", "--listen", "127.0.0.1:0", "--data", &directory.join("data")]);
    command.env("KEW_LISTN", "127.0.0.1:1").env("KEW_PORT_4566_TCP", "tcp://10.0.0.1:4566");
    let line = Server::spawn(command).follow().next().expect("a line");
    assert_says(&line, &["WARN", "KEW_LISTN is set, but no setting is called so"]);
}

#[test]
fn a_command_that_makes_a_data_directory_says_so() {
    let directory = Directory::new();
    let create = |user: &str| {
        let output = kew(&["user", "create", user, "--data", &directory.join("data")]).output();
        let output = output.expect("the binary");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    assert_says(&create("ann"), &["data was no data directory of Kew's, and is one now"]);
    let told = create("ben");
    assert!(!told.contains("directory"), "{told}");
}

#[test]
fn keys_without_tls_where_others_can_read_along_are_told_of_in_one_line_at_the_start() {
    let directory = Directory::new();
    let start = |listen| {
        let data = directory.join("data");
        let mut command = kew(&["serve", "--listen", listen, "--durability", "os", "--data", &data]);
        command.env("KEW_ROOT_ACCESS_KEY_ID", "AKIAROOT");
        command.env("KEW_ROOT_SECRET_ACCESS_KEY", "the-secret-of-the-root");
        let server = Server::spawn(command);
        server.terminate();
        server.wait().1
    };
    let told = start("0.0.0.0:0");
    assert_eq!(told.matches("speaks plain HTTP to other machines").count(), 1, "{told}");
    assert_says(&told, &["--tls-certificate"]);
    assert!(!start("127.0.0.1:0").contains("plain HTTP"));
}

#[test]
fn commands_refuse_to_change_what_the_configuration_declares_as_well() {
    let directory = Directory::new();
    let data = directory.join("data");
    let done = |arguments: &[&str]| {
        let output = kew(&[arguments, &["--data", &data]].concat()).output().expect("the binary");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let trust = directory.file(
        "trust.json",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"000000000000"}}]}"#,
    );
    done(&["user", "create", "ann"]);
    done(&["role", "create", "worker", "--trust", &trust]);
    let printed = done(&["access-key", "create", "--user", "ann"]);
    let id = printed.lines().find_map(|line| line.strip_prefix("AWS_ACCESS_KEY_ID=")).expect("an id");
    let secret = directory.file("secret", "sixteen-letters!");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).expect("its permissions");
    let config = directory.file(
        "p.toml",
        &format!(
            "[[user]]\nname = \"ann\"\n\n[[user.access_key]]\nid = \"{id}\"\nsecret_file = \"secret\"\n\n\
             [[role]]\nname = \"worker\"\ntrust = \"trust.json\"\n"
        ),
    );
    for (command, what, line, remedy) in [
        (
            ["access-key", "disable", id],
            format!("access key {id}"),
            5,
            "set `active = false`, or remove it there",
        ),
        (["access-key", "enable", id], format!("access key {id}"), 5, "set `active = true` there"),
        (["access-key", "delete", id], format!("access key {id}"), 5, "remove it there"),
        (["user", "update", "ann"], "user \"ann\"".into(), 2, "change it there"),
        (["user", "delete", "ann"], "user \"ann\"".into(), 2, "remove it there"),
        (["role", "update", "worker"], "role \"worker\"".into(), 9, "change it there"),
        (["role", "delete", "worker"], "role \"worker\"".into(), 9, "remove it there"),
    ] {
        let told = refusal(&[&command[..], &["--data", &data, "--config", &config]].concat());
        assert_says(&told, &[&what, &format!("{config}, line {line}"), remedy]);
    }
    let mut command = kew(&["access-key", "disable", id, "--data", &data]);
    command.env("KEW_ROOT_ACCESS_KEY_ID", id).env("KEW_ROOT_SECRET_ACCESS_KEY", "sixteen-letters!");
    let output = command.output().expect("the binary");
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success(), "{told}");
    assert_says(&told, &[id, "the environment (KEW_ROOT_ACCESS_KEY_ID)"]);
    // What nothing but the data directory knows is changed as ever.
    done(&["access-key", "disable", id]);
    done(&["access-key", "delete", id]);
    done(&["user", "delete", "ann"]);
}
