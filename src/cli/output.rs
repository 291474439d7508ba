//! Printing that never panics: a reader that went away is no defect.

use std::io::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// To standard output.
pub(super) fn say(text: &str) {
    let said = std::io::stdout().lock().write_all(text.as_bytes());
    if let Some(error) = said
        .err()
        .filter(|it| it.kind() != std::io::ErrorKind::BrokenPipe)
    {
        let _ = LOST.set(error.to_string());
    }
}

/// Why something that was said stands nowhere: a full disk, say.
static LOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// How a command ends that does nothing but tell: what could not be written was not told.
pub(super) fn told(exit: super::Exit) -> super::Exit {
    let Some(why) = LOST.get() else { return exit };
    complain(&format!(
        "wheelhouse: standard output could not be written: {why}\n"
    ));
    match exit {
        super::Exit::Ok => super::Exit::Bad,
        exit => exit,
    }
}

/// For screen readers and scripts: the few glyphs of ours as words.
pub(super) fn ascii(text: &str) -> String {
    let dashed = text.replace(" ×", " x").replace('·', "-");
    dashed.replace('…', "...").replace('→', "->")
}

/// Whether a plan and what happens are told without glyphs.
static IS_ASCII: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

pub(super) fn speak_ascii(is_so: bool) {
    IS_ASCII.store(is_so, std::sync::atomic::Ordering::Relaxed);
}

/// As this terminal can show it.
pub(super) fn shown(text: String) -> String {
    match IS_ASCII.load(std::sync::atomic::Ordering::Relaxed) {
        true => ascii(&text),
        false => text,
    }
}

/// To standard error.
pub(super) fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// How long what follows an end waits for a reader that does not read.
const SETTLES: Duration = Duration::from_secs(2);

type Word = Box<dyn FnOnce() + Send>;

/// Says all of it in order from a thread of its own: whoever carries an operation out waits for no reader.
#[derive(Clone)]
pub(super) struct Voice(mpsc::Sender<Word>);

impl Voice {
    pub(super) fn new() -> Self {
        let (words, said) = mpsc::channel::<Word>();
        let speak = move || said.iter().for_each(|word| word());
        // Where there is no thread to be had, whoever speaks waits.
        let _ = thread::Builder::new().name("voice".into()).spawn(speak);
        Self(words)
    }

    fn send(&self, word: Word) {
        if let Err(unsaid) = self.0.send(word) {
            unsaid.0();
        }
    }

    pub(super) fn say(&self, text: String) {
        self.send(Box::new(move || say(&text)));
    }

    pub(super) fn complain(&self, text: String) {
        self.send(Box::new(move || complain(&text)));
    }

    /// Waits until all is said, but not for ever; whether it is.
    pub(super) fn settle(&self) -> bool {
        let done = self.done().recv_timeout(SETTLES);
        done != Err(mpsc::RecvTimeoutError::Timeout)
    }

    /// Waits until all is said.
    pub(super) async fn all_said(&self) {
        let done = self.done();
        let _ = tokio::task::spawn_blocking(move || done.recv()).await;
    }

    /// Hangs up when all that was to be said by now is.
    fn done(&self) -> mpsc::Receiver<()> {
        let (tell, done) = mpsc::channel();
        self.send(Box::new(move || drop(tell)));
        done
    }
}
