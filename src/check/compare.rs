//! Values of an object's fields, compared. PURE.

use std::{cmp::Ordering, fmt};

use serde_json::Value;

/// What a field has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// This text, number or boolean.
    Equals(Value),
    /// Another value than this. A field that is not there is not another value.
    NotEquals(Value),
    /// At least this number or quantity.
    AtLeast(Quantity),
    /// At most this number or quantity.
    AtMost(Quantity),
    /// There, or not there.
    Exists(bool),
}

impl Test {
    /// Whether the field's value passes; none = it is not there.
    ///
    /// # Errors
    /// Why it does not, as the end of a sentence that begins with the field.
    pub fn judge(&self, found: Option<&Value>) -> Result<(), String> {
        let Some(found) = found else {
            return match self {
                Self::Exists(false) => Ok(()),
                _ => Err("is not there".to_owned()),
            };
        };
        let bad = || Err(format!("is {}, not {self}", shown(found)));
        match self {
            Self::Exists(true) => Ok(()),
            Self::Exists(false) => Err(format!("is there: {}", shown(found))),
            Self::Equals(wanted) if same(wanted, found) => Ok(()),
            Self::Equals(wanted) => match (wanted, found) {
                // Both look alike in a sentence; that one is in quotes in the object is the news.
                (Value::String(text), other) | (other, Value::String(text))
                    if text.as_str() == shown(other) =>
                {
                    Err(format!("is {} ({}), not {self}", shown(found), sort(found)))
                }
                _ => bad(),
            },
            Self::NotEquals(_) if found.is_object() || found.is_array() => {
                Err(format!("is {}, which cannot be compared", sort(found)))
            }
            Self::NotEquals(wanted) if same(wanted, found) => Err(format!("is {}", shown(found))),
            Self::NotEquals(_) => Ok(()),
            Self::AtLeast(bound) | Self::AtMost(bound) => {
                let Some(value) = Quantity::of(found) else {
                    return Err(format!(
                        "is {}, which is neither a number nor a quantity",
                        shown(found)
                    ));
                };
                let wrong = match self {
                    Self::AtLeast(_) => Ordering::Less,
                    _ => Ordering::Greater,
                };
                if value.nanos.cmp(&bound.nanos) == wrong { bad() } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => f.write_str(&shown(value)),
            Self::NotEquals(value) => write!(f, "other than {}", shown(value)),
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::Exists(true) => f.write_str("set"),
            Self::Exists(false) => f.write_str("unset"),
        }
    }
}

/// Whether two scalars are the same; `1` and `1.0` are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => match (Quantity::of(a), Quantity::of(b)) {
            (Some(a), Some(b)) => a.nanos == b.nanos,
            _ => a == b,
        },
        _ => a == b,
    }
}

/// A value in a sentence: cut, so that an annotation of a megabyte stays one line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => crate::drill::problem::quote(text),
        Value::Object(_) | Value::Array(_) => sort(value).to_owned(),
        other => other.to_string(),
    }
}

fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// A number with a unit, as Kubernetes writes them: `500m`, `1Gi`, `2`, `1e3`.
///
/// Source: the documentation of `k8s.io/apimachinery/pkg/api/resource.Quantity`. As there, what is
/// finer than a billionth is rounded up.
#[derive(Clone, Debug)]
pub struct Quantity {
    text: String,
    nanos: i128,
}

