//! What the tests of the dialects share. Each test uses a part of it.
#![allow(dead_code)]

pub(crate) mod dynamic;
pub(crate) mod form;
pub(crate) mod invent;
pub(crate) mod xml;
