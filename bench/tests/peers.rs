//! Load for a queue of another protocol: here a server that answers as NATS does, as far as it is asked.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use kew_bench::options::{Other, OtherWork, Peer};
use kew_bench::peers;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What was published, and where to.
type Published = Rc<RefCell<Vec<(String, String)>>>;

/// Answers every publication with `answer`, in pieces, after a ping.
async fn serve(stream: TcpStream, published: Published, answer: &'static str) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    write.write_all(b"INFO {}\r\nPING\r\n").await?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words[0] != "PUB" {
            continue;
        }
        let mut body = vec![0; words[3].parse::<usize>().expect("a length") + 2];
        lines.read_exact(&mut body).await?;
        published
            .borrow_mut()
            .push((words[1].to_owned(), String::from_utf8_lossy(&body).trim_end().to_owned()));
        let said = format!("MSG {} 1 {}\r\n{answer}\r\n", words[2], answer.len());
        for piece in said.as_bytes().chunks(7) {
            write.write_all(piece).await?;
        }
    }
}

fn send(answer: &'static str) -> (Result<(), kew_load::Failure>, Published) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let published = Published::default();
        let seen = Rc::clone(&published);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, Rc::clone(&seen), answer));
            }
        });
        let (peer, work, queue) = (Peer::Nats, OtherWork::Send, "orders".to_owned());
        let asked = Other {
            peer,
            work,
            address,
            queue,
            connections: 3,
            body_bytes: 50,
            duration: 0.1,
            rate: None,
            pid: None,
        };
        (peers::run(&asked).await, published)
    })
}

#[test]
fn messages_go_to_the_stream_that_is_made_for_them() {
    let (outcome, published) = send("{}");
    assert!(outcome.is_ok());
    let published = published.borrow();
    let to = |subject: &str| published.iter().filter(|(to, _)| to == subject).count();
    assert_eq!(to("$JS.API.STREAM.CREATE.orders"), 3);
    let sent: Vec<&String> =
        published.iter().filter(|(to, _)| to == "orders").map(|(_, body)| body).collect();
    assert!(sent.len() > 3 && sent.iter().all(|body| body.len() == 50), "{sent:?}");
}

#[test]
fn a_refusal_is_no_measurement() {
    let (outcome, _) = send(r#"{"error":{"code":503,"description":"no room"}}"#);
    assert!(outcome.expect_err("refused").to_string().contains("no room"));
}
