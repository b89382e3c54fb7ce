//! Netlink, for everybody who talks to the kernel by it: messages, requests, sockets.
//!
//! - A [`Request`] is built from its fixed header and attributes.
//! - A [`Client`] sends it and reads the answer to its end: an acknowledgement, or the last part of a list.
//! - A [`Listener`] is told what happens, without waiting; an [`AsyncListener`] wakes up a tokio task.
//! - [`Messages`] takes a datagram apart, and [`attributes`] a message.
//!
//! What messages mean is not known here: see [`observe`](crate::observe).

pub mod attributes;
mod client;
mod listener;
mod message;
mod request;
pub mod rtnetlink;
mod socket;

pub use client::{Client, NetlinkError};
pub use listener::{AsyncListener, Listener};
pub use message::{
    End, Message, Messages, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
    Refusal,
};
pub use request::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, Request,
};
pub use socket::{Family, Received, Socket};
