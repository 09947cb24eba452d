//! The services beside SQS: what they are asked is rare and small, so each is one call from request to reply.

use bytes::Bytes;
use kew_engine::identity::Caller;
use kew_wire::fault::Fault;
use kew_wire::request_id::RequestId;
use kew_wire::services::{kms, sts};
use kew_wire::{RequestHead, Route, Service, Text};

use super::{Front, Shown, unsigned};
use crate::http::Response;
use crate::identities;
use crate::meters::Counted;

/// Answers a request of the service that `route` names.
pub(super) async fn answer(
    front: &Front,
    known: Result<(Caller, Text), Fault>,
    route: &Route<'_>,
    head: &RequestHead<'_>,
    body: Bytes,
    id: RequestId,
) -> Response {
    let asked = Asked { front, known, route, head, body, id };
    if route.service == kms::Kms::MODEL {
        return asked.serve::<kms::Kms, _>(kms::Request::operation, kms).await;
    }
    asked.serve::<sts::Sts, _>(sts::Request::operation, sts).await
}

/// AWS Key Management Service.
async fn kms(front: &Front, caller: Caller, request: kms::Request) -> Result<kms::Reply, Fault> {
    front.kms.answer(&caller, request).await
}

/// AWS Security Token Service.
async fn sts(front: &Front, caller: Caller, request: sts::Request) -> Result<sts::Reply, Fault> {
    identities::sts::answer(&front.live, &caller, front.clock.now(), request)
}

/// A request on its way to its service.
struct Asked<'a> {
    front: &'a Front,
    known: Result<(Caller, Text), Fault>,
    route: &'a Route<'a>,
    head: &'a RequestHead<'a>,
    body: Bytes,
    id: RequestId,
}

impl<'a> Asked<'a> {
    /// Decodes, lets `act` answer, and encodes.
    async fn serve<S, O>(
        self,
        operation: impl Fn(&S::Request) -> O,
        act: impl AsyncFnOnce(&'a Front, Caller, S::Request) -> Result<S::Reply, Fault>,
    ) -> Response
    where
        S: Service<Operation = O>,
        O: Copy + Into<Counted>,
    {
        let Self { front, known, route, head, body, id } = self;
        let counted = route.operation.and_then(S::operation).map(Into::into);
        let mut shown = Shown { dialect: route.dialect, model: route.service, counted, id };
        let caller = known.and_then(|(caller, _)| unsigned(&caller).map(|()| caller));
        let decoded = caller.and_then(|caller| Ok((caller, kew_wire::decode::<S>(route, head, body)?)));
        let outcome = match decoded {
            Ok((caller, request)) => {
                shown.counted = Some(operation(&request).into());
                act(front, caller, request).await
            }
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(reply) => shown.reply::<S>(front, &reply),
            Err(fault) => shown.fault(front, &fault),
        }
    }
}
