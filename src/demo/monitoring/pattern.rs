//! Regular expressions, as far as matchers of labels use them: always anchored at both ends.

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    One(char),
    Any,
    Set(Vec<(char, char)>, bool),
    Group(Vec<Vec<Piece>>),
}

/// A node and how often it may come.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    node: Node,
    least: usize,
    most: usize,
}

/// An anchored regular expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Vec<Piece>>);

impl Pattern {
    /// Reads an expression; nothing where it is none, or uses what we do not know.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let letters: Vec<char> = text.chars().collect();
        let mut at = 0;
        let all = alternatives(&letters, &mut at)?;
        (at == letters.len()).then_some(Self(all))
    }

    /// Whether all of `text` fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        let letters: Vec<char> = text.chars().collect();
        any(&self.0, &letters, &|rest| rest.is_empty())
    }
}

fn alternatives(letters: &[char], at: &mut usize) -> Option<Vec<Vec<Piece>>> {
    let mut all = vec![Vec::new()];
    while let Some(letter) = letters.get(*at) {
        match letter {
            ')' => break,
            '|' => {
                *at += 1;
                all.push(Vec::new());
            }
            _ => {
                let piece = piece(letters, at)?;
                all.last_mut()?.push(piece);
            }
        }
    }
    Some(all)
}

fn piece(letters: &[char], at: &mut usize) -> Option<Piece> {
    let letter = *letters.get(*at)?;
    *at += 1;
    let node = match letter {
        '.' => Node::Any,
        '(' => {
            if letters.get(*at..*at + 2) == Some(&['?', ':']) {
                *at += 2;
            }
            let group = alternatives(letters, at)?;
            *at += 1;
            letters.get(*at - 1).filter(|end| **end == ')')?;
            Node::Group(group)
        }
        '[' => set(letters, at)?,
        '\\' => {
            *at += 1;
            match *letters.get(*at - 1)? {
                'd' => Node::Set(vec![('0', '9')], true),
                'w' => Node::Set(vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')], true),
                other if other.is_alphanumeric() => return None,
                other => Node::One(other),
            }
        }
        '*' | '+' | '?' | '{' => return None,
        // Anchored as it is, they say nothing new; inside they would never fit.
        '^' | '$' => Node::Group(vec![Vec::new()]),
        other => Node::One(other),
    };
    let (least, most) = match letters.get(*at) {
        Some('*') => (0, usize::MAX),
        Some('+') => (1, usize::MAX),
        Some('?') => (0, 1),
        _ => {
            return Some(Piece {
                node,
                least: 1,
                most: 1,
            });
        }
    };
    *at += 1;
    Some(Piece { node, least, most })
}

fn set(letters: &[char], at: &mut usize) -> Option<Node> {
    let is_positive = letters.get(*at) != Some(&'^');
    if !is_positive {
        *at += 1;
    }
    let mut spans = Vec::new();
    loop {
        let from = *letters.get(*at)?;
        *at += 1;
        if from == ']' && !spans.is_empty() {
            return Some(Node::Set(spans, is_positive));
        }
        let to = match (letters.get(*at), letters.get(*at + 1)) {
            (Some('-'), Some(to)) if *to != ']' => {
                *at += 2;
                *to
            }
            _ => from,
        };
        spans.push((from, to));
    }
}

fn any(all: &[Vec<Piece>], text: &[char], then: &dyn Fn(&[char]) -> bool) -> bool {
    all.iter().any(|pieces| row(pieces, text, then))
}

fn row(pieces: &[Piece], text: &[char], then: &dyn Fn(&[char]) -> bool) -> bool {
    match pieces.split_first() {
        None => then(text),
        Some((piece, rest)) => times(piece, 0, text, &|text| row(rest, text, then)),
    }
}

fn times(piece: &Piece, done: usize, text: &[char], then: &dyn Fn(&[char]) -> bool) -> bool {
    let again = |rest: &[char]| {
        // A turn that took nothing would go on for ever.
        (rest.len() < text.len() || done < piece.least) && times(piece, done + 1, rest, then)
    };
    let more = done < piece.most && once(&piece.node, text, &again);
    more || (done >= piece.least && then(text))
}

fn once(node: &Node, text: &[char], then: &dyn Fn(&[char]) -> bool) -> bool {
    if let Node::Group(all) = node {
        return any(all, text, then);
    }
    let Some((letter, rest)) = text.split_first() else {
        return false;
    };
    let fits = match node {
        Node::One(wanted) => wanted == letter,
        Node::Any => true,
        Node::Set(spans, is_positive) => {
            spans.iter().any(|(from, to)| (from..=to).contains(&letter)) == *is_positive
        }
        Node::Group(_) => false,
    };
    fits && then(rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Pattern;

    #[test]
    fn what_matchers_of_labels_say_is_understood() {
        for (pattern, text, fits) in [
            ("5..", "503", true),
            ("5..", "5034", false),
            ("production|staging", "staging", true),
            ("production|staging", "stagings", false),
            ("digital-(wall|web)-.+", "digital-wall-blue", true),
            ("(a|b)*c", "ababc", true),
            ("[0-9]+\\.[^a]", "42.b", true),
            ("[0-9]+\\.[^a]", "42.a", false),
            (".*", "", true),
            ("(a*)*", "aaa", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().fits(text),
                fits,
                "{pattern} on {text}"
            );
        }
        for wrong in ["(", "[a", "*", "a)", "\\"] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
    }
}
