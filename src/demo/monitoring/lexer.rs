//! The words of PromQL.

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    Name(String),
    Number(f64),
    /// Milliseconds.
    Span(i64),
    Text(String),
    /// `(`, `==`, `=~` and the like.
    Mark(&'static str),
}

/// Longer ones first: `==` is not two `=`.
const MARKS: [&str; 25] = [
    "=~", "!~", "==", "!=", ">=", "<=", "(", ")", "{", "}", "[", "]", ",", "+", "-", "*", "/", "%",
    "^", "=", ">", "<", "@", ":", "!",
];

/// Splits an expression; the error says where it is none, as Prometheus does.
pub(super) fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            '"' | '\'' | '`' => quoted(rest, first)
                .ok_or_else(|| wrong(text, rest, "unterminated quoted string"))?,
            '#' => {
                rest = rest
                    .split_once('\n')
                    .map_or("", |(_, next)| next)
                    .trim_start();
                continue;
            }
            _ if first.is_ascii_digit() || first == '.' => {
                number(rest).ok_or_else(|| wrong(text, rest, "bad number or duration syntax"))?
            }
            _ if first.is_alphabetic() || first == '_' => name(rest),
            _ => mark(rest)
                .ok_or_else(|| wrong(text, rest, &format!("unexpected character: {first:?}")))?,
        };
        words.push(word);
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

fn wrong(text: &str, rest: &str, why: &str) -> String {
    format!("1:{}: parse error: {why}", text.len() - rest.len() + 1)
}

fn quoted(rest: &str, quote: char) -> Option<(Word, usize)> {
    let (mut text, mut is_escaped) = (String::new(), false);
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            'n' if is_escaped => text.push('\n'),
            _ if is_escaped => text.push(letter),
            '\\' if quote != '`' => {
                is_escaped = true;
                continue;
            }
            _ if letter == quote => return Some((Word::Text(text), at + 1)),
            _ => text.push(letter),
        }
        is_escaped = false;
    }
    None
}

fn name(rest: &str) -> (Word, usize) {
    let end =
        rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
    let end = end.unwrap_or(rest.len());
    let word = match rest[..end].to_ascii_lowercase().as_str() {
        "inf" => Word::Number(f64::INFINITY),
        "nan" => Word::Number(f64::NAN),
        _ => Word::Name(rest[..end].to_owned()),
    };
    (word, end)
}

fn number(rest: &str) -> Option<(Word, usize)> {
    let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
    let mut end = end.unwrap_or(rest.len());
    // The sign of an exponent.
    if rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with(['+', '-']) {
        let more = rest[end + 1..].find(|letter: char| !letter.is_ascii_digit());
        end = more.map_or(rest.len(), |more| end + 1 + more);
    }
    let text = &rest[..end];
    let word = match text.parse::<f64>() {
        Ok(number) => Word::Number(number),
        Err(_) => Word::Span(span(text)?),
    };
    Some((word, end))
}

/// `1h30m`, `15s`, `250ms` in milliseconds.
pub(super) fn span(text: &str) -> Option<i64> {
    let (mut rest, mut sum) = (text, 0_i64);
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .filter(|end| *end > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[end..];
    }
    Some(sum)
}

fn mark(rest: &str) -> Option<(Word, usize)> {
    let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark))?;
    Some((Word::Mark(mark), mark.len()))
}
