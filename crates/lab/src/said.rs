//! What the lab says of itself, to its log or terminal. `eprintln!` would end a thread whose words do not fit on the disk.

/// Like `eprintln!`; what cannot be said is not.
macro_rules! say {
    ($($word:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($word)*);
    }};
}

pub(crate) use say;