/// `1Gi` and `1024Mi` are equal.
impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Quantity {
    /// Reads a quantity; none if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
        let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
        let (sign, number) = match number.strip_prefix('-') {
            Some(number) => (-1, number),
            None => (1, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if digits().next().is_none() || !digits().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Numerator and denominator, in billionths.
        let mut over: i128 = 1;
        let mut nanos: i128 = 1_000_000_000;
        match suffix {
            "n" => over = 1_000_000_000,
            "u" => over = 1_000_000,
            "m" => over = 1_000,
            "" => {}
            _ => {
                let power = |letters: &str| {
                    let at = letters.find(suffix.trim_end_matches('i'))?;
                    u32::try_from(at).ok().map(|at| at + 1)
                };
                nanos = match suffix.len() {
                    1 if "kMGTPE".contains(suffix) => {
                        nanos.checked_mul(1000_i128.checked_pow(power("kMGTPE")?)?)?
                    }
                    2 if suffix.ends_with('i') && "KMGTPE".contains(&suffix[..1]) => {
                        nanos.checked_mul(1024_i128.checked_pow(power("KMGTPE")?)?)?
                    }
                    _ => {
                        let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                        let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
                        if exponent < 0 {
                            over = factor;
                            nanos
                        } else {
                            nanos.checked_mul(factor)?
                        }
                    }
                };
            }
        }
        let mut mantissa: i128 = 0;
        for digit in digits() {
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        over = over.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
        let nanos = mantissa.checked_mul(nanos)?;
        // Away from zero, as Kubernetes does.
        let nanos = sign * (nanos / over + i128::from(nanos % over != 0));
        Some(Self { text: text.to_owned(), nanos })
    }

    /// The quantity that a JSON number or text is.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (a, b) in [
            ("500m", "0.5"),
            ("1Gi", "1024Mi"),
            ("1Gi", "1073741824"),
            ("1k", "1000"),
            ("1Ki", "1024"),
            ("1e3", "1000"),
            ("1E3", "1k"),
            ("5e-1", "500m"),
            ("1.5Gi", "1536Mi"),
            (".5", "500m"),
            ("1.", "1"),
            ("-1", "-1000m"),
            ("+1", "1"),
            ("100n", "0.1u"),
            ("1E", "1000P"),
            ("8Ei", "8192Pi"),
            ("0.0000000001", "1n"),
        ] {
            assert_eq!(quantity(a), quantity(b), "{a} = {b}");
        }
        for bad in [
            "", "-", "m", "1x", "1 Gi", "Gi", "1GI", "1gi", "1.2.3", "1e", "1e99", "--1", "1ki",
            "true", "1K",
        ] {
            assert!(Quantity::parse(bad).is_none(), "{bad}");
        }
        assert!(Quantity::parse(&"9".repeat(60)).is_none(), "too long is none, not a panic");
        assert!(Quantity::parse("99999999999999999999Ei").is_none());
    }

    #[test]
    fn a_field_is_compared() {
        let atleast = |text| Test::AtLeast(quantity(text));
        let atmost = |text| Test::AtMost(quantity(text));
        let cases = [
            (Test::Equals(json!("Bound")), Some(json!("Bound")), None),
            (Test::Equals(json!("Bound")), Some(json!("Lost")), Some("is `Lost`, not `Bound`")),
            (Test::Equals(json!(3)), Some(json!(3)), None),
            (Test::Equals(json!(3)), Some(json!(3.0)), None),
            (Test::Equals(json!(3)), Some(json!("3")), Some("is `3` (a text), not 3")),
            (Test::Equals(json!("3")), Some(json!(3)), Some("is 3 (a number), not `3`")),
            (Test::Equals(json!(true)), Some(json!(true)), None),
            (Test::Equals(json!(true)), Some(json!(false)), Some("is false, not true")),
            (Test::Equals(json!("x")), Some(json!(["x"])), Some("is a list, not `x`")),
            (Test::Equals(json!("x")), None, Some("is not there")),
            (Test::NotEquals(json!("Lost")), Some(json!("Bound")), None),
            (Test::NotEquals(json!("Lost")), Some(json!("Lost")), Some("is `Lost`")),
            (Test::NotEquals(json!("Lost")), None, Some("is not there")),
            (
                Test::NotEquals(json!("Lost")),
                Some(json!({"a": 1})),
                Some("is a map, which cannot be compared"),
            ),
            (atleast("2"), Some(json!(2)), None),
            (atleast("2"), Some(json!(1)), Some("is 1, not at least 2")),
            (atleast("2"), None, Some("is not there")),
            (atleast("500m"), Some(json!("1")), None),
            (atleast("1Gi"), Some(json!("1023Mi")), Some("is `1023Mi`, not at least 1Gi")),
            (atmost("1Gi"), Some(json!("1024Mi")), None),
            (atmost("1Gi"), Some(json!("1025Mi")), Some("is `1025Mi`, not at most 1Gi")),
            (atmost("2"), Some(json!(2.5)), Some("is 2.5, not at most 2")),
            (
                atleast("2"),
                Some(json!("many")),
                Some("is `many`, which is neither a number nor a quantity"),
            ),
            (
                atleast("0"),
                Some(json!(true)),
                Some("is true, which is neither a number nor a quantity"),
            ),
            (Test::Exists(true), Some(json!("")), None),
            (Test::Exists(true), None, Some("is not there")),
            (Test::Exists(false), None, None),
            (Test::Exists(false), Some(json!("x")), Some("is there: `x`")),
        ];
        for (test, found, why) in cases {
            let judged = test.judge(found.as_ref());
            assert_eq!(judged.err().as_deref(), why, "{test} of {found:?}");
        }
    }
}
