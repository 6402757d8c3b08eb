//! `tollgate schema`.

use super::output::{Failure, print};
use crate::config;

pub(super) fn run() -> Result<(), Failure> {
    print(&config::schema())
}
