//! The fields of the step `check`, and how they become its spec. PURE.

use crate::drill::{
    decode::{Decoder, Object},
    table::{Field, Rule, Shape, Sort, Table, names},
};

use super::Spec;

mod question;

pub use question::question;

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
    rules: &[ONE_QUESTION],
};

/// What a check can ask; exactly one of them stands in each check.
pub const QUESTIONS: &[Field; 4] = &[
    Field::optional("http", Shape::Object(&HTTP), "Asks a URL with GET."),
    Field::optional("tcp", Shape::Object(&TCP), "Opens a connection, and closes it again."),
    Field::optional("kubernetes", Shape::Object(&KUBERNETES), "Looks at an object of a cluster."),
    Field::optional("promql", Shape::Object(&PROMQL), "Asks Prometheus."),
];

/// Exactly one question.
pub const ONE_QUESTION: Rule = Rule::One(&names(QUESTIONS));

/// `every`
pub const EVERY: Field = Field::default("every", Shape::Duration, "1s", "How often it is asked.");

/// `timeout`
pub const TIMEOUT: Field = Field::default(
    "timeout",
    Shape::Duration,
    "2s",
    "How long an answer may take, from the look-up of the name to the last byte. No answer is a \
     bad answer.",
);

const IN: Field = Field::optional(
    "in",
    Shape::Step(&["veleroRestore"]),
    "The restore step whose sandbox is asked, through a port-forward. Only in a step.",
)
.example("restore");

const NAMESPACE: Field = Field::optional(
    "namespace",
    Shape::Namespace,
    "The namespace of the Service, as it is called in the backup. Needed where the step restores \
     several.",
)
.example("shop");

const SERVICE: Field =
    Field::optional("service", Shape::ObjectName, "A Service of the sandbox.").example("web");

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
        IN,
        NAMESPACE,
        SERVICE,
        Field::optional("port", Shape::Port, "The Service's port, by name or number.")
            .example("http"),
        Field::default(
            "path",
            Shape::UrlPath,
            "/",
            "The path that is asked, after that of the base URL.",
        ),
        Field::default(
            "status",
            Shape::Count(100, 599),
            "200",
            "The good status. Redirects are not followed.",
        ),
        Field::optional(
            "contains",
            Shape::Text,
            "Text that the first 64 KiB of the body must hold.",
        )
        .example("ok"),
    ]],
    rules: &[
        Rule::One(&["target", "url", "in"]),
        Rule::Needs("in", &["service", "port"]),
        Rule::Refuses("target", &["namespace", "service", "port"]),
        Rule::Refuses("url", &["namespace", "service", "port"]),
    ],
};

/// `tcp`
pub const TCP: Table = Table {
    what: "a `tcp` check",
    groups: &[&[
        Field::optional("host", Shape::Text, "A host's name or IP address.")
            .example("database.example.com"),
        IN,
        NAMESPACE,
        SERVICE,
        Field::required("port", Shape::Port, "The port's number; of a Service its name or number.")
            .example("5432"),
    ]],
    rules: &[
        Rule::One(&["host", "in"]),
        Rule::Needs("in", &["service"]),
        Rule::Refuses("host", &["namespace", "service"]),
    ],
};

/// `kubernetes`
pub const KUBERNETES: Table = Table {
    what: "a `kubernetes` check",
    groups: &[&[
        Field::optional(
            "cluster",
            Shape::Configured(Sort::Cluster),
            "A cluster of the configuration. Without it: the drill's own.",
        )
        .example("production"),
        Field::optional(
            "in",
            Shape::Step(&["veleroRestore"]),
            "The restore step in whose sandbox the object is. Only in a step.",
        )
        .example("restore"),
        Field::required("apiVersion", Shape::Text, "The object's `apiVersion`.").example("apps/v1"),
        Field::required("kind", Shape::Text, "The object's `kind`.").example("Deployment"),
        Field::optional(
            "namespace",
            Shape::Namespace,
            "Its namespace; beside `in` as it is called in the backup, and needed only where the \
             step restores several.",
        )
        .example("shop"),
        Field::required("name", Shape::ObjectName, "Its name.").example("web"),
        Field::optional(
            "condition",
            Shape::Object(&CONDITION),
            "A condition that it must have. One of an older generation does not count.",
        ),
        Field::optional("field", Shape::Object(&FIELD), "A field that is compared."),
    ]],
    rules: &[Rule::AtMostOne(&["cluster", "in"]), Rule::One(&["condition", "field"])],
};

/// `condition`
pub const CONDITION: Table = Table {
    what: "a `condition`",
    groups: &[&[
        Field::required("type", Shape::Text, "The condition's type.").example("Available"),
        Field::default(
            "status",
            Shape::Choice(&["True", "False", "Unknown"]),
            "True",
            "The status that it must have.",
        ),
    ]],
    rules: &[],
};

/// `field`
pub const FIELD: Table = Table {
    what: "a `field`",
    groups: &[&[
        Field::required(
            "path",
            Shape::Text,
            "Where it is: keys with dots between, `[0]` for an item of a list, `['a.b']` for a \
             key with dots.",
        )
        .example("status.readyReplicas"),
        Field::optional("equals", Shape::Scalar, "It must be this.").example("Bound"),
        Field::optional("notEquals", Shape::Scalar, "It must be there and not be this.")
            .example("Lost"),
        Field::optional("atLeast", Shape::Scalar, "It must be at least this number or quantity.")
            .example("2"),
        Field::optional("atMost", Shape::Scalar, "It must be at most this number or quantity.")
            .example("500m"),
        Field::optional("exists", Shape::Flag, "Whether it must be there.").example("true"),
    ]],
    rules: &[Rule::One(&["equals", "notEquals", "atLeast", "atMost", "exists"])],
};

/// `promql`
pub const PROMQL: Table = Table {
    what: "a `promql` check",
    groups: &[&[
        Field::default(
            "target",
            Shape::Configured(Sort::Target),
            "prometheus",
            "A target of the configuration: the base URL of Prometheus.",
        ),
        Field::optional("url", Shape::Url, "The base URL of Prometheus.")
            .example("https://prometheus.example.com"),
        Field::required("query", Shape::Text, "The query, evaluated at the server's now.")
            .example("'ALERTS{severity=\"page\",alertstate=\"firing\"}'"),
        Field::optional(
            "expect",
            Shape::Choice(&["empty", "notEmpty"]),
            "Whether the result must be empty.",
        )
        .example("empty"),
        Field::optional("above", Shape::Number, "Every sample must be above this.").example("0"),
        Field::optional("atLeast", Shape::Number, "Every sample must be at least this.")
            .example("0.99"),
        Field::optional("equals", Shape::Number, "Every sample must be this.").example("1"),
        Field::optional("atMost", Shape::Number, "Every sample must be at most this.")
            .example("100"),
        Field::optional("below", Shape::Number, "Every sample must be below this.").example("0.5"),
    ]],
    rules: &[
        Rule::AtMostOne(&["target", "url"]),
        Rule::One(&["expect", "above", "atLeast", "equals", "atMost", "below"]),
    ],
};

/// Decodes the step `check`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let question = question(out, object);
    let successes = object.count(out, "successes");
    let every = object.duration(out, "every");
    let timeout = object.duration(out, "timeout");
    Some(Spec {
        question: question?,
        successes: u32::try_from(successes?.value).ok()?,
        every: every?.value,
        timeout: timeout?.value,
    })
}
