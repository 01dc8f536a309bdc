//! The scripts that check an operator's pieces and then start a validator.

use super::*;

/// The scripts start nothing while something is missing, and the main network's nothing that nobody said yes to.
#[test]
fn scripts_say_what_is_missing_before_they_start() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |script: &str, words: &[&str]| {
        let mut command = command(home, "sh");
        command.arg(root.join(script)).args(words).env("ASSAY", PROGRAM).stdin(Stdio::null());
        command.output().unwrap()
    };
    let words =
        ["--subnet", "cgp", "--chain", &url, "--wallet.name", "validator", "--listen", "127.0.0.1:0", "--", "--shadow"];
    for script in ["run_testnet.sh", "run_mainnet.sh"] {
        let refused = run(script, &words);
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        let missing = "WRONG  database";
        let next = "next: set DATABASE_URL, then run `assay migrate`";
        for part in [missing, next, &format!("{script}: not started; the lines marked WRONG")] {
            assert!(said.contains(part), "{part}:\n{said}");
        }
        let usage = run(script, &[]);
        assert!(usage.status.code() == Some(2) && text(&usage).contains("--subnet NAME"), "{}", text(&usage));
        let mistyped = run(script, &["--subent", "cgp"]);
        let said = text(&mistyped);
        assert!(
            mistyped.status.code() == Some(2) && said.contains("--subent") && said.contains("could not be made"),
            "{said}"
        );
    }
    let test = text(&run("run_testnet.sh", &words));
    assert!(test.contains("good   registration 138") && test.contains("test at ws://127.0.0.1"), "{test}");
    // Whatever else is right: a chain that is not the main network's is never acted on as if it were.
    let main = text(&run("run_mainnet.sh", &words));
    for part in [
        "WRONG  chain",
        "--network finney and the chain at ws://127.0.0.1:",
        "contradict each other: its genesis hash is ",
        "finney's is 2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03",
        "run_mainnet.sh: not started",
    ] {
        assert!(main.contains(part), "{part}:\n{main}");
    }
    for piece in ["subnet", "registration", "permit", "stake", "axon"] {
        let lines: Vec<&str> = main.lines().filter(|line| line.contains(&format!("{piece} 33"))).collect();
        let unasked = |line: &&str| line.starts_with("-  ") && line.ends_with("an answer of the chain that was meant");
        assert!(lines.len() == 1 && lines.iter().all(unasked), "nothing more is asked of it: {piece}\n{main}");
    }
    // The documents' option is understood by the check, too, which then says more.
    let debug = |words: &[&str]| text(&run("run_testnet.sh", &[&["--logging.debug"], words].concat()));
    let louder = debug(&words);
    assert!(louder.contains("WRONG  database") && louder.contains(" INFO ") && !test.contains(" INFO "), "{louder}");
}

/// What the scripts do with what a check says, with a program that tells what it was called with.
#[test]
fn the_main_network_is_asked_about_once_and_started_when_the_answer_is_yes() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let program = home.join("assay that tells");
    let calls = home.join("calls");
    let told = "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done >>calls\necho >>calls\n[ \"$1\" != check ] || exit \"$FOUND\"\n";
    std::fs::write(&program, told).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |script: &str, found: &str, yes: Option<&str>| {
        let _ = std::fs::remove_file(&calls);
        let mut command = command(home, "sh");
        command.arg(root.join(script)).args(["--subnet", "cgp", "--wallet.name", "it's mine", "--", "--shadow"]);
        command.env("ASSAY", &program).env("FOUND", found).stdin(Stdio::null());
        if let Some(yes) = yes {
            command.env("ASSAY_YES", yes);
        }
        let output = command.output().unwrap();
        let called = std::fs::read_to_string(&calls).unwrap_or_default();
        (output.status.code(), called, text(&output))
    };
    let checked = |network: &str| format!("<check><--network><{network}><--subnet><cgp><--wallet.name><it's mine>\n");
    let started = |network: &str| {
        let words = format!("<validator><--network><{network}><--subnet><cgp><--wallet.name><it's mine><--shadow>\n");
        format!("{}{words}", checked(network))
    };
    for (script, found, yes, code, called, said) in [
        ("run_mainnet.sh", "0", Some("1"), 0, started("finney"), "looking at everything"),
        ("run_mainnet.sh", "0", None, 1, checked("finney"), "nobody is there to be asked, and ASSAY_YES=1 is not set"),
        ("run_mainnet.sh", "0", Some("0"), 1, checked("finney"), "nobody is there to be asked"),
        ("run_mainnet.sh", "1", Some("1"), 1, checked("finney"), "the lines marked WRONG say what is missing"),
        ("run_mainnet.sh", "2", Some("1"), 2, checked("finney"), "the check could not be made"),
        ("run_testnet.sh", "0", None, 0, started("test"), "looking at everything"),
        ("run_testnet.sh", "1", None, 1, checked("test"), "the lines marked WRONG say what is missing"),
    ] {
        let found = run(script, found, yes);
        assert_eq!((found.0, &found.1), (Some(code), &called), "{script} {yes:?}: {}", found.2);
        assert!(found.2.contains(said), "{script} {yes:?}: {}", found.2);
    }
    // At a terminal it asks, once.
    if Command::new("script").arg("--version").output().is_err() {
        println!("NOT CHECKED: the answer at a terminal, for want of `script` (util-linux)");
        return;
    }
    for (answer, called) in [("y\n", started("finney")), ("n\n", checked("finney")), ("\n", checked("finney"))] {
        let _ = std::fs::remove_file(&calls);
        let line = format!(
            "sh '{}' --subnet cgp --wallet.name \"it's mine\" -- --shadow",
            root.join("run_mainnet.sh").display()
        );
        let mut command = command(home, "script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.env("ASSAY", &program).env("FOUND", "0").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), answer.as_bytes()).unwrap();
        let said = text(&child.wait_with_output().unwrap());
        assert!(said.matches("will act with real stake on the main network. Start it? [y/N]").count() == 1, "{said}");
        assert_eq!(std::fs::read_to_string(&calls).unwrap(), called, "{answer:?}: {said}");
    }
}
