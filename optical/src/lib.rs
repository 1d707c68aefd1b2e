//! Files as QR codes that a camera reads, and back.
//!
//! A file is packed ([`parcel`]), cut into pieces of a fountain code ([`sending`]), and each piece is a
//! line of text ([`frame`]) that fits into a QR code ([`code`]). Codes are drawn as pictures, an animation, a
//! page or characters of a terminal; pictures and animations are read back by [`picture`]. Of the lines, any
//! that are enough give the file again ([`gathering`]). The format is described in `spec/formats/qr.md`.
//!
//! Nothing here touches the world: bytes in, bytes out.

pub mod animation;
pub mod base45;
pub mod code;
pub mod frame;
pub mod gathering;
pub mod page;
pub mod parcel;
pub mod picture;
pub mod screen;
pub mod sending;
