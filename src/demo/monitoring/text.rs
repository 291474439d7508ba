//! Numbers and times as Prometheus writes them.

use super::Labels;
use crate::demo::clock::wall;
use crate::demo::world::World;

/// A sample's value: `0.25`, `+Inf`.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

/// An alert's value: `1e+00`, `3.5e-01`.
pub(super) fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return number(value);
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// A time to the nanosecond.
pub(super) fn time(world: &World, at: i64) -> String {
    wall(world.epoch, at)
        .strftime("%Y-%m-%dT%H:%M:%S.%9fZ")
        .to_string()
}

/// A time to the millisecond, as Alertmanager writes it.
pub(super) fn short_time(world: &World, at: i64) -> String {
    wall(world.epoch, at)
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

/// Fills `{{ $labels.colour }}` and `{{ $value }}` in.
pub(super) fn fill(template: &str, labels: &Labels, value: f64) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, next) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(before);
        let name = inside.trim();
        match name.strip_prefix("$labels.") {
            Some(label) => out.push_str(labels.get(label).map_or("", String::as_str)),
            None if name.contains("humanizePercentage") => {
                out.push_str(&format!("{:.4}%", value * 100.0))
            }
            None => out.push_str(&format!("{value:.3}")),
        }
        rest = next;
    }
    out + rest
}
