//! Connections that stay open from one piece of work to the next.

use std::cell::RefCell;
use std::rc::Rc;

use super::{receives, sends};
use crate::client::Client;
use crate::failure::Failure;
use crate::options::Options;
use crate::report::Report;
use crate::run::{Run, Worker};
use crate::session::Session;

/// As many connections as the session's options ask for. Pieces of work so short that connecting would be a part of what is
/// measured go through a crew.
#[derive(Debug)]
pub struct Crew {
    session: Rc<Session>,
    clients: Rc<RefCell<Vec<Client>>>,
}

/// A kind of work, in pieces.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Send,
    ReceiveDelete,
}

impl Crew {
    /// Connects.
    pub async fn open(session: &Rc<Session>) -> Result<Self, Failure> {
        let crew = Self { session: Rc::clone(session), clients: Rc::default() };
        crew.connect().await?;
        Ok(crew)
    }

    /// Makes the crew complete: a piece that had to be broken off takes connections with it.
    async fn connect(&self) -> Result<(), Failure> {
        let run = Run::new(&self.session.options, &[]);
        let missing = (self.session.options.connections as usize).saturating_sub(self.clients.borrow().len());
        for _ in 0..missing {
            let mut client = Client::new(&self.session, &run);
            client.open().await?;
            self.clients.borrow_mut().push(client);
        }
        Ok(())
    }

    /// Sends `count` messages, one per request.
    pub async fn send(&self, count: u64) -> Result<Report, Failure> {
        self.work(Piece::Send, count).await
    }

    /// Receives and deletes `count` messages in tens; fewer if no more wait.
    pub async fn receive_delete(&self, count: u64) -> Result<Report, Failure> {
        self.work(Piece::ReceiveDelete, count).await
    }

    async fn work(&self, piece: Piece, count: u64) -> Result<Report, Failure> {
        self.connect().await?;
        let options = Options { count: Some(count), ..self.session.options.clone() };
        let (name, rows): (_, &[&'static str]) = match piece {
            Piece::Send => ("send", &["send"]),
            Piece::ReceiveDelete => ("receive-delete", &["receive", "delete"]),
        };
        let run = Run::new(&options, rows);
        let clients: Vec<Client> = self.clients.borrow_mut().drain(..).collect();
        let worker = |mut client: Client| {
            let (run, home) = (Rc::clone(&run), Rc::clone(&self.clients));
            Box::pin(async move {
                client.join(&run);
                match piece {
                    Piece::Send => sends(&run, &mut client).await?,
                    Piece::ReceiveDelete => receives(&run, &mut client).await?,
                }
                home.borrow_mut().push(client);
                Ok(())
            }) as Worker
        };
        let workers = clients.into_iter().map(worker).collect();
        Rc::clone(&run).drive(name, options.pid, workers).await
    }
}
