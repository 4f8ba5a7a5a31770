//! Hooks and notify rules. PURE.

use crate::drill::table::{Field, Rule, Shape, Table};

/// What a rule may tell of.
pub const OCCASIONS: &[&str] = &[
    "started",
    "passed",
    "failed",
    "aborted",
    "interrupted",
    "changed",
    "recovered",
    "leftovers",
    "skipped",
    "missed",
    "overdue",
    "halted",
    "reloadFailed",
];

/// One of `hooks`
pub const HOOK: Table = Table {
    what: "a hook",
    groups: &[&[
        Field::optional("slack", Shape::Object(&SLACK), "A channel of Slack."),
        Field::optional("webhook", Shape::Object(&WEBHOOK), "A URL that takes runs as JSON."),
        Field::optional(
            "heartbeat",
            Shape::Object(&HEARTBEAT),
            "A URL that is asked as long as the scheduler turns: a dead-man's switch. It takes no \
             messages, so no rule names it.",
        ),
    ]],
    rules: &[Rule::One(&["slack", "webhook", "heartbeat"])],
};

/// `slack`
pub const SLACK: Table = Table {
    what: "a Slack hook",
    groups: &[&[
        Field::optional(
            "urlFile",
            Shape::File,
            "File with the URL of an incoming webhook. The URL is a secret: whoever has it can \
             write to the channel.",
        )
        .example("/etc/firedrill/slack.url"),
        Field::optional(
            "tokenFile",
            Shape::File,
            "File with the token of a bot, which can also write threads.",
        )
        .example("/etc/firedrill/slack.token"),
        Field::optional("channel", Shape::Text, "The channel that the bot writes to.")
            .example("C0123456789"),
        Field::optional(
            "allowHosts",
            Shape::Texts(&Shape::Text),
            "The hosts that the URL may have. Without it: `hooks.slack.com`.",
        )
        .example("[chat.example.com]"),
    ]],
    rules: &[
        Rule::One(&["urlFile", "tokenFile"]),
        Rule::Needs("tokenFile", &["channel"]),
        Rule::Refuses("urlFile", &["channel"]),
        Rule::Refuses("tokenFile", &["allowHosts"]),
    ],
};

/// `webhook`
pub const WEBHOOK: Table = Table {
    what: "a webhook",
    groups: &[&[
        Field::optional("url", Shape::HttpsUrl, "Its URL, if that is no secret.")
            .example("https://events.example.com/firedrill"),
        Field::optional("urlFile", Shape::File, "File with its URL.")
            .example("/etc/firedrill/events.url"),
        Field::optional(
            "secretFile",
            Shape::File,
            "File with the secret that signs each message, so that its receiver can tell that it \
             is ours.",
        )
        .example("/etc/firedrill/events.secret"),
        Field::optional(
            "caFile",
            Shape::File,
            "PEM file with the CAs to trust. Without it: the usual public ones.",
        )
        .example("/etc/firedrill/events-ca.pem"),
        Field::default(
            "allowPrivate",
            Shape::Flag,
            "false",
            "Whether the URL may lead to a loopback or private address.",
        ),
    ]],
    rules: &[Rule::One(&["url", "urlFile"])],
};

/// `heartbeat`
pub const HEARTBEAT: Table = Table {
    what: "a heartbeat",
    groups: &[&[
        Field::required("urlFile", Shape::File, "File with the URL, which is a secret.")
            .example("/etc/firedrill/heartbeat.url"),
        Field::default("every", Shape::Duration, "1m", "How often it is asked."),
        Field::default(
            "allowPrivate",
            Shape::Flag,
            "false",
            "Whether the URL may lead to a loopback or private address.",
        ),
    ]],
    rules: &[],
};

/// One of `notify`
pub const RULE: Table = Table {
    what: "a notify rule",
    groups: &[&[
        Field::optional("drills", Shape::Texts(&Shape::Name), "Only of these drills.")
            .example("[shop-comes-back]"),
        Field::optional("selector", Shape::Selector, "Only of drills with these labels.")
            .example("service=shop"),
        Field::optional(
            "clusters",
            Shape::Texts(&Shape::Name),
            "Only of drills of these clusters.",
        )
        .example("[production]"),
        Field::required(
            "on",
            Shape::Texts(&Shape::Choice(OCCASIONS)),
            "What is told: a run that `started`, each of the verdicts, that the verdict `changed` \
             or `recovered` to passed, `leftovers`, a slot that was `skipped` or `missed`, a drill \
             that is `overdue`, that the lever was pulled (`halted`), and a configuration that was \
             refused (`reloadFailed`).",
        )
        .example("[failed, leftovers, missed]"),
        Field::required("to", Shape::Texts(&Shape::Name), "Hooks of `hooks`.").example("[ops]"),
        Field::optional(
            "atMostEvery",
            Shape::Duration,
            "The least time between two messages of this rule about one drill. Without it: each \
             is sent.",
        )
        .example("1h"),
    ]],
    rules: &[],
};
