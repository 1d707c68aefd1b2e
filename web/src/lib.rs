//! What Coldlog's servers share: sockets, TLS, limits, a graceful stop. The signer never links this.
//!
//! HTTP/1.1 where a server listens, HTTP/2 where it dials out to a bastion. Every wait has an end: for a
//! request's header, for its body, for a peer that reads nothing of the answer, and for the requests under way
//! when the server is asked to stop.

mod backend;
mod bastion;
mod body;
mod rate;
pub mod reply;
mod server;
mod tls;
mod traffic;

pub use backend::{Authorities, BackendKey};
pub use bastion::{Bastion, BastionAddress};
pub use body::{Incoming, Refused, read, save};
pub use rate::Rate;
pub use server::{Limits, Peer, Server, asked_to_stop};
pub use tls::{Tls, certificate_digest};
pub use traffic::{Client, METRICS, Traffic, log_to_stderr, metrics_text};
