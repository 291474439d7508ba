//! The timeline as plain text, for the note that an incident gets.

use jiff::Timestamp;

use super::Happening;

/// What terminals take by OSC 52 without cutting it off: xterm and those that follow it stop at about
/// 100,000 bytes of base64.
pub const CLIPBOARD: usize = 64 << 10;

/// `happenings` under `head`, dated in UTC, the newest first; at most `most` bytes, with what is left
/// out said.
pub fn note(head: &[String], happenings: &[Happening], most: usize) -> String {
    let mut text: String = head.iter().map(|line| format!("{line}\n")).collect();
    text.push('\n');
    if happenings.is_empty() {
        text.push_str("nothing is known to have changed\n");
    }
    for (place, happening) in happenings.iter().enumerate() {
        let line = line(happening);
        // Room for the last line, which says what is missing.
        if text.len() + line.len() + 80 > most {
            let (left, kib) = (happenings.len() - place, most >> 10);
            text.push_str(&format!(
                "({left} older entries left out: the clipboard gets {kib} KiB at most)\n"
            ));
            break;
        }
        text.push_str(&line);
    }
    text
}

fn line(happening: &Happening) -> String {
    let (at, word) = (utc(happening.at), happening.weight.word());
    let topic = happening.topic().word();
    let tail = happening.tail();
    let tail = tail.map_or_else(String::new, |tail| format!(" ({tail})"));
    format!("{at}  {word:<4}  {topic:<8}  {}{tail}\n", happening.what)
}

/// A moment with its date: a note is read on another day.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
