//! The decoder against the terminals of the world, slow lines and hostile bytes.

use proptest::prelude::*;
use wheelhouse::{
    app::key::Key,
    tui::{
        clock::Millis,
        input::{Decoder, ESC_WAIT, Input, PASTE_LIMIT, PATIENCE},
    },
};

/// Inputs as words: `up`, `paste "x"`, `focus true`.
fn said(inputs: &[Input]) -> Vec<String> {
    let say = |input: &Input| match input {
        Input::Key(key) => key.to_string(),
        Input::Paste(text) => format!("paste {text:?}"),
        Input::Focus(is_gained) => format!("focus {is_gained}"),
    };
    inputs.iter().map(say).collect()
}

/// What pieces mean that come at these moments, and then nothing for a long time.
fn decode(pieces: &[(u64, &[u8])]) -> Vec<String> {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    for (at, bytes) in pieces {
        run_until(&mut decoder, Millis(*at), &mut out);
        decoder.feed(bytes, Millis(*at), &mut out);
    }
    run_until(&mut decoder, Millis(1_000_000), &mut out);
    said(&out)
}

/// Fires the deadlines before `end`, as the loop does.
fn run_until(decoder: &mut Decoder, end: Millis, out: &mut Vec<Input>) {
    while let Some(at) = decoder.deadline().filter(|at| *at <= end) {
        decoder.expire(at, out);
        assert!(
            decoder.deadline().is_none_or(|next| next > at),
            "a deadline that does not pass"
        );
    }
}

fn at_once(bytes: &[u8]) -> Vec<String> {
    decode(&[(0, bytes)])
}

