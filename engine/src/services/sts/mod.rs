//! AWS Security Token Service, as far as it needs neither secrets nor a list of roles: which requests are well-formed, who may
//! become whom and for how long, and how that is answered. Whoever keeps identities finds the role, makes the credentials, and
//! asks here in between.

pub mod api;
mod constraints;
pub mod faults;
pub mod limits;
#[cfg(test)]
mod tests;
