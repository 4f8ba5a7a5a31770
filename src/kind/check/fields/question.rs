//! How what stands in a check becomes its question. PURE.

use std::net::IpAddr;

use crate::{
    check::{
        HttpAt, HttpCheck, KubernetesAt, KubernetesCheck, PromqlAt, PromqlCheck, Question,
        TcpCheck, Wanted, Within,
        compare::{Quantity, Test},
        path::FieldPath,
        service::PortRef,
        vector::Expect,
    },
    drill::{
        decode::{At, Decoder, Object},
        problem::{Code, quote},
        scalar,
        table::names,
    },
};

use super::QUESTIONS;

/// Decodes what a check asks, of a step, a guard or a background check.
pub fn question(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Question> {
    let key = object.which(&names(QUESTIONS))?;
    let inner = object.object(out, key)?;
    match key {
        "http" => http(out, &inner).map(Question::Http),
        "tcp" => tcp(out, &inner).map(Question::Tcp),
        "kubernetes" => kubernetes(out, &inner).map(|it| Question::Kubernetes(Box::new(it))),
        // The last of the four that `which` answers.
        _ => promql(out, &inner).map(Question::Promql),
    }
}

fn http(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<HttpCheck> {
    let at = match object.which(&["target", "url", "in"]) {
        Some("target") => object.text(out, "target").map(|at| HttpAt::Target(at.value)),
        Some("url") => object.text(out, "url").map(|at| HttpAt::Url(at.value)),
        Some(_) => within(out, object).map(HttpAt::Within),
        None => None,
    };
    let path = object.text(out, "path");
    let status = object.count(out, "status");
    let contains = object.text(out, "contains").map(|at| at.value);
    Some(HttpCheck {
        at: at?,
        path: path?.value,
        status: u16::try_from(status?.value).ok()?,
        contains,
    })
}

fn within(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Within> {
    let step = object.text(out, "in");
    let namespace = object.text(out, "namespace").map(|at| at.value);
    let service = object.text(out, "service");
    let port = object.port(out, "port");
    Some(Within {
        step: step?.value,
        namespace,
        service: service?.value,
        port: PortRef::of(&port?.value),
    })
}

fn tcp(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<TcpCheck> {
    if object.which(&["host", "in"])? == "in" {
        return within(out, object).map(TcpCheck::Within);
    }
    let host = object.text(out, "host").and_then(|at| host(out, at));
    let port = object.port(out, "port").and_then(|at| {
        let number = at.value.parse().ok();
        if number.is_none() {
            let message = format!("a host has no named ports, found {}", quote(&at.value));
            out.error(Code::InvalidValue, &at.span, &at.key, message)
                .help("write the port's number");
        }
        number
    });
    Some(TcpCheck::Host { host: host?, port: port? })
}

/// An IP address, or a name that DNS can know.
fn host(out: &mut Decoder<'_>, at: At<String>) -> Option<String> {
    let bare = at.value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if bare.unwrap_or(&at.value).parse::<IpAddr>().is_ok() {
        return Some(bare.unwrap_or(&at.value).to_owned());
    }
    if scalar::subdomain(&at.value.to_lowercase()).is_ok() {
        return Some(at.value);
    }
    let help = if at.value.contains("://") {
        "leave out the scheme: a `tcp` check knows only host and port"
    } else if at.value.contains(':') {
        "write the port under `port`"
    } else {
        "write a name such as `database.example.com`, or an IP address"
    };
    let message = format!("{} is no host", quote(&at.value));
    out.error(Code::InvalidValue, &at.span, &at.key, message).help(help);
    None
}

fn kubernetes(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<KubernetesCheck> {
    let cluster = object.text(out, "cluster").map(|at| at.value);
    let step = object.text(out, "in").map(|at| at.value);
    let version = object.text(out, "apiVersion").and_then(|at| api_version(out, &at));
    let kind = object.text(out, "kind").and_then(|at| kind(out, at));
    let namespace = object.text(out, "namespace").map(|at| at.value);
    let name = object.text(out, "name");
    let wanted = match object.which(&["condition", "field"]) {
        Some("condition") => object.object(out, "condition").and_then(|it| condition(out, &it)),
        Some(_) => object.object(out, "field").and_then(|it| field(out, &it)),
        None => None,
    };
    let (group, version) = version?;
    Some(KubernetesCheck {
        at: step.map_or(KubernetesAt::Cluster(cluster), KubernetesAt::Step),
        group,
        version,
        kind: kind?,
        namespace,
        name: name?.value,
        wanted: wanted?,
    })
}

/// `v1` or `GROUP/VERSION`.
fn api_version(out: &mut Decoder<'_>, at: &At<String>) -> Option<(String, String)> {
    let (group, version) = at.value.split_once('/').unwrap_or(("", &at.value));
    let group_is_one = group.is_empty() != at.value.contains('/')
        && (group.is_empty() || scalar::subdomain(group).is_ok());
    if group_is_one && scalar::label(version, 63).is_ok() {
        return Some((group.to_owned(), version.to_owned()));
    }
    let message = format!("{} is no `apiVersion`", quote(&at.value));
    out.error(Code::InvalidValue, &at.span, &at.key, message)
        .help("write it as the object has it: `v1`, `apps/v1`, `velero.io/v1`");
    None
}

/// An upper camel case word; it becomes part of no path, but of sentences.
fn kind(out: &mut Decoder<'_>, at: At<String>) -> Option<String> {
    let legal = at.value.starts_with(|c: char| c.is_ascii_uppercase())
        && at.value.chars().all(|c| c.is_ascii_alphanumeric())
        && at.value.len() <= 63;
    if legal {
        return Some(at.value);
    }
    let message = format!("{} is no `kind`", quote(&at.value));
    out.error(Code::InvalidValue, &at.span, &at.key, message)
        .help("write it as the object has it: `Deployment`, not `deployments`");
    None
}

fn condition(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Wanted> {
    let name = object.text(out, "type");
    let status = object.text(out, "status");
    Some(Wanted::Condition { name: name?.value, status: status?.value })
}

fn field(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Wanted> {
    let path = object.text(out, "path").and_then(|at| match FieldPath::parse(&at.value) {
        Ok(path) => Some(path),
        Err((message, help)) => {
            out.error(Code::InvalidValue, &at.span, &at.key, message).help(help);
            None
        }
    });
    let test = match object.which(&["equals", "notEquals", "atLeast", "atMost", "exists"]) {
        Some("equals") => object.scalar(out, "equals").map(|at| Test::Equals(at.value)),
        Some("notEquals") => object.scalar(out, "notEquals").map(|at| Test::NotEquals(at.value)),
        Some("atLeast") => bound(out, object, "atLeast").map(Test::AtLeast),
        Some("atMost") => bound(out, object, "atMost").map(Test::AtMost),
        Some(_) => object.flag(out, "exists").map(|at| Test::Exists(at.value)),
        None => None,
    };
    Some(Wanted::Field { path: path?, test: test? })
}

fn bound(out: &mut Decoder<'_>, object: &Object<'_>, name: &str) -> Option<Quantity> {
    let at = object.scalar(out, name)?;
    let quantity = Quantity::of(&at.value);
    if quantity.is_none() {
        let message = format!("`{name}` is neither a number nor a quantity: {}", at.value);
        out.error(Code::InvalidValue, &at.span, &at.key, message)
            .help("write a number such as `2`, or a quantity such as `500m` or `1Gi`");
    }
    quantity
}

fn promql(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<PromqlCheck> {
    let at = if object.entry("url").is_some() {
        object.text(out, "url").map(|at| PromqlAt::Url(at.value))
    } else {
        object.text(out, "target").map(|at| PromqlAt::Target(at.value))
    };
    let query = object.text(out, "query");
    let expect = match object.which(&["expect", "above", "atLeast", "equals", "atMost", "below"]) {
        Some("expect") => object.text(out, "expect").map(|at| match at.value.as_str() {
            "empty" => Expect::Empty,
            _ => Expect::NotEmpty,
        }),
        Some(key) => object.number(out, key).map(|at| at.value).map(|value| match key {
            "above" => Expect::Above(value),
            "atLeast" => Expect::AtLeast(value),
            "equals" => Expect::Equals(value),
            "atMost" => Expect::AtMost(value),
            _ => Expect::Below(value),
        }),
        None => None,
    };
    Some(PromqlCheck { at: at?, query: query?.value, expect: expect? })
}
