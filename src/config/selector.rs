//! The syntax of label selectors, as far as the API server reads it: equality and sets.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use super::grammar::{is_label_key, is_label_name};

/// One requirement of a selector: `key=value`, `key!=value`, `key in (a, b)`, `key notin (a)`, `key`, `!key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) key: String,
    pub(super) test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Requirement {
    /// Whether an object whose label `key` has this value is selected.
    pub(super) fn admits(&self, value: &str) -> bool {
        match &self.test {
            Test::In(values) => values.iter().any(|one| one == value),
            Test::NotIn(values) => values.iter().all(|one| one != value),
            Test::Exists => true,
            Test::Absent => false,
        }
    }
}

/// Where a selector goes wrong (a byte offset into it), and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misread {
    pub(super) offset: usize,
    pub(super) expected: &'static str,
}

/// Reads a whole selector; an empty one has no requirement and is refused.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, Misread> {
    let mut reader = Reader { text, offset: 0 };
    let mut requirements = vec![reader.requirement()?];
    while !reader.at_end() {
        reader.symbol(",", "`,` or the end of the selector")?;
        requirements.push(reader.requirement()?);
    }
    Ok(requirements)
}

struct Reader<'t> {
    text: &'t str,
    offset: usize,
}

impl<'t> Reader<'t> {
    fn requirement(&mut self) -> Result<Requirement, Misread> {
        if self.takes("!") {
            let key = self.key()?;
            return Ok(Requirement {
                key,
                test: Test::Absent,
            });
        }
        let key = self.key()?;
        let test = self.test()?;
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, Misread> {
        if self.at_end() || self.rest().starts_with(',') {
            return Ok(Test::Exists);
        }
        if self.takes("!=") {
            return Ok(Test::NotIn(vec![self.value()?]));
        }
        if self.takes("==") || self.takes("=") {
            return Ok(Test::In(vec![self.value()?]));
        }
        let start = self.offset;
        match self.word() {
            "in" => Ok(Test::In(self.values()?)),
            "notin" => Ok(Test::NotIn(self.values()?)),
            _ => Err(Misread {
                offset: start,
                expected: "`=`, `==`, `!=`, `in (…)`, `notin (…)` or `,`",
            }),
        }
    }

    fn key(&mut self) -> Result<String, Misread> {
        self.skip_space();
        let start = self.offset;
        let word = self.word();
        if is_label_key(word) {
            return Ok(word.to_owned());
        }
        Err(Misread {
            offset: start,
            expected: "a label key",
        })
    }

    /// A value may be empty: `key=` selects the label with an empty value.
    fn value(&mut self) -> Result<String, Misread> {
        self.skip_space();
        let start = self.offset;
        let word = self.word();
        if word.is_empty() || is_label_name(word) {
            return Ok(word.to_owned());
        }
        Err(Misread {
            offset: start,
            expected: "a label value",
        })
    }

    fn values(&mut self) -> Result<Vec<String>, Misread> {
        self.symbol("(", "`(`")?;
        let mut values = vec![self.member()?];
        while !self.takes(")") {
            self.symbol(",", "`,` or `)`")?;
            values.push(self.member()?);
        }
        Ok(values)
    }

    /// An empty member is legal for the server, and here always a slip: `in ()`, `in (a,)`.
    fn member(&mut self) -> Result<String, Misread> {
        self.skip_space();
        let start = self.offset;
        let value = self.value()?;
        if value.is_empty() {
            return Err(Misread {
                offset: start,
                expected: "a label value",
            });
        }
        Ok(value)
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let ends = |character: char| character == ' ' || "=!,()<>".contains(character);
        let word = rest.split(ends).next().unwrap_or("");
        self.offset += word.len();
        word
    }

    fn symbol(&mut self, symbol: &str, expected: &'static str) -> Result<(), Misread> {
        if self.takes(symbol) {
            return Ok(());
        }
        Err(Misread {
            offset: self.offset,
            expected,
        })
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.offset += symbol.len();
        }
        found
    }

    fn at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    fn rest(&mut self) -> &'t str {
        self.skip_space();
        self.text.get(self.offset..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        let rest = self.text.get(self.offset..).unwrap_or("");
        self.offset += rest.len() - rest.trim_start_matches(' ').len();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn one(text: &str) -> Requirement {
        let mut all = parse(text).unwrap();
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    #[test]
    fn every_form_of_the_documentation_is_read() {
        for (text, blue, other) in [
            ("version=blue", true, false),
            ("version == blue", true, false),
            ("version!=blue", false, true),
            ("version in (blue, green)", true, false),
            ("version notin (blue,green)", false, true),
            ("version", true, true),
            ("!version", false, false),
        ] {
            let requirement = one(text);
            assert_eq!(requirement.key, "version", "{text}");
            assert_eq!(requirement.admits("blue"), blue, "{text}");
            assert_eq!(requirement.admits("other"), other, "{text}");
        }
        let several = parse(" app.kubernetes.io/part-of=wall , !canary,tier in (a) ").unwrap();
        assert_eq!(several.len(), 3);
    }

    #[test]
    fn a_slip_is_found_where_it_is() {
        for (text, offset) in [
            ("", 0),
            ("a=b,", 4),
            ("a=b c", 4),
            ("a in b", 5),
            ("a in ()", 6),
            ("a in (b,)", 8),
            ("a in (b", 7),
            ("-a=b", 0),
            ("a=b_", 2),
            ("a>1", 1),
            ("a,,b", 2),
            ("a=b=c", 3),
        ] {
            assert_eq!(parse(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
