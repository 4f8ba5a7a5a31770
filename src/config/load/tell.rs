//! Hooks and notify rules. PURE.

use std::path::Path;

use super::{References, file};
use crate::{
    config::tell::{Hook, Occasion, Rule, Slack, Url},
    drill::decode::{Decoder, Object},
};

/// Where messages to Slack go, unless the hook says otherwise.
const SLACK_HOST: &str = "hooks.slack.com";

pub(super) fn hook(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Hook> {
    // All that are there are read, so that all their problems are told.
    let slack = object.object(out, "slack").and_then(|object| slack(out, &object, base));
    let webhook = object.object(out, "webhook").and_then(|object| webhook(out, &object, base));
    let heartbeat =
        object.object(out, "heartbeat").and_then(|object| heartbeat(out, &object, base));
    slack.map(Hook::Slack).or(webhook).or(heartbeat)
}

fn slack(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Slack> {
    let url_file = file(out, object, "urlFile", base);
    let token_file = file(out, object, "tokenFile", base);
    let channel = object.text(out, "channel").map(|at| at.value);
    let hosts = object.texts(out, "allowHosts");
    let allow_hosts = hosts.map_or_else(
        || vec![SLACK_HOST.to_owned()],
        |hosts| hosts.into_iter().map(|at| at.value).collect(),
    );
    match url_file {
        Some(file) => Some(Slack::Url { file, allow_hosts }),
        None => Some(Slack::Token { file: token_file?, channel: channel? }),
    }
}

fn webhook(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Hook> {
    let open = object.text(out, "url").map(|at| Url::Open(at.value));
    let url = open.or(file(out, object, "urlFile", base).map(Url::File));
    let secret_file = file(out, object, "secretFile", base);
    let ca_file = file(out, object, "caFile", base);
    let allow_private = object.flag(out, "allowPrivate");
    Some(Hook::Webhook { url: url?, secret_file, ca_file, allow_private: allow_private?.value })
}

fn heartbeat(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Hook> {
    let url_file = file(out, object, "urlFile", base);
    let every = object.duration(out, "every");
    let allow_private = object.flag(out, "allowPrivate");
    Some(Hook::Heartbeat {
        url_file: url_file?,
        every: every?.value,
        allow_private: allow_private?.value,
    })
}

pub(super) fn rule(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    references: &mut References,
) -> Option<Rule> {
    let drills = object.texts(out, "drills").unwrap_or_default();
    let selector = object.text(out, "selector").map(|at| at.value);
    let clusters = object.texts(out, "clusters").unwrap_or_default();
    references.clusters.extend(clusters.iter().cloned());
    let on = object.texts(out, "on");
    let to = object.texts(out, "to");
    references.hooks.extend(to.iter().flatten().cloned());
    let at_most_every = object.duration(out, "atMostEvery").map(|at| at.value);
    let values = |all: Vec<crate::drill::decode::At<String>>| -> Vec<String> {
        all.into_iter().map(|at| at.value).collect()
    };
    Some(Rule {
        drills: values(drills),
        selector,
        clusters: values(clusters),
        on: on?.iter().filter_map(|at| Occasion::of(&at.value)).collect(),
        to: values(to?),
        at_most_every,
    })
}
