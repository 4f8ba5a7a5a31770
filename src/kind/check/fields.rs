//! The fields of the step `check`, and how they become its spec. PURE.

use crate::{
    check::{HttpAt, HttpCheck},
    drill::{
        decode::{Decoder, Object},
        table::{Field, Need, Shape, Table},
    },
};

use super::Spec;

/// `check`
pub const TABLE: Table = Table {
    what: "a `check`",
    groups: &[
        QUESTIONS,
        &[
            Field {
                name: "successes",
                shape: Shape::Count(1, 1000),
                need: Need::Default("1"),
                doc: "Good answers in a row that end the step.",
            },
            EVERY,
            TIMEOUT,
        ],
    ],
};

/// What a check can ask; exactly one of them stands in each check.
pub const QUESTIONS: &[Field] = &[
    Field {
        name: "http",
        shape: Shape::Object(&HTTP),
        need: Need::Optional,
        doc: "Asks a URL with GET.",
    },
    Field {
        name: "tcp",
        shape: Shape::Later(ONLY_HTTP),
        need: Need::Optional,
        doc: "Opens a connection.",
    },
    Field {
        name: "kubernetes",
        shape: Shape::Later(ONLY_HTTP),
        need: Need::Optional,
        doc: "Looks at an object of a cluster.",
    },
    Field {
        name: "promql",
        shape: Shape::Later(ONLY_HTTP),
        need: Need::Optional,
        doc: "Asks Prometheus.",
    },
];

const ONLY_HTTP: &str = "checks ask by `http` so far";

/// `every`
pub const EVERY: Field = Field {
    name: "every",
    shape: Shape::Duration,
    need: Need::Default("1s"),
    doc: "How often it is asked.",
};

/// `timeout`
pub const TIMEOUT: Field = Field {
    name: "timeout",
    shape: Shape::Duration,
    need: Need::Default("2s"),
    doc: "How long an answer may take. No answer is a bad answer.",
};

/// `http`
pub const HTTP: Table = Table {
    what: "an `http` check",
    groups: &[&[
        Field {
            name: "target",
            shape: Shape::Name,
            need: Need::Optional,
            doc: "A target of the configuration.",
        },
        Field { name: "url", shape: Shape::Url, need: Need::Optional, doc: "A base URL." },
        Field {
            name: "path",
            shape: Shape::UrlPath,
            need: Need::Default("/"),
            doc: "The path that is asked, after that of the base URL.",
        },
        Field {
            name: "status",
            shape: Shape::Count(100, 599),
            need: Need::Default("200"),
            doc: "The good status.",
        },
        Field {
            name: "in",
            shape: Shape::Later(ONLY_OUTSIDE),
            need: Need::Optional,
            doc: "A sandbox to ask within.",
        },
        Field {
            name: "service",
            shape: Shape::Later(ONLY_OUTSIDE),
            need: Need::Optional,
            doc: "A Service of the sandbox.",
        },
        Field {
            name: "port",
            shape: Shape::Later(ONLY_OUTSIDE),
            need: Need::Optional,
            doc: "A port of the Service.",
        },
    ]],
};

const ONLY_OUTSIDE: &str = "name a `target` of the configuration, or a `url`";

/// Decodes the step `check`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let http = question(out, object);
    let successes = object.count(out, "successes");
    let every = object.duration(out, "every");
    let timeout = object.duration(out, "timeout");
    Some(Spec {
        http: http?,
        successes: u32::try_from(successes?.value).ok()?,
        every: every?.value,
        timeout: timeout?.value,
    })
}

/// Decodes what a check asks, of a step or of a background check.
pub fn question(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<HttpCheck> {
    object.exactly_one(out, &["http"])?;
    let http = object.object(out, "http")?;
    let at = match http.exactly_one(out, &["target", "url"]) {
        Some("target") => http.text(out, "target").map(|at| HttpAt::Target(at.value)),
        Some(_) => http.text(out, "url").map(|at| HttpAt::Url(at.value)),
        None => None,
    };
    let path = http.text(out, "path");
    let status = http.count(out, "status");
    Some(HttpCheck { at: at?, path: path?.value, status: u16::try_from(status?.value).ok()? })
}
