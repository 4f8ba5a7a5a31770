//! The fields of the step `check`, and how they become its spec. PURE.

use crate::{
    check::{HttpAt, HttpCheck},
    drill::{
        decode::{Decoder, Object},
        table::{Field, Rule, Shape, Sort, Table},
    },
};

use super::Spec;

/// `check`
pub const TABLE: Table = Table {
    what: "a `check`",
    groups: &[
        QUESTIONS,
        &[
            Field::default(
                "successes",
                Shape::Count(1, 1000),
                "1",
                "Good answers in a row that end the step.",
            ),
            EVERY,
            TIMEOUT,
        ],
    ],
    rules: &[Rule::One(&["http"])],
};

/// What a check can ask; exactly one of them stands in each check.
pub const QUESTIONS: &[Field] = &[
    Field::optional("http", Shape::Object(&HTTP), "Asks a URL with GET."),
    Field::optional("tcp", Shape::Later(ONLY_HTTP), "Opens a connection."),
    Field::optional("kubernetes", Shape::Later(ONLY_HTTP), "Looks at an object of a cluster."),
    Field::optional("promql", Shape::Later(ONLY_HTTP), "Asks Prometheus."),
];

const ONLY_HTTP: &str = "checks ask by `http` so far";

/// `every`
pub const EVERY: Field = Field::default("every", Shape::Duration, "1s", "How often it is asked.");

/// `timeout`
pub const TIMEOUT: Field = Field::default(
    "timeout",
    Shape::Duration,
    "2s",
    "How long an answer may take. No answer is a bad answer.",
);

/// `http`
pub const HTTP: Table = Table {
    what: "an `http` check",
    groups: &[&[
        Field::optional(
            "target",
            Shape::Configured(Sort::Target),
            "A target of the configuration.",
        )
        .example("shop"),
        Field::optional("url", Shape::Url, "A base URL.").example("https://shop.example.com"),
        Field::default(
            "path",
            Shape::UrlPath,
            "/",
            "The path that is asked, after that of the base URL.",
        ),
        Field::default("status", Shape::Count(100, 599), "200", "The good status."),
        Field::optional("in", Shape::Later(ONLY_OUTSIDE), "A sandbox to ask within."),
        Field::optional("service", Shape::Later(ONLY_OUTSIDE), "A Service of the sandbox."),
        Field::optional("port", Shape::Later(ONLY_OUTSIDE), "A port of the Service."),
    ]],
    rules: &[Rule::One(&["target", "url"])],
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
    let http = object.object(out, "http")?;
    let at = match http.which(&["target", "url"]) {
        Some("target") => http.text(out, "target").map(|at| HttpAt::Target(at.value)),
        Some(_) => http.text(out, "url").map(|at| HttpAt::Url(at.value)),
        None => None,
    };
    let path = http.text(out, "path");
    let status = http.count(out, "status");
    Some(HttpCheck { at: at?, path: path?.value, status: u16::try_from(status?.value).ok()? })
}
