//! PromQL's grammar, as far as rules and charts use it.

use super::lexer::{Word, words};
use super::selector::Matcher;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    Text(String),
    Select {
        metric: String,
        matchers: Vec<Matcher>,
        /// Milliseconds; nothing for an instant.
        range: Option<i64>,
        offset: i64,
    },
    Call(String, Vec<Expr>),
    Aggregate {
        name: String,
        /// Whether the labels are kept, or all others are.
        by: bool,
        labels: Vec<String>,
        of: Box<Expr>,
    },
    Binary {
        operator: &'static str,
        is_bool: bool,
        sides: Box<(Expr, Expr)>,
    },
}

/// Those that take a vector and labels to group by.
const AGGREGATES: [&str; 6] = ["sum", "avg", "min", "max", "count", "group"];
/// Functions, and with how many arguments.
const FUNCTIONS: [(&str, usize); 15] = [
    ("rate", 1),
    ("irate", 1),
    ("increase", 1),
    ("delta", 1),
    ("avg_over_time", 1),
    ("min_over_time", 1),
    ("max_over_time", 1),
    ("sum_over_time", 1),
    ("count_over_time", 1),
    ("histogram_quantile", 2),
    ("vector", 1),
    ("scalar", 1),
    ("absent", 1),
    ("abs", 1),
    ("time", 0),
];

/// Reads an expression; the error is Prometheus' own.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let words = words(text)?;
    if words.is_empty() {
        return Err("1:1: parse error: no expression found in input".to_owned());
    }
    let mut reader = Reader { words, at: 0 };
    let expr = reader.expr(0)?;
    match reader.words.get(reader.at) {
        None => Ok(expr),
        Some(word) => Err(unexpected(word)),
    }
}

fn unexpected(word: &Word) -> String {
    let shown = match word {
        Word::Name(name) => format!("identifier {name:?}"),
        Word::Number(number) => format!("number {number:?}"),
        Word::Span(span) => format!("duration \"{}s\"", span / 1_000),
        Word::Text(text) => format!("string {text:?}"),
        Word::Mark(mark) => format!("{mark:?}"),
    };
    format!("1:1: parse error: unexpected {shown}")
}

struct Reader {
    words: Vec<Word>,
    at: usize,
}

/// How tightly an operator binds; nothing where a word is none.
fn tightness(word: &Word) -> Option<(u8, &'static str)> {
    match word {
        Word::Name(name) if name == "or" => Some((1, "or")),
        Word::Name(name) if name == "and" => Some((2, "and")),
        Word::Name(name) if name == "unless" => Some((2, "unless")),
        Word::Mark(mark @ ("==" | "!=" | ">" | "<" | ">=" | "<=")) => Some((3, mark)),
        Word::Mark(mark @ ("+" | "-")) => Some((4, mark)),
        Word::Mark(mark @ ("*" | "/" | "%")) => Some((5, mark)),
        Word::Mark("^") => Some((7, "^")),
        _ => None,
    }
}

