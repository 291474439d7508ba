//! Finds the word that was probably meant.

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    // Long words are never slips, and the distance costs the product of both lengths.
    if word.chars().count() > 40 {
        return None;
    }
    let word = word.to_lowercase();
    let begins = |candidate: &&&str| word.len() >= 3 && candidate.starts_with(&word);
    let near = candidates
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).clamp(1, 3));
    near.map(|(_, candidate)| candidate)
        .or_else(|| candidates.iter().find(begins).copied())
}

/// How many characters must be added, dropped, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let changed = above[column] + usize::from(a != b);
            let mut least = changed.min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_none() {
        let known = ["name", "tier", "namespace", "colour", "environment"];
        for (word, meant) in [
            ("color", Some("colour")),
            ("nmae", Some("name")),
            ("environments", Some("environment")),
            ("NAMESPACE", Some("namespace")),
            ("env", Some("environment")),
            ("replicas", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
    }
}
