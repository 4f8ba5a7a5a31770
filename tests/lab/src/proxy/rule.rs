//! Which requests misbehave, and how. Pure: no connection is touched here.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::json;

/// Which requests. Every field that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Methods; empty = any.
    pub methods: Vec<Method>,
    /// Part of path and query, `/api/v1/nodes/` or `watch=true`.
    pub path_contains: Option<String>,
    /// Part of the user agent.
    pub user_agent: Option<String>,
    /// Only the n-th request that matches the rest, from 1; none = every one.
    pub nth: Option<u64>,
}

impl Match {
    /// Every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// The n-th request of all, from 1, counted from when the rule is added.
    #[must_use]
    pub fn overall(n: u64) -> Self {
        Self::any().nth(n)
    }

    /// Requests of a method.
    ///
    /// # Panics
    /// If it is not a legal method name.
    #[must_use]
    pub fn method(method: &str) -> Self {
        Self { methods: vec![method.parse().expect("a legal method name")], ..Self::default() }
    }

    /// Requests that ask for a change: POST, PUT, PATCH, DELETE.
    #[must_use]
    pub fn writes() -> Self {
        let methods = vec![Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        Self { methods, ..Self::default() }
    }

    /// Narrowed to a part of path and query.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path_contains = Some(part.to_owned());
        self
    }

    /// Narrowed to a part of the user agent.
    #[must_use]
    pub fn agent(mut self, part: &str) -> Self {
        self.user_agent = Some(part.to_owned());
        self
    }

    /// Narrowed to the n-th of them, from 1.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.nth = Some(n);
        self
    }

    /// Whether a request matches, `nth` aside.
    fn fits(&self, method: &Method, target: &str, user_agent: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(method))
            && self.path_contains.as_ref().is_none_or(|part| target.contains(part))
            && self.user_agent.as_ref().is_none_or(|part| user_agent.contains(part))
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The connection is closed; the server never sees it.
    Cut,
    /// The server gets it and applies it; the connection is closed without an answer.
    CutAfter,
    /// It is forwarded after a while, if the client still waits then.
    Delay(Duration),
    /// No answer. Released, it is forwarded if the client still waits; if the client leaves, it is
    /// gone.
    Hang,
    /// The server gets it and applies it; no answer, until the client leaves.
    HangAfter,
    /// It is kept back. Released, it is forwarded even if the client has gone meanwhile.
    Hold,
    /// It is answered here; the server never sees it.
    Answer {
        /// Status code.
        code: u16,
        /// Headers.
        headers: HeaderMap,
        /// Body.
        body: Vec<u8>,
    },
}

impl Action {
    /// A Kubernetes `Status` with this code, as an API server would answer.
    #[must_use]
    pub fn status(code: u16, message: &str) -> Self {
        let reason = match code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "Unknown",
        };
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        Self::Answer { code, headers, body: body.to_string().into_bytes() }
    }

    /// An [`Self::Answer`] with one more header; anything else stays as it is.
    ///
    /// # Panics
    /// If name or value are not legal.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            let name: HeaderName = name.parse().expect("a legal header name");
            headers.insert(name, value.parse().expect("a legal header value"));
        }
        self
    }

    /// Its name, for records.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Cut => "cut".to_owned(),
            Self::CutAfter => "cut after".to_owned(),
            Self::Delay(by) => format!("delay {by:?}"),
            Self::Hang => "hang".to_owned(),
            Self::HangAfter => "hang after".to_owned(),
            Self::Hold => "hold".to_owned(),
            Self::Answer { code, .. } => format!("answer {code}"),
        }
    }
}

/// Names a rule of one proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(u64);

/// A rule as it stands.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// Which requests.
    pub matching: Match,
    /// What happens to them.
    pub action: Action,
    /// How many requests matched, `nth` aside.
    pub matched: u64,
    /// How many it acted on.
    pub acted: u64,
}

/// The rules in force, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Rules {
    next: u64,
    all: Vec<Rule>,
}

impl Rules {
    pub fn add(&mut self, matching: Match, action: Action) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        self.all.push(Rule { id, matching, action, matched: 0, acted: 0 });
        id
    }

    pub fn remove(&mut self, id: RuleId) -> bool {
        let before = self.all.len();
        self.all.retain(|rule| rule.id != id);
        self.all.len() < before
    }

    pub fn clear(&mut self) {
        self.all.clear();
    }

    pub fn all(&self) -> &[Rule] {
        &self.all
    }

    /// What happens to a request. Every rule counts it; the first that wants it gets it.
    pub fn decide(&mut self, method: &Method, target: &str, user_agent: &str) -> Option<Action> {
        let mut chosen = None;
        for rule in &mut self.all {
            if !rule.matching.fits(method, target, user_agent) {
                continue;
            }
            rule.matched += 1;
            if chosen.is_none() && rule.matching.nth.is_none_or(|n| n == rule.matched) {
                rule.acted += 1;
                chosen = Some(rule.action.clone());
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_narrows_and_the_first_rule_wins() {
        let mut rules = Rules::default();
        let second = rules.add(Match::method("PATCH").path("/nodes/").nth(2), Action::Cut);
        rules.add(Match::writes().agent("firedrill"), Action::Hold);
        let patch = Method::PATCH;
        assert_eq!(rules.decide(&Method::GET, "/nodes/a", "firedrill/1"), None);
        assert_eq!(rules.decide(&patch, "/nodes/a", "kubectl"), None);
        // The second PATCH of a node, whoever sends it.
        assert_eq!(rules.decide(&patch, "/nodes/a", "firedrill/1"), Some(Action::Cut));
        assert_eq!(rules.decide(&patch, "/nodes/a", "firedrill/1"), Some(Action::Hold));
        assert_eq!(rules.all()[0].matched, 3);
        assert_eq!(rules.all()[0].acted, 1);
        // Counted, though the first rule took one of them.
        assert_eq!(rules.all()[1].matched, 2);
        assert!(rules.remove(second) && !rules.remove(second));
        assert_eq!(rules.decide(&patch, "/pods/a", "other"), None);
    }

    #[test]
    fn the_nth_of_all_is_counted_from_when_the_rule_is_added() {
        let mut rules = Rules::default();
        assert_eq!(rules.decide(&Method::GET, "/", ""), None);
        rules.add(Match::overall(3), Action::Hang);
        let fired: Vec<bool> =
            (0..5).map(|_| rules.decide(&Method::GET, "/", "").is_some()).collect();
        assert_eq!(fired, [false, false, true, false, false]);
    }
}
