//! Which fields of a request and of a response pass (standards: H-conn, FWD-1, IDH-1 to IDH-5,
//! PX-3, PX-4, PX-9; hazards, lines 11 to 18).

/// What becomes of a request field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Forwarded as it is.
    Pass,
    /// Never forwarded: hop-by-hop, an identity field in any spelling, a name with an underscore.
    Drop,
    /// Forwarded only from trusted peers: `Forwarded`, `X-Forwarded-*` and their kin.
    Forwarding,
    /// One that the gateway reads or makes itself: `Host`, `Authorization`, `Content-Length`, …
    Ours,
}

/// The fate of a request field by its name alone. Fields that a `Connection` line names are the
/// caller's to drop.
pub fn request_fate(name: &[u8]) -> Fate {
    let _ = name;
    todo!()
}
