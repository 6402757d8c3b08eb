//! Checks of passwords and of other secrets that people chose: argon2id, and bcrypt for those who
//! bring an htpasswd file; off the worker's thread, a bounded number at a time over the whole process.
//!
//! A check takes tens of milliseconds of a core and 19 MiB of memory. Were it made on the worker's
//! thread, every request of that worker would wait for it. So it has threads of its own, which leave a
//! core to whoever serves a request.

mod threads;

use self::threads::Threads;
use crate::secret::Secret;
use argon2::password_hash::Error;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::thread::available_parallelism;
use zeroize::Zeroizing;

/// Too many checks are under way: 503, ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Overloaded(());

/// The hash that is compared where no hash is in use: of random octets that nobody kept, with the
/// parameters of `tollgate hash`.
pub const UNUSED_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cNsrWUM7fcS8JwPWzQ6y5w$sdSE6FkpNzPu52yz0EUOYLugslwKa3HuAjWuVL9+/qM";

/// How many checks may wait for each that runs: a second of work, and then it is better to say so.
const WAITING: usize = 32;

/// One check at a time for each eight cores: whoever floods the sign-in with wrong passwords gets one
/// core of a usual machine, and the requests that are forwarded keep the others.
const CORES_A_CHECK: usize = 8;

static THREADS: OnceLock<Threads> = OnceLock::new();

/// Whether `password` is the one of `hash`, a PHC string of argon2id or a bcrypt hash. A hash that
/// cannot be read has no password.
///
/// # Errors
/// When too many checks are under way.
pub async fn matches(hash: &str, password: &str) -> Result<bool, Overloaded> {
    let hash = hash.to_owned();
    let password = Zeroizing::new(password.to_owned());
    aside(move || if is_bcrypt(&hash) { matches_bcrypt(&hash, &password) } else { matches_argon2(&hash, &password) })
        .await
}

fn matches_argon2(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// As `htpasswd` has it: what follows the 72nd octet does not count. A zero octet would end the
/// password in other programs.
fn matches_bcrypt(hash: &str, password: &str) -> bool {
    !password.contains('\0') && bcrypt::verify(password, hash).unwrap_or(false)
}

/// The versions that are the same algorithm without errors in it.
fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version))
}

/// Whether a password can match `hash`, in a time that can be waited for.
///
/// # Errors
/// What is wrong with it, in words that do not repeat it.
pub fn check(hash: &str) -> Result<(), &'static str> {
    if is_bcrypt(hash) {
        return check_bcrypt(hash);
    }
    let hash = PasswordHash::new(hash).map_err(|_| NEITHER)?;
    if hash.algorithm != argon2::ARGON2ID_IDENT || hash.salt.is_none() || hash.hash.is_none() {
        return Err(NEITHER);
    }
    let params = Params::try_from(&hash).map_err(|_| NEITHER)?;
    // What cannot be allocated ends the process, not the check alone.
    if params.m_cost() > MOST_MEMORY {
        return Err("its `m` is beyond 2 GiB");
    }
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if work <= MOST_WORK { Ok(()) } else { Err("its `m` times its `t` is beyond 4 GiB") }
}

fn check_bcrypt(hash: &str) -> Result<(), &'static str> {
    const NOT_WHOLE: &str = "it is no whole bcrypt hash";
    let parts: bcrypt::HashParts = hash.parse().map_err(|_| NOT_WHOLE)?;
    let is_digit = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'/');
    if !hash.rsplit('$').next().is_some_and(|digits| digits.bytes().all(is_digit)) {
        return Err(NOT_WHOLE);
    }
    if BCRYPT_COSTS.contains(&parts.get_cost()) { Ok(()) } else { Err("its cost is not from 4 to 16") }
}

const NEITHER: &str = "it is neither a whole PHC string of argon2id nor bcrypt";

/// The least that the algorithm has, up to four seconds; each step doubles it.
const BCRYPT_COSTS: RangeInclusive<u32> = 4..=16;

/// In KiB: the first choice of RFC 9106 section 4.
const MOST_MEMORY: u32 = 2 * 1024 * 1024;
/// In KiB written: some seconds, as with bcrypt.
const MOST_WORK: u64 = 4 * 1024 * 1024;

/// Does dear work off the worker's thread, a bounded amount at a time.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Overloaded> {
    threads()?.run(work).await
}

/// Those of the process. Should there be no thread to have, the next check asks for them again.
fn threads() -> Result<&'static Threads, Overloaded> {
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    let count = available_parallelism().map_or(1, |cores| cores.get().div_ceil(CORES_A_CHECK));
    let started = Threads::start(count, count * WAITING).map_err(|error| {
        tracing::error!(%error, "no thread for passwords");
        Overloaded(())
    })?;
    Ok(THREADS.get_or_init(|| started))
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
    async fn bcrypt_matches_as_htpasswd_writes_it() {
        // Of `htpasswd -nbB -C 4 u "open sesame"`, and the same under the other names of the version.
        let hash = bcrypt::hash("open sesame", 4).unwrap();
        for version in ["$2a$", "$2b$", "$2y$"] {
            let hash = hash.replacen("$2b$", version, 1);
            assert_eq!(check(&hash), Ok(()));
            assert_eq!(matches(&hash, "open sesame").await, Ok(true));
            assert_eq!(matches(&hash, "open sesam").await, Ok(false));
            assert_eq!(matches(&hash, "open sesame\0open sesame").await, Ok(false));
        }
    }

    fn argon2_with(parameters: &str) -> String {
        UNUSED_HASH.replacen("m=19456,t=2,p=1", parameters, 1)
    }

    #[test]
    fn a_hash_that_can_never_match_or_takes_hours_is_refused() {
        let bcrypt = bcrypt::hash("x", 4).unwrap();
        for good in [UNUSED_HASH, &argon2_with("m=65536,t=3,p=4"), &argon2_with("m=2097152,t=1,p=4")] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "hunter2",
            "$2x$04$nDsEwrRWuCzmZD0QV4QYduRb1K1fPbBBSRuaoYwk1cIQW4zKkcNCi",
            "$2b$04$short",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$apr1$salt$hash",
            &bcrypt.replacen("$04$", "$17$", 1),
            &bcrypt.replacen("$04$", "$03$", 1),
            &format!("$2b$04${}", "!".repeat(53)),
            &argon2_with("m=4194304,t=1,p=1"),
            &argon2_with("m=2097153,t=1,p=1"),
            &argon2_with("m=19456,t=4294967295,p=1"),
            &argon2_with("m=1048576,t=9,p=1"),
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_hash_for_nobody_is_as_dear_as_a_real_one_and_has_no_password() {
        let hash = PasswordHash::new(UNUSED_HASH).unwrap();
        let (used, usual) = (Params::try_from(&hash).unwrap(), Params::default());
        assert_eq!((used.m_cost(), used.t_cost(), used.p_cost()), (usual.m_cost(), usual.t_cost(), usual.p_cost()));
        assert_eq!(matches(UNUSED_HASH, "").await, Ok(false));
    }
}
