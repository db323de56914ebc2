//! What the binary prints and with which code it ends, as a reader sees it; and that documents and example say what is true.

mod documents;
mod help;
mod inventory;
mod observe;
#[path = "../net/session.rs"]
#[allow(dead_code, reason = "shared with other test programs, which use the rest")]
mod session;
mod shop;
mod usage;

/// Standard output, then standard error, then the exit code when it is not 0.
fn said(arguments: &str, input: &str) -> String {
    let (output, errors, code) = session::run(arguments, input);
    let code = if code == 0 { String::new() } else { format!("[exit {code}]\n") };
    format!("{output}{errors}{code}")
}
