//! The accounts file: who may use the server, and by which password.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// What is wrong with an accounts file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountsError {
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    #[error("line {0}: no colon between user and password")]
    NoColon(usize),
    #[error("line {0}: a user is letters, digits and any of - _ . ! ~ * + & =")]
    OddUser(usize),
    #[error("line {0}: no password")]
    NoPassword(usize),
    #[error("line {0}: this user has a line above")]
    Repeated(usize),
    #[error("no account in it")]
    Empty,
}

/// Reads `user:password` lines. Empty lines and those that begin with `#` say nothing.
pub(crate) fn read(file: &Path) -> Result<HashMap<String, String>, AccountsError> {
    let mut accounts = HashMap::new();
    for (index, line) in fs::read_to_string(file)?.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (user, password) = line.split_once(':').ok_or(AccountsError::NoColon(number))?;
        // These mean the same in a URI, in a quoted string and on the command line.
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*+&=".contains(&octet);
        if user.is_empty() || !user.bytes().all(plain) {
            return Err(AccountsError::OddUser(number));
        }
        if password.is_empty() {
            return Err(AccountsError::NoPassword(number));
        }
        if accounts
            .insert(user.to_owned(), password.to_owned())
            .is_some()
        {
            return Err(AccountsError::Repeated(number));
        }
    }
    if accounts.is_empty() {
        Err(AccountsError::Empty)
    } else {
        Ok(accounts)
    }
}
