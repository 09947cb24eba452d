//! Serves one connection until it ends or the server stops: HTTP/1.1, behind TLS HTTP/2 as well.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::connections::Stopping;
use super::front::{Connection, Front, Peer};
use super::paced::Paced;
use super::{http1, http2};
use crate::limits;
use crate::tls::{HTTP2, Tls};

/// The first byte of whatever begins a TLS handshake.
const HANDSHAKE: u8 = 22;

const SPEAKS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 45\r\n\r\n\
This server speaks TLS here: call it https://";

/// Serves a connection without TLS.
pub(super) async fn plain(stream: TcpStream, front: Arc<Front>, stopping: Stopping) {
    let peer = meet(&stream, false);
    http1::serve(Paced::new(stream), Connection::open(front, peer), stopping).await;
}

/// Serves a connection with TLS, in the protocol that its handshake settles.
pub(super) async fn secure(stream: TcpStream, tls: &Tls, front: Arc<Front>, mut stopping: Stopping) {
    let peer = meet(&stream, true);
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
            refuse_plain(stream).await?;
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        TlsAcceptor::from(tls.config()).accept(Paced::new(stream)).await
    };
    let settled = tokio::select! {
        settled = tokio::time::timeout(limits::HANDSHAKE_TIME, handshake) => settled,
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    let stream = match settled {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            front.meters.handshakes_failed.add(1);
            tracing::debug!(%error, peer = %peer.ip, "a TLS handshake failed");
            return;
        }
        Err(_) => {
            front.meters.handshakes_failed.add(1);
            tracing::debug!(peer = %peer.ip, "a TLS handshake took too long");
            return;
        }
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
    let connection = Connection::open(front, peer);
    if is_http2 {
        http2::serve(stream, connection, stopping).await;
    } else {
        http1::serve(stream, connection, stopping).await;
    }
}

/// Tells somebody who does not speak TLS so, and reads what was sent, lest it take the answer away.
async fn refuse_plain(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(SPEAKS_TLS).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(limits::HEAD_BYTES as u64), &mut tokio::io::sink()).await.map(drop)
}

/// Looks who is there.
fn meet(stream: &TcpStream, is_secure: bool) -> Peer {
    // Answers are small and complete: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    // A peer that has gone already has no address, and will not miss its answer.
    let ip = stream.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip().to_canonical());
    let is_local = ip.is_loopback() || stream.local_addr().is_ok_and(|own| own.ip().to_canonical() == ip);
    Peer { ip, is_local, is_secure }
}
