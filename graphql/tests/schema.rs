//! The schema is a file in git: a change of it is a change of that file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

#[test]
fn the_schema_file_is_the_schema() {
    let sdl = graphql::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(FILE, &sdl).unwrap();
    }
    let file = std::fs::read_to_string(FILE).unwrap_or_default();
    let differs = sdl.lines().zip(file.lines()).find(|(new, old)| new != old);
    assert_eq!(
        differs, None,
        "graphql/schema.graphql is stale; run the test with UPDATE_SCHEMA=1 and look at the change"
    );
    assert_eq!(sdl, file);
}

#[test]
fn everything_in_the_schema_is_documented() {
    let sdl = graphql::sdl();
    let (mut documented, mut missing) = (false, Vec::new());
    for line in sdl.lines().map(str::trim) {
        let declares = ["type ", "enum ", "input ", "scalar "].iter().any(|word| line.starts_with(word));
        // Relay's connections are described by their specification.
        if declares && !documented && !line.ends_with("Connection {") {
            missing.push(line);
        }
        documented = line.ends_with("\"\"\"");
    }
    assert_eq!(missing, Vec::<&str>::new());
}
