//! Servers that are started, killed and started again: here a reference server, which has a program but no queues.

use std::path::Path;

use kew_bench::figures::Figures;
use kew_bench::server::Server;
use kew_load::Failure;

fn start() -> Server {
    let program = Path::new(env!("CARGO_BIN_EXE_kew-ladder"));
    Server::ladder(program, &std::env::temp_dir(), "fixed").expect("a server")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

#[test]
fn a_killed_server_starts_again_at_the_same_address_on_what_it_left() {
    block_on(async {
        let mut server = start();
        let first = server.first_answer().await.expect("an answer");
        assert!(server.started.elapsed() >= first);
        let (pid, url, started) = (server.pid(), server.url(), server.started);
        std::fs::write(server.data.join("left"), "behind").expect("a file");
        server.crash_and_start().expect("a start");
        server.first_answer().await.expect("an answer");
        assert_eq!(server.url(), url);
        assert_ne!(server.pid(), pid);
        assert!(server.started > started);
        assert!(server.data.join("left").exists());
    });
}

#[test]
fn whoever_ends_before_it_answers_is_a_failure() {
    block_on(async {
        let program = Path::new(env!("CARGO_BIN_EXE_kew-ladder"));
        // It has no command `serve`.
        let mut server = Server::kew(program, &std::env::temp_dir()).expect("a process");
        assert!(matches!(server.first_answer().await, Err(Failure::Unreachable(..))));
    });
}

#[test]
fn nothing_is_left_of_a_server_that_is_dropped() {
    block_on(async {
        let mut server = start();
        server.first_answer().await.expect("an answer");
        let (data, url) = (server.data.clone(), server.url());
        drop(server);
        assert!(!data.exists());
        assert!(Figures::read(&url).await.is_err());
    });
}

#[test]
fn a_server_without_figures_knows_none_of_them() {
    block_on(async {
        let mut server = start();
        server.first_answer().await.expect("an answer");
        let figures = Figures::read(&server.url()).await.expect("a page");
        assert_eq!(figures.get("kew_receives_waiting"), None);
    });
}
