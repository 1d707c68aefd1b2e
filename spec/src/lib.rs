//! What Coldlog's bytes mean: formats, proofs, policies and the trust decisions.
//!
//! This crate is pure: no I/O, no clock, no randomness. Each format has one module with its encoder
//! and its strict decoder; `formats.cddl` beside the sources describes every CBOR file. The trust
//! decisions are in [`verify`], one file a question.

pub mod access;
pub mod approval;
pub mod audit;
pub mod backup;
pub mod batch;
pub mod cbor;
pub mod checkpoint;
pub mod cose;
pub mod document;
pub mod ed25519;
pub mod end;
pub mod evidence;
pub mod factor;
pub mod hash;
pub mod heads;
pub mod key_event;
pub mod key_events;
pub mod kind;
pub mod log_list;
pub mod manifest;
pub mod merkle;
pub mod mirroring;
pub mod mldsa;
pub mod note;
pub mod openings;
pub mod pending;
pub mod policy;
pub mod problem;
pub mod proof;
pub mod receipt;
pub mod receipts;
pub mod record;
pub mod registration;
pub mod rehearsal;
pub mod reseal;
pub mod rotation;
pub mod rules;
pub mod share;
pub mod statement;
pub mod statements;
pub mod tile;
pub mod tlog_proof;
pub mod totp;
pub mod verify;
pub mod witnessing;
