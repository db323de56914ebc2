//! `--help` of every command, each in a file of `tests/help`.

use std::path::Path;

use expect_test::expect_file;

use crate::said;

#[test]
fn help_teaches_by_example() {
    let mut commands = vec![String::new()];
    let mut shown = 0;
    while let Some(command) = commands.pop() {
        let help = said(&format!("{command} --help"), "");
        commands.extend(below(&help).map(|name| format!("{command} {name}").trim().to_owned()));
        let file = if command.is_empty() { "palisade".to_owned() } else { command.replace(' ', "-") };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{file}.txt"));
        expect_file![path].assert_eq(&help);
        shown += 1;
    }
    let kept =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help").read_dir().expect("the files are there").count();
    assert_eq!(shown, kept, "each file of tests/help is of a command that is there");
}

/// The commands that a help lists below its own.
fn below(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help")
}
