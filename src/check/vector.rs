//! Prometheus' answer to a query, judged. PURE.
//!
//! Format: the HTTP API of Prometheus, `/api/v1/query`: `{"status": "success"|"error", "data":
//! {"resultType": "vector"|"scalar"|"matrix"|"string", "result": ...}, "errorType", "error",
//! "warnings", "infos"}`; a sample is `[seconds, "number as text"]`.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::Value;

/// What the answer to a query has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expect {
    /// No sample.
    Empty,
    /// At least one sample.
    NotEmpty,
    /// Every sample is above this, and there is one.
    Above(f64),
    /// Every sample is at least this, and there is one.
    AtLeast(f64),
    /// Every sample is this, and there is one.
    Equals(f64),
    /// Every sample is at most this, and there is one.
    AtMost(f64),
    /// Every sample is below this, and there is one.
    Below(f64),
}

impl Expect {
    /// Whether a sample satisfies a comparison. NaN satisfies none.
    fn allows(self, value: f64) -> bool {
        match self {
            Self::Empty | Self::NotEmpty => true,
            Self::Above(bound) => value > bound,
            Self::AtLeast(bound) => value >= bound,
            #[expect(clippy::float_cmp, reason = "exactly equal is what is asked for")]
            Self::Equals(bound) => value == bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::NotEmpty => f.write_str("not empty"),
            Self::Above(bound) => write!(f, "above {bound}"),
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::Equals(bound) => write!(f, "{bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::Below(bound) => write!(f, "below {bound}"),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<(f64, String)>,
}

/// Whether a query's answer is as expected. `status` is that of HTTP.
///
/// # Errors
/// Why not, as the end of a sentence that begins with the query or the server.
pub fn judge(status: u16, body: &[u8], expect: Expect) -> Result<(), Wrong> {
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        // Prometheus tells its errors as JSON with 4xx and 5xx; what is no JSON is somebody else's.
        Err(_) if status != 200 => return Err(Wrong::Server(format!("answered {status}"))),
        Err(error) => {
            let start = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
            return Err(Wrong::Server(if body[start..].starts_with(b"<") {
                "answered with a web page, not as Prometheus does; is it the right URL, and does \
                 it want a login?"
                    .to_owned()
            } else if error.is_eof() {
                "broke its answer off in the middle".to_owned()
            } else {
                format!("did not answer as Prometheus does: {error}")
            }));
        }
    };
    if answer.status != "success" || status != 200 {
        let why = answer.error.unwrap_or_else(|| format!("status {}", line(&answer.status)));
        return Err(Wrong::Server(format!("answered {status}: {}", line(&why))));
    }
    // A warning says that the result may be incomplete: then "empty" proves nothing.
    if let Some(warning) = answer.warnings.first() {
        return Err(Wrong::Server(format!("warns: {}", line(warning))));
    }
    let Some(data) = answer.data else {
        return Err(Wrong::Server("answered success without a result".to_owned()));
    };
    let samples = samples(&data)?;
    judge_samples(&samples, expect).map_err(Wrong::Result)
}

/// What is wrong: the server's answer, or the result in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The sentence begins with the server.
    Server(String),
    /// The sentence begins with the query.
    Result(String),
}

/// A series' name and its value.
type Sample = (String, f64);

fn samples(data: &Data) -> Result<Vec<Sample>, Wrong> {
    let nonsense = |why: String| Wrong::Server(format!("did not answer as Prometheus does: {why}"));
    let number = |text: &str| {
        // As Prometheus writes them: NaN, +Inf, -Inf, 1e+06.
        let value: Result<f64, _> = text.parse();
        value.map_err(|_| nonsense(format!("{} is no number", line(text))))
    };
    match data.result_type.as_str() {
        "scalar" => {
            let (_, text): (f64, String) = serde_json::from_value(data.result.clone())
                .map_err(|error| nonsense(error.to_string()))?;
            Ok(vec![("the scalar".to_owned(), number(&text)?)])
        }
        "vector" => {
            let series: Vec<Series> = serde_json::from_value(data.result.clone())
                .map_err(|error| nonsense(error.to_string()))?;
            let sample = |series: Series| {
                let name = name(&series.metric);
                match &series.value {
                    Some((_, text)) => Ok((name, number(text)?)),
                    // A native histogram.
                    None => Err(Wrong::Result(format!(
                        "has a histogram, {name}, which cannot be compared: take a number of it, \
                         with histogram_quantile() or the like"
                    ))),
                }
            };
            series.into_iter().map(sample).collect()
        }
        "matrix" => Err(Wrong::Result(
            "is a range of samples, which cannot be judged: take one of each series, with \
             last_over_time() or the like"
                .to_owned(),
        )),
        "string" => Err(Wrong::Result("is a text, which cannot be judged".to_owned())),
        other => Err(nonsense(format!("a result of the type {}", line(other)))),
    }
}

fn judge_samples(samples: &[Sample], expect: Expect) -> Result<(), String> {
    let results = |n: usize| if n == 1 { "1 result".to_owned() } else { format!("{n} results") };
    let Some((first, _)) = samples.first() else {
        return match expect {
            Expect::Empty => Ok(()),
            Expect::NotEmpty => Err("is empty".to_owned()),
            _ => Err(format!("has no result, so nothing is {expect}")),
        };
    };
    if expect == Expect::Empty {
        return Err(format!("has {}, first {first}", results(samples.len())));
    }
    let bad: Vec<&Sample> = samples.iter().filter(|(_, value)| !expect.allows(*value)).collect();
    match bad.as_slice() {
        [] => Ok(()),
        [(name, value)] if samples.len() == 1 => Err(format!("is {value}, not {expect} ({name})")),
        [(name, value), ..] => Err(format!(
            "has {} of {} not {expect}, first {name} with {value}",
            bad.len(),
            results(samples.len()),
        )),
    }
}

/// A series as Prometheus writes it, cut after its first labels.
fn name(metric: &BTreeMap<String, String>) -> String {
    let own = metric.get("__name__").map(String::as_str).unwrap_or_default();
    let labels: Vec<String> = metric
        .iter()
        .filter(|(key, _)| *key != "__name__")
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    line(&format!("{own}{{{}}}", labels.join(",")))
}

/// One line without control characters, cut: it comes from somebody else's server.
fn line(text: &str) -> String {
    let mut out: String =
        text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(200).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vector(values: &[&str]) -> Vec<u8> {
        let result: Vec<Value> = values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                json!({"metric": {"__name__": "up", "job": format!("j{at}")}, "value": [1.5, value]})
            })
            .collect();
        json!({"status": "success", "data": {"resultType": "vector", "result": result}})
            .to_string()
            .into_bytes()
    }

    fn of(data: Value) -> Vec<u8> {
        json!({"status": "success", "data": data}).to_string().into_bytes()
    }

    #[test]
    fn samples_are_judged() {
        let scalar = |text: &str| of(json!({"resultType": "scalar", "result": [1.0, text]}));
        let cases = [
            (vector(&[]), Expect::Empty, None),
            (vector(&["1"]), Expect::Empty, Some("has 1 result, first up{job=\"j0\"}")),
            (vector(&["1", "1"]), Expect::Empty, Some("has 2 results, first up{job=\"j0\"}")),
            (vector(&["NaN"]), Expect::Empty, Some("has 1 result, first up{job=\"j0\"}")),
            (vector(&[]), Expect::NotEmpty, Some("is empty")),
            (vector(&["0"]), Expect::NotEmpty, None),
            (vector(&["2", "3"]), Expect::Above(1.0), None),
            (
                vector(&["2", "1", "0"]),
                Expect::Above(1.0),
                Some("has 2 of 3 results not above 1, first up{job=\"j1\"} with 1"),
            ),
            (vector(&["1"]), Expect::AtLeast(1.0), None),
            (vector(&["1"]), Expect::AtMost(1.0), None),
            (vector(&["1"]), Expect::Equals(1.0), None),
            (vector(&["1"]), Expect::Below(1.0), Some("is 1, not below 1 (up{job=\"j0\"})")),
            (vector(&["+Inf"]), Expect::Above(1e300), None),
            (vector(&["-Inf"]), Expect::Below(0.0), None),
            (vector(&["1e+06"]), Expect::Equals(1_000_000.0), None),
            (vector(&[]), Expect::AtMost(9.0), Some("has no result, so nothing is at most 9")),
            (scalar("3"), Expect::AtLeast(3.0), None),
            (scalar("3"), Expect::Empty, Some("has 1 result, first the scalar")),
        ];
        for (body, expect, why) in cases {
            let judged = judge(200, &body, expect);
            let why = why.map(|why| Wrong::Result(why.to_owned()));
            assert_eq!(judged.err(), why, "{expect} of {}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn nan_satisfies_no_comparison() {
        for expect in [
            Expect::Above(0.0),
            Expect::AtLeast(0.0),
            Expect::Equals(0.0),
            Expect::AtMost(0.0),
            Expect::Below(0.0),
        ] {
            assert!(judge(200, &vector(&["NaN"]), expect).is_err(), "{expect}");
            assert!(judge(200, &vector(&["0", "NaN"]), expect).is_err(), "{expect}");
        }
    }

    #[test]
    fn what_is_not_a_whole_sound_answer_is_never_green() {
        let cut = vector(&["1"]);
        let warned = json!({
            "status": "success", "warnings": ["remote read\n failed"],
            "data": {"resultType": "vector", "result": []},
        });
        let failed = json!({"status": "error", "errorType": "bad_data", "error": "parse error"});
        let histogram = json!({"resultType": "vector", "result": [
            {"metric": {"__name__": "h"}, "histogram": [1.0, {"count": "1"}]},
        ]});
        let cases: Vec<(u16, Vec<u8>, &str)> = vec![
            (200, cut[..cut.len() / 2].to_vec(), "broke its answer off in the middle"),
            (200, Vec::new(), "broke its answer off in the middle"),
            (
                200,
                b"\n<!doctype html><title>Sign in</title>".to_vec(),
                "answered with a web page, not as Prometheus does; is it the right URL, and does \
                 it want a login?",
            ),
            (502, b"<html>bad gateway</html>".to_vec(), "answered 502"),
            (400, failed.to_string().into_bytes(), "answered 400: parse error"),
            (200, failed.to_string().into_bytes(), "answered 200: parse error"),
            (503, vector(&[]), "answered 503: status success"),
            (200, warned.to_string().into_bytes(), "warns: remote read  failed"),
            (200, b"{\"status\":\"success\"}".to_vec(), "answered success without a result"),
            (200, vector(&["one"]), "did not answer as Prometheus does: one is no number"),
        ];
        for (status, body, why) in cases {
            for expect in [Expect::Empty, Expect::NotEmpty, Expect::AtLeast(0.0)] {
                let judged = judge(status, &body, expect);
                assert_eq!(judged, Err(Wrong::Server(why.to_owned())), "{expect}");
            }
        }
        for (data, why) in [
            (json!({"resultType": "matrix", "result": []}), "is a range of samples"),
            (json!({"resultType": "string", "result": [1.0, "x"]}), "is a text"),
            (histogram, "has a histogram, h{}"),
        ] {
            for expect in [Expect::Empty, Expect::NotEmpty, Expect::AtLeast(0.0)] {
                match judge(200, &of(data.clone()), expect) {
                    Err(Wrong::Result(told)) => assert!(told.starts_with(why), "{told}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}
