//! One keep-alive HTTP/1.1 connection.

use std::io;
use std::rc::Rc;

use crate::answer;
use crate::endpoint::Endpoint;
use crate::operation::Operation;
use crate::stream::Stream;

/// A connection that opens itself when it is needed, and again after it was lost.
#[derive(Debug)]
pub struct Connection {
    endpoint: Rc<Endpoint>,
    stream: Option<Stream>,
    output: Vec<u8>,
    input: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// A connection to `endpoint`, not open yet.
    pub fn new(endpoint: Rc<Endpoint>) -> Self {
        Self { endpoint, stream: None, output: Vec::new(), input: Vec::new() }
    }

    /// Opens the connection if it is not open.
    pub async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            self.stream = Some(self.endpoint.connect().await?);
        }
        Ok(())
    }

    /// Sends one request and waits for its answer. After an error the next call connects anew.
    pub async fn call(&mut self, operation: &Operation, body: &[u8]) -> io::Result<Answer<'_>> {
        self.open().await?;
        self.output.clear();
        operation.write(body, &mut self.output);
        // Taken while the exchange lasts: whoever drops this future half way leaves no answer behind for the next request.
        let Some(mut stream) = self.stream.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all(&self.output).await?;
        let head = answer::read(&mut stream, &mut self.input).await?;
        if !head.close {
            self.stream = Some(stream);
        }
        Ok(Answer { status: head.status, body: &self.input[head.bytes..] })
    }
}
