//! What an expression yields, and the arithmetic of it.

use super::Labels;

/// Samples with their labels, at one time.
pub(super) type Vector = Vec<(Labels, f64)>;

/// What an expression yields at one time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Scalar(f64),
    Vector(Vector),
    Text(String),
}

impl Value {
    pub(super) fn vector(self) -> Vector {
        match self {
            Value::Vector(vector) => vector,
            Value::Scalar(_) | Value::Text(_) => Vector::new(),
        }
    }

    pub(super) fn scalar(&self) -> f64 {
        match self {
            Value::Scalar(number) => *number,
            Value::Vector(vector) if vector.len() == 1 => vector[0].1,
            Value::Vector(_) | Value::Text(_) => f64::NAN,
        }
    }
}

/// Labels without the metric's name: every calculation drops it.
pub(super) fn nameless(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.remove("__name__");
    labels
}

fn is_comparison(operator: &str) -> bool {
    matches!(operator, "==" | "!=" | ">" | "<" | ">=" | "<=")
}

#[allow(clippy::float_cmp, reason = "PromQL compares exactly")]
fn number(operator: &str, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "%" => left % right,
        "^" => left.powf(right),
        "==" => truth(left == right),
        "!=" => truth(left != right),
        ">" => truth(left > right),
        "<" => truth(left < right),
        ">=" => truth(left >= right),
        _ => truth(left <= right),
    }
}

/// A sample of a binary expression; a comparison without `bool` keeps the left value, or nothing.
fn sample(operator: &str, is_bool: bool, kept: f64, left: f64, right: f64) -> Option<f64> {
    let made = number(operator, left, right);
    match is_comparison(operator) && !is_bool {
        true => (made > 0.0).then_some(kept),
        false => Some(made),
    }
}

/// `left operator right`.
pub(super) fn binary(operator: &str, is_bool: bool, left: Value, right: Value) -> Value {
    let keeps_name = is_comparison(operator) && !is_bool;
    let shown = |labels: &Labels| {
        if keeps_name {
            labels.clone()
        } else {
            nameless(labels)
        }
    };
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(number(operator, left, right)),
        (Value::Vector(left), Value::Scalar(right)) => {
            let samples = left.iter().filter_map(|(labels, left)| {
                Some((
                    shown(labels),
                    sample(operator, is_bool, *left, *left, right)?,
                ))
            });
            Value::Vector(samples.collect())
        }
        (Value::Scalar(left), Value::Vector(right)) => {
            let samples = right.iter().filter_map(|(labels, right)| {
                Some((
                    shown(labels),
                    sample(operator, is_bool, *right, left, *right)?,
                ))
            });
            Value::Vector(samples.collect())
        }
        (Value::Vector(left), Value::Vector(right)) => {
            Value::Vector(vectors(operator, is_bool, left, right, shown))
        }
        _ => Value::Vector(Vector::new()),
    }
}

fn vectors(
    operator: &str,
    is_bool: bool,
    left: Vector,
    right: Vector,
    shown: impl Fn(&Labels) -> Labels,
) -> Vector {
    let partner = |labels: &Labels, among: &Vector| {
        let wanted = nameless(labels);
        among
            .iter()
            .find(|(labels, _)| nameless(labels) == wanted)
            .map(|(_, value)| *value)
    };
    match operator {
        "and" => left
            .into_iter()
            .filter(|(labels, _)| partner(labels, &right).is_some())
            .collect(),
        "unless" => left
            .into_iter()
            .filter(|(labels, _)| partner(labels, &right).is_none())
            .collect(),
        "or" => {
            let more: Vector = right
                .iter()
                .filter(|(labels, _)| partner(labels, &left).is_none())
                .cloned()
                .collect();
            left.into_iter().chain(more).collect()
        }
        _ => {
            let samples = left.iter().filter_map(|(labels, value)| {
                let other = partner(labels, &right)?;
                Some((
                    shown(labels),
                    sample(operator, is_bool, *value, *value, other)?,
                ))
            });
            samples.collect()
        }
    }
}
