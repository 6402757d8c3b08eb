//! Checks of passwords and of other secrets that people chose: argon2id, off the worker's thread,
//! a bounded number at a time over the whole process.
//!
//! A check takes tens of milliseconds of a core and 19 MiB of memory. Were it made on the worker's
//! thread, every request of that worker would wait for it.

use crate::secret::Secret;
use argon2::password_hash::Error;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use std::sync::LazyLock;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Too many checks are under way: 503, ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Overloaded(());

/// The hash that is compared where no hash is in use: of random octets that nobody kept, with the
/// parameters of `tollgate hash`.
pub const UNUSED_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cNsrWUM7fcS8JwPWzQ6y5w$sdSE6FkpNzPu52yz0EUOYLugslwKa3HuAjWuVL9+/qM";

/// How many checks may wait for each that runs: half a second of work, and then it is better to
/// say so.
const WAITING: usize = 16;

static CORES: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, std::num::NonZero::get));
static RUNNING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*CORES));
static ADMITTED: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*CORES * (WAITING + 1)));

/// Whether `password` is the one of `hash`, a PHC string of argon2id. A hash that cannot be read
/// has no password.
///
/// # Errors
/// When too many checks are under way.
pub async fn matches(hash: &str, password: &str) -> Result<bool, Overloaded> {
    let hash = hash.to_owned();
    let password = Zeroizing::new(password.to_owned());
    aside(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

/// Does dear work off the worker's thread, a bounded amount at a time.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Overloaded> {
    let admitted = ADMITTED.try_acquire().map_err(|_| Overloaded(()))?;
    let running = RUNNING.acquire().await.map_err(|_| Overloaded(()))?;
    let work = move || {
        // The permits go with the work: it goes on although nobody may be waiting for it any more.
        let _permits = (admitted, running);
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| Overloaded(()))
}

/// What is kept of `password`: a PHC string of argon2id, with 19 MiB and two passes.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn hash(password: &str) -> Result<String, Error> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    Ok(argon.hash_password(password.as_bytes())?.to_string())
}

/// Why nothing can be kept of a password.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// 503: ask again.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The operating system has no randomness to give.
    #[error("the password cannot be hashed: {0}")]
    Random(#[from] Error),
}

/// As [`hash`], off the worker's thread; counts as a check.
///
/// # Errors
/// When too many checks are under way, or the operating system has no randomness to give.
pub async fn hash_aside(password: Secret) -> Result<String, HashError> {
    Ok(aside(move || hash(password.reveal())).await??)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A hash that takes no time, so that tests do not either.
    pub(crate) fn quick_hash(password: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        hasher.hash_password(password.as_bytes()).unwrap().to_string()
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hash = quick_hash("open sesame");
        assert_eq!(matches(&hash, "open sesame").await, Ok(true));
        assert_eq!(matches(&hash, "open sesam").await, Ok(false));
        assert_eq!(matches("no hash at all", "").await, Ok(false));
    }

    #[tokio::test]
    async fn the_hash_for_nobody_is_as_dear_as_a_real_one_and_has_no_password() {
        let hash = PasswordHash::new(UNUSED_HASH).unwrap();
        let (used, usual) = (Params::try_from(&hash).unwrap(), Params::default());
        assert_eq!((used.m_cost(), used.t_cost(), used.p_cost()), (usual.m_cost(), usual.t_cost(), usual.p_cost()));
        assert_eq!(matches(UNUSED_HASH, "").await, Ok(false));
    }
}