impl Reader {
    fn take(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn is_next(&mut self, mark: &str) -> bool {
        let is_next = matches!(self.words.get(self.at), Some(Word::Mark(found)) if *found == mark);
        self.at += usize::from(is_next);
        is_next
    }

    fn is_word(&mut self, name: &str) -> bool {
        let is_next = matches!(self.words.get(self.at), Some(Word::Name(found)) if found.eq_ignore_ascii_case(name));
        self.at += usize::from(is_next);
        is_next
    }

    fn wrong(&self) -> String {
        self.words.get(self.at).map_or_else(
            || "1:1: parse error: unexpected end of input".to_owned(),
            unexpected,
        )
    }

    fn expect(&mut self, mark: &str) -> Result<(), String> {
        if self.is_next(mark) {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    fn expr(&mut self, least: u8) -> Result<Expr, String> {
        let mut left = self.unary()?;
        while let Some((tight, operator)) = self
            .words
            .get(self.at)
            .and_then(tightness)
            .filter(|(tight, _)| *tight > least)
        {
            self.at += 1;
            let is_bool = self.is_word("bool");
            // Everything is matched on all labels here; what asks for less is read, and matched so.
            if self.is_word("on") || self.is_word("ignoring") {
                self.labels()?;
            }
            let right = self.expr(if operator == "^" { tight - 1 } else { tight })?;
            left = Expr::Binary {
                operator,
                is_bool,
                sides: Box::new((left, right)),
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        if self.is_next("-") {
            let sides = Box::new((Expr::Number(-1.0), self.expr(5)?));
            return Ok(Expr::Binary {
                operator: "*",
                is_bool: false,
                sides,
            });
        }
        self.is_next("+");
        let mut expr = self.primary()?;
        if self.is_next("[") {
            let Some(Word::Span(span)) = self.take() else {
                return Err("1:1: parse error: missing duration in range selector".to_owned());
            };
            self.expect("]")?;
            match &mut expr {
                Expr::Select { range, .. } => *range = Some(span),
                _ => {
                    return Err(
                        "1:1: parse error: ranges only allowed for vector selectors".to_owned()
                    );
                }
            }
        }
        if self.is_word("offset") {
            match (&mut expr, self.take()) {
                (Expr::Select { offset, .. }, Some(Word::Span(span))) => *offset = span,
                _ => return Err(self.wrong()),
            }
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, String> {
        if self.is_next("(") {
            let inner = self.expr(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if matches!(self.words.get(self.at), Some(Word::Mark("{"))) {
            return self.select(String::new());
        }
        let word = self.take();
        let is_called = matches!(self.words.get(self.at), Some(Word::Mark("(")));
        match word {
            Some(Word::Number(number)) => Ok(Expr::Number(number)),
            Some(Word::Text(text)) => Ok(Expr::Text(text)),
            Some(Word::Name(name)) if AGGREGATES.contains(&name.to_ascii_lowercase().as_str()) => {
                self.aggregate(name.to_ascii_lowercase())
            }
            Some(Word::Name(name)) if is_called => self.call(name),
            Some(Word::Name(name)) => self.select(name),
            word => Err(word.as_ref().map_or_else(
                || "1:1: parse error: unexpected end of input".to_owned(),
                unexpected,
            )),
        }
    }

    fn aggregate(&mut self, name: String) -> Result<Expr, String> {
        let mut group = self.group()?;
        self.expect("(")?;
        let of = Box::new(self.expr(0)?);
        self.expect(")")?;
        if group.is_none() {
            group = self.group()?;
        }
        let (by, labels) = group.unwrap_or((true, Vec::new()));
        Ok(Expr::Aggregate {
            name,
            by,
            labels,
            of,
        })
    }

    fn group(&mut self) -> Result<Option<(bool, Vec<String>)>, String> {
        if self.is_word("by") {
            Ok(Some((true, self.labels()?)))
        } else if self.is_word("without") {
            Ok(Some((false, self.labels()?)))
        } else {
            Ok(None)
        }
    }

    fn labels(&mut self) -> Result<Vec<String>, String> {
        self.expect("(")?;
        let mut labels = Vec::new();
        while !self.is_next(")") {
            match self.take() {
                Some(Word::Name(name)) => labels.push(name),
                _ => {
                    return Err(
                        "1:1: parse error: unexpected word in grouping opts, expected label"
                            .to_owned(),
                    );
                }
            }
            self.is_next(",");
        }
        Ok(labels)
    }

    fn call(&mut self, name: String) -> Result<Expr, String> {
        let Some((_, wanted)) = FUNCTIONS.into_iter().find(|(known, _)| *known == name) else {
            return Err(format!(
                "1:1: parse error: unknown function with name {name:?}"
            ));
        };
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.is_next(")") {
            arguments.push(self.expr(0)?);
            if !self.is_next(",") {
                self.expect(")")?;
                break;
            }
        }
        if arguments.len() != wanted {
            return Err(format!(
                "1:1: parse error: expected {wanted} argument(s) in call to {name:?}, got {}",
                arguments.len()
            ));
        }
        let is_range = |expr: &Expr| matches!(expr, Expr::Select { range: Some(_), .. });
        let wants_range = matches!(name.as_str(), "rate" | "irate" | "increase" | "delta")
            || name.ends_with("_over_time");
        if wants_range && !arguments.first().is_some_and(is_range) {
            return Err(format!(
                "1:1: parse error: expected type range vector in call to function {name:?}, got instant vector"
            ));
        }
        Ok(Expr::Call(name, arguments))
    }

    fn select(&mut self, metric: String) -> Result<Expr, String> {
        let mut matchers = Vec::new();
        if self.is_next("{") {
            while !self.is_next("}") {
                matchers.push(self.matcher()?);
                self.is_next(",");
            }
        }
        if metric.is_empty() && matchers.is_empty() {
            return Err(
                "1:1: parse error: vector selector must contain at least one non-empty matcher"
                    .to_owned(),
            );
        }
        Ok(Expr::Select {
            metric,
            matchers,
            range: None,
            offset: 0,
        })
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        match (self.take(), self.take(), self.take()) {
            (
                Some(Word::Name(name)),
                Some(Word::Mark(mark @ ("=" | "!=" | "=~" | "!~"))),
                Some(Word::Text(value)),
            ) => Matcher::by(&name, mark, &value)
                .ok_or_else(|| format!("1:1: parse error: error parsing regexp: {value:?}")),
            _ => Err("1:1: parse error: unexpected word in label matching".to_owned()),
        }
    }
}