#[test]
fn keys_of_every_dialect_are_known() {
    let known: &[(&[u8], &str)] = &[
        (b"a", "a"),
        (b"G", "G"),
        (b" ", "space"),
        ("é".as_bytes(), "é"),
        ("漢".as_bytes(), "漢"),
        (b"\r", "enter"),
        (b"\n", "ctrl-j"),
        (b"\t", "tab"),
        (b"\x7f", "backspace"),
        (b"\x08", "backspace"),
        (b"\x03", "ctrl-c"),
        (b"\x00", "ctrl-space"),
        (b"\x1f", "ctrl-_"),
        (b"\x1c", "ctrl-\\"),
        (b"\x1b", "esc"),
        // xterm
        (b"\x1b[A", "up"),
        (b"\x1b[B", "down"),
        (b"\x1b[C", "right"),
        (b"\x1b[D", "left"),
        (b"\x1b[H", "home"),
        (b"\x1b[F", "end"),
        (b"\x1b[2~", "ins"),
        (b"\x1b[3~", "del"),
        (b"\x1b[5~", "pgup"),
        (b"\x1b[6~", "pgdn"),
        (b"\x1b[Z", "shift-tab"),
        (b"\x1bOP", "f1"),
        (b"\x1bOQ", "f2"),
        (b"\x1bOR", "f3"),
        (b"\x1bOS", "f4"),
        (b"\x1b[15~", "f5"),
        (b"\x1b[17~", "f6"),
        (b"\x1b[21~", "f10"),
        (b"\x1b[23~", "f11"),
        (b"\x1b[24~", "f12"),
        (b"\x1b[1;2A", "shift-up"),
        (b"\x1b[1;5A", "ctrl-up"),
        (b"\x1b[1;3D", "alt-left"),
        (b"\x1b[1;8H", "ctrl-alt-shift-home"),
        (b"\x1b[3;5~", "ctrl-del"),
        (b"\x1b[1;5P", "ctrl-f1"),
        (b"\x1bOA", "up"),
        (b"\x1bOH", "home"),
        (b"\x1bOM", "enter"),
        (b"\x1bOq", "1"),
        (b"\x1bOk", "+"),
        (b"\x1b[27;5;9~", "ctrl-tab"),
        (b"\x1b[27;2;13~", "shift-enter"),
        // vt, rxvt, the Linux console
        (b"\x1b[1~", "home"),
        (b"\x1b[4~", "end"),
        (b"\x1b[7~", "home"),
        (b"\x1b[8~", "end"),
        (b"\x1b[11~", "f1"),
        (b"\x1b[14~", "f4"),
        (b"\x1b[29~", "f16"),
        (b"\x1b[34~", "f20"),
        (b"\x1b[a", "shift-up"),
        (b"\x1bOd", "ctrl-left"),
        (b"\x1b[3$", "shift-del"),
        (b"\x1b[5^", "ctrl-pgup"),
        (b"\x1b[7@", "ctrl-shift-home"),
        (b"\x1b\x1b[A", "alt-up"),
        (b"\x1b\x1bOA", "alt-up"),
        (b"\x1b[[A", "f1"),
        (b"\x1b[[E", "f5"),
        // Alt
        (b"\x1bx", "alt-x"),
        (b"\x1b\r", "alt-enter"),
        (b"\x1b\x7f", "alt-backspace"),
        ("\x1bé".as_bytes(), "alt-é"),
        // kitty
        (b"\x1b[97u", "a"),
        (b"\x1b[97;5u", "ctrl-a"),
        (b"\x1b[99;6u", "ctrl-shift-c"),
        (b"\x1b[97;2u", "A"),
        (b"\x1b[97:65;2u", "A"),
        (b"\x1b[49:33;2u", "!"),
        (b"\x1b[27u", "esc"),
        (b"\x1b[13;3u", "alt-enter"),
        (b"\x1b[9;2u", "shift-tab"),
        (b"\x1b[127u", "backspace"),
        (b"\x1b[1;1:1A", "up"),
        (b"\x1b[97;65u", "a"),
        (b"\x1b[57419u", "up"),
        (b"\x1b[57400u", "1"),
        (b"\x1b[I", "focus true"),
        (b"\x1b[O", "focus false"),
    ];
    for (bytes, name) in known {
        assert_eq!(
            at_once(bytes),
            [*name],
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
        // And nothing of it sticks to the next key.
        assert_eq!(at_once(&[bytes, b"".as_slice()].concat()), [*name]);
    }
}

#[test]
fn t10_answers_to_queries_are_no_keys_and_the_next_key_works() {
    let answers: &[&[u8]] = &[
        b"\x1b[?2026;2$y",
        b"\x1b[4;1$y",
        b"\x1b[?62;22c",
        b"\x1b[>41;354;0c",
        b"\x1b[12;40R",
        b"\x1b[1;5R",
        b"\x1b[?1;1R",
        b"\x1b[0n",
        b"\x1b[8;24;80t",
        b"\x1b[?1u",
        b"\x1b[?997;1n",
        b"\x1b]11;rgb:ffff/ffff/dddd\x1b\\",
        b"\x1b]11;rgb:ffff/ffff/dddd\x07",
        b"\x1b]52;c;eQ0=\x07",
        b"\x1bP>|XTerm(390)\x1b\\",
        b"\x1bP1+r544e=787465726d\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b^y\x1b\\",
        b"\x1bXy\x1b\\",
        b"\x1b[<0;10;5M",
        b"\x1b[<0;10;5m",
        b"\x1b[M !!",
        b"\x1b[32;5;5M",
        // Releases, keys of the desktop, the unknown, the endless.
        b"\x1b[1;1:3A",
        b"\x1b[97;1:3u",
        b"\x1b[97;9u",
        b"\x1b[57358u",
        b"\x1b[9999999999999u",
        b"\x1b[99~",
        b"\x1b[1;2;3;4;5;6 q",
        b"\x1b[E",
        b"\x1bO~",
    ];
    for answer in answers {
        assert_eq!(
            at_once(&[answer, b"j".as_slice()].concat()),
            ["j"],
            "{:?}",
            String::from_utf8_lossy(answer)
        );
    }
    let endless = [b"\x1b[".as_slice(), &[b'1'; 5000], b"~j"].concat();
    assert_eq!(at_once(&endless), ["j"]);
}

#[test]
fn t11_an_escape_split_from_its_rest_is_at_most_one_esc_and_never_letters() {
    for gap in [5, 30, 49] {
        assert_eq!(decode(&[(0, b"\x1b"), (gap, b"[A")]), ["up"], "{gap} ms");
    }
    for gap in [51, 200, 999] {
        assert_eq!(
            decode(&[(0, b"\x1b"), (gap, b"[A")]),
            ["esc", "up"],
            "{gap} ms"
        );
        assert_eq!(
            decode(&[(0, b"\x1b"), (gap, b"[200~y\r\x1b[201~")]),
            ["esc", "paste \"y\\r\""]
        );
        assert_eq!(decode(&[(0, b"\x1b"), (gap, b"]11;y\x07j")]), ["esc", "j"]);
    }
    assert_eq!(
        decode(&[(0, b"\x1b["), (900, b"1"), (1800, b";5A")]),
        ["ctrl-up"]
    );
    // Long after it, a bracket is a bracket.
    assert_eq!(decode(&[(0, b"\x1b"), (1001, b"[")]), ["esc", "["]);
    // Only what comes at once after the Esc belongs to it.
    assert_eq!(
        decode(&[(0, b"\x1b"), (200, b"j"), (300, b"[")]),
        ["esc", "j", "["]
    );
}

#[test]
fn a_lone_escape_is_esc_after_its_wait_and_not_before() {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    decoder.feed(b"\x1b", Millis(7), &mut out);
    assert_eq!(decoder.deadline(), Some(Millis(7 + ESC_WAIT)));
    decoder.expire(Millis(6 + ESC_WAIT), &mut out);
    assert_eq!(said(&out), [""; 0]);
    decoder.expire(Millis(7 + ESC_WAIT), &mut out);
    assert_eq!(said(&out), ["esc"]);
    assert_eq!(decoder.deadline(), None);
    assert_eq!(decode(&[(0, b"\x1b\x1b")]), ["esc", "esc"]);
    assert_eq!(decode(&[(0, b"\x1b\x1bx")]), ["esc", "alt-x"]);
}

#[test]
fn t12_a_paste_is_one_text_and_no_key() {
    let paste = b"\x1b[200~y\ndelete prod\n\x03\x1b[A\x1b[20\x1b\x1b[201~j";
    assert_eq!(
        at_once(paste),
        [
            "paste \"y\\ndelete prod\\n\\u{3}\\u{1b}[A\\u{1b}[20\\u{1b}\"",
            "j"
        ]
    );
    assert_eq!(at_once(b"\x1b[200~\x1b[201~"), ["paste \"\""]);
    assert_eq!(at_once(b"\x1b[200~a\xff\xc3b\x1b[201~"), ["paste \"ab\""]);
}

#[test]
fn a_long_paste_is_cut_at_its_limit() {
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.extend(std::iter::repeat_n("é".as_bytes(), PASTE_LIMIT).flatten());
    bytes.extend(b"\x1b[201~j");
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    decoder.feed(&bytes, Millis(0), &mut out);
    let [Input::Paste(text), Input::Key(j)] = out.as_slice() else {
        panic!("{} inputs", out.len())
    };
    assert_eq!((text.len(), *j), (PASTE_LIMIT, Key::char('j')));
}

#[test]
fn t13_a_paste_without_an_end_gives_the_keyboard_back() {
    assert_eq!(
        decode(&[(0, b"\x1b[200~abc"), (1001, b"j")]),
        ["paste \"abc\"", "j"]
    );
    assert_eq!(
        decode(&[(0, b"\x1b[200~abc"), (500, b"\x03")]),
        ["paste \"abc\\u{3}\"", "ctrl-c"]
    );
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    decoder.feed(b"\x1b[200~abc", Millis(10), &mut out);
    assert_eq!(decoder.deadline(), Some(Millis(10 + PATIENCE)));
}

#[test]
fn nothing_unfinished_outlives_its_patience() {
    for start in [
        "\x1b[",
        "\x1b[1;",
        "\x1bO",
        "\x1b]11;",
        "\x1bP",
        "\x1b_",
        "\x1b]x\x1b",
        "\x1b[M",
        "\x1b[M!",
        "\x1b[[",
    ] {
        let pieces: &[(u64, &[u8])] = &[(0, start.as_bytes()), (PATIENCE, b"j")];
        assert_eq!(decode(pieces), ["j"], "{start:?}");
    }
    // A string beyond its limit has next to no patience left.
    let flood = [b"\x1b]".as_slice(), &[b'y'; 70_000]].concat();
    assert_eq!(decode(&[(0, &flood), (100, b"j")]), ["j"]);
}

#[test]
fn ctrl_c_is_heard_inside_every_unfinished_sequence_but_a_paste() {
    for start in [
        "", "\x1b[", "\x1b[1;", "\x1bO", "\x1b]11;", "\x1bP", "\x1b_", "\x1b[M", "\u{e9}",
    ] {
        let heard = at_once(&[start.as_bytes(), b"\x03"].concat());
        assert_eq!(
            heard.last().map(String::as_str),
            Some("ctrl-c"),
            "{start:?}"
        );
    }
    assert_eq!(at_once(b"\x1b\x03"), ["esc", "ctrl-c"]);
}

#[test]
fn broken_utf8_is_dropped_and_the_next_key_works() {
    for broken in [
        b"\xff".as_slice(),
        b"\xc3",
        b"\xe6\xbc",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\x9b",
        b"\xc2\x9b",
    ] {
        assert_eq!(at_once(&[broken, b"j"].concat()), ["j"], "{broken:?}");
    }
    assert_eq!(
        decode(&[(0, b"\xe6"), (5000, b"\xbc"), (9000, b"\xa2")]),
        ["漢"]
    );
}

#[test]
fn a_reset_forgets_what_was_begun() {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    decoder.feed(b"\x1b[200~abc", Millis(0), &mut out);
    decoder.reset();
    decoder.feed(b"j", Millis(1), &mut out);
    assert_eq!(said(&out), ["j"]);
}

/// Bytes that like to be sequences.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        "\x1bO",
        "\x1b[200~",
        "\x1b[201~",
        "\x1b\\",
        "\x07",
        "\x03",
        "[",
        ";",
        "1",
        "5",
        "~",
        "A",
        "M",
        "$",
        "u",
        "R",
        "é",
        "漢",
        "y",
        "\r",
    ];
    let part = prop_oneof![
        3 => proptest::sample::select(parts.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_bytes_at_no_pace_wedge_it(pieces in proptest::collection::vec((any_bytes(), 0..1500_u64), 0..8)) {
        let (mut decoder, mut out, mut now) = (Decoder::new(), Vec::new(), Millis(0));
        for (bytes, gap) in pieces {
            now = now.plus(gap);
            run_until(&mut decoder, now, &mut out);
            decoder.feed(&bytes, now, &mut out);
            prop_assert!(decoder.deadline().is_none_or(|at| at > now && at <= now.plus(PATIENCE)));
        }
        now = now.plus(2 * PATIENCE);
        run_until(&mut decoder, now, &mut out);
        out.clear();
        decoder.feed(b"j", now, &mut out);
        prop_assert_eq!(said(&out), ["j"]);
    }

    #[test]
    fn cutting_the_bytes_elsewhere_changes_nothing(bytes in any_bytes(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            decoder.feed(&bytes[pair[0]..pair[1]], Millis(0), &mut out);
        }
        run_until(&mut decoder, Millis(1_000_000), &mut out);
        prop_assert_eq!(said(&out), at_once(&bytes));
    }

    #[test]
    fn a_paste_never_yields_keys(body in any_bytes()) {
        let mut body = body;
        while let Some(end) = body.windows(6).position(|six| six == b"\x1b[201~") {
            body[end + 5] = b'y';
        }
        let whole = [b"\x1b[200~".as_slice(), &body, b"\x1b[201~"].concat();
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        decoder.feed(&whole, Millis(0), &mut out);
        prop_assert!(matches!(out.as_slice(), [Input::Paste(_)]), "{:?}", out);
        prop_assert_eq!(decoder.deadline(), None);
    }
}
