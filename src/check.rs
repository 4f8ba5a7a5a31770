//! A check: a question to the world and its answer. Used by steps and background checks alike.

pub mod colour;
pub mod http;
pub mod service;

use serde::{Deserialize, Serialize};

/// An HTTP question: GET `target` + `path`, and the status that is a good answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Where to ask.
    pub at: HttpAt,
    /// Path, beginning with `/`.
    pub path: String,
    /// The good status; default 200.
    pub status: u16,
}

/// Where an HTTP check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpAt {
    /// A target of the configuration, by name.
    Target(String),
    /// A base URL.
    Url(String),
}
