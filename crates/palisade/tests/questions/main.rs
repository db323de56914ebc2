//! `check`, `explain` and `net matrix` as a reader sees them: on the example application, on published ones, and on
//! questions that mean nothing.

mod ends;
mod explained;
mod links;
mod matrix;
#[path = "../net/session.rs"]
#[allow(dead_code, reason = "shared with another test program")]
mod session;

use expect_test::Expect;

const SHOP: &str = "-f examples/shop --at 2026-11-22T00:00:00Z";

/// Standard output, then standard error, then the exit code.
fn run(arguments: &str, input: &str) -> String {
    let (output, errors, code) = session::run(arguments, input);
    format!("{output}{errors}[exit {code}]\n")
}

#[track_caller]
fn asks(arguments: &str, expected: Expect) {
    expected.assert_eq(&run(arguments, ""));
}
