//! `tollgate hash`: a password on standard input to a PHC string.

use super::output::{Failure, print};
use crate::people::password;
use std::io::{self, IsTerminal, Read};
use zeroize::Zeroizing;

/// The longest password.
const LONGEST: u64 = 4096;

pub(super) fn run() -> Result<(), Failure> {
    print(&password::hash(&password()?).map_err(|error| format!("the password cannot be hashed: {error}"))?)
}

/// A new password, from a person or from standard input: arguments can be seen by others.
pub(super) fn password() -> Result<Zeroizing<String>, Failure> {
    let password = if io::stdin().is_terminal() { asked()? } else { read(io::stdin().lock())? };
    if password.is_empty() {
        return Err("the password is empty".into());
    }
    Ok(password)
}

/// From a person, twice and without echo.
fn asked() -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt| {
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| format!("cannot read: {error}"))
    };
    let password = ask("Password: ")?;
    if ask("Again: ")? == password { Ok(password) } else { Err("the two are not the same".into()) }
}

/// From a file or a pipe: everything, less one newline at the end.
fn read(input: impl Read) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = input.take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read the password as UTF-8: {error}"))?;
    if text.len() as u64 > LONGEST {
        return Err(Failure::Because(format!("the password is longer than {LONGEST} octets")));
    }
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(
        password.strip_suffix('\r').filter(|_| password.len() < text.len()).unwrap_or(password).to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_trimmed() {
        for (input, password) in [("a £\n", "a £"), ("a\r\n", "a"), ("a", "a"), ("a\n\n", "a\n"), (" a \r", " a \r")]
        {
            assert_eq!(read(input.as_bytes()).unwrap().as_str(), password);
        }
    }

    #[test]
    fn what_is_no_password_is_refused() {
        assert!(read(&b"\xff"[..]).is_err());
        assert!(read(&vec![b'x'; 5000][..]).is_err());
    }
}
