//! What the answer to an eviction means. PURE.
//!
//! Source: `pkg/registry/core/pod/storage/eviction.go` of Kubernetes, and answers recorded from
//! Kubernetes 1.36.

use serde_json::Value;

/// What the answer to an eviction means. Each sentence is the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The pod is going.
    Accepted,
    /// The pod we meant is not there any more: 404, or 409 because its name has a new UID.
    Gone(String),
    /// The budget allows none now; ask again when it changes.
    BudgetRefused {
        /// Why.
        why: String,
        /// Seconds to wait at least.
        retry_after: Option<u64>,
    },
    /// The server is busy, or a webhook defers; not the budget's doing.
    TooManyRequests {
        /// Why.
        why: String,
        /// Seconds to wait at least.
        retry_after: Option<u64>,
    },
    /// More than one budget covers the pod; asking again is useless.
    TwoBudgets(String),
    /// Its namespace is being deleted, and the pod with it.
    NamespaceTerminating(String),
    /// We may not.
    Forbidden(String),
    /// Refused for another reason, most likely by a webhook; may be asked again.
    Refused(String),
    /// It may or may not have happened: look before asking again.
    Unknown(String),
}

impl Answer {
    /// Whether the eviction happened; none = look.
    #[must_use]
    pub fn happened(&self) -> Option<bool> {
        match self {
            Self::Accepted => Some(true),
            Self::Unknown(_) => None,
            _ => Some(false),
        }
    }
}

/// Reads the answer: the HTTP status, the body (a `Status` or anything else) and the seconds of
/// the header `Retry-After`.
#[must_use]
pub fn read(code: u16, body: &Value, retry_after: Option<u64>) -> Answer {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    // Some servers wrap a failure in a success: the Status's own code counts then.
    let failure = text("/status") == "Failure";
    if (200..300).contains(&code) && !failure {
        return Answer::Accepted;
    }
    let inner = body.pointer("/code").and_then(Value::as_u64).and_then(|code| code.try_into().ok());
    let code = if failure { inner.unwrap_or(code) } else { code };
    let message = text("/message");
    let causes = || body.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten();
    let cause = |reason: &str| causes().find(|cause| cause["reason"] == reason);
    let retry_after =
        retry_after.or_else(|| body.pointer("/details/retryAfterSeconds").and_then(Value::as_u64));
    let why = if message.is_empty() { format!("HTTP {code}") } else { message.to_owned() };
    match code {
        404 => Answer::Gone(why),
        409 if message.contains("recondition") => Answer::Gone(why),
        429 => match cause("DisruptionBudget") {
            Some(cause) => Answer::BudgetRefused {
                why: cause["message"].as_str().filter(|m| !m.is_empty()).unwrap_or(&why).to_owned(),
                retry_after,
            },
            None => Answer::TooManyRequests { why, retry_after },
        },
        500 if message.contains("more than one PodDisruptionBudget") => Answer::TwoBudgets(why),
        403 if cause("NamespaceTerminating").is_some() => Answer::NamespaceTerminating(why),
        401 | 403 => Answer::Forbidden(why),
        // A timeout of the request itself, which the server may have carried out.
        408 => Answer::Unknown(why),
        400..500 => Answer::Refused(why),
        _ => Answer::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failure(code: u16, message: &str, details: Value) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
               "details": details, "code": code})
    }

    #[test]
    fn every_answer_has_one_meaning() {
        let two = "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                   does not support.";
        let budget = "The disruption budget web needs 6 healthy pods and has 6 currently";
        let evict = "Cannot evict pod as it would violate the pod's disruption budget.";
        let causes = json!({"causes": [{"reason": "DisruptionBudget", "message": budget}]});
        let moved = "Operation cannot be fulfilled on Pod \"web-1\": Precondition failed: UID in \
                     precondition: 1, UID in object meta: 2";
        for (code, body, header, want) in [
            (201, json!({"kind": "Status", "status": "Success"}), None, Answer::Accepted),
            (200, json!(null), None, Answer::Accepted),
            (
                404,
                failure(404, "pods \"web-1\" not found", json!({})),
                None,
                Answer::Gone("pods \"web-1\" not found".into()),
            ),
            (409, failure(409, moved, json!({})), None, Answer::Gone(moved.into())),
            (
                409,
                failure(409, "the object has been modified", json!({})),
                None,
                Answer::Refused("the object has been modified".into()),
            ),
            (
                429,
                failure(429, evict, causes.clone()),
                None,
                Answer::BudgetRefused { why: budget.into(), retry_after: None },
            ),
            (
                429,
                failure(429, evict, causes),
                Some(10),
                Answer::BudgetRefused { why: budget.into(), retry_after: Some(10) },
            ),
            (
                429,
                failure(429, "too many requests", json!({"retryAfterSeconds": 1})),
                None,
                Answer::TooManyRequests { why: "too many requests".into(), retry_after: Some(1) },
            ),
            (
                429,
                json!("not a Status"),
                Some(2),
                Answer::TooManyRequests { why: "HTTP 429".into(), retry_after: Some(2) },
            ),
            (500, failure(500, two, json!({})), None, Answer::TwoBudgets(two.into())),
            // The other wire form: a failure inside a success.
            (201, failure(500, two, json!({})), None, Answer::TwoBudgets(two.into())),
            (
                403,
                failure(
                    403,
                    "ns is terminating",
                    json!({"causes": [
                    {"reason": "NamespaceTerminating"}]}),
                ),
                None,
                Answer::NamespaceTerminating("ns is terminating".into()),
            ),
            (
                403,
                failure(403, "cannot create", json!({})),
                None,
                Answer::Forbidden("cannot create".into()),
            ),
            (401, json!(null), None, Answer::Forbidden("HTTP 401".into())),
            (
                422,
                failure(422, "webhook says no", json!({})),
                None,
                Answer::Refused("webhook says no".into()),
            ),
            (500, failure(500, "etcd", json!({})), None, Answer::Unknown("etcd".into())),
            (504, failure(504, "Timeout", json!({})), None, Answer::Unknown("Timeout".into())),
            (503, json!(null), None, Answer::Unknown("HTTP 503".into())),
        ] {
            let answer = read(code, &body, header);
            assert_eq!(answer, want, "{code} {body}");
            let happened = match &answer {
                Answer::Accepted => Some(true),
                Answer::Unknown(_) => None,
                _ => Some(false),
            };
            assert_eq!(answer.happened(), happened);
        }
    }
}
