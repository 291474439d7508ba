//! Parse, log, run, exit code; nothing else.

fn main() -> std::process::ExitCode {
    wheelhouse::cli::main()
}
