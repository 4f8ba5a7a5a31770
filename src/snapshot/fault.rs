//! Why the reader cannot go on. PURE.

use std::io;

/// What is wrong with a database, or with reading it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The bytes break a rule of the format: whoever reads them is led astray.
    #[error("{0}")]
    Broken(String),
    /// The bytes may be right, but this reader does not take them; its bounds are its own.
    #[error("{0}")]
    Beyond(String),
    /// The bytes cannot be had.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Shorthand for [`Fault::Broken`].
pub(crate) fn broken<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Broken(text.into()))
}
