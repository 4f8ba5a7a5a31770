//! Asks Prometheus. ACT.

use std::time::Duration;

use reqwest::{Client, header::CONTENT_TYPE};

use super::{
    Asker, Red,
    http::{fetch, join},
};
use crate::check::{
    PromqlAt, PromqlCheck,
    vector::{Wrong, judge},
};

/// The most of an answer that is read: thousands of series.
const ANSWER_LIMIT: usize = 1024 * 1024;

impl Asker {
    pub(super) async fn promql(&self, check: &PromqlCheck, timeout: Duration) -> Result<u16, Red> {
        // The server gives up when we do: a query that nobody waits for would still cost it.
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &check.query)
            .append_pair("timeout", &format!("{}ms", timeout.as_millis().max(1)))
            .finish();
        let post = |client: &Client, url: &str| {
            client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
        };
        let (whom, url, request) = match &check.at {
            PromqlAt::Target(name) => {
                let url = join(self.target(name)?, "/api/v1/query");
                let request = self.to_target(name, |client| post(client, &url)).await?;
                (format!("target {name}"), url, request)
            }
            PromqlAt::Url(base) => {
                let url = join(base, "/api/v1/query");
                let request = post(self.plain(), &url);
                (base.clone(), url, request)
            }
        };
        let reply = fetch(&url, request, ANSWER_LIMIT).await?;
        let red = |why: String| Red { status: Some(reply.status), why };
        if reply.cut {
            return Err(red(format!("{whom} answered with over 1 MiB: narrow the query")));
        }
        if (300..400).contains(&reply.status) {
            let to = reply.location.as_deref().map(crate::drill::problem::quote);
            let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
            return Err(red(format!(
                "{whom} redirects{to} and does not answer; does it want a login?"
            )));
        }
        match judge(reply.status, &reply.body, check.expect) {
            Ok(()) => Ok(reply.status),
            Err(Wrong::Server(why)) => Err(red(format!("{whom} {why}"))),
            Err(Wrong::Result(why)) => Err(red(format!("{} {why}", check.query))),
        }
    }
}
