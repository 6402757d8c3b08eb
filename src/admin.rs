//! The operator's JSON API: tokens, clients, users.

use crate::http1::stream::Listen;

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A unix socket of mode 0600; on TCP a token with the scope `tollgate:admin` is demanded.
    pub listen: Option<Listen>,
}
