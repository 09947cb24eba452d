//! The services whose requests and replies are typed here, one module each, generated from AWS's models.

pub mod kms;
pub mod sqs;
pub mod sts;

use crate::service::Model;

/// Every service. A Query request that does not say whom it means is the first one's.
pub const SERVICES: &[&Model] = &[&sqs::MODEL, &kms::MODEL, &sts::MODEL];

/// The methods of [`Service`](crate::Service) that the generated types of every service answer in the same way.
macro_rules! generated {
    () => {
        type Operation = Operation;
        type Request = Request;
        type Reply = Reply;

        const MODEL: &'static $crate::service::Model = &MODEL;

        fn operation(name: &str) -> Option<Operation> {
            Operation::from_name(name)
        }

        fn answers(reply: &Reply) -> &'static str {
            reply.operation().name()
        }

        fn read<R: $crate::codec::Reader>(
            operation: Operation,
            from: &mut R,
        ) -> Result<Request, $crate::codec::Refusal> {
            Request::read(operation, from)
        }

        fn write<W: $crate::codec::Writer>(reply: &Reply, to: &mut W) {
            reply.write(to);
        }

        fn shapeless(reply: &Reply) -> bool {
            reply.shapeless()
        }
    };
}
use generated;
