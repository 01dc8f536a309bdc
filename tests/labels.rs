//! `assay validator --labels`: mistakes are told before a chain or a database is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::process::Command;

fn refused(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.arg("validator").args(arguments).current_dir(home.path()).env("ASSAY_HOME", home.path());
    for name in ["ASSAY_CONFIG", "DATABASE_URL", "ASSAY_CHAIN"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn labels_are_for_rules_that_wait_for_them() {
    for (arguments, said) in [
        (&["--subnet", "loosh", "--labels", "pushed"][..], "none of loosh/readme does"),
        (
            &["--subnet", "conversion", "--rules", "conversion/0.1.0", "--label-seconds", "3"],
            "none of conversion/0.1.0",
        ),
        (
            &["--subnet", "conversion", "--labels", "pushed", "--label-seconds", "3"],
            "clients tell labels when they know",
        ),
        (&["--subnet", "conversion", "--labels", "nowhere.jsonl"], "--labels nowhere.jsonl: there is no such file"),
        (&["--subnet", "conversion", "--labels", "."], "there is no such file"),
        (&["--subnet", "conversion", "--label-seconds", "soon"], "--label-seconds"),
    ] {
        let shown = refused(arguments);
        assert!(shown.contains(said), "{arguments:?}: {shown}");
    }
}
