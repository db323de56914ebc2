//! What cannot be meant is refused, with what to do instead.

use expect_test::expect;

use crate::session::shows;

#[test]
fn without_manifests_and_without_a_lab_there_is_a_hint() {
    shows(
        "inventory --name no-such-lab",
        expect![[r#"
            error: no manifests given, and no lab `no-such-lab` runs

            hint: name files or folders with -f, `-` for standard input
            hint: sudo palisade lab up --name no-such-lab -f examples/shop
            [exit 2]
        "#]],
    );
}

#[test]
fn what_is_read_again_and_again_is_no_pipe() {
    shows(
        "lab up --name no-such-lab -f /dev/null",
        expect![[r#"
        error: `/dev/null` is neither a file nor a folder

        hint: pipe it in and name it `-`
        [exit 2]
    "#]],
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    shows(
        "inventry",
        expect![[r#"
            error: unrecognized subcommand 'inventry'

              tip: some similar subcommands exist: 'net', 'inventory'

            Usage: palisade <COMMAND>

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
    shows(
        "check shop/web",
        expect![[r#"
        error: the following required arguments were not provided:
          <TO>

        Usage: palisade check <FROM> <TO> [PORT]

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    shows(
        "lab up -f x --nodes 3",
        expect![[r#"
        error: invalid value '3' for '--nodes <N>': 3 is not in 1..=2

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    shows(
        "observe --name ../etc",
        expect![[r#"
            error: invalid value '../etc' for '--name <NAME>': `../etc` cannot name a lab: use 1 to 40 lower-case letters, digits and `-`

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
    shows(
        "check --at tomorrow a/b c/d",
        expect![[r#"
        error: invalid value 'tomorrow' for '--at <TIME>': failed to parse four digit integer as year: invalid digit, expected 0-9 but got t

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
}

#[test]
fn a_lab_that_does_not_run_cannot_be_unloaded() {
    shows(
        "agent unload --name no-such-lab",
        expect![[r#"
            error: no lab named `no-such-lab` is running

            hint: `palisade lab up --name no-such-lab -f MANIFESTS` starts it
            [exit 2]
        "#]],
    );
}

#[test]
fn a_label_that_no_cluster_would_take_is_wrong_usage() {
    shows(
        "lab pod relabel shop/web app=!!",
        expect![[r#"
            error: invalid value 'app=!!' for '<LABEL>...': `!!` is no label value: 1 to 63 letters, digits, `-`, `_` and `.`, at both ends a letter or digit, or nothing

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
    shows(
        "lab pod relabel shop/web Example.com/app=x",
        expect![[r#"
            error: invalid value 'Example.com/app=x' for '<LABEL>...': `Example.com/app` is no label key: [DOMAIN/]NAME, with a name of 1 to 63 letters, digits, `-`, `_` and `.`, at both ends a letter or digit

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
}
